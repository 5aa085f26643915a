"""The logistic regression of the linear baseline, against scikit-learn's."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from specnet.running.evaluation.predictors import logistic_coefficients, probabilities_of, scores_of


def standardized(columns: np.ndarray) -> np.ndarray:
    return (columns - columns.mean(axis=0)) / columns.std(axis=0)


def members_of(scores: np.ndarray) -> np.ndarray:
    """Return the class of the largest score; the first rows have each class once."""
    members = scores.argmax(axis=1)
    members[: scores.shape[1]] = np.arange(scores.shape[1])
    return members


@pytest.mark.parametrize("weighted", [False, True], ids=["alike", "weighted"])
@pytest.mark.parametrize(
    ("rows", "columns", "classes", "noise"),
    [(200, 3, 2, 1), (60, 2, 2, 0), (150, 8, 5, 1), (40, 120, 2, 0), (40, 30, 7, 1), (500, 4, 3, 9)],
    ids=["binary", "separable", "classes", "more columns than rows", "few rows to a class", "noise"],
)
def test_probabilities_are_scikit_learns(rows: int, columns: int, classes: int, noise: float, weighted: bool):
    rng = np.random.default_rng(rows)
    features = standardized(rng.standard_t(3, size=(rows, columns)))
    scores = 3 * features @ rng.normal(size=(columns, classes)) + noise * rng.gumbel(size=(rows, classes))
    members, weight = members_of(scores), rng.integers(1, 5, rows).astype(float) if weighted else np.ones(rows)
    found = logistic_coefficients(features, members, classes, weight)
    theirs = LogisticRegression(tol=1e-10, max_iter=20_000).fit(features, members, weight)
    given = rng.normal(size=(50, columns))
    np.testing.assert_allclose(
        probabilities_of(scores_of(found, given)), theirs.predict_proba(given), rtol=1e-4, atol=1e-7
    )


def gradient_at(found: np.ndarray, features: np.ndarray, members: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Return the gradient of the mean loss with its penalty, by hand."""
    errors = weight[:, None] * (probabilities_of(scores_of(found, features)) - np.eye(found.shape[1])[members])
    return np.vstack([features.T @ errors + found[:-1], errors.sum(axis=0)]) / weight.sum()


def test_many_columns_and_classes_and_weights_that_differ_much_end_at_the_least_loss():
    """2000 columns of 50 classes would have a Hessian of 80 GB; with rows far away steps would overshoot."""
    rng = np.random.default_rng(0)
    cases = [(rng.normal(size=(60, 2000)), np.arange(60) % 50, np.ones(60))]
    for _ in range(100):
        features = standardized(rng.standard_t(1.2, size=(20, 4)))
        members = members_of(features @ rng.normal(size=(4, 3)) + rng.gumbel(size=(20, 3)))
        cases.append((features, members, 10 ** rng.uniform(-4, 4, 20)))
    for features, members, weight in cases:
        found = logistic_coefficients(features, members, members.max() + 1, weight)
        assert np.abs(gradient_at(found, features, members, weight)).max() < 1.1e-10
