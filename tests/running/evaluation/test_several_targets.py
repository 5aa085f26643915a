"""Classes of test or training rows alone, and several targets: no figure is wrong by them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn import metrics

import specnet
from specnet import DataError, RunResult, SpecError, parse_spec, resolve
from tests.running.specs import csv_file, spec_on
from tests.texts.calling import called
from tests.texts.pinned import Refused

LABELS = "abc" * 20
HELD = "abc" * 6
SCORES = ["accuracy", "balanced_accuracy", "f1_macro", "neg_log_loss", "d2_log_loss_score", "neg_brier_score"]
SCORES += ["top_k_accuracy", "roc_auc_ovr"]


def write(path: Path, labels: Sequence[str], seed: int) -> np.ndarray:
    """Write a table whose second column tells the class, and return its columns."""
    rng = np.random.default_rng(seed)
    X = np.round(rng.normal(size=(len(labels), 2)) + [[0, ord(label)] for label in labels], 3)
    csv_file(path, "x,y,kind", ((a, b, label) for (a, b), label in zip(X.tolist(), labels, strict=True)))
    return X


def ran(folder: Path, split: dict[str, Any], loss: str = "categorical_crossentropy", **training: Any) -> RunResult:
    data = {"type": "csv", "path": str(folder / "rows.csv"), "target": "kind", "split": split}
    network = {"dtype": "float64", "preprocessing": ["standardize"]}
    scores = SCORES if loss[0] == "c" else ["accuracy"]
    spec = spec_on(data, 4, network, **{"loss": loss, "epochs": 20, "metrics": scores, **training})
    return specnet.run(spec, observer=specnet.Observer())


def codes(result: RunResult) -> list[str]:
    return [warning.code for warning in result.warnings]


def test_figures_of_a_class_that_only_test_rows_have_are_scikit_learn_s(tmp_path: Path) -> None:
    write(tmp_path / "rows.csv", LABELS, 0)
    labels = np.array(list(HELD + "ddd"))
    X = write(tmp_path / "test.csv", labels.tolist(), 1)
    result = ran(tmp_path, {"test": str(tmp_path / "test.csv")})
    assert codes(result) == ["unseen-class"]
    model, known = result.model, list("abcd")
    assert model.labels.tolist() == known
    probability, predicted = model.predict_proba(X), model.predict(X)
    expected = {
        "accuracy": metrics.accuracy_score(labels, predicted),
        "balanced_accuracy": metrics.balanced_accuracy_score(labels, predicted),
        "f1_macro": metrics.f1_score(labels, predicted, average="macro", zero_division=0.0),
        "neg_log_loss": -metrics.log_loss(labels, probability, labels=known),
        "loss": metrics.log_loss(labels, probability, labels=known),
        "d2_log_loss_score": metrics.d2_log_loss_score(labels, probability, labels=known),
        "neg_brier_score": -metrics.brier_score_loss(labels, probability, labels=known),
        "top_k_accuracy": metrics.top_k_accuracy_score(labels, probability, labels=known),
        "roc_auc_ovr": metrics.roc_auc_score(labels, probability, multi_class="ovr"),
    }
    assert result.metrics["test"] == pytest.approx(expected, abs=1e-9)
    assert (predicted[-3:] != "d").all()
    assert result.evaluation["tables"]["test"]["recall"][3] == 0


def test_a_baseline_has_a_finite_loss_for_a_class_that_it_has_not_seen(tmp_path: Path) -> None:
    """As if one more row had it; a probability of 0 would decide every comparison."""
    write(tmp_path / "rows.csv", LABELS, 0)
    write(tmp_path / "test.csv", HELD + "d", 1)
    write(tmp_path / "known.csv", HELD, 1)
    result, without = (ran(tmp_path, {"test": str(tmp_path / name)}) for name in ("test.csv", "known.csv"))
    losses, known = (
        {name: parts["test"]["loss"] for name, parts in each.evaluation["baselines"].items()}
        for each in (result, without)
    )
    assert losses["constant"] == pytest.approx((18 * np.log(61 / 20) + np.log(61)) / 19)
    for name, scale in (("linear", 61), ("neighbours", 61 * 16)):
        assert losses[name] == pytest.approx((18 * known[name] + np.log(scale)) / 19, abs=0.05)
    own, gains = result.metrics["test"]["loss"], result.evaluation["gains"]
    assert gains["constant"]["loss"]["value"] == pytest.approx(losses["constant"] - own)


@pytest.mark.parametrize("training", [{}, {"ensemble": 3}])
def test_the_only_row_of_a_class_trains(tmp_path: Path, training: dict[str, Any]) -> None:
    write(tmp_path / "rows.csv", LABELS + "d", 0)
    result = ran(tmp_path, {"test_size": 0.2}, **training)
    assert codes(result) == ["single-row"]
    figures, tables = result.metrics["test"], result.evaluation["tables"]["test"]
    assert tables["labels"] == ["a", "b", "c", "d"]
    assert sum(tables["confusion"][3]) == 0
    assert tables["recall"][3] is None
    assert figures["balanced_accuracy"] == pytest.approx(np.mean(tables["recall"][:3]))
    assert figures["roc_auc_ovr"] is None  # not defined: no test row is of the class
    assert "class-imbalance" not in {finding.code for finding in result.findings}


def test_a_binary_loss_says_which_class_is_in_test_rows_only(tmp_path: Path, refused: Refused) -> None:
    write(tmp_path / "test.csv", "abc", 1)
    for rows in ("ab" * 20, LABELS):
        write(tmp_path / "rows.csv", rows, 0)
        with refused(DataError, code="loss-target"):
            ran(tmp_path, {"test": str(tmp_path / "test.csv")}, "binary_crossentropy")


METRICS = ["root_mean_squared_error", "r2", "neg_mean_absolute_error", "neg_mean_absolute_percentage_error"]
LOSSES = {"mean_squared_error": 2, "gaussian_nll": 4, "binary_crossentropy": 2}


def several(folder: Path, loss: str = "mean_squared_error", **training: object) -> dict[str, object]:
    """Write a table of lengths in metres, which are large, and of prices in euros, and return a spec on it."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(90, 2)).round(3)
    targets = np.column_stack([1000 * x[:, 0] + 5000, x.sum(axis=1) + 9]).round(3)
    if loss == "binary_crossentropy":
        targets = (targets > [5000, 9]).astype(int)
    lines = ["a,b,length,price", *(",".join(map(str, row)) for row in np.column_stack([x, targets]).tolist())]
    (folder / "rows.csv").write_text("\n".join(lines))
    data = {"type": "csv", "path": str(folder / "rows.csv"), "target": ["length", "price"]}
    return spec_on(data, 8, loss=loss, epochs=3, **training)


