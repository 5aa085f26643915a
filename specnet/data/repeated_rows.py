"""Detection of held-out rows that repeat training rows, as exact copies or with the same inputs only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from specnet.data.preparation import ColumnTexts
from specnet.data.row_hashes import Hashes, row_hashes
from specnet.number_texts import count, counted
from specnet.parts.arrays import Array, RowView
from specnet.parts.data import Column

CHANCE = 4.0
"""Repeated rows are reported if they are more than this multiple of the number expected by chance."""


class RawRows(Protocol):
    """A selection of the rows of a table."""

    @property
    def table(self) -> Array:
        """Numbers (all rows, columns); NaN is a missing cell, and a category has the indices of its texts."""

    @property
    def y(self) -> Array:
        """The target of the selected rows."""

    @property
    def chosen(self) -> NDArray[np.intp] | None:
        """The indices of the selected rows; None if all rows are selected."""


def repeated_rows(
    train: RawRows, held_out: RawRows, name: str, kinds: Sequence[Column], minimum: float
) -> tuple[str, str] | None:
    """Return a message about held-out rows that repeat training rows, in inputs and target or in inputs only.

    Rows with few different values repeat by chance. The expected number is estimated, column by column, from the pairs
    of distinct training rows with the same value: a row is repeated at most as often as its value in any column. If
    all columns were independent, their estimates would multiply; the square root of the product allows for
    dependence.

    Parameters
    ----------
    train, held_out : RawRows
    name : str
        Name of the held-out set.
    kinds : sequence of Column
        The columns; empty if all columns are plain numbers.
    minimum : float
        Fraction of the held-out rows above which repeated rows are reported.

    Returns
    -------
    tuple of str, or None
        The message and the hint. None if few rows are repeated, or no more than chance explains.
    """
    texts, rows = [column.texts for column in kinds], len(held_out.y)
    inputs, held_out_inputs = (_hashes(each, texts, with_target=False) for each in (train, held_out))
    alike = int(np.isin(held_out_inputs, inputs).sum())
    if alike <= minimum * rows:
        return None
    whole, held_out_whole = (_hashes(each, texts, with_target=True) for each in (train, held_out))
    copies = int(np.isin(held_out_whole, whole).sum())
    distinct = np.unique(whole, return_index=True)[1]
    columns, targets = _columns(train), train.y.reshape(len(train.y), -1)
    of_inputs = [_same_pairs(columns[:, index][distinct]) for index in range(columns.shape[1])]
    of_all = [*of_inputs, *map(_same_pairs, targets[distinct].T)]

    def are_many(repeats: int, same: Sequence[float]) -> bool:
        by_chance = len(train.y) * min(*same, float(np.sqrt(np.prod(same))))
        return repeats > max(minimum, CHANCE * by_chance) * rows

    of_rows = f"of {counted(rows, f'{name} row')}"
    if are_many(copies, of_all):
        found = f"{count(copies)} {of_rows} also occur in the training set, with the same target"
        return found, f"remove duplicate rows; they make the {name} figures look too good"
    if are_many(alike, of_inputs):
        found = f"{count(alike)} {of_rows} have the inputs of a training row"
        return (
            f"{found}, {count(alike - copies)} of them with another target",
            "if they are of one person or thing, keep them in one set with data.split.group",
        )
    return None


def _columns(rows: RawRows) -> Array | RowView:
    return rows.table if rows.chosen is None else RowView(rows.table, rows.chosen)


def _hashes(rows: RawRows, texts: ColumnTexts, *, with_target: bool) -> Hashes:
    return row_hashes(_columns(rows), texts, rows.y if with_target else np.empty((len(rows.y), 0)))


def _same_pairs(cells: Array) -> float:
    """Return the estimated fraction of pairs of rows with the same value in a column; always above 0."""
    counts = np.unique(cells, return_counts=True)[1].astype(np.float64)
    rows = counts.sum()
    return float((counts @ (counts - 1) + 2) / max(rows * (rows - 1), 2))
