"""Statistics of weighted rows, and of the same rows under many weightings at once, for resampling."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Weightings = NDArray[np.float64]
"""The weight of each row, (weightings, rows)."""
Statistic = Callable[[Weightings], NDArray[np.float64]]
"""A function that returns the figure for each weighting, NaN if it is not defined."""

TWO_SIDED_95 = 1.9599639845400536
"""Number of standard deviations around the mean that contain 95 % of a normal distribution."""
LEAST_VARIANCE = 1e-12
"""Fraction of the mean square below which the variance of numbers is rounding error."""


def weighted_mean(numbers: NDArray[np.float64], weights: NDArray[np.float64] | None) -> float:
    """Return the mean of numbers (rows,), in which a row of weight 2 counts twice."""
    return float(numbers.sum() / len(numbers) if weights is None else (numbers @ weights) / weights.sum())


def wilson_bounds(fraction: float, rows: float) -> tuple[float, float]:
    """Return the ends of the 95 % interval of a fraction of independent rows (Wilson 1927)."""
    square = TWO_SIDED_95**2
    middle = (fraction + square / (2 * rows)) / (1 + square / rows)
    half = TWO_SIDED_95 / (1 + square / rows) * np.sqrt(fraction * (1 - fraction) / rows + square / (4 * rows**2))
    return max(0.0, float(middle - half)), min(1.0, float(middle + half))


def effective_rows(weights: NDArray[np.float64]) -> float:
    """Return the number of unweighted rows with an equally precise mean, (Σw)² ÷ Σw² (Kish 1965); 0 if all w are 0."""
    return float(weights.sum() ** 2 / np.square(weights).sum()) if weights.any() else 0.0


def mean_with_error(
    numbers: NDArray[np.float64], weights: NDArray[np.float64] | None, groups: NDArray[np.generic] | None = None
) -> tuple[float, float]:
    """Return the weighted mean of numbers (rows,) and its standard error, for independent rows or groups of rows."""
    weight = np.ones(len(numbers)) if weights is None else weights
    mean = weighted_mean(numbers, weights)
    deviations = weight * (numbers - mean)
    independent = deviations if groups is None else np.bincount(np.unique(groups, return_inverse=True)[1], deviations)
    return mean, float(np.sqrt(np.square(independent).sum()) / weight.sum())


def mean_statistic(numbers: NDArray[Any], *, sign: int = 1, root: bool = False) -> Statistic:
    """Return a function that computes the mean of numbers, (rows,) or (rows, outputs), under weightings.

    Parameters
    ----------
    numbers : ndarray
    sign : int
        Factor on the mean.
    root : bool
        Whether to return the square root of the mean of each output.
    """
    columns = numbers.reshape(len(numbers), -1).astype(np.float64)

    def statistic(weightings: Weightings) -> NDArray[np.float64]:
        with np.errstate(all="ignore"):
            means = weightings @ columns / weightings.sum(axis=1, keepdims=True)
            figures: NDArray[np.float64] = sign * (np.sqrt(means) if root else means).mean(axis=1)
        return figures

    return statistic


def determination_statistic(target: NDArray[Any], prediction: NDArray[Any]) -> Statistic:
    """Return a function that computes R², (rows,) or (rows, outputs), under weightings; NaN for a constant target."""
    expected, given = (values.reshape(len(values), -1).astype(np.float64) for values in (target, prediction))
    centered = expected - expected.mean(axis=0)  # avoids a loss of digits in the squares
    columns = np.concatenate([centered, centered**2, (expected - given) ** 2], axis=1)

    def statistic(weightings: Weightings) -> NDArray[np.float64]:
        with np.errstate(all="ignore"):
            means = weightings @ columns / weightings.sum(axis=1, keepdims=True)
            mean, square, error = np.split(means, 3, axis=1)
            variance = square - mean**2
            variance[variance <= LEAST_VARIANCE * square] = np.nan
            figures: NDArray[np.float64] = (1 - error / variance).mean(axis=1)
        return figures

    return statistic


def area_statistic(target: NDArray[Any], probability: NDArray[Any]) -> Statistic:
    """Return a function that computes the area under the ROC curve under weightings; NaN for a single class.

    The area is the fraction of pairs of rows, one of each class, in which the row of the second class has the larger
    probability; pairs with equal probabilities count half.
    """
    first, second = np.flatnonzero(target == 0), np.flatnonzero(target == 1)
    first, second = (rows[np.argsort(probability[rows], kind="stable")] for rows in (first, second))
    ordered, second_sorted = probability[first], probability[second]
    below, up_to = np.searchsorted(ordered, second_sorted, "left"), np.searchsorted(ordered, second_sorted, "right")
    has_ties = not np.array_equal(below, up_to)

    def statistic(weightings: Weightings) -> NDArray[np.float64]:
        reached = np.zeros((len(weightings), len(first) + 1))
        np.cumsum(weightings.take(first, axis=1), axis=1, out=reached[:, 1:])
        weights, beaten = weightings.take(second, axis=1), reached.take(below, axis=1)
        if has_ties:
            beaten = (beaten + reached.take(up_to, axis=1)) / 2
        with np.errstate(all="ignore"):
            area: NDArray[np.float64] = np.einsum("ij,ij->i", weights, beaten) / (weights.sum(axis=1) * reached[:, -1])
        return area

    return statistic


def precision_statistic(is_found: NDArray[np.bool_], probability: NDArray[Any]) -> Statistic:
    """Return a function that computes the average precision under weightings; NaN without rows of the class.

    It is the mean of the precision at each threshold, weighted by the increase in recall, as in scikit-learn.

    Parameters
    ----------
    is_found : ndarray (rows,)
        Whether a row is of the class.
    probability : ndarray (rows,)
        Probability of the class.
    """
    order = np.argsort(-probability, kind="stable")
    ordered, its = probability[order], is_found[order].astype(np.float64)
    ends = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True))  # the last row of each threshold

    def statistic(weightings: Weightings) -> NDArray[np.float64]:
        weights = weightings.take(order, axis=1)
        total = np.cumsum(weights, axis=1).take(ends, axis=1)
        right = np.cumsum(weights * its, axis=1).take(ends, axis=1)
        with np.errstate(all="ignore"):
            precision = np.where(total > 0, right / total, 0.0)
            area: NDArray[np.float64] = (np.diff(right, axis=1, prepend=0.0) * precision).sum(axis=1) / right[:, -1]
        return area

    return statistic


def recall_statistic(target: NDArray[Any], prediction: NDArray[Any]) -> Statistic:
    """Return a function that computes the balanced accuracy, the mean recall of the classes, under weightings."""
    classes = np.equal.outer(target, np.unique(target)).astype(np.float64)
    right = classes * np.equal(target, prediction)[:, None]

    def statistic(weightings: Weightings) -> NDArray[np.float64]:
        with np.errstate(all="ignore"):
            recalls = (weightings @ right) / (weightings @ classes)
            found: NDArray[np.float64] = np.nanmean(recalls, axis=1)
        return found

    return statistic
