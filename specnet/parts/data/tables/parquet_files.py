"""Parquet files, whose columns keep their types."""

from __future__ import annotations

import os
from collections.abc import Collection, Generator, Iterator, Sequence

from specnet.errors import DataError, Diagnostic
from specnet.files import open_file
from specnet.parts.data.progress import Progress
from specnet.parts.data.tables.cells import quoted
from specnet.parts.data.tables.duck import Duck, DuckError, opened
from specnet.parts.data.tables.source import Mistake, TableSource, refuse_wildcards, repeated_names
from specnet.parts.data.tables.types import is_number_type, is_whole_type

ROWS_AT_ONCE = 2**14


class ParquetSource(TableSource):
    """Several files of the same columns, in any order.

    Parameters
    ----------
    paths : sequence of str
    """

    damage_code = "parquet"

    def __init__(self, paths: Sequence[str]) -> None:
        super().__init__(paths)
        described = [self._described(path) for path in paths]
        named = [(path, [name for name, _ in columns]) for path, columns in zip(paths, described, strict=True)]
        self._places = self._named(named)
        self._types = [of for _, of in described[0]]
        for path, columns, places in zip(paths, described, self._places, strict=True):
            for place, (name, of) in zip(places, columns, strict=True):
                self._types[place] = _common(self._types[place], of, name, path)

    @property
    def types(self) -> list[str]:
        return self._types

    def store(
        self, duck: Duck, progress: Progress, numbers: Collection[int] = (), judged: Collection[int] = ()
    ) -> None:
        columns = ", ".join(f"c{place} {of}" for place, of in enumerate(self._types))
        duck.rows(f"CREATE TABLE cells ({columns})")
        for path, places in zip(self.paths, self._places, strict=True):
            names = ", ".join(f"c{place}" for place in places)
            query = f"INSERT INTO cells BY NAME SELECT * FROM {_rows(path)} AS t({names})"
            try:
                duck.columns(query, None, progress, os.path.getsize(path))
            except DuckError as error:
                raise self.damaged(path, error) from None

    def _described(self, path: str) -> list[tuple[str, str]]:
        """Return the names and types of a file's columns."""
        real = os.path.realpath(path)
        with open_file(path):
            refuse_wildcards(path, real)
        with opened([real], 0) as duck:
            try:
                types = [str(row[1]) for row in duck.rows(f"DESCRIBE SELECT * FROM {_rows(path)}")]
                # DuckDB's own names ignore case.
                tree = iter(duck.rows(f"SELECT name, num_children FROM parquet_schema({quoted(real)})"))
            except DuckError as error:
                raise self.damaged(path, error) from None
        next(tree)
        names = list(_top(tree))
        problems = [Diagnostic("repeated-column", message, source=path) for _, message in repeated_names(names)]
        problems += [
            Diagnostic("unnamed-column", f"column {place + 1} has no name", source=path)
            for place, name in enumerate(names)
            if not name
        ]
        if problems:
            raise DataError(*problems)
        return list(zip(names, types, strict=True))

    def cell_rows(self, places: Sequence[int]) -> Generator[Sequence[str | None], None, None]:
        texts = ", ".join(f"c{place}::{self._types[place]}::VARCHAR" for place in places)
        with opened(self.real_paths(), len(self.names)) as duck:
            for path, own in zip(self.paths, self._places, strict=True):
                names = ", ".join(f"c{place}" for place in own)
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
    """Yield the names of a schema's columns, without those that are nested in them."""
    for name, children in tree:
        yield name
        below = children or 0
        while below:
            _, more = next(tree)
            below += (more or 0) - 1


def _common(one: str, other: str, name: str, path: str) -> str:
    """Return the type that two files' columns of one name have together."""
    if one == other:
        return one
    if is_number_type(one) and is_number_type(other):
        return "HUGEINT" if is_whole_type(one) and is_whole_type(other) else "DOUBLE"
    message = f'column "{name}": {other} here, but {one} in the first file'
    raise DataError(Diagnostic("column-type", message, source=path))
