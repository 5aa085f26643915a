"""Files of one table: what all formats have in common."""

from __future__ import annotations

import os
import re
from abc import ABC, abstractmethod
from collections.abc import Collection, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from difflib import get_close_matches
from glob import glob
from itertools import islice, permutations
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from specnet.errors import DataError, Diagnostic, FileError, Position
from specnet.files.large import room_needed
from specnet.files.plain_data import toml_text
from specnet.parts.arrays import first_few
from specnet.parts.data.progress import Progress
from specnet.parts.data.tables.cells import number
from specnet.parts.data.tables.csv.csv_records import DELIMITERS
from specnet.parts.data.tables.duck import Duck, DuckError
from specnet.parts.data.tables.setting_hints import setting
from specnet.parts.data.tables.types import is_nested

MOST_MISTAKES = 20
"""How many mistakes are told of at once."""
WILDCARDS = frozenset("*?[")
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")
"""How a URL begins; `Path` makes one slash of two."""


class Mistake(NamedTuple):
    """What is wrong with a cell, at a row and a column of the table, both from 0."""

    row: int
    place: int
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
        What a missing cell of text holds.
    decimal : str
        The sign before a number's fraction.
    """

    names: list[str]
    missing: tuple[str, ...] = ("",)
    decimal = "."
    specifies_decimal = False
    """Whether it is specified, and not the usual one."""
    plain_numbers = False
    """Whether it is known, once they are stored, that DuckDB takes no cell for a number that is none."""
    has_dialect = False
    """Whether a spec can say where the names of columns are, what a missing cell holds, and the sign of fractions."""
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

    @abstractmethod
    def store(
        self, duck: Duck, progress: Progress, numbers: Collection[int] = (), judged: Collection[int] = ()
    ) -> None:
        """Make the table ``cells``, whose columns are c0, c1, …, in the order of `names`.

        The columns at some places may be made numbers at once, if all of their cells are: the types say so then. Those
        that are judged are not if a point in them may separate thousands.

        Raises
        ------
        FileError
            If a file cannot be read.
        DataError
            If it is not what it should be.
        """

    def numbers_at_once(
        self,
        duck: Duck,
        numbers: Sequence[int],
        texts: Sequence[int],
        progress: Progress,
        judged: Collection[int] = (),
    ) -> tuple[NDArray[np.float64], list[list[Any]]] | None:
        """Return columns as numbers (rows, columns) and others as texts, where that can be had in one reading.

        None where a point in a column that is judged may separate thousands.
        """
        return None

    def number_texts(self, duck: Duck, places: Sequence[int]) -> Sequence[int]:
        """Return those of some columns of numbers that are texts in the files, where a point may separate thousands."""
        return [place for place in places if self.types[place] == "VARCHAR"]

    @abstractmethod
    def cell_rows(self, places: Sequence[int]) -> Generator[Sequence[str | None], None, None]:
        """Yield each row's cells of some columns as they are, of a table that `store` takes.

        Raises
        ------
        FileError, DataError
            As `store` does.
        """

    def cells(self, names: Sequence[str], rows: int) -> Iterator[dict[str, ColumnCells]]:
        """Yield columns as they are by name, so many rows, and the next ones.

        Raises
        ------
        FileError, DataError
            As `store` does.
        """
        places = [self.names.index(name) for name in names]
        types = ["VARCHAR" if is_nested(self.types[place]) else self.types[place] for place in places]
        with closing(self.cell_rows(places)) as remaining:
            while some := list(islice(remaining, rows)):
                columns = zip(names, zip(*some, strict=True), types, strict=True)
                yield {name: ColumnCells(list(texts), of) for name, texts, of in columns}

    def refusal(self, mistakes: Iterable[Mistake]) -> DataError:
        """Return the error of the first of some mistakes, at their places in the files."""
        return DataError(*self.located(sorted(mistakes)[:MOST_MISTAKES]))

    @abstractmethod
    def located(self, mistakes: Sequence[Mistake]) -> list[Diagnostic]:
        """Return mistakes, of which there are some, sorted, at their places in the files."""

    def real_paths(self) -> list[str]:
        """Return what DuckDB may open."""
        return [os.path.realpath(path) for path in self.paths]

    def damaged(self, path: str, error: DuckError) -> DataError:
        """Return the error of a file that DuckDB cannot read."""
        return DataError(Diagnostic(self.damage_code, f"DuckDB cannot read the file: {error}", source=path))

    def _named(self, files: Sequence[tuple[str, list[str]]]) -> list[list[int]]:
        """Take the names of the first file's columns, and return the places of each file's, which are the same ones."""
        first, *others = files
        for other in others:
            for (there, names), (here, found) in permutations((first, other)):
                known = {*found}
                if lacking := [name for name in names if name not in known]:
                    message = f'the files have different columns: "{lacking[0]}" is in {there}, but not in {here}'
                    raise DataError(Diagnostic("unknown-column", message, source=other[0]))
        self.names = first[1]
        places = {name: place for place, name in enumerate(self.names)}
        return [[places[name] for name in names] for _, names in files]


def meant(names: Sequence[str], name: str) -> str | None:
    """Return the column with the most similar name, or None."""
    return next(iter(get_close_matches(name, names, 1)), None)


def undivided(names: Sequence[str]) -> str | None:
    """Return the sign that seems to divide the one column of a file into several, or None."""
    return next((sign for sign in DELIMITERS if len(names) == 1 and sign in names[0]), None)


def unknown_columns(source: TableSource, asked: Sequence[str]) -> Diagnostic:
    """Return the error of columns that a file does not have, of which there are some."""
    path, names = source.paths[0], source.names
    close = [meant(names, name) for name in asked]
    sign = undivided(names)
    if sign is not None:
        hint = setting("delimiter", toml_text(sign))
    else:
        hint = f"did you mean {_quoted(close)}?" if all(close) else f"choose from {first_few(names)}"
        if source.has_dialect and any(number(name) is not None for name in names):
            hint += f", or {setting('header', 'false')} if the first line is no header"
        elif source.has_dialect and len(names) == 1:
            hint += f", or {setting('skip', '1')} if the header is the second line"
    message = f"{path} has no {'column' if len(asked) == 1 else 'columns'} {_quoted(asked)}"
    return Diagnostic("unknown-column", message, source=path, hint=hint)


def _quoted(names: Sequence[str | None]) -> str:
    return first_few([f'"{name}"' for name in names])


def repeated_names(names: Sequence[str]) -> Iterator[tuple[int, str]]:
    """Yield the columns whose names an earlier one has, and what to say of them."""
    places: dict[str, int] = {}
    for column, name in enumerate(names):
        first = places.setdefault(name, column)
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
    with room_needed(), NamedTemporaryFile("wb", suffix=suffix, dir=folder, delete=False) as copy:
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
        If nothing matches a pattern, or a file's own name looks like one.
    """
    found: list[str] = []
    for index, text in enumerate((written,) if isinstance(written, str) else written):
        place = ("path",) if isinstance(written, str) else ("path", index)
        whole = os.fspath(folder / text)
        if _URL.match(text) and not os.path.lexists(whole):
            hint = "download the file, and use its path"
            raise DataError(Diagnostic("no-file", f'URLs are not supported: "{text}"', place, hint=hint))
        if not WILDCARDS & set(text):
            found.append(whole)
            continue
        if os.path.lexists(whole):
            refuse_wildcards(whole, whole)
        names = sorted(glob(text, root_dir=folder))
        if not names:
            raise DataError(Diagnostic("no-file", f'no file matches "{text}"', place))
        found += [os.fspath(folder / name) for name in names]
    return found
