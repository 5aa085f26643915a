"""Calibration of probabilities by a temperature, which becomes part of the weights (Guo et al. 2017).

In: a model, and its outputs for rows that its networks were not trained on. Out: the temperature T, and the same model
with logits divided by T. Nothing else knows of it: files, exports and engines have the weights that give such logits.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from specnet.model import Answers, Model
from specnet.parts.arrays import Array
from specnet.parts.metrics.statistics import mean_with_error, weighted_mean
from specnet.spec.resolving.graph import logits_node

Numbers = NDArray[np.float64]

LARGEST_LOG = 5.0
"""Of the temperature, on both sides of 0."""
TOLERANCE = 1e-8
"""Of that logarithm."""
GOLDEN = (math.sqrt(5) - 1) / 2


class Calibration(NamedTuple):
    """The temperature of a model, and what it is worth.

    Attributes
    ----------
    temperature : float
        1 where no other one is clearly better.
    before, after : float
        Log loss of the rows held out, each answered by networks that were not trained on it, with logits as they were,
        and divided by the temperature.
    """

    temperature: float
    before: float
    after: float

    @property
    def factor(self) -> float:
        """What the network's own logits are multiplied by."""
        return 1 / self.temperature

    def figures(self) -> dict[str, float | dict[str, float | None]]:
        """Return what ``metrics.json`` has of it."""
        return {"temperature": self.temperature, "log_loss": {"before": self.before, "after": self.after}}


def fitted_calibration(
    raw: Sequence[Array], answers: Answers, groups: NDArray[np.generic] | None, *, one_by_one: bool
) -> Calibration:
    """Return the temperature that minimizes the log loss of rows held out.

    It stays 1 where it gains less than a standard error of the mean difference of the rows' losses, and where all rows
    are predicted right: the log loss has no minimum then.

    Parameters
    ----------
    raw : sequence of ndarray (rows, outputs)
        Logits of each network that answers for all rows; the probabilities are their mean.
    answers : Answers
        What the model answers.
    groups : ndarray (rows,) or None
        Of rows that are not independent of each other.
    one_by_one : bool
        Whether members of an ensemble answered each for rows of its own. The temperature is at most 1 then: a member
        alone is more confident than the mean of all, which is the model's answer.
    """
    target, weight = answers.target, answers.weight
    logits = [each.astype(np.float64) for each in raw]

    def losses(temperature: float) -> Numbers:
        return log_losses([each / temperature for each in logits], target)

    with np.errstate(invalid="ignore"):  # evaluation refuses logits that are not finite
        found = least_logarithm(
            lambda log: weighted_mean(losses(np.exp(log)), weight),
            (-LARGEST_LOG, 0.0 if one_by_one else LARGEST_LOG),
            TOLERANCE,
        )
        temperature, before = float(np.exp(found)), losses(1.0)
        after = losses(temperature)
        gain, error = mean_with_error(before - after, weight, groups)
    if not gain > error or _are_all_right(answers):
        temperature, after = 1.0, before
    return Calibration(temperature, weighted_mean(before, weight), weighted_mean(after, weight))


def least_logarithm(loss: Callable[[float], float], ends: tuple[float, float], tolerance: float) -> float:
    """Return the logarithm of the temperature at which a loss is least, between two ends, to within a tolerance.

    By golden-section search (Kiefer 1953), for a loss that falls up to its least and rises behind it.
    """
    low, high = ends
    left, right = high - GOLDEN * (high - low), low + GOLDEN * (high - low)
    at_left, at_right = loss(left), loss(right)
    while high - low > tolerance:
        if at_left <= at_right:
            high, right, at_right = right, left, at_left
            left = high - GOLDEN * (high - low)
            at_left = loss(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + GOLDEN * (high - low)
            at_right = loss(right)
    return (low + high) / 2


def _are_all_right(answers: Answers) -> bool:
    """Return whether every row that counts is predicted right."""
    wrong = np.not_equal(answers.target, answers.prediction).reshape(len(answers), -1).any(axis=1)
    return not np.any(wrong if answers.weight is None else wrong & (answers.weight > 0))


def log_losses(logits: Sequence[Numbers], target: Array) -> Numbers:
    """Return −ln of the mean over members of the probability of what is true, (rows,); the mean over binary outputs.

    Parameters
    ----------
    logits : sequence of (rows, outputs)
        Of each member.
    target : ndarray
        Class indices (rows,), of two classes for one output, or 0 and 1 (rows, outputs).
    """
    logarithms = [_log_truth(each, target) for each in logits]
    largest = np.maximum.reduce(logarithms)
    mean = sum(np.exp(each - largest) for each in logarithms) / len(logarithms)
    losses: Numbers = -(largest + np.log(mean)).mean(axis=1)
    return losses


def _log_truth(logits: Numbers, target: Array) -> Numbers:
    """Return the logarithm of the probability of what is true, (rows, 1) of classes and (rows, outputs) else."""
    rows = len(logits)
    if target.ndim == 1 and logits.shape[1] > 1:
        shifted = logits - logits.max(axis=1, keepdims=True)
        picked = shifted[np.arange(rows), target] - np.log(np.exp(shifted).sum(axis=1))
        return picked[:, np.newaxis]
    signed = np.where(target.reshape(rows, -1) == 1, logits, -logits)
    return -np.logaddexp(0, -signed)


def with_temperature(model: Model, temperature: float) -> Model:
    """Return the model whose networks' logits are those of this one divided by a temperature."""
    number = logits_node(model.network.nodes)
    assert number is not None, "a resolved spec calibrates no others"
    theta = model.theta.copy()
    for flat in np.atleast_2d(theta):
        for placed in model.network.layout.of_node(number):
            placed.view(flat)[...] /= temperature
    return with_parameters(model, theta)


def with_parameters(model: Model, theta: Array) -> Model:
    """Return a model that has other parameters, in the shape of its own, without what was measured of it."""
    prepared = (model.preprocessing, model.target_preprocessing)
    return Model(model.network, theta, model.state, *prepared, model.labels, history=model.history)
