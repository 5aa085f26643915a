"""Tables written as Parquet files."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from specnet.errors import DataError
from specnet.parts.data.tables.cells import quoted
from specnet.parts.data.tables.duck import Duck, opened
from specnet.parts.data.tables.source import Cells

_ROWS_AT_ONCE = 2**14


def parquet_bytes(columns: Mapping[str, Sequence[Any] | Cells]) -> bytes:
    """Return a Parquet file of columns by name: numbers as doubles, texts as strings, cells with their type, None null.

    Raises
    ------
    DataError
        If two names differ only in case, which DuckDB does not tell apart.
    """
    lower = Counter(name.lower() for name in columns)
    if same := [name for name in columns if lower[name.lower()] > 1]:
        message = f'columns "{same[0]}" and "{same[1]}" differ only in case, which Parquet files are not written with'
        raise DataError(message, hint="write a .csv file")
    cells = [column.texts if isinstance(column, Cells) else column for column in columns.values()]
    pairs = [(column, _type(column)) for column in columns.values()]
    types = [of for _, of in pairs]
    with opened([], len(columns)) as duck:
        duck.rows(f"CREATE TABLE made ({', '.join(f'c{place} {of}' for place, of in enumerate(types))})")
        given = ["DOUBLE" if of == "DOUBLE" and not isinstance(column, Cells) else "VARCHAR" for column, of in pairs]
        query = ", ".join(f"unnest($c{place}::{of}[])::{types[place]}" for place, of in enumerate(given))
        for start in range(0, len(cells[0]), _ROWS_AT_ONCE):
            some = slice(start, start + _ROWS_AT_ONCE)
            duck.rows(f"INSERT INTO made SELECT {query}", {f"c{place}": each[some] for place, each in enumerate(cells)})
        return _written(duck, list(columns))


def _type(column: Sequence[Any] | Cells) -> str:
    if isinstance(column, Cells):
        return column.type
    return "VARCHAR" if any(isinstance(cell, str) for cell in column) else "DOUBLE"


def _written(duck: Duck, names: Sequence[str]) -> bytes:
    path = os.path.join(duck.folder, "made.parquet")
    doubled = [name.replace('"', '""') for name in names]
    named = ", ".join(f'c{place} AS "{name}"' for place, name in enumerate(doubled))
    duck.rows(f"COPY (SELECT {named} FROM made ORDER BY rowid) TO {quoted(path)} (FORMAT parquet)")
    return Path(path).read_bytes()
