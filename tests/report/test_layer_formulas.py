"""What layers compute, in a line, and what their weights are before training."""

import tomllib
from pathlib import Path

import numpy as np
import pytest

import specnet
from specnet.parts import Fans
from specnet.report.overview import Overview
from tests.registry import REGISTRY, find

CASES = tomllib.loads(Path(__file__).with_name("layer_formulas.toml").read_text("utf-8"))


def told(*layers: dict) -> list[str]:
    """Return the formula of each layer, and of the dense one at the end."""
    network = {"input_size": 3, "layers": [*layers, {"type": "dense", "units": 1}]}
    plan = Overview(specnet.resolve(specnet.parse_spec({"network": network, "training": {"loss": "mse"}}))).as_dict()
    return [layer["formula"] for layer in plan["layers"]]


@pytest.mark.parametrize(("layer", "formula"), CASES["formulas"])
def test_a_formula_is_what_the_layer_says(layer: dict, formula: str) -> None:
    assert told(layer)[0] == formula


def test_what_another_row_gives_is_called_by_its_name() -> None:
    first = {"type": "dense", "units": 3, "name": "start"}
    second = {"type": "dense", "units": 3, "activation": "relu", "inputs": ["input"], "name": "other"}
    formulas = told(first, second, {"type": "add", "inputs": ["start", "other"]})
    assert formulas == ["W·x + b", "relu(W·input + b)", "start + x", "W·x + b"]


FANS = Fans(50, 40, "sigmoid")


@pytest.mark.parametrize("name", ["normal", "uniform"])
def test_the_scale_is_that_of_what_is_drawn(name: str) -> None:
    """The standard deviation of normal numbers, the bound of uniform ones, to two digits."""
    looked = 0
    for part in REGISTRY.of_kind("initializer"):
        initializer = part(value=1.0) if part.part_name() == "constant" else part()
        text = initializer.summary(FANS)
        if text.startswith(f"{name} ±"):
            looked += 1
            drawn = initializer.draw(np.random.default_rng(0), (40, 50), FANS)
            size = drawn.std() if name == "normal" else np.abs(drawn).max()
            assert float(text.partition("±")[2]) == pytest.approx(size, rel=0.06)
    assert looked >= 4


@pytest.mark.parametrize(("name", "fields", "text"), CASES["initializers"])
def test_other_initializers_are_told_by_what_they_give(name: str, fields: dict, text: str) -> None:
    assert find("initializer", name)(**fields).summary(FANS) == text
