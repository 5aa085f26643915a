"""What figures hide: which classes are mistaken for which, how probabilities fit, how errors are spread."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from specnet.model import Answers, Model
from specnet.parts.arrays import Array
from specnet.running.evaluation.resampling import coverage

CALIBRATION_BINS = 10
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)

Numbers = NDArray[np.float64]


def answer_tables(model: Model, answers: Answers) -> dict[str, Any]:
    """Return the tables of a model's answers for test rows, as plain data; what is not defined is None."""
    match model.network.task:
        case "values":
            tables = _of_values(model, answers)
        case "multilabel":
            tables = _of_outputs(model, answers)
        case _:
            tables = _of_classes(model, answers)
    covered = coverage(model, answers)
    return tables | ({"coverage": covered} if covered else {})


def _of_classes(model: Model, answers: Answers) -> dict[str, Any]:
    assert model.labels is not None, "a classifier has labels"
    confusion = _confusion(answers.target, answers.prediction, len(model.labels), answers.weight)
    right = confusion.diagonal()
    tables = {
        "labels": model.labels.tolist(),
        "confusion": _counts(confusion, answers),
        "recall": _ratios(right, confusion.sum(axis=1)),
        "precision": _ratios(right, confusion.sum(axis=0)),
    }
    if len(model.labels) == 2:
        tables["calibration"] = None if answers.probability is None else _calibration(answers, answers.probability)
    return tables


def _of_outputs(model: Model, answers: Answers) -> dict[str, Any]:
    pairs = zip(answers.target.T.astype(np.intp), answers.prediction.T, strict=True)
    words = model.target_words
    return {
        "outputs": _output_names(model),
        **({"words": {name: list(pair) for name, pair in words.items()}} if words else {}),
        "confusion": [_counts(_confusion(*pair, 2, answers.weight), answers) for pair in pairs],
    }


def _of_values(model: Model, answers: Answers) -> dict[str, Any]:
    target, prediction = (
        values.reshape(len(answers), -1).astype(np.float64) for values in (answers.target, answers.prediction)
    )
    return {
        "outputs": _output_names(model),
        "bias": np.average(prediction - target, axis=0, weights=answers.weight).tolist(),
        "residual_quantiles": _quantiles(target - prediction, answers.weight).T.tolist(),
    }


def _confusion(target: Array, prediction: Array, classes: int, weight: Numbers | None) -> Numbers:
    """Return how many rows, or how much weight, of each class (rows) are predicted as each (columns)."""
    pairs = target.astype(np.intp) * classes + prediction
    return np.bincount(pairs, weight, classes * classes).astype(np.float64).reshape(classes, classes)


def _calibration(answers: Answers, probability: Array) -> list[list[float | int | None]]:
    """Return rows, mean probability of the second class and its share, for each bin of that probability.

    A bin is without its lower end, but for the first one.
    """
    given = probability[:, 1].astype(np.float64)
    edges = np.linspace(0, 1, CALIBRATION_BINS + 1)[1:-1]
    bins = np.searchsorted(edges, given)
    weight = np.ones(len(given)) if answers.weight is None else answers.weight
    total, probable, second = (
        np.bincount(bins, weight * numbers, CALIBRATION_BINS) for numbers in (1.0, given, answers.target)
    )
    rows = np.bincount(bins, minlength=CALIBRATION_BINS).tolist()
    return [list(row) for row in zip(rows, _ratios(probable, total), _ratios(second, total), strict=True)]


def _quantiles(numbers: Numbers, weight: Numbers | None) -> Numbers:
    """Return quantiles (quantiles, outputs); of weighted rows without interpolation."""
    if weight is None:
        return np.quantile(numbers, QUANTILES, axis=0)
    return np.quantile(numbers, QUANTILES, axis=0, weights=weight, method="inverted_cdf")


def _ratios(parts: Array, wholes: Array) -> list[float | None]:
    return [float(part / whole) if whole else None for part, whole in zip(parts, wholes, strict=True)]


def _counts(confusion: Numbers, answers: Answers) -> list[Any]:
    """Return a table as plain data: whole numbers where rows do not have weights."""
    counts: list[Any] = (confusion if answers.weight is not None else confusion.astype(np.int64)).tolist()
    return counts


def _output_names(model: Model) -> list[Any]:
    """Return the names of the target's columns, their positions where they have none."""
    return list(model.target_names or range(model.network.target_size))
