"""CSV files, read without guessing.

Python's ``csv`` reads the header, DuckDB splits the records into cells of text, and the rules here decide what is a
number or a label: DuckDB's own guesses read a 1.5 in row 30 001 as 2 and ``00123`` as 123, drop lines that look like
comments, and take columns by position. Rows that may contain errors are read again by Python's ``csv``.

A file is UTF-8, with or without a byte-order mark; cells are separated by commas and quoted according to RFC 4180.
Blank lines are skipped, except in a file with one column, where they are missing cells.
"""

import math
import os
import shutil
from codecs import BOM_UTF8
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from difflib import get_close_matches
from itertools import islice
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specnet.errors import DataError, Diagnostic, Position
from specnet.files import open_file
from specnet.parts.arrays import first_few
from specnet.parts.data.csv_places import LINE_END, PathLike, Record, faulty_record, records
from specnet.parts.data.csv_signs import begins_odd, read_signs
from specnet.parts.data.csv_splitting import Splitting, SplittingError
from specnet.parts.data.progress import Progress, current_progress

CELLS_LOOKED_AT = 500_000
"""Number of cells after the first error that are searched for further ones."""

ROWS_ARRANGED = 2048
"""Number of rows assembled from columns at a time, which fit into the processor's cache."""

MOST_MISTAKES = 20
"""Maximum number of errors reported at once."""

MOST_COLUMNS = 30_000
"""Maximum number of columns: DuckDB's time is quadratic in it, and specs with many more are too large to save."""

NUMBER_SIGNS = frozenset("0123456789+-.eE \t")
"""Characters of numbers: digits, signs, a point, an exponent, and surrounding space. No nan, no inf, no 1_000."""


