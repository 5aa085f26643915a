"""Targets far from 0, whose digits float32 does not hold: trained around their mean in float64, or refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import specnet
from specnet import DataError, Observer
from tests.running.specs import spec_on
from tests.texts.pinned import Refused

OFFSET = 1e9
X = np.random.default_rng(0).normal(size=(240, 3))
Y = np.round((X[:, 0] * 3 + np.random.default_rng(1).normal(size=240)) * 1024) / 1024  # what is exact beside the offset


def spec(steps: list[Any], dtype: str = "float32") -> dict[str, Any]:
    network = {"dtype": dtype, "target_preprocessing": steps}
    adam = {"type": "adam", "learning_rate": 0.02}
    scores = ["r2", "root_mean_squared_error", "mean_absolute_error"]
    return spec_on(None, 8, network, loss="mse", epochs=30, optimizer=adam, ensemble=3, metrics=scores)


def run(y: np.ndarray, tmp_path: Any, **split: Any) -> specnet.RunResult:
    np.savez(tmp_path / "rows.npz", X=X, y=y)
    data = {"type": "npz", "path": str(tmp_path / "rows.npz"), "split": {"test_size": 0.25, **split}}
    return specnet.run({**spec(["standardize"]), "data": data}, observer=Observer())


@pytest.mark.trains
def test_an_offset_changes_predictions_intervals_and_figures_by_itself_alone(tmp_path):
    near, far = run(Y, tmp_path), run(Y + OFFSET, tmp_path)
    assert far.model.predict(X).dtype == np.float64
    np.testing.assert_allclose(far.model.predict(X) - OFFSET, near.model.predict(X), atol=1e-5)
    for level in (0.5, 0.9):
        ends = near.model.predict_interval(X, level)
        np.testing.assert_allclose(far.model.predict_interval(X, level) - OFFSET, ends, atol=1e-5)
    assert far.evaluation["tables"]["test"]["coverage"] == [
        {
            **each,
            "size": pytest.approx(each["size"], abs=1e-5),
            "thirds": [pytest.approx(third, abs=1e-5) for third in each["thirds"]],
        }
        for each in near.evaluation["tables"]["test"]["coverage"]
    ]
    for part, figures in near.metrics.items():
        assert far.metrics[part] == pytest.approx(figures, rel=1e-4), part
    for name, parts in near.evaluation["baselines"].items():
        assert far.evaluation["baselines"][name]["test"] == pytest.approx(parts["test"], rel=1e-4), name


def test_a_target_without_preprocessing_is_refused_where_its_digits_are_lost(refused: Refused):
    with refused(DataError):
        specnet.fit(spec([]), X, Y + OFFSET)
    two = np.stack([Y, Y + OFFSET], axis=1)
    with refused(DataError):
        specnet.fit(spec([]), X, two)
    specnet.fit(spec([], "float64"), X[:60], Y[:60] + OFFSET, overrides=["training.epochs=1"], observer=Observer())
    specnet.fit(spec([]), X[:60], Y[:60] + 1000, overrides=["training.epochs=1"], observer=Observer())
    constant = np.full(60, 16_777_217.0)
    specnet.fit(spec([]), X[:60], constant, overrides=["training.epochs=1"], observer=Observer())
