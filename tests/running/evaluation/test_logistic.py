"""The logistic regression of the linear baseline, against scikit-learn's."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from specnet.running.evaluation import logistic
from specnet.running.evaluation.logistic import GRADIENT_TOLERANCE, logistic_coefficients, probabilities_of, scores_of


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


class Watched:
    """The gradients and the number of losses that a fit asks for."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.gradients: list[np.ndarray] = []
        self.losses = 0
        loss, gradient = logistic._Objective.loss, logistic._Objective.gradient

        def watched_loss(*arguments):
            self.losses += 1
            return loss(*arguments)

        def watched_gradient(*arguments):
            self.gradients.append(gradient(*arguments))
            return self.gradients[-1]

        patch.setattr(logistic._Objective, "loss", watched_loss)
        patch.setattr(logistic._Objective, "gradient", watched_gradient)


def test_many_columns_and_classes_need_no_matrix_of_their_products(monkeypatch: pytest.MonkeyPatch):
    """2000 columns of 50 classes would have a Hessian of 80 GB."""
    watched = Watched(monkeypatch)
    features = np.random.default_rng(0).normal(size=(60, 2000))
    logistic_coefficients(features, np.arange(60) % 50, 50, np.ones(60))
    assert np.abs(watched.gradients[-1]).max() <= GRADIENT_TOLERANCE
    assert len(watched.gradients) < 15


def test_steps_that_would_overshoot_are_halved(monkeypatch: pytest.MonkeyPatch):
    """As they would with rows far away that count much."""
    watched, rng, halvings = Watched(monkeypatch), np.random.default_rng(0), 0
    for _ in range(100):
        features = standardized(rng.standard_t(1.2, size=(20, 4)))
        members = members_of(features @ rng.normal(size=(4, 3)) + rng.gumbel(size=(20, 3)))
        watched.gradients, watched.losses = [], 0
        logistic_coefficients(features, members, 3, 10 ** rng.uniform(-4, 4, 20))
        assert np.abs(watched.gradients[-1]).max() <= GRADIENT_TOLERANCE
        halvings += watched.losses - len(watched.gradients)
    assert halvings > 10
