"""The errors on rows held out that a model has: of its networks, or of other epochs where such rows chose the epoch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.model_selection import KFold

import specnet
from specnet import Observer
from specnet.running.fitting import fit_rows
from tests.made import data_of
from tests.running.ensembles.test_ensembles import MOONS, VALUES
from tests.running.moons import Interrupting, contents, interrupt
from tests.running.specs import spec_on

SINGLE = {"network": {"hidden_layer_sizes": [4]}, "training": {"loss": "mse", "epochs": 3}}


def rows(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    X = np.random.default_rng(seed).normal(size=(count, 3))
    return X, X @ [1, 2, -1]


def quantile(errors: np.ndarray, percent: int) -> float:
    return float(np.sort(errors)[-(-(len(errors) + 1) * percent // 100) - 1])


def test_an_ensemble_keeps_the_errors_of_each_member_on_the_fold_that_it_left_out():
    spec: dict[str, Any] = {**VALUES, "training": {"loss": "mse", "epochs": 3, "ensemble": 4}}
    fitted = fit_rows(data_of({**spec, "data": {"type": "diabetes"}}))
    train, model = fitted.data.splits["train"], fitted.model
    errors = np.empty(len(train))
    for member, (theta, _) in enumerate(model.members):
        fold = train.in_fold(member)
        outputs = model.network.predict(theta, model.preprocessing.prepare(np.asarray(train.columns)[fold]))
        errors[fold] = np.abs(train.y[fold] - model.target_preprocessing.invert(outputs)[:, 0])
    for percent in (1, 50, 90, 99):
        assert model.error_quantiles.at(percent / 100) == pytest.approx([quantile(errors, percent)], rel=1e-12)
    copies = specnet.Model(model.network, model.theta, error_quantiles=model.error_quantiles), model.astype("float32")
    assert all(copy.error_quantiles is model.error_quantiles for copy in copies)


def test_a_single_network_keeps_those_on_its_validation_set():
    (X, y), (held, true) = rows(60), rows(30, seed=1)
    model = specnet.fit(SINGLE, X, y, validation=(held, true))
    errors = np.abs(true - model.predict(held).astype(float))
    assert model.error_quantiles.at(0.8) == [quantile(errors, 80)]
    assert model.error_quantiles.values.shape[:2] == (1, 96)  # ⌊100 · 30 / 31⌋
    weight = np.repeat([1.0, 0.0], 15)
    weighted = specnet.fit(SINGLE, X, y, validation=(held, true, weight))
    assert weighted.error_quantiles.at(0.8) == [quantile(errors[:15], 80)]
    cut = specnet.fit({**SINGLE, "data": {"type": "npz", "path": "-", "split": {"validation_size": 0.5}}}, X, y)
    assert cut.error_quantiles.values.shape[:2] == (1, 96)


def test_without_rows_held_out_and_after_an_interruption_there_are_none():
    assert not specnet.fit(SINGLE, *rows(40)).error_quantiles
    together = {**SINGLE, "training": {**SINGLE["training"], "ensemble": {"members": 2, "validation": "none"}}}
    assert not specnet.fit(together, *rows(40)).error_quantiles
    data = data_of(MOONS)
    assert fit_rows(data).model.error_quantiles
    for member, epoch in ((1, 2), (2, 3)):
        assert not fit_rows(data, Interrupting(epoch, member)).model.error_quantiles


@pytest.mark.trains
@pytest.mark.slow
def test_intervals_and_sets_cover_rows_like_the_training_rows():
    generator = np.random.default_rng(0)
    X = generator.normal(size=(1200, 2))
    y = X[:, 0] + generator.exponential(size=1200)
    covered = []
    for train, test in KFold(4).split(X):
        adam = {"type": "adam", "learning_rate": 0.01}
        spec = {**SINGLE, "training": {"loss": "mse", "optimizer": adam, "epochs": 40, "ensemble": 5}}
        low, high = specnet.fit(spec, X[train], y[train], observer=Observer()).predict_interval(X[test], 0.8).T
        spec["training"] |= {"loss": "binary_crossentropy"}
        sets = specnet.fit(spec, X[train], y[train] > 1, observer=Observer()).predict_set(X[test], 0.8)
        covered.append(((low <= y[test]) & (y[test] <= high), sets[np.arange(len(test)), (y[test] > 1).astype(int)]))
    # 1 200 independent rows would be covered to 1.2 points; networks on overlapping rows to little more.
    np.testing.assert_allclose(np.mean(np.concatenate(covered, axis=1), axis=1), 0.8, atol=0.035)


ROWS, UNTIL = 120, 160
BEST = {"monitor": "validation_loss", "patience": 60, "restore_best": True}
PLATEAU = {"type": "reduce_on_plateau", "patience": 3}
ADAM = {"type": "adam", "learning_rate": 0.03}
SCALED = {"target_preprocessing": ["standardize"]}
STOPPED = spec_on(None, 32, SCALED, loss="mse", epochs=60, batch_size=16, optimizer=ADAM, early_stopping=BEST)


def covered(seeds: int, **training: Any) -> np.ndarray:
    """Return what share of new rows is covered for 80 %, as the model says, and by its errors on validation rows."""
    found = []
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        X = rng.normal(size=(UNTIL + 400, 8))
        y = X[:, 0] + rng.standard_t(4, len(X))
        spec = {**STOPPED, "seed": seed, "training": {**STOPPED["training"], **training}}
        held = X[ROWS:UNTIL], y[ROWS:UNTIL]
        model = specnet.fit(spec, X[:ROWS], y[:ROWS], validation=held, observer=Observer())
        low, high = model.predict_interval(X[UNTIL:], 0.8).T
        plain = np.sort(np.abs(model.predict(held[0]) - held[1]))[-(-41 * 8 // 10) - 1]
        error = np.abs(model.predict(X[UNTIL:]) - y[UNTIL:])
        found.append((np.mean((low <= y[UNTIL:]) & (y[UNTIL:] <= high)), np.mean(error <= plain)))
    return np.mean(found, axis=0)


@pytest.mark.trains
@pytest.mark.parametrize(
    "training",
    [
        {},
        {"early_stopping": {**BEST, "patience": 5}},
        {"optimizer": {**ADAM, "schedule": PLATEAU}},
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
        spec = {**STOPPED, "training": {**STOPPED["training"], "epochs": 5, "early_stopping": stopping}}
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
        interrupt(MOONS, folder, epoch, member, overrides=settings)
        specnet.run(MOONS, folder, resume=True, overrides=settings, report=False)
        assert contents(folder)["model.safetensors"] == contents(tmp_path / "whole")["model.safetensors"]
