"""A restricted connection to DuckDB: it can only read the given files and write to its own temporary folder.

Its SQL expressions for cells use the patterns of `cells`, and convert only plain numbers.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specnet.cpus import usable_cpus
from specnet.files.large import is_large, no_space
from specnet.parts.data.progress import Progress
from specnet.parts.data.tables.cells import GROUPED, LARGEST_WHOLE, PLAIN_NUMBER, SPACE

WIDE = 2_000
"""Tables with more columns get a higher memory limit, even if they have few rows."""
MAX_EXPRESSIONS = 500
"""Maximum number of expressions in a query, because DuckDB's time grows with the square of the number."""
SECONDS_BETWEEN_REPORTS = 0.1
PACKED = 5
"""Approximate size of a text file relative to its compressed file."""

PROGRESS = """
    SET enable_progress_bar = true;
    SET enable_progress_bar_print = false;
    SET progress_bar_time = 0;
"""
# A result is fetched while DuckDB computes it; with the default buffer of 1 MB, all processors except one would wait.
SETTINGS = """
    SET streaming_buffer_size = '256MB';
    SET preserve_insertion_order = true;
    SET TimeZone = 'UTC';
    SET autoload_known_extensions = false;
    SET autoinstall_known_extensions = false;
    SET allow_community_extensions = false;
    SET enable_external_access = false;
    SET lock_configuration = true;
"""


_WHOLE = frozenset(f"{unsigned}{size}INT" for unsigned in ("", "U") for size in ("TINY", "SMALL", "BIG", "HUGE")) | {
    "INTEGER",
    "UINTEGER",
}
FRACTIONAL = frozenset({"FLOAT", "DOUBLE"})
"""DuckDB's types of numbers that may be NaN."""
_NESTED = ("STRUCT", "MAP", "UNION", "BLOB", "BIT", "INTERVAL", "GEOMETRY", "VARIANT")


class DuckError(Exception):
    """DuckDB refuses a query; the message comes from DuckDB."""


