"""Curves of rates against scikit-learn's, and bins of probabilities against plain sums."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest, norm
from sklearn import metrics

from specnet.report.answers.roc_curves import calibration, precision_recall_curve, roc_curve, thresholds

RNG = np.random.default_rng(0)


def rows(count: int, levels: int | None = None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Outcomes, scores that tell something of them, of only so many levels, and weights."""
    positive = RNG.random(count) < 0.3
    score = np.clip(RNG.normal(0.4 + 0.2 * positive, 0.2), 0, 1)
    if levels is not None:
        score = np.round(score * levels) / levels
    return positive, score, RNG.integers(1, 4, count).astype(np.float64)


@pytest.mark.parametrize("levels", [None, 5])
@pytest.mark.parametrize("weighted", [False, True])
def test_curves_are_those_of_scikit_learn(levels: int | None, weighted: bool) -> None:
    positive, score, weight = rows(500, levels)
    weights = weight if weighted else None
    found = roc_curve(positive, score, weights)
    assert found is not None
    assert found[2] == pytest.approx(metrics.roc_auc_score(positive, score, sample_weight=weights))
    expected = metrics.roc_curve(positive, score, sample_weight=weights, drop_intermediate=False)
    np.testing.assert_allclose(found[0], expected[0])
    np.testing.assert_allclose(found[1], expected[1])
    found = precision_recall_curve(positive, score, weights)
    assert found is not None
    assert found[2] == pytest.approx(metrics.average_precision_score(positive, score, sample_weight=weights))
    assert np.all(np.diff(found[0]) >= 0)


def test_curves_need_what_they_are_about() -> None:
    score = RNG.random(9)
    assert roc_curve(np.ones(9, bool), score) is None
    assert roc_curve(np.zeros(9, bool), score) is None
    assert precision_recall_curve(np.zeros(9, bool), score) is None


@pytest.mark.parametrize(("count", "bins"), [(3, 3), (60, 3), (150, 5), (3000, 10)])
def test_bins_have_about_as_many_rows_and_their_means(count: int, bins: int) -> None:
    positive, score, weight = rows(count)
    sizes, predicted, observed, _, _ = calibration(positive, score, weight)
    assert len(sizes) == bins
    assert sizes.sum() == count
    assert np.ptp(sizes) <= 1
    order = np.argsort(score)
    for number, part in enumerate(np.split(order, sizes.cumsum().astype(int)[:-1])):
        assert predicted[number] == pytest.approx(np.average(score[part], weights=weight[part]))
        assert observed[number] == pytest.approx(np.average(positive[part], weights=weight[part]))


def test_equal_probabilities_are_in_one_bin() -> None:
    positive = RNG.random(300) < 0.5
    assert calibration(positive, np.full(300, 0.7))[0] == [300]
    score = np.repeat([0.1, 0.9], [200, 100])
    assert calibration(positive, score)[1] == pytest.approx([0.1, 0.9])


def test_bins_have_the_intervals_of_rows_that_count_alike() -> None:
    positive, score, _ = rows(90)
    for weight in (None, np.full(90, 0.5)):
        order = np.argsort(score).reshape(3, 30)
        for ends, part in zip(calibration(positive, score, weight)[3:].T, order, strict=True):
            expected = binomtest(int(positive[part].sum()), 30).proportion_ci(0.95, "wilson")
            assert ends == pytest.approx(list(expected))


def test_rows_of_unequal_weight_tell_less() -> None:
    """Both ends are as far from the fraction as chance goes there, among as many rows as Kish counts."""
    positive, score, weight = rows(90)
    order = np.argsort(score).reshape(3, 30)
    for (observed, *ends), part in zip(calibration(positive, score, weight)[2:].T, order, strict=True):
        effective = weight[part].sum() ** 2 / np.sum(weight[part] ** 2)
        assert effective < 30
        for end in ends:
            if 0 < end < 1:
                chance = norm.ppf(0.975) * np.sqrt(end * (1 - end) / effective)
                assert abs(observed - end) == pytest.approx(chance)
    assert calibration(positive, score, np.zeros(90)).shape == (5, 0)


@pytest.mark.parametrize("levels", [None, 7])
@pytest.mark.parametrize("weighted", [False, True])
def test_thresholds_count_the_rows_above_them(levels: int | None, weighted: bool) -> None:
    positive, score, weight = rows(5000, levels)
    score = score.astype(np.float32)
    weight = weight / weight.mean() if weighted else np.ones(5000)
    found = thresholds(positive, score, weight if weighted else None)
    assert found is not None
    assert len(found["at"]) == (9 if levels else pytest.approx(200, abs=15))
    assert (found["at"][0], found["at"][-1], found["at"][found["start"]]) == (0, 1, 0.5)
    for at, hits, alarms in zip(found["at"], found["hits"], found["alarms"], strict=True):
        above = score.astype(np.float64) > at
        expected = weight[above & positive].sum(), weight[above & ~positive].sum()
        assert (hits, alarms) == (pytest.approx(expected, rel=1e-9) if weighted else expected)
    assert found["positives"] == pytest.approx(weight[positive].sum(), rel=1e-9)
    assert found["others"] == pytest.approx(weight[~positive].sum(), rel=1e-9)
    if levels:  # each level can be left out
        assert len(set(zip(found["hits"], found["alarms"], strict=True))) == levels + 1
    assert thresholds(np.ones(5000, bool), score) is None
