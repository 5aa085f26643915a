"""`specnet predict` with intervals and sets, as the model gives them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from specnet import Model, fit
from tests.cli.conftest import Specnet, csv_rows
from tests.texts.pinned import Pinned

X = np.random.default_rng(0).normal(size=(60, 2))
KINDS = np.array(["=a", "b c", "d"])[np.digitize(X[:, 0], [-0.4, 0.4])]


def trained(y: np.ndarray, loss: str) -> Model:
    """Return a model that was trained on half of the rows and validated on the others."""
    network = {"dtype": "float64", "hidden_layer_sizes": [4]}
    training = {"loss": loss, "epochs": 20, "optimizer": {"type": "adam", "learning_rate": 0.05}}
    return fit({"network": network, "training": training}, X[:30], y[:30], validation=(X[30:], y[30:]))


@pytest.fixture
def rows(folder: Path) -> str:
    np.savez(folder / "rows.npz", X=X)
    return "rows.npz"


@pytest.mark.parametrize("outputs", [1, 2])
def test_intervals_are_two_columns_for_each_output(specnet: Specnet, folder: Path, rows: str, outputs: int) -> None:
    model = trained(X[:, 0] ** 2 if outputs == 1 else X, "mse")
    model.save(folder / "model.safetensors")
    ended = specnet("predict", "model.safetensors", rows, "--interval", "80")
    ended.went()
    header, written = csv_rows(ended.out)
    names = ["prediction", "lower", "upper"]
    if outputs == 2:
        names = ["prediction_0", "prediction_1", "lower_0", "upper_0", "lower_1", "upper_1"]
    assert header == names
    expected = np.column_stack([model.predict(X), model.predict_interval(X, 0.8).reshape(60, -1)])
    np.testing.assert_array_equal(np.array(written, float), expected)
    columns = specnet("predict", "model.safetensors", rows, "--interval", "80", "--format", "json").document["columns"]
    np.testing.assert_array_equal(np.column_stack([columns[name] for name in names]), expected)


def test_a_set_is_a_text_of_labels(specnet: Specnet, folder: Path, rows: str) -> None:
    model = trained(KINDS, "categorical_crossentropy")
    model.save(folder / "model.safetensors")
    escaped = specnet("predict", "model.safetensors", rows, "--set", "90", "--escape-formulas")
    header, written = csv_rows(escaped.out)
    assert header == ["prediction", *(f"probability_{label}" for label in ["=a", "b c", "d"]), "set"]
    assert model.labels is not None
    texts = ["|".join(model.labels[row]) for row in model.predict_set(X)]
    assert {text.count("|") for text in texts} >= {0, 1}
    assert [row[-1].removeprefix("'") for row in written] == texts
    assert [row[-1].startswith("'") for row in written] == [text.startswith("=") for text in texts]
    document = specnet("predict", "model.safetensors", rows, "--set", "90", "--format", "json").document
    assert document["columns"]["set"] == texts


def test_sets_of_rows_without_a_prediction_are_empty(specnet: Specnet, folder: Path) -> None:
    columns = [f"{a:.17g},{b:.17g},{int(a > 0)}" for a, b in X]
    (folder / "rows.csv").write_text("\n".join(["a,b,y", *columns]))
    spec = 'data = { type = "csv", path = "rows.csv", target = "y" }\nnetwork.hidden_layer_sizes = [2]\n'
    training = 'training = { loss = "binary_crossentropy", epochs = 2, ensemble = 3 }\n'
    (folder / "spec.toml").write_text(spec + training)
    specnet("run", "spec.toml", "-o", "run", "-q").went()
    (folder / "gaps.csv").write_text("a,b\n1,1\n,1\n")
    ended = specnet("predict", "run", "gaps.csv", "--strict", "--set", "50")
    assert csv_rows(ended.out)[1][1][-1] == ""


def test_what_is_refused(specnet: Specnet, folder: Path, rows: str, pinned: Pinned) -> None:
    trained(X[:, 0], "mse").save(folder / "values.safetensors")
    trained(np.char.replace(KINDS, " ", "|"), "categorical_crossentropy").save(folder / "classes.safetensors")
    for said in (
        ["values.safetensors", rows, "--set", "90"],
        ["values.safetensors", rows, "--interval", "97"],
    ):
        pinned(specnet("predict", *said, "-o", "out.csv").failed(1))
    pinned(specnet("predict", "classes.safetensors", rows, "--set", "90", "-o", "out.csv").failed(2))
    pinned(specnet("predict", "values.safetensors", rows, "--interval", "90", "-o", "out.npy").failed(2))
    assert not list(folder.glob("out.*"))


TIES = """
data = {{ type = "csv", path = "all.csv", target = "y", split.column = "part" }}
training = {{ loss = "mse", epochs = 1, optimizer = {{ type = "sgd", learning_rate = 1e-30 }} }}
[network]
dtype = "{dtype}"
preprocessing = []
target_preprocessing = ["standardize"]
layers = [{{ type = "dense", units = 1, weight_initializer = "zeros" }}]
"""


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_metrics_say_how_many_rows_the_file_covers(specnet: Specnet, folder: Path, dtype: str) -> None:
    """All predictions are the same, the target is one of few numbers, and each end is one: the last digit decides."""
    x = np.random.default_rng(0).integers(0, 6, 300)
    part = np.array(["train", "validation", "test"])[np.arange(300) % 3]
    y = (np.random.default_rng(1).integers(0, 5, 300) ** 2 - 7) / 10
    lines = [f"{a},{each!r},{kind}\n" for a, each, kind in zip(x, y.tolist(), part, strict=True)]
    (folder / "all.csv").write_text("x,y,part\n" + "".join(lines))
    (folder / "test.csv").write_text("x,y,part\n" + "".join(lines[2::3]))
    (folder / "spec.toml").write_text(TIES.format(dtype=dtype))
    assert specnet("run", "spec.toml", "-o", "run", "--no-report").status == 0
    stated = json.loads((folder / "run/metrics.json").read_text())["tables"]["test"]["coverage"]
    assert [each["level"] for each in stated] == [0.5, 0.8, 0.9, 0.95]
    for each in stated:
        header, rows = csv_rows(specnet("predict", "run", "test.csv", "--interval", f"{100 * each['level']:g}").out)
        low, high = (np.array([float(row[header.index(name)]) for row in rows]) for name in ("lower", "upper"))
        assert each["covered"] == [np.mean((low <= y[2::3]) & (y[2::3] <= high))]
        assert each["size"] == pytest.approx([np.mean(high - low)])
        assert each["covered"][0] > each["level"] - 0.1
