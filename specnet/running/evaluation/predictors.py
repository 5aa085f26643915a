"""The predictors that a model is compared with: a constant, logistic or ridge regression, and nearest neighbours.

All except the constant are fitted to the columns that a network reads, encoded densely and standardized. The
regressions have scikit-learn's objectives and default penalties, but are minimized here, because importing
scikit-learn's linear models takes longer than training many networks. Logistic regression uses Newton's method with
conjugate gradients (Nocedal and Wright 2006, "Numerical Optimization", alg. 7.1). These need only products with the
Hessian, so the Hessian of many columns and classes is never stored, and one method suffices for all sizes.

All are fitted to `training`, the answers for training rows; only targets and weights are used. `features` (rows,
features) are the features of the same rows, and `head` is the model that `output_model` returns.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
from numpy.typing import NDArray

from specnet.data import Preparation, unfitted
from specnet.model import NO_PARAMETERS, Answers, Decoder, Model
from specnet.parts.arrays import FLOAT64, Array, pieces
from specnet.parts.metrics.statistics import weighted_mean
from specnet.parts.preprocessing import Standardize

Outputs = NDArray[np.float64]

MIN_SHARE = float(np.finfo(np.float64).eps)
"""The smallest probability, as in scikit-learn's log_loss."""
DOUBLINGS = 64
HALVINGS = 100
CLOSE = 2.0**-44
"""The relative width of the bracket around a best output at which the search ends."""
LEVEL = 1e-12
"""A sum of slopes is 0 if it is no larger than this, relative to the sum of their sizes."""


def output_model(decoder: Decoder) -> Model:
    """Return a model that only decodes: from outputs as the loss reads them to answers, in float64.

    It measures the outputs of any predictor by the loss and metrics of the decoder's model.
    """
    labels = None if decoder.labels is None else decoder.labels.values
    return Model(decoder.network.output_network, NO_PARAMETERS, None, None, decoder.target_preprocessing, labels)


def constant_outputs(head: Model, training: Answers) -> Outputs:
    """Return the best constant outputs, (outputs,), from class frequencies or by minimizing the loss.

    Parameters
    ----------
    head : Model
        The model that `output_model` returns.
    training : Answers
        Answers for training rows; their predictions are not used.
    """
    if head.gives_probabilities:
        return share_outputs(head, class_shares(head, training))
    return least_outputs(head, training, np.zeros((len(training), head.network.outputs)))


def share_outputs(head: Model, shares: Outputs) -> Outputs:
    """Return the outputs that give these probabilities: of classes (…, classes), or of 1 (…, outputs)."""
    shares = np.clip(shares, MIN_SHARE, 1 - MIN_SHARE)
    return np.log(shares) if head.network.task == "classes" else np.log(shares) - np.log1p(-shares)


def least_outputs(head: Model, training: Answers, base: Outputs, fixed: int = 0) -> Outputs:
    """Return the constant offset of all rows' outputs, (outputs,), that minimizes the loss.

    Parameters
    ----------
    head : Model
        The model that `output_model` returns.
    training : Answers
        Answers for the same rows; their predictions are not used.
    base : ndarray (rows, outputs)
        Outputs before the offset is added.
    fixed : int
        Number of first outputs that do not change.
    """
    objective, size = _OffsetLoss(head, training, base), head.network.target_size
    blocks = [slice(start, start + size) for start in range(fixed, head.network.outputs, size)]
    found = np.zeros(head.network.outputs)
    for block in blocks:
        found[block] = _least(objective, found, block)
    depends_on_others = not fixed and len(blocks) == 1 and size > 1
    return _polished(objective, found) if depends_on_others else found


