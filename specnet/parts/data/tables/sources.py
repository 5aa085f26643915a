"""Sources of a table: one or several files with the same columns, and the code that all file formats share."""

from __future__ import annotations

import os
import re
from abc import ABC, abstractmethod
from collections.abc import Collection, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from functools import cached_property
from glob import glob
from itertools import islice, permutations, repeat
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from specnet.errors import DataError, Diagnostic, FileError, Position
from specnet.files.large import space_needed
from specnet.files.plain_data import toml_text
from specnet.parts.arrays import first_few
from specnet.parts.data.progress import Progress
from specnet.parts.data.tables.cells import is_grouped, number, trimmed
from specnet.parts.data.tables.duck import Duck, DuckError, file_size, is_nested, sql_is_grouped, sql_plain_number
from specnet.parts.data.tables.faults import DELIMITERS
from specnet.parts.data.tables.setting_hints import setting
from specnet.suggestions import close_match

MAX_COLUMNS = 30_000
"""Maximum number of columns. A spec with many more names would be too large to be saved."""
MAX_MISTAKES = 20
"""Maximum number of mistakes in one error."""
SMALL_BYTES = 2**18
"""Maximum total size of files that Python reads. DuckDB starts slowly, but reads larger files faster."""
FIRST_ROWS = 50
"""Number of rows that decide whether reading a file as numbers directly is worth a try."""
WILDCARDS = frozenset("*?[")
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")
"""The start of a URL. One slash is enough, because `Path` replaces two slashes by one."""


class Mistake(NamedTuple):
    """A mistake in a cell: row and column of the table, both counted from 0, with an error code and a message."""

    row: int
    column: int
    code: str
    message: str
    hint: str | None = None


class ColumnCells(NamedTuple):
    """Cells of a column as texts or numbers, with the DuckDB type of the column in its file."""

    texts: Sequence[str | float | None]
    type: str = "VARCHAR"


class TableSource(ABC):
    """Files of one table; the constructor reads the names of the columns.

    Attributes
    ----------
    paths : tuple of str
        Paths of the files, as errors show them.
    names : list of str
        The names of the columns.
    missing : tuple of str
        The texts of missing cells.
    decimal : str
        The decimal character of numbers.
    """

    names: list[str]
    missing: tuple[str, ...] = ("",)
    decimal = "."
    specifies_decimal = False
    """Whether the spec specifies `decimal`; False if it is the default."""
    unclear: frozenset[int] = frozenset()
    """Indices of text columns in which a point may separate thousands, judged by the first rows."""
    has_dialect = False
    """Whether a spec can specify the header, the texts of missing cells, and the decimal character."""
    header_position: Position | None = None
    """Position of the header in the first file, or None if the names are not in a row of the file."""
    damage_code = "format"
    """The code of the error about a file that DuckDB cannot read."""

    def __init__(self, paths: Sequence[str]) -> None:
        self.paths = tuple(paths)
        for path, real in zip(self.paths, self.real_paths(), strict=True):
            refuse_bytes(path, real)

    @property
    @abstractmethod
    def types(self) -> list[str]:
        """DuckDB's type of each column."""

    def listed(self) -> list[list[str | None]] | None:
        """Return the trimmed texts of each column, None for a missing cell; None instead if the files are large.

        Raises
        ------
        FileError, DataError
            As `store` does.
        """
        return None

    @abstractmethod
    def store(
        self, duck: Duck, progress: Progress, numbers: Collection[int] = (), judged: Collection[int] = ()
    ) -> None:
        """Create the DuckDB table ``cells``, whose columns are c0, c1, …, in the order of `names`.

        The columns at the indices `numbers` are stored as numbers if all their cells are numbers; `types` then has the
        type of numbers. A column of `judged` stays text if a point in it may separate thousands.

        Raises
        ------
        FileError
            If a file cannot be read.
        DataError
            If a file is not a table.
        """

    def numbers_at_once(
        self,
        duck: Duck,
        numbers: Sequence[int],
        texts: Sequence[int],
        progress: Progress,
        judged: Collection[int] = (),
    ) -> tuple[NDArray[np.float64], list[list[Any]]] | None:
        """Return the columns `numbers` as an array (rows, columns) and the columns `texts` as lists, in one reading.

        None if one reading is not enough, for example if a point in a column of `judged` may separate thousands.
        """
        return None

    def number_texts(self, indices: Sequence[int], duck: Duck | None = None) -> Sequence[int]:
        """Return the indices of columns whose numbers are texts in the files; points may separate thousands there."""
        return [index for index in indices if self.types[index] == "VARCHAR"]

    @abstractmethod
    def cell_rows(self, indices: Sequence[int]) -> Generator[Sequence[str | None], None, None]:
        """Yield for each row the cells of the given columns, unchanged from the files.

        Raises
        ------
        FileError, DataError
            As `store` does.
        """

    def row_lines(self) -> Iterator[tuple[str, int | None]]:
        """Yield for each row the path of its file and the number of its first line, from 1; None without lines.

        Without lines, more pairs may follow than there are rows.
        """
        return repeat((self.paths[0], None))

    def cells(self, names: Sequence[str], rows: int) -> Iterator[dict[str, ColumnCells]]:
        """Yield the cells of the named columns, unchanged from the files, `rows` rows at a time.

        Raises
        ------
        FileError, DataError
            As `store` does.
        """
        indices = [self.names.index(name) for name in names]
        of_all = self.types
        types = ["VARCHAR" if is_nested(of_all[index]) else of_all[index] for index in indices]
        with closing(self.cell_rows(indices)) as remaining:
            while some := list(islice(remaining, rows)):
                columns = zip(names, zip(*some, strict=True), types, strict=True)
                yield {name: ColumnCells(list(texts), of) for name, texts, of in columns}

    def refusal(self, mistakes: Iterable[Mistake]) -> DataError:
        """Return the error about the first mistakes, with their locations in the files."""
        return DataError(*self.located(sorted(mistakes)[:MAX_MISTAKES]))

    @abstractmethod
    def located(self, mistakes: Sequence[Mistake]) -> list[Diagnostic]:
        """Return the diagnostics of at least one mistake, sorted by row, with their locations in the files."""

    def real_paths(self) -> list[str]:
        """Return the real paths of the files, which DuckDB may open."""
        return [os.path.realpath(path) for path in self.paths]

    def damaged(self, path: str, error: DuckError) -> DataError:
        """Return the error about a file that DuckDB cannot read."""
        return DataError(Diagnostic(self.damage_code, f"DuckDB cannot read the file: {error}", source=path))

    def _named(self, files: Sequence[tuple[str, list[str]]]) -> list[list[int]]:
        """Set `names` to the columns of the first file, and return for each file the index of each column in `names`.

        Raises
        ------
        DataError
            If two files have different columns.
        """
        first, *others = files
        for other in others:
            for (there, names), (here, found) in permutations((first, other)):
                known = {*found}
                if lacking := [name for name in names if name not in known]:
                    message = f'the files have different columns: "{lacking[0]}" is in {there}, but not in {here}'
                    raise DataError(Diagnostic("unknown-column", message, source=other[0]))
        self.names = first[1]
        indices = {name: index for index, name in enumerate(self.names)}
        return [[indices[name] for name in names] for _, names in files]


