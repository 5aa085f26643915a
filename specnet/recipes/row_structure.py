"""The structure of a table's rows that a recipe's split respects: groups, or an order in time.

The detector is that of the warning ``random-split``. What it finds becomes ``data.split.group`` or ``data.split.time``
of the recipe if the rows can be split so, whatever the seed. Groups come before times, because rows of new groups are
harder to predict, and a split goes by one column only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from specnet.data import Dependence, Target, dependences, names_of_groups
from specnet.number_texts import counted
from specnet.parts.data import Column

HELD_OUT = 0.4
"""The largest fraction of the rows that a recipe holds out for testing and validation, in two draws."""
FEWEST_FOLDS = 2


@dataclass(frozen=True, slots=True)
class RowStructure:
    """How the rows of a table depend on each other, and the split that respects it.

    Attributes
    ----------
    found : tuple of Dependence
        The columns by which rows depend on each other: the one that the split goes by first.
    names : tuple of str
        The name of the column of each dependence.
    folds : int
        The number of folds that the rows left for training can be cut into for any seed; 0 if the split cannot go by
        the first column, because too few rows would be left.
    units : int
        The number of groups, or of distinct times.
    further_names : tuple of str
        Columns that are further names of the groups, and so no features.
    """

    found: tuple[Dependence, ...] = ()
    names: tuple[str, ...] = ()
    folds: int = 0
    units: int = 0
    further_names: tuple[str, ...] = ()

    @property
    def split(self) -> tuple[Literal["group", "time"], str] | None:
        """The key of ``data.split`` and the name of the column that the split goes by; None if it is at random."""
        return (self.found[0].key, self.names[0]) if self.folds else None

    @property
    def group(self) -> str | None:
        """The column of groups that the split goes by, or None."""
        return self.names[0] if self.folds and self.found[0].key == "group" else None

    @property
    def time(self) -> str | None:
        """The column of times that the split goes by, or None."""
        return self.names[0] if self.folds and self.found[0].key == "time" else None

    def sentences(self) -> list[str]:
        """Return what was found and what the split does about it, as sentences; empty if nothing was found."""
        if not self.found:
            return []
        first, *others = self.found
        reason = first.reason[0].upper() + first.reason[1:]
        if self.folds:
            near = "of the same groups" if first.key == "group" else "near in time"
            made = [f"{reason}, so the test set has {first.held_out}."]
            made += [f"A random split would flatter, because the training set would have rows {near}."]
        else:
            what = "groups" if first.key == "group" else "times"
            made = [f"{reason}, so this random split flatters. There are too few {what} to split by."]
        return [*made, *(f"{each.reason[0].upper()}{each.reason[1:]} too." for each in others)]

    def words(self, name: str) -> str:
        """Return what a comment says of a column because of the split; empty if the split does not change its use."""
        if name == self.group:
            return f"{counted(self.units, 'group')}, which the split keeps together; no feature"
        if name == self.time:
            return "the split goes by it"
        return f'not used: follows from "{self.group}"' if name in self.further_names else ""


def row_structure(
    columns: Sequence[Column], cells: Callable[[int], NDArray[np.float64]], targets: Sequence[Target]
) -> RowStructure:
    """Return the structure of a table's rows.

    Parameters
    ----------
    columns : sequence of Column
        All columns but the targets.
    cells : callable
        Function that returns the cells of a column by index, (rows,), with NaN for missing cells.
    targets : sequence of Target
    """
    found = sorted(dependences(columns, cells, targets), key=lambda each: each.key)
    possible = [(each, *_folds(each, cells(each.column))) for each in found]
    possible.sort(key=lambda each: each[1] < FEWEST_FOLDS)
    if not possible:
        return RowStructure()
    first, folds, units = possible[0]
    has_split = folds >= FEWEST_FOLDS
    further = names_of_groups(columns, cells, first.column) if has_split and first.key == "group" else []
    return RowStructure(
        tuple(each for each, *_ in possible),
        tuple(columns[each.column].name for each, *_ in possible),
        folds if has_split else 0,
        units,
        tuple(columns[index].name for index in further),
    )


def _folds(found: Dependence, cells: NDArray[np.float64]) -> tuple[int, int]:
    """Return the number of folds that a split by a column surely leaves, and the number of groups or distinct times.

    Each of two sets takes whole groups in any order until it has enough rows, at worst the smallest groups and the
    largest. Blocks of times are not empty if they are not shorter than the rows of the most frequent time.
    """
    rows, sizes = len(cells), np.sort(np.unique(cells, return_counts=True)[1])  # missing cells are one group
    largest = int(sizes[-1]) / rows
    if found.key == "time":
        left = 1 - HELD_OUT - 2 * largest
        return (0 if np.isnan(cells).any() else max(0, int(left / largest))), len(sizes)
    taken = int(np.searchsorted(np.cumsum(sizes), HELD_OUT * rows)) + 2
    return (0 if largest > 1 / 2 else max(0, len(sizes) - taken)), len(sizes)