class _OffsetLoss:
    """The mean loss of training rows, and its slopes, as functions of an offset of all outputs."""

    def __init__(self, head: Model, training: Answers, base: Outputs) -> None:
        self._network, self._training, self._base = head.network, training, base
        self._weight = np.ones(len(training)) if training.weight is None else training.weight
        target = training.loss_target
        self._target = target if target.ndim == 1 else np.asarray(target, np.float64)

    def loss(self, added: Outputs) -> float:
        """Return the mean loss, or infinity if it is not finite."""
        losses = self._network.row_losses(NO_PARAMETERS, self._base + added, self._target, data_only=True)
        mean = weighted_mean(losses, self._training.weight)
        return mean if np.isfinite(mean) else np.inf

    def mean_target(self) -> Outputs:
        """Return the mean of the target, or 0 if the target is classes."""
        if self._target.ndim == 1:
            return np.zeros(self._base.shape[1])
        return np.asarray(np.average(self._target, axis=0, weights=self._weight))

    def slopes(self, added: Outputs) -> Outputs:
        """Return the derivative of the loss by each offset, (outputs,); 0 if it is only rounding error."""
        total, size = np.zeros(len(added)), np.zeros(len(added))
        for piece in pieces(self._base):
            weight = self._weight[piece]
            if not weight.any():
                continue
            rows = self._network.input_gradient(NO_PARAMETERS, self._base[piece] + added, self._target[piece], weight)
            total += rows.sum(axis=0) * weight.sum()
            size += abs(rows).sum(axis=0) * weight.sum()
        with np.errstate(invalid="ignore"):
            return np.where(abs(total) <= LEVEL * size, 0.0, total / self._weight.sum())


def _least(objective: _OffsetLoss, added: Outputs, block: slice) -> Outputs:
    """Return a block of offsets that minimize the loss, each along its own output.

    If the minimum is an interval, the result is its middle, or its end if it is unbounded.
    """
    known: dict[bytes, Outputs] = {}  # both searches try the same values at first

    def slopes(values: Outputs) -> Outputs:
        if (key := values.tobytes()) not in known:
            tried = added.copy()
            tried[block] = values
            known[key] = objective.slopes(tried)[block]
        return known[key]

    first = _turn(lambda values: slopes(values) >= 0, added[block])
    last = _turn(lambda values: slopes(values) > 0, added[block])
    first, last = np.where(np.isfinite(first), first, last), np.where(np.isfinite(last), last, first)
    with np.errstate(invalid="ignore"):
        return np.where(np.isfinite(first), first / 2 + last / 2, added[block])


def _turn(rises: Callable[[Outputs], NDArray[np.bool_]], start: Outputs) -> Outputs:
    """Return the value from which each monotonic condition is true: −∞ if it always is, ∞ if it never is."""
    low, high, step = start - 1, start + 1, 1.0
    for _ in range(DOUBLINGS):
        always, never = rises(low), ~rises(high)
        if not (always.any() or never.any()):
            break
        step *= 2
        low, high = np.where(always, start - step, low), np.where(never, start + step, high)
    for _ in range(HALVINGS):
        middle = low + (high - low) / 2
        if (high - low <= CLOSE * np.maximum(abs(low), abs(high))).all():
            break
        up = rises(middle)
        low, high = np.where(up, low, middle), np.where(up, middle, high)
    return np.where(never, np.inf, np.where(always, -np.inf, low + (high - low) / 2))


def _polished(objective: _OffsetLoss, found: Outputs) -> Outputs:
    """Return offsets that are no worse, by a search over all outputs together, as slopes may depend on all of them."""
    if not objective.slopes(found).any():
        return found
    from scipy.optimize import minimize

    tried = [found]
    for start in (found, objective.mean_target()):
        with np.errstate(all="ignore"):
            tried.append(minimize(objective.loss, start, jac=objective.slopes, method="L-BFGS-B").x)
    return min(tried, key=objective.loss)


def class_shares(head: Model, training: Answers) -> Outputs:
    """Return the share of each class, or of 1 in each output, among training rows.

    A class without training rows counts as if it had one, so that held-out rows of it have a finite loss.
    """
    target, weight = training.target, training.weight
    rows = len(target) if weight is None else int(np.count_nonzero(weight))
    if head.network.task == "classes":
        counts = np.bincount(target, weight, head.network.outputs)
        return with_unseen(counts / counts.sum(), counts == 0, rows)
    ones = np.average(target.reshape(len(target), -1).astype(np.float64), axis=0, weights=weight)
    both = np.stack([1 - ones, ones], axis=-1)
    return with_unseen(both, both == 0, rows)[:, 1]