class CsvFile:
    """A CSV file whose header has been read.

    Parameters
    ----------
    path : str or path-like
        Path of the file, also used in errors.

    Attributes
    ----------
    header : list of str
        Names of the columns.

    Raises
    ------
    FileError
        If the file cannot be read.
    DataError
        If the header is missing, or has an empty or a duplicate name.
    """

    def __init__(self, path: PathLike) -> None:
        self.path = os.fspath(path)
        record = next(records(path), None)
        if record is None or not record.cells:
            message = "the header is missing: the first line is blank" if record else "the file is empty"
            raise DataError(Diagnostic("missing-header", message, source=self.path, position=Position(1, 1)))
        self.header = record.cells
        if len(self.header) > MOST_COLUMNS:
            message = f"{len(self.header)} columns exceed the limit of {MOST_COLUMNS}"
            raise DataError(Diagnostic("too-large", message, source=self.path, position=Position(1, 1)))
        with open_file(path) as (stream, _):
            mark = BOM_UTF8 if stream.read(len(BOM_UTF8)) == BOM_UTF8 else b""
        self._body = len(mark) + len((record.text + record.end).encode())
        # Behind a byte-order mark DuckDB takes the quote of the first name for a part of it.
        self._misread_mark = bool(mark and LINE_END.search(self.header[0]))
        self._places: dict[str, int] = {}
        problems = []
        for column, name in enumerate(self.header):
            first = self._places.setdefault(name, column)
            if not name.strip():
                message = f"column {column + 1} has no name"
                problems.append(record.problem(path, "missing-header", message, column))
            elif first < column:
                message = f'duplicate column name "{name}": columns {first + 1} and {column + 1}'
                problems.append(record.problem(path, "repeated-column", message, column))
            elif record.end and not {record.end}.issuperset(LINE_END.findall(name)):
                message = f"the name of column {column + 1} has another line ending than {record.end!r} of the line"
                problems.append(record.problem(path, "csv-syntax", message, column))  # DuckDB would find no rows
            if len(problems) == MOST_MISTAKES:
                break
        if problems:
            raise DataError(*problems)

    def missing(self, names: Sequence[str]) -> list[int]:
        """Return which of these columns are missing, by their positions in `names`.

        Raises
        ------
        DataError
            If the header is missing.
        """
        missing = [number for number, name in enumerate(names) if name not in self._places]
        if missing and all(_number(name) is not None for name in self.header):
            message = "the header is missing: the first line holds numbers"
            raise DataError(Diagnostic("missing-header", message, source=self.path, position=Position(1, 1)))
        return missing

    def meant(self, name: str) -> str | None:
        """Return the column with the most similar name, or None."""
        return next(iter(get_close_matches(name, self.header, 1)), None)

    def unknown(self, names: Sequence[str]) -> Diagnostic:
        """Return the error of columns that are missing."""
        meant = [self.meant(name) for name in names]
        if len(self.header) == 1 and any(sign in self.header[0] for sign in ";\t"):
            hint = "use commas to separate cells"
        elif all(meant):
            hint = f"did you mean {_quoted(meant)}?"
        else:
            hint = f"choose from {first_few(self.header)}"
        message = f"{self.path} has no {'column' if len(names) == 1 else 'columns'} {_quoted(names)}"
        return Diagnostic("unknown-column", message, source=self.path, hint=hint)

    def _places_of(self, names: Sequence[str]) -> list[int]:
        if missing := self.missing(names):
            raise DataError(self.unknown([names[number] for number in missing]))
        return [self._places[name] for name in names]

    def read(
        self, numbers: Sequence[str], labels: Sequence[str] = ()
    ) -> tuple[NDArray[np.float64], list[NDArray[Any]]]:
        """Return columns in the given order.

        Parameters
        ----------
        numbers, labels : sequence of str
            Names of the columns with numbers, and of those with labels.

        Returns
        -------
        numbers : ndarray (rows, columns)
        labels : list of ndarray (rows,)
            int64 if every cell is an integer as Python writes it; else text, which preserves ``00123``.

        Raises
        ------
        FileError
            If the file cannot be read.
        DataError
            If a column is missing, there are no rows, a row has too few or too many cells, or a cell is empty or not a
            number.
        """
        places = self._places_of((*numbers, *labels))
        progress = current_progress()
        looked_for = places[: len(numbers)], places[len(numbers) :]
        careful = begins_odd(self.path, self._body)
        with ThreadPoolExecutor(1) as pool:
            looking = pool.submit(read_signs, self.path, self._body)
            columns, texts, odd = self._split(*looked_for, careful, progress)
            signs = looking.result()
        if signs.odd and not careful and odd is None:
            columns, texts, odd = self._split(*looked_for, True, progress)
        rows = len((columns or texts)[0])
        too_many = signs.empty_ends if signs.quotes else signs.commas != rows * (len(self.header) - 1)
        if too_many and (problem := faulty_record(self.path, len(self.header))):
            raise DataError(problem)
        if not rows:
            raise DataError(Diagnostic("empty", "no rows below the header", source=self.path))
        table, doubtful = _arranged(columns, rows)
        cells = [text.tolist() for text in texts]  # None where a cell is masked
        if odd is not None:
            doubtful |= odd
        for text in cells:
            if none := {cell for cell in set(text) if not _is_label(cell)}:
                doubtful |= np.fromiter((cell in none for cell in text), np.bool_, rows)
        if doubtful.any():
            self._look_again(np.flatnonzero(doubtful), places, table)
        return table, [_labels(text) for text in cells]

    def cells(self, names: Sequence[str]) -> dict[str, list[str]]:
        """Return the text of columns, one cell per row of `read`.

        Raises
        ------
        FileError
            If the file cannot be read.
        DataError
            If a column is missing, or a row has too few cells.
        """
        places = self._places_of(names)
        if problem := faulty_record(self.path, len(self.header)):
            raise DataError(problem)
        rows = [record.cells or [""] for record in self._rows()]
        return {name: [row[place] for row in rows] for name, place in zip(names, places, strict=True)}

    def _rows(self) -> Iterator[Record]:
        """Yield the records below the header, without blank lines unless they are rows."""
        filled = (record for record in records(self.path) if record.cells or len(self.header) == 1)
        return islice(filled, 1, None)

    def _split(
        self, numbers: Sequence[int], texts: Sequence[int], careful: bool, progress: Progress
    ) -> tuple[list[NDArray[Any]], list[NDArray[Any]], NDArray[Any] | None]:
        path = os.path.abspath(self.path)
        try:
            with _without_mark(path) if self._misread_mark else nullcontext(path) as readable:
                return Splitting(readable, len(self.header), careful).read(numbers, texts, progress)
        except SplittingError as error:
            if not careful:
                return self._split(numbers, texts, True, progress)
            hint = "avoid * ? and [ in the path; they act as wildcards" if set("*?[") & set(path) else None
            problem = Diagnostic("csv-syntax", f"DuckDB cannot read the file: {error}", source=self.path, hint=hint)
            raise DataError(faulty_record(self.path, len(self.header)) or problem) from None

    def _look_again(self, doubtful: NDArray[np.intp], places: Sequence[int], table: NDArray[np.float64]) -> None:
        """Read rows again with Python's ``csv``: take their numbers, and raise their errors.

        The first error of each column is reported, unless it is far below the first one of all.
        """
        mistakes: dict[int, tuple[int, Diagnostic]] = {}
        numbered, last, end = self._rows(), -1, len(table)
        for row in doubtful.tolist():
            if row >= end:
                break
            record = next(islice(numbered, row - last - 1, None))
            last = row
            for index, place in enumerate(places):
                cell = record.cells[place] if record.cells else ""
                is_number = index < table.shape[1]
                number = _number(cell) if is_number else None
                if number is not None:
                    table[row, index] = number
                elif (is_number or not _is_label(cell)) and place not in mistakes:
                    mistakes[place] = row, self._mistake(record, row, place, is_number)
                    end = min(end, row + 1 + CELLS_LOOKED_AT // len(places))
        if mistakes:
            found = sorted((row, place, problem) for place, (row, problem) in mistakes.items())
            raise DataError(*(problem for _, _, problem in found[:MOST_MISTAKES]))

    def _mistake(self, record: Record, row: int, place: int, is_number: bool) -> Diagnostic:
        cell, name = record.cells[place] if record.cells else "", self.header[place]
        if not cell:
            code, message = "missing-cell", f'row {row + 1}: column "{name}" is empty'
        elif is_number:
            shown = cell if cell.isprintable() and len(cell) <= 40 else repr(cell[:40])
            code, message = (
                "not-a-number",
                f'row {row + 1}: expected a finite number in column "{name}", got "{shown}"',
            )
        else:
            code, message = "label", f'row {row + 1}: the label in column "{name}" ends in a null character'
        return record.problem(self.path, code, message, place)


@contextmanager
def _without_mark(path: str) -> Iterator[str]:
    """Yield the path of a copy of a file without its byte-order mark."""
    with TemporaryDirectory() as folder:
        copy = os.path.join(os.path.realpath(folder), "rows.csv")
        with open_file(path) as (stream, _), open(copy, "wb") as target:
            stream.seek(len(BOM_UTF8))
            shutil.copyfileobj(stream, target)
        yield copy


def _arranged(columns: Sequence[NDArray[Any]], rows: int) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return columns as a table (rows, columns), and a mask of the rows (rows,) with cells that are not finite."""
    table, doubtful = np.empty((rows, len(columns))), np.zeros(rows, np.bool_)
    filled = [np.ma.filled(column, np.nan) for column in columns]

    def arrange(start: int) -> None:
        some = slice(start, min(start + ROWS_ARRANGED, rows))
        block = np.array([column[some] for column in filled]).reshape(len(filled), -1)
        finite = np.isfinite(block)
        if not finite.all():
            doubtful[some] = ~finite.all(axis=0)
        table[some] = block.T

    with ThreadPoolExecutor(os.cpu_count()) as pool:  # copying waits for memory, and not for Python
        for _ in pool.map(arrange, range(0, rows, ROWS_ARRANGED)):
            pass
    return table, doubtful


def _quoted(names: Sequence[str | None]) -> str:
    return first_few([f'"{name}"' for name in names])


def _number(cell: str) -> float | None:
    """Return the finite number in a cell, or None."""
    try:
        number = float(cell) if NUMBER_SIGNS.issuperset(cell) else math.nan
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _is_label(cell: str | None) -> bool:
    """Return whether a cell is a valid label: not empty, and without a final null character, which NumPy drops."""
    return bool(cell and not cell.endswith("\0"))


def _labels(cells: list[str]) -> NDArray[Any]:
    try:
        integers = {cell: int(cell) for cell in set(cells)}
        if all(str(integer) == cell for cell, integer in integers.items()):
            return np.array([integers[cell] for cell in cells], np.int64)
    except (ValueError, OverflowError):
        pass
    return np.array(cells)
