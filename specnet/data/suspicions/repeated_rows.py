"""Rows held out that training rows are equal to: copies of them, or others with the same inputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from specnet.data.preparation import ColumnTexts
from specnet.data.row_hashes import Hashes, row_hashes
from specnet.number_texts import count, counted
from specnet.parts.arrays import Array, RowView
from specnet.parts.data import Column

CHANCE = 4.0
"""Times the fraction of rows that chance would repeat, at least, that are repeated."""


class RawRows(Protocol):
    """Some rows of a table."""

    @property
    def table(self) -> Array:
        """Numbers (all rows, columns); NaN where a cell is missing, and a category's indices of its texts."""

    @property
    def y(self) -> Array:
        """The target of these rows."""

    @property
    def chosen(self) -> NDArray[np.intp] | None:
        """Which rows of the table these are; all of them if None."""


class Repeated(NamedTuple):
    """Rows held out that repeat training rows.

    Attributes
    ----------
    repeats, rows : int
        How many they are, of how many.
    part : str
        Name of the set that they are in.
    others : int
        How many of them have the inputs alone of a training row, and another target; 0 if they were not counted.
    """

    repeats: int
    rows: int
    part: str
    others: int

    @property
    def sentence(self) -> str:
        """What was found."""
        whose = f"{count(self.repeats)} of {counted(self.rows, f'{self.part} row')}"
        if not self.others:
            return f"{whose} also occur in the training set, with the same target"
        return f"{whose} have the inputs of a training row, {count(self.others)} of them with another target"

    @property
    def advice(self) -> str:
        """What to do about it."""
        if not self.others:
            return f"remove duplicate rows; they make the {self.part} figures look too good"
        return "if they are of one person or thing, keep them in one set with data.split.group"


def repeated_rows(train: RawRows, held: RawRows, part: str, kinds: Sequence[Column], least: float) -> Repeated | None:
    """Return which rows held out repeat training rows in inputs and target, or else in inputs alone.

    Chance repeats rows of few different values. It is estimated by the pairs of distinct training rows that have the
    same value, column by column: it repeats a row at most as often as a value of any column. Of all columns together
    half counts of what they would tell of a row if none depended on another.

    Parameters
    ----------
    train, held : RawRows
    part : str
        Name of the set of the rows held out.
    kinds : sequence of Column
        The columns; empty where they are mere numbers.
    least : float
        Fraction of the rows held out from which on they are many.

    Returns
    -------
    Repeated or None
        None if there are few, or chance explains them.
    """
    texts, rows = [column.texts for column in kinds], len(held.y)
    inputs, held_inputs = (_hashes(each, texts, with_target=False) for each in (train, held))
    alike = int(np.isin(held_inputs, inputs).sum())
    if alike <= least * rows:
        return None
    whole, held_whole = (_hashes(each, texts, with_target=True) for each in (train, held))
    copies = int(np.isin(held_whole, whole).sum())
    distinct = np.unique(whole, return_index=True)[1]
    columns, targets = _columns(train), train.y.reshape(len(train.y), -1)
    of_inputs = [_same_pairs(columns[:, place][distinct]) for place in range(columns.shape[1])]
    of_all = [*of_inputs, *map(_same_pairs, targets[distinct].T)]
    for repeats, others, same in ((copies, 0, of_all), (alike, alike - copies, of_inputs)):
        by_chance = len(train.y) * min(*same, float(np.sqrt(np.prod(same))))
        if repeats > max(least, CHANCE * by_chance) * rows:
            return Repeated(repeats, rows, part, others)
    return None


def _columns(rows: RawRows) -> Array | RowView:
    return rows.table if rows.chosen is None else RowView(rows.table, rows.chosen)


def _hashes(rows: RawRows, texts: ColumnTexts, *, with_target: bool) -> Hashes:
    return row_hashes(_columns(rows), texts, rows.y if with_target else np.empty((len(rows.y), 0)))


def _same_pairs(cells: Array) -> float:
    """Return the fraction of pairs of rows with the same value, by which chance repeats one; above 0."""
    counts = np.unique(cells, return_counts=True)[1].astype(np.float64)
    rows = counts.sum()
    return float((counts @ (counts - 1) + 2) / max(rows * (rows - 1), 2))
