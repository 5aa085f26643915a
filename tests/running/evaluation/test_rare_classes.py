"""Classes that are on one side of the split only: the run goes on, says so once, and no figure is wrong by it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn import metrics

import specnet
from specnet import DataError, RunResult
from specnet.training import WarningRecorder
from tests.running.specs import csv_file, spec_on
from tests.texts.pinned import Refused

LABELS = "abc" * 20
HELD = "abc" * 6
METRICS = ["accuracy", "balanced_accuracy", "f1_macro", "neg_log_loss", "d2_log_loss_score", "neg_brier_score"]
METRICS += ["top_k_accuracy", "roc_auc_ovr"]


def write(path: Path, labels: Sequence[str], seed: int) -> np.ndarray:
    """Write a table whose second column tells the class, and return its columns."""
    rng = np.random.default_rng(seed)
    X = np.round(rng.normal(size=(len(labels), 2)) + [[0, ord(label)] for label in labels], 3)
    csv_file(path, "x,y,kind", ((a, b, label) for (a, b), label in zip(X.tolist(), labels, strict=True)))
    return X


def ran(folder: Path, split: dict[str, Any], loss: str = "categorical_crossentropy", **training: Any) -> RunResult:
    data = {"type": "csv", "path": str(folder / "rows.csv"), "target": "kind", "split": split}
    network = {"dtype": "float64", "preprocessing": ["standardize"]}
    scores = METRICS if loss[0] == "c" else ["accuracy"]
    spec = spec_on(data, 4, network, **{"loss": loss, "epochs": 20, "metrics": scores, **training})
    return specnet.run(spec, observer=WarningRecorder([]))


def codes(result: RunResult) -> list[str]:
    return [warning.code for warning in result.warnings]


def test_figures_of_a_class_that_only_test_rows_have_are_scikit_learn_s(tmp_path: Path) -> None:
    write(tmp_path / "rows.csv", LABELS, 0)
    labels = np.array(list(HELD + "ddd"))
    X = write(tmp_path / "test.csv", labels.tolist(), 1)
    result = ran(tmp_path, {"test": str(tmp_path / "test.csv")})
    assert codes(result) == ["unseen-class"]
    model, known = result.model, list("abcd")
    assert model.labels is not None
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
    assert own is not None
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
