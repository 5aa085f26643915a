"""The linear baseline: logistic or ridge regression, with scikit-learn's objectives and default penalties.

They are minimized here: importing scikit-learn's linear models takes longer than training many a network.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from specnet.model import Answers, Model
from specnet.running.evaluation.constant import share_outputs, with_unseen
from specnet.running.evaluation.features import Numbers, Predictor, value_outputs

MOST_ITERATIONS = 300
PENALTY = 1.0
"""Factor of the penalty beside the sum of the rows' losses, as with scikit-learn's C and alpha of 1."""
GRADIENT_TOLERANCE = 1e-6
"""Of the mean loss, in its largest entry."""


def fitted_linear(head: Model, training: Answers, features: Numbers) -> Predictor:
    """Return what gives a linear model's outputs as the loss sees them, (rows, outputs), for features.

    Parameters
    ----------
    head : Model
        What `output_model` returns.
    training : Answers
        Of training rows, whatever the outputs.
    features : (rows, features)
        Of the same rows, standardized.
    """
    weight = np.ones(len(training)) if training.weight is None else training.weight
    match head.network.task:
        case "values":
            coefficients = _ridge(features, training.wanted.astype(np.float64), weight)
            return value_outputs(head, training, features, lambda rows: _scores(coefficients, rows))
        case "multilabel":
            each = [_fitted_shares(target.astype(np.intp), 2, features, weight) for target in training.target.T]
            return lambda rows: share_outputs(head, np.stack([shares(rows)[:, 1] for shares in each], axis=1))
        case "binary":
            both = _fitted_shares(training.target, 2, features, weight)
            return lambda rows: share_outputs(head, both(rows)[:, 1:])
        case "classes":
            shares = _fitted_shares(training.target, head.network.outputs, features, weight)
            return lambda rows: share_outputs(head, shares(rows))


def _fitted_shares(
    target: NDArray[np.intp], classes: int, features: Numbers, weight: Numbers
) -> Callable[[Numbers], Numbers]:
    """Return what gives the probability of each class for features, a small one for those that no training row has."""
    there, members = np.unique(target, return_inverse=True)
    unseen = ~np.isin(np.arange(classes), there)
    coefficients = _logistic(features, members, len(there), weight) if len(there) > 1 else None

    def shares(rows: Numbers) -> Numbers:
        found = np.zeros((len(rows), classes))
        found[:, there] = 1.0 if coefficients is None else _softmax(_scores(coefficients, rows))
        return with_unseen(found, unseen, len(target))

    return shares


def _logistic(features: Numbers, members: NDArray[np.intp], classes: int, weight: Numbers) -> Numbers:
    """Return the coefficients of a logistic regression, (features + 1, scores), the last row being the intercepts.

    Of two classes only the second has a score; the penalty would be another with two.
    """
    from scipy.optimize import minimize

    columns = features.shape[1]
    scores = 1 if classes == 2 else classes
    shares = weight / weight.sum()
    strength = PENALTY / weight.sum()
    is_class = members[:, np.newaxis] == (np.arange(classes) if scores > 1 else np.array([1]))

    def objective(flat: Numbers) -> tuple[float, Numbers]:
        coefficients = flat.reshape(columns + 1, scores)
        given = _scores(coefficients, features)
        if scores == 1:
            losses = np.logaddexp(0, given[:, 0]) - given[:, 0] * is_class[:, 0]
            slopes = 0.5 * (1 + np.tanh(0.5 * given)) - is_class
        else:
            given -= given.max(axis=1, keepdims=True)
            powers = np.exp(given)
            sums = powers.sum(axis=1, keepdims=True)
            losses = np.log(sums[:, 0]) - given[np.arange(len(given)), members]
            slopes = powers / sums - is_class
        slopes *= shares[:, np.newaxis]
        gradient = np.concatenate([(slopes.T @ features).T, slopes.sum(axis=0)[np.newaxis]])
        gradient[:-1] += strength * coefficients[:-1]
        penalty = 0.5 * strength * float(np.square(coefficients[:-1]).sum())
        return float(shares @ losses) + penalty, gradient.reshape(-1)

    options = {"maxiter": MOST_ITERATIONS, "maxls": 50, "gtol": GRADIENT_TOLERANCE, "ftol": 1e-14}
    found = minimize(objective, np.zeros((columns + 1) * scores), jac=True, method="L-BFGS-B", options=options)
    return np.asarray(found.x).reshape(columns + 1, scores)


def _scores(coefficients: Numbers, features: Numbers) -> Numbers:
    return np.asarray(features @ coefficients[:-1] + coefficients[-1])


def _softmax(scores: Numbers) -> Numbers:
    if scores.shape[1] == 1:
        scores = np.concatenate([np.zeros_like(scores), scores], axis=1)
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def _ridge(features: Numbers, wanted: Numbers, weight: Numbers) -> Numbers:
    """Return the coefficients of a ridge regression, (features + 1, targets), the last row being the intercepts."""
    mean, target_mean = (np.average(rows, axis=0, weights=weight) for rows in (features, wanted))
    roots = np.sqrt(weight)[:, np.newaxis]
    rows, target = (features - mean) * roots, (wanted - target_mean) * roots
    if rows.shape[1] <= len(rows):
        found = np.linalg.solve(rows.T @ rows + PENALTY * np.eye(rows.shape[1]), rows.T @ target)
    else:
        found = rows.T @ np.linalg.solve(rows @ rows.T + PENALTY * np.eye(len(rows)), target)
    return np.concatenate([found, (target_mean - mean @ found)[np.newaxis]])
