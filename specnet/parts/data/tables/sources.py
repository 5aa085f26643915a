"""Files of one table: what all formats have in common."""

from __future__ import annotations

import os
import re
from abc import ABC, abstractmethod
from collections.abc import Collection, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from difflib import get_close_matches
from functools import cached_property
from glob import glob
from itertools import islice, permutations
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

MAX_MISTAKES = 20
"""How many mistakes an error has."""
SMALL_BYTES = 2**18
"""Of files that Python reads: beyond that, DuckDB is quicker, though it takes a while to begin."""
FIRST_ROWS = 50
"""How many rows tell whether it is worth to read a file as numbers at once."""
WILDCARDS = frozenset("*?[")
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")
"""How a URL begins; `Path` makes one slash of two."""


class Mistake(NamedTuple):
    """What is wrong with a cell, at a row and a column of the table, both from 0."""

    row: int
    column: int
    code: str
    message: str
    hint: str | None = None


class ColumnCells(NamedTuple):
    """A column as texts or numbers, with the type that they had: one of DuckDB's."""

    texts: Sequence[str | float | None]
    type: str = "VARCHAR"


class TableSource(ABC):
    """Files of one table, whose names of columns have been read.

    Attributes
    ----------
    paths : tuple of str
        As errors name them.
    names : list of str
        The names of the columns.
    missing : tuple of str
        The texts of missing cells.
    decimal : str
        The character before a number's fraction.
    """

    names: list[str]
    missing: tuple[str, ...] = ("",)
    decimal = "."
    specifies_decimal = False
    """Whether it is specified, and not the usual one."""
    unclear: frozenset[int] = frozenset()
    """The columns of texts in which a point may separate thousands, as far as the first rows show."""
    has_dialect = False
    """Whether a spec can specify the header, the texts of missing cells, and the character before fractions."""
    header_position: Position | None = None
    """Where the names of the columns are in the first file, if that is a row like those below."""
    damage_code = "format"
    """Of the error of a file that DuckDB cannot read."""

    def __init__(self, paths: Sequence[str]) -> None:
        self.paths = tuple(paths)
        for path, real in zip(self.paths, self.real_paths(), strict=True):
            refuse_bytes(path, real)

    @property
    @abstractmethod
    def types(self) -> list[str]:
        """DuckDB's type of each column."""

    def listed(self) -> list[list[str | None]] | None:
        """Return the texts of each column, trimmed, None where they are missing; None if the files are not small.

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
        """Make the table ``cells``, whose columns are c0, c1, …, in the order of `names`.

        The columns at the indices `numbers` may become numbers at once, if all of their cells are: `types` has that
        then. Those that are judged do not if a point in them may separate thousands.

        Raises
        ------
        FileError
            If a file cannot be read.
        DataError
            If it is not a table.
        """

    def numbers_at_once(
        self,
        duck: Duck,
        numbers: Sequence[int],
        texts: Sequence[int],
        progress: Progress,
        judged: Collection[int] = (),
    ) -> tuple[NDArray[np.float64], list[list[Any]]] | None:
        """Return columns as numbers (rows, columns) and others as texts, where one reading is enough for that.

        None where a point in a column that is judged may separate thousands.
        """
        return None

    def number_texts(self, indices: Sequence[int], duck: Duck | None = None) -> Sequence[int]:
        """Return those of some columns of numbers that are texts in the files, where a point may separate thousands."""
        return [index for index in indices if self.types[index] == "VARCHAR"]

    @abstractmethod
    def cell_rows(self, indices: Sequence[int]) -> Generator[Sequence[str | None], None, None]:
        """Yield each row's cells of some columns as they are in the files.

        Raises
        ------
        FileError, DataError
            As `store` does.
        """

    def cells(self, names: Sequence[str], rows: int) -> Iterator[dict[str, ColumnCells]]:
        """Yield columns as they are in the files by name, this number of rows at a time.

        Raises
        ------
        FileError, DataError
            As `store` does.
        """
        indices = [self.names.index(name) for name in names]
        types = ["VARCHAR" if is_nested(self.types[index]) else self.types[index] for index in indices]
        with closing(self.cell_rows(indices)) as remaining:
            while some := list(islice(remaining, rows)):
                columns = zip(names, zip(*some, strict=True), types, strict=True)
                yield {name: ColumnCells(list(texts), of) for name, texts, of in columns}

    def refusal(self, mistakes: Iterable[Mistake]) -> DataError:
        """Return the error of the first of some mistakes, with their locations in the files."""
        return DataError(*self.located(sorted(mistakes)[:MAX_MISTAKES]))

    @abstractmethod
    def located(self, mistakes: Sequence[Mistake]) -> list[Diagnostic]:
        """Return the diagnostics of sorted mistakes, at least one, with their locations in the files."""

    def real_paths(self) -> list[str]:
        """Return what DuckDB may open."""
        return [os.path.realpath(path) for path in self.paths]

    def damaged(self, path: str, error: DuckError) -> DataError:
        """Return the error of a file that DuckDB cannot read."""
        return DataError(Diagnostic(self.damage_code, f"DuckDB cannot read the file: {error}", source=path))

    def _named(self, files: Sequence[tuple[str, list[str]]]) -> list[list[int]]:
        """Take the names of the first file's columns, and return the indices of each file's, which are the same."""
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
    """Files of texts, whose columns of numbers DuckDB can convert while it reads them."""

    _types: Sequence[str] = ()
    """Of the columns, where some are numbers."""

    @property
    def types(self) -> list[str]:
        return [*self._types] or ["VARCHAR"] * len(self.names)

    @cached_property
    def is_small(self) -> bool:
        """Whether Python reads the files: sooner than DuckDB begins to."""
        return sum(map(file_size, self.paths)) <= SMALL_BYTES

    def store(
        self, duck: Duck, progress: Progress, numbers: Collection[int] = (), judged: Collection[int] = ()
    ) -> None:
        self.unclear = frozenset() if self.specifies_decimal else self._without_fractions(judged)
        some = self._like_numbers(numbers, self.missing)
        self._types = ["DOUBLE" if index in some else "VARCHAR" for index in range(len(self.names))]
        try:
            self._store(duck, progress)
        except DuckError:
            # A cell further down is no number, or something else is wrong that an error has to report.
            self._types = ()
            duck.rows("DROP TABLE IF EXISTS cells")
            self._store(duck, progress, refuses=True)

    def _store(self, duck: Duck, progress: Progress, *, refuses: bool = False) -> None:
        """Make the table of cells, of numbers where the types say so; DuckDB's errors may become those of the files."""
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
        """Return the expression of a cell's number, null where it is missing, which ends the query for others."""
        cell, found = f"c{index}", sql_plain_number(f"c{index}")
        if index in self.unclear:  # else a point that only the text shows is lost
            is_lost = f"contains({cell}, '.') AND {found} = trunc({found})"
            found = f"CASE WHEN NOT ({sql_is_grouped(cell)} OR ({is_lost})) THEN {found} END"
        return f"CASE WHEN {cell} <> '' THEN coalesce({found}, error('no number')) END"

    def _like_numbers(self, indices: Iterable[int], missing: Collection[str]) -> list[int]:
        """Return those of the columns of which the first rows of all files have numbers or missing cells."""
        return [
            index
            for index in indices
            if all(number(text := trimmed(cell)) is not None or text in missing for cell in self._first_cells(index))
        ]

    def _without_fractions(self, indices: Iterable[int]) -> frozenset[int]:
        """Return those of the columns in whose first rows no point is one before a fraction for certain."""
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
        """Run the query that begins like this, and selects the cells of a file as c0, c1, …"""

    @abstractmethod
    def _refuse_faulty(self, number_of_file: int) -> None:
        """Refuse a file in which something is wrong, with its location."""


