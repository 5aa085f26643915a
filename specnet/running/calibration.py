"""Calibration on held-out rows: a temperature of probabilities, or a share of linear models in predicted values.

A model comes in, with its outputs for rows that its networks were not trained on. For probabilities, the temperature T
(Guo et al. 2017) goes out, and the model with logits divided by T. For values, it is the share of a ridge regression
that is mixed into each network, by stacking (Wolpert 1992, Breiman 1996) of two models whose shares add up to 1; the
share minimizes the squared error of the held-out rows. In a network with monotone columns its coefficients have their
signs. Both are built into the weights, so files, exports and engines do not change.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from specnet.model import Answers, Model
from specnet.parts.arrays import FLOAT64, Array
from specnet.parts.layers import Dense
from specnet.parts.metrics.statistics import mean_with_error, weighted_mean
from specnet.running.evaluation.predictors import ridge_coefficients
from specnet.spec.resolving.graph import Node, linear_part, logits_nodes
from specnet.training import TrainingRows

Numbers = NDArray[np.float64]

MAX_LOG = 5.0
"""The temperature is at most exp of this number, and at least the inverse."""
TOLERANCE = 1e-8
"""The tolerance of the logarithm of the temperature."""
GOLDEN = (math.sqrt(5) - 1) / 2


class Calibration(NamedTuple):
    """A calibration that was fitted to held-out rows, and the loss without and with it.

    Attributes
    ----------
    name : "temperature" or "linear_share"
    value : float
        The temperature, or the share from 0 to 1; 1 or 0 if no other value is clearly better.
    before, after : float
        The mean log loss or squared error of the held-out rows without and with the calibration. Each row is predicted
        by networks that were not trained on it.
    """

    name: Literal["temperature", "linear_share"]
    value: float
    before: float
    after: float

    @property
    def factor(self) -> float:
        """The factor of the networks' outputs before calibration."""
        return 1 / self.value if self.name == "temperature" else 1 - self.value

    def figures(self) -> dict[str, float | dict[str, float | None]]:
        """Return the entries of ``metrics.json`` about the calibration."""
        loss = "log_loss" if self.name == "temperature" else "squared_error"
        return {self.name: self.value, loss: {"before": self.before, "after": self.after}}


def fitted_calibration(
    raw: Sequence[Array], answers: Answers, groups: NDArray[np.generic] | None, *, one_by_one: bool
) -> Calibration:
    """Return the calibration by the temperature that minimizes the log loss of held-out rows.

    The temperature remains 1 if the gain is less than a standard error of the mean difference of row losses. It also
    remains 1 if all predictions are right, because the log loss then has no minimum.

    Parameters
    ----------
    raw : sequence of ndarray (rows, outputs)
        Logits of each network that predicts all rows; probabilities are averaged over networks.
    answers : Answers
        Answers of the model.
    groups : ndarray (rows,) or None
        Groups of rows that are not independent of each other.
    one_by_one : bool
        Whether each ensemble member predicted only its own fold. The temperature is then at most 1, because a single
        member is more confident than the mean of all members, which is the model's prediction.
    """
    target, weight = answers.target, answers.weight
    logits = [each.astype(np.float64) for each in raw]

    def losses(temperature: float) -> Numbers:
        return log_losses([each / temperature for each in logits], target)

    with np.errstate(invalid="ignore"):  # evaluation raises an error for logits that are not finite
        found = least_logarithm(
            lambda log: weighted_mean(losses(np.exp(log)), weight),
            (-MAX_LOG, 0.0 if one_by_one else MAX_LOG),
            TOLERANCE,
        )
        temperature, before = float(np.exp(found)), losses(1.0)
        after = losses(temperature)
        gain, error = mean_with_error(before - after, weight, groups)
    if not gain > error or _are_all_right(answers):
        temperature, after = 1.0, before
    return Calibration("temperature", temperature, weighted_mean(before, weight), weighted_mean(after, weight))


