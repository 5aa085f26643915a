"""Exports in fixed point: the integers of their emulation, within a proved bound of the model, or no export."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import specnet
from specnet import DataError, ExportError, Model, export
from specnet.exporting.fixed.fixed_c import label_threshold
from specnet.exporting.fixed.fixed_network import WIDTHS, FixedNetwork
from specnet.exporting.targets.c import TARGET
from tests.exporting import tools
from tests.exporting.models import dense, ensemble_of, layered
from tests.exporting.tables import table_model
from tests.model.models import make_model
from tests.texts.calling import called

ROWS = np.random.default_rng(3).normal([3, -100, 0.001], [2, 30, 0.0005], (200, 3))


def model_of(*units: int, outputs: int = 1, loss: str = "mean_squared_error", activation: str = "relu") -> Model:
    """Return a network with preprocessing, and of values with that of the target, with random weights."""
    of_values = {"target_preprocessing": ["standardize"]} if loss == "mean_squared_error" else {}
    layers = [*(dense(each, activation=activation) for each in units), {"type": "dropout", "rate": 0.1}, dense(outputs)]
    network = {"input_size": 3, "preprocessing": ["standardize"], "layers": layers, "dtype": "float64", **of_values}
    spec = {"seed": len(units), "network": network, "training": {"loss": loss, "epochs": 3}}
    weights = np.random.default_rng(1).normal(size=(3, outputs))
    target: Any = (ROWS / [2, 30, 0.0005]) @ weights
    if loss != "mean_squared_error":
        target = np.digitize(target[:, 0], np.quantile(target[:, 0], np.arange(1, max(2, outputs)) / max(2, outputs)))
    estimator = specnet.SpecRegressor if loss == "mean_squared_error" else specnet.SpecClassifier
    return estimator(spec).fit(ROWS, target[:, 0] if target.ndim == 2 and outputs == 1 else target).model_


MODELS: dict[str, Callable[[], Model]] = {
    "value": lambda: model_of(5),
    "values": lambda: model_of(32, 32, outputs=2),
    "two classes": lambda: model_of(8, loss="binary_crossentropy"),
    "three classes": lambda: model_of(16, 16, outputs=3, loss="categorical_crossentropy"),
    "no hidden layer": lambda: model_of(),
}


@pytest.mark.parametrize("kind", WIDTHS)
@pytest.mark.parametrize("name", MODELS)
def test_differences_are_within_the_bound_and_the_bound_is_not_far(name: str, kind: str):
    model = MODELS[name]()
    network = FixedNetwork(model, kind, ROWS)
    X = np.random.default_rng(0).uniform(network.low, network.high, (3000, 3))
    seen = np.abs(network.differences(np.concatenate([X, ROWS]))).max(axis=0)
    assert (seen <= network.bound).all()
    assert (network.bound <= 20 * seen).all()
    if kind == "int16" and model.labels is not None:
        outputs = network.emulated(network.integers(ROWS))
        is_two = outputs.shape[1] == 1
        index = (outputs[:, 0] >= label_threshold(network)).astype(int) if is_two else outputs.argmax(axis=1)
        assert (model.labels[index] == model.predict(ROWS)).mean() >= 0.995


@tools.needs_compiler
@pytest.mark.parametrize("kind", WIDTHS)
@pytest.mark.parametrize("name", ["values", "two classes"])
def test_c_has_no_floating_point_and_no_warning(name: str, kind: Any, tmp_path: Path):
    model = MODELS[name]()
    made = export(model, "c", tmp_path / "m.c", fixed=kind, rows=ROWS)
    assert made.proof.bound is not None
    assert made.proof.difference is not None
    assert made.proof.difference <= made.proof.bound
    source, header = (
        re.sub(r"/\*.*?\*/", "", (tmp_path / each).read_text(), flags=re.DOTALL) for each in ("m.c", "m.h")
    )
    assert not re.search(r"\b(float|double|math)\b|\d\.\d", source + re.sub(r"#define.*", "", header))
    network = FixedNetwork(model, kind, ROWS)
    label = "m_label(y)" if model.labels is not None else "0"
    body = (
        '#include <stdio.h>\n#include "m.h"\n'
        f"int main(void) {{\n  {kind}_t x[M_INPUTS], workspace[M_WORKSPACE];\n  int32_t y[M_OUTPUTS];\n"
        "  while (fread(x, sizeof x, 1, stdin)) {\n    m_forward(x, y, workspace);\n"
        '    for (int i = 0; i < M_OUTPUTS; i++) printf("%ld ", (long)y[i]);\n'
        f'    printf("%d ", {label});\n  }}\n  return 0;\n}}\n'
    )
    x = network.integers(ROWS)
    x[:2] = [[network.widths.limit] * 3, [-network.widths.limit] * 3]
    found = np.array(tools.answers_of_c(tmp_path, body, x.astype(kind).tobytes()).split(), np.int64).reshape(len(x), -1)
    np.testing.assert_array_equal(found[:, :-1], network.emulated(x))
    if model.labels is not None:
        assert (model.labels[found[2:, -1]] == model.predict(ROWS[2:])).mean() > (0.9 if kind == "int8" else 0.99)


REFUSED: dict[str, Callable[[], Model]] = {
    "the activation tanh": lambda: model_of(4, activation="tanh"),
    "more than 2 hidden layers": lambda: model_of(4, 4, 4),
    "layers of more than 32 units": lambda: model_of(33),
    "layers that do not read the one before": lambda: layered(
        dense(4, activation="relu", name="a"), dense(4, name="b"), {"type": "add", "inputs": ["a", "b"]}
    ),
    "several binary outputs": lambda: make_model("multilabel"),
    "the mean of several networks": lambda: ensemble_of(make_model("value")),
    "texts, dates and missing cells": lambda: table_model("one_hot"),
}


@pytest.mark.parametrize("reason", REFUSED)
def test_others_are_refused_by_name(reason: str, tmp_path: Path):
    model = REFUSED[reason]()
    rows = np.random.default_rng(0).normal(size=(20, model.network.inputs))
    with pytest.raises(ExportError, match=reason):
        FixedNetwork(model, "int8", rows)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fixed": "int4", "rows": ROWS}, "choose from int8, int16"),
        ({"fixed": "int8"}, "ranges of the training rows"),
        ({"fixed": "int8", "rows": ROWS, "learn": True}, "cannot be combined with learn"),
        ({"fixed": "int8", "rows": ROWS[:, :2]}, r"rows must be \(rows, 3\)"),
    ],
)
def test_wrong_options(options: dict[str, Any], message: str, tmp_path: Path):
    with pytest.raises((ExportError, DataError), match=message):
        export(model_of(2), "c", tmp_path / "m.c", **options)
    with pytest.raises(ExportError, match="not supported by onnx"):
        export(model_of(2), "onnx", fixed="int8", rows=ROWS)
    assert not list(tmp_path.iterdir())


@tools.needs_compiler
def test_integers_that_differ_from_the_emulation_are_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    own = FixedNetwork.emulated
    monkeypatch.setattr(FixedNetwork, "emulated", lambda self, x: own(self, x) + (len(x) == 3000))
    with pytest.raises(ExportError, match="differ from those of its emulation"):
        export(model_of(2), "c", tmp_path / "m.c", fixed="int8", rows=ROWS)
    assert not list(tmp_path.iterdir())
    assert TARGET.suffix == ".c"


@tools.needs_compiler
def test_the_command_reads_the_training_rows_of_a_run(tmp_path: Path):
    spec = tmp_path / "s.toml"
    spec.write_text(
        'name = "m"\ndata = { type = "make_moons", n_samples = 60, split = { test_size = 0.2 } }\n'
        'network = { hidden_layer_sizes = [4] }\ntraining = { loss = "binary_crossentropy", epochs = 3 }\n'
    )
    specnet.run(spec, tmp_path / "run")
    ended = called("export", tmp_path / "run", "--to", "c", "-o", tmp_path / "m.c", "--fixed", "int16")
    assert "within the ranges of the training rows at most" in " ".join(str(ended).split())
    (tmp_path / "alone").mkdir()
    (tmp_path / "run" / "model.safetensors").rename(tmp_path / "alone" / "model.safetensors")
    file = tmp_path / "alone" / "model.safetensors"
    ended = called("export", file, "--to", "c", "-o", tmp_path / "n.c", "--fixed", "int16")
    assert "needs the folder of a run" in " ".join(str(ended).split())
    assert not (tmp_path / "n.c").exists()