class TextSource(TableSource):
    """Text files; DuckDB can convert their numeric columns to numbers while it reads them."""

    _types: Sequence[str] = ()
    """DuckDB's types of the columns; empty if all are texts."""

    @property
    def types(self) -> list[str]:
        return [*self._types] or ["VARCHAR"] * len(self.names)

    @cached_property
    def is_small(self) -> bool:
        """Whether the files are so small that Python reads them before DuckDB has started."""
        return sum(map(file_size, self.paths)) <= SMALL_BYTES

    def store(
        self, duck: Duck, progress: Progress, numbers: Collection[int] = (), judged: Collection[int] = ()
    ) -> None:
        self.unclear = frozenset() if self.specifies_decimal else self._without_fractions(judged)
        some = frozenset(self._like_numbers(numbers, self.missing))
        self._types = ["DOUBLE" if index in some else "VARCHAR" for index in range(len(self.names))]
        try:
            self._store(duck, progress)
        except DuckError:
            # A later cell is not a number, or the file has a fault. The second reading reports a fault.
            self._types = ()
            duck.rows("DROP TABLE IF EXISTS cells")
            self._store(duck, progress, refuses=True)

    def _store(self, duck: Duck, progress: Progress, *, refuses: bool = False) -> None:
        """Create the table of cells, with numbers in columns of type DOUBLE.

        If `refuses`, an error of DuckDB becomes a DataError with its location in the file.
        """
        cells = ", ".join(
            f"{self._number_or_error(index)} AS c{index}" if of == "DOUBLE" else f"c{index}"
            for index, of in enumerate(self.types)
        )
        for number_of_file in range(len(self.paths)):
            into = "INSERT INTO cells BY NAME" if number_of_file else "CREATE TABLE cells AS"
            try:
                self._store_file(number_of_file, f"{into} SELECT {cells}", duck, progress)
            except DuckError as error:
                if refuses:
                    self._refuse_faulty(number_of_file)
                    raise self.damaged(self.paths[number_of_file], error) from None
                raise

    def _number_or_error(self, index: int) -> str:
        """Return the SQL expression for the number in a cell: null if missing, an error if it is not a number."""
        cell, found = f"c{index}", sql_plain_number(f"c{index}")
        if index in self.unclear:  # as a number, 1.0 would lose its point, which is needed to judge the notation
            is_lost = f"contains({cell}, '.') AND {found} = trunc({found})"
            found = f"CASE WHEN NOT ({sql_is_grouped(cell)} OR ({is_lost})) THEN {found} END"
        return f"CASE WHEN {cell} <> '' THEN coalesce({found}, error('no number')) END"

    def _like_numbers(self, indices: Iterable[int], missing: Collection[str]) -> list[int]:
        """Return the indices of the columns whose first cells in all files are numbers or missing."""
        return [
            index
            for index in indices
            if all(number(text := trimmed(cell)) is not None or text in missing for cell in self._first_cells(index))
        ]

    def _without_fractions(self, indices: Iterable[int]) -> frozenset[int]:
        """Return the indices of the columns whose first cells have no point that is certainly a decimal point."""
        return frozenset(
            index
            for index in indices
            if not any("." in cell and not is_grouped(trimmed(cell)) for cell in self._first_cells(index))
        )

    @abstractmethod
    def _first_cells(self, index: int) -> Sequence[str]:
        """Return the cells of a column in the first rows of all files."""

    @abstractmethod
    def _store_file(self, number_of_file: int, selected: str, duck: Duck, progress: Progress) -> None:
        """Run the query that starts with `selected`, on the cells of one file as the columns c0, c1, …"""

    @abstractmethod
    def _refuse_faulty(self, number_of_file: int) -> None:
        """Raise a DataError with the location of the first fault in a file, if the file has one."""


