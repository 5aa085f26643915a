"""How nearly one column alone determines the target: of classes by what changes along it, of values by its ranks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from specnet.parts.data.tables.judging import are_frequent

LEAST_CLASS_ROWS = 20
LEAST_VALUE_ROWS = 30
CLASS_THRESHOLD = 0.98
RANK_THRESHOLD = 0.995
SAMPLE = 8
"""Of so many rows one is looked at first."""
RANK_SAMPLE = 10_000
SURELY_LESS = 0.95
"""Of a sample's correlation of ranks: that of all rows is below the threshold then."""
LARGE = 20_000
"""Below so many rows a sample saves nothing."""

Column = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ClassTarget:
    """The classes of rows.

    Attributes
    ----------
    classes : ndarray (rows,)
        Indices from 0.
    """

    classes: NDArray[np.intp]
    reason: ClassVar[str] = "its values separate the classes"

    def is_given_away(self, column: Column, *, is_category: bool = False) -> bool:
        """Return whether a column, in which missing cells are one value more, almost determines the classes.

        All rows of a value are taken to be of its majority, and neighbouring values to belong together. What that costs
        is the class changes along the values beyond those that the classes need, and two for each row outside its
        value's majority; it is compared with the pairs of rows that differ in class.
        """
        rows = len(self.classes)
        counts = np.bincount(self.classes)
        mixed = rows * (1 - float(np.square(counts / rows).sum()))
        if rows < LEAST_CLASS_ROWS or np.count_nonzero(counts) < 2:
            return False
        most = (1 - CLASS_THRESHOLD) * mixed
        column = np.where(np.isnan(column), np.inf, column)
        needed = int(np.count_nonzero(counts)) - 1
        if rows > LARGE:  # no part of the rows costs more than all of them
            part = slice(None, None, SAMPLE)
            if _cost(column[part], self.classes[part], needed, is_category) > most:
                return False
        # Texts of fewer rows say as much of the target as an identifier does.
        if is_category and not are_frequent(np.unique(column, return_counts=True)[1]):
            return False
        return _cost(column, self.classes, needed, is_category) <= most * (1 + 1e-12)


@dataclass(frozen=True, eq=False)
class ValueTarget:
    """The values of rows, (rows,)."""

    values: Column
    reason: ClassVar[str] = "both rank the rows alike"

    def is_given_away(self, column: Column, *, is_category: bool = False) -> bool:
        """Return whether the present numbers of a column rank rows almost as the values do, or the other way round."""
        present = np.flatnonzero(~np.isnan(column))
        if is_category or len(present) < LEAST_VALUE_ROWS:
            return False
        if len(present) > LARGE:
            part = present[:: len(present) // RANK_SAMPLE]
            if _rank_correlation(column[part], self.values[part]) < SURELY_LESS:
                return False
        return _rank_correlation(column[present], self.values[present]) >= RANK_THRESHOLD


Target = ClassTarget | ValueTarget


def _cost(column: Column, classes: NDArray[np.intp], needed: int, is_category: bool) -> int:
    """Return the class changes along a column's values beyond those needed, and two for each row of another class.

    A value without a majority, where two classes are equally frequent, changes nothing.
    """
    order = np.argsort(column)
    ordered = column[order]
    values = np.cumsum(np.concatenate([[0], ordered[1:] != ordered[:-1]]))
    count = int(classes.max()) + 1
    pairs = np.sort(values * count + classes[order], kind="stable")
    starts = np.flatnonzero(np.concatenate([[True], pairs[1:] != pairs[:-1]]))
    rows = np.diff(np.append(starts, len(pairs)))
    value_of, class_of = np.divmod(pairs[starts], count)
    firsts = np.flatnonzero(np.concatenate([[True], value_of[1:] != value_of[:-1]]))
    largest = np.maximum.reduceat(rows, firsts)
    outside = len(column) - int(largest.sum())
    if is_category:
        return 2 * outside
    is_largest = rows == largest[value_of - value_of[0]]
    alone = np.add.reduceat(is_largest.astype(np.intp), firsts) == 1
    majorities = class_of[is_largest & alone[value_of - value_of[0]]]
    changes = int(np.count_nonzero(majorities[1:] != majorities[:-1]))
    return max(0, changes - needed) + 2 * outside


def _rank_correlation(first: Column, second: Column) -> float:
    """Return the size of Spearman's correlation, 0 where one of them does not vary."""
    ranks = [_ranks(numbers) for numbers in (first, second)]
    centered = [rank - rank.mean() for rank in ranks]
    sizes = [float(np.sqrt(rank @ rank)) for rank in centered]
    return abs(float(centered[0] @ centered[1])) / (sizes[0] * sizes[1]) if all(sizes) else 0.0


def _ranks(numbers: Column) -> Column:
    """Return twice the rank of each number, plus 1, equal ones with the mean of theirs."""
    order = np.argsort(numbers)
    ordered = numbers[order]
    new = np.concatenate([[True], ordered[1:] != ordered[:-1]])
    starts = np.flatnonzero(new)
    ranks = np.empty(len(numbers))
    ranks[order] = (starts + np.append(starts[1:], len(numbers)))[np.cumsum(new) - 1]
    return ranks
