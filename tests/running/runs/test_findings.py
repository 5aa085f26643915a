"""The findings of a run: in its result, in its folder, and in the error of a loss that is no longer finite."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn import metrics
from sklearn.linear_model import Ridge
from sklearn.preprocessing import StandardScaler

import specnet
from specnet import TrainingError
from specnet.running.evaluation import evaluation
from specnet.saved.saved_run import SavedRun
from tests.made import data_of
from tests.running.conftest import ROWS, classes, columns
from tests.running.specs import csv_file, spec_on
from tests.texts.pinned import Refused


def moons(**training: Any) -> dict[str, Any]:
    return spec_on({"type": "make_moons", "n_samples": 200, "noise": 0.2}, 4, **{"epochs": 30, **training})


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What findings are read from, run by run."""
    given: list[Any] = []
    judge = evaluation.judge
    monkeypatch.setattr(evaluation, "judge", lambda evidence: [given.append(evidence), judge(evidence)][1])
    return given


SLOW = {"optimizer": {"type": "sgd", "learning_rate": 1e-6}}


def test_findings_are_in_the_result_and_in_the_folder(tmp_path: Path):
    result = specnet.run(moons(**SLOW), tmp_path / "run")
    assert [each.code for each in result.findings] == ["rate-too-low"]
    assert SavedRun(tmp_path / "run").judgement.findings == result.findings
    written = json.loads((tmp_path / "run" / "findings.json").read_text())
    (record,) = written["findings"]
    assert written["tests"] == SavedRun(tmp_path / "run").judgement.tests == 13
    assert list(record) == ["code", "severity", "sentence", "remedy", "changes", "words", "effect"]
    assert record["changes"] == {"training.optimizer.learning_rate": 3e-05}
    again = specnet.run(moons(**SLOW), tmp_path / "run", resume=True)
    assert again.findings == result.findings
    healthy = specnet.run(moons(epochs=200), tmp_path / "run", force=True)
    assert healthy.findings == SavedRun(tmp_path / "run").judgement.findings == ()


def test_findings_of_an_earlier_version_do_not_say_how_many_tests_there_were(tmp_path: Path):
    (tmp_path / "findings.json").write_text('{"findings": []}')
    assert SavedRun(tmp_path).judgement == ((), None)


def test_a_loss_that_is_not_finite_is_explained(refused: Refused):
    spec = moons(loss="mse", optimizer={"type": "sgd", "learning_rate": 1e6})
    spec["network"]["activations"] = "linear"
    with refused(TrainingError, varying=r"\d[\d.e+-]*") as caught:
        specnet.run(spec)
    assert [each["code"] for each in caught.value.findings] == ["rate-too-high"]
    copied = pickle.loads(pickle.dumps(caught.value))
    assert (copied.findings, copied.diagnostics) == (caught.value.findings, caught.value.diagnostics)


def test_columns_in_other_units_explain_it_to_fit_too(refused: Refused):
    X = np.random.default_rng(0).normal(size=(100, 2)) * [1, 1e6]
    with refused(TrainingError, varying=r"\d[\d.e+-]*") as caught:
        specnet.fit(spec_on(None, 4, loss="mse", optimizer="sgd", epochs=200), X, X[:, 0])
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.hint == 'set network.preprocessing = ["standardize"]'


TASKS: list[tuple[Any, dict[str, Any]]] = [
    (lambda rng, X: classes(rng, X, 3), {"loss": "categorical_crossentropy"}),
    (lambda rng, X: (X > 0).astype(int), {"loss": "binary_crossentropy"}),
    (lambda rng, X: np.exp(X[:, 0]), {"loss": "poisson"}),
    (lambda rng, X: X[:, :2] @ [[1, 2], [3, 4]], {"loss": "gaussian_nll"}),
    (lambda rng, X: X[:, 0], {"loss": "quantile"}),
    (lambda rng, X: X[:, 0], {"loss": "mse", "optimizer": "lbfgs"}),
    (lambda rng, X: classes(rng, X), {"loss": "hinge"}),
    (lambda rng, X: classes(rng, X), {"loss": "binary_crossentropy", "baselines": []}),
    (lambda rng, X: classes(rng, X), {"loss": "binary_crossentropy", "ensemble": 2}),
    (lambda rng, X: classes(rng, X), {"loss": "binary_crossentropy", "class_weight": "balanced", "epochs": 1}),
]


