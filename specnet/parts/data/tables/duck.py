"""A connection to DuckDB that can read the given files, write within a folder of its own, and nothing else.

Its expressions for cells come from the patterns of `cells`, and convert only what is a number by the plainest rule.
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
"""Columns from which a table takes more memory, though it has few rows."""
MAX_EXPRESSIONS = 500
"""Of a query: DuckDB's time grows with their square."""
SECONDS_BETWEEN_REPORTS = 0.1
PACKED = 5
"""Times as large as its compressed file a table of text is, about."""

PROGRESS = """
    SET enable_progress_bar = true;
    SET enable_progress_bar_print = false;
    SET progress_bar_time = 0;
"""
# A result is fetched while it is made: with DuckDB's own buffer of 1 MB all processors but one would wait.
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
    """DuckDB refuses a query; the message is DuckDB's."""


class Duck:
    """A connection, and the folder that is its own.

    Parameters
    ----------
    connection : duckdb.DuckDBPyConnection
    folder : str
        A real path.
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
        """Return the columns of a query's result, masked where a cell is null; progress is reported in bytes."""
        found: dict[str, NDArray[Any]] = self._run(
            query, parameters, lambda result: result.fetchnumpy(), progress, size
        )
        return list(found.values())

    def batches(self, query: str, count: int) -> Iterator[list[tuple[Any, ...]]]:
        """Yield the rows of a query's result, a number of rows at a time.

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
        """End the connection."""
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
        """Return what is fetched. A query has a thread of its own, so that this one takes signals and reports progress.

        Raises
        ------
        DuckError
            If DuckDB refuses it.
        FileError
            If the disk is too full for its own files.
        """
        future = self._pool.submit(lambda: fetch(self._connection.execute(query, parameters)))
        done, report = 0, progress or (lambda done, total: None)
        report(0, size)
        try:
            while not wait([future], SECONDS_BETWEEN_REPORTS).done:
                # DuckDB says -1 before it begins and after it has read all.
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
        """Raise what DuckDB raises as the errors that `_run` names."""
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
    """Open a connection that may read some files, given by their real paths, of a number of columns.

    Its database is in memory, and what does not fit there in a folder that is gone afterwards; that of large files is
    in this folder, where DuckDB compresses it.
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
            # In a notebook DuckDB refuses them without ipywidgets, also where nothing is printed.
            with suppress(duckdb.InvalidInputException):
                connection.execute(PROGRESS)
            connection.execute(f"SET threads = {usable_cpus()}")  # DuckDB counts those of other processes too
            connection.execute(f"SET memory_limit = '{'2GB' if columns > WIDE else '400MB'}'")
            connection.execute(f"SET temp_directory = {quoted(private)}")
            connection.execute(f"SET allowed_paths = [{', '.join(map(quoted, paths))}]")
            connection.execute(f"SET allowed_directories = [{quoted(private)}]")
            connection.execute(SETTINGS)
            yield duck
        finally:
            duck.close()


def file_size(path: str) -> int:
    """Return about how many bytes a file holds, those that a compressed one unpacks to; 0 where there is no file."""
    if not os.path.isfile(path):
        return 0
    return os.path.getsize(path) * (PACKED if path.lower().endswith(".gz") else 1)


def is_number_type(of: str) -> bool:
    """Return whether one of DuckDB's types is one of numbers."""
    return of in _WHOLE or of in FRACTIONAL or of.startswith("DECIMAL")


def is_whole_type(of: str) -> bool:
    """Return whether one of DuckDB's types is one of whole numbers."""
    return of in _WHOLE or (of.startswith("DECIMAL") and of.endswith(",0)"))


def is_nested(of: str) -> bool:
    """Return whether a cell of one of DuckDB's types is no single number or text."""
    return of.endswith("]") or of.startswith(_NESTED)


def quoted(text: str) -> str:
    """Return a text as DuckDB's SQL writes it."""
    return "'" + text.replace("'", "''") + "'"


def sql_trimmed(cell: str, missing: Sequence[str]) -> str:
    """Return the expression of a trimmed cell, null where it is missing; untrimmed missing cells are null already."""
    trim = f"trim({cell}, {quoted(SPACE)})"
    # Trimming is slow, and few cells need it: all space sorts before the first other character.
    needed = " OR ".join([f"{cell} < '!'", *(f"suffix({cell}, {quoted(character)})" for character in SPACE)])
    listed = ", ".join(map(quoted, missing))
    return f"CASE WHEN NOT ({needed}) THEN {cell} WHEN {trim} NOT IN ({listed}) THEN {trim} END"


def sql_plain_number(cell: str) -> str:
    """Return the expression of the number in a text without space around it; null for whole ones beyond 2⁵³ too."""
    found = f"TRY_CAST({cell} AS DOUBLE)"
    is_number = f"regexp_full_match({cell}, {quoted(PLAIN_NUMBER)})"
    return f"CASE WHEN abs({found}) < {LARGEST_WHOLE} AND {is_number} THEN {found} END"


def sql_is_grouped(text: str) -> str:
    """Return the expression of `is_grouped`: cells without a point, which are most, are seen quickly."""
    return f"CASE WHEN contains({text}, '.') THEN regexp_full_match({text}, {quoted(GROUPED)}) ELSE false END"
