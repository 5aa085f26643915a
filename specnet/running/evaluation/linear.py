"""The linear baseline: what scikit-learn's logistic or ridge regression answers, by the same loss and metrics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specnet.data import Preparation, unfitted
from specnet.model import Answers, Model
from specnet.parts.arrays import FLOAT64, Array
from specnet.parts.preprocessing import Standardize
from specnet.running.evaluation.constant import Outputs, least_outputs, share_outputs

MOST_ITERATIONS = 1_000


def linear_outputs(
    head: Model, training: Answers, columns: Array, test_columns: Array, category_counts: Mapping[int, int]
) -> Outputs:
    """Return a linear model's outputs for test rows as the loss sees them, (rows, outputs).

    Parameters
    ----------
    head : Model
        What `output_model` returns.
    training : Answers
        Of training rows, whatever the outputs.
    columns, test_columns : ndarray (rows, columns)
        Finite features of training and test rows.
    category_counts : mapping of int to int
        The number of categories of the columns that hold codes of categories, by their places.
    """
    numbers, test_numbers = (_with_indicators(rows, category_counts) for rows in (columns, test_columns))
    preparation = Preparation.fit(unfitted((Standardize(),)), numbers, training.weight)
    features = preparation.prepare(numbers), preparation.prepare(test_numbers)
    match head.network.task:
        case "values":
            return _values(head, training, *features)
        case "multilabel":
            targets, weight = training.target.T.astype(np.intp), training.weight
            return share_outputs(
                head, np.stack([_shares(target, 2, weight, *features)[:, 1] for target in targets], axis=1)
            )
        case "binary":
            return share_outputs(head, _shares(training.target, 2, training.weight, *features)[:, 1:])
        case "classes":
            return share_outputs(head, _shares(training.target, head.network.outputs, training.weight, *features))


def _with_indicators(columns: Array, category_counts: Mapping[int, int]) -> NDArray[np.float64]:
    """Return columns in float64, in place of codes a 0/1 column for each category but 0, as `one_hot` has them."""
    numbers = [place for place in range(columns.shape[1]) if place not in category_counts]
    indicators = (columns[:, [place]] == np.arange(1, count) for place, count in category_counts.items())
    return np.concatenate([columns[:, numbers], *indicators], axis=1, dtype=FLOAT64)


def _shares(
    target: NDArray[np.intp], classes: int, weight: NDArray[Any] | None, columns: Array, test_columns: Array
) -> Outputs:
    """Return the probability of each class for test rows, 0 for those that no training row has."""
    from sklearn.linear_model import LogisticRegression

    shares = np.zeros((len(test_columns), classes))
    there = np.unique(target)
    if len(there) == 1:
        shares[:, there] = 1.0
    else:
        model = LogisticRegression(max_iter=MOST_ITERATIONS).fit(columns, target, weight)
        shares[:, there] = model.predict_proba(test_columns)
    return shares


def _values(head: Model, training: Answers, columns: Array, test_columns: Array) -> Outputs:
    """Return the outputs for values as the loss takes them; of several outputs a target the others are constant."""
    from sklearn.linear_model import Ridge

    size, outputs = head.network.target_size, head.network.outputs
    wanted = training.wanted.astype(np.float64)
    model = Ridge().fit(columns, wanted, training.weight)
    fitted, answers = (
        np.concatenate(
            [_raw(head, model.predict(rows).reshape(-1, size), wanted), np.zeros((len(rows), outputs - size))], axis=1
        )
        for rows in (columns, test_columns)
    )
    return answers + least_outputs(head, training, fitted, fixed=size) if outputs > size else answers


def _raw(head: Model, values: Outputs, wanted: Outputs) -> Outputs:
    """Return values as outputs that the loss sees.

    Where those are logarithms, values stay above half the least positive one of the training target, as only positive
    values have one.
    """
    loss = head.spec.training.loss
    if loss.accepted_activations is None or loss.output_activation == "linear":
        return values
    positive = wanted[wanted > 0]
    return np.log(np.maximum(values, positive.min() / 2 if positive.size else 1.0))