def test_figures_with_units_are_of_each_target(tmp_path: Path):
    spec = several(tmp_path, metrics=METRICS, ensemble=2)
    specnet.run(spec, tmp_path / "out", observer=specnet.Observer())
    found = json.loads((tmp_path / "out" / "metrics.json").read_text())
    names = [
        "loss",
        *("root_mean_squared_error_length", "root_mean_squared_error_price", "r2"),
        *("neg_mean_absolute_error_length", "neg_mean_absolute_error_price", "neg_mean_absolute_percentage_error"),
    ]
    for figures in (found["train"], found["test"], found["intervals"]["test"], found["baselines"]["linear"]["test"]):
        assert list(figures) == names
    model = specnet.load_model(tmp_path / "out")
    rows = np.loadtxt(tmp_path / "rows.csv", delimiter=",", skiprows=1)
    evaluated = model.evaluate(rows[:, :2], rows[:, 2:])
    errors = rows[:, 2:] - model.predict(rows[:, :2])
    for place, name in enumerate(("length", "price")):
        expected = float(np.sqrt(np.mean(errors[:, place] ** 2)))
        assert evaluated[f"root_mean_squared_error_{name}"] == pytest.approx(expected, rel=1e-5)
        bounds = found["intervals"]["test"][f"root_mean_squared_error_{name}"]
        assert bounds["low"] < found["test"][f"root_mean_squared_error_{name}"] < bounds["high"]
    assert model.target_names == ("length", "price")


def test_targets_of_an_array_have_no_names_and_their_mean_as_before():
    X = np.random.default_rng(0).normal(size=(40, 2))
    model = specnet.fit(spec_on(None, 2, loss="mse", metrics=["mae"]), X, X)
    assert model.target_names == ()
    expected = np.abs(X - model.predict(X)).mean()
    assert model.evaluate(X, X)["mean_absolute_error"] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("loss", LOSSES)
def test_the_number_of_targets_is_known_without_the_table(loss: str, tmp_path: Path, refused: Refused):
    spec = several(tmp_path, loss)
    (tmp_path / "rows.csv").unlink()
    spec["network"] = {"layer_sizes": [2, LOSSES[loss]]}
    assert resolve(parse_spec(spec)).outputs == LOSSES[loss]
    spec["network"] = {"layer_sizes": [2, LOSSES[loss] + 2]}
    with refused(SpecError, code="size-clash"):
        resolve(parse_spec(spec))


def test_predictions_are_named_after_the_targets(tmp_path: Path):
    """By the command, and by the program that is exported."""
    for loss, more in (("mean_squared_error", {"ensemble": 2}), ("binary_crossentropy", {})):
        spec = several(tmp_path, loss, **more)
        model = specnet.run(spec, tmp_path / "out", observer=specnet.Observer(), force=True).model
        command = f"predict {tmp_path}/out {tmp_path}/rows.csv -o {tmp_path}/p.csv --force"
        called(*(f"{command} --interval 90" if more else command).split(" ")).ok()
        header = (tmp_path / "p.csv").read_text().partition("\n")[0].split(",")
        titles = ("prediction", "spread", "lower", "upper") if more else ("prediction", "probability")
        assert sorted(header) == sorted(f"{title}_{name}" for title in titles for name in ("length", "price"))
        specnet.export(model, "numpy", tmp_path / "own.py")
        program = [sys.executable, str(tmp_path / "own.py"), str(tmp_path / "rows.csv")]
        printed = subprocess.run(program, capture_output=True, text=True, check=True).stdout.partition("\n")[0]
        assert set(printed.split(",")) <= {*header}
        assert "prediction_price" in printed
