"""Errors of rows that have chosen the epoch: those of the epochs that other such rows choose."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import specnet
from specnet import Observer
from tests.running.ensembles.test_ensembles import MOONS
from tests.running.moons import Interrupting, contents

ROWS, HELD = 120, 160
BEST = {"monitor": "validation_loss", "patience": 60, "restore_best": True}
SPEC: dict[str, Any] = {
    "network": {"hidden_layer_sizes": [32], "target_preprocessing": ["standardize"]},
    "training": {
        "loss": "mse",
        "epochs": 60,
        "batch_size": 16,
        "optimizer": {"type": "adam", "learning_rate": 0.03},
        "early_stopping": BEST,
    },
}


def covered(seeds: int, **training: Any) -> np.ndarray:
    """Return what share of new rows is covered for 80 %, as the model says, and by its errors on validation rows."""
    found = []
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        X = rng.normal(size=(HELD + 400, 8))
        y = X[:, 0] + rng.standard_t(4, len(X))
        spec = {**SPEC, "seed": seed, "training": {**SPEC["training"], **training}}
        held = X[ROWS:HELD], y[ROWS:HELD]
        model = specnet.fit(spec, X[:ROWS], y[:ROWS], validation=held, observer=Observer())
        low, high = model.predict_interval(X[HELD:], 0.8).T
        plain = np.sort(np.abs(model.predict(held[0]) - held[1]))[-(-41 * 8 // 10) - 1]
        error = np.abs(model.predict(X[HELD:]) - y[HELD:])
        found.append((np.mean((low <= y[HELD:]) & (y[HELD:] <= high)), np.mean(error <= plain)))
    return np.mean(found, axis=0)


@pytest.mark.trains
@pytest.mark.parametrize(
    "training",
    [
        {},
        {"early_stopping": {**BEST, "patience": 5}},
        {
            "optimizer": {
                "type": "adam",
                "learning_rate": 0.03,
                "schedule": {"type": "reduce_on_plateau", "patience": 3},
            }
        },
    ],
)
def test_rows_that_choose_the_epoch_do_not_make_intervals_too_narrow(training: dict[str, Any]):
    ours, plain = covered(40, **training)
    assert ours == pytest.approx(0.8, abs=0.02)
    assert plain < ours - 0.01


def test_without_a_best_epoch_errors_are_those_of_the_model():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(90, 3)), rng.normal(size=90)
    for stopping in (None, {"monitor": "validation_loss", "patience": 3, "restore_best": False}, {"monitor": "loss"}):
        spec = {**SPEC, "training": {**SPEC["training"], "epochs": 5, "early_stopping": stopping}}
        spec["training"] = {name: value for name, value in spec["training"].items() if value is not None}
        model = specnet.fit(spec, X[:60], y[:60], validation=(X[60:], y[60:]), observer=Observer())
        errors = np.sort(np.abs(model.predict(X[60:]) - y[60:]))
        assert not model.error_quantiles.knots.size
        assert model.error_quantiles.at(0.5)[0] == pytest.approx(errors[15], rel=1e-12)


@pytest.mark.parametrize("ensemble", ["", '{members=3, validation="split"}'])
@pytest.mark.parametrize("monitor", ["validation_loss", "validation_accuracy"])
def test_a_resumed_run_has_the_same_errors(ensemble: str, monitor: str, tmp_path: Path):
    settings = [f"training.ensemble={ensemble}", "data.split.validation_size=0.3", "training.epochs=8"]
    settings += [f'training.early_stopping={{monitor="{monitor}", patience=8}}', "training.checkpoint_every=1"]
    whole = specnet.run(MOONS, tmp_path / "whole", overrides=settings, report=False)
    assert whole.model.error_quantiles
    for epoch, member in ((3, 0), (3, 1)) if ensemble else ((3, 0), (7, 0)):
        folder = tmp_path / f"{epoch} {member}"
        with pytest.raises(KeyboardInterrupt):
            specnet.run(MOONS, folder, observer=Interrupting(epoch, member), overrides=settings, report=False)
        specnet.run(MOONS, folder, resume=True, overrides=settings, report=False)
        assert contents(folder)["model.safetensors"] == contents(tmp_path / "whole")["model.safetensors"]
