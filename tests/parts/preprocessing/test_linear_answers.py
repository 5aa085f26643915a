"""Columns that are fitted to the target, against scikit-learn's models of the same folds."""

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, Ridge

from specnet import DataError
from specnet.parts.preprocessing.folding import folded
from specnet.parts.preprocessing.linear_answers import ALPHA, C
from tests.registry import part

RNG = np.random.default_rng(1)
WORDS = ["noodle", "soup", "spicy", "sweet", "sour", "beef", "rice", "bowl", "cup", "salt", "tofu", "egg"]
ROWS = 60
TEXTS = np.array([" ".join(RNG.choice(WORDS, RNG.integers(1, 6))) for _ in range(ROWS)])
CODES = np.searchsorted(np.unique(TEXTS), TEXTS).astype(np.float64)[:, np.newaxis]
FOLDS = RNG.permutation(ROWS) % 3
TARGETS = {
    "two classes": RNG.integers(0, 2, ROWS),
    "three classes": RNG.integers(0, 3, ROWS),
    "values": RNG.normal(3, 2, (ROWS, 1)),
    "two values": RNG.normal(3, 2, (ROWS, 2)),
}
WEIGHTS = RNG.choice([0.0, 0.5, 2.0], ROWS)


def fitted(target, weight=None, **options):
    """Return a step of words without n-grams, and its arrays, fitted to all rows."""
    step = part("preprocessing", "text_vectors", size=4, longest=0, pairs=False, answers=True, **options)
    step, learned = step.fit(CODES, weight, (np.unique(TEXTS),))
    return step.fit_to_target(CODES, learned, target, weight, (np.unique(TEXTS),))


def answers(step, learned, texts):
    distinct, codes = np.unique(texts, return_inverse=True)
    return step.coder((distinct,), learned)(codes[:, np.newaxis].astype(np.float64))[:, -step.outputs :]


def weights_of(texts, known=TEXTS):
    """Return scikit-learn's weights of words that at least two of the known texts have."""
    options = {"token_pattern": r"\S+", "min_df": 2, "sublinear_tf": True}
    return TfidfVectorizer(**options).fit(map(folded, known)).transform(map(folded, texts)).toarray()


def reference(rows, target, weights):
    """Return the answers (texts, outputs) of scikit-learn's model of `rows` for weights of texts."""
    known = weights_of(TEXTS)[rows]
    if target.dtype.kind == "i":
        found = LogisticRegression(C=C, max_iter=5000, tol=1e-9).fit(known, target[rows]).decision_function(weights)
        return found[:, np.newaxis] if found.ndim == 1 else found - found.mean(1, keepdims=True)
    numbers = (target[rows] - target[rows].mean(0)) / target[rows].std(0)
    return Ridge(ALPHA, solver="cholesky").fit(known, numbers).predict(weights).reshape(weights.shape[0], -1)


@pytest.mark.parametrize("kind", TARGETS)
def test_new_rows_have_the_answers_of_a_model_of_all_rows(kind):
    step, learned = fitted(TARGETS[kind])
    others = np.array(["sweet rice", "unheard words", "beef beef soup", ""])
    expected = reference(np.arange(ROWS), TARGETS[kind], weights_of(others))
    np.testing.assert_allclose(answers(step, learned, others), expected, atol=2e-3)


@pytest.mark.parametrize("kind", TARGETS)
def test_training_rows_have_the_answers_of_a_model_of_the_other_folds(kind):
    target = TARGETS[kind]
    step, learned = fitted(target)
    made = step.out_of_fold(CODES, learned, target, FOLDS, None, (np.unique(TEXTS),))
    for fold in range(3):
        own = fold == FOLDS
        # The weights count all training rows: only the target is out of fold.
        expected = reference(np.flatnonzero(~own), target, weights_of(TEXTS[own]))
        np.testing.assert_allclose(made[own][:, -step.outputs :], expected, atol=2e-3)


@pytest.mark.parametrize("kind", TARGETS)
@pytest.mark.parametrize("weight", [None, WEIGHTS])
def test_no_row_is_in_its_own_answer(kind, weight):
    target, own = TARGETS[kind], FOLDS == 1
    step, learned = fitted(target, weight)
    other = target.copy()
    other[own] = np.roll(target[own], 1, axis=0)
    before, after = (
        step.out_of_fold(CODES, learned, each, FOLDS, weight, (np.unique(TEXTS),)) for each in (target, other)
    )
    np.testing.assert_array_equal(after[own], before[own])
    assert (np.abs(after[~own] - before[~own]).max(axis=1) > 0).any()


def test_rows_without_weight_count_for_nothing():
    target = TARGETS["three classes"]
    _, learned = fitted(target, WEIGHTS)
    changed = np.where(WEIGHTS == 0, (target + 1) % 3, target)
    _, other = fitted(changed, WEIGHTS)
    np.testing.assert_array_equal(other["vectors"], learned["vectors"])


@pytest.mark.parametrize("left", [[2], [1, 2]])
def test_folds_may_lack_classes(left):
    target = TARGETS["three classes"]
    step, learned = fitted(target)
    folds = np.isin(target, left).astype(np.intp)
    made = step.out_of_fold(CODES, learned, target, folds, None, (np.unique(TEXTS),))[:, -3:]
    assert np.isfinite(made).all()
    np.testing.assert_allclose(made.sum(1), 0, atol=1e-9)


def test_a_text_that_is_missing_has_the_answer_of_no_words():
    target = TARGETS["values"]
    step, learned = fitted(target)
    gaps = CODES.copy()
    gaps[0] = np.nan
    alone = (np.arange(ROWS) > 0).astype(np.intp)
    made = step.out_of_fold(gaps, learned, target, alone, None, (np.unique(TEXTS),))
    expected = reference(np.arange(1, ROWS), target, weights_of([""]))
    np.testing.assert_allclose(made[0, -1:], expected[0], atol=2e-3)


def test_numbers_of_answers_that_do_not_fit_are_refused():
    step, learned = fitted(TARGETS["two values"])
    step.check(learned)
    assert step.named(["t"], learned)[-2:] == ["t: answer 1", "t: answer 2"]
    for damage in ({"outputs": None}, {"answers": False}, {"outputs": 9}, {"size": 3}):
        with pytest.raises(DataError, match="text_vectors: "):
            step.model_copy(update=damage).check(learned)
