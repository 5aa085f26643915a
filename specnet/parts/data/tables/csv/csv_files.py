"""CSV files, read without guessing.

Python's ``csv`` reads the header, DuckDB splits the records, every cell as text, and the rules of `cells` say what it
is: DuckDB's own guesses read a 1.5 in row 30 001 as 2 and ``00123`` as 123, drop what looks like a comment, and take
columns by position. Rows that hold a mistake are read again by Python's ``csv``.

Blank lines are passed over, except in a file of one column, where they are missing cells.
"""

from __future__ import annotations

import os
import sys
from codecs import BOM_UTF8
from collections.abc import Collection, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from specnet.cpus import usable_cpus
from specnet.errors import DataError, Diagnostic, Position
from specnet.files import open_file
from specnet.files.large import GrowingTable
from specnet.parts.data.progress import Progress, of_parts
from specnet.parts.data.tables.cells import LARGEST_WHOLE, number, quoted, sql_is_grouped, trimmed
from specnet.parts.data.tables.csv.csv_parts import PART_BYTES, parts_of
from specnet.parts.data.tables.csv.csv_records import (
    LINE_END,
    CsvRecord,
    Dialect,
    guessed_delimiter,
    opened_text,
    records,
    refuse_faulty,
)
from specnet.parts.data.tables.csv.csv_signs import Signs, has_many_blank_lines, read_signs
from specnet.parts.data.tables.duck import MOST_EXPRESSIONS, Duck, DuckError
from specnet.parts.data.tables.setting_hints import no_header
from specnet.parts.data.tables.source import Mistake, copied, refuse_wildcards, repeated_names
from specnet.parts.data.tables.texts import ROWS_LOOKED_AT, TextSource, is_number, shows_a_fraction

MOST_COLUMNS = 30_000
"""A spec that names many more is too large to be saved."""
ROWS_ARRANGED = 2048
"""How many rows are put together from columns at a time: few enough for a processor's cache."""
_COPIED_AT_ONCE = 2**20


class CsvPart(NamedTuple):
    """A file that DuckDB reads, where its body begins, and how it is written."""

    path: str
    start: int
    dialect: Dialect

    def read(
        self, duck: Duck, selected: str, places: Sequence[int], progress: Progress, options: str = ""
    ) -> tuple[list[NDArray[Any]], Signs]:
        """Return what is selected of the columns at these places, and the signs of what DuckDB passes over.

        Raises
        ------
        DuckError
        """
        mark, delimiter = self.dialect.quote, self.dialect.delimiter
        query = (  # nothing is guessed
            f"{selected} FROM read_csv($path, columns = $types, auto_detect = false, strict_mode = true,"
            f" all_varchar = true, header = {str(self.dialect.header).lower()}, delim = {quoted(delimiter)},"
            f" quote = {quoted(mark)}, escape = {quoted(mark)}, compression = 'none', null_padding = false,"
            f" hive_partitioning = false{options})"
        )
        types = {f"c{place}": "VARCHAR" for place in places}
        with ThreadPoolExecutor(1) as pool:
            looking = pool.submit(read_signs, self.path, self.start, delimiter, mark)
            size = os.path.getsize(self.path)
            columns = duck.columns(query, {"path": self.path, "types": types}, progress, size)
            return columns, looking.result()