def with_unseen(shares: Outputs, unseen: NDArray[np.bool_], rows: int) -> Outputs:
    """Return the shares (…, classes) of `rows` rows after adding one row for each unseen class."""
    if not unseen.any():
        return shares
    return np.asarray(np.where(unseen, 1.0, rows * shares) / (rows + unseen.sum(axis=-1, keepdims=True)))


Numbers = NDArray[np.float64]

PENALTY = 1.0
"""The factor of the penalty that is added to the sum of row losses, as scikit-learn's C and alpha of 1."""
MAX_STEPS, MAX_DIRECTIONS, MAX_HALVINGS = 50, 300, 30
GRADIENT_TOLERANCE = 1e-10
"""The search ends when no entry of the gradient of the mean loss is larger."""
MIN_GAIN = 1e-4
"""The required fraction of the gain that a step would have if the loss were linear."""
ROUNDING = 1e-14
"""The relative rounding error of a loss."""


def scores_of(coefficients: Numbers, features: Numbers) -> Numbers:
    """Return a linear function of rows, (rows, scores); the last row of coefficients has the intercepts."""
    return np.asarray(features @ coefficients[:-1] + coefficients[-1])


def probabilities_of(scores: Numbers) -> Numbers:
    """Return probabilities (rows, classes) from scores; a single score belongs to the second of two classes."""
    return np.exp(_logarithms(scores))


def _logarithms(scores: Numbers) -> Numbers:
    if scores.shape[1] == 1:
        scores = np.concatenate([np.zeros_like(scores), scores], axis=1)
    scores = scores - scores.max(axis=1, keepdims=True)
    return np.asarray(scores - np.log(np.exp(scores).sum(axis=1, keepdims=True)))


def logistic_coefficients(features: Numbers, members: NDArray[np.intp], classes: int, weight: Numbers) -> Numbers:
    """Return the coefficients of a logistic regression, (features + 1, scores), the last row being the intercepts.

    Of two classes, only the second has a score; two scores would have a different penalty.

    Parameters
    ----------
    features : (rows, features)
    members : (rows,)
        Class of each row, from 0.
    classes : int
    weight : (rows,)
    """
    objective = _LogisticLoss(features, members, classes, weight)
    found = np.zeros((features.shape[1] + 1, 1 if classes == 2 else classes))
    loss, shares = objective.loss(found)
    for _ in range(MAX_STEPS):
        gradient = objective.gradient(found, shares)
        if np.abs(gradient).max() <= GRADIENT_TOLERANCE:
            break
        step = _step(gradient, partial(objective.curvature, shares))
        gain = -MIN_GAIN * float(np.vdot(gradient, step))
        for _ in range(MAX_HALVINGS):
            tried, tried_shares = objective.loss(found + step)
            if tried <= loss - gain + ROUNDING * loss:
                break
            step, gain = step / 2, gain / 2
        else:
            break
        found, loss, shares = found + step, tried, tried_shares
    return found


class _LogisticLoss:
    """The mean loss of rows and a penalty, as a function of coefficients, with first and second derivatives."""

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
    """Return approximately −H⁻¹g, more exactly for smaller g, so that Newton's method converges superlinearly."""
    step, residual = np.zeros_like(gradient), -gradient
    direction, size = residual, float(np.vdot(residual, residual))
    enough = min(0.0625, np.sqrt(size)) * size
    for _ in range(min(gradient.size, MAX_DIRECTIONS)):
        changed = curvature(direction)
        bend = float(np.vdot(direction, changed))
        if bend <= 0:  # only by rounding, as the loss is convex
            break
        step, residual = step + size / bend * direction, residual - size / bend * changed
        size, before = float(np.vdot(residual, residual)), size
        if size <= enough:
            break
        direction = residual + size / before * direction
    return step


