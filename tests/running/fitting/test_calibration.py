"""Temperatures and shares of linear models, against those that SciPy finds for losses written out by hand."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.optimize import minimize, minimize_scalar
from scipy.special import expit, logsumexp, softmax
from sklearn.linear_model import Ridge

import specnet
from specnet import DataError, SpecClassifier, SpecError, parse_spec
from specnet.running.calibration import fitted_calibration
from specnet.running.fitting import FitResult, fit_rows
from tests.made import data_of
from tests.running.moons import Interrupting, contents
from tests.texts.pinned import Refused

ROWS, MEMBERS = 900, 3
FOLDS = {"members": MEMBERS, "validation": "folds"}
SPLIT = {"members": MEMBERS, "validation": "split"}
FAST = {"type": "adam", "learning_rate": 0.01}
TASKS = {
    "binary": {"loss": "binary_crossentropy"},
    "classes": {"loss": {"type": "categorical_crossentropy", "label_smoothing": 0.4}},
    "focal": {"loss": "categorical_focal_crossentropy"},
    "multilabel": {"loss": "binary_crossentropy"},
}


def table(task: str) -> tuple[np.ndarray, np.ndarray]:
    """Return rows whose classes overlap."""
    rng = np.random.default_rng(7)
    X = rng.normal(size=(ROWS, 3))
    noisy = X + rng.normal(size=X.shape) * 0.5
    if task == "multilabel":
        return X, (noisy > 0).astype(int)
    return X, np.digitize(noisy[:, 0], [0.0] if task == "binary" else [-0.5, 0.5])


def spec_for(task: str, folder: Path, ensemble: Any = None, weighted: bool = False, **training: Any) -> dict[str, Any]:
    """Return a spec on such rows in a file, whose network is not as sure as it could be."""
    X, y = table(task)
    weight = {"sample_weight": np.random.default_rng(1).integers(0, 4, ROWS)} if weighted else {}
    np.savez(folder / "rows.npz", X=X, y=y, **weight)
    validation = 0.0 if ensemble == FOLDS else 0.3
    split = {"test_size": 0.2, "validation_size": validation, "stratify": False}
    training |= {} if ensemble is None else {"ensemble": ensemble}
    return {
        "seed": 3,
        "data": {"type": "npz", "path": str(folder / "rows.npz"), "split": split},
        "network": {"dtype": "float64", "hidden_layer_sizes": [6]},
        "training": {"epochs": 20, "optimizer": FAST, "l2": 0.05, "baselines": [], **TASKS[task], **training},
    }


def fitted(spec: dict[str, Any], calibration: str | None = "temperature") -> FitResult:
    """Return what fitting to such rows comes to."""
    if calibration is not None:
        spec = {**spec, "training": {**spec["training"], "calibration": calibration}}
    return fit_rows(data_of(spec))


def held_out_logits(plain: FitResult) -> tuple[list[np.ndarray], Any]:
    """Return logits of rows by networks that were not trained on them, one network at a time."""
    network, train = plain.model.network, plain.data.splits["train"]
    if train.folds is None:
        rows = plain.data.splits["validation"]
        return [
            network.predict_checked(theta, rows.columns, state, raw=True) for theta, state in plain.model.members
        ], rows
    raw = np.empty((len(train), network.outputs))
    for member, (theta, state) in enumerate(plain.model.members):
        own = train.folds == member
        raw[own] = network.predict_checked(theta, train.columns[own], state, raw=True)
    return [raw], train


def loss_by_hand(logits: list[np.ndarray], y: np.ndarray, temperature: float) -> np.ndarray:
    """Return the log loss of each row: of the mean of probabilities."""
    if logits[0].shape[1] == 1 or y.ndim == 2:
        probability = np.mean([expit(z / temperature) for z in logits], axis=0)
        true = np.where(y.reshape(len(y), -1) == 1, probability, 1 - probability)
        return -np.log(true).mean(axis=1)
    return -np.log(np.mean([softmax(z / temperature, axis=1) for z in logits], axis=0)[np.arange(len(y)), y])


def best_temperature(logits: list[np.ndarray], y: np.ndarray, weight: Any = None) -> float:
    """Return the temperature of the least mean log loss."""

    def mean(logarithm: np.ndarray) -> float:
        return np.average(loss_by_hand(logits, y, np.exp(logarithm[0])), weights=weight)

    return np.exp(minimize(mean, 0.0, method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-15}).x[0])


ENSEMBLES: dict[str, Any] = {"one": None, "folds": FOLDS, "split": SPLIT}
PAIRS = [
    pytest.param(task, ensemble, weighted := (which + number) % 2 == 1, id=f"{task}-{name}-{weighted}")
    for which, task in enumerate(TASKS)
    for number, (name, ensemble) in enumerate(ENSEMBLES.items())
]
"""Each task with each ensemble, and both of them with and without weights."""


@pytest.mark.parametrize(("task", "ensemble", "weighted"), PAIRS)
def test_the_temperature_has_the_least_log_loss_and_divides_all_logits(
    tmp_path: Path, task: str, ensemble: Any, weighted: bool
):
    spec = spec_for(task, tmp_path, ensemble, weighted)
    plain, calibrated = fitted(spec, None), fitted(spec)
    assert plain.calibration is None
    logits, rows = held_out_logits(plain)
    best, found = best_temperature(logits, rows.y, rows.weight), calibrated.calibration
    assert best < 0.95  # so that a temperature of 1 would be seen
    assert found.value == pytest.approx(best, rel=1e-6)
    figures = [np.average(loss_by_hand(logits, rows.y, each), weights=rows.weight) for each in (1.0, best)]
    assert [found.before, found.after] == pytest.approx(figures, rel=1e-12)
    X = table(task)[0]
    pairs = zip(plain.model.members, calibrated.model.members, strict=True)
    network = plain.model.network
    for (theta, state), (other, other_state) in pairs:
        divided = network.predict_checked(theta, X, state, raw=True) / found.value
        np.testing.assert_allclose(
            network.predict_checked(other, X, other_state, raw=True), divided, rtol=1e-12, atol=1e-14
        )
    assert calibrated.model.history == plain.model.history


LAST = {
    "ntk": {"type": "dense", "parametrization": "ntk"},
    "without bias": {"type": "dense", "use_bias": False},
    "activation by itself": {"type": "dense", "activation": "linear"},
    "frozen": {"type": "dense", "trainable": False},
}


@pytest.mark.parametrize("last", LAST)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_any_dense_layer_takes_the_temperature(tmp_path: Path, last: str, dtype: str):
    spec = spec_for("classes", tmp_path)
    layers = [{"type": "dense", "units": 5, "activation": "tanh"}, {**LAST[last], "units": 3}]
    if last == "activation by itself":
        layers.append({"type": "activation", "activation": "softmax"})
    spec["network"] = {"dtype": dtype, "layers": layers}
    plain, calibrated = fitted(spec, None), fitted(spec)
    temperature = calibrated.calibration.value
    assert temperature != 1
    X = table("classes")[0].astype(dtype)
    expected = softmax(plain.model.raw_outputs(X).astype(float) / temperature, axis=1)
    close = {"float32": 1e-5, "float64": 1e-13}[dtype]
    np.testing.assert_allclose(calibrated.model.predict_proba(X), expected, rtol=close)
    own = plain.model.network.parameters(plain.model.theta)
    for name, array in calibrated.model.network.parameters(calibrated.model.theta).items():
        divided = own[name] / np.asarray(temperature if name.startswith("layers.1") else 1, dtype)
        np.testing.assert_array_equal(array, divided)


def answers(logits: np.ndarray, y: np.ndarray, weight: Any = None) -> tuple[list[np.ndarray], Any]:
    """Return rows held out that have such logits."""
    spec = {"network": {"layer_sizes": [1, logits.shape[1]]}, "training": {"loss": "categorical_crossentropy"}}
    network = specnet.build(spec)
    model = specnet.Model(network, network.initial_parameters())
    return [logits], model.answers_of(logits, softmax(logits, axis=1), y, weight)


def random_logits(sharpness: float, rows: int = 400) -> tuple[np.ndarray, np.ndarray]:
    """Return logits of which those times `sharpness` would be right, and classes drawn by these."""
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(rows, 3))
    gumbel = -np.log(-np.log(rng.uniform(size=logits.shape)))
    return logits, (sharpness * logits + gumbel).argmax(axis=1)


def test_members_judged_alone_are_not_made_less_sure():
    logits, y = random_logits(0.4)
    assert fitted_calibration(*answers(logits, y), None, one_by_one=False).value == pytest.approx(2.5, rel=0.2)
    kept = fitted_calibration(*answers(logits, y), None, one_by_one=True)
    assert kept.value == 1
    assert kept.after == kept.before
    logits, y = random_logits(2.5)
    both = [fitted_calibration(*answers(logits, y), None, one_by_one=each).value for each in (True, False)]
    assert both[0] == pytest.approx(both[1], rel=1e-6)
    assert both[0] == pytest.approx(0.4, rel=0.2)


@pytest.mark.parametrize("grouped", [False, True])
def test_a_gain_below_its_standard_error_is_none(grouped: bool):
    """Sharpness goes up until the gain exceeds its error, by the definition, of rows or of groups of them."""
    decided = set()
    for sharpness in np.linspace(1, 1.6, 25):
        logits, y = random_logits(sharpness)
        groups = np.arange(len(y)) // 8 if grouped else None
        gains = loss_by_hand([logits], y, 1.0) - loss_by_hand([logits], y, best_temperature([logits], y))
        parts = gains - gains.mean()
        if grouped:
            parts = np.array([parts[groups == group].sum() for group in range(len(y) // 8)])
        is_clear = gains.sum() > np.sqrt((parts**2).sum())
        decided.add(bool(is_clear))
        assert (fitted_calibration(*answers(logits, y), groups, one_by_one=False).value != 1) == is_clear
    assert decided == {False, True}


def test_without_a_wrong_row_nothing_is_least():
    logits, _ = random_logits(1.0)
    y = logits.argmax(axis=1)
    assert fitted_calibration(*answers(logits, y), None, one_by_one=False).value == 1
    y[0] = (y[0] + 1) % 3
    assert fitted_calibration(*answers(logits, y), None, one_by_one=False).value < 1
    weight = np.ones(len(y))
    weight[0] = 0
    assert fitted_calibration(*answers(logits, y, weight), None, one_by_one=False).value == 1


@pytest.mark.parametrize("scale", [1e-3, 1e4])
def test_enormous_and_tiny_logits_stay_finite(scale: float):
    logits, y = random_logits(1.0)
    found = fitted_calibration(*answers(logits * scale, y), None, one_by_one=False)
    expected = np.mean(logsumexp(logits * scale, axis=1) - scale * logits[np.arange(len(y)), y])
    assert found.before == pytest.approx(expected, rel=1e-12)
    assert found.after < found.before


def test_logits_that_are_not_finite_have_no_temperature():
    logits, y = random_logits(2.5)
    held = answers(logits, y)
    logits[3, y[3]] = np.inf
    assert fitted_calibration(*held, None, one_by_one=False).value == 1


@pytest.mark.parametrize("ensemble", [None, FOLDS], ids=["one", "folds"])
def test_a_run_says_what_calibration_is_worth(tmp_path: Path, ensemble: Any):
    spec = spec_for("classes", tmp_path, ensemble)
    plain = specnet.run(spec, observer=specnet.Observer())
    calibrated = specnet.run(spec, overrides=["training.calibration=temperature"], observer=specnet.Observer())
    before, found = (run.evaluation["calibration"] for run in (plain, calibrated))
    name = "validation" if ensemble is None else "out_of_fold"
    assert before.keys() == {"error"}
    assert before["error"].keys() == found["error"].keys() == {"train", name, "test"}
    assert found["temperature"] == fitted(spec).calibration.value
    losses = {"before": plain.metrics[name]["loss"], "after": calibrated.metrics[name]["loss"]}
    assert found["log_loss"] == pytest.approx(losses, rel=1e-12)
    test = data_of(spec).splits["test"]
    metric = calibrated.model.evaluate(test.columns, test.y, metrics="ece")
    assert found["error"]["test"] == metric["expected_calibration_error"]


@pytest.mark.parametrize("ensemble", [None, FOLDS], ids=["one", "folds"])
def test_training_on_begins_where_the_calibrated_model_is(tmp_path: Path, ensemble: Any):
    spec = spec_for("classes", tmp_path, ensemble)
    first, X = fitted(spec), table("classes")[0]
    again, plain = (
        fit_rows(data_of({**spec, "training": {**spec["training"], **more}}), start=first.model)
        for more in ({"calibration": "temperature"}, {})
    )
    logits, rows = held_out_logits(plain)
    assert again.calibration.before == pytest.approx(loss_by_hand(logits, rows.y, 1.0).mean(), rel=1e-12)
    both = zip(again.model.members, plain.model.members, strict=True)
    for (theta, _), (other, _) in both:
        raw, expected = (plain.model.network.predict_checked(each, X, raw=True) for each in (theta, other))
        np.testing.assert_allclose(raw, expected / again.calibration.value, rtol=1e-11, atol=1e-13)


def test_an_estimator_holds_rows_out_for_it():
    X, y = table("classes")
    training = {"loss": "categorical_crossentropy", "epochs": 3, "calibration": "temperature"}
    spec = {"network": {"hidden_layer_sizes": [4]}, "training": training}
    with pytest.raises(DataError, match="calibration needs validation rows"):
        SpecClassifier(spec, validation_size=0.0).fit(X, y)
    classifier = SpecClassifier(spec).fit(X, y)
    assert "validation_loss" in classifier.history_[-1]
    with pytest.raises(ValueError, match=r"partial_fit is not supported with training\.calibration"):
        classifier.partial_fit(X, y)


def test_arrays_without_validation_rows_are_refused(tmp_path: Path, refused: Refused):
    X, y = table("classes")
    spec = {key: part for key, part in spec_for("classes", tmp_path).items() if key != "data"}
    spec["training"] = {**spec["training"], "calibration": "temperature"}
    with refused(DataError):
        specnet.fit(spec, X, y)
    assert specnet.fit(spec, X, y, validation=(X, y)).gives_probabilities


@pytest.mark.parametrize("ensemble", [None, FOLDS], ids=["one", "folds"])
def test_an_interrupted_run_is_calibrated_at_its_end(tmp_path: Path, ensemble: Any):
    """Until then it has the weights as training left them."""
    spec = spec_for("classes", tmp_path, ensemble, calibration="temperature")
    whole, out = tmp_path / "whole", tmp_path / "out"
    specnet.run(spec, whole)
    with pytest.raises(KeyboardInterrupt):
        specnet.run(spec, out, observer=Interrupting(7))
    assert "temperature" not in json.loads((out / "metrics.json").read_text())["calibration"]
    specnet.run(spec, out, resume=True)
    assert json.loads((out / "metrics.json").read_text())["calibration"]["temperature"] < 1
    resumed, undisturbed = contents(out), contents(whole)
    for name in ("model.safetensors", "metrics.json", "history.jsonl"):
        assert resumed[name] == undisturbed[name]


OWN = [{"type": "dense", "units": 24, "activation": "tanh"}, {"type": "dense", "name": "network", "units": 2}]
LINEAR = {"type": "dense", "name": "linear", "inputs": ["input"], "units": 2, "weight_initializer": "zeros"}
SUM = {"type": "add", "inputs": ["network", "linear"]}
MIXED = [*OWN, {**LINEAR, "trainable": False}, SUM]


def linear_spec(
    folder: Path, ensemble: Any = None, weighted: bool = False, layers: Any = MIXED, slope: float = 1.0, **training: Any
) -> dict[str, Any]:
    """Return a spec on rows in a file, whose two targets are a sum of slopes, a bend and noise."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((400, 4))
    y = slope * X @ rng.standard_normal((4, 2)) + (1.6 - slope) * X[:, :1] ** 2 + 1.5 * rng.standard_normal((400, 2))
    weight = {"sample_weight": rng.integers(0, 4, 400)} if weighted else {}
    np.savez(folder / "rows.npz", X=X, y=10 * y + 50, **weight)
    split = {"test_size": 0.2, "validation_size": 0.0 if ensemble == FOLDS else 0.3}
    training |= {} if ensemble is None else {"ensemble": ensemble}
    adam = {"type": "adam", "learning_rate": 0.02}
    return {
        "seed": 3,
        "data": {"type": "npz", "path": str(folder / "rows.npz"), "split": split},
        "network": {"dtype": "float64", "layers": layers, "target_preprocessing": ["standardize"]},
        "training": {"loss": "mean_squared_error", "epochs": 160, "optimizer": adam, "baselines": [], **training},
    }


