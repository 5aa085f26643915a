"""Where the values of resolved specs come from, over the specs that are shipped."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from specnet.running.data_rows import read_data
from specnet.spec import Resolved, parse_spec, resolve
from specnet.spec.resolving.origins import ResolvedValue, explain

SPECS = sorted(path for path in (Path(__file__).parents[3] / "specs").iterdir() if path.suffix in (".toml", ".json"))
EMBEDDING = """\
[data]
type = "csv"
path = "table.csv"
target = "y"
split = { test_size = 0 }
[network]
preprocessing = [{ columns = ["city"], steps = ["embedding"] }, { columns = ["size"], steps = ["standardize"] }]
layers = [
    { type = "dense", units = 4, activation = "tanh" },
    { type = "dense", units = 1 },
]
[training]
loss = "mse"
"""


def written(value: ResolvedValue) -> str:
    """Return what stands in the text at the place of a value."""
    assert value.place is not None
    start = value.place.value.column - 1
    return value.place.text.lines[value.place.value.line - 1][start : start + value.place.value.length]


def resolved(path: Path) -> tuple[Resolved, list[ResolvedValue]]:
    spec = parse_spec(path)
    known = read_data(spec).resolved
    return known, explain(spec, known.spec)


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.name)
def test_what_comes_from_the_file_is_written_there(path: Path) -> None:
    _, values = resolved(path)
    found = [value for value in values if value.origin == "file"]
    assert len(found) >= 9
    for value in found:
        text = written(value)
        if isinstance(value.value, str):
            assert value.value in text or value.path[-1] == "type"  # of which an alias may be written
        elif isinstance(value.value, bool | int | float) and text[0] != "[":
            assert float(json.loads(text.replace("_", ""))) == float(value.value)


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.name)
def test_what_is_a_default_does_not_depend_on_the_data_nor_on_what_is_written(path: Path) -> None:
    """A spec that says every default has the same values; all of them come from its file then."""
    known, values = resolved(path)
    again = parse_spec(known.spec.to_json(), parts=())
    assert resolve(again).spec == known.spec
    full = {value.path: value for value in explain(again, known.spec)}
    assert full.keys() == {value.path for value in values}
    assert {value.origin for value in full.values()} <= {"file"}
    assert {value.origin for value in values} <= {"file", "default", "data"}


def test_layers_behind_one_that_preprocessing_asks_for_keep_their_places(tmp_path: Path) -> None:
    rows = "".join(f"{['rome', 'oslo', 'bonn'][row % 3]},{row},{row * 0.5}\n" for row in range(30))
    (tmp_path / "table.csv").write_text(f"city,size,y\n{rows}")
    (tmp_path / "table.toml").write_text(EMBEDDING)
    _, values = resolved(tmp_path / "table.toml")
    found: dict[str, Any] = {value.key: value for value in values}
    assert found["network.layers.0.type"].value == "embedding"
    assert found["network.layers.0.type"].origin == "data"
    for key, line in (("1.units", 9), ("1.activation.type", 9), ("2.units", 10)):
        place = found[f"network.layers.{key}"].place
        assert place.value.line == line
    assert found["network.layers.1.use_bias"].origin == "default"
    assert found["network.layers.2.activation.type"].origin == "default"


def test_sizes_of_a_part_that_knows_them_come_from_the_data() -> None:
    spec = parse_spec(
        'data.type = "iris"\nnetwork.hidden_layer_sizes = [3]\ntraining.loss = "categorical_crossentropy"\n'
    )
    found = {value.key: value.origin for value in explain(spec, resolve(spec).spec)}
    for key in ("network.input_size", "network.output_size", "network.layers.1.units"):
        assert found[key] == "data"
    assert found["network.layers.0.units"] == "file"
