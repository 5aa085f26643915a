"""The names of rows on a page: the line of the file, and the identifier if the file has one."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from specnet.data.dependent_rows import names_a_group
from specnet.errors import SpecnetError
from specnet.parts.splits import PARTS, TRAIN

if TYPE_CHECKING:
    from specnet.parts.data import Data, Table, TableFile
    from specnet.running.data_rows import Rows, SpecData

MAX_CELLS = 2_000_000
"""The maximum number of cells of files that are read again for the names of rows: about two seconds."""
LONGEST_IDENTIFIER = 40
"""The maximum number of characters of an identifier; longer texts are no names."""


def names_of_rows(data: SpecData, rows: Rows, chosen: Sequence[int]) -> list[str]:
    """Return the name of each chosen row: ``line 132 (id 4711)``; ``row 131`` if the rows are not of a file.

    The identifier is the cell of an ignored column whose cells are all different.

    Parameters
    ----------
    data : SpecData
    rows : Rows
        One of the splits of the data.
    chosen : sequence of int
        Indices of rows of the split.
    """
    names = data.splits[TRAIN].once("names", lambda: _names(data))
    return [names[number] if names else f"row {number + 1}" for number in rows.numbers[np.asarray(chosen, np.intp)]]


def _names(data: SpecData) -> list[str]:
    """Return the names of all rows of a table; empty if its files are large or have changed."""
    spec, table = data.resolved.spec, data.table
    from specnet.parts.data import TableFile  # imports the readers of files

    if table is None or not isinstance(spec.data, TableFile) or len(table.X) * len(table.kinds) > MAX_CELLS:
        return []
    found: list[str] = []
    with suppress(SpecnetError):
        for part in PARTS:
            path = None if part == TRAIN else getattr(spec.data.split, part)
            files = spec.data if part == TRAIN else path and spec.data.for_file(path)
            found += [*_names_in(files, spec.folder, table, is_only=files is spec.data)] if files else []
    return _of_rows(found, table)


def names_in_file(files: Data, table: Table, chosen: Sequence[int]) -> list[str]:
    """Return the names of chosen rows of a table that was read from a file alone, as `names_of_rows` does."""
    from specnet.parts.data import TableFile  # imports the readers of files

    found: list[str] = []
    if isinstance(files, TableFile):
        with suppress(SpecnetError):
            found = [*_names_in(files, Path(), table, is_only=True)]
    names = _of_rows(found, table)
    return [names[row] if names else f"row {row + 1}" for row in chosen]


def _of_rows(names: list[str], table: Table) -> list[str]:
    """Return the names of the rows of a table, given those of all rows of its files; empty if they do not fit."""
    if table.file_rows is not None and names:
        names = [names[row] for row in table.file_rows]
    return names if len(names) == len(table.X) else []


def _names_in(files: TableFile, folder: Path, table: Table, *, is_only: bool) -> Iterator[str]:
    """Yield the names of all rows of some files; with the name of the file unless it is the only one."""
    kinds = table.kinds
    ignored = sorted(
        (name for name, kind in kinds.items() if kind == "ignore"), key=lambda name: not names_a_group(name)
    )
    lines, columns = files.read_lines(folder, ignored)
    paths = {path for path, _ in lines}
    identifier = next((name for name in ignored if _identifies(columns[name])), None)
    for row, (path, line) in enumerate(lines):
        name = f"row {row + 1}" if line is None else f"line {line}"
        of = f" of {os.path.basename(path)}" if len(paths) > 1 or not is_only else ""
        yield name + of + ("" if identifier is None else f" ({identifier} {columns[identifier][row]})")


def _identifies(cells: Sequence[str | None]) -> bool:
    """Return whether no cell is missing, all are different, and none is long."""
    known = {*cells}
    return (
        len(known) == len(cells) > 1 and None not in known and max(map(len, filter(None, known))) <= LONGEST_IDENTIFIER
    )
