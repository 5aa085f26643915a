"""The predictors that a model is compared with: logistic or ridge regression, and nearest neighbours.

They are fitted to the columns that a network reads, encoded densely and standardized. The regressions have
scikit-learn's objectives and default penalties, and are minimized here: importing scikit-learn's linear models takes
longer than training many a network. A step of Newton's method, for the logistic one, is found by conjugate gradients,
to which the Hessian is only a function: many columns and classes make none that is too large, and no other method is
needed for them (Nocedal and Wright 2006, "Numerical Optimization", alg. 7.1).

All of them are fitted to `training`, answers for training rows, whatever the outputs; `features` (rows, features) are
those of the same rows, and `head` is what `output_model` returns.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
from numpy.typing import NDArray

from specnet.data import Preparation, unfitted
from specnet.model import Answers, Model
from specnet.parts.arrays import FLOAT64, Array
from specnet.parts.preprocessing import Standardize
from specnet.running.evaluation.constant import Outputs, class_shares, least_outputs, share_outputs, with_unseen

Numbers = NDArray[np.float64]

PENALTY = 1.0
"""Factor of the penalty beside the sum of the rows' losses, as with scikit-learn's C and alpha of 1."""
MOST_STEPS, MOST_DIRECTIONS, MOST_HALVINGS = 50, 300, 30
GRADIENT_TOLERANCE = 1e-10
"""Of the mean loss, in its largest entry."""
LEAST_GAIN = 1e-4
"""Of what a step would gain if the loss were linear."""
ROUNDING = 1e-14
"""Of a loss."""


def scores_of(coefficients: Numbers, features: Numbers) -> Numbers:
    """Return a linear function of rows, (rows, scores); the last row of coefficients is added to all."""
    return np.asarray(features @ coefficients[:-1] + coefficients[-1])


def probabilities_of(scores: Numbers) -> Numbers:
    """Return the probabilities (rows, classes); a single score is of the second of two classes."""
    return np.exp(_logarithms(scores))


def _logarithms(scores: Numbers) -> Numbers:
    if scores.shape[1] == 1:
        scores = np.concatenate([np.zeros_like(scores), scores], axis=1)
    scores = scores - scores.max(axis=1, keepdims=True)
    return np.asarray(scores - np.log(np.exp(scores).sum(axis=1, keepdims=True)))


def logistic_coefficients(features: Numbers, members: NDArray[np.intp], classes: int, weight: Numbers) -> Numbers:
    """Return the coefficients of a logistic regression, (features + 1, scores), the last row being the intercepts.

    Of two classes only the second has a score; the penalty would be another with two.

    Parameters
    ----------
    features : (rows, features)
    members : (rows,)
        The class of each row, of so many.
    classes : int
    weight : (rows,)
    """
    objective = _Objective(features, members, classes, weight)
    found = np.zeros((features.shape[1] + 1, 1 if classes == 2 else classes))
    loss, shares = objective.loss(found)
    for _ in range(MOST_STEPS):
        gradient = objective.gradient(found, shares)
        if np.abs(gradient).max() <= GRADIENT_TOLERANCE:
            break
        step = _step(gradient, partial(objective.curvature, shares))
        gain = -LEAST_GAIN * float(np.vdot(gradient, step))
        for _ in range(MOST_HALVINGS):
            tried, tried_shares = objective.loss(found + step)
            if tried <= loss - gain + ROUNDING * loss:
                break
            step, gain = step / 2, gain / 2
        else:
            break
        found, loss, shares = found + step, tried, tried_shares
    return found


class _Objective:
    """The mean loss of rows with its penalty, as a function of coefficients, and its first and second derivative."""

    def __init__(self, features: Numbers, members: NDArray[np.intp], classes: int, weight: Numbers) -> None:
        self._features, self._rows, self._members = features, np.arange(len(members)), members
        self._weight = weight / weight.sum()
        self._penalty = PENALTY / weight.sum()
        self._is_class = members[:, np.newaxis] == np.arange(1 if classes == 2 else 0, classes)

    def loss(self, coefficients: Numbers) -> tuple[float, Numbers]:
        """Return the loss, and the probability of each class that has a score, (rows, scores)."""
        logarithms = _logarithms(scores_of(coefficients, self._features))
        mean = -float(self._weight @ logarithms[self._rows, self._members])
        penalty = 0.5 * self._penalty * float(np.square(coefficients[:-1]).sum())
        return mean + penalty, np.exp(logarithms[:, -coefficients.shape[1] :])

    def gradient(self, coefficients: Numbers, shares: Numbers) -> Numbers:
        return self._by_coefficients(shares - self._is_class, coefficients)

    def curvature(self, shares: Numbers, along: Numbers) -> Numbers:
        """Return the product of the Hessian and a direction."""
        changes = shares * scores_of(along, self._features)
        return self._by_coefficients(changes - shares * changes.sum(axis=1, keepdims=True), along)

    def _by_coefficients(self, slopes: Numbers, coefficients: Numbers) -> Numbers:
        slopes = slopes * self._weight[:, np.newaxis]
        found = np.concatenate([(slopes.T @ self._features).T, slopes.sum(axis=0, keepdims=True)])
        found[:-1] += self._penalty * coefficients[:-1]
        return found


def _step(gradient: Numbers, curvature: Callable[[Numbers], Numbers]) -> Numbers:
    """Return about −H⁻¹g, the more exactly the smaller g is: Newton's method then converges faster than linearly."""
    step, residual = np.zeros_like(gradient), -gradient
    direction, size = residual, float(np.vdot(residual, residual))
    enough = min(0.0625, np.sqrt(size)) * size
    for _ in range(min(gradient.size, MOST_DIRECTIONS)):
        changed = curvature(direction)
        bend = float(np.vdot(direction, changed))
        if bend <= 0:  # by rounding alone: the loss is convex
            break
        step, residual = step + size / bend * direction, residual - size / bend * changed
        size, before = float(np.vdot(residual, residual)), size
        if size <= enough:
            break
        direction = residual + size / before * direction
    return step


