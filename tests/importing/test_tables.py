"""ONNX files that specnet has exported of tables come back whole, or are refused: a code that was changed is seen."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import specnet
from specnet import FileError
from specnet.importing import open_model, read_network
from tests.exporting.models import DTYPES, exported
from tests.exporting.tables import table_model, training_rows
from tests.importing.answers import edited, edited_facts
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


def other_inputs(model: onnx.ModelProto) -> None:
    model.graph.input[1].name = "words"
    for node in model.graph.node:
        node.input[:] = ["words" if name == "texts" else name for name in node.input]


@pytest.mark.slow
@pytest.mark.parametrize(
    "change",
    [
        lambda model: encoder(model, "values_int64s").ints.__setitem__(0, 2),
        lambda model: encoder(model, "keys_strings").strings.__setitem__(0, b"other"),
        lambda model: setattr(encoder(model, "default_int64"), "i", 1),
        other_inputs,
    ],
    ids=["code", "text", "default", "inputs"],
)
def test_a_graph_that_was_changed_is_refused(change: Callable[[onnx.ModelProto], None], tmp_path: Path):
    exported(table_model(), "onnx", tmp_path / "m.onnx")
    with edited(tmp_path / "m.onnx") as model:
        before = model.SerializeToString()
        change(model)
        assert model.SerializeToString() != before
    with pytest.raises(FileError):
        read_network(tmp_path / "m.onnx")


CHANGES = [("categories", value) for value in ([1, 2, 3], [], [300] * 5, [-1])]
CHANGES += [("offsets", [0] * 23), ("offsets", [0.5] * 23), ("starts", [0, 3]), ("starts", [0, 1e300, 22])]
CHANGES += [(key, None) for key in ("feature_names", "feature_kinds", "preprocessing")]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "value"), CHANGES)
def test_what_the_file_says_is_refused(name: str, value: Any, tmp_path: Path):
    """Other numbers of the table of codes, or a network without a key."""
    exported(table_model(), "onnx", tmp_path / "m.onnx")
    with edited_facts(tmp_path / "m.onnx") as spec:
        if value is None:
            del spec["network"][name]
        else:
            spec["numbers"][f"preprocessing.0.0.{name}"] = value
    with pytest.raises(FileError):
        read_network(tmp_path / "m.onnx")


def test_without_what_specnet_says_texts_are_refused(tmp_path: Path, refused: Refused):
    exported(table_model(), "onnx", tmp_path / "m.onnx")
    with edited(tmp_path / "m.onnx") as model:
        del model.metadata_props[:]
    with refused(FileError, at="m.onnx"):
        read_network(tmp_path / "m.onnx")
