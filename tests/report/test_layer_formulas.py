"""What layers compute, in a line, and what their weights are before training."""

import numpy as np
import pytest

import specnet
from specnet.parts import Place
from specnet.report.overview import Overview
from tests.registry import REGISTRY, find


def told(*layers: dict) -> list[str]:
    """Return the formula of each layer, and of the dense one at the end."""
    network = {"input_size": 3, "layers": [*layers, {"type": "dense", "units": 1}]}
    plan = Overview(specnet.resolve(specnet.parse_spec({"network": network, "training": {"loss": "mse"}}))).as_dict()
    return [layer["formula"] for layer in plan["layers"]]


@pytest.mark.parametrize(
    ("layer", "formula"),
    [
        ({"type": "dense", "units": 3}, "W·x + b"),
        ({"type": "dense", "units": 3, "use_bias": False, "activation": "tanh"}, "tanh(W·x)"),
        ({"type": "dense", "units": 4, "parametrization": "ntk"}, "W·(x·0.577) + b"),
        ({"type": "dense", "units": 3, "activation": {"type": "elu", "alpha": 0.5}}, "elu(W·x + b, alpha=0.5)"),
        ({"type": "activation", "activation": "gelu"}, "gelu(x)"),
        ({"type": "scale", "use_shift": True}, "x·factor + shift"),
        ({"type": "batch_normalization"}, "(x − mean)·scale/√(variance + 1e-05) + shift"),
        ({"type": "layer_normalization"}, "layer_normalization(x)"),
        ({"type": "dropout"}, "dropout(x)"),
        ({"type": "periodic_embedding"}, "periodic_embedding(x)"),
        ({"type": "add", "inputs": ["input", "input"]}, "x + x"),
        ({"type": "multiply", "inputs": ["input", "input"]}, "x·x"),
        ({"type": "concatenate", "inputs": ["input", "input"]}, "[x, x]"),
    ],
)
def test_a_formula_is_what_the_layer_says(layer: dict, formula: str) -> None:
    assert told(layer)[0] == formula


def test_what_another_row_gives_is_called_by_its_name() -> None:
    first = {"type": "dense", "units": 3, "name": "start"}
    second = {"type": "dense", "units": 3, "activation": "relu", "inputs": ["input"], "name": "other"}
    formulas = told(first, second, {"type": "add", "inputs": ["start", "other"]})
    assert formulas == ["W·x + b", "relu(W·input + b)", "start + x", "W·x + b"]


PLACE = Place(50, 40, "sigmoid")


@pytest.mark.parametrize("name", ["normal", "uniform"])
def test_the_scale_is_that_of_what_is_drawn(name: str) -> None:
    """The standard deviation of normal numbers, the bound of uniform ones, to two digits."""
    looked = 0
    for part in REGISTRY.of_kind("initializer"):
        initializer = part(value=1.0) if part.part_name() == "constant" else part()
        text = initializer.summary(PLACE)
        if text.startswith(f"{name} ±"):
            looked += 1
            drawn = initializer.draw(np.random.default_rng(0), (40, 50), PLACE)
            size = drawn.std() if name == "normal" else np.abs(drawn).max()
            assert float(text.partition("±")[2]) == pytest.approx(size, rel=0.06)
    assert looked >= 4


@pytest.mark.parametrize(
    ("name", "fields", "text"),
    [
        ("zeros", {}, "0"),
        ("ones", {}, "1"),
        ("constant", {"value": 0.1}, "0.1"),
        ("random_normal", {"mean": 1.0, "stddev": 0.2}, "normal 1 ±0.2"),
        ("random_uniform", {"minval": 0.0, "maxval": 0.5}, "uniform 0 to 0.5"),
        ("orthogonal", {"gain": 2.0}, "orthogonal ×2"),
        ("identity", {}, "identity"),
        ("variance_scaling", {"distribution": "uniform", "scale": 3.0, "mode": "fan_out"}, "uniform ±0.47"),
    ],
)
def test_other_initializers_are_told_by_what_they_give(name: str, fields: dict, text: str) -> None:
    assert find("initializer", name)(**fields).summary(PLACE) == text