LARGEST = 1e100
"""Larger numbers count as this: a network may read them, but their squares would not be finite."""
Predictor = Callable[[Numbers], Outputs]
"""From features (rows, features) to outputs as the loss sees them, (rows, outputs)."""


class DenseFeatures:
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
    predict : callable
        From features to values as the training target has them, (rows, targets).
    """
    size, outputs = head.network.target_size, head.network.outputs
    wanted = training.loss_target.astype(np.float64)

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


def fitted_linear(head: Model, training: Answers, features: Numbers) -> Predictor:
    """Return what gives a linear model's outputs as the loss sees them, (rows, outputs), for features."""
    weight = np.ones(len(training)) if training.weight is None else training.weight
    if head.network.task == "values":
        values = ridge_coefficients(features, training.loss_target.astype(np.float64), weight)
        return value_outputs(head, training, features, lambda rows: scores_of(values, rows))

    def fitted_shares(members: NDArray[np.intp], classes: int) -> Predictor:
        coefficients = logistic_coefficients(features, members, classes, weight)
        return lambda rows: probabilities_of(scores_of(coefficients, rows))

    return class_outputs(head, training, fitted_shares)


FittedShares = Callable[[NDArray[np.intp], int], Predictor]
"""From each training row's class, of so many that all have rows, to what gives the classes' probabilities."""


def class_outputs(head: Model, training: Answers, fit: FittedShares) -> Predictor:
    """Return what gives the outputs of a predictor of classes, fitted to each of several 0/1 outputs alone.

    Parameters
    ----------
    fit : callable
    """
    match head.network.task:
        case "multilabel":
            each = [_fitted_shares(target.astype(np.intp), 2, fit) for target in training.target.T]
            return lambda rows: share_outputs(head, np.stack([shares(rows)[:, 1] for shares in each], axis=1))
        case "binary":
            both = _fitted_shares(training.target, 2, fit)
            return lambda rows: share_outputs(head, both(rows)[:, 1:])
        case _:
            shares = _fitted_shares(training.target, head.network.outputs, fit)
            return lambda rows: share_outputs(head, shares(rows))


