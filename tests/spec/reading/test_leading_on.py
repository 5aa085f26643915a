"""Hints that lead on: a mistake says what to write, and where."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import specnet
from specnet import DataError, SpecError, parse_spec
from tests.texts.mistakes import mistake
from tests.texts.pinned import Pinned, Refused


def only(text: str | Path) -> Any:
    """Return the single mistake of a spec."""
    return mistake(SpecError, lambda: parse_spec(text))


def with_keys(network: str = "", training: str = "", layer: str = "") -> str:
    layers = f"[[network.layers]]\ntype = 'dense'\nunits = 3\n{layer}\n"
    return f"[network]\ninput_size = 2\n{network}\n{layers}[training]\nloss = 'mse'\n{training}\n"


@pytest.mark.parametrize("place", ["network", "training", "layer"])
@pytest.mark.parametrize(
    ("key", "layer"),
    [
        ("dropout = 0.25", '{ type = "dropout", rate = 0.25 }'),
        ("dropout = 0.0", '{ type = "dropout", rate = 0.0 }'),
        *((f"dropout{rate}", '{ type = "dropout", rate = 0.5 }') for rate in (" = 1.0", " = -0.1", "_rate = 'much'")),
        *((f"batch_norm{end} = true", '{ type = "batch_normalization" }') for end in ("", "alization")),
        ("LayerNorm = true", '{ type = "layer_normalization" }'),
    ],
)
def test_what_is_a_layer_of_its_own_says_so_with_an_example(place: str, key: str, layer: str, pinned: Pinned):
    diagnostic = only(with_keys(**{place: key}))
    assert diagnostic.code == "unknown-key"
    assert layer in (diagnostic.hint or "")
    pinned(diagnostic.hint)
    example = diagnostic.hint[diagnostic.hint.index("layers = [") :].replace(", …", "")
    parse_spec(f"[network]\ninput_size = 2\n{example}\n[training]\nloss = 'mse'\n")


def test_yaml_is_recognized_by_its_name(tmp_path: Path):
    for name in ("a.yaml", "b.YML"):
        (tmp_path / name).write_text('"name" : x\n')
        assert "YAML" in (only(tmp_path / name).hint or "")
    assert only("name = x\n").hint is None
    (tmp_path / "c.yaml").write_text(with_keys())
    assert parse_spec(tmp_path / "c.yaml").network.input_size == 2


def csv(folder: Path, target: str, loss: str) -> Path:
    rows = "".join(f"{row},{'abc'[row % 3]},{'ab'[row % 2]},{row % 3},{row * 1.5}\n" for row in range(30))
    (folder / "rows.csv").write_text(f"x,three,two,number,value\n{rows}")
    data = f'[data]\ntype = "csv"\npath = "rows.csv"\ntarget = "{target}"\nfeatures = ["x"]\n'
    rest = f"[network]\nhidden_layer_sizes = [3]\n[training]\nloss = '{loss}'\nepochs = 1\n"
    (folder / "spec.toml").write_text(data + rest)
    return folder / "spec.toml"


@pytest.mark.parametrize(
    ("target", "loss", "fitting"),
    [
        ("three", "binary_crossentropy", "categorical_crossentropy"),
        ("number", "hinge", "categorical_crossentropy"),
        ("value", "binary_crossentropy", "mean_squared_error"),
        ("value", "categorical_crossentropy", "mean_squared_error"),
        ("three", "mean_squared_error", "categorical_crossentropy"),
        ("two", "mean_absolute_error", "binary_crossentropy"),
    ],
)
def test_a_target_that_the_loss_does_not_take_names_the_loss_at_its_key(
    tmp_path: Path, target: str, loss: str, fitting: str
):
    diagnostic = mistake(DataError, lambda: specnet.run(csv(tmp_path, target, loss)))
    assert (diagnostic.code, diagnostic.position and diagnostic.position[:2]) == ("loss-target", (9, 8))
    assert fitting in (diagnostic.hint or "")


@pytest.mark.parametrize("y", [["a", "b", "c"] * 4, np.array(["a", "b", "c"] * 4, object)])
def test_text_is_no_number_for_arrays_either(y: Any, refused: Refused):
    spec = parse_spec(with_keys())
    with refused(DataError, code="loss-target", at="training.loss"):
        specnet.fit(spec, np.zeros((12, 2)), y)


def test_one_bad_cell_among_numbers_keeps_its_place(tmp_path: Path, refused: Refused):
    path = csv(tmp_path, "value", "mean_squared_error")
    table = tmp_path / "rows.csv"
    table.write_text(table.read_text().replace(",1.5\n", ",much\n"))
    with refused(DataError, code="not-a-number", at="rows.csv:3:9"):
        specnet.run(path)
