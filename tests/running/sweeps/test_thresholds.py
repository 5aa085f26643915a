"""A decision threshold in runs of folds and seeds, in sweeps, in teams and in distilled networks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import make_classification
from sklearn.metrics import balanced_accuracy_score

import specnet

X, Y = make_classification(300, 6, weights=[0.85], random_state=0)
THRESHOLD = 0.2


@pytest.fixture
def spec(tmp_path: Path) -> dict[str, Any]:
    np.savez(tmp_path / "rows.npz", X=X, y=Y)
    return {
        "seed": 0,
        "data": {"type": "npz", "path": str(tmp_path / "rows.npz"), "split": {"validation_size": 0.2}},
        "network": {"hidden_layer_sizes": [4], "dtype": "float64"},
        "training": {
            "loss": "binary_crossentropy",
            "metrics": ["balanced_accuracy"],
            "epochs": 5,
            "decision_threshold": THRESHOLD,
        },
    }


def decides(path: Path, threshold: float | None = THRESHOLD) -> bool:
    """Return whether a model in a folder predicts the second class from a threshold on."""
    model = specnet.load_model(path)
    assert model.spec.training.decision_threshold == threshold
    return bool((model.predict(X) == (model.predict_proba(X)[:, 1] >= (threshold or 0.5))).all())


def test_a_sweep_that_keeps_it_gives_it_to_best_and_team_and_the_student(spec: dict[str, Any], tmp_path: Path):
    spec["sweep"] = {"trials": 3, "metric": "balanced_accuracy", "space": {"network.hidden_layer_sizes": [[4], [8]]}}
    result = specnet.sweep(spec, tmp_path / "search", report=False)
    assert result.team is not None
    assert decides(tmp_path / "search/best")
    assert decides(tmp_path / "search/team")


def test_a_sweep_over_it_has_the_figures_of_the_best_threshold_and_no_team_of_another(spec: dict[str, Any], tmp_path):
    del spec["training"]["decision_threshold"]
    spec["training"] |= {"epochs": 20, "optimizer": {"type": "adam", "learning_rate": 0.01}}
    space = {"training.decision_threshold": [0.12, 0.3, 0.6]}
    spec["sweep"] = {"sampler": "grid", "metric": "balanced_accuracy", "space": space}
    result = specnet.sweep(spec, tmp_path / "search", report=False)
    threshold = result.run.model.spec.training.decision_threshold
    assert threshold == 0.12
    assert decides(tmp_path / "search/best", threshold)
    assert result.team is None
    assert not (tmp_path / "search/team").exists()
    test = result.run.metrics["test"]["balanced_accuracy"]
    assert result.worth["test"]["balanced_accuracy"] == test
    assert f"test {100 * test:.1f} %" in " ".join(result.best_in_words())


def test_a_student_decides_by_the_threshold_of_its_teacher(spec: dict[str, Any], tmp_path: Path):
    del spec["data"]["split"]
    spec["training"] |= {"ensemble": 2, "calibration": "temperature"}
    specnet.run(spec, tmp_path / "teacher", report=False)
    student = specnet.distill(tmp_path / "teacher", tmp_path / "small", overrides=["training.epochs=2"], report=False)
    assert decides(tmp_path / "teacher")
    assert decides(tmp_path / "small")
    again = specnet.run(tmp_path / "small", tmp_path / "small", resume=True, report=False)
    assert again.metrics == student.metrics
    model = specnet.load_model(tmp_path / "small")
    found = model.evaluate(X, Y, metrics=["balanced_accuracy"])["balanced_accuracy"]
    assert found == pytest.approx(balanced_accuracy_score(Y, model.predict_proba(X)[:, 1] >= THRESHOLD))


@pytest.mark.parametrize("repeated", [{"folds": 2}, {"seeds": 2}])
def test_each_run_of_folds_and_seeds_decides_by_it(spec: dict[str, Any], tmp_path: Path, repeated: dict[str, int]):
    if "folds" in repeated:
        del spec["data"]["split"]
    specnet.run_many(spec, tmp_path / "many", report=False, **repeated)
    folders = sorted(path.parent for path in (tmp_path / "many").glob("*/model.safetensors"))
    assert len(folders) == 2
    assert all(map(decides, folders))