def _fitted_shares(target: NDArray[np.intp], classes: int, fit: FittedShares) -> Predictor:
    """Return what gives the probability of each class for features, a small one for those that no training row has."""
    there, members = np.unique(target, return_inverse=True)
    unseen = ~np.isin(np.arange(classes), there)
    predict = fit(members, len(there)) if len(there) > 1 else None

    def shares(rows: Numbers) -> Numbers:
        found = np.zeros((len(rows), classes))
        found[:, there] = 1.0 if predict is None else predict(rows)
        return with_unseen(found, unseen, len(target))

    return shares


def ridge_coefficients(features: Numbers, wanted: Numbers, weight: Numbers) -> Numbers:
    """Return the coefficients of a ridge regression, (features + 1, targets), the last row being the intercepts."""
    mean, target_mean = (np.average(rows, axis=0, weights=weight) for rows in (features, wanted))
    roots = np.sqrt(weight)[:, np.newaxis]
    rows, target = (features - mean) * roots, (wanted - target_mean) * roots
    if rows.shape[1] <= len(rows):
        found = np.linalg.solve(rows.T @ rows + PENALTY * np.eye(rows.shape[1]), rows.T @ target)
    else:
        found = rows.T @ np.linalg.solve(rows @ rows.T + PENALTY * np.eye(len(rows)), target)
    return np.concatenate([found, (target_mean - mean @ found)[np.newaxis]])


NEIGHBOURS = 15
DISTANCES_AT_ONCE = 2**19


def fitted_neighbours(head: Model, training: Answers, features: Numbers) -> Predictor:
    """Return what gives the outputs of the nearest training rows as the loss sees them, (rows, outputs), for features.

    Nearest by the Euclidean distance of standardized features. Values are the weighted mean of theirs. The probability
    of a class is its share among them and one more row, which has the frequencies of all training rows: so that none is
    0, and equal counts are decided by frequency.
    """
    weight = np.ones(len(training)) if training.weight is None else training.weight
    counted = weight > 0
    nearest = _Nearest(features[counted], weight[counted])
    if head.network.task == "values":
        wanted = training.loss_target.astype(np.float64)[counted]
        return value_outputs(head, training, features, lambda rows: np.divide(*nearest.sums(rows, wanted)))
    classes = head.network.outputs if head.network.task == "classes" else 0
    target = training.target.reshape(len(training), -1)
    known = (np.equal(target, np.arange(classes)) if classes else target)[counted].astype(np.float64)
    usual = class_shares(head, training)

    def outputs(rows: Numbers) -> Outputs:
        sums, weights = nearest.sums(rows, known)
        one = weights / min(NEIGHBOURS, len(known))
        return share_outputs(head, (sums + one * usual) / (weights + one))

    return outputs


class _Nearest:
    """The training rows among which neighbours are found, (rows, features), and how much each of them counts."""

    def __init__(self, features: Numbers, weight: Numbers) -> None:
        self._features, self._weight = features, weight
        self._halves = np.square(features).sum(axis=1) / 2

    def sums(self, rows: Numbers, known: Numbers) -> tuple[Numbers, Numbers]:
        """Return the weighted sum of what is known of the nearest training rows, (rows, …), and of their weights."""
        sums, weights = np.empty((len(rows), known.shape[1])), np.empty((len(rows), 1))
        count, step = min(NEIGHBOURS, len(self._halves)), max(1, DISTANCES_AT_ONCE // len(self._halves))
        for start in range(0, len(rows), step):
            part = slice(start, start + step)
            # Half the squared distance without the row's own square, which changes no order.
            distances = self._halves - rows[part] @ self._features.T
            nearest = np.argpartition(distances, count - 1, axis=1)[:, :count]
            weight = self._weight[nearest]
            sums[part] = (weight[:, :, np.newaxis] * known[nearest]).sum(axis=1)
            weights[part] = weight.sum(axis=1, keepdims=True)
        return sums, weights
