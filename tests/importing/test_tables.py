"""ONNX files that specnet has exported of tables come back whole, or are refused: a code that was changed is seen."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import specnet
from specnet.errors import FileError
from specnet.importing import open_model, read_network
from tests.exporting.models import DTYPES, exported
from tests.exporting.tables import table_model, training_rows
from tests.texts.pinned import Refused

FORMS = ["one_hot", "ordinal", "embedding"]


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_they_come_back(form: str, dtype: str, tmp_path: Path):
    model, rows = table_model(form, dtype), training_rows()
    exported(model, "onnx", tmp_path / "m.onnx")
    found = open_model(tmp_path / "m.onnx")
    np.testing.assert_array_equal(found.predict_proba(rows), model.predict_proba(rows))
    np.testing.assert_array_equal(found.predict(rows), model.predict(rows))
    assert found.spec.feature_kinds == model.spec.feature_kinds
    assert read_network(tmp_path / "m.onnx").proof.startswith("compared with onnxruntime on 240 rows")
    assert specnet.load_model(saved(found, tmp_path / "m.safetensors")).spec.sha256 == model.spec.sha256


def saved(model: specnet.Model, path: Path) -> Path:
    model.save(path)
    return path


def encoder(model: onnx.ModelProto, name: str) -> Any:
    """Return an attribute of the graph's last table of codes."""
    node = [node for node in model.graph.node if node.op_type == "LabelEncoder"][-1]
    (attribute,) = (attribute for attribute in node.attribute if attribute.name == name)
    return attribute


def said(model: onnx.ModelProto, change: Callable[[dict[str, Any]], None]) -> None:
    """Change what the file says of its spec."""
    (entry,) = (entry for entry in model.metadata_props if entry.key == "spec")
    document = json.loads(entry.value)
    change(document)
    entry.value = json.dumps(document)


def other_code(model: onnx.ModelProto) -> None:
    encoder(model, "values_int64s").ints[0] = 2


def other_text(model: onnx.ModelProto) -> None:
    encoder(model, "keys_strings").strings[0] = b"other"


def other_default(model: onnx.ModelProto) -> None:
    encoder(model, "default_int64").i = 1


def other_inputs(model: onnx.ModelProto) -> None:
    model.graph.input[1].name = "words"
    for node in model.graph.node:
        node.input[:] = ["words" if name == "texts" else name for name in node.input]


def numbers(name: str, value: Any) -> Callable[[onnx.ModelProto], None]:
    """Return what changes numbers that the file says of its table of codes."""
    return lambda model: said(model, lambda spec: spec["numbers"].update({f"preprocessing.0.0.{name}": value}))


def without(key: str) -> Callable[[onnx.ModelProto], None]:
    """Return what takes something out of the network that the file says."""
    return lambda model: said(model, lambda spec: spec["network"].pop(key))


@pytest.mark.slow
@pytest.mark.parametrize(
    "change",
    [
        other_code,
        other_text,
        other_default,
        other_inputs,
        numbers("categories", [1, 2, 3]),
        numbers("categories", []),
        numbers("categories", [300] * 5),
        numbers("categories", [-1]),
        numbers("offsets", [0] * 23),
        numbers("offsets", [0.5] * 23),
        numbers("starts", [0, 3]),
        numbers("starts", [0, 1e300, 22]),
        without("feature_names"),
        without("feature_kinds"),
        without("preprocessing"),
    ],
)
def test_what_was_changed_is_refused(change: Callable[[onnx.ModelProto], None], tmp_path: Path):
    exported(table_model(), "onnx", tmp_path / "m.onnx")
    model = onnx.load(tmp_path / "m.onnx")
    before = model.SerializeToString()
    change(model)
    assert model.SerializeToString() != before
    onnx.save(model, tmp_path / "m.onnx")
    with pytest.raises(FileError):
        read_network(tmp_path / "m.onnx")


def test_without_what_specnet_says_texts_are_refused(tmp_path: Path, refused: Refused):
    exported(table_model(), "onnx", tmp_path / "m.onnx")
    model = onnx.load(tmp_path / "m.onnx")
    del model.metadata_props[:]
    onnx.save(model, tmp_path / "m.onnx")
    with refused(FileError, at="m.onnx"):
        read_network(tmp_path / "m.onnx")
