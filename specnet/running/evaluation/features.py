"""What baselines are fitted on: the columns that a network reads, encoded densely and standardized."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from specnet.data import Preparation, unfitted
from specnet.model import Answers, Model
from specnet.parts.arrays import FLOAT64, Array
from specnet.parts.preprocessing import Standardize
from specnet.running.evaluation.constant import Outputs, least_outputs

LARGEST = 1e100
"""Larger numbers count as this: a network may read them, but their squares would not be finite."""
Numbers = NDArray[np.float64]
Predictor = Callable[[Numbers], Outputs]
"""From features (rows, features) to outputs as the loss sees them, (rows, outputs)."""


class Features:
    """Columns (rows, inputs) as baselines read them: standardized, and categories as 0/1 columns.

    Parameters
    ----------
    columns : ndarray (rows, inputs)
        Finite columns of the training rows that the scale is fitted on.
    weight : ndarray (rows,) or None
    category_counts : mapping of int to int
        The number of categories of the columns that hold codes of categories, by their places.
    """

    def __init__(self, columns: Array, weight: Numbers | None, category_counts: Mapping[int, int]) -> None:
        self._category_counts = category_counts
        numbers = self._with_indicators(columns)
        self._preparation = Preparation.fit(unfitted((Standardize(),)), numbers, weight)

    def of(self, columns: Array) -> Numbers:
        """Return the features of rows."""
        return self._preparation.prepare(self._with_indicators(columns))

    def _with_indicators(self, columns: Array) -> Numbers:
        """Return columns in float64, in place of codes a 0/1 column for each category but 0, as `one_hot` has them."""
        counts = self._category_counts
        numbers = [place for place in range(columns.shape[1]) if place not in counts]
        indicators = (columns[:, [place]] == np.arange(1, count) for place, count in counts.items())
        bounded = np.clip(columns[:, numbers], -LARGEST, LARGEST, dtype=FLOAT64)
        return np.concatenate([bounded, *indicators], axis=1, dtype=FLOAT64)


def value_outputs(head: Model, training: Answers, features: Numbers, predict: Predictor) -> Predictor:
    """Return what gives the outputs of a predictor of values; of several outputs a target the others are constant.

    Parameters
    ----------
    head : Model
        What `output_model` returns.
    training : Answers
        Of training rows, whatever the outputs.
    features : (rows, features)
        Of the same rows.
    predict : callable
        From features to values as the training target has them, (rows, targets).
    """
    size, outputs = head.network.target_size, head.network.outputs
    wanted = training.wanted.astype(np.float64)

    def first(rows: Numbers) -> Outputs:
        given = _raw_outputs(head, predict(rows), wanted)
        return np.concatenate([given, np.zeros((len(rows), outputs - size))], axis=1)

    added = least_outputs(head, training, first(features), fixed=size) if outputs > size else np.zeros(outputs)
    return lambda rows: first(rows) + added


def _raw_outputs(head: Model, values: Outputs, wanted: Outputs) -> Outputs:
    """Return values as outputs that the loss sees.

    Where those are logarithms, values stay above half the least positive one of the training target, as only positive
    values have one.
    """
    loss = head.spec.training.loss
    if loss.accepted_activations is None or loss.output_activation == "linear":
        return values
    positive = wanted[wanted > 0]
    return np.log(np.maximum(values, positive.min() / 2 if positive.size else 1.0))
