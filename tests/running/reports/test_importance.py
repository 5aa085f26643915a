"""Permutation importance against what is known of a function."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import specnet
from specnet.running.data_rows import Rows
from specnet.running.reports.importance import affordable_rows, permutation_importance

ROWS = 2000


def model_of(weights: list[float], loss: str, metrics: list[str], scale: float = 1.0) -> specnet.Model:
    """A linear model of these weights."""
    network = {"layer_sizes": [len(weights), 1], "dtype": "float64"}
    spec = {"network": network, "training": {"loss": loss, "metrics": metrics}}
    return specnet.Model(specnet.build(spec), scale * np.array([*weights, 0.0]))


def rows_of(model: specnet.Model, weighted: bool = False) -> tuple[Rows, Any]:
    generator = np.random.default_rng(0)
    X = generator.normal(size=(ROWS, model.network.inputs))
    y = model.predict(X)
    return Rows(X, y, generator.integers(1, 3, ROWS).astype(np.float64) if weighted else None), X


@pytest.mark.parametrize("weighted", [False, True])
def test_r2_falls_by_twice_the_share_of_the_variance(weighted: bool) -> None:
    # For y = Σ wⱼxⱼ of independent columns, shuffling column j gives an error of variance 2wⱼ².
    model = model_of([3.0, 1.0, 0.0], "mse", ["r2"])
    rows, _ = rows_of(model, weighted)
    found = permutation_importance(model, rows, ("a", "b", "c"))
    assert found is not None
    assert (found.score, found.rows, found.shuffles, found.columns) == ("r2", ROWS, 5, ("a", "b", "c"))
    np.testing.assert_allclose(found.mean, [1.8, 0.2, 0.0], atol=0.08)
    assert found.mean[2] == found.deviation[2] == 0


def test_accuracy_falls_where_a_column_decides() -> None:
    model = model_of([4.0, 0.0], "binary_crossentropy", [])
    rows, X = rows_of(model)
    found = permutation_importance(model, rows, ("a", "b"))
    assert found is not None
    assert found.score == "accuracy"
    share = np.mean(X[:, 0] > 0)
    np.testing.assert_allclose(found.mean, [2 * share * (1 - share), 0], atol=0.03)


def test_loss_rises_where_there_is_no_other_score() -> None:
    model = model_of([2.0, 0.0], "mse", [])
    found = permutation_importance(model, rows_of(model)[0], ("a", "b"))
    assert found is not None
    assert found.score == "loss"
    np.testing.assert_allclose(found.mean, [8.0, 0], atol=0.5)


def test_rows_are_bounded_by_what_they_cost() -> None:
    model = model_of([1.0] * 300, "mse", ["r2"])
    assert affordable_rows(model, 300, 10**9) == 10**10 // (5 * 300 * (301 + 100 * 600))
    assert affordable_rows(model, 300, 70) == 70
    rows, _ = rows_of(model)
    few = Rows(rows.table[:49], rows.y[:49])
    assert permutation_importance(model, few, tuple(map(str, range(300)))) is None
