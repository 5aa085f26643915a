"""Ignored columns of a table that may name groups of rows, such as persons who come only a few times each."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from specnet.data.dependent_rows import names_a_group
from specnet.parts.data import ColumnKind

if TYPE_CHECKING:
    from specnet.parts.data import TableFile

MAX_ROWS = 1_000_000
"""The maximum number of rows for which ignored columns are read again."""


def ignored_groups(
    data: TableFile,
    folder: Path,
    kinds: Mapping[str, ColumnKind],
    rows: int,
    file_rows: NDArray[np.intp] | None = None,
) -> dict[str, NDArray[np.float64]]:
    """Return ignored columns of a table whose names suggest groups, such as persons, with texts as indices.

    Parameters
    ----------
    data : TableFile
        Description of the file.
    folder : Path
        Folder to which the path of the file is relative.
    kinds : mapping
        The kinds of all columns by name.
    rows : int
        The number of rows of the table.
    file_rows : ndarray (rows,), optional
        Index in the file of each row of the table; by default the table has all rows of the file.

    Returns
    -------
    dict of str to ndarray (rows,)
        Indices of the texts, with NaN for missing cells; empty for a table of more than `MAX_ROWS` rows.
    """
    names = [name for name, kind in kinds.items() if kind == "ignore" and names_a_group(name)]
    if not names or rows > MAX_ROWS:
        return {}
    texts: dict[str, list[str | float | None]] = {name: [] for name in names}
    for part in data.read_cells(folder, names, rows):
        for name, cells in part.items():
            texts[name] += cells.texts
    indices = {}
    for name, column in texts.items():
        missing = {None, "", *getattr(data, "missing_values", ())}
        codes = {text: code for code, text in enumerate(dict.fromkeys(column)) if text not in missing}
        found = np.array([codes.get(text, np.nan) for text in column], np.float64)
        indices[name] = found if file_rows is None else found[file_rows]
    return indices
