"""What is made of an ONNX file is compared with what onnxruntime answers."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

import specnet
from specnet import Model, export
from specnet.importing import read_network
from specnet.importing.onnx.onnx_import import prove_file
from tests.exporting.models import DTYPES
from tests.importing.answers import FILES, edited
from tests.importing.onnx.graphs import tables
from tests.model.models import KINDS, make_model
from tests.texts.pinned import Refused

SAID = "compared with onnxruntime on 240 rows: max difference "


def difference(said: str) -> float:
    assert said.startswith(SAID)
    return float(said.removeprefix(SAID))


@pytest.mark.slow
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", KINDS)
def test_a_network_that_is_another_is_refused(kind: str, dtype: str, tmp_path: Path, refused: Refused):
    model, other = make_model(kind, dtype), make_model(kind, dtype)
    export(model, "onnx", tmp_path / "m.onnx")
    assert difference(read_network(tmp_path / "m.onnx").proof) <= {"float64": 1e-12, "float32": 1e-5}[dtype]
    other.theta[0] += 0.1
    with refused(specnet.FileError, varying=r"\d+ of 240"):
        prove_file(tmp_path / "m.onnx", other, ["X"])


@pytest.mark.parametrize("kind", ["classes", "classes, text", "binary"])
def test_labels_are_compared_with_and_without_probabilities(kind: str, tmp_path: Path, refused: Refused):
    model = make_model(kind)
    export(model, "onnx", tmp_path / "m.onnx")
    shutil.copy(tmp_path / "m.onnx", tmp_path / "labels.onnx")
    with edited(tmp_path / "labels.onnx") as loaded:
        del loaded.graph.output[1:]
    assert (
        prove_file(tmp_path / "labels.onnx", model, ["X"]) == "compared with onnxruntime on 240 rows: all labels agree"
    )
    labels = np.arange(3 if "classes" in kind else 2) if model.labels is None else model.labels
    parts = (model.network, model.theta, model.state, model.preprocessing, model.target_preprocessing)
    other = Model(*parts, np.roll(labels, 1))
    for name in ("m", "labels"):
        with refused(specnet.FileError):
            prove_file(tmp_path / f"{name}.onnx", other, ["X"])


def test_what_cannot_be_compared_says_why(monkeypatch: pytest.MonkeyPatch):
    assert read_network(FILES / "tf2onnx_functional.onnx").proof == "not compared: onnxruntime does not run the file"
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    imported = read_network(FILES / "sklearn_words.onnx")
    assert imported.proof == "not compared: onnxruntime is not installed"
    assert np.isfinite(imported.model.theta).all()


def test_inputs_that_nothing_reads_get_zeros(tmp_path: Path):
    export(make_model("value"), "onnx", tmp_path / "m.onnx")
    with edited(tmp_path / "m.onnx") as loaded:
        loaded.graph.input.extend(tables({"unread": ["N"]}))
    assert read_network(tmp_path / "m.onnx").proof.startswith(SAID)


@pytest.mark.parametrize(("batch", "said"), [(1, SAID), (32, SAID.replace("240", "192")), (500, "not compared: ")])
def test_a_file_that_takes_so_many_rows_only(batch: int, said: str, tmp_path: Path):
    export(make_model("classes"), "onnx", tmp_path / "m.onnx")
    with edited(tmp_path / "m.onnx") as loaded:
        for value in [*loaded.graph.input, *loaded.graph.output]:
            value.type.tensor_type.shape.dim[0].dim_value = batch
    assert read_network(tmp_path / "m.onnx").proof.startswith(said)
