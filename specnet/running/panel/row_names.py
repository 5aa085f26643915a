"""The names of rows on a page: the line of the file, and the identifier if the file has one."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np

from specnet.data.dependent_rows import names_a_group
from specnet.errors import SpecnetError
from specnet.parts.splits import PARTS, TRAIN

if TYPE_CHECKING:
    from specnet.parts.data import TableFile
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
            found += [*_names_in(files, data)] if files else []
        if table.file_rows is not None:
            found = [found[row] for row in table.file_rows]
    return found if len(found) == len(table.X) else []


def _names_in(files: TableFile, data: SpecData) -> Iterator[str]:
    """Yield the names of all rows of some files."""
    assert data.table is not None, "rows of files are a table"
    folder, kinds = data.resolved.spec.folder, data.table.kinds
    ignored = sorted(
        (name for name, kind in kinds.items() if kind == "ignore"), key=lambda name: not names_a_group(name)
    )
    lines, columns = files.read_lines(folder, ignored)
    paths = {path for path, _ in lines}
    identifier = next((name for name in ignored if _identifies(columns[name])), None)
    for row, (path, line) in enumerate(lines):
        name = f"row {row + 1}" if line is None else f"line {line}"
        of = f" of {os.path.basename(path)}" if len(paths) > 1 or files is not data.resolved.spec.data else ""
        yield name + of + ("" if identifier is None else f" ({identifier} {columns[identifier][row]})")


def _identifies(cells: Sequence[str | None]) -> bool:
    """Return whether no cell is missing, all are different, and none is long."""
    known = {*cells}
    return (
        len(known) == len(cells) > 1 and None not in known and max(map(len, filter(None, known))) <= LONGEST_IDENTIFIER
    )
