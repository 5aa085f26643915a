"""Metrics under many weightings at once, against scikit-learn's of each weighting."""

import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics

from specnet.parts.metrics.statistics import weighted_mean
from tests.parts.test_metrics import OWN_NAMES
from tests.registry import REGISTRY, find

ROWS, WEIGHTINGS = 30, 25
VALUES = {
    "mean_squared_error",
    "neg_mean_squared_error",
    "root_mean_squared_error",
    "neg_root_mean_squared_error",
    "mean_absolute_error",
    "neg_mean_absolute_error",
    "neg_mean_absolute_percentage_error",
    "neg_mean_squared_log_error",
    "neg_root_mean_squared_log_error",
    "r2",
}


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(5)


def statistic(name, *compared):
    return find("metric", name)().statistic(*compared)


@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("name", sorted(VALUES))
def test_values_are_as_scikit_learn_s(name: str, outputs: int, rng: np.random.Generator):
    target, prediction = rng.gamma(2.0, 3.0, (2, ROWS, outputs)) + 1000 * (name == "r2")
    weightings = rng.integers(0, 4, (WEIGHTINGS, ROWS)) * rng.random(ROWS)
    scorer = sklearn_metrics.get_scorer(OWN_NAMES.get(name, name))
    sign = -1 if name in OWN_NAMES else 1
    expected = [
        sign * scorer._sign * scorer._score_func(target, prediction, sample_weight=weights) for weights in weightings
    ]
    if outputs == 1:
        target, prediction = target[:, 0], prediction[:, 0]
    np.testing.assert_allclose(statistic(name, target, prediction)(weightings), expected, rtol=1e-9)


@pytest.mark.parametrize("name", ["roc_auc", "roc_auc with ties", "accuracy", "accuracy of two outputs"])
def test_scores_of_classes_are_as_scikit_learn_s(name: str, rng: np.random.Generator):
    target, prediction = rng.integers(0, 2, (2, ROWS, 2) if "outputs" in name else (2, ROWS))
    second = rng.random(ROWS).round(1 if "ties" in name else 16)
    weightings = rng.integers(0, 4, (WEIGHTINGS, ROWS)) * rng.random(ROWS)
    found = statistic(name.split()[0], target, prediction, np.stack([1 - second, second], axis=1))(weightings)
    score = sklearn_metrics.accuracy_score if "accuracy" in name else sklearn_metrics.roc_auc_score
    compared = target, prediction if "accuracy" in name else second
    np.testing.assert_allclose(found, [score(*compared, sample_weight=each) for each in weightings], rtol=1e-12)


def test_a_row_of_weight_2_counts_twice_in_a_mean(rng: np.random.Generator):
    numbers, weights = rng.random((2, ROWS))
    assert weighted_mean(numbers, weights) == pytest.approx(np.average(numbers, weights=weights), rel=1e-14)
    assert weighted_mean(numbers, None) == numbers.mean()


def test_what_is_not_defined_is_nan(rng: np.random.Generator):
    target, prediction = np.array([5.1, 5.1, 7.3]), np.array([5.0, 6.0, 7.0])
    weightings = np.array([[1.0, 2.0, 0.0], [0.0, 0.0, 3.0], [1.0, 1.0, 1.0], [0.0, 0.0, 0.0]])
    assert np.isnan(statistic("r2", target, prediction)(weightings)).tolist() == [True, True, False, True]
    assert np.isnan(statistic("mean_absolute_error", target, prediction)(weightings)).tolist() == [False] * 3 + [True]
    classes, probability = np.array([0, 0, 1]), np.array([[0.5, 0.5], [0.4, 0.6], [0.7, 0.3]])
    area = statistic("roc_auc", classes, classes, probability)
    assert np.isnan(area(weightings)).tolist() == [True, True, False, True]


def test_no_other_metric_has_one(rng: np.random.Generator):
    values = rng.random((2, ROWS))
    classes, probability = rng.integers(0, 2, (2, ROWS)), rng.random((ROWS, 2))
    for metric in REGISTRY.of_kind("metric"):
        compared = values if "values" in metric.task else classes
        found = metric().statistic(*compared, None if "values" in metric.task else probability)
        assert (found is not None) == (metric.part_name() in VALUES | {"accuracy", "roc_auc"}), metric.part_name()
    several = rng.integers(0, 2, (2, ROWS, 2))
    assert statistic("roc_auc", *several, probability) is None
