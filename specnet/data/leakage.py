"""How nearly columns determine the target: classes by what changes along one, values by ranks or a linear model."""

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
"""Fraction of the variance of the target above which its explanation is suspicious; the square of the former."""
MAX_TERMS, MAX_COLUMNS = 20, 200
"""Terms of a linear model, and columns that are tried for it."""
ROWS_TO_A_TERM = 10
MIN_PRESENT = 0.9
"""A linear model is tried with columns of which at least this fraction of the cells is present."""
SLIGHT = 1e-10
"""Added to the squared lengths of columns, so that the matrix of dependent columns has an inverse."""
SAMPLE = 8
"""One in so many rows is examined first."""
RANK_SAMPLE = 10_000
SURELY_LESS = 0.95
"""If the rank correlation of a sample is below this, that of all rows is below the threshold."""
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
        if rows < MIN_CLASS_ROWS or np.count_nonzero(counts) < 2:
            return False
        allowed = (1 - CLASS_THRESHOLD) * mixed
        column = np.where(np.isnan(column), np.inf, column)
        needed = int(np.count_nonzero(counts)) - 1
        if rows > LARGE:  # no part of the rows costs more than all of them
            part = slice(None, None, SAMPLE)
            if _cost(column[part], self.classes[part], needed, is_category) > allowed:
                return False
        # Texts of fewer rows say as much of the target as an identifier does.
        if is_category and not are_frequent(np.unique(column, return_counts=True)[1]):
            return False
        return _cost(column, self.classes, needed, is_category) <= allowed * (1 + 1e-12)

    def some(self, rows: NDArray[np.intp]) -> ClassTarget:
        """Return the target of some rows."""
        return ClassTarget(self.classes[rows])

    def explained_by(self, groups: NDArray[np.intp]) -> float:
        """Return the fraction of Gini's impurity that groups of rows, numbered from 0, explain beyond chance."""
        count, rows = int(self.classes.max()) + 1, len(self.classes)
        sizes = np.bincount(groups)
        pairs, times = np.unique(groups * count + self.classes, return_counts=True)
        within = rows - float((times**2 / sizes[pairs // count]).sum())
        return _beyond_chance(within, rows - float((np.bincount(self.classes) ** 2).sum()) / rows, rows, sizes)


@dataclass(frozen=True, eq=False)
class ValueTarget:
    """The values of rows, (rows,)."""

    values: Column
    reason: ClassVar[str] = "both rank the rows alike"

    def is_given_away(self, column: Column, *, is_category: bool = False) -> bool:
        """Return whether a column almost determines the values.

        The present numbers of one rank rows almost as the values do, or the other way round. The texts of a category,
        a missing one among them, explain almost all of the values' variance.
        """
        if is_category:
            _, codes, counts = np.unique(column, return_inverse=True, return_counts=True)
            is_known = len(column) >= MIN_VALUE_ROWS and are_frequent(counts)
            return is_known and _explained(self.values, codes) >= EXPLAINED
        present = np.flatnonzero(~np.isnan(column))
        if len(present) < MIN_VALUE_ROWS:
            return False
        if len(present) > LARGE:
            part = present[:: len(present) // RANK_SAMPLE]
            if _rank_correlation(column[part], self.values[part]) < SURELY_LESS:
                return False
        return _rank_correlation(column[present], self.values[present]) >= RANK_THRESHOLD

    def some(self, rows: NDArray[np.intp]) -> ValueTarget:
        """Return the target of some rows."""
        return ValueTarget(self.values[rows])

    def explained_by(self, groups: NDArray[np.intp]) -> float:
        """Return the fraction of the variance of the values' ranks that groups of rows explain beyond chance."""
        return _explained(_ranks(self.values), groups)


Target = ClassTarget | ValueTarget


def linear_leak(column: Callable[[int], Column], candidates: Iterable[int], values: Column) -> tuple[list[int], float]:
    """Return the columns of a short linear model that explains almost all of the values, and the fraction that it does.

    Of a model of all columns one after the other is taken out, as long as the rest suffices: parts of a sum may say
    nothing alone.

    Parameters
    ----------
    column : callable
        Returns the cells of a column, (rows,), NaN where one is missing.
    candidates : iterable of int
        The columns to try.
    values : ndarray (rows,)

    Returns
    -------
    list of int
        Ascending; empty if there is no such model of `MAX_TERMS` columns, with `ROWS_TO_A_TERM` rows to each.
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
    """Return the columns with few missing cells that correlate most with the values of some rows, ascending."""
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
    """Return which of the columns suffice to explain almost all, and how much they do; none if all do not.

    Columns and values are centered and of length 1.
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


def _explained(values: Column, groups: NDArray[np.intp]) -> float:
    """Return η², the fraction of the variance of values that groups of rows explain, beyond chance."""
    sizes, centered = np.bincount(groups), values - values.mean()
    within = centered - (np.bincount(groups, centered) / np.maximum(sizes, 1))[groups]
    return _beyond_chance(float(within @ within), float(centered @ centered), len(values), sizes)


def _beyond_chance(within: float, whole: float, rows: int, sizes: NDArray[np.intp]) -> float:
    """Return the fraction of a sum of squares that is not within groups of these sizes; 0 on average by chance."""
    groups = int(np.count_nonzero(sizes))
    return 1 - within / (rows - groups) / (whole / (rows - 1)) if whole > 0 and rows > groups else 0.0


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
