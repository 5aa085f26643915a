"""Reading CSV files without guessing types.

Python's ``csv`` reads the header, and all of a small file. DuckDB splits the records of large files, with every cell
as text. Its type detection is off: it would read a 1.5 in row 30 001 as 2 and ``00123`` as 123, drop lines that
resemble comments, and match columns by position. Python's ``csv`` reads a file again to locate its mistakes.

Blank lines are skipped, except in a file of one column, where they are missing cells.
"""

from __future__ import annotations

import os
import sys
from codecs import BOM_UTF8
from collections.abc import Collection, Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import cached_property, partial
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from specnet.cpus import usable_cpus
from specnet.errors import DataError, Diagnostic, Position
from specnet.files import open_file
from specnet.files.large import GrowingTable
from specnet.parts.data.progress import Progress, current_progress, of_parts
from specnet.parts.data.tables.cells import LARGEST_WHOLE, number, trimmed
from specnet.parts.data.tables.csv_bytes import PART_BYTES, Scan, has_many_blank_lines, parts_of, scanned
from specnet.parts.data.tables.duck import MAX_EXPRESSIONS, Duck, DuckError, file_size, quoted, sql_is_grouped
from specnet.parts.data.tables.faults import (
    LINE_END,
    CsvRecord,
    Dialect,
    checked_records,
    guessed_delimiter,
    opened_text,
    records,
    refuse_faulty,
)
from specnet.parts.data.tables.setting_hints import no_header
from specnet.parts.data.tables.sources import (
    FIRST_ROWS,
    MAX_COLUMNS,
    Mistake,
    TextSource,
    copied,
    refuse_wildcards,
    repeated_names,
    trimmed_texts,
)

ROWS_ARRANGED = 2048
"""Number of rows that are copied from columns into a table at a time: few enough for a processor's cache."""
_COPIED_AT_ONCE = 2**20


class CsvPart(NamedTuple):
    """A file for DuckDB to read, the byte where its body starts, its dialect, and its line end."""

    path: str
    start: int
    dialect: Dialect
    line_end: str

    def read(
        self, duck: Duck, selected: str, indices: Sequence[int], progress: Progress, options: str = ""
    ) -> tuple[list[NDArray[Any]], Scan]:
        """Return the selected columns and a scan of the file's bytes; `indices` are in the order of the file's columns.

        Raises
        ------
        DuckError
        """
        mark, delimiter = self.dialect.quote, self.dialect.delimiter
        query = (  # without auto-detection
            f"{selected} FROM read_csv($path, columns = $types, auto_detect = false, strict_mode = true,"
            f" all_varchar = true, header = {str(self.dialect.header).lower()}, delim = {quoted(delimiter)},"
            f" quote = {quoted(mark)}, escape = {quoted(mark)}, compression = 'none', null_padding = false,"
            f" hive_partitioning = false{options})"
        )
        types = {f"c{index}": "VARCHAR" for index in indices}
        with ThreadPoolExecutor(1) as pool:
            scan = pool.submit(scanned, self.path, self.start, delimiter, mark, self.line_end)
            size = os.path.getsize(self.path)
            columns = duck.columns(query, {"path": self.path, "types": types}, progress, size)
            return columns, scan.result()


