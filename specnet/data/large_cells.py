"""Cells that are too large for a network once they are prepared: which rows have some, and where in their file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from specnet.data.preparation import Preparation, RawTable, StepGroup
from specnet.errors import Diagnostic
from specnet.parts.arrays import Array, pieces
from specnet.parts.data import Data, TableFile
from specnet.parts.preprocessing import CategoryStep


class LargeCell(NamedTuple):
    """A raw cell: its row and column, from 0, and the number in it."""

    row: int
    column: int
    number: float


def large_rows(preparation: Preparation, columns: RawTable, dtype: np.dtype[np.floating]) -> NDArray[np.bool_]:
    """Return which raw rows (rows, columns) are prepared to numbers that are not finite in a dtype; gaps are not."""
    found = np.zeros(len(columns), np.bool_)
    for piece in pieces(columns):
        for _, _, large in _prepared(preparation, columns[piece], dtype):
            found[piece] |= large.any(axis=1)
    return found


def first_large_cell(preparation: Preparation, columns: RawTable, dtype: np.dtype[np.floating]) -> LargeCell | None:
    """Return the first cell of which `large_rows` tells; of columns that become one, the largest number."""
    for piece in pieces(columns):
        for places, raw, large in _prepared(preparation, columns[piece], dtype):
            if large.any():
                row = int(large.any(axis=1).argmax())
                own = large[row] if large.shape == raw.shape else np.nan_to_num(np.abs(raw[row]))
                column = int(own.argmax())
                return LargeCell(piece.start + row, places[column], float(raw[row, column]))
    return None


def largest_cell(columns: RawTable, places: Sequence[int]) -> LargeCell:
    """Return the cell with the largest number of some raw columns, which have such."""
    found = LargeCell(0, places[0], 0.0)
    for piece in pieces(columns):
        numbers = np.nan_to_num(columns[piece][:, places].astype(np.float64))
        row, index = divmod(int(np.abs(numbers).argmax()), len(places))
        if abs(numbers[row, index]) > abs(found.number):
            found = LargeCell(piece.start + row, places[index], float(numbers[row, index]))
    return found


def large_cell_problem(cell: LargeCell, name: str, data: Data | None, folder: Path) -> Diagnostic | None:
    """Return what to say of a cell of a named column, at its place in the files of a data part; None without such."""
    message = f'column "{name}": {cell.number:g} is too large for the network'
    hint = 'correct it, or begin network.preprocessing with "quantile"'
    return data.cell_problem(folder, name, cell.number, message, hint) if isinstance(data, TableFile) else None


def _prepared(
    preparation: Preparation, rows: Array, dtype: np.dtype[np.floating]
) -> Iterator[tuple[tuple[int, ...], Array, NDArray[np.bool_]]]:
    """Yield the places of columns of numbers, these columns, and what of their preparation is not finite."""
    for group in preparation.groups or (StepGroup(None, ()),):
        if group.steps and isinstance(group.steps[0], CategoryStep):
            continue
        places = tuple(group.among(rows.shape[1]))
        raw = rows[:, places].astype(np.float64)
        with np.errstate(over="ignore", invalid="ignore"):
            made = np.asarray(group.apply(rows.astype(np.float64)))
            is_finite = np.isfinite(made.astype(dtype))
        yield places, raw, ~is_finite & ~(np.isnan(made) & np.isnan(raw).any(axis=1, keepdims=True))