def outputs(fit: FitResult, X: np.ndarray) -> list[np.ndarray]:
    """Return what each network gives, (rows, outputs)."""
    network = fit.model.network
    return [network.predict_checked(theta, X, state, raw=True) for theta, state in fit.model.members]


@pytest.mark.parametrize("weighted", [False, True], ids=["alike", "weighted"])
@pytest.mark.parametrize("ensemble", [None, FOLDS, SPLIT], ids=["one", "folds", "split"])
def test_the_share_has_the_least_squared_error_of_rows_held_out(tmp_path: Path, ensemble: Any, weighted: bool):
    spec = linear_spec(tmp_path, ensemble, weighted)
    plain = fitted(spec, None)
    mixed = fitted(spec, "linear")
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
    assert 0.05 < found.value < 0.95
    assert found.value == pytest.approx(best, abs=1e-7)
    assert (found.before, found.after) == pytest.approx((error(0.0), error(found.value)), rel=1e-10)
    for one, before, ridge in zip(outputs(mixed, rows.X), members, linear, strict=True):
        expected = (1 - found.value) * before + found.value * ridge.predict(rows.X)
        np.testing.assert_allclose(one, expected, rtol=1e-10, atol=1e-12)


def test_no_row_held_out_is_answered_by_a_linear_model_that_has_seen_it(tmp_path: Path):
    fit = fitted(linear_spec(tmp_path, FOLDS), "linear")
    folds, rows, share = fit.data.splits["train"].folds, fit.training, fit.calibration.value
    plain = fitted(linear_spec(tmp_path, FOLDS), None)
    ((held,), _) = fit.held_out
    for number, own in enumerate(outputs(plain, rows.X)):
        left, used = folds == number, folds != number
        ridge = Ridge(1.0).fit(rows.X[used], rows.target[used])
        expected = (1 - share) * own[left] + share * ridge.predict(rows.X[left])
        np.testing.assert_allclose(held[left], expected, rtol=1e-10, atol=1e-12)


