"""The records of CSV files with their line numbers, and the mistakes in them: location, message and hint."""

from __future__ import annotations

import csv
import gzip
import os
import re
import zlib
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from itertools import islice
from typing import BinaryIO, NamedTuple, cast

from specnet.errors import DataError, Diagnostic, Position
from specnet.files import open_file
from specnet.files.plain_data import toml_text
from specnet.parts.data.tables.setting_hints import how_to_convert, setting

PathLike = str | os.PathLike[str]

DELIMITERS = (",", ";", "\t", "|")
LARGEST_CELL = 2_000_000
"""Maximum number of characters in a cell, like DuckDB's maximum of bytes in a line; Python's default is 131 072."""
LARGEST_RECORD = 10_000_000
"""Maximum number of characters in a record, because its parsed cells need many times the memory of its text."""


def too_long(what: str, most: int, unit: str = "characters") -> str:
    """Return the message that `what` has more than `most` characters (or the given unit)."""
    return f"{what} has more than {most:,} {unit}".replace(",", "\N{NARROW NO-BREAK SPACE}")


_PLAIN_WORDS = {
    "unexpected end of data": "a quoted cell is not closed",
    f"field larger than field limit ({LARGEST_CELL})": too_long("a cell", LARGEST_CELL),
}
"""Replacements for messages of Python's ``csv``."""
_WINDOWS = re.compile(rb"[\x80-\x9f]")
"""Bytes that are printable characters in Windows encodings and control characters in Latin-1."""
_LONGEST_CELL = 40
"""Maximum number of characters of a cell in a hint."""
_LOOKED_AT = 4096
"""Number of bytes that decide whether a file is a text."""
_LINE_ENDS = ("\r\n", "\n", "\r")
LINE_END = re.compile("|".join(_LINE_ENDS))


class Dialect(NamedTuple):
    """The format of a CSV file.

    Attributes
    ----------
    delimiter, quote, encoding : str
    header : bool
        Whether the first record has the names of the columns.
    skip : int
        Number of lines to skip before the first record.
    """

    delimiter: str = ","
    quote: str = '"'
    encoding: str = "utf-8"
    header: bool = True
    skip: int = 0

    @property
    def codec(self) -> str:
        """The name of the Python codec that reads the encoding; for UTF-8, the codec that removes a byte-order mark."""
        return "utf-8-sig" if self.is_utf8 else self.encoding

    @property
    def is_utf8(self) -> bool:
        """Whether the encoding is UTF-8."""
        return self.encoding.lower().replace("_", "-") in ("utf-8", "utf8", "utf-8-sig")


class CsvRecord(NamedTuple):
    """A record of a CSV file.

    Attributes
    ----------
    cells : list of str
        The cells; empty for a blank line.
    line : int
        The number of its first line, from 1.
    text : str
        The unchanged text in the file, without the line end.
    end : str
        The line end.
    path : path
        The file.
    dialect : Dialect
    """

    cells: list[str]
    line: int
    text: str
    end: str
    path: PathLike
    dialect: Dialect

    def problem(self, code: str, message: str, cell: int | None = None, hint: str | None = None) -> Diagnostic:
        """Return the diagnostic of a mistake in the cell at index `cell`, or in the whole record if that is None."""
        quote, other = re.escape(self.dialect.quote), re.escape(self.dialect.delimiter)
        pattern = re.compile(rf"({quote}(?:[^{quote}]|{quote}{quote})*{quote}|[^{other}\r\n]*)(?:{other}|\Z)")
        found = None if cell is None else next(islice(pattern.finditer(self.text), cell, None), None)
        start, stop = (0, len(self.text)) if found is None else found.span(1)
        breaks = [match.end() for match in LINE_END.finditer(self.text[:start])]
        shown = LINE_END.split(self.text)[len(breaks)]
        before = start - (breaks[-1] if breaks else 0)
        length = max(1, min(stop - start, len(shown) - before))
        position = Position(self.line + len(breaks), before + 1, length)
        return Diagnostic(code, message, source=os.fspath(self.path), position=position, line_text=shown, hint=hint)


