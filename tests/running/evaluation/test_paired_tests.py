"""P-values of gains and the statistics of rare classes, against SciPy and scikit-learn."""

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics

from specnet.model import Answers
from specnet.parts.metrics.statistics import precision_statistic, recall_statistic
from specnet.report.pages.headline import clearly_worse
from specnet.running.evaluation.paired_tests import p_value, rare_class


def answers_of(right: np.ndarray) -> Answers:
    target = np.ones(len(right), np.intp)
    return Answers(target, target, np.zeros(len(right)), right.astype(np.intp), None, None)


@pytest.mark.parametrize(("wins", "losses"), [(0, 0), (3, 3), (1, 5), (6, 0), (80, 40), (700, 640)])
def test_the_p_value_of_an_accuracy_is_that_of_the_exact_sign_test(wins: int, losses: int) -> None:
    ours, its = (np.ones(1500, bool) for _ in range(2))
    its[:wins], ours[wins : wins + losses] = False, False
    found = p_value("accuracy", 0.0, np.zeros(2), 1500, answers_of(ours), answers_of(its))
    expected = stats.binomtest(wins, wins + losses).pvalue if wins + losses else 1.0
    assert found == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("rows", [8, 20, 60, 1000])
@pytest.mark.parametrize("t", [0.0, 0.5, 2.0, 3.5])
def test_other_p_values_are_those_of_students_t(rows: int, t: float) -> None:
    error = np.sqrt((rows - 1) / rows)  # of a mean, as resamples have it, where its standard error is 1
    drawn = np.array([-error, error]) / np.sqrt(2)
    either = answers_of(np.ones(rows, bool))
    expected = max(2 * stats.t.sf(t, rows - 1), 2.0 ** (1 - rows))
    assert p_value("loss", -t, drawn, rows, either, either) == pytest.approx(expected, rel=0.03)


def test_equal_differences_of_few_rows_are_no_certainty() -> None:
    either = answers_of(np.ones(4, bool))
    assert p_value("loss", 0.5, np.full(9, 0.5), 4, either, either) == 2**-3
    assert p_value("loss", 0.0, np.zeros(9), 4, either, either) == 1


@pytest.mark.parametrize("digits", [1, 9])
def test_statistics_of_rare_classes_are_scikit_learns_with_weights(rng: np.random.Generator, digits: int) -> None:
    target, probability = rng.random(200) < 0.1, rng.random(200).round(digits)
    weightings = rng.integers(0, 3, (4, 200)).astype(np.float64)
    average = precision_statistic(target, probability)(weightings)
    balanced = recall_statistic(target, probability > 0.8)(weightings)
    for row, weight in enumerate(weightings):
        expected = metrics.average_precision_score(target, probability, sample_weight=weight)
        assert average[row] == pytest.approx(expected, rel=1e-12)
        expected = metrics.balanced_accuracy_score(target, probability > 0.8, sample_weight=weight)
        assert balanced[row] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("share", "expected"), [(0.06, 1), (0.14, 1), (0.16, None), (0.95, 0), (0.0, None)])
def test_one_of_two_classes_is_rare_by_its_share_of_the_test_rows(share: float, expected: int | None) -> None:
    target = (np.arange(200) < 200 * share).astype(np.intp)
    probability = np.full((200, 2), 0.5)
    assert rare_class(Answers(target, target, np.zeros(200), target, probability, None)) == expected
    assert rare_class(Answers(target, target, np.zeros(200), target, None, None)) is None


def test_of_thirty_runs_that_are_equally_good_the_best_is_rarely_called_better_than_any():
    generator, rows, runs = np.random.default_rng(0), 200, 30
    named = uncorrected = 0
    for _ in range(300):
        losses = generator.normal(size=(runs, rows))
        best = int(losses.mean(axis=1).argmin())
        others = np.delete(losses, best, axis=0)
        named += bool(worse_runs(losses[best], others))
        uncorrected += stats.ttest_rel(others, losses[best][None], axis=1).pvalue.min() < 0.05
    assert named <= 0.06 * 300
    assert uncorrected > 0.5 * 300
    # Runs that are clearly worse are named, and those alone: all of these beside the first, which differs by chance.
    losses = generator.normal(size=(runs, rows))
    losses[2:] += 1
    losses = losses[np.argsort(losses.mean(axis=1))]
    assert worse_runs(losses[0], losses[1:]) == [f"run {number}" for number in range(1, runs - 1)]


def worse_runs(best, others):
    """Return the runs that are called worse than the best one, given losses."""
    tests = stats.ttest_rel(others, best[None], axis=1)
    gains = {}
    for number, (other, chance) in enumerate(zip(others, tests.pvalue, strict=True)):
        value = float(other.mean() - best.mean())
        gain = {"value": value, "low": value, "high": value, "p_value": float(chance)}
        gains[f"run {number}"] = {"loss": gain | {"model": float(best.mean()), "baseline": float(other.mean())}}
    name, worse = clearly_worse({"loss": {"gains": gains}})
    assert name == "loss"
    return sorted(worse, key=lambda run: int(run.split()[1]))