@pytest.mark.parametrize(("target", "training"), TASKS, ids=range(len(TASKS)))
def test_every_kind_of_run_can_be_judged(ran, rng: np.random.Generator, seen, target: Any, training: Any):
    X = columns(rng)
    ran(X, target(rng, X), **training)
    (evidence,) = seen
    assert np.isfinite([evidence.first_loss, evidence.constant_loss, *evidence.losses]).all()
    assert len(evidence.layers) == len(evidence.records[0]["layers"]) == 2
    assert (evidence.unseen is None) == (training["loss"] == "quantile")
    if evidence.unseen is not None:
        assert evidence.unseen.name == "test"
        assert (
            set(evidence.unseen.baselines) == set() if "baselines" in training else {"constant", "linear", "neighbours"}
        )


LEARNS = {"epochs": 60, "optimizer": {"type": "adam", "learning_rate": 0.01}, "engine": "numpy"}


@pytest.mark.parametrize("has_signal", [True, False])
def test_probabilities_that_rank_rows_are_a_signal_even_where_the_largest_class_is_predicted(
    ran, rng: np.random.Generator, has_signal: bool
):
    X = rng.normal(size=(1200, 3))
    chance = 1 / (1 + np.exp(1.4 - 1.2 * X[:, 0] * has_signal))
    y = (rng.random(1200) < chance).astype(int)
    found = ran(X, y, loss="binary_crossentropy", metrics=["accuracy", "roc_auc"], **LEARNS)
    majority = max(found.test[1].mean(), 1 - found.test[1].mean())
    if has_signal:
        assert found["test"]["accuracy"] - majority < 0.04
        assert found["test"]["roc_auc"] > 0.75
    assert ("no-signal" in {each.code for each in found.result.findings}) != has_signal


def test_few_rows_with_a_good_fit_are_a_signal(ran, rng: np.random.Generator):
    X = rng.normal(size=(ROWS, 3))
    found = ran(X, X[:, 0] + 0.6 * rng.normal(size=ROWS), loss="mse", metrics=["r2"], test_size=0.06, **LEARNS)
    assert len(found.test[1]) == 8
    assert 0.6 < max(found["test"]["r2"], *(scores["test"]["r2"] for scores in found["baselines"].values())) < 0.98
    assert "no-signal" not in {each.code for each in found.result.findings}


def test_the_gain_over_the_constant_is_a_paired_difference_of_losses(ran, rng: np.random.Generator, seen):
    X = columns(rng)
    y, weight = classes(rng, X), rng.integers(1, 4, ROWS).astype(float)
    found = ran(X, y, weight, loss="binary_crossentropy")
    X_test, y_test, w = found.test
    probability = found.result.model.predict_proba(X_test)[:, 1]
    share = np.average(found.train[1], weights=found.train[2])

    def losses(p):
        return -np.log(np.where(y_test == 1, p, 1 - p))

    (evidence,) = seen
    difference = losses(share) - losses(probability)
    gain, error = evidence.unseen.gains["network"]
    assert gain == pytest.approx(np.average(difference, weights=w))
    assert error == pytest.approx(np.sqrt(np.sum((w * (difference - gain)) ** 2)) / w.sum())
    assert set(evidence.unseen.gains) == {"network", "linear", "neighbours"}


