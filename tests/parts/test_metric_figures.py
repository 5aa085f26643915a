"""Metrics that are computed without scikit-learn, against its functions: of random rows, and of those it refuses."""

import math

import numpy as np
import pytest

from specnet.parts.metrics.scorers import Scorer
from tests.registry import REGISTRY

METRICS = [metric for metric in REGISTRY.of_kind("metric") if issubclass(metric, Scorer) and metric.figure]
COMBINATIONS = pytest.mark.parametrize(
    ("metric", "task"), [(metric, task) for metric in METRICS for task in sorted(metric.task)]
)
CASES = 20


def compared(rng: np.random.Generator, task: str, rows: int):
    """Return target, prediction and probability of random rows, some of one class or value, with ties."""
    same, precision = rng.integers(5) == 0, rng.choice([np.float32, np.float64])
    if task == "values":
        target = 10.0 ** rng.integers(-3, 4) * rng.normal(size=(rows, 2)).round(1) + rng.integers(3)
        target = np.tile(target[:1], (rows, 1)) if same else target
        prediction = (target + rng.integers(2) * rng.normal(size=target.shape)).astype(precision)
        return (target[:, 0], prediction[:, 0], None) if rng.integers(2) else (target, prediction, None)
    if task == "multilabel":
        probability = rng.random((rows, 3)).astype(precision)
        return rng.integers(0, 2, (rows, 3)), (probability > 0.5).astype(int), probability
    classes = 2 if task == "binary" else int(rng.integers(3, 12))
    weights = rng.random((rows, classes)).round(1 + 9 * rng.integers(2)) ** 2 + [0, *[0.01] * (classes - 1)]
    probability = (weights / weights.sum(axis=1, keepdims=True)).astype(precision)
    target = rng.integers(0, classes, rows)
    return np.full(rows, target[0]) if same else target, probability.argmax(axis=1), probability


def weights_of(rng: np.random.Generator, rows: int):
    return [None, rng.random(rows), rng.integers(0, 3, rows), rng.integers(0, 2, rows) * rng.random(rows)][
        rng.integers(4)
    ]


def theirs(metric: type[Scorer], *arguments) -> float:
    """Return the metric by scikit-learn's function."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(metric, "figure", None)
        return metric().score(*arguments)


@COMBINATIONS
def test_figures_are_scikit_learns(metric: type[Scorer], task: str):
    rng, defined = np.random.default_rng(len(task)), 0
    for _ in range(CASES):
        rows = int(rng.integers(1, 60))
        arguments = *compared(rng, task, rows), weights_of(rng, rows)
        expected = theirs(metric, *arguments)
        assert metric().score(*arguments) == pytest.approx(expected, rel=1e-12, abs=1e-15, nan_ok=True)
        defined += math.isfinite(expected)
    assert defined > CASES / 2


@pytest.mark.parametrize("odd", [np.nan, np.inf, -0.1, 1.1, "no rows", "no weights"])
@COMBINATIONS
def test_what_scikit_learn_refuses_is_nan(metric: type[Scorer], task: str, odd):
    target, prediction, probability = compared(np.random.default_rng(1), task, 9)
    weight, response = np.zeros(9) if odd == "no weights" else None, prediction if probability is None else probability
    if odd == "no rows":
        target, prediction, response = target[:0], prediction[:0], response[:0]
    elif weight is None:
        response[3] = odd
    arguments = target, prediction, None if probability is None else response, weight
    expected = theirs(metric, *arguments)
    assert metric().score(*arguments) == pytest.approx(expected, rel=1e-12, nan_ok=True)
    is_looked_at = metric.response == "probability" or task == "values"
    if isinstance(odd, str) or (is_looked_at and not math.isfinite(odd)):
        assert math.isnan(expected)
