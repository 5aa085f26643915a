"""Means of the target by category, against scikit-learn's TargetEncoder and NumPy by hand."""

import numpy as np
import pytest
from sklearn.preprocessing import TargetEncoder

from tests.registry import part

RNG = np.random.default_rng(1)
ROWS, LEVELS = 150, [40, 5]
TEXTS = tuple(np.array([f"level {number:02}" for number in range(count)]) for count in LEVELS)
CODES = np.column_stack([np.minimum(RNG.geometric(2 / count, ROWS), count) - 1 for count in LEVELS]).astype(np.float64)
CODES[RNG.random(ROWS) < 0.2, 1] = np.nan
FOLDS = RNG.permutation(ROWS) % 3
TARGETS = {
    "two classes": RNG.integers(0, 2, ROWS),
    "three classes": RNG.integers(0, 3, ROWS),
    "values": RNG.normal(300, 2, (ROWS, 1)),
}
WEIGHTS = RNG.choice([0.0, 0.5, 2.0], ROWS)
NEW = np.array([[3.0, np.nan], [np.nan, 0.0], [39.0, 4.0], [0.0, 2.0]])
EVERY = pytest.mark.parametrize("kind", TARGETS)


def fitted(target, weight=None, codes=CODES, **options):
    step = part("preprocessing", "target_encoding", **{"minimum_count": 1, **options})
    step, learned = step.fit(codes, weight, TEXTS)
    return step.fit_to_target(codes, learned, target, weight, TEXTS)


def prepared(step, learned, codes):
    return step.apply(step.coder(TEXTS, learned)(codes), learned)


def reference(rows, target, smooth, codes):
    """Return what scikit-learn's encoder, fitted to some of the training rows, makes of codes."""
    kind = "continuous" if target.dtype.kind == "f" else "auto"
    encoder = TargetEncoder(smooth=smooth, target_type=kind).fit(CODES[rows], target[rows].reshape(len(rows)))
    return encoder.transform(codes)


@EVERY
@pytest.mark.parametrize("smooth", ["auto", 0.0, 7.5])
def test_new_rows_have_the_means_of_all_training_rows(kind, smooth):
    target = TARGETS[kind]
    expected = reference(np.arange(ROWS), target, smooth, NEW)
    np.testing.assert_allclose(prepared(*fitted(target, smooth=smooth), NEW), expected, rtol=1e-12)


@EVERY
@pytest.mark.parametrize("smooth", ["auto", 7.5])
def test_training_rows_have_the_means_of_other_folds(kind, smooth):
    target = TARGETS[kind]
    step, learned = fitted(target, smooth=smooth)
    made = step.out_of_fold(CODES, learned, target, FOLDS, None, TEXTS)
    for fold in range(3):
        own = fold == FOLDS
        expected = reference(np.flatnonzero(~own), target, smooth, CODES[own])
        np.testing.assert_allclose(made[own], expected, rtol=1e-12)


@EVERY
@pytest.mark.parametrize("weight", [None, WEIGHTS])
@pytest.mark.parametrize("smooth", ["auto", 0.0])
def test_the_target_of_a_row_is_not_in_its_columns(kind, weight, smooth):
    target = TARGETS[kind]
    step, learned = fitted(target, weight, smooth=smooth)
    before = step.out_of_fold(CODES, learned, target, FOLDS, weight, TEXTS)
    row = int(np.flatnonzero(WEIGHTS)[0])
    changed = target.copy()
    changed[row] = 1e6 if kind == "values" else (target[row] + 1) % (target.max() + 1)
    after = step.out_of_fold(CODES, learned, changed, FOLDS, weight, TEXTS)
    same_fold = FOLDS[row] == FOLDS
    np.testing.assert_array_equal(after[same_fold], before[same_fold])
    others = ~same_fold & (CODES[:, 0] == CODES[row, 0])
    assert others.any()
    assert (after[others] != before[others]).any(axis=1).all()


def by_hand(target, weight, smooth):
    """Return the means (categories + 1, outputs) of the first column with weights, of which the mean is 1."""
    weight = np.where(weight > 0, weight / weight[weight > 0].mean(), 0)
    overall = np.average(target, 0, weight)
    variance = np.average((target - overall) ** 2, 0, weight)
    made = [overall]
    for code in np.unique(CODES[weight > 0, 0]):
        own = CODES[:, 0] == code
        n, mean = weight[own].sum(), np.average(target[own], 0, weight[own])
        m = smooth if smooth != "auto" else np.average((target[own] - mean) ** 2, 0, weight[own]) / variance
        made.append((n * mean + m * overall) / (n + m))
    return np.array(made)


@pytest.mark.parametrize("smooth", ["auto", 3.0])
def test_weights_are_of_rows(smooth):
    target = RNG.normal(3, 2, (ROWS, 2))
    step, learned = fitted(target, WEIGHTS, smooth=smooth)
    expected = by_hand(target, WEIGHTS, smooth)
    np.testing.assert_allclose(learned["means"][:, : len(expected)], expected.T, rtol=1e-12)
    assert step.named(["a", "b"], learned)[1:3] == ["a: mean target 2", "b: mean target 1"]


def test_rare_and_unseen_categories_and_gaps_have_the_mean_of_all_rows():
    target = TARGETS["values"]
    step, learned = fitted(target, minimum_count=10)
    known = np.flatnonzero(np.bincount(CODES[:, 0].astype(int), minlength=40) >= 10)
    assert 0 < len(known) < 10
    made = prepared(step, learned, np.column_stack([[*range(40), np.nan], np.zeros(41)]))[:, 0]
    is_mean = np.isclose(made, target.mean(), rtol=1e-12)
    np.testing.assert_array_equal(np.flatnonzero(~is_mean), known)


def test_a_fold_that_has_all_rows_leaves_no_mean():
    target = TARGETS["three classes"]
    step, learned = fitted(target)
    made = step.out_of_fold(CODES, learned, target, np.zeros(ROWS, np.intp), None, TEXTS)
    np.testing.assert_array_equal(made, np.zeros((ROWS, 6)))


def test_constant_targets_stay_constant():
    target = np.full((ROWS, 1), 0.1)
    for smooth in ("auto", 0.0, 2.0):
        np.testing.assert_allclose(prepared(*fitted(target, smooth=smooth), NEW), 0.1, rtol=1e-15)