class CsvFile:
    """One CSV file; the constructor reads its header.

    Parameters
    ----------
    path : str
        Path of the file, as errors show it.
    dialect : Dialect
        Format of the file; an empty delimiter is replaced by the detected one.

    Attributes
    ----------
    names : list of str

    Raises
    ------
    FileError
        If the file cannot be read.
    DataError
        If the header is missing or invalid.
    """

    def __init__(self, path: str, dialect: Dialect) -> None:
        self.path = path
        self.dialect = dialect if dialect.delimiter else dialect._replace(delimiter=guessed_delimiter(path, dialect))
        record = next(records(path, self.dialect), None)
        if record is None or not record.cells:
            message = "the header is missing: the first line is blank" if record else "the file is empty"
            raise self._at_top("missing-header", message)
        if len(record.cells) > MAX_COLUMNS:
            raise self._at_top("too-large", f"{len(record.cells)} columns exceed the limit of {MAX_COLUMNS}")
        if "\0" in record.text:
            refuse_faulty(path, self.dialect, len(record.cells))
        self._first, self.line_end = record, record.end
        self._readable: tuple[str, int] | None = None
        self.names = self._header(record) if dialect.header else [f"column_{n + 1}" for n in range(len(record.cells))]

    def _at_top(self, code: str, message: str, hint: str | None = None) -> DataError:
        position = Position(self.dialect.skip + 1, 1)
        return DataError(Diagnostic(code, message, source=self.path, position=position, hint=hint))

    def _header(self, record: CsvRecord) -> list[str]:
        cells = [trimmed(cell) for cell in record.cells]
        if all(number(cell) is not None for cell in cells):
            raise self._at_top("missing-header", "the header is missing: the first line holds numbers", no_header())
        names = [name or f"column_{column + 1}" for column, name in enumerate(cells)]
        hint = f"rename one of them, or {no_header(self.dialect.skip + 1)}"
        problems = [
            record.problem("repeated-column", message, column, hint) for column, message in repeated_names(names)
        ]
        for column, name in enumerate(record.cells):
            if record.end and not {record.end}.issuperset(LINE_END.findall(name)):
                message = f"the name of column {column + 1} has another line ending than {record.end!r} of the line"
                problems.append(record.problem("csv-syntax", message, column))
                break
        if problems:
            raise DataError(*problems)
        return names

    @property
    def is_plain(self) -> bool:
        """Whether the file is uncompressed UTF-8 and has no lines to skip, so that DuckDB can read it directly."""
        name = os.path.realpath(self.path).lower()
        return self.dialect.is_utf8 and not self.dialect.skip and not name.endswith(".gz")

    def rows(self) -> Iterator[CsvRecord]:
        """Yield the records below the header; blank lines are left out if the file has several columns."""
        are_rows = len(self.names) == 1
        return islice(records(self.path, self.dialect, None if are_rows else {}), int(self.dialect.header), None)

    def readable(self, folder: str) -> tuple[str, int]:
        """Return the path of the file, or of a copy in `folder` for DuckDB, and the byte where its body starts."""
        if self._readable is None:
            self._readable = self._made_readable(folder)
        return self._readable

    def _made_readable(self, folder: str) -> tuple[str, int]:
        real = os.path.realpath(self.path)
        with open_file(real) as (stream, _):
            mark = BOM_UTF8 if stream.read(len(BOM_UTF8)) == BOM_UTF8 else b""
        body = len((self._first.text + self._first.end).encode()) if self.dialect.header else 0
        # After a byte-order mark, DuckDB reads the opening quote of the first name as a part of the name.
        misread = bool(mark) and (not self.dialect.header or bool(LINE_END.search(self._first.cells[0])))
        if self.is_plain and not misread:
            refuse_wildcards(self.path, real)
            found, start = real, len(mark) + body
        else:
            with opened_text(self.path, self.dialect) as text:
                pieces = iter(partial(text.read, _COPIED_AT_ONCE), "")
                found, start = copied(map(str.encode, pieces), ".csv", folder), body
        if len(self.names) > 1 and has_many_blank_lines(found):
            # DuckDB counts them as a part of the next record, which is then too long or silently lost.
            self.refuse_faulty()
            with closing(records(self.path, self.dialect, {})) as filled:
                found, start = copied(((record.text + record.end).encode() for record in filled), ".csv", folder), body
        return found, start

    def parts(self, folder: str) -> Iterator[CsvPart]:
        """Yield the parts of the file for DuckDB; raise a DuckError if a large file cannot be cut into parts."""
        path, body = self.readable(folder)
        if os.path.getsize(path) <= PART_BYTES:
            yield CsvPart(path, body, self.dialect, self.line_end)
            return
        dialect = self.dialect._replace(header=False)
        for part in parts_of(path, body, dialect.quote, folder):
            yield CsvPart(part, 0, dialect, self.line_end)

    @cached_property
    def first_rows(self) -> list[CsvRecord]:
        """The first `FIRST_ROWS` records below the header."""
        return list(islice(self.rows(), FIRST_ROWS))

    def columns(self) -> list[tuple[str, ...]]:
        """Return the cells of each column.

        Raises
        ------
        DataError
            If a record is faulty.
        """
        if self.is_plain:
            refuse_wildcards(self.path, os.path.realpath(self.path))
        found = islice(checked_records(self.path, self.dialect, len(self.names)), int(self.dialect.header), None)
        return list(zip(*(record.cells or [""] for record in found), strict=True)) or [()] * len(self.names)

    def check(self, scan: Scan, rows: int) -> None:
        """Raise a DataError for a fault that DuckDB ignores silently, with its location."""
        if scan.is_doubtful or scan.delimiters not in (None, rows * (len(self.names) - 1)):
            self.refuse_faulty()

    def refuse_faulty(self) -> None:
        """Raise a DataError with the location of the first faulty record, if the file has one."""
        refuse_faulty(self.path, self.dialect, len(self.names))


