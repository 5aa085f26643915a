"""The share of a linear model, by hand and with scikit-learn's ridge regression."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from sklearn.linear_model import Ridge

import specnet
from specnet import SpecError, parse_spec
from specnet.running.fitting import FitResult, fit_rows
from tests.made import data_of

ROWS, COLUMNS = 400, 4
FAST = {"type": "adam", "learning_rate": 0.02}
FOLDS = {"members": 3, "validation": "folds"}
SPLIT = {"members": 2, "validation": "split"}
OWN = [{"type": "dense", "units": 24, "activation": "tanh"}, {"type": "dense", "name": "network", "units": 2}]
LINEAR = {"type": "dense", "name": "linear", "inputs": ["input"], "units": 2, "weight_initializer": "zeros"}
SUM = {"type": "add", "inputs": ["network", "linear"]}
MIXED = [*OWN, {**LINEAR, "trainable": False}, SUM]


def spec_for(
    folder: Path, ensemble: Any = None, weighted: bool = False, layers: Any = MIXED, slope: float = 1.0, **training: Any
) -> dict[str, Any]:
    """Return a spec on rows in a file, whose two targets are a sum of slopes, a bend and noise."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((ROWS, COLUMNS))
    y = (
        slope * X @ rng.standard_normal((COLUMNS, 2))
        + (1.6 - slope) * X[:, :1] ** 2
        + 1.5 * rng.standard_normal((ROWS, 2))
    )
    weight = {"sample_weight": rng.integers(0, 4, ROWS)} if weighted else {}
    np.savez(folder / "rows.npz", X=X, y=10 * y + 50, **weight)
    split = {"test_size": 0.2, "validation_size": 0.0 if ensemble == FOLDS else 0.3}
    training |= {} if ensemble is None else {"ensemble": ensemble}
    return {
        "seed": 3,
        "data": {"type": "npz", "path": str(folder / "rows.npz"), "split": split},
        "network": {"dtype": "float64", "layers": layers, "target_preprocessing": ["standardize"]},
        "training": {"loss": "mean_squared_error", "epochs": 160, "optimizer": FAST, "baselines": [], **training},
    }


def fitted(spec: dict[str, Any]) -> FitResult:
    return fit_rows(data_of(spec))


def outputs(fit: FitResult, X: np.ndarray) -> list[np.ndarray]:
    """Return what each network gives, (rows, outputs)."""
    network = fit.model.network
    return [network.predict_checked(theta, X, state, raw=True) for theta, state in fit.model.members]


@pytest.mark.parametrize("weighted", [False, True], ids=["alike", "weighted"])
@pytest.mark.parametrize("ensemble", [None, FOLDS, SPLIT], ids=["one", "folds", "split"])
def test_the_share_has_the_least_squared_error_of_rows_held_out(tmp_path: Path, ensemble: Any, weighted: bool):
    spec = spec_for(tmp_path, ensemble, weighted)
    plain = fitted(spec)
    mixed = fitted({**spec, "training": {**spec["training"], "calibration": "linear"}})
    rows, folds = plain.training, plain.data.splits["train"].folds
    members = outputs(plain, rows.X)
    used = [np.ones(len(rows), bool) if folds is None else folds != number for number in range(len(members))]
    weight = np.ones(len(rows)) if rows.weight is None else rows.weight
    linear = [Ridge(1.0).fit(rows.X[own], rows.target[own], sample_weight=weight[own]) for own in used]
    if folds is None:
        held = plain.encoder.watched_rows(plain.data.splits["validation"], "y").rows
        own, other, target = np.mean(outputs(plain, held.X), axis=0), linear[0].predict(held.X), held.target
        weight = np.ones(len(held)) if held.weight is None else held.weight
    else:
        places = np.arange(len(rows))
        own = np.stack(members)[folds, places]
        other, target = np.stack([each.predict(rows.X) for each in linear])[folds, places], rows.target

    def error(share: float) -> float:
        return np.average(((target - own - share * (other - own)) ** 2).mean(axis=1), weights=weight)

    best = minimize_scalar(error, bounds=(0, 1), method="bounded", options={"xatol": 1e-10}).x
    found = mixed.calibration
    assert 0.05 < found.share < 0.95
    assert found.share == pytest.approx(best, abs=1e-7)
    assert (found.before, found.after) == pytest.approx((error(0.0), error(found.share)), rel=1e-10)
    for one, before, ridge in zip(outputs(mixed, rows.X), members, linear, strict=True):
        expected = (1 - found.share) * before + found.share * ridge.predict(rows.X)
        np.testing.assert_allclose(one, expected, rtol=1e-10, atol=1e-12)