class CsvFile:
    """One file whose header has been read.

    Parameters
    ----------
    path : str
        The file, as errors name it.
    dialect : Dialect
        Without a delimiter, the file's own is found.

    Attributes
    ----------
    names : list of str

    Raises
    ------
    FileError
        If the file cannot be read.
    DataError
        If there is no header, or one that is no header of a table.
    """

    def __init__(self, path: str, dialect: Dialect) -> None:
        self.path = path
        self.dialect = dialect if dialect.delimiter else dialect._replace(delimiter=guessed_delimiter(path, dialect))
        record = next(records(path, self.dialect), None)
        if record is None or not record.cells:
            message = "the header is missing: the first line is blank" if record else "the file is empty"
            raise self._at_top("missing-header", message)
        if len(record.cells) > MOST_COLUMNS:
            raise self._at_top("too-large", f"{len(record.cells)} columns exceed the limit of {MOST_COLUMNS}")
        if "\0" in record.text:
            refuse_faulty(path, self.dialect, len(record.cells))
        self._first = record
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

    def rows(self) -> Iterator[CsvRecord]:
        """Yield the records below the header, without blank lines where these are no rows."""
        are_rows = len(self.names) == 1
        return islice(records(self.path, self.dialect, None if are_rows else {}), int(self.dialect.header), None)

    def readable(self, folder: str) -> tuple[str, int]:
        """Return a file that DuckDB reads, the file itself or a copy in a folder, and where its body begins."""
        if self._readable is None:
            self._readable = self._made_readable(folder)
        return self._readable

    def _made_readable(self, folder: str) -> tuple[str, int]:
        real = os.path.realpath(self.path)
        with open_file(real) as (stream, _):
            mark = BOM_UTF8 if stream.read(len(BOM_UTF8)) == BOM_UTF8 else b""
        body = len((self._first.text + self._first.end).encode()) if self.dialect.header else 0
        # Behind a byte-order mark DuckDB takes the quote of the first name for a part of it.
        misread = bool(mark) and (not self.dialect.header or bool(LINE_END.search(self._first.cells[0])))
        plain = self.dialect.is_utf8 and not self.dialect.skip and not real.lower().endswith(".gz")
        if plain and not misread:
            refuse_wildcards(self.path, real)
            found, start = real, len(mark) + body
        else:
            with opened_text(self.path, self.dialect) as text:
                pieces = iter(partial(text.read, _COPIED_AT_ONCE), "")
                found, start = copied(map(str.encode, pieces), ".csv", folder), body
        if len(self.names) > 1 and has_many_blank_lines(found):
            # DuckDB takes them for a part of the next record, which is too long then, or lost without a word.
            self.refuse_faulty()
            with closing(records(self.path, self.dialect, {})) as filled:
                found, start = copied(((record.text + record.end).encode() for record in filled), ".csv", folder), body
        return found, start

    def parts(self, folder: str) -> Iterator[CsvPart]:
        """Yield the parts of the file; a DuckError ends them if a large file cannot be cut."""
        path, body = self.readable(folder)
        if os.path.getsize(path) <= PART_BYTES:
            yield CsvPart(path, body, self.dialect)
            return
        dialect = self.dialect._replace(header=False)
        for part in parts_of(path, body, dialect.quote, folder):
            yield CsvPart(part, 0, dialect)

    def first_rows(self) -> list[CsvRecord]:
        """Return the first records below the header."""
        return list(islice(self.rows(), ROWS_LOOKED_AT))

    def check(self, signs: Signs, rows: int) -> None:
        """Refuse what DuckDB passes over without a word, with its place."""
        width = len(self.names)
        count = signs.delimiters != rows * (width - 1)
        too_many = signs.empty_ends if signs.quotes else count
        mixed = signs.end is None or signs.end not in ("", self._first.end)
        if too_many or mixed or signs.null:
            self.refuse_faulty()

    def refuse_faulty(self) -> None:
        """Refuse a file that has a faulty record, with its place."""
        refuse_faulty(self.path, self.dialect, len(self.names))


