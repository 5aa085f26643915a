"""The records of a CSV file, split by DuckDB into cells of text or converted to numbers.

DuckDB guesses nothing here, and its connection can open only this file. Its conversion to numbers rounds correctly, as
Python's does; cells that only DuckDB accepts as numbers are marked as odd and read again.
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
"""Number of columns above which DuckDB's optimizers, whose time is quadratic in it, take longer than they save."""

SPARES_COLUMNS = "unused_columns"
"""The optimizer that skips columns that are not requested."""

CONVERTS_EARLY = "type_pushdown"
"""The optimizer that converts cells to numbers while splitting: faster, but other cells become errors."""

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
"""Condition on cells that DuckDB accepts as numbers but Python does not."""


class SplittingError(Exception):
    """DuckDB cannot read a file; the message is DuckDB's."""


@dataclass(frozen=True, slots=True)
class Splitting:
    """Splits the records of a file.

    Attributes
    ----------
    path : str
        Absolute path.
    width : int
        Number of columns in the file.
    careful : bool
        Look for cells that only DuckDB accepts as numbers, and accept cells that are not numbers.
    """

    path: str
    width: int
    careful: bool

    def read(
        self, numbers: Sequence[int], texts: Sequence[int], progress: Progress
    ) -> tuple[list[NDArray[Any]], list[NDArray[Any]], NDArray[Any] | None]:
        """Return columns by position: numbers, masked where a cell is not one; texts; and a mask of odd rows, if any.

        Raises
        ------
        SplittingError
            If DuckDB cannot read the file; unless `careful`, possibly because a cell is not a number.
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
        """Return the result of a query, run in another thread so that this one can handle signals and show progress."""
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
