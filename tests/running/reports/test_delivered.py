"""Pages tell of the network that a run delivers, not of the last epoch of its training."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import specnet
from specnet import Observer
from specnet.number_texts import figure, percent, rounded
from tests.made import data_of
from tests.running.reports.page import Page

MOONS = {"type": "make_moons", "n_samples": 200, "noise": 0.3, "random_state": 0}
NETWORK = {"hidden_layer_sizes": [24]}
RESTORED = {
    "loss": {"type": "binary_crossentropy", "label_smoothing": 0.2},
    "metrics": ["accuracy"],
    "epochs": 40,
    "optimizer": {"type": "adam", "learning_rate": 0.1},
    "early_stopping": {"patience": 40},
}


def run(folder: Path, training: dict[str, Any], **split: Any) -> tuple[specnet.RunResult, str]:
    spec = {"data": {**MOONS, "split": {"test_size": 0.2, **split}}, "network": NETWORK, "training": training}
    result = specnet.run(spec, folder, observer=Observer())
    return result, Page((folder / "report.html").read_text("utf-8")).text


def test_the_loss_and_the_layers_are_those_of_the_epoch_that_is_restored(tmp_path: Path) -> None:
    result, text = run(tmp_path, RESTORED, validation_size=0.2)
    losses = [record["validation_loss"] for record in result.history]
    best = int(np.argmin(losses))
    assert best < len(losses) - 5
    (epoch, loss) = re.search(r"weights of epoch (\d+), the dashed line, and has a loss of ([\d.]+) on", text).groups()
    assert (int(epoch), loss) == (result.history[best]["epoch"], figure(result.metrics["train"]["loss"]))
    assert loss != figure(result.history[best]["loss"])  # which is with label smoothing, and before each step
    network = result.model.network
    weights = {key: array for key, array in network.parameters(result.model.theta).items() if key.endswith("weight")}
    last = {layer["layer"]: layer for layer in result.looks[-1]["layers"]}
    for key, array in weights.items():
        size = float(np.sqrt(np.mean(np.square(array.astype(np.float64)))))
        assert last[key.removesuffix(".weight")]["weight"] == pytest.approx(size, rel=1e-6)
        assert f" {rounded(size)} " in text
    assert f"loss {loss} " in text or f"train {loss} " in text


def test_dead_units_are_those_of_the_network_that_is_kept(tmp_path: Path) -> None:
    """A rate that is far too high kills units after the best epoch."""
    training = {**RESTORED, "optimizer": {"type": "adam", "learning_rate": 2.0}}
    result, text = run(tmp_path / "best", training, validation_size=0.2)
    rows = data_of(tmp_path / "best" / "spec.json").splits["train"]
    weights = result.model.network.parameters(result.model.theta)
    fires = np.asarray(rows.columns) @ weights["layers.0.weight"].T + weights["layers.0.bias"] > 0
    dead = float(np.mean(~fires.any(axis=0)))
    assert result.looks[-1]["layers"][0]["dead"] == dead
    assert f" {percent(dead)} " in text.partition("dead units")[2].partition("Training")[0]
    training["early_stopping"] = {"patience": 40, "restore_best": False}
    last, _ = run(tmp_path / "last", training, validation_size=0.2)
    assert last.looks[-1]["layers"][0]["dead"] > dead
    assert last.looks[:-1] == result.looks[:-1]


def test_averaged_weights_are_looked_at_in_the_end(tmp_path: Path) -> None:
    training = {"loss": "binary_crossentropy", "epochs": 20, "average_weights": {"type": "exponential", "decay": 0.99}}
    result, _ = run(tmp_path, training)
    weight = result.model.network.parameters(result.model.theta)["layers.0.weight"].astype(np.float64)
    assert result.looks[-1]["layers"][0]["weight"] == pytest.approx(np.sqrt(np.mean(weight**2)), rel=1e-6)


def test_the_loss_of_an_ensemble_is_its_own(tmp_path: Path) -> None:
    result, text = run(tmp_path, {"loss": "binary_crossentropy", "epochs": 10, "ensemble": 3})
    loss = figure(result.metrics["train"]["loss"])
    assert f"The delivered ensemble has a loss of {loss} on the training rows" in text
    assert loss not in {figure(record["loss"]) for record in result.history}


def test_what_is_worse_than_a_simple_model_says_so_first_and_has_no_clean_bill(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 6))
    np.savez(tmp_path / "rows.npz", X=X, y=X @ [3.0, 2.0, 1.0, 0.5, -1.0, -2.0] + 0.6 * rng.normal(size=400))
    training = {"loss": "mse", "metrics": ["r2"], "epochs": 150, "optimizer": {"type": "adam", "learning_rate": 0.003}}
    data = {"type": "npz", "path": str(tmp_path / "rows.npz"), "split": {"test_size": 0.25}}
    network = {"hidden_layer_sizes": [16], "target_preprocessing": ["standardize"]}
    spec = {"data": data, "network": network, "training": training}
    result = specnet.run(spec, tmp_path / "run", observer=Observer())
    assert result.findings == ()
    assert result.evaluation["gains"]["linear"]["loss"]["high"] < 0
    page = Page((tmp_path / "run" / "report.html").read_text("utf-8"))
    heading = next(text for text in page.texts if text.startswith("Worse than a linear model: R² "))
    assert heading.endswith("against 0.985 on 100 test rows.")
    assert "A linear model is better, and 15 tests of the data, the training and the results did not find" in page.text
    assert "Nothing stands out" not in page.text
