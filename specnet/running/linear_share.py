"""A share of a linear model in the values that a network predicts, which becomes part of the weights.

Each network is mixed with a ridge regression on the rows that it was trained on: stacking (Wolpert 1992, Breiman 1996)
of two models whose shares add up to 1. The share is the one that minimizes the squared error of rows held out. Nothing
else knows of it: files, exports and engines have the weights that give such outputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from specnet.model import Model
from specnet.parts.arrays import FLOAT64, Array
from specnet.parts.metrics.statistics import mean_with_error, weighted_mean
from specnet.running.calibration import with_parameters
from specnet.running.evaluation.predictors import ridge_coefficients
from specnet.spec.resolving.graph import linear_part
from specnet.training import TrainingRows

Numbers = NDArray[np.float64]


class LinearShare(NamedTuple):
    """The share of linear models in a model's outputs, and what it is worth.

    Attributes
    ----------
    share : float
        From 0 to 1.
    before, after : float
        Mean squared error of the rows held out, each answered by models that were not trained on it, as the network
        reads them, without linear models and with their share.
    """

    share: float
    before: float
    after: float

    @property
    def factor(self) -> float:
        """What the network's own outputs are multiplied by."""
        return 1 - self.share

    def figures(self) -> dict[str, float | dict[str, float | None]]:
        """Return what ``metrics.json`` has of it."""
        return {"linear_share": self.share, "squared_error": {"before": self.before, "after": self.after}}


def with_linear_share(
    model: Model,
    raw: Sequence[Array],
    training: TrainingRows,
    folds: Array | None,
    held: TrainingRows,
    groups: NDArray[np.generic] | None = None,
) -> tuple[Model, LinearShare]:
    """Return a model whose outputs are mixed with those of linear models, and their share.

    It is 0 where it gains less than a standard error of the mean difference of the rows' squared errors.

    Parameters
    ----------
    model : Model
        Whose output is a sum with a linear part, as `linear_part` finds it.
    raw : sequence of ndarray (rows, outputs)
        Outputs for rows held out: of each network that answers for all of them.
    training : TrainingRows
        What the networks were trained on.
    folds : ndarray (rows,) or None
        The number of the network that has left a training row out, where each answered for such rows alone.
    held : TrainingRows
        The rows held out; the training rows where there are folds.
    groups : ndarray (rows,), optional
        Of rows that are not independent of each other.
    """
    everything = np.ones(len(training), bool)
    used = [everything] if folds is None else [folds != number for number in range(len(model.members))]
    linear = [_fitted(training.some(rows)) for rows in used]
    outputs, wanted = np.mean(raw, axis=0, dtype=FLOAT64), held.target.reshape(len(held), -1)
    given = np.empty_like(outputs)
    for rows, coefficients in zip(used, linear, strict=True):
        asked = slice(None) if folds is None else ~rows
        given[asked] = _values(coefficients, held.X[asked])
    error, change = wanted - outputs, given - outputs
    weight = None if held.weight is None else held.weight.astype(FLOAT64)
    size = _mean(change * change, weight)
    share = min(1.0, max(0.0, _mean(error * change, weight) / size)) if size else 0.0
    before, after = (((error - each * change) ** 2).mean(axis=1) for each in (0.0, share))
    gain, chance = mean_with_error(before - after, weight, groups)
    if not gain > chance:
        share, after = 0.0, before
    every = linear * len(model.members) if folds is None else linear
    return _mixed(model, every, share), LinearShare(share, weighted_mean(before, weight), weighted_mean(after, weight))


def _fitted(rows: TrainingRows) -> Numbers:
    weight = np.ones(len(rows)) if rows.weight is None else rows.weight.astype(FLOAT64)
    target = rows.target.reshape(len(rows), -1).astype(FLOAT64)
    return ridge_coefficients(rows.X.astype(FLOAT64), target, weight)


def _values(coefficients: Numbers, X: Array) -> Numbers:
    values: Numbers = X.astype(FLOAT64) @ coefficients[:-1] + coefficients[-1]
    return values


def _mean(numbers: Numbers, weight: Numbers | None) -> float:
    return weighted_mean(numbers.mean(axis=1), weight)


def _mixed(model: Model, linear: Sequence[Numbers], share: float) -> Model:
    """Return a model of which each network gives a share of what a linear model does, and the rest of its outputs."""
    nodes, layout = model.network.nodes, model.network.layout
    found = linear_part(nodes)
    assert found is not None, "a resolved spec mixes no others"
    part, terms = found
    theta = model.theta.copy()
    for flat, coefficients in zip(np.atleast_2d(theta), linear, strict=True):
        for number in terms:
            for placed in layout.of_node(number):
                placed.view(flat)[...] *= 1 - share
        (block,) = layout.of_node(part)
        block.view(flat)[...] += share * coefficients
    return with_parameters(model, theta)