LARGEST = 1e100
"""Larger numbers are clipped to this: a network may read them, but their squares would not be finite."""
Predictor = Callable[[Numbers], Outputs]
"""A function from features (rows, features) to outputs as the loss reads them, (rows, outputs)."""


class DenseFeatures:
    """Columns (rows, inputs) as baselines read them: standardized, and categories as 0/1 columns.

    Parameters
    ----------
    columns : ndarray (rows, inputs)
        Finite columns of the training rows that the scale is fitted on.
    weight : ndarray (rows,) or None
    category_counts : mapping of int to int
        The number of categories of the columns that hold codes of categories, by their indices.
    """

    def __init__(self, columns: Array, weight: Numbers | None, category_counts: Mapping[int, int]) -> None:
        self._category_counts = category_counts
        numbers = self._with_indicators(columns)
        self._preparation = Preparation.fit(unfitted((Standardize(),)), numbers, weight)

    def of(self, columns: Array) -> Numbers:
        """Return the features of rows."""
        return self._preparation.prepare(self._with_indicators(columns))

    def _with_indicators(self, columns: Array) -> Numbers:
        """Return columns in float64, with a 0/1 column for each category except 0 instead of codes, as in `one_hot`."""
        counts = self._category_counts
        numbers = [index for index in range(columns.shape[1]) if index not in counts]
        indicators = (columns[:, [index]] == np.arange(1, count) for index, count in counts.items())
        bounded = np.clip(columns[:, numbers], -LARGEST, LARGEST, dtype=FLOAT64)
        return np.concatenate([bounded, *indicators], axis=1, dtype=FLOAT64)


def value_outputs(head: Model, training: Answers, features: Numbers, predict: Predictor) -> Predictor:
    """Return a function from features to outputs, given a predictor of values; other outputs are constant.

    Parameters
    ----------
    predict : callable
        Function from features to values in the units of the training target, (rows, targets).
    """
    size, outputs = head.network.target_size, head.network.outputs
    target = training.loss_target.astype(np.float64)

    def first(rows: Numbers) -> Outputs:
        given = _raw_outputs(head, predict(rows), target)
        return np.concatenate([given, np.zeros((len(rows), outputs - size))], axis=1)

    added = least_outputs(head, training, first(features), fixed=size) if outputs > size else np.zeros(outputs)
    return lambda rows: first(rows) + added


def _raw_outputs(head: Model, values: Outputs, target: Outputs) -> Outputs:
    """Return values as outputs that the loss reads.

    If these are logarithms, values are first raised to at least half the least positive training target, as only
    positive values have logarithms.
    """
    loss = head.spec.training.loss
    if loss.accepted_activations is None or loss.output_activation == "linear":
        return values
    positive = target[target > 0]
    return np.log(np.maximum(values, positive.min() / 2 if positive.size else 1.0))


def fitted_linear(head: Model, training: Answers, features: Numbers) -> Predictor:
    """Return a function from features to a linear model's outputs as the loss reads them, (rows, outputs)."""
    weight = np.ones(len(training)) if training.weight is None else training.weight
    if head.network.task == "values":
        values = ridge_coefficients(features, training.loss_target.astype(np.float64), weight)
        return value_outputs(head, training, features, lambda rows: scores_of(values, rows))

    def fitted_shares(members: NDArray[np.intp], classes: int) -> Predictor:
        coefficients = logistic_coefficients(features, members, classes, weight)
        return lambda rows: probabilities_of(scores_of(coefficients, rows))

    return class_outputs(head, training, fitted_shares)


FittedShares = Callable[[NDArray[np.intp], int], Predictor]
"""A function from training rows' classes and the number of classes, none empty, to a predictor of probabilities."""


