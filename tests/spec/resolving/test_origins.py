"""Where the values of resolved specs come from, over the specs that are shipped."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from specnet import Resolved, parse_spec, resolve
from specnet.running.data_rows import read_data
from specnet.spec.origins import ResolvedValue, origins_of
from tests.cases.test_specs import written
from tests.spec.cases import files

EMBEDDING = """\
[data]
type = "csv"
path = "table.csv"
target = "y"
split = { test_size = 0 }
[network]
preprocessing = [
    { columns = ["size"], steps = ["standardize"] },
    { columns = ["city"], steps = ["embedding"] },
    { columns = ["kind"], steps = [{ type = "embedding", size = 3 }] },
]
layers = [
    { type = "dense", units = 4, activation = "tanh" },
    { type = "dense", units = 1 },
]
[training]
loss = "mse"
"""


def resolved(path: Path) -> tuple[Resolved, list[ResolvedValue]]:
    spec = parse_spec(path)
    known = read_data(spec).resolved
    return known, origins_of(spec, known.spec)


@pytest.mark.parametrize("path", files(), ids=lambda path: path.name)
def test_what_comes_from_the_file_is_written_there(path: Path) -> None:
    _, values = resolved(path)
    found = [value for value in values if value.origin == "file"]
    assert len(found) >= 9
    for value in found:
        text = written(value.location)
        if isinstance(value.value, str):
            assert value.value in text or value.path[-1] == "type"  # of which an alias may be written
        elif isinstance(value.value, bool | int | float) and text[0] != "[":
            assert float(json.loads(text.replace("_", ""))) == float(value.value)


@pytest.mark.parametrize("path", files(), ids=lambda path: path.name)
def test_what_is_a_default_does_not_depend_on_the_data_nor_on_what_is_written(path: Path) -> None:
    """A spec that says every default has the same values; all of them come from its file then."""
    known, values = resolved(path)
    again = parse_spec(known.spec.to_json(), parts=())
    assert resolve(again).spec == known.spec
    full = {value.path: value for value in origins_of(again, known.spec)}
    assert full.keys() == {value.path for value in values}
    assert {value.origin for value in full.values()} <= {"file"}
    assert {value.origin for value in values} <= {"file", "default", "data"}


def test_layers_behind_one_that_preprocessing_asks_for_keep_their_places(tmp_path: Path) -> None:
    rows = "".join(f"{['rome', 'oslo', 'bonn'][row % 3]},{row},{'uv'[row % 2]},{row * 0.5}\n" for row in range(30))
    (tmp_path / "table.csv").write_text(f"city,size,kind,y\n{rows}")
    (tmp_path / "table.toml").write_text(EMBEDDING)
    _, values = resolved(tmp_path / "table.toml")
    found: dict[str, Any] = {value.key: value for value in values}
    assert found["network.layers.0.type"].value == "embedding"
    assert found["network.layers.0.type"].origin == "data"
    assert found["network.preprocessing.1.steps.0.type"].value == "ordinal"
    for field, numbers in (("columns", [1, 2]), ("categories", [4, 3]), ("size", [8, 3])):
        assert found[f"network.layers.0.{field}"].value == numbers
    for key, line in (("1.units", 13), ("1.activation.type", 13), ("2.units", 14)):
        place = found[f"network.layers.{key}"].location
        assert place.value.line == line
    assert found["network.layers.1.use_bias"].origin == "default"
    assert found["network.layers.2.activation.type"].origin == "default"
    stack = f"{EMBEDDING.partition('layers')[0]}hidden_layer_sizes = [4]\n[training]\nloss = 'mse'\n"
    (tmp_path / "table.toml").write_text(stack)
    _, values = resolved(tmp_path / "table.toml")
    found = {value.key: value for value in values}
    assert (found["network.layers.1.units"].location.value.line, found["network.layers.2.units"].origin) == (12, "data")


def test_a_spec_without_a_text_says_what_is_no_default() -> None:
    data = {"network": {"layer_sizes": [2, 1]}, "training": {"loss": "mse", "epochs": 5, "optimizer": {"type": "sgd"}}}
    spec = parse_spec(data)
    values = origins_of(spec, resolve(spec).spec)
    own = "input_size output_size preprocessing layers.0.type layers.0.units layers.0.activation.type "
    own += "layers.0.weight_initializer.type layers.0.bias_initializer.type"
    training = "loss.type optimizer.type epochs batch_size shuffle log_every"
    assert {value.key for value in values if value.origin == "model"} == {
        *(f"network.{key}" for key in own.split()),
        *(f"training.{key}" for key in training.split()),
    }
    assert {value.origin for value in values} == {"model", "default"}
    assert all(value.location is value.setting is value.replaced is None for value in values)