def test_no_row_held_out_is_answered_by_a_linear_model_that_has_seen_it(tmp_path: Path):
    fit = fitted(spec_for(tmp_path, FOLDS, calibration="linear"))
    folds, rows, share = fit.data.splits["train"].folds, fit.training, fit.calibration.share
    plain = fitted(spec_for(tmp_path, FOLDS))
    ((held,), _) = fit.held_out
    for number, own in enumerate(outputs(plain, rows.X)):
        left, used = folds == number, folds != number
        ridge = Ridge(1.0).fit(rows.X[used], rows.target[used])
        expected = (1 - share) * own[left] + share * ridge.predict(rows.X[left])
        np.testing.assert_allclose(held[left], expected, rtol=1e-10, atol=1e-12)


def test_a_linear_part_of_zeros_takes_no_part_in_training(tmp_path: Path):
    mixed, alone = (fitted(spec_for(tmp_path, FOLDS, layers=layers)) for layers in (MIXED, OWN))
    assert mixed.model.history == alone.model.history
    np.testing.assert_array_equal(outputs(mixed, mixed.training.X), outputs(alone, mixed.training.X))


def test_training_on_mixes_what_was_mixed_with_a_linear_model_anew(tmp_path: Path):
    spec = spec_for(tmp_path)
    asked = {**spec, "training": {**spec["training"], "calibration": "linear"}}
    first = fitted(asked)
    plain, again = (fit_rows(data_of(each), start=first.model) for each in (spec, asked))
    rows, share = plain.training, again.calibration.share
    ridge = Ridge(1.0).fit(rows.X, rows.target).predict(rows.X)
    expected = (1 - share) * outputs(plain, rows.X)[0] + share * ridge
    np.testing.assert_allclose(outputs(again, rows.X)[0], expected, rtol=1e-9, atol=1e-11)


def test_the_share_is_none_where_a_linear_model_only_harms(tmp_path: Path):
    fit = fitted(spec_for(tmp_path, FOLDS, slope=0.0, calibration="linear", epochs=100))
    plain = fitted(spec_for(tmp_path, FOLDS, slope=0.0, epochs=100))
    assert fit.calibration.share == 0.0
    assert fit.calibration.before == fit.calibration.after
    np.testing.assert_array_equal(fit.model.theta, plain.model.theta)


def test_metrics_json_has_the_share(tmp_path: Path):
    specnet.run(spec_for(tmp_path, FOLDS, calibration="linear"), tmp_path / "out")
    told = json.loads((tmp_path / "out" / "metrics.json").read_text())["calibration"]
    assert 0 < told["linear_share"] < 1
    assert told["squared_error"]["after"] < told["squared_error"]["before"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"loss": "mean_absolute_error"},
            "a linear model minimizes the squared error, and mean_absolute_error another",
        ),
        ({"layers": OWN}, "there is no place for a linear model"),
        ({"layers": [*OWN, {**LINEAR, "activation": "tanh"}, SUM]}, "there is no place for a linear model"),
        ({"layers": [*OWN, {**LINEAR, "use_bias": False}, SUM]}, "there is no place for a linear model"),
        ({"layers": [LINEAR, {"type": "dense", "name": "network", "units": 2}, SUM]}, "there is no place for a linear"),
        ({"layers": [*OWN, LINEAR, {**SUM, "inputs": ["network", "network", "linear"]}]}, "there is no place"),
        ({"loss": "categorical_crossentropy"}, "training.calibration = .temperature"),
        ({"layers": [*MIXED, {"type": "activation", "activation": "softplus"}]}, "there is no place"),
        ({"split": {"validation_size": 0.0}}, "calibration needs validation rows"),
    ],
)
def test_a_spec_without_a_place_for_it_is_refused(tmp_path: Path, change: dict[str, Any], message: str):
    spec = spec_for(tmp_path, calibration="linear")
    if "layers" in change:
        spec["network"]["layers"] = change["layers"]
    if "split" in change:
        spec["data"]["split"] |= change["split"]
    if "loss" in change:
        spec["training"]["loss"] = change["loss"]
    with pytest.raises(SpecError, match=message):
        parse_spec(spec)