def class_outputs(head: Model, training: Answers, fit: FittedShares) -> Predictor:
    """Return a function from features to outputs of a fitted classifier; each of several 0/1 outputs is fitted alone.

    Parameters
    ----------
    fit : callable
        Function that fits a classifier, as `FittedShares`.
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
    """Return a function from features to class probabilities, which are small for classes without training rows."""
    there, members = np.unique(target, return_inverse=True)
    unseen = ~np.isin(np.arange(classes), there)
    predict = fit(members, len(there)) if len(there) > 1 else None

    def shares(rows: Numbers) -> Numbers:
        found = np.zeros((len(rows), classes))
        found[:, there] = 1.0 if predict is None else predict(rows)
        return with_unseen(found, unseen, len(target))

    return shares


def ridge_coefficients(
    features: Numbers, target: Numbers, weight: Numbers, signs: NDArray[np.int_] | None = None
) -> Numbers:
    """Return the coefficients of a ridge regression, (features + 1, targets), the last row being the intercepts.

    Where `signs` (features,) are 1 or -1, no coefficient has the other sign: least squares with bounds (Stark and
    Parker 1995).
    """
    mean, target_mean = (np.average(rows, axis=0, weights=weight) for rows in (features, target))
    roots = np.sqrt(weight)[:, np.newaxis]
    rows, target = (features - mean) * roots, (target - target_mean) * roots
    if signs is not None and signs.any():
        found = _bounded(rows, target, np.where(signs > 0, 0.0, -np.inf), np.where(signs < 0, 0.0, np.inf))
    elif rows.shape[1] <= len(rows):
        found = np.linalg.solve(rows.T @ rows + PENALTY * np.eye(rows.shape[1]), rows.T @ target)
    else:
        found = rows.T @ np.linalg.solve(rows @ rows.T + PENALTY * np.eye(len(rows)), target)
    return np.concatenate([found, (target_mean - mean @ found)[np.newaxis]])


def _bounded(rows: Numbers, target: Numbers, low: Numbers, high: Numbers) -> Numbers:
    from scipy.optimize import lsq_linear

    size = rows.shape[1]
    rows = np.concatenate([rows, math.sqrt(PENALTY) * np.eye(size)])
    columns = [np.concatenate([each, np.zeros(size)]) for each in target.T]
    return np.stack([lsq_linear(rows, each, (low, high), method="bvls").x for each in columns], axis=1)


NEIGHBOURS = 15
DISTANCES_AT_ONCE = 2**19


def fitted_neighbours(head: Model, training: Answers, features: Numbers) -> Predictor:
    """Return a function from features to outputs by nearest training rows, as the loss reads them, (rows, outputs).

    Neighbours are nearest by the Euclidean distance of standardized features. A predicted value is their weighted mean.
    The probability of a class is its share among the neighbours and one more row, which has the class frequencies of
    all training rows. No probability is therefore 0, and ties are decided by frequency.
    """
    weight = np.ones(len(training)) if training.weight is None else training.weight
    counted = weight > 0
    nearest = _Nearest(features[counted], weight[counted])
    if head.network.task == "values":
        target = training.loss_target.astype(np.float64)[counted]
        return value_outputs(head, training, features, lambda rows: np.divide(*nearest.sums(rows, target)))
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
    """The training rows to search for neighbours, (rows, features), with a weight for each."""

    def __init__(self, features: Numbers, weight: Numbers) -> None:
        self._features, self._weight = features, weight
        self._halves = np.square(features).sum(axis=1) / 2

    def sums(self, rows: Numbers, known: Numbers) -> tuple[Numbers, Numbers]:
        """Return the weighted sum of `known` over the nearest training rows (rows, …), and the sum of weights."""
        sums, weights = np.empty((len(rows), known.shape[1])), np.empty((len(rows), 1))
        count, step = min(NEIGHBOURS, len(self._halves)), max(1, DISTANCES_AT_ONCE // len(self._halves))
        for start in range(0, len(rows), step):
            part = slice(start, start + step)
            # Half the squared distance; the square of the row itself is left out, as it does not change the order.
            distances = self._halves - rows[part] @ self._features.T
            nearest = np.argpartition(distances, count - 1, axis=1)[:, :count]
            weight = self._weight[nearest]
            sums[part] = (weight[:, :, np.newaxis] * known[nearest]).sum(axis=1)
            weights[part] = weight.sum(axis=1, keepdims=True)
        return sums, weights
