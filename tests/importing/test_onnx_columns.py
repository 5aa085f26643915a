"""A graph with an output for each class: all of them in order are the probabilities, and anything else is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

import specnet
from specnet.importing import read_network
from specnet.importing.onnx_proof import prove_file
from tests.importing.answers import FILES, stored

NAMES = ["sklearn_binary_by_class", "sklearn_words_by_class"]


def changed(name: str, path: Path, change: Callable[[Any], Any]) -> Path:
    """A copy of a file with another graph."""
    model = onnx.load(FILES / f"{name}.onnx")
    change(model.graph)
    onnx.save(model, path)
    return path


def keep(*numbers: int) -> Callable[[Any], None]:
    """Keep these outputs, in this order."""

    def change(graph: Any) -> None:
        kept = [helper.make_tensor_value_info(graph.output[number].name, 1, ["N"]) for number in numbers]
        if numbers[0] == 0:
            kept[0] = onnx.ValueInfoProto.FromString(graph.output[0].SerializeToString())
        del graph.output[:]
        graph.output.extend(kept)

    return change


@pytest.mark.parametrize("name", NAMES)
def test_columns_are_compared(name: str, tmp_path: Path):
    imported = read_network(FILES / f"{name}.onnx")
    assert imported.proof.startswith("compared with onnxruntime on 240 rows: the largest difference is ")
    wanted = read_network(FILES / f"{name.removesuffix('_by_class')}.onnx").model
    X = stored(FILES / f"{name}.onnx")["X"]
    np.testing.assert_array_equal(imported.model.predict_proba(X), wanted.predict_proba(X))
    np.testing.assert_array_equal(imported.model.predict(X), wanted.predict(X))
    imported.model.theta[0] += 0.5
    with pytest.raises(specnet.FileError, match=r"answers otherwise than onnxruntime on \d+ of 240 rows"):
        prove_file(FILES / f"{name}.onnx", imported.model, ["X"])


def test_columns_without_labels_are_probabilities_of_classes_by_number(tmp_path: Path):
    imported = read_network(changed("sklearn_words_by_class", tmp_path / "m.onnx", keep(1, 2, 3)))
    assert imported.proof.startswith("compared with onnxruntime on 240 rows: the largest difference is ")
    np.testing.assert_array_equal(imported.model.labels, [0, 1, 2])
    assert imported.model.network.outputs == 3


@pytest.mark.parametrize("name", NAMES)
def test_columns_may_be_tables_of_one_column(name: str, tmp_path: Path):
    def tables(graph: Any) -> None:
        (shape,) = (tensor for tensor in graph.initializer if tensor.name == "shape_tensor")
        shape.CopyFrom(numpy_helper.from_array(np.array([-1, 1]), "shape_tensor"))
        for value in graph.output:
            value.type.tensor_type.ClearField("shape")

    imported = read_network(changed(name, tmp_path / "m.onnx", tables))
    assert imported.proof.startswith("compared with onnxruntime on 240 rows: the largest difference is ")


@pytest.mark.parametrize(
    ("name", "kept", "reason"),
    [
        ("sklearn_words_by_class", [0, 1, 2], "2 of them have one number of each row, and these are not all 3"),
        ("sklearn_words_by_class", [0, 1, 3, 2], "3 of them have one number of each row, and these are not all 3"),
        ("sklearn_words_by_class", [0, 1, 1, 2], "3 of them have one number"),
        ("sklearn_words_by_class", [2], "1 of them have one number"),
        ("sklearn_binary_by_class", [0, 2, 1], "2 of them have one number of each row, and these are not all 2"),
        ("sklearn_binary_by_class", [0, 2], "1 of them have one number"),
    ],
)
def test_some_columns_or_others_are_refused(name: str, kept: list[int], reason: str, tmp_path: Path):
    with pytest.raises(specnet.FileError, match=reason):
        specnet.import_model(changed(name, tmp_path / "m.onnx", keep(*kept)))


def both(graph: Any) -> None:
    graph.output.append(helper.make_tensor_value_info("probabilities", 1, ["N", 2]))


def both_before(graph: Any) -> None:
    graph.output.insert(0, helper.make_tensor_value_info("probabilities", 1, ["N", 2]))


def a_column_as(*nodes: Any) -> Callable[[Any], None]:
    def change(graph: Any) -> None:
        graph.initializer.append(numpy_helper.from_array(np.array([-1, 2]), "pairs"))
        graph.node.extend(nodes)
        graph.output[-1].name = "Y"

    return change


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (both, "the output 'probabilities' is the probabilities of two classes; a network here has"),
        (both_before, "the output 'i0' is one number of each row; a network here has"),
        (a_column_as(helper.make_node("Cast", ["i1"], ["Y"], to=7)), "it makes another type of one number of each row"),
        (a_column_as(helper.make_node("Reshape", ["i1", "pairs"], ["Y"])), "it gives one number of each row the shape"),
        (a_column_as(helper.make_node("Neg", ["i1"], ["Y"])), "it reads one number of each row"),
        (
            a_column_as(
                helper.make_node("Cast", ["probabilities"], ["whole"], to=7),
                helper.make_node("Cast", ["whole"], ["Y"], to=1),
            ),
            "it makes another type of the probabilities of two classes",
        ),
    ],
)
def test_columns_that_something_is_made_of_are_refused(change: Callable[[Any], Any], reason: str, tmp_path: Path):
    with pytest.raises(specnet.FileError, match=reason):
        specnet.import_model(changed("sklearn_binary_by_class", tmp_path / "m.onnx", change))