def trimmed_texts(cells: Sequence[str | None], missing: Collection[str]) -> list[str | None]:
    """Return cells of a file trimmed, None for missing ones."""
    known: dict[str | None, str | None] = {None: None}
    for cell in {*cells}:
        if cell is not None:
            text = trimmed(cell)
            known[cell] = None if cell in missing or text in missing else text
    return [known[cell] for cell in cells]


def most_similar(names: Sequence[str], name: str) -> str | None:
    """Return the column with the most similar name, or None."""
    return next(iter(get_close_matches(name, names, 1)), None)


def unused_delimiter(names: Sequence[str]) -> str | None:
    """Return the delimiter in the name of a file's only column, which is several then, or None."""
    return next((each for each in DELIMITERS if len(names) == 1 and each in names[0]), None)


def unknown_columns(source: TableSource, requested: Sequence[str]) -> Diagnostic:
    """Return the error of requested columns, at least one, that a file does not have."""
    path, names = source.paths[0], source.names
    close = [most_similar(names, name) for name in requested]
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
    """Yield the indices of columns whose names earlier ones have, and messages about them."""
    indices: dict[str, int] = {}
    for column, name in enumerate(names):
        first = indices.setdefault(name, column)
        if first < column:
            yield column, f'duplicate column name "{name}": columns {first + 1} and {column + 1}'


def refuse_bytes(path: str | os.PathLike[str], real: str) -> None:
    """Refuse a path that is not UTF-8, as DuckDB and specs have no others."""
    try:
        real.encode()
    except UnicodeEncodeError:
        hint = "rename the file or its folder"
        raise FileError("the path is not valid UTF-8", hint=hint, source=os.fspath(path)) from None


def copied(pieces: Iterable[bytes], suffix: str, folder: str) -> str:
    """Return the path of a new file in a folder."""
    with space_needed(), NamedTemporaryFile("wb", suffix=suffix, dir=folder, delete=False) as copy:
        copy.writelines(pieces)
    return copy.name


def refuse_wildcards(path: str, real: str) -> None:
    """Refuse a file whose name DuckDB would take for a pattern."""
    if WILDCARDS & set(real):
        hint = "rename it: * ? and [ act as wildcards"
        raise DataError(Diagnostic("wildcard", "the path has * ? or [ in it", source=path, hint=hint))


def matching(folder: Path, written: str | Sequence[str]) -> list[str]:
    """Return the files that a path, a pattern, or a list of these stands for: those of a pattern sorted.

    Raises
    ------
    DataError
        If nothing matches a pattern, or a file's own name is like one.
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
