"""CSV files, read without guessing.

Python's ``csv`` reads the header, DuckDB only splits the records, every cell as text, and the rules here turn cells
into numbers and labels: DuckDB's own guesses read a 1.5 in row 30 001 as 2 and ``00123`` as 123, drop what looks like a
comment, and take columns by position. The connection can open this one file and nothing else.

A file is UTF-8, with or without a byte-order mark; cells are separated by commas and quoted as RFC 4180 says. Blank
lines are passed over, except in a file of one column, where they are missing cells.
"""

import os
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specnet.arrays import first_few
from specnet.errors import DataError, Diagnostic, Position
from specnet.parts.data.csv_places import LINE_END, PathLike, faulty_record, records

Cells = Sequence[str | None]
"""A column of a chunk; None where a cell is empty."""

CELLS_AT_ONCE = 500_000
"""How many cells are held as text at a time."""

MOST_MISTAKES = 20
"""How many mistakes are told of at once."""

NUMBER_SIGNS = frozenset("0123456789+-.eE \t")
"""What a number is made of: digits, signs, a point, an exponent, and space around it. No nan, no inf, no 1_000."""

QUERY = """
    SELECT {columns} FROM read_csv(
        $path, columns = $types, auto_detect = false, strict_mode = true, all_varchar = true, header = true,
        delim = ',', quote = '"', escape = '"', compression = 'none', null_padding = false, hive_partitioning = false)
"""