@pytest.mark.parametrize("task", ["classes", "labels", "value", "values"])
def test_scores_are_the_weighted_ones_of_scikit_learn(ran, rng: np.random.Generator, seen, task: str):
    X, weight = columns(rng), rng.integers(1, 5, ROWS).astype(float)
    noisy = X + rng.normal(size=X.shape)
    y = {"classes": noisy[:, 0] > 0, "labels": noisy > 0, "value": noisy[:, 0], "values": noisy[:, :2]}[task]
    is_class = task in ("classes", "labels")
    y = y.astype(int) if is_class else y
    found = ran(X, y, weight, loss="binary_crossentropy" if is_class else "mse", baselines=["linear"], epochs=30)
    (evidence,) = seen

    def score(rows: Any) -> float:
        (X, y, weight), model = rows, found.result.model
        if not is_class:
            return metrics.r2_score(y, model.predict(X), sample_weight=weight)
        return float(np.average((y == model.predict(X)).reshape(len(y), -1).mean(axis=1), weights=weight))

    assert evidence.train_score == pytest.approx(score(found.train))
    assert evidence.unseen.score == pytest.approx(score(found.test))
    if not is_class:
        X_train, y_train, w_train = found.train
        scaler = StandardScaler().fit(X_train, sample_weight=w_train)
        ridge = Ridge().fit(scaler.transform(X_train), y_train, w_train / w_train.mean())
        expected = ridge.predict(scaler.transform(found.test[0]))
        linear = metrics.r2_score(found.test[1], expected, sample_weight=found.test[2])
        assert evidence.unseen.baselines == {"linear": pytest.approx(linear)}


def test_the_loss_of_a_constant_and_of_the_first_batch_are_what_they_say(ran, rng: np.random.Generator, seen):
    X = columns(rng)
    y = (rng.random(ROWS) < 0.3).astype(int)
    found = ran(X, y, loss="binary_crossentropy", batch_size="full", network={"preprocessing": ["standardize"]})
    share = found.train[1].mean()
    (evidence,) = seen
    assert evidence.constant_loss == pytest.approx(-share * np.log(share) - (1 - share) * np.log(1 - share))
    assert evidence.first_loss == pytest.approx(found.result.history[0]["loss"])
    ran(X, y, loss="binary_crossentropy", class_weight="balanced")
    assert seen[1].constant_loss == pytest.approx(np.log(2))


def test_rows_for_validation_come_before_those_for_tests(seen):
    spec = moons(epochs=1, optimizer={"type": "sgd", "learning_rate": 1e-9})
    spec["data"]["split"] = {"test_size": 0.2, "validation_size": 0.2}
    spec["network"]["hidden_layer_sizes"] = [1]
    spec["training"]["epochs"] = 3
    specnet.run(spec)
    spec["data"]["split"] = {"test_size": 0}
    specnet.run(spec)
    first, second = seen
    assert first.unseen.name == "validation"
    assert len(first.unseen.target) == 40
    assert len(first.validation_losses) == len(first.losses) == 3
    assert second.unseen is None
    assert second.validation_losses is None


def test_a_table_of_kinds_is_judged_by_its_own_columns(tmp_path: Path, rng: np.random.Generator):
    towns = rng.choice(["a", "b", "c"], 100)
    x = rng.normal(size=100)
    cells = [f"{a:.17g}" if place % 30 else "" for place, a in enumerate(x)]
    rows = zip(towns, cells, x, 0.5 * rng.normal(size=100), strict=True)
    lines = [f"{town},{cell},7,{2 * a + 3 + b:.17g}" for town, cell, a, b in rows]
    data, adam = csv_file(tmp_path / "rows.csv", "town,x,<same>,y", lines), {"type": "adam", "learning_rate": 0.01}
    spec = spec_on(data, 16, {"target_preprocessing": ["standardize"]}, loss="mse", epochs=60, optimizer=adam)
    found = specnet.run(spec, observer=specnet.Observer()).findings
    assert {each.code for each in found} == {"constant-column"}
    assert found[0].sentence == "column <same>: the same value in all 75 training rows"
    assert found[0].changes == {'data.columns."<same>"': "ignore"}
    assert specnet.run(spec, observer=specnet.Observer(), overrides=found[0].settings).findings == ()