def test_a_linear_part_of_zeros_takes_no_part_in_training(tmp_path: Path):
    mixed, alone = (fitted(linear_spec(tmp_path, FOLDS, layers=layers), None) for layers in (MIXED, OWN))
    assert mixed.model.history == alone.model.history
    np.testing.assert_array_equal(outputs(mixed, mixed.training.X), outputs(alone, mixed.training.X))


def test_training_on_mixes_what_was_mixed_with_a_linear_model_anew(tmp_path: Path):
    spec = linear_spec(tmp_path)
    asked = {**spec, "training": {**spec["training"], "calibration": "linear"}}
    first = fitted(spec, "linear")
    plain, again = (fit_rows(data_of(each), start=first.model) for each in (spec, asked))
    rows, share = plain.training, again.calibration.value
    ridge = Ridge(1.0).fit(rows.X, rows.target).predict(rows.X)
    expected = (1 - share) * outputs(plain, rows.X)[0] + share * ridge
    np.testing.assert_allclose(outputs(again, rows.X)[0], expected, rtol=1e-9, atol=1e-11)


def test_the_share_is_none_where_a_linear_model_only_harms(tmp_path: Path):
    fit = fitted(linear_spec(tmp_path, FOLDS, slope=0.0, epochs=100), "linear")
    plain = fitted(linear_spec(tmp_path, FOLDS, slope=0.0, epochs=100), None)
    assert fit.calibration.value == 0.0
    assert fit.calibration.before == fit.calibration.after
    np.testing.assert_array_equal(fit.model.theta, plain.model.theta)