class CsvFile:
    """A CSV file whose header has been read.

    Parameters
    ----------
    path : str or path-like
        The file, as errors name it.

    Attributes
    ----------
    header : list of str
        The names of the columns.

    Raises
    ------
    FileError
        If the file cannot be read.
    DataError
        If there is no header, or one that leaves a column without a name or gives a name twice.
    """

    def __init__(self, path: PathLike) -> None:
        self.path = os.fspath(path)
        record = next(records(path), None)
        if record is None or not record.cells:
            message = "the first line has to name the columns, and is blank" if record else "the file is empty"
            raise DataError(Diagnostic("missing-header", message, source=self.path, position=Position(1, 1)))
        self.header = record.cells
        self._places: dict[str, int] = {}
        problems = []
        for column, name in enumerate(self.header):
            first = self._places.setdefault(name, column)
            if not name.strip():
                message = f"column {column + 1} has no name"
                problems.append(record.problem(path, "missing-header", message, column))
            elif first < column:
                message = f'columns {first + 1} and {column + 1} are both called "{name}"'
                problems.append(record.problem(path, "repeated-column", message, column))
            elif record.end and not {record.end}.issuperset(LINE_END.findall(name)):
                message = f"the name of column {column + 1} breaks in another way than the line, {record.end!r}"
                problems.append(record.problem(path, "csv-syntax", message, column))  # DuckDB would find no rows
            if len(problems) == MOST_MISTAKES:
                break
        if problems:
            raise DataError(*problems)

    def missing(self, names: Sequence[str]) -> list[tuple[int, Diagnostic]]:
        """Return which of these columns are not there, by their numbers in `names`, and what to say of them.

        Raises
        ------
        DataError
            If it is the header that is not there.
        """
        missing = [number for number, name in enumerate(names) if name not in self._places]
        if missing and all(map(_is_number, self.header)):
            message = "the first line has to name the columns, and holds numbers"
            raise DataError(Diagnostic("missing-header", message, source=self.path, position=Position(1, 1)))
        return [(number, self._unknown(names[number])) for number in missing[:MOST_MISTAKES]]

    def _unknown(self, name: str) -> Diagnostic:
        close = get_close_matches(name, self.header, 1)
        if len(self.header) == 1 and any(sign in self.header[0] for sign in ";\t"):
            hint = "cells are separated by commas"
        elif close:
            hint = f'did you mean "{close[0]}"?'
        else:
            hint = f"its columns are {first_few(self.header)}"
        return Diagnostic("unknown-column", f'{self.path} has no column "{name}"', source=self.path, hint=hint)

    def read(
        self, numbers: Sequence[str], labels: Sequence[str] = ()
    ) -> tuple[NDArray[np.float64], list[NDArray[Any]]]:
        """Return columns, wherever they stand in the file.

        Parameters
        ----------
        numbers, labels : sequence of str
            Names of columns of numbers, and of labels.

        Returns
        -------
        numbers : ndarray (rows, columns)
        labels : list of ndarray (rows,)
            int64 where every cell is an integer as Python writes it; else text, so that ``00123`` stays what it is.

        Raises
        ------
        FileError
            If the file cannot be read.
        DataError
            If there is no such column or no row, if a row has too few or too many cells, or if a cell is missing or is
            no number.
        """
        if missing := self.missing((*numbers, *labels)):
            raise DataError(*(problem for _, problem in missing))
        places = [self._places[name] for name in (*numbers, *labels)]
        parts: list[NDArray[np.float64]] = []
        texts: list[list[str]] = [[] for _ in labels]
        rows = 0
        for chunk in self._chunks(places):
            cells = list(zip(*chunk, strict=True))
            converted = [_numbers(column) for column in cells[: len(numbers)]]
            found = [column for column in converted if column is not None]
            if len(found) < len(numbers) or any(None in column for column in cells[len(numbers) :]):
                raise DataError(*self._bad_cells(rows, places, cells, len(numbers)))
            parts.append(np.array(found).reshape(len(numbers), len(chunk)))
            for text, column in zip(texts, cells[len(numbers) :], strict=True):
                text.extend(map(str, column))
            rows += len(chunk)
        if not rows:
            raise DataError(Diagnostic("empty", "there is no row below the header", source=self.path))
        return np.concatenate(parts, axis=1).T.copy(), [_labels(text) for text in texts]

    def _chunks(self, places: Sequence[int]) -> Iterator[list[tuple[str | None, ...]]]:
        import duckdb

        path = os.path.abspath(self.path)
        types = {f"c{place}": "VARCHAR" for place in range(len(self.header))}
        query = QUERY.format(columns=", ".join(f"c{place}" for place in places))
        with duckdb.connect(":memory:") as connection:
            allowed = path.replace("'", "''")
            connection.execute(f"SET allowed_paths = ['{allowed}']")
            connection.execute("SET enable_external_access = false")
            connection.execute("SET lock_configuration = true")
            try:
                result = connection.execute(query, {"path": path, "types": types})
                while chunk := result.fetchmany(max(1, CELLS_AT_ONCE // len(places))):
                    yield chunk
            except duckdb.Error as error:
                message = f"DuckDB cannot read this: {str(error).splitlines()[0]}"
                hint = "in a path, * ? and [ may stand for other files" if set("*?[") & set(path) else None
                problem = Diagnostic("csv-syntax", message, source=self.path, hint=hint)
                raise DataError(faulty_record(self.path, len(self.header)) or problem) from None

    def _bad_cells(
        self, done: int, places: Sequence[int], cells: Sequence[Cells], numbers: int
    ) -> Iterator[Diagnostic]:
        """Yield the first mistake of each column in a chunk that begins after `done` rows."""
        mistakes = []
        for index, (place, column) in enumerate(zip(places, cells, strict=True)):
            bad = (row for row, cell in enumerate(column) if cell is None or (index < numbers and not _is_number(cell)))
            row = next(bad, None)
            if row is not None:
                mistakes.append((row, place, column[row]))
        rows = (record for record in records(self.path) if record.cells or len(self.header) == 1)
        last = -1
        numbered = islice(rows, done + 1, None)  # the header is the first record
        for row, place, cell in sorted(mistakes, key=lambda mistake: mistake[:2])[:MOST_MISTAKES]:
            if row > last:
                record = next(islice(numbered, row - last - 1, None))
                last = row
            name = self.header[place]
            if cell is None:
                code, message = "missing-cell", f'row {done + row + 1} has nothing in column "{name}"'
            else:
                shown = cell if cell.isprintable() and len(cell) <= 40 else repr(cell[:40])
                message = f'row {done + row + 1} has "{shown}" in column "{name}", which is not a finite number'
                code = "not-a-number"
            yield record.problem(self.path, code, message, place)


def _numbers(cells: Cells) -> NDArray[np.float64] | None:
    """Return the numbers of cells, or None if one is missing or none."""
    try:
        # A missing cell is None, for which joining raises the TypeError that is caught.
        if not NUMBER_SIGNS.issuperset("".join(cells)):  # type: ignore[arg-type]
            return None
        numbers = np.fromiter(map(float, cells), np.float64, len(cells))  # type: ignore[arg-type]  # none is None now
    except (TypeError, ValueError):
        return None
    return numbers if np.isfinite(numbers).all() else None


def _is_number(cell: str) -> bool:
    return _numbers([cell]) is not None


def _labels(cells: list[str]) -> NDArray[Any]:
    try:
        integers = np.array([int(cell) for cell in cells], np.int64)
    except (ValueError, OverflowError):
        return np.array(cells)
    return integers if list(map(str, integers)) == cells else np.array(cells)