class CsvSource(TextSource):
    """One or several CSV files with the same columns, in any order.

    Parameters
    ----------
    paths : sequence of str
    dialect : Dialect
    missing : sequence of str
        The texts of missing cells.
    decimal : str, optional
        The decimal character; if None, it is judged by the cells.
    """

    has_dialect = True
    damage_code = "csv-syntax"

    def __init__(
        self, paths: Sequence[str], dialect: Dialect, missing: Sequence[str], decimal: str | None = None
    ) -> None:
        super().__init__(paths)
        files = [CsvFile(path, dialect) for path in paths]
        self._refuse_divided(missing, files)
        self.missing, self.decimal = ("", *(text for text in missing if text)), decimal or "."
        self.specifies_decimal = decimal is not None
        self.header_position = Position(dialect.skip + 1, 1) if dialect.header else None
        self._has_plain_numbers = self.decimal == "." and all(number(trimmed(text)) is None for text in self.missing)
        self._files = list(zip(files, self._named([(file.path, file.names) for file in files]), strict=True))

    def _refuse_divided(self, missing: Sequence[str], files: Sequence[CsvFile]) -> None:
        """Raise a DataError if a text of missing cells contains the delimiter or the quote."""
        for text in missing:
            for file in files:
                for name, character in (("quote", file.dialect.quote), ("delimiter", file.dialect.delimiter)):
                    if character in text:
                        message = f'missing value "{text}" contains the {name} {character}'
                        hint = "replace such cells in the file by empty ones"
                        raise DataError(Diagnostic("missing-values", message, ("missing_values",), hint=hint))

    def listed(self) -> list[list[str | None]] | None:
        if not self.is_small:
            return None
        progress, size = current_progress(), sum(map(file_size, self.paths))
        progress(0, size)
        found: list[list[str | None]] = [[] for _ in self.names]
        for file, indices in self._files:
            for index, cells in zip(indices, file.columns(), strict=True):
                found[index] += trimmed_texts(cells, self.missing)
        progress(size, size)
        return found

    def _store_file(self, number_of_file: int, selected: str, duck: Duck, progress: Progress) -> None:
        file, indices = self._files[number_of_file]
        options = f", nullstr = [{', '.join(map(quoted, self.missing))}]"
        part = CsvPart(*file.readable(duck.folder), file.dialect, file.line_end)
        (count,), scan = part.read(duck, selected, indices, progress, options)
        file.check(scan, int(count[0]))

    def _refuse_faulty(self, number_of_file: int) -> None:
        self._files[number_of_file][0].refuse_faulty()

    def _like_numbers(self, indices: Iterable[int], missing: Collection[str]) -> list[int]:
        return super()._like_numbers(indices, missing) if self._has_plain_numbers else []

    def _first_cells(self, index: int) -> list[str]:
        return self._first_columns[index]

    @cached_property
    def _first_columns(self) -> list[list[str]]:
        found: list[list[str]] = [[] for _ in self.names]
        for file, indices in self._files:
            for record in file.first_rows:
                for index, cell in zip(indices, record.cells, strict=False):
                    found[index].append(cell)
        return found

    def number_texts(self, indices: Sequence[int], duck: Duck | None = None) -> Sequence[int]:
        return indices

    def numbers_at_once(
        self,
        duck: Duck,
        numbers: Sequence[int],
        texts: Sequence[int],
        progress: Progress,
        judged: Collection[int] = (),
    ) -> tuple[NDArray[np.float64], list[list[Any]]] | None:
        """Return the columns as numbers and as texts in one reading, or None if a cell may not be a number."""
        if len(numbers) + len(texts) > MAX_EXPRESSIONS or self._like_numbers(numbers, ()) != numbers:
            return None
        shown = of_parts(progress, [os.path.getsize(file.readable(duck.folder)[0]) for file, _ in self._files])
        casts = {index: f"TRY_CAST(c{index} AS DOUBLE)" for index in numbers}
        for index in () if self.specifies_decimal else self._without_fractions(judged):
            casts[index] = f"CASE WHEN NOT ({sql_is_grouped(f'c{index}')}) THEN {casts[index]} END"
        selected = [f"{casts[index]} AS n{n}" for n, index in enumerate(numbers)]
        selected += [f"c{index} AS t{n}" for n, index in enumerate(texts)]
        cells: list[list[Any]] = [[] for _ in texts]
        try:
            with GrowingTable(len(numbers)) as table:
                parts = ((part, *each) for each in self._files for part in each[0].parts(duck.folder))
                for part, file, indices in parts:
                    columns, scan = part.read(duck, f"SELECT {', '.join(selected)}", indices, shown)
                    if scan.has_odd_numbers:
                        return None
                    file.check(scan, len(columns[0]))
                    block = _arranged([np.ma.filled(column, np.nan) for column in columns[: len(numbers)]])
                    if block is None:
                        return None
                    table.append(block)
                    # Interned: each distinct label is in memory once, not once per row.
                    for column, some in zip(cells, columns[len(numbers) :], strict=True):
                        column += [cell if cell is None else sys.intern(cell) for cell in some.tolist()]
                return table.array(), cells
        except DuckError:
            return None

    def located(self, mistakes: Sequence[Mistake]) -> list[Diagnostic]:
        rows = {mistake.row for mistake in mistakes}
        each_record = enumerate((indices, record) for file, indices in self._files for record in file.rows())
        found = {row: each for row, each in islice(each_record, max(rows) + 1) if row in rows}
        return [
            record.problem(mistake.code, mistake.message, indices.index(mistake.column), mistake.hint)
            for mistake in mistakes
            for indices, record in [found[mistake.row]]
        ]

    def row_lines(self) -> Iterator[tuple[str, int | None]]:
        return ((file.path, record.line) for file, _ in self._files for record in file.rows())

    def cell_rows(self, indices: Sequence[int]) -> Generator[Sequence[str | None], None, None]:
        for file, own in self._files:
            local = [own.index(index) for index in indices]
            for record in file.rows():
                cells = record.cells or [""]
                yield [cells[index] or None for index in local]


def _arranged(columns: Sequence[NDArray[Any]]) -> NDArray[np.float64] | None:
    """Return columns as a table (rows, columns), or None if a value is NaN, infinite or too large to be exact."""
    rows = len(columns[0]) if columns else 0
    table = np.empty((rows, len(columns)))

    def arrange(start: int) -> bool:
        some = slice(start, min(start + ROWS_ARRANGED, rows))
        block = np.array([column[some] for column in columns]).reshape(len(columns), -1)
        table[some] = block.T
        return bool((np.abs(block) < LARGEST_WHOLE).all())

    with ThreadPoolExecutor(usable_cpus()) as pool:  # copying is limited by memory, not by Python
        return table if all(pool.map(arrange, range(0, rows, ROWS_ARRANGED))) else None
