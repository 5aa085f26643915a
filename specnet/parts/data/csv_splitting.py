"""The records of a CSV file, split by DuckDB: cells as text, or as the numbers that they are read as.

DuckDB guesses nothing here, and its connection can open this one file and nothing else. Its conversion to numbers
rounds correctly, as Python's does; what else it takes for a number is marked as odd, and looked at again.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from specnet.parts.data.progress import Progress

WIDE = 2_000
"""Columns from which DuckDB's optimizers, quadratic in them, take longer than they save."""

SPARES_COLUMNS = "unused_columns"
"""The optimizer that leaves cells alone which nobody asked for."""

CONVERTS_EARLY = "type_pushdown"
"""The optimizer that turns cells into numbers as they are split: quicker, and then one that is none is an error."""

SECONDS_BETWEEN_LOOKS = 0.1

# A result is fetched while it is made: with DuckDB's own buffer of 1 MB all processors but one would wait.
SETTINGS = """
    SET enable_progress_bar = true;
    SET enable_progress_bar_print = false;
    SET progress_bar_time = 0;
    SET streaming_buffer_size = '256MB';
    SET enable_external_access = false;
    SET lock_configuration = true;
"""

RECORDS = """
    SELECT * FROM read_csv(
        $path, columns = $types, auto_detect = false, strict_mode = true, all_varchar = true, header = true,
        delim = ',', quote = '"', escape = '"', compression = 'none', null_padding = false,
        hive_partitioning = false)
"""

ODD = " OR ".join(f"contains(joined, {sign})" for sign in ("'_'", "'+-'", "chr(10)", "chr(11)", "chr(12)", "chr(13)"))
"""What DuckDB takes for a part of a number, and Python does not, or a file's other reader does not."""


class SplittingError(Exception):
    """DuckDB refuses a file; the message is DuckDB's."""


@dataclass(frozen=True, slots=True)
class Splitting:
    """How the records of a file are to be split.

    Attributes
    ----------
    path : str
        Absolute.
    width : int
        Columns of the file.
    careful : bool
        Look for cells that only DuckDB takes for numbers, and take none that is no number for an error.
    """

    path: str
    width: int
    careful: bool

    def read(
        self, numbers: Sequence[int], texts: Sequence[int], progress: Progress
    ) -> tuple[list[NDArray[Any]], list[NDArray[Any]], NDArray[Any] | None]:
        """Return columns by their places: numbers, masked where a cell is none; texts; and which rows are odd, if any.

        Raises
        ------
        SplittingError
            If DuckDB refuses the file; if it is not read carefully, perhaps for a cell that is no number.
        """
        import duckdb

        with duckdb.connect(":memory:") as connection:
            allowed = self.path.replace("'", "''")
            if disabled := self._disabled_optimizers(connection):
                connection.execute(f"SET disabled_optimizers = '{','.join(disabled)}'")
            connection.execute(f"SET allowed_paths = ['{allowed}']")
            connection.execute(SETTINGS)
            parameters = {"path": self.path, "types": {f"c{place}": "VARCHAR" for place in range(self.width)}}
            try:
                found = self._fetched(connection, self._query(numbers, texts), parameters, progress)
            except duckdb.Error as error:
                raise SplittingError(str(error).splitlines()[0]) from None
        columns = list(found.values())
        end = len(numbers) + len(texts)
        return columns[: len(numbers)], columns[len(numbers) : end], columns[end] if len(columns) > end else None

    def _fetched(
        self, connection: Any, query: str, parameters: dict[str, Any], progress: Progress
    ) -> dict[str, NDArray[Any]]:
        """Return what a query finds. It has a thread of its own, so that this one can take signals and tell of it."""
        size, done = os.path.getsize(self.path), 0

        def fetch() -> Any:
            return connection.execute(query, parameters).fetchnumpy()

        with ThreadPoolExecutor(1) as pool:
            future = pool.submit(fetch)
            progress(0, size)
            try:
                while not wait([future], SECONDS_BETWEEN_LOOKS).done:
                    # DuckDB says -1 before it begins and after it has read all.
                    done = max(done, int(min(connection.query_progress(), 99.0) / 100 * size))
                    progress(done, size)
            except BaseException:
                connection.interrupt()
                raise
            progress(size, size)
            found: dict[str, NDArray[Any]] = future.result()
            return found

    def _disabled_optimizers(self, connection: Any) -> list[str]:
        found = [name for (name,) in connection.execute("SELECT name FROM duckdb_optimizers()").fetchall()]
        if self.width > WIDE:
            return [name for name in found if name != SPARES_COLUMNS]
        return [name for name in found if self.careful and name == CONVERTS_EARLY]

    def _query(self, numbers: Sequence[int], texts: Sequence[int]) -> str:
        records = RECORDS
        selected = [f"TRY_CAST(c{place} AS DOUBLE) AS n{index}" for index, place in enumerate(numbers)]
        selected += [f"c{place} AS t{index}" for index, place in enumerate(texts)]
        if self.careful and numbers:
            joined = ", ".join(f"c{place}" for place in numbers)
            records = f"SELECT *, concat({joined}) AS joined FROM ({records})"
            selected.append(f"{ODD} AS odd")
        return f"SELECT {', '.join(selected)} FROM ({records})"
