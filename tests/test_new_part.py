"""A part from a module of someone else: met in parse, schema, gradient, training and the model file."""

import json
import sys
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

import jsonschema
import numpy as np
import pytest

import specnet
from specnet.checking import check_spec
from specnet.errors import SpecError, SpecnetError
from specnet.parts import Activation, Loss, Value, constant, expand, sum_over
from specnet.parts.registry import installed_registry
from specnet.spec.json_schema import json_schema
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


def test_parse_and_schema(snake: type[Activation]):
    spec = specnet.parse_spec(SPEC, parts=[snake])
    assert spec.network.activations == snake(frequency=2)
    registry = installed_registry().with_parts([snake])
    schema = json_schema(registry)
    validator = jsonschema.Draft7Validator(schema)
    assert validator.is_valid(SPEC)
    assert "snake" in json.dumps(schema)
    wrong = json.loads(json.dumps(SPEC).replace('"frequency": 2', '"frequency": -2'))
    assert not validator.is_valid(wrong)
    with pytest.raises(SpecError) as caught:
        specnet.parse_spec(wrong, parts=[snake])
    assert caught.value.diagnostics[0].path == ("network", "activations", "frequency")
    assert caught.value.diagnostics[0].code == "out-of-bounds"


def test_without_it_the_name_is_unknown(refused: Refused):
    with refused(SpecError, code="unknown-part", at="network.activations.type"):
        specnet.parse_spec(SPEC)


def test_gradient(snake: type[Activation]):
    network = specnet.build(SPEC, parts=[snake])
    theta = network.initial_parameters()
    X = np.random.default_rng(0).normal(size=(5, 1))
    weights = network.parameters(theta)
    inner = X @ weights["layers.0.weight"].T + weights["layers.0.bias"]
    expected = (inner + np.sin(2 * inner) ** 2 / 2) @ weights["layers.1.weight"].T + weights["layers.1.bias"]
    np.testing.assert_allclose(network.predict(theta, X), expected, rtol=1e-13)
    assert check_spec(specnet.parse_spec(SPEC, parts=[snake])).agrees


def test_training_and_model_file(snake: type[Activation], tmp_path: Path, refused: Refused):
    X = np.linspace(-2, 2, 80)[:, None]
    y = X[:, 0] + np.sin(3 * X[:, 0])
    model = specnet.fit(specnet.parse_spec(SPEC, parts=[snake]), X, y)
    assert model.history[-1]["loss"] < 0.2 * model.history[0]["loss"]
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
