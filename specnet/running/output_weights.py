"""Weights of the networks that the last layer averages, fitted to rows that they were not trained on.

Each weight is at least 0, and they add up to 1 (stacking, Wolpert 1992, Breiman 1996). They minimize the mean loss of
the held-out rows, and are built into the weights of the dense layers that are averaged. So files, exports and engines
do not change.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from specnet.model import Model
from specnet.parts.arrays import FLOAT64, Array
from specnet.parts.metrics.statistics import mean_with_error, weighted_mean
from specnet.running.calibration import with_parameters
from specnet.spec.resolving.graph import averaged_terms

Numbers = NDArray[np.float64]
WeightFigures = Mapping[str, Mapping[str, float | None]]
"""The entries of ``metrics.json``: ``weights`` by layer, and ``loss`` ``before``, with equal weights, and ``after``."""


def with_fitted_weights(
    model: Model,
    X: Array,
    loss_target: Array,
    weight: Numbers | None,
    parts: Sequence[NDArray[np.bool_] | slice],
    groups: NDArray[np.generic] | None,
) -> tuple[Model, WeightFigures]:
    """Return a model whose last layer averages its inputs with fitted weights, and figures about the weights.

    The weights remain equal if the gain is less than a standard error of the mean difference of the rows' losses.

    Parameters
    ----------
    model : Model
        Model whose last layer averages dense layers.
    X : ndarray (rows, inputs)
        Held-out rows as the network reads them.
    loss_target : ndarray
        Targets of the rows as the loss reads them.
    weight : ndarray (rows,) or None
    parts : sequence of mask or slice
        The held-out rows that each member predicts.
    groups : ndarray (rows,) or None
        Groups of rows that are not independent of each other.
    """
    from scipy.optimize import minimize

    network, decoder, terms = model.network, model.decoder, averaged_terms(model.network.nodes)
    keys, count = [network.nodes[number].key for number in terms], len(terms)
    rows = np.concatenate([np.arange(len(X))[part] for part in parts])
    found = [
        network.trained_outputs(theta, X[part], state)
        for part, (theta, state) in zip(parts, model.members, strict=True)
    ]
    outputs = np.concatenate(found, axis=1, dtype=FLOAT64)
    target, weight = loss_target[rows], None if weight is None else weight[rows]

    def losses(weights: Numbers) -> Numbers:
        mean: Numbers = decoder.losses(np.tensordot(weights, outputs, 1), target)
        return mean

    equal = np.full(count, 1 / count)
    solved = minimize(
        lambda weights: weighted_mean(losses(weights), weight),
        equal,
        method="SLSQP",
        bounds=[(0, 1)] * count,
        constraints={"type": "eq", "fun": lambda weights: weights.sum() - 1},
    )
    fitted = np.clip(solved.x, 0, 1) / np.clip(solved.x, 0, 1).sum()
    before, after = losses(equal), losses(fitted)
    gain, error = mean_with_error(before - after, weight, None if groups is None else groups[rows])
    if not gain > error:
        fitted, after = equal, before
    theta = model.theta.copy()
    for flat in np.atleast_2d(theta):
        for number, share in zip(terms, fitted, strict=True):
            for placed in network.layout.of_node(number):
                placed.view(flat)[...] *= count * share
    loss = {"before": weighted_mean(before, weight), "after": weighted_mean(after, weight)}
    return with_parameters(model, theta), {"weights": dict(zip(keys, fitted.tolist(), strict=True)), "loss": loss}