class Duck:
    """A connection to DuckDB and its temporary folder.

    Parameters
    ----------
    connection : duckdb.DuckDBPyConnection
    folder : str
        The real path of the folder.
    """

    def __init__(self, connection: Any, folder: str) -> None:
        self._connection, self.folder = connection, folder
        self._pool = ThreadPoolExecutor(1)

    def rows(self, query: str, parameters: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
        """Return the rows of a query's result."""
        found: list[tuple[Any, ...]] = self._run(query, parameters, lambda result: result.fetchall())
        return found

    def columns(
        self, query: str, parameters: Mapping[str, Any] | None = None, progress: Progress | None = None, size: int = 0
    ) -> list[NDArray[Any]]:
        """Return the columns of a query's result, masked for null cells; progress is reported in bytes of `size`."""
        found: dict[str, NDArray[Any]] = self._run(
            query, parameters, lambda result: result.fetchnumpy(), progress, size
        )
        return list(found.values())

    def batches(self, query: str, count: int) -> Iterator[list[tuple[Any, ...]]]:
        """Yield the rows of a query's result in lists of at most `count` rows.

        Raises
        ------
        DuckError, FileError
        """
        some = self._run(query, None, lambda result: result.fetchmany(count))
        while some:
            yield some
            with self._refusals():
                some = self._connection.fetchmany(count)

    def close(self) -> None:
        """Close the connection."""
        self._pool.shutdown()
        self._connection.close()

    def _run(
        self,
        query: str,
        parameters: Mapping[str, Any] | None,
        fetch: Callable[[Any], Any],
        progress: Progress | None = None,
        size: int = 0,
    ) -> Any:
        """Run a query, and return the result of `fetch`.

        The query runs in another thread, so that this thread can handle signals and report progress.

        Raises
        ------
        DuckError
            If DuckDB refuses the query.
        FileError
            If the disk is too full for DuckDB's temporary files.
        """
        future = self._pool.submit(lambda: fetch(self._connection.execute(query, parameters)))
        done, report = 0, progress or (lambda done, total: None)
        report(0, size)
        try:
            while not wait([future], SECONDS_BETWEEN_REPORTS).done:
                # query_progress returns -1 before the query starts and after it has read everything.
                done = max(done, int(min(self._connection.query_progress(), 99.0) / 100 * size))
                report(done, size)
        except BaseException:
            self._connection.interrupt()
            raise
        report(size, size)
        with self._refusals():
            return future.result()

    @contextmanager
    def _refusals(self) -> Iterator[None]:
        """Translate DuckDB's exceptions to the errors in the docstring of `_run`."""
        import duckdb

        try:
            yield
        except duckdb.OutOfMemoryException as error:
            raise (no_space() if "temp_directory" in str(error) else MemoryError()) from None
        except duckdb.Error as error:
            if isinstance(error, duckdb.IOException) and self.folder in str(error):
                raise no_space() from None
            raise DuckError(str(error).splitlines()[0]) from None


@contextmanager
def opened(paths: Sequence[str], columns: int) -> Iterator[Duck]:
    """Open a connection that may read the files with the given real paths, for a table of `columns` columns.

    The database is in memory and spills to a temporary folder, which is removed afterwards. For large files, the
    database itself is in this folder, where DuckDB compresses it.
    """
    import duckdb

    with TemporaryDirectory(prefix="specnet-") as folder:
        private = os.path.realpath(folder)
        are_large = is_large((sum(file_size(path) for path in paths),), np.uint8)
        try:
            connection = duckdb.connect(os.path.join(private, "rows.duckdb") if are_large else ":memory:")
        except duckdb.IOException:
            raise no_space() from None
        duck = Duck(connection, private)
        try:
            # In a notebook without ipywidgets DuckDB refuses these settings, although it prints nothing.
            with suppress(duckdb.InvalidInputException):
                connection.execute(PROGRESS)
            connection.execute(f"SET threads = {usable_cpus()}")  # DuckDB also counts unusable CPUs
            connection.execute(f"SET memory_limit = '{'2GB' if columns > WIDE else '400MB'}'")
            connection.execute(f"SET temp_directory = {quoted(private)}")
            connection.execute(f"SET allowed_paths = [{', '.join(map(quoted, paths))}]")
            connection.execute(f"SET allowed_directories = [{quoted(private)}]")
            connection.execute(SETTINGS)
            yield duck
        finally:
            duck.close()


def file_size(path: str) -> int:
    """Return the approximate size of a file in bytes after decompression; 0 if it does not exist."""
    if not os.path.isfile(path):
        return 0
    return os.path.getsize(path) * (PACKED if path.lower().endswith(".gz") else 1)


def is_number_type(of: str) -> bool:
    """Return whether a DuckDB type is numeric."""
    return of in _WHOLE or of in FRACTIONAL or of.startswith("DECIMAL")


def is_whole_type(of: str) -> bool:
    """Return whether a DuckDB type has whole numbers only."""
    return of in _WHOLE or (of.startswith("DECIMAL") and of.endswith(",0)"))


def is_nested(of: str) -> bool:
    """Return whether the cells of a DuckDB type are something else than a single number or text."""
    return of.endswith("]") or of.startswith(_NESTED)


def quoted(text: str) -> str:
    """Return a text as a quoted literal of DuckDB's SQL."""
    return "'" + text.replace("'", "''") + "'"


def sql_trimmed(cell: str, missing: Sequence[str]) -> str:
    """Return the SQL expression for a trimmed cell, null if missing; untrimmed missing cells must be null already."""
    trim = f"trim({cell}, {quoted(SPACE)})"
    # Trimming is slow, and few cells need it. All whitespace sorts before '!', the first other character.
    needed = " OR ".join([f"{cell} < '!'", *(f"suffix({cell}, {quoted(character)})" for character in SPACE)])
    listed = ", ".join(map(quoted, missing))
    return f"CASE WHEN NOT ({needed}) THEN {cell} WHEN {trim} NOT IN ({listed}) THEN {trim} END"


def sql_plain_number(cell: str) -> str:
    """Return the SQL expression for the number in a trimmed text; null if it is not a number, or 2⁵³ or more."""
    found = f"TRY_CAST({cell} AS DOUBLE)"
    is_number = f"regexp_full_match({cell}, {quoted(PLAIN_NUMBER)})"
    return f"CASE WHEN abs({found}) < {LARGEST_WHOLE} AND {is_number} THEN {found} END"


def sql_is_grouped(text: str) -> str:
    """Return the SQL expression for `is_grouped`, with a fast check first, because most cells have no point."""
    return f"CASE WHEN contains({text}, '.') THEN regexp_full_match({text}, {quoted(GROUPED)}) ELSE false END"
