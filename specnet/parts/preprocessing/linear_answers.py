"""Linear models of a target from sparse weights, such as those of a text's tokens, fitted by scikit-learn."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Coefficients = tuple[NDArray[np.float64], NDArray[np.float64]]
"""The coefficients (columns, answers) and the intercepts (answers,) of linear models."""

C = 3.0
"""The inverse strength of the penalty of classes, as in scikit-learn's LogisticRegression."""
ALPHA = 1.0
"""The strength of the penalty of values, as in scikit-learn's Ridge."""
_TOLERANCE = 1e-5
"""The largest derivative of the loss at which the logistic regression ends."""
_MOST_ITERATIONS = 300


def answers_of(target: NDArray[Any]) -> int:
    """Return the number of linear answers: one for two classes and for each value, else one for each class."""
    if target.dtype.kind == "f":
        return int(target.shape[1])
    classes = int(target.max(initial=0)) + 1
    return 1 if classes <= 2 else classes


def linear_model(
    matrix: csr_array, target: NDArray[Any], weight: NDArray[np.float64] | None, answers: int
) -> Coefficients:
    """Return a linear model fitted to rows: logistic regression for classes, ridge regression for values.

    The answers are the log odds of the second of two classes; for more classes, their logits, of which the mean over
    classes is 0; values are in units of their standard deviations, minus their means.

    Parameters
    ----------
    matrix : sparse array (rows, columns)
    target : ndarray (rows,) of int or (rows, values) of float
        Class indices, or values.
    weight : ndarray (rows,), optional
        Weights; a row of weight 0 is ignored.
    answers : int
        The number of answers; see `answers_of`. Rows may lack some classes.
    """
    if weight is not None:
        matrix, target, weight = matrix[weight > 0], target[weight > 0], weight[weight > 0]
    coefficients, intercepts = np.zeros((matrix.shape[1], answers)), np.zeros(answers)
    if not matrix.nnz:
        return coefficients, intercepts
    if target.dtype.kind == "f":
        from sklearn.linear_model import Ridge

        mean, deviation = np.average(target, 0, weight), target.std(0)
        numbers = (target - mean) / np.where(deviation > 0, deviation, 1)
        ridge = Ridge(ALPHA, solver="sparse_cg", tol=1e-6, max_iter=1000).fit(matrix, numbers, weight)
        return np.atleast_2d(ridge.coef_).T, np.broadcast_to(ridge.intercept_, answers).astype(np.float64)
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    known = np.unique(target)
    if len(known) < 2:
        return coefficients, intercepts
    # Of many coefficients for each class lbfgs spends most of its time on its own vectors, and needs many steps.
    solver = "lbfgs" if len(known) == 2 else "newton-cg"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the last iterations hardly change an answer
        options = {"solver": solver, "tol": _TOLERANCE, "max_iter": _MOST_ITERATIONS}
        model = LogisticRegression(C=C, **options).fit(matrix, target, weight)
    if len(known) == 2 and answers > 1:  # the log odds of the second, as logits of both
        coefficients[:, known] = model.coef_.T * [-0.5, 0.5]
        intercepts[known] = model.intercept_ * [-0.5, 0.5]
    elif answers == 1:
        return model.coef_.T, model.intercept_
    else:
        coefficients[:, known], intercepts[known] = model.coef_.T, model.intercept_
    missing = np.setdiff1d(np.arange(answers), known)
    intercepts[missing] = intercepts[known].min()
    return coefficients - coefficients.mean(1, keepdims=True), intercepts - intercepts.mean()