def least_logarithm(loss: Callable[[float], float], ends: tuple[float, float], tolerance: float) -> float:
    """Return the logarithm of the temperature that minimizes a loss, between two ends and to within a tolerance.

    This is a golden-section search (Kiefer 1953), for a loss with a single minimum between the ends.
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
    """Return whether every row with a weight above 0 is predicted right."""
    wrong = np.not_equal(answers.target, answers.prediction).reshape(len(answers), -1).any(axis=1)
    return not np.any(wrong if answers.weight is None else wrong & (answers.weight > 0))


def log_losses(logits: Sequence[Numbers], target: Array) -> Numbers:
    """Return −ln of the mean probability of the target over members, (rows,), as a mean over binary outputs.

    Parameters
    ----------
    logits : sequence of (rows, outputs)
        Logits of each member.
    target : ndarray
        Class indices (rows,), which are 0 and 1 for one output; or 0 and 1 (rows, outputs).
    """
    logarithms = [_log_truth(each, target) for each in logits]
    largest = np.maximum.reduce(logarithms)
    mean = sum(np.exp(each - largest) for each in logarithms) / len(logarithms)
    losses: Numbers = -(largest + np.log(mean)).mean(axis=1)
    return losses


def _log_truth(logits: Numbers, target: Array) -> Numbers:
    """Return the logarithm of the probability of the target: (rows, 1) for classes, otherwise (rows, outputs)."""
    rows = len(logits)
    if target.ndim == 1 and logits.shape[1] > 1:
        shifted = logits - logits.max(axis=1, keepdims=True)
        picked = shifted[np.arange(rows), target] - np.log(np.exp(shifted).sum(axis=1))
        return picked[:, np.newaxis]
    signed = np.where(target.reshape(rows, -1) == 1, logits, -logits)
    return -np.logaddexp(0, -signed)


def with_temperature(model: Model, temperature: float) -> Model:
    """Return a copy of a model with the logits of its networks divided by a temperature."""
    numbers = logits_nodes(model.network.nodes)
    assert numbers, "a resolved spec calibrates no others"
    theta = model.theta.copy()
    for flat in np.atleast_2d(theta):
        for placed in (each for number in numbers for each in model.network.layout.of_node(number)):
            placed.view(flat)[...] /= temperature
    return with_parameters(model, theta)


def with_parameters(model: Model, theta: Array) -> Model:
    """Return a copy of a model with other parameters of the same shape, without its error quantiles."""
    prepared = (model.preprocessing, model.target_preprocessing)
    return Model(model.network, theta, model.state, *prepared, model.labels, history=model.history)


def with_linear_share(
    model: Model,
    raw: Sequence[Array],
    training: TrainingRows,
    folds: Array | None,
    held_out: TrainingRows,
    groups: NDArray[np.generic] | None = None,
) -> tuple[Model, Calibration]:
    """Return a model whose outputs are mixed with the outputs of linear models, and its calibration.

    The share is 0 if the gain is less than a standard error of the mean difference of the rows' squared errors.

    Parameters
    ----------
    model : Model
        Model whose output is a sum with a linear part, as `linear_part` finds it.
    raw : sequence of ndarray (rows, outputs)
        Outputs for held-out rows of each network that predicts all of them.
    training : TrainingRows
        Training rows of the networks.
    folds : ndarray (rows,) or None
        Index of the network that was not trained on a training row and predicts it; None without folds.
    held_out : TrainingRows
        Held-out rows; with folds, the training rows.
    groups : ndarray (rows,), optional
        Groups of rows that are not independent of each other.
    """
    everything = np.ones(len(training), bool)
    used = [everything] if folds is None else [folds != number for number in range(len(model.members))]
    signs = _signs(model.network.nodes)
    linear = [_fitted(training.some(rows), signs) for rows in used]
    outputs, target = np.mean(raw, axis=0, dtype=FLOAT64), held_out.target.reshape(len(held_out), -1)
    predicted = np.empty_like(outputs)
    for rows, coefficients in zip(used, linear, strict=True):
        others = slice(None) if folds is None else ~rows
        predicted[others] = held_out.X[others].astype(FLOAT64) @ coefficients[:-1] + coefficients[-1]
    error, change = target - outputs, predicted - outputs
    weight = None if held_out.weight is None else held_out.weight.astype(FLOAT64)
    size = _mean(change * change, weight)
    share = min(1.0, max(0.0, _mean(error * change, weight) / size)) if size else 0.0
    before, after = (((error - each * change) ** 2).mean(axis=1) for each in (0.0, share))
    gain, chance = mean_with_error(before - after, weight, groups)
    if not gain > chance:
        share, after = 0.0, before
    every = linear * len(model.members) if folds is None else linear
    found = Calibration("linear_share", share, weighted_mean(before, weight), weighted_mean(after, weight))
    return _mixed(model, every, share), found


def _signs(nodes: Sequence[Node]) -> NDArray[np.int_] | None:
    """Return the signs of the linear part's coefficients, (features,), 0 for either; None without monotone columns."""
    found = linear_part(nodes)
    assert found is not None, "a resolved spec mixes no others"
    node = nodes[found[0]]
    return np.array(node.input_orders[0]) if node.has_order else None  # predicted values all have the order 1


def _fitted(rows: TrainingRows, signs: NDArray[np.int_] | None) -> Numbers:
    weight = np.ones(len(rows)) if rows.weight is None else rows.weight.astype(FLOAT64)
    target = rows.target.reshape(len(rows), -1).astype(FLOAT64)
    return ridge_coefficients(rows.X.astype(FLOAT64), target, weight, signs)


def _mean(numbers: Numbers, weight: Numbers | None) -> float:
    return weighted_mean(numbers.mean(axis=1), weight)


def _mixed(model: Model, linear: Sequence[Numbers], share: float) -> Model:
    """Return a model with outputs `share` · linear + (1 − `share`) · network, for each network and its linear model."""
    nodes, layout = model.network.nodes, model.network.layout
    found = linear_part(nodes)
    assert found is not None, "a resolved spec mixes no others"
    part, terms = found
    layer, factors = nodes[part].layer, np.ones((linear[0].shape[0], 1))
    if nodes[part].has_order and isinstance(layer, Dense):
        factors[:-1, 0] = layer.order_factors(nodes[part].input_orders[0])
    theta = model.theta.copy()
    for flat, coefficients in zip(np.atleast_2d(theta), linear, strict=True):
        for number in terms:
            for placed in layout.of_node(number):
                placed.view(flat)[...] *= 1 - share
        (block,) = layout.of_node(part)
        block.view(flat)[...] += share * coefficients / factors
    return with_parameters(model, theta)
