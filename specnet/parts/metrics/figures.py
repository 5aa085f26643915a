"""The most common functions of scikit-learn in NumPy, operation by operation: the same bits without its import.

Each accepts target and response as in `Metric.compute`, and the keywords of the function. The result is NaN if
scikit-learn refuses the rows: numbers that are not finite, no rows, or only rows of weight 0.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Weight = NDArray[Any] | None
Figure = Callable[..., float]


def _where_defined(figure: Figure) -> Figure:
    """Return the function changed to return NaN if scikit-learn refuses the rows."""

    def defined(target: Array, response: Array, *, sample_weight: Weight = None, **keywords: Any) -> float:
        weighed = sample_weight is None or (np.isfinite(sample_weight).all() and sample_weight.any())
        if not (len(target) and weighed and np.isfinite(target).all() and np.isfinite(response).all()):
            return float("nan")
        return float(figure(target, response, sample_weight=sample_weight, **keywords))

    return defined


@_where_defined
def accuracy_score(target: Array, prediction: Array, *, sample_weight: Weight) -> float:
    right = (target == prediction).reshape(len(target), -1).all(axis=1)
    return float(np.average(right, weights=sample_weight))


@_where_defined
def balanced_accuracy_score(target: Array, prediction: Array, *, sample_weight: Weight) -> float:
    names, indices = np.unique(np.concatenate([target, prediction]), return_inverse=True)
    true, given = np.split(indices, 2)
    counts = np.bincount(true * len(names) + given, sample_weight, len(names) ** 2).reshape(len(names), -1)
    sums = counts.sum(axis=1)
    recalls = counts.diagonal() / sums
    return float(recalls[sums != 0].mean())


def _of_classes(fraction: Callable[[Array, Array, Array], tuple[Array, Array]]) -> Figure:
    """Return an average over classes of a fraction, given the sums of correctly predicted, predicted and true rows."""

    def averaged(
        target: Array, prediction: Array, *, sample_weight: Weight, average: str, zero_division: float
    ) -> float:
        if average == "binary":
            target, prediction = (labels[:, np.newaxis] == 1 for labels in (target, prediction))
        members, count = _members(target, prediction)

        def sums(rows: Array, classes: Array) -> Array:
            if average == "samples":
                return np.bincount(rows, minlength=len(target)) * (1 if sample_weight is None else sample_weight)
            return np.bincount(classes, None if sample_weight is None else sample_weight[rows], count)

        both, *others = (sums(*pair) for pair in members)
        given, true = (both + (other - both) for other in others)  # rounded as by way of the confusion matrix
        if average == "micro":
            both, given, true = (each.sum(keepdims=True) for each in (both, given, true))
        numerator, denominator = fraction(both, given, true)
        fractions = np.where(denominator == 0, zero_division, numerator / denominator)
        weights = {"weighted": true, "samples": sample_weight}.get(average)
        return float(np.average(fractions, weights=weights if weights is not None and weights.any() else None))

    return _where_defined(averaged)


def _members(target: Array, prediction: Array) -> tuple[list[tuple[Array, Array]], int]:
    """Return the (row, class) indices of correct predictions, of all predictions, and of all true labels.

    Return also the number of classes that occur; for 0/1 outputs, the number of outputs.
    """
    if target.ndim == 2:
        return [np.nonzero(labels) for labels in (target * prediction, prediction, target)], target.shape[1]
    names, indices = np.unique(np.concatenate([target, prediction]), return_inverse=True)
    (true, given), rows = np.split(indices, 2), np.arange(len(target))
    right = np.flatnonzero(true == given)
    return [(right, true[right]), (rows, given), (rows, true)], len(names)


precision_score = _of_classes(lambda both, given, true: (both, given))
recall_score = _of_classes(lambda both, given, true: (both, true))
f1_score = _of_classes(lambda both, given, true: (2.0 * both, true + given))


@_where_defined
def log_loss(target: Array, probability: Array, *, sample_weight: Weight, labels: Array) -> float:
    if probability.max() > 1 or probability.min() < 0:
        return float("nan")
    if probability.ndim == 1:
        probability = np.stack([1 - probability, probability], axis=1)
    least = np.finfo(probability.dtype).eps
    losses = -np.log(np.clip(probability[np.arange(len(target)), target], least, 1 - least))
    return float(np.average(losses, weights=sample_weight))


@_where_defined
def roc_auc_score(target: Array, probability: Array, *, sample_weight: Weight) -> float:
    columns = zip(target.reshape(len(target), -1).T, probability.reshape(len(target), -1).T, strict=True)
    return float(np.average([_area(*column, sample_weight) for column in columns]))


def _area(target: Array, score: Array, weight: Weight) -> float:
    """Return the area under one output's curve by the trapezoidal rule, without the corners on straight lines."""
    counted = np.ones(len(target)) if weight is None else weight.astype(np.float64)
    order = np.argsort(-score, kind="stable")
    order = order[counted[order] != 0]
    target, score, counted = target[order], score[order], counted[order]
    last = np.append(np.flatnonzero(np.diff(score)), len(score) - 1)
    second = np.cumsum(target * counted)[last]
    first = np.cumsum((1 - target) * counted)[last]
    if len(last) > 2:
        corner = np.r_[True, (np.diff(first, 2) != 0) | (np.diff(second, 2) != 0), True]
        first, second = first[corner], second[corner]
    x, y = (np.append(0.0, sums) / sums[-1] for sums in (first, second))
    return float(np.trapezoid(y, x))


def _of_values(figure: Callable[[Array, Array, Weight], Array]) -> Figure:
    """Return a function that averages a figure over outputs, for numbers (rows, outputs) in their common precision."""

    def averaged(target: Array, prediction: Array, *, sample_weight: Weight) -> float:
        given = (numbers.dtype for numbers in (target, prediction, sample_weight) if numbers is not None)
        precisions = [dtype for dtype in given if dtype.kind == "f"]
        precision = np.result_type(*precisions) if precisions else np.float64
        target, prediction = (numbers.astype(precision).reshape(len(numbers), -1) for numbers in (target, prediction))
        weight = None if sample_weight is None else sample_weight.astype(precision)
        return float(np.average(figure(target, prediction, weight)))

    return _where_defined(averaged)


@_of_values
def mean_absolute_error(target: Array, prediction: Array, weight: Weight) -> Array:
    return np.average(np.abs(prediction - target), axis=0, weights=weight)


@_of_values
def mean_squared_error(target: Array, prediction: Array, weight: Weight) -> Array:
    return np.average((target - prediction) ** 2, axis=0, weights=weight)


@_of_values
def root_mean_squared_error(target: Array, prediction: Array, weight: Weight) -> Array:
    return np.sqrt(np.average((target - prediction) ** 2, axis=0, weights=weight))


@_of_values
def r2_score(target: Array, prediction: Array, weight: Weight) -> Array:
    """Return R² of each output; for a constant target, 1 if predictions are exact, else 0."""
    if len(target) < 2:
        return np.array(np.nan)
    factor = 1.0 if weight is None else weight[:, np.newaxis]
    error = np.sum(factor * (target - prediction) ** 2, axis=0)
    deviation = np.sum(factor * (target - np.average(target, axis=0, weights=weight)) ** 2, axis=0)
    return 1 - np.where(deviation != 0, error / deviation, error != 0)