class CsvSource(TextSource):
    """Several files of the same columns, in any order.

    Parameters
    ----------
    paths : sequence of str
    dialect : Dialect
    missing : sequence of str
        What a missing cell holds.
    decimal : str, optional
        The character before a number's fraction; where it is None, the cells show it.
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
        self._misses_numbers = any(number(trimmed(text)) is not None for text in self.missing)
        self._files = list(zip(files, self._named([(file.path, file.names) for file in files]), strict=True))

    def _refuse_divided(self, missing: Sequence[str], files: Sequence[CsvFile]) -> None:
        """Refuse missing cells that are told from others only by what is around them."""
        for text in missing:
            for file in files:
                for name, sign in (("quote", file.dialect.quote), ("delimiter", file.dialect.delimiter)):
                    if sign in text:
                        message = f'missing value "{text}" contains the {name} {sign}'
                        hint = "replace such cells in the file by empty ones"
                        raise DataError(Diagnostic("missing-values", message, ("missing_values",), hint=hint))

    def _store_file(self, index: int, selected: str, duck: Duck, progress: Progress) -> None:
        file, places = self._files[index]
        options = f", nullstr = [{', '.join(map(quoted, self.missing))}]"
        part = CsvPart(*file.readable(duck.folder), file.dialect)
        (count,), signs = part.read(duck, selected, places, progress, options)
        file.check(signs, int(count[0]))
        self.plain_numbers = (self.plain_numbers if index else not self._misses_numbers) and not signs.odd

    def _refuse_faulty(self, index: int) -> None:
        self._files[index][0].refuse_faulty()

    def _look_like_numbers(self, places: Sequence[int], missing: Collection[str] | None = None) -> list[int]:
        found = [] if self.decimal != "." or self._misses_numbers else list(places)
        missing = self.missing if missing is None else missing
        for file, own in self._files:
            local, some = {place: index for index, place in enumerate(own)}, file.first_rows()
            found = [place for place in found if _are_numbers(some, local[place], missing)]
        return found

    def number_texts(self, duck: Duck, places: Sequence[int]) -> Sequence[int]:
        return places

    def _perhaps_grouped(self, places: Collection[int]) -> frozenset[int]:
        found = frozenset() if self.specifies_decimal else frozenset(places)
        for file, own in self._files:
            local, some = {place: index for index, place in enumerate(own)}, file.first_rows()
            found = frozenset(place for place in found if not shows_a_fraction(_cells_of(some, local[place])))
        return found

    def numbers_at_once(
        self,
        duck: Duck,
        numbers: Sequence[int],
        texts: Sequence[int],
        progress: Progress,
        judged: Collection[int] = (),
    ) -> tuple[NDArray[np.float64], list[list[Any]]] | None:
        """Return columns as numbers, and others as texts, in one reading; None if a cell is perhaps no number."""
        is_wide = len(numbers) + len(texts) > MOST_EXPRESSIONS
        if is_wide or self._look_like_numbers(numbers, ()) != numbers or self.decimal != "." or self._misses_numbers:
            return None
        shown = of_parts(progress, [os.path.getsize(file.readable(duck.folder)[0]) for file, _ in self._files])
        unclear = self._perhaps_grouped(judged)
        casts = {place: f"TRY_CAST(c{place} AS DOUBLE)" for place in numbers}
        casts |= {place: f"CASE WHEN NOT ({sql_is_grouped(f'c{place}')}) THEN {casts[place]} END" for place in unclear}
        selected = [f"{casts[place]} AS n{index}" for index, place in enumerate(numbers)]
        selected += [f"c{place} AS t{index}" for index, place in enumerate(texts)]
        cells: list[list[Any]] = [[] for _ in texts]
        try:
            with GrowingTable(len(numbers)) as table:
                parts = ((part, *each) for each in self._files for part in each[0].parts(duck.folder))
                for part, file, places in parts:
                    columns, signs = part.read(duck, f"SELECT {', '.join(selected)}", places, shown)
                    if signs.odd:
                        return None
                    file.check(signs, len(columns[0]))
                    block = _arranged([np.ma.filled(column, np.nan) for column in columns[: len(numbers)]])
                    if block is None:
                        return None
                    table.append(block)
                    # A label is there once, and not once for each row.
                    for column, some in zip(cells, columns[len(numbers) :], strict=True):
                        column += [cell if cell is None else sys.intern(cell) for cell in some.tolist()]
                return table.array(), cells
        except DuckError:
            return None

    def located(self, mistakes: Sequence[Mistake]) -> list[Diagnostic]:
        wanted = {mistake.row for mistake in mistakes}
        rows = enumerate((places, record) for file, places in self._files for record in file.rows())
        found = {row: each for row, each in islice(rows, max(wanted) + 1) if row in wanted}
        return [
            record.problem(mistake.code, mistake.message, places.index(mistake.place), mistake.hint)
            for mistake in mistakes
            for places, record in [found[mistake.row]]
        ]

    def cell_rows(self, places: Sequence[int]) -> Generator[Sequence[str | None], None, None]:
        for file, own in self._files:
            local = [own.index(place) for place in places]
            for record in file.rows():
                cells = record.cells or [""]
                yield [cells[place] or None for place in local]


def _are_numbers(records: Sequence[CsvRecord], place: int, missing: Collection[str]) -> bool:
    """Return whether records hold numbers at a place, or what a missing cell holds."""
    return all(place < len(record.cells) and is_number(record.cells[place], missing) for record in records)


def _cells_of(records: Sequence[CsvRecord], place: int) -> Iterator[str]:
    return (record.cells[place] for record in records if place < len(record.cells))


def _arranged(columns: Sequence[NDArray[Any]]) -> NDArray[np.float64] | None:
    """Return columns as a table (rows, columns); None if there is something that is perhaps no number."""
    rows = len(columns[0]) if columns else 0
    table = np.empty((rows, len(columns)))

    def arrange(start: int) -> bool:
        some = slice(start, min(start + ROWS_ARRANGED, rows))
        block = np.array([column[some] for column in columns]).reshape(len(columns), -1)
        table[some] = block.T
        return bool((np.abs(block) < LARGEST_WHOLE).all())

    with ThreadPoolExecutor(usable_cpus()) as pool:  # copying waits for memory, and not for Python
        return table if all(pool.map(arrange, range(0, rows, ROWS_ARRANGED))) else None