@contextmanager
def unpacked(path: PathLike) -> Iterator[BinaryIO]:
    """Open a file for reading its bytes; a ``.gz`` file is decompressed.

    Raises
    ------
    FileError
        If the file cannot be read.
    DataError
        If a ``.gz`` file is damaged or not compressed.
    """
    with open_file(path) as (stream, _):
        if not os.fspath(path).lower().endswith(".gz"):
            yield stream
            return
        try:
            with gzip.GzipFile(fileobj=stream) as packed:
                yield cast(BinaryIO, packed)
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise DataError(f"not a whole .gz file: {error}", source=os.fspath(path)) from None


@contextmanager
def opened_text(path: PathLike, dialect: Dialect) -> Iterator[TextIOWrapper]:
    """Open the text of a file after the skipped lines, without a byte-order mark.

    Raises
    ------
    DataError
        If the text is not in the encoding; also raised while the caller reads it.
    """
    try:
        with unpacked(path) as stream, TextIOWrapper(stream, encoding=dialect.codec, newline="") as text:
            for _ in range(dialect.skip):
                text.readline()
            yield text
    except UnicodeError:
        raise DataError(undecodable(path, dialect)) from None


def records(path: PathLike, dialect: Dialect, blank: dict[str, int] | None = None) -> Generator[CsvRecord, None, None]:
    """Yield the records of a file, including the header and blank lines.

    Parameters
    ----------
    path : path
    dialect : Dialect
    blank : dict of str to int, optional
        If given, blank lines are left out, and the line number of the first one is added here for each line end.

    Raises
    ------
    FileError
        If the file cannot be read.
    DataError
        If the text is not in the encoding or not valid CSV.
    """
    with opened_text(path, dialect) as text:
        lines: list[str] = []
        first, length = dialect.skip + 1, 0

        def made(cells: list[str], text: str) -> CsvRecord:
            end = next((end for end in _LINE_ENDS if text.endswith(end)), "")
            return CsvRecord(cells, first, text.removesuffix(end), end, path, dialect)

        def remembered() -> Iterator[str]:
            nonlocal first, length
            for line in _lines(text):
                if blank is not None and not lines and line in _LINE_ENDS:
                    blank.setdefault(line, first)
                    first += 1
                    continue
                lines.append(line)
                length += len(line)
                if length > LARGEST_RECORD:
                    record = made([], lines[0][:_LOOKED_AT])
                    raise DataError(record.problem("too-large", too_long("a record", LARGEST_RECORD)))
                yield line

        reader = csv.reader(remembered(), delimiter=dialect.delimiter, quotechar=dialect.quote, strict=True)
        try:
            for cells in _with_large_cells(reader):
                yield made(cells, "".join(lines))
                first, length = first + len(lines), 0
                lines.clear()
        except csv.Error as error:
            message = _PLAIN_WORDS.get(str(error), str(error))
            raise DataError(made([], "".join(lines)).problem("csv-syntax", message)) from None


def _lines(text: TextIOWrapper) -> Iterator[str]:
    """Yield the lines of a text; a line that is too long for a record is yielded in pieces."""
    return iter(lambda: text.readline(LARGEST_RECORD + 1), "")


def _with_large_cells(reader: Iterator[list[str]]) -> Iterator[list[str]]:
    """Yield the records of a ``csv`` reader with a higher limit for cells.

    The limit applies to the whole process, so it is restored after each record.
    """
    while True:
        before = csv.field_size_limit(LARGEST_CELL)
        try:
            cells = next(reader, None)
        finally:
            csv.field_size_limit(before)
        if cells is None:
            return
        yield cells


def guessed_delimiter(path: PathLike, dialect: Dialect) -> str:
    """Return the delimiter of a file: a tab for .tsv, else the most frequent of `DELIMITERS` in the first record.

    Characters in quoted cells do not count. At a tie, the first one of `DELIMITERS` is returned.
    """
    name = os.fspath(path).lower()
    if name.removesuffix(".gz").endswith(".tsv"):
        return "\t"
    inside, length, counts = False, 0, dict.fromkeys(DELIMITERS, 0)
    with opened_text(path, dialect) as text:
        for line in _lines(text):
            pieces = line.split(dialect.quote)
            if outside := "".join(pieces[inside::2]):
                counts = {character: count + outside.count(character) for character, count in counts.items()}
            inside ^= len(pieces) % 2 == 0
            length += len(line)
            if not inside or length > LARGEST_RECORD:
                break
    return max(DELIMITERS, key=lambda character: counts[character])


