"""Forged models inside models of Keras's files are refused with a reason, and those that are none are read."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import specnet
from tests.importing.answers import FILES
from tests.importing.test_hostile import refused
from tests.importing.test_hostile_archives import LAMBDA, keras_file

DEEPEST = 16


def inside(config: dict[str, Any], depth: int = 1, **fields: Any) -> dict[str, Any]:
    """Put so many models around the dense layer, and return the outermost's configuration with such fields."""
    columns, dense = config["config"]["layers"][:2]
    for _ in range(depth):
        made = {"name": "inner", "layers": [columns, dense]}
        dense = {"module": "keras", "class_name": "Sequential", "registered_name": None, "config": made}
    config["config"]["layers"][1] = dense
    dense["config"].update(fields)
    return dense["config"]


def in_graph(config: dict[str, Any], **fields: Any) -> None:
    """Put a Functional around the dense layer."""
    made = inside(config)
    columns, dense = made["layers"]
    name = columns["config"]["name"]
    tensor = {"class_name": "__keras_tensor__", "config": {"keras_history": [name, 0, 0]}}
    dense["config"]["name"] = "dense"
    dense["inbound_nodes"] = [{"args": [tensor], "kwargs": {}}]
    made.update({"input_layers": [name, 0, 0], "output_layers": ["dense", 0, 0], **fields})
    config["config"]["layers"][1]["class_name"] = "Functional"


def with_input(config: dict[str, Any], **fields: Any) -> None:
    """Put a model around the dense layer whose input is another."""
    made = inside(config)
    columns = made["layers"][0]
    made["layers"][0] = {**columns, "config": {**columns["config"], **fields}}


def with_two_inputs(config: dict[str, Any]) -> None:
    made = inside(config)
    made["layers"].append({**made["layers"][0], "config": {**made["layers"][0]["config"], "name": "again"}})


def with_the_same_name(config: dict[str, Any]) -> None:
    made = inside(config)
    made["layers"].append(made["layers"][1])


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda c: inside(c, DEEPEST + 1), f"it lies in more than {DEEPEST} models"),
        (lambda c: inside(c, 200), f"it lies in more than {DEEPEST} models"),
        (lambda c: inside(c)["layers"].extend([7] * 8_000), "this file has more than 8000 layers"),
        (lambda c: inside(c, layers={}), "layer 'inner' .Sequential. has no list of layers"),
        (lambda c: inside(c, layers=[7]), "layer 0 in 'inner' is not described"),
        (lambda c: inside(c, name=7), "layer '7' .Sequential.: it has no name, or two"),
        (lambda c: inside(c)["layers"].pop(0), "layer 'inner' .Sequential.: its first layer is no InputLayer"),
        (lambda c: inside(c)["layers"][1].update(LAMBDA), "in 'inner': a Lambda is code"),
        (lambda c: inside(c)["layers"][1].update(module="os"), "layer 1 in 'inner' .* from the module 'os'"),
        (lambda c: inside(c)["layers"][1].update(registered_name="mine>Dense"), "a custom class"),
        (lambda c: inside(c)["layers"][1].update(name="other"), "it has no name, or two"),
        (lambda c: with_input(c, batch_shape=[None, 5]), "it takes 5 columns, and is given 4"),
        (lambda c: with_input(c, batch_shape=None), "and .rows, columns. is needed"),
        (lambda c: with_input(c, dtype="int32"), "it rounds its columns to int32"),
        (with_two_inputs, "layer 'again' .InputLayer. in 'inner': it is not the first layer"),
        (with_the_same_name, "in 'inner': another layer has its name"),
        (lambda c: inside(c), "sequential/dense has 0 arrays, and 2 are needed"),
        (lambda c: in_graph(c), "functional/dense has 0 arrays, and 2 are needed"),
        (lambda c: in_graph(c, layers=[]), "no list of layers"),
        (lambda c: in_graph(c, input_layers=["dense", 0, 0]), "its inputs are not its InputLayers"),
        (lambda c: in_graph(c, input_layers=[[[], 0, 0]]), "its inputs are not its InputLayers"),
        (lambda c: in_graph(c, input_layers=None), "its inputs are not its InputLayers"),
    ],
)
def test_forged_models_inside(tmp_path: Path, change: Callable[[Any], Any], reason: str):
    path = keras_file(tmp_path / "network.keras", change)
    with pytest.raises(specnet.FileError, match=reason):
        specnet.import_model(path)
    refused(path)


def weights(place: str, **links: Any) -> bytes:
    """The weights of the network of the tests, those of the dense layer inside models, and links beside these."""
    stream = io.BytesIO()
    with zipfile.ZipFile(FILES / "keras_binary.keras") as archive:
        stream.write(archive.read("model.weights.h5"))
    with h5py.File(stream, "r+") as file:
        file.move("layers/dense", "kept")
        file["layers/dense"] = file["layers/dense_1"]  # that Keras then counts from the first on again
        del file["layers/dense_1"]
        if place:
            file.move("kept", place)
        for name, link in links.items():
            file[f"layers/{name}"] = link
    return stream.getvalue()


@pytest.mark.parametrize("depth", [1, 2, DEEPEST])
def test_a_model_inside_others_is_what_it_is_by_itself(depth: int, tmp_path: Path):
    content = weights(f"layers/{'sequential/layers/' * depth}dense")
    found = specnet.import_model(keras_file(tmp_path / "m.keras", lambda c: inside(c, depth), content))
    X = np.random.default_rng(0).normal(size=(30, 4)).astype(np.float32)
    np.testing.assert_array_equal(
        found.predict_proba(X), specnet.import_model(FILES / "keras_binary.keras").predict_proba(X)
    )


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        (["dense", 0, 0], None),
        (["dense", 1, 0], "has an output that is not a layer's only one"),
        (["inner", 0, 0], "has the output 'inner', which no layer is"),
        ([["dense", 0, 0]] * 2, "has several outputs"),
    ],
)
def test_outputs_of_a_graph_inside(output: list[Any], reason: str | None, tmp_path: Path):
    content = weights("layers/functional/layers/dense")
    path = keras_file(tmp_path / "m.keras", lambda c: in_graph(c, output_layers=output), content)
    if reason is None:
        assert specnet.import_model(path).network.inputs == 4
    else:
        with pytest.raises(specnet.FileError, match=reason):
            specnet.import_model(path)


@pytest.mark.parametrize("link", [h5py.ExternalLink("other.h5", "/layers"), h5py.SoftLink("/kept")])
def test_links_in_the_place_of_a_model(link: Any, tmp_path: Path):
    path = keras_file(tmp_path / "m.keras", lambda c: inside(c), weights("", sequential=link))
    assert "has a link in the place of 'sequential'" in refused(path)
