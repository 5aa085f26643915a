"""Intervals: the same resamples drawn one by one, formulas written anew, and how often they hold what is true."""

import math

import numpy as np
import pytest
from scipy.stats import binomtest, norm

from specnet.network.random import stream
from specnet.parts.metrics.statistics import mean_statistic
from specnet.running.evaluation.resampling import (
    FEW_RESAMPLES,
    MANY_ROWS,
    RESAMPLES,
    Resampling,
    independent_rows,
    wilson_interval,
)


def drawn_one_by_one(rows: int, count: int, at_once: int) -> list[np.ndarray]:
    generator = stream(3, "resampling")
    drawn: list[np.ndarray] = []
    while len(drawn) < count:
        drawn += list(generator.integers(0, rows, (min(at_once, count - len(drawn)), rows)))
    return drawn


@pytest.mark.parametrize("weighted", [False, True])
def test_resamples_are_rows_drawn_with_replacement(weighted: bool):
    rows = 3000
    numbers, weight = np.random.default_rng(1).random((2, rows))
    resampling = Resampling(rows, stream(3, "resampling"), weight if weighted else None)
    (found,) = resampling.figures([mean_statistic(numbers)])
    if not weighted:
        weight = np.ones(rows)
    drawn = drawn_one_by_one(rows, RESAMPLES, 2**20 // rows)
    expected = [(numbers[places] * weight[places]).sum() / weight[places].sum() for places in drawn]
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    interval = resampling.interval(0.5, found)
    assert interval == {
        "low": pytest.approx(sorted(expected)[24], abs=1e-3),
        "high": pytest.approx(sorted(expected)[975], abs=1e-3),
        "method": "bootstrap",
    }
    assert (interval["low"], interval["high"]) == tuple(np.quantile(found, [0.025, 0.975]))


def test_many_rows_take_the_spread_of_few_resamples():
    rows = MANY_ROWS + 1
    numbers = np.random.default_rng(2).random(rows)
    resampling = Resampling(rows, stream(3, "resampling"))
    (found,) = resampling.figures([mean_statistic(numbers)])
    assert found.shape == (FEW_RESAMPLES,)
    half = 1.96 * found.std(ddof=1)
    assert resampling.interval(0.5, found) == {"low": 0.5 - half, "high": 0.5 + half, "method": "normal"}
    assert half == pytest.approx(1.96 * numbers.std() / math.sqrt(rows), rel=0.3)


def test_whole_groups_are_drawn():
    groups = np.array([2, 0, 0, 1, 2, 2])
    times = np.concatenate(list(Resampling(6, stream(3, "resampling"), None, groups).weightings()))
    drawn = drawn_one_by_one(3, RESAMPLES, 2**20)
    expected = [np.bincount(places, minlength=3)[groups] for places in drawn]
    np.testing.assert_array_equal(times, expected)


def test_figures_are_of_the_same_resamples():
    numbers = np.random.default_rng(4).random(40)
    first, shifted = Resampling(40, stream(0, "resampling")).figures(
        [mean_statistic(numbers), mean_statistic(numbers + 1)]
    )
    np.testing.assert_allclose(shifted - first, 1)


def test_resamples_without_a_figure_do_not_count():
    resampling = Resampling(3, stream(0, "resampling"))
    figures = np.array([np.nan, 1.0, np.nan, 3.0])
    assert resampling.interval(2.0, figures) == {"low": 1.05, "high": 2.95, "method": "bootstrap"}
    assert resampling.interval(2.0, figures[:1]) is None
    assert resampling.interval(None, figures) is None
    assert Resampling(1, stream(0, "resampling")).interval(2.0, figures) is None


@pytest.mark.slow
def test_intervals_of_means_hold_the_mean_about_as_often_as_they_say():
    generator, rows, held = np.random.default_rng(7), 60, 0
    for seed in range(300):
        resampling = Resampling(rows, stream(seed, "resampling"))
        numbers = generator.exponential(size=rows)
        (found,) = resampling.figures([mean_statistic(numbers)])
        interval = resampling.interval(numbers.mean(), found)
        held += interval["low"] <= 1 <= interval["high"]
    assert 0.88 <= held / 300 <= 0.98


def test_intervals_of_groups_hold_an_accuracy_that_rows_alone_miss():
    generator, groups, held, alone = np.random.default_rng(8), np.repeat(np.arange(30), 6), 0, 0
    for seed in range(100):
        chance = np.where(generator.random(30) < 0.5, 0.95, 0.45)[groups]  # 0.7 on average
        right = generator.random(len(groups)) < chance
        resampling = Resampling(len(groups), stream(seed, "resampling"), None, groups)
        (found,) = resampling.figures([mean_statistic(right)])
        own, rows = resampling.interval(right.mean(), found), wilson_interval(int(right.sum()), len(groups))
        held += own["low"] <= 0.7 <= own["high"]
        alone += rows["low"] <= 0.7 <= rows["high"]
    assert held >= 88
    assert alone < held


def test_rows_of_groups_are_worth_fewer():
    """As many as the variance of their mean says."""
    generator, groups = np.random.default_rng(3), np.repeat(np.arange(500), 4)
    own, shared = generator.normal(size=2000), generator.normal(size=500)[groups]
    assert independent_rows(own, None) == 2000
    assert independent_rows(own, groups) == pytest.approx(2000, rel=0.1)
    assert independent_rows(shared, groups) == pytest.approx(500, rel=0.01)
    # Variances 1 and 1: the mean's is (1 + 4)/2000, as of 800 rows of variance 2.
    assert independent_rows(own + shared, groups) == pytest.approx(800, rel=0.1)
    assert independent_rows(np.zeros(8), np.arange(8) // 2) == 4
    assert independent_rows(np.arange(8.0), np.zeros(8)) == 1
    assert independent_rows(np.tile([0.0, 1.0], 4), np.arange(8) // 2) == 8


@pytest.mark.parametrize(("right", "rows"), [(0, 1), (1, 1), (0, 50), (17, 50), (50, 50), (9_990, 10_000)])
def test_wilson_s_interval(right: int, rows: int):
    interval, expected = wilson_interval(right, rows), binomtest(right, rows).proportion_ci(0.95, "wilson")
    assert interval == {
        "low": pytest.approx(expected.low, abs=1e-14),
        "high": pytest.approx(expected.high, abs=1e-14),
        "method": "wilson",
    }
    z = norm.ppf(0.975)
    for end in (expected.low, expected.high):  # both ends are as far from the share as chance goes there
        assert abs(right / rows - end) == pytest.approx(z * math.sqrt(end * (1 - end) / rows), abs=1e-12)