def refuse_faulty(path: PathLike, dialect: Dialect, width: int) -> None:
    """Raise a DataError for the first record that is not valid CSV or does not have `width` cells, if any."""
    for _ in checked_records(path, dialect, width):
        pass


def checked_records(path: PathLike, dialect: Dialect, width: int) -> Iterator[CsvRecord]:
    """Yield the records of a file, including the header, after checking that each has `width` cells.

    Blank lines are records only if `width` is 1.

    Raises
    ------
    FileError
        If the file cannot be read.
    DataError
        If a record is faulty, or if line ends differ, which is raised after the last record.
    """
    end = ""
    odd: CsvRecord | None = None
    blank: dict[str, int] = {}
    for record in records(path, dialect, None if width == 1 else blank):
        if record.cells and len(record.cells) != width:
            message = f"expected {width} cells as in the header, got {len(record.cells)}"
            raise DataError(record.problem("ragged-row", message))
        if "\0" in record.text:
            found = next((index for index, cell in enumerate(record.cells) if "\0" in cell), None)
            is_utf16 = record.text.count("\0") > len(record.text) // 3
            hint = setting("encoding", '"utf-16"') if is_utf16 else None
            raise DataError(record.problem("encoding", "a null character", found, hint))
        end = end or record.end
        if odd is None and record.end not in ("", end):
            odd = record
        yield record
    for other, line in blank.items():
        if other != end and (odd is None or line < odd.line):
            odd = CsvRecord([], line, "", other, path, dialect)
    if odd is not None:
        message = f"line ending {odd.end!r} differs from {end!r} of the first line"
        raise DataError(odd.problem("csv-syntax", message))


def undecodable(path: PathLike, dialect: Dialect) -> Diagnostic:
    """Return the error about a file that is not in its encoding, with the position of the mistake if it is UTF-8."""
    position, marked, nulls = None, False, 0
    if dialect.is_utf8:
        with unpacked(path) as stream:
            nulls = stream.read(_LOOKED_AT).count(b"\0")
        with unpacked(path) as stream:
            for number, line in enumerate(stream, 1):
                marked = marked or (number == 1 and line.startswith((b"\xff\xfe", b"\xfe\xff")))
                try:
                    line.decode()
                except UnicodeDecodeError as error:
                    position = Position(number, len(line[: error.start].decode()) + 1)
                    break
    message = f"not valid {dialect.encoding.upper()}"
    if not dialect.is_utf8:
        hint = "set another encoding"
    elif nulls and not marked:
        hint = f"this is not a text file; {how_to_convert(path)}"
    else:
        other, shown = ("utf-16", "") if marked else _single_byte_encoding(path, dialect)
        hint = f"{setting('encoding', toml_text(other))}{shown}, or save the file as UTF-8"
    return Diagnostic("encoding", message, source=os.fspath(path), position=position, hint=hint)


def _single_byte_encoding(path: PathLike, dialect: Dialect) -> tuple[str, str]:
    """Return the single-byte encoding of a file, and the part of a hint that shows a cell in this encoding.

    The encoding is Windows-1252 if that defines all bytes of the file, else Latin-1. The cell is the first one with a
    character that only Windows-1252 has, such as €; otherwise the first one that is not ASCII.
    """
    cells: dict[bool, bytes] = {}
    encoding = "cp1252"
    delimiter = dialect.delimiter or guessed_delimiter(path, dialect._replace(encoding="latin-1"))
    between = re.compile(rb"[\r\n]|" + re.escape(delimiter).encode("latin-1", "replace"))
    with unpacked(path) as stream:
        for line in stream:
            if line.isascii():
                continue
            for cell in between.split(line):
                if not cell.isascii():
                    cells.setdefault(bool(_WINDOWS.search(cell)), cell)
            try:
                line.decode(encoding)
            except UnicodeDecodeError:
                encoding = "latin-1"
                break
    cell = cells.get(encoding == "cp1252", cells.get(False, b"")).decode(encoding).strip(' "')
    return encoding, f", in which a cell is {toml_text(cell[:_LONGEST_CELL])}"
