"""What ``--set`` changes, and where its mistakes point."""

import json
import tomllib

import pytest

import specnet
from specnet import SpecError, parse_spec, resolve
from specnet.spec.document import EarlyStopping
from specnet.spec.reading.reader import read
from tests.cases.reading import cases
from tests.texts.pinned import Refused

TEXT = """\
name = "a"
[network]
layer_sizes = [2, 3, 1]
activations = ["relu", "linear"]
[training]
loss = "mse"
metrics = ["r2", "r2"]
optimizer = "adam"
"""


@pytest.mark.parametrize(("setting", "path", "value"), cases("settings")["settings"])
def test_a_setting_changes_one_value(setting: str, path: list[str | int], value: object):
    given, changed = read(TEXT).data, read(TEXT, [setting]).data
    assert changed != given
    for step in path:
        changed = changed[step]
    expected = tuple(value) if isinstance(value, list) else value
    assert (type(changed), changed) == (type(expected), expected)


def test_an_empty_value_removes_the_key():
    document = read(TEXT, ["name=", "training.metrics.0="])
    assert document.data["training"]["metrics"] == ("r2",)
    assert "name" not in document.data
    assert document.locations["training", "metrics", 0].value == (7, 18, 4)
    assert ("training", "metrics", 1) not in document.locations
    places = read("l = [0, { a = 1 }, [2], 3]\nm = [4, 5, 6]\n", ["l.1="]).locations
    lists = {path: place.value.column for path, place in places.items() if len(path) > 1}
    assert lists == {("l", 0): 6, ("l", 1): 20, ("l", 1, 0): 21, ("l", 2): 25, ("m", 0): 6, ("m", 1): 9, ("m", 2): 12}


def test_settings_are_made_in_order_and_leave_a_mapping_as_it_was():
    data = {"training": {"epochs": 1}, "list": [1, 2]}
    changed = read(data, ["training.epochs=2", "training.epochs=3", "list.1=5"]).data
    assert changed == {"training": {"epochs": 3}, "list": (1, 5)}
    assert data == {"training": {"epochs": 1}, "list": [1, 2]}


def test_a_setting_is_unicode(refused: Refused):
    with refused(SpecError, code="encoding", at="--set #1:1:1"):
        read(TEXT, ["name=\ud800"])


TABLES = """\
[data]
type = "make_moons"
[data.split]
validation_size = 0.2
[network]
hidden_layer_sizes = [3]
[[network.preprocessing]]
type = "standardize"
[training]
loss = "bce"
[training.early_stopping]
patience = 3
"""


@pytest.mark.parametrize("text", [TABLES, json.dumps(tomllib.loads(TABLES))], ids=["TOML", "JSON"])
def test_an_empty_value_removes_tables_with_all_that_is_in_them(text: str):
    settings = ["training.early_stopping=", "data.split=", "network.preprocessing="]
    spec = parse_spec(text + "\n", overrides=settings)
    assert spec.training.early_stopping is None
    assert spec.network.preprocessing is None
    assert spec.data is not None
    assert "split" not in spec.data.model_fields_set
    assert parse_spec(text + "\n", overrides=["data="]).data is None
    assert parse_spec(text + "\n", overrides=["network.preprocessing.0="]).network.preprocessing == ()


@pytest.mark.parametrize("switch", ["true", "false"])
def test_a_setting_within_a_table_that_is_switched_makes_it_a_table(switch: str):
    text = TABLES.replace("[training.early_stopping]\npatience = 3", f"early_stopping = {switch}")
    defaults = parse_spec(text).training.early_stopping
    assert defaults == (EarlyStopping() if switch == "true" else None)
    again = parse_spec(text, overrides=["training.early_stopping.patience=7"])
    assert again.training.early_stopping == EarlyStopping(patience=7)
    assert parse_spec(TABLES, overrides=[f"training.early_stopping={switch}"]).training.early_stopping == defaults
    resolved = resolve(parse_spec(text)).spec
    shown = json.loads(resolved.to_json())["training"].get("early_stopping")
    assert shown == (EarlyStopping().model_dump() if switch == "true" else None)


def test_a_mistake_in_a_mapping_does_not_stand_at_a_setting_beside_it():
    data = {"network": {"layer_sizes": [2, 1]}, "training": {"loss": "mse", "optimizer": {"type": "adam", "lr": 0.1}}}
    with pytest.raises(SpecError) as caught:
        parse_spec(data, overrides=["training.epochs=5", "training.optimizer.beta_1=2.0"])
    problems = {problem.code: problem for problem in caught.value.diagnostics}
    assert (problems["unknown-key"].source, problems["unknown-key"].position) == (None, None)
    assert problems["out-of-bounds"].source == "--set #2"


def test_one_setting_may_be_a_text():
    data = {"network": {"layer_sizes": [2, 1]}, "training": {"loss": "mse"}}
    assert parse_spec(data, overrides="training.epochs=5").training.epochs == 5
    spec = specnet.build(data, overrides="training.epochs=5", engine="numpy").spec
    assert (spec.training.epochs, spec.training.engine) == (5, "numpy")