DENSE = {"type": "dense", "units": 3, "activation": "relu", "weight_initializer": "zeros"}
LAYERS = [DENSE, {"type": "dense", "units": 4, "activation": "tanh"}, {"type": "dense", "units": 2}]


def test_findings_read_layers_and_where_the_spec_sets_them(seen):
    data = {"type": "make_regression", "n_samples": 60, "n_targets": 2, "n_features": 3}
    spec = {"data": data, "network": {"layers": LAYERS}, "training": {"loss": "mse", "epochs": 1}}
    specnet.run(spec, observer=specnet.Observer())
    (evidence,) = seen
    assert evidence.written() == specnet.parse_spec(spec).document.data
    assert evidence.written("network", "layers", 1, "units") == 4
    assert evidence.written("network", "layers", 3, "units") is None
    assert list(evidence.column_names) == ["column 0", "column 1", "column 2"]
    assert not evidence.has_table
    found = [(layer.size, *evidence.initializers(layer), evidence.is_rectified(layer)) for layer in evidence.layers]
    assert found == [
        (3, "zeros", "he_normal", True),
        (4, "glorot_uniform", "glorot_uniform", False),
        (2, "glorot_uniform", "glorot_uniform", False),
    ]
    for number, layer in enumerate(evidence.layers):
        assert layer.key == f"layers.{number}"
        for setting in ("units", "activation", "weight_initializer", "bias_initializer"):
            assert evidence.path(layer, setting) == ("network", "layers", number, setting)


def test_an_ensemble_that_learns_its_rows_by_heart_is_found_out_of_fold(tmp_path: Path, rng: np.random.Generator, seen):
    np.savez(tmp_path / "rows.npz", X=rng.normal(size=(150, 8)), y=rng.integers(0, 2, 150))
    data = {"type": "npz", "path": str(tmp_path / "rows.npz"), "split": {"test_size": 0}}
    adam = {"type": "adam", "learning_rate": 0.01}
    result = specnet.run(spec_on(data, 32, metrics=["accuracy"], epochs=60, optimizer=adam, ensemble=3))
    train, folds = (result.metrics[name]["accuracy"] for name in ("train", "out_of_fold"))
    assert (seen[0].out_of_fold.score, seen[0].out_of_fold.independent_rows) == (pytest.approx(folds), 150)
    assert [each.code for each in result.findings] == ["overfitting"]
    told = f"{100 * train:.1f} % on training rows, {100 * folds:.1f} % on these rows out of fold"
    assert result.findings[0].sentence.startswith(told)


def test_overconfidence_is_that_of_the_probabilities_of_rows_held_out(seen):
    spec = moons(loss={"type": "binary_crossentropy", "label_smoothing": 0.5}, epochs=100)
    result = specnet.run(spec)
    held = seen[0].unseen
    confidence = result.model.predict_proba(data_of(spec).splits["test"].columns).max(axis=1).astype(np.float64)
    excess = confidence - (held.target == held.prediction)
    of_right_probabilities = np.sqrt((confidence * (1 - confidence)).mean())  # larger here: the smoothed ones are low
    assert of_right_probabilities > excess.std()
    assert held.overconfidence == pytest.approx((excess.mean(), of_right_probabilities / np.sqrt(len(excess))))
    assert held.overconfidence[0] < -0.1
    specnet.run(moons(loss="hinge"))
    assert seen[1].unseen.overconfidence is None


def test_rows_of_groups_count_as_fewer(tmp_path: Path, rng: np.random.Generator, seen):
    patients = np.repeat(np.arange(40), 6)
    rows = np.column_stack([patients, rng.normal(size=len(patients)), rng.normal(size=40)[patients]])
    data = csv_file(tmp_path / "rows.csv", "patient,x,y", rows.tolist(), split={"group": "patient"})
    specnet.run(spec_on(data, loss="mse"), observer=specnet.Observer())
    assert seen[0].unseen.independent_rows == pytest.approx(10, abs=3)  # of 60 of 10 groups, whose targets are equal
    assert len(seen[0].unseen.target) == 60
