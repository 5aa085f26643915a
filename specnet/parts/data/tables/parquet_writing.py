"""Tables written as Parquet files."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from specnet.errors import DataError
from specnet.parts.data.tables.cells import quoted
from specnet.parts.data.tables.duck import Duck, opened
from specnet.parts.data.tables.source import ColumnCells

_BYTES_AT_ONCE = 2**24


def parquet_pieces(parts: Iterable[Mapping[str, ColumnCells]]) -> Iterator[bytes]:
    """Yield the pieces of a Parquet file of columns by name, of which some rows after the other are given.

    Raises
    ------
    DataError
        If two names differ only in case, which DuckDB does not tell apart.
    """
    with opened([], 0) as duck:
        names: list[str] = []
        for part in parts:
            if not names:
                names = list(part)
                _make(duck, part)
            given = {f"c{place}": column for place, column in enumerate(part.values())}
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
    columns = ", ".join(f"c{place} {column.type}" for place, column in enumerate(part.values()))
    duck.rows(f"CREATE TABLE made ({columns})")


def _written(duck: Duck, names: Sequence[str]) -> Iterator[bytes]:
    path = os.path.join(duck.folder, "made.parquet")
    doubled = [name.replace('"', '""') for name in names]
    named = ", ".join(f'c{place} AS "{name}"' for place, name in enumerate(doubled))
    duck.rows(f"COPY (SELECT {named} FROM made ORDER BY rowid) TO {quoted(path)} (FORMAT parquet)")
    with open(path, "rb") as file:
        while some := file.read(_BYTES_AT_ONCE):
            yield some