def test_metrics_json_has_the_share(tmp_path: Path):
    specnet.run(linear_spec(tmp_path, FOLDS, calibration="linear"), tmp_path / "out")
    told = json.loads((tmp_path / "out" / "metrics.json").read_text())["calibration"]
    assert 0 < told["linear_share"] < 1
    assert told["squared_error"]["after"] < told["squared_error"]["before"]


NOWHERE = "a linear model needs an output that is a sum of dense layers"
WITHOUT: list[tuple[dict[str, Any], str]] = [
    ({"loss": "mean_absolute_error"}, "a linear model minimizes the squared error, and mean_absolute_error another"),
    ({"loss": "categorical_crossentropy"}, "training.calibration = .temperature"),
    ({"validation_size": 0.0}, "calibration needs validation rows"),
    *(
        ({"layers": layers}, NOWHERE)
        for layers in (
            OWN,
            [*OWN, {**LINEAR, "activation": "tanh"}, SUM],
            [*OWN, {**LINEAR, "use_bias": False}, SUM],
            [LINEAR, {"type": "dense", "name": "network", "units": 2}, SUM],
            [*OWN, LINEAR, {**SUM, "inputs": ["network", "network", "linear"]}],
            [*MIXED, {"type": "activation", "activation": "softplus"}],
        )
    ),
]


@pytest.mark.parametrize(("change", "message"), WITHOUT, ids=range(len(WITHOUT)))
def test_a_spec_without_a_place_for_it_is_refused(tmp_path: Path, change: dict[str, Any], message: str):
    spec = linear_spec(tmp_path, calibration="linear")
    for section in (spec["network"], spec["training"], spec["data"]["split"]):
        section |= {key: value for key, value in change.items() if key in section}
    with pytest.raises(SpecError, match=message):
        parse_spec(spec)
