"""Logistic regression with scikit-learn's objective and default penalty, by Newton's method.

Each step is found by conjugate gradients, to which the Hessian is only a function: many columns and classes make none
that is too large, and no other method is needed for them (Nocedal and Wright 2006, "Numerical Optimization", alg. 7.1).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

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
