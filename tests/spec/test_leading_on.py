"""Hints that lead on: a mistake says what to write, and where."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import specnet
from specnet.errors import DataError, Diagnostic, SpecError
from specnet.spec import parse_spec


def only(text: str | Path) -> Diagnostic:
    """Return the single mistake of a spec."""
    with pytest.raises(SpecError) as caught:
        parse_spec(text)
    (diagnostic,) = caught.value.diagnostics
    return diagnostic


def with_keys(network: str = "", training: str = "", layer: str = "") -> str:
    layers = f"[[network.layers]]\ntype = 'dense'\nunits = 3\n{layer}\n"
    return f"[network]\ninput_size = 2\n{network}\n{layers}[training]\nloss = 'mse'\n{training}\n"


@pytest.mark.parametrize("place", ["network", "training", "layer"])
@pytest.mark.parametrize(
    ("key", "layer"),
    [
        ("dropout = 0.25", '{ type = "dropout", rate = 0.25 }'),
        ("dropout_rate = 'much'", '{ type = "dropout", rate = 0.5 }'),
        ("batch_norm = true", '{ type = "batch_normalization" }'),
        ("batch_normalization = true", '{ type = "batch_normalization" }'),
        ("LayerNorm = true", '{ type = "layer_normalization" }'),
    ],
)
def test_what_is_a_layer_of_its_own_says_so_with_an_example(place: str, key: str, layer: str):
    diagnostic = only(with_keys(**{place: key}))
    assert diagnostic.code == "unknown-key"
    assert diagnostic.hint is not None
    assert diagnostic.hint.startswith("add a layer: layers = [")
    assert layer in diagnostic.hint
    example = diagnostic.hint.removeprefix("add a layer: ").replace(", …", "")
    parse_spec(f"[network]\ninput_size = 2\n{example}\n[training]\nloss = 'mse'\n")


@pytest.mark.parametrize(
    ("keys", "hint"),
    [
        ({"network": "l2 = 0.1"}, '"l2" is a key of training'),
        ({"layer": "l2 = 0.1"}, '"l2" is a key of training'),
        ({"training": "optimizer = { type = 'adam', l2 = 0.1 }"}, '"l2" is a key of training'),
        ({"network": "weight_decay = 0.1"}, '"weight_decay" is a key of the optimizer'),
        ({"training": "weight_decay = 0.1"}, '"weight_decay" is a key of the optimizer'),
    ],
)
def test_a_penalty_in_the_wrong_table_is_sent_to_the_right_one(keys: dict[str, str], hint: str):
    assert only(with_keys(**keys)).hint == hint


@pytest.mark.parametrize("name", ["layers.0", "network.layers.0", "layers[0]", "0"])
def test_a_layer_named_by_its_path_is_to_get_a_name(name: str):
    diagnostic = only(with_keys(training=f"[[network.layers]]\ntype = 'add'\ninputs = ['{name}', 'input']"))
    assert diagnostic.code == "name"
    assert diagnostic.hint == 'give that layer a name, such as name = "hidden", and read inputs = ["hidden"]'


STACK = """\
[data]
type = "iris"
[network]
layer_sizes = {sizes}
[training]
loss = "{loss}"
metrics = ["accuracy"]
"""


@pytest.mark.parametrize(
    ("sizes", "column", "notes"),
    [
        ("[4, 5, 1]", 22, ["iris has 3 classes, for which categorical_crossentropy needs 3 outputs"]),
        ("[2, 5, 3]", 16, ["iris has 4 columns"]),
        (
            "[2, 5, 1]",
            16,
            [
                "iris has 4 columns",
                "1 output, but iris has 3 classes, for which categorical_crossentropy needs 3 outputs",
            ],
        ),
    ],
)
def test_sizes_that_clash_are_one_mistake(sizes: str, column: int, notes: list[str]):
    diagnostic = only(STACK.format(sizes=sizes, loss="categorical_crossentropy"))
    assert (diagnostic.code, diagnostic.position and diagnostic.position[:2]) == ("size-clash", (4, column))
    assert [note.message for note in diagnostic.notes] == notes


def test_a_loss_that_does_not_fit_is_told_before_metrics_that_may():
    assert only(STACK.format(sizes="[4, 5, 3]", loss="mse")).code == "loss-target"


def test_a_metric_of_classes_asks_for_a_loss_of_classes():
    hint = only(with_keys(training="metrics = ['accuracy']")).hint
    assert hint is not None
    assert "a classification loss, such as categorical_crossentropy" in hint


@pytest.mark.parametrize(
    "text", ["name: x\nnetwork:\n  layer_sizes: [2, 1]\n", "---\nname: x\n", "# a spec\n\n- type: dense\n"]
)
def test_yaml_is_recognized_by_its_text(text: str):
    diagnostic = only(text)
    assert (diagnostic.code, diagnostic.hint) == ("syntax", "this looks like YAML; write specs in TOML or JSON")


def test_yaml_is_recognized_by_its_name(tmp_path: Path):
    for name in ("a.yaml", "b.YML"):
        (tmp_path / name).write_text('"name" : x\n')
        assert only(tmp_path / name).hint == "this looks like YAML; write specs in TOML or JSON"
    assert only("name = x\n").hint is None
    (tmp_path / "c.yaml").write_text(with_keys())
    assert parse_spec(tmp_path / "c.yaml").network.input_size == 2


def csv(folder: Path, target: str, loss: str) -> Path:
    rows = "".join(f"{row},{'abc'[row % 3]},{'ab'[row % 2]},{row % 3},{row * 1.5}\n" for row in range(30))
    (folder / "rows.csv").write_text(f"x,three,two,number,value\n{rows}")
    text = f'[data]\ntype = "csv"\npath = "rows.csv"\ntarget = "{target}"\nfeatures = ["x"]\n'
    (folder / "spec.toml").write_text(
        f"{text}[network]\nhidden_layer_sizes = [3]\n[training]\nloss = '{loss}'\nepochs = 1\n"
    )
    return folder / "spec.toml"


@pytest.mark.parametrize(
    ("target", "loss", "hint"),
    [
        ("three", "binary_crossentropy", "use categorical_crossentropy for three or more classes"),
        ("number", "hinge", "use categorical_crossentropy for three or more classes"),
        ("value", "binary_crossentropy", "mean_squared_error for numbers"),
        ("value", "categorical_crossentropy", 'use training.loss = "mean_squared_error" to predict numbers'),
        ("three", "mean_squared_error", "use categorical_crossentropy for text labels"),
        ("two", "mean_absolute_error", "use binary_crossentropy for text labels"),
    ],
)
def test_a_target_that_the_loss_does_not_take_names_the_loss_at_its_key(
    tmp_path: Path, target: str, loss: str, hint: str
):
    with pytest.raises(DataError) as caught:
        specnet.run(csv(tmp_path, target, loss))
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == "loss-target"
    assert diagnostic.position is not None
    assert diagnostic.position[:2] == (9, 8)
    assert hint in (diagnostic.hint or "")


@pytest.mark.parametrize("y", [["a", "b", "c"] * 4, np.array(["a", "b", "c"] * 4, object)])
def test_text_is_no_number_for_arrays_either(y: Any):
    spec = parse_spec(with_keys())
    with pytest.raises(DataError, match="mean_squared_error needs numbers, but the target holds text: a, b, c"):
        specnet.fit(spec, np.zeros((12, 2)), y)


def test_one_bad_cell_among_numbers_keeps_its_place(tmp_path: Path):
    path = csv(tmp_path, "value", "mean_squared_error")
    table = tmp_path / "rows.csv"
    table.write_text(table.read_text().replace(",1.5\n", ",much\n"))
    with pytest.raises(DataError, match=r'rows.csv:3:9: error\[not-a-number\]: row 2 has "much"'):
        specnet.run(path)
