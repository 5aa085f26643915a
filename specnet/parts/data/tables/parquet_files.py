"""Reading Parquet files as tables, and writing columns to Parquet files."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Generator, Iterable, Iterator, Mapping, Sequence

from specnet.errors import DataError, Diagnostic
from specnet.files import open_file
from specnet.parts.data.progress import Progress
from specnet.parts.data.tables.duck import Duck, DuckError, is_number_type, is_whole_type, opened, quoted
from specnet.parts.data.tables.sources import ColumnCells, Mistake, TableSource, refuse_wildcards, repeated_names

ROWS_AT_ONCE = 2**14
_BYTES_AT_ONCE = 2**24


class ParquetSource(TableSource):
    """One or several Parquet files with the same columns, in any order.

    Parameters
    ----------
    paths : sequence of str
    """

    damage_code = "parquet"

    def __init__(self, paths: Sequence[str]) -> None:
        super().__init__(paths)
        described = [self._described(path) for path in paths]
        named = [(path, [name for name, _ in columns]) for path, columns in zip(paths, described, strict=True)]
        self._indices = self._named(named)
        self._types = [of for _, of in described[0]]
        for path, columns, indices in zip(paths, described, self._indices, strict=True):
            for index, (name, of) in zip(indices, columns, strict=True):
                self._types[index] = _common(self._types[index], of, name, path)

    @property
    def types(self) -> list[str]:
        return self._types

    def store(
        self, duck: Duck, progress: Progress, numbers: Collection[int] = (), judged: Collection[int] = ()
    ) -> None:
        columns = ", ".join(f"c{index} {of}" for index, of in enumerate(self._types))
        duck.rows(f"CREATE TABLE cells ({columns})")
        for path, indices in zip(self.paths, self._indices, strict=True):
            names = ", ".join(f"c{index}" for index in indices)
            query = f"INSERT INTO cells BY NAME SELECT * FROM {_rows(path)} AS t({names})"
            try:
                duck.columns(query, None, progress, os.path.getsize(path))
            except DuckError as error:
                raise self.damaged(path, error) from None

    def _described(self, path: str) -> list[tuple[str, str]]:
        """Return the name and the DuckDB type of each column of a file."""
        real = os.path.realpath(path)
        with open_file(path):
            refuse_wildcards(path, real)
        with opened([real], 0) as duck:
            try:
                types = [str(row[1]) for row in duck.rows(f"DESCRIBE SELECT * FROM {_rows(path)}")]
                # DESCRIBE renames columns whose names differ only in case; the schema has the original names.
                tree = iter(duck.rows(f"SELECT name, num_children FROM parquet_schema({quoted(real)})"))
            except DuckError as error:
                raise self.damaged(path, error) from None
        next(tree)
        names = list(_top(tree))
        problems = [Diagnostic("repeated-column", message, source=path) for _, message in repeated_names(names)]
        problems += [
            Diagnostic("unnamed-column", f"column {index + 1} has no name", source=path)
            for index, name in enumerate(names)
            if not name
        ]
        if problems:
            raise DataError(*problems)
        return list(zip(names, types, strict=True))

    def cell_rows(self, indices: Sequence[int]) -> Generator[Sequence[str | None], None, None]:
        texts = ", ".join(f"c{index}::{self._types[index]}::VARCHAR" for index in indices)
        with opened(self.real_paths(), len(self.names)) as duck:
            for path, own in zip(self.paths, self._indices, strict=True):
                names = ", ".join(f"c{index}" for index in own)
                try:
                    for some in duck.batches(f"SELECT {texts} FROM {_rows(path)} AS t({names})", ROWS_AT_ONCE):
                        yield from some
                except DuckError as error:
                    raise self.damaged(path, error) from None

    def located(self, mistakes: Sequence[Mistake]) -> list[Diagnostic]:
        source = self.paths[0] if len(self.paths) == 1 else None
        return [Diagnostic(mistake.code, mistake.message, source=source, hint=mistake.hint) for mistake in mistakes]


def _rows(path: str) -> str:
    return f"read_parquet({quoted(os.path.realpath(path))}, hive_partitioning = false)"


def _top(tree: Iterator[tuple[str, int | None]]) -> Iterator[str]:
    """Yield the names of the top-level columns from the names and child counts of a schema in depth-first order."""
    for name, children in tree:
        yield name
        below = children or 0
        while below:
            _, more = next(tree)
            below += (more or 0) - 1


def _common(one: str, other: str, name: str, path: str) -> str:
    """Return the common type of two columns with the same name in two files.

    Raises
    ------
    DataError
        If the types differ and are not both numbers.
    """
    if one == other:
        return one
    if is_number_type(one) and is_number_type(other):
        return "HUGEINT" if is_whole_type(one) and is_whole_type(other) else "DOUBLE"
    message = f'column "{name}": {other} here, but {one} in the first file'
    raise DataError(Diagnostic("column-type", message, source=path))


def parquet_pieces(parts: Iterable[Mapping[str, ColumnCells]]) -> Iterator[bytes]:
    """Yield the bytes of a Parquet file that contains the given parts below each other; each has columns by name.

    Raises
    ------
    DataError
        If two names differ only in case, because DuckDB treats them as equal.
    """
    with opened([], 0) as duck:
        names: list[str] = []
        for part in parts:
            if not names:
                names = list(part)
                _make(duck, part)
            given = {f"c{index}": column for index, column in enumerate(part.values())}
            types = {name: "VARCHAR" if _has_texts(each) else each.type for name, each in given.items()}
            query = ", ".join(f"unnest(${name}::{types[name]}[])::{each.type}" for name, each in given.items())
            duck.rows(f"INSERT INTO made SELECT {query}", {name: each.texts for name, each in given.items()})
        yield from _written(duck, names)


def _has_texts(column: ColumnCells) -> bool:
    return any(isinstance(cell, str) for cell in column.texts)


def _make(duck: Duck, part: Mapping[str, ColumnCells]) -> None:
    lower = Counter(name.lower() for name in part)
    if same := [name for name in part if lower[name.lower()] > 1]:
        message = f'columns "{same[0]}" and "{same[1]}" differ only in case, which Parquet files are not written with'
        raise DataError(message, hint="write a .csv file")
    columns = ", ".join(f"c{index} {column.type}" for index, column in enumerate(part.values()))
    duck.rows(f"CREATE TABLE made ({columns})")


def _written(duck: Duck, names: Sequence[str]) -> Iterator[bytes]:
    path = os.path.join(duck.folder, "made.parquet")
    doubled = [name.replace('"', '""') for name in names]
    named = ", ".join(f'c{index} AS "{name}"' for index, name in enumerate(doubled))
    duck.rows(f"COPY (SELECT {named} FROM made ORDER BY rowid) TO {quoted(path)} (FORMAT parquet)")
    with open(path, "rb") as file:
        while some := file.read(_BYTES_AT_ONCE):
            yield some