def trimmed_texts(cells: Sequence[str | None], missing: Collection[str]) -> list[str | None]:
    """Return the cells of a file trimmed; None for a missing cell."""
    known: dict[str | None, str | None] = {None: None}
    for cell in {*cells}:
        if cell is not None:
            text = trimmed(cell)
            known[cell] = None if cell in missing or text in missing else text
    return [known[cell] for cell in cells]


def unused_delimiter(names: Sequence[str]) -> str | None:
    """Return the delimiter in the name of a file's only column, or None; with a delimiter, it is several columns."""
    return next((each for each in DELIMITERS if len(names) == 1 and each in names[0]), None)


def unknown_columns(source: TableSource, requested: Sequence[str]) -> Diagnostic:
    """Return the error about requested columns, at least one, that a file does not have."""
    path, names = source.paths[0], source.names
    close = [close_match(name, names) for name in requested]
    delimiter = unused_delimiter(names)
    if delimiter is not None:
        hint = setting("delimiter", toml_text(delimiter))
    else:
        hint = f"did you mean {_quoted(close)}?" if all(close) else f"choose from {first_few(names)}"
        if source.has_dialect and any(number(name) is not None for name in names):
            hint += f", or {setting('header', 'false')} if the first line is no header"
        elif source.has_dialect and len(names) == 1:
            hint += f", or {setting('skip', '1')} if the header is the second line"
    message = f"{path} has no {'column' if len(requested) == 1 else 'columns'} {_quoted(requested)}"
    return Diagnostic("unknown-column", message, source=path, hint=hint)


def _quoted(names: Sequence[str | None]) -> str:
    return first_few([f'"{name}"' for name in names])


def repeated_names(names: Sequence[str]) -> Iterator[tuple[int, str]]:
    """Yield the index of each column that has the name of an earlier column, with an error message."""
    indices: dict[str, int] = {}
    for column, name in enumerate(names):
        first = indices.setdefault(name, column)
        if first < column:
            yield column, f'duplicate column name "{name}": columns {first + 1} and {column + 1}'


def refuse_bytes(path: str | os.PathLike[str], real: str) -> None:
    """Raise a FileError if a path is not valid UTF-8, because DuckDB and specs support only UTF-8."""
    try:
        real.encode()
    except UnicodeEncodeError:
        hint = "rename the file or its folder"
        raise FileError("the path is not valid UTF-8", hint=hint, source=os.fspath(path)) from None


def copied(pieces: Iterable[bytes], suffix: str, folder: str) -> str:
    """Write bytes into a new file in a folder, and return its path."""
    with space_needed(), NamedTemporaryFile("wb", suffix=suffix, dir=folder, delete=False) as copy:
        copy.writelines(pieces)
    return copy.name


def refuse_wildcards(path: str, real: str) -> None:
    """Raise a DataError if DuckDB would interpret a file name as a pattern."""
    if WILDCARDS & set(real):
        hint = "rename it: * ? and [ act as wildcards"
        raise DataError(Diagnostic("wildcard", "the path has * ? or [ in it", source=path, hint=hint))


def matching(folder: Path, written: str | Sequence[str]) -> list[str]:
    """Return the paths of the files that a path, a pattern or a list of both matches; matches of a pattern are sorted.

    Raises
    ------
    DataError
        If no file matches a pattern, a path is a URL, or the name of an existing file contains wildcards.
    """
    found: list[str] = []
    for index, text in enumerate((written,) if isinstance(written, str) else written):
        key = ("path",) if isinstance(written, str) else ("path", index)
        whole = os.fspath(folder / text)
        if _URL.match(text) and not os.path.lexists(whole):
            hint = "download the file, and use its path"
            raise DataError(Diagnostic("no-file", f'URLs are not supported: "{text}"', key, hint=hint))
        if not WILDCARDS & set(text):
            found.append(whole)
            continue
        if os.path.lexists(whole):
            refuse_wildcards(whole, whole)
        names = sorted(glob(text, root_dir=folder))
        if not names:
            raise DataError(Diagnostic("no-file", f'no file matches "{text}"', key))
        found += [os.fspath(folder / name) for name in names]
    return found
