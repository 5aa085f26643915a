"""Detection of columns that almost determine the target.

For classes, class changes along a column's values are counted. For values, ranks or a linear model are compared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from specnet.parts.data.column_kinds import are_frequent

MIN_CLASS_ROWS = 20
MIN_VALUE_ROWS = 30
CLASS_THRESHOLD = 0.98
RANK_THRESHOLD = 0.995
EXPLAINED = 0.99
"""Explained fraction of the target's variance above which a leak is suspected; the square of `RANK_THRESHOLD`."""
MAX_TERMS, MAX_COLUMNS = 20, 200
"""The largest number of terms in a linear model, and of candidate columns for it."""
ROWS_TO_A_TERM = 10
MIN_PRESENT = 0.9
"""The smallest fraction of present cells of a column in a linear model."""
SLIGHT = 1e-10
"""Number added to the squared lengths of columns, so that the matrix of dependent columns is invertible."""
SAMPLE = 8
"""The step between the rows of a sample that is examined first."""
RANK_SAMPLE = 10_000
SURELY_LESS = 0.95
"""If the rank correlation of a sample is below this, the correlation of all rows is below the threshold."""
LARGE = 20_000
"""The number of rows up to which a sample saves no time."""

Column = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ClassTarget:
    """A target of classes.

    Attributes
    ----------
    classes : ndarray (rows,)
        The class index of each row, from 0.
    """

    classes: NDArray[np.intp]
    reason: ClassVar[str] = "its values separate the classes"

    def is_given_away(self, column: Column, *, is_category: bool = False) -> bool:
        """Return whether a column almost determines the classes; missing cells count as one more value.

        Each value predicts the majority class of its rows. The cost is the number of class changes along ascending
        values, minus the changes that the classes need, plus two for each row outside its value's majority. It is
        compared with the Gini impurity of the classes, times the number of rows.
        """
        rows = len(self.classes)
        counts = np.bincount(self.classes)
        mixed = rows * (1 - float(np.square(counts / rows).sum()))
        if rows < MIN_CLASS_ROWS or np.count_nonzero(counts) < 2:
            return False
        allowed = (1 - CLASS_THRESHOLD) * mixed
        column = np.where(np.isnan(column), np.inf, column)
        needed = int(np.count_nonzero(counts)) - 1
        if rows > LARGE:  # a subset of the rows never costs more than all rows
            part = slice(None, None, SAMPLE)
            if _cost(column[part], self.classes[part], needed, is_category) > allowed:
                return False
        # Rare texts determine the target only as an identifier does.
        if is_category and not are_frequent(np.unique(column, return_counts=True)[1]):
            return False
        return _cost(column, self.classes, needed, is_category) <= allowed * (1 + 1e-12)

    def some(self, rows: NDArray[np.intp]) -> ClassTarget:
        """Return the target of the given rows."""
        return ClassTarget(self.classes[rows])

    @property
    def answers(self) -> Column:
        """An indicator of each class, (rows, classes); the sum of their variances is the Gini impurity."""
        return np.eye(int(self.classes.max()) + 1)[self.classes]

    def groups_of_a_class(self, groups: NDArray[np.intp]) -> float:
        """Return the effective number of groups with a row's class: the median inverse Simpson index.

        `groups` has the group number of each row, from 0.
        """
        width = int(groups.max()) + 1
        pairs, sizes = np.unique(self.classes * width + groups, return_counts=True)
        squares = np.bincount(pairs // width, sizes.astype(float) ** 2)
        return float(np.median((np.bincount(self.classes) ** 2 / np.maximum(squares, 1))[self.classes]))

    def explained_by(self, groups: NDArray[np.intp]) -> float:
        """Return the fraction of the Gini impurity that groups of rows explain beyond chance.

        `groups` has the group number of each row, from 0.
        """
        count, rows = int(self.classes.max()) + 1, len(self.classes)
        sizes = np.bincount(groups)
        pairs, times = np.unique(groups * count + self.classes, return_counts=True)
        within = rows - float((times**2 / sizes[pairs // count]).sum())
        return _beyond_chance(within, rows - float((np.bincount(self.classes) ** 2).sum()) / rows, rows, sizes)


@dataclass(frozen=True, eq=False)
class ValueTarget:
    """A target of values, (rows,)."""

    values: Column
    reason: ClassVar[str] = "both rank the rows alike"

    def is_given_away(self, column: Column, *, is_category: bool = False) -> bool:
        """Return whether a column almost determines the values.

        A column of numbers does so if its present cells rank the rows almost as the values do, in the same or the
        reverse order. A category does so if its texts, including a missing one, explain almost all of the variance.
        """
        if is_category:
            _, codes, counts = np.unique(column, return_inverse=True, return_counts=True)
            is_known = len(column) >= MIN_VALUE_ROWS and are_frequent(counts)
            return is_known and explained_fraction(self.values, codes) >= EXPLAINED
        present = np.flatnonzero(~np.isnan(column))
        if len(present) < MIN_VALUE_ROWS:
            return False
        if len(present) > LARGE:
            part = present[:: len(present) // RANK_SAMPLE]
            if _rank_correlation(column[part], self.values[part]) < SURELY_LESS:
                return False
        return _rank_correlation(column[present], self.values[present]) >= RANK_THRESHOLD

    def some(self, rows: NDArray[np.intp]) -> ValueTarget:
        """Return the target of the given rows."""
        return ValueTarget(self.values[rows])

    @property
    def answers(self) -> Column:
        """The ranks of the values, (rows,)."""
        return _ranks(self.values)

    def groups_of_a_class(self, groups: NDArray[np.intp]) -> float:
        """Return infinity, because values are not divided into classes."""
        return np.inf

    def explained_by(self, groups: NDArray[np.intp]) -> float:
        """Return the fraction of the variance of the values' ranks that groups explain beyond chance."""
        return explained_fraction(_ranks(self.values), groups)


Target = ClassTarget | ValueTarget


def linear_leak(column: Callable[[int], Column], candidates: Iterable[int], values: Column) -> tuple[list[int], float]:
    """Return the columns of a short linear model that explains almost all of the values, and the explained fraction.

    Columns are removed from a model of all columns as long as the remaining ones suffice, because the parts of a sum
    may explain nothing alone.

    Parameters
    ----------
    column : callable
        Function that returns the cells of a column, (rows,), with NaN for missing cells.
    candidates : iterable of int
        Indices of the columns to try.
    values : ndarray (rows,)

    Returns
    -------
    list of int
        Column indices in ascending order; empty if no model with at most `MAX_TERMS` columns and at least
        `ROWS_TO_A_TERM` rows per column explains the values.
    float
        R², adjusted for the number of columns.
    """
    some = slice(None, None, -(-len(values) // LARGE))
    values = values[some]
    chosen = _most_correlated(column, candidates, some, values)
    if len(values) < MIN_VALUE_ROWS or not chosen:
        return [], 0.0
    cells = np.column_stack([column(index)[some] for index in chosen])
    whole = ~np.isnan(cells).any(axis=1)
    cells, values = cells[whole], values[whole]
    if len(values) < MIN_VALUE_ROWS or not np.ptp(values):
        return [], 0.0
    cells, values = cells - cells.mean(axis=0), values - values.mean()
    sizes = np.sqrt(np.square(cells).sum(axis=0))
    cells /= np.where(sizes > 0, sizes, 1)
    values /= np.sqrt(values @ values)
    terms, explained = _without_needless(cells, values)
    if not terms or len(terms) > min(MAX_TERMS, len(values) // ROWS_TO_A_TERM):
        return [], 0.0
    return sorted(chosen[term] for term in terms), explained


def _most_correlated(
    column: Callable[[int], Column], candidates: Iterable[int], some: slice, values: Column
) -> list[int]:
    """Return, in ascending order, the columns that correlate most with the values and have few missing cells."""
    found = []
    for index in candidates:
        cells = column(index)[some]
        present = ~np.isnan(cells)
        if present.mean() >= MIN_PRESENT and np.ptp(cells[present]) > 0:
            centered = cells[present] - cells[present].mean()
            size = float(np.sqrt(centered @ centered))
            found.append((-abs(float(values[present] @ centered)) / size, index))
    return sorted(index for _, index in sorted(found)[:MAX_COLUMNS])


def _without_needless(cells: NDArray[np.float64], values: Column) -> tuple[list[int], float]:
    """Return a minimal list of columns that explain almost all of the values, and the explained fraction.

    The list is empty if all columns together do not suffice. Columns and values must be centered and of length 1.
    """
    rows, terms = len(values), list(range(cells.shape[1]))
    inverse = np.linalg.inv(cells.T @ cells + np.eye(len(terms)) * SLIGHT)
    factors = inverse @ (cells.T @ values)
    left = max(1 - float(values @ (cells @ factors)), 0.0)

    def explained(left: float, terms: int) -> float:
        return 1 - left * (rows - 1) / (rows - terms - 1) if rows > terms + 1 else 0.0

    if explained(left, len(terms)) < EXPLAINED:
        return [], 0.0
    while len(terms) > 1:
        costs = factors**2 / inverse.diagonal()
        least = int(costs.argmin())
        if explained(left + costs[least], len(terms) - 1) < EXPLAINED:
            break
        left += float(costs[least])
        others = np.arange(len(terms)) != least
        shares = inverse[others, least] / inverse[least, least]
        factors = factors[others] - shares * factors[least]
        inverse = inverse[np.ix_(others, others)] - np.outer(shares, inverse[least, others])
        del terms[least]
    return terms, explained(left, len(terms))


def explained_fraction(values: Column, groups: NDArray[np.intp]) -> float:
    """Return η², the fraction of the variance of values that groups of rows explain, adjusted for chance."""
    sizes, centered = np.bincount(groups), values - values.mean()
    within = centered - (np.bincount(groups, centered) / np.maximum(sizes, 1))[groups]
    return _beyond_chance(float(within @ within), float(centered @ centered), len(values), sizes)


def _beyond_chance(within: float, whole: float, rows: int, sizes: NDArray[np.intp]) -> float:
    """Return the fraction of a sum of squares that lies between groups; adjusted to be 0 on average by chance."""
    groups = int(np.count_nonzero(sizes))
    return 1 - within / (rows - groups) / (whole / (rows - 1)) if whole > 0 and rows > groups else 0.0


def _cost(column: Column, classes: NDArray[np.intp], needed: int, is_category: bool) -> int:
    """Return the cost of predicting classes from a column; see `ClassTarget.is_given_away`.

    A value without a majority, because its most frequent classes are equally frequent, adds no class change.
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
    """Return the absolute value of Spearman's correlation; 0 if a column is constant."""
    ranks = [_ranks(numbers) for numbers in (first, second)]
    centered = [rank - rank.mean() for rank in ranks]
    sizes = [float(np.sqrt(rank @ rank)) for rank in centered]
    return abs(float(centered[0] @ centered[1])) / (sizes[0] * sizes[1]) if all(sizes) else 0.0


def _ranks(numbers: Column) -> Column:
    """Return twice the rank from 0 of each number, plus 1; equal numbers have the mean of their ranks."""
    order = np.argsort(numbers)
    ordered = numbers[order]
    new = np.concatenate([[True], ordered[1:] != ordered[:-1]])
    starts = np.flatnonzero(new)
    ranks = np.empty(len(numbers))
    ranks[order] = (starts + np.append(starts[1:], len(numbers)))[np.cumsum(new) - 1]
    return ranks
