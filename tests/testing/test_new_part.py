"""A part from a module of someone else: met in training and the model file, and told what it leaves out."""

import sys
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

import specnet
from specnet import SpecnetError
from specnet.parts import Activation, Loss, Value, constant, expand, sum_over
from tests.texts.pinned import Refused

SNAKE = '''
from typing import Literal
from pydantic import Field
from specnet.parts import Activation, PositiveNumber, sin

class Snake(Activation):
    """x + sin²(a·x)/a: periodic, keeps a trend (Ziyin et al. 2020)."""

    type: Literal["snake"] = "snake"
    frequency: PositiveNumber = Field(1.0, description="a, in radians per unit of input")

    def expression(self, x):
        return x + sin(self.frequency * x) ** 2 / self.frequency
'''
SPEC = {
    "network": {"dtype": "float64", "layer_sizes": [1, 6, 1], "activations": {"type": "snake", "frequency": 2}},
    "training": {"loss": "mse", "optimizer": {"type": "adam", "learning_rate": 0.02}, "epochs": 300},
}


@pytest.fixture
def snake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> type[Activation]:
    (tmp_path / "snake_part.py").write_text(SNAKE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "snake_part", raising=False)
    return import_module("snake_part").Snake


def test_it_takes_at_most_12_lines_without_its_docstring():
    body = SNAKE.split('"""')[2].strip().splitlines()
    assert 1 + len([line for line in body if line.strip()]) <= 12


def test_it_is_met_in_training_and_in_the_model_file(snake: type[Activation], tmp_path: Path, refused: Refused):
    X = np.linspace(-2, 2, 80)[:, None]
    y = X[:, 0] + np.sin(3 * X[:, 0])
    model = specnet.fit(specnet.parse_spec(SPEC, parts=[snake]), X, y)
    assert model.history[-1]["loss"] < 0.2 * model.history[0]["loss"]
    weights = model.network.parameters(model.theta)
    inner = X @ weights["layers.0.weight"].T + weights["layers.0.bias"]
    expected = (inner + np.sin(2 * inner) ** 2 / 2) @ weights["layers.1.weight"].T + weights["layers.1.bias"]
    np.testing.assert_allclose(model.predict(X), expected[:, 0], rtol=1e-12)
    model.save(tmp_path / "m.safetensors")
    again = specnet.load_model(tmp_path / "m.safetensors", parts=[snake])
    np.testing.assert_array_equal(again.predict(X), model.predict(X))
    with refused(specnet.FileError, at="m.safetensors"):
        specnet.load_model(tmp_path / "m.safetensors")


class Forgetful(Loss):
    """The sum of squares of the outputs, whatever they should be."""

    type: Literal["forgetful"] = "forgetful"
    target = "values"
    output_activation = "linear"

    def expression(self, output: Value, target: Value) -> Value:
        return sum_over(output * output, "features")


class Constant(Activation):
    """0, whatever it is given."""

    type: Literal["constant"] = "constant"

    def expression(self, x: Value) -> Value:
        return expand(constant(0.0), x.shape)


@pytest.mark.parametrize(
    "spec", [{"layers": ["linear"], "loss": "forgetful"}, {"layers": ["constant", "linear"], "loss": "mse"}]
)
def test_a_part_that_leaves_out_what_it_should_read_is_told_so(spec: dict[str, Any], refused: Refused):
    network = {"layer_sizes": [2, *(1 for _ in spec["layers"])], "activations": spec["layers"]}
    document = {"network": network, "training": {"loss": spec["loss"]}}
    parsed = specnet.parse_spec(document, parts=[Forgetful, Constant])
    with refused(SpecnetError):
        specnet.fit(parsed, np.ones((4, 2)), np.ones(4))
    built = specnet.build(document, parts=[Forgetful, Constant])
    with refused(SpecnetError):
        built.loss_and_gradient(built.initial_parameters(), np.ones((4, 2)), np.ones(4))
