"""Places in a CSV file, looked up for error messages."""

import csv
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from io import TextIOWrapper
from itertools import islice

from specnet.errors import DataError, Diagnostic, Position
from specnet.files import open_file

PathLike = str | os.PathLike[str]

CELL = re.compile(r'("(?:[^"]|"")*"|[^,\r\n]*)(?:,|\Z)')
LINE_END = re.compile(r"\r\n|\r|\n")


@dataclass(frozen=True, slots=True)
class Record:
    """One record of a file.

    Attributes
    ----------
    cells : list of str
        Empty for a blank line.
    line : int
        Number of its first line, from 1.
    text : str
        Its text in the file, without the line ending.
    end : str
        The line ending.
    """

    cells: list[str]
    line: int
    text: str
    end: str

    def problem(self, path: PathLike, code: str, message: str, cell: int | None = None) -> Diagnostic:
        """Return a diagnostic at a cell, or at the whole record."""
        found = None if cell is None else next(islice(CELL.finditer(self.text), cell, None), None)
        start, stop = (0, len(self.text)) if found is None else found.span(1)
        breaks = [match.end() for match in LINE_END.finditer(self.text[:start])]
        shown = LINE_END.split(self.text)[len(breaks)]
        before = start - (breaks[-1] if breaks else 0)
        length = max(1, min(stop - start, len(shown) - before))
        position = Position(self.line + len(breaks), before + 1, length)
        return Diagnostic(code, message, source=os.fspath(path), position=position, line_text=shown)


def records(path: PathLike) -> Iterator[Record]:
    """Yield the records of a file, including the header and blank lines.

    Raises
    ------
    FileError
        If the file cannot be read.
    DataError
        If the text is not UTF-8 or not CSV.
    """
    with open_file(path) as (stream, _), TextIOWrapper(stream, encoding="utf-8-sig", newline="") as text:
        lines: list[str] = []

        def remembered() -> Iterator[str]:
            for line in text:
                lines.append(line)
                yield line

        reader, first = csv.reader(remembered(), strict=True), 1
        try:
            for cells in reader:
                yield _record(cells, first, "".join(lines))
                first += len(lines)
                lines.clear()
        except UnicodeDecodeError:
            raise DataError(_undecodable(path)) from None
        except csv.Error as error:
            raise DataError(_record([], first, "".join(lines)).problem(path, "csv-syntax", str(error))) from None


def faulty_record(path: PathLike, width: int) -> Diagnostic | None:
    """Return the error of the first record that is not CSV or not as wide as the header, or None."""
    odd_end, end = None, None
    try:
        for record in records(path):
            if record.cells and len(record.cells) != width:
                message = f"expected {width} cells as in the header, got {len(record.cells)}"
                return record.problem(path, "ragged-row", message)
            end = end or record.end
            if odd_end is None and record.end not in ("", end):
                message = f"line ending {record.end!r} differs from {end!r} of the first line"
                odd_end = record.problem(path, "csv-syntax", message)
    except DataError as error:
        return error.diagnostics[0]
    return odd_end


def _record(cells: list[str], line: int, text: str) -> Record:
    end = next((end for end in ("\r\n", "\n", "\r") if text.endswith(end)), "")
    return Record(cells, line, text.removesuffix(end), end)


def _undecodable(path: PathLike) -> Diagnostic:
    with open_file(path) as (stream, _):
        for number, line in enumerate(stream, 1):
            try:
                line.decode()
            except UnicodeDecodeError as error:
                position = Position(number, len(line[: error.start].decode()) + 1)
                break
    message, hint = "not valid UTF-8", "save it as UTF-8"
    return Diagnostic("encoding", message, source=os.fspath(path), position=position, hint=hint)
