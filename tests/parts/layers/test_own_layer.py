"""A layer from another package, whose fields have names of its own: shown, checked, placed in errors and exported."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, Self

import numpy as np
import pytest

import specnet
from specnet import SpecError, parts, resolve
from specnet.checking import check_spec
from specnet.checking.gradient_check import types_of
from specnet.report.overview import Overview


class Squashed(parts.LearningLayer):
    """f(W·x)."""

    size_field = "width"
    type: Literal["squashed"] = "squashed"
    width: int
    squash: parts.Activation | None = None
    drawn: parts.Initializer = parts.initializers.HeNormal()
    note: str = ""

    def declared_size(self) -> int:
        return self.width

    def output_size(self, input_sizes: tuple[int, ...]) -> int:
        return self.width

    def parameters(self, input_sizes: tuple[int, ...]) -> tuple[parts.ParameterBlock, ...]:
        (inputs,) = input_sizes
        weight = parts.Tensor(
            "w", (self.width, inputs), (0, inputs), self.drawn, parts.Fans(inputs, self.width), decays=True
        )
        return (parts.ParameterBlock((inputs, self.width), (weight,)),)

    def with_activation(self, activation: parts.Activation) -> Self:
        return self if self.squash else self.model_copy(update={"squash": activation})

    def split_activation(self) -> tuple[parts.Layer, parts.Activation | None]:
        return self.model_copy(update={"squash": None}), self.squash

    def apply(
        self, scope: parts.Scope, inputs: Sequence[parts.Value], parameters: Sequence[parts.Value]
    ) -> parts.Value:
        z = parts.linear_map(parameters[0], inputs[0])
        return self.squash.apply(z) if self.squash else z


class Chain(parts.Layer):
    """Layers in a row, some number of times."""

    layers_field = "links"
    type: Literal["chain"] = "chain"
    links: tuple[parts.Layer, ...]
    times: int

    @property
    def repetitions(self) -> int:
        return self.times


PARTS = (Squashed, Chain)
HIDDEN = {"type": "squashed", "width": 5, "squash": "tanh", "note": "a"}
LAST = {"type": "squashed", "width": 1, "learning_rate_factor": 0.5}
SPEC = {"network": {"input_size": 3, "layers": [HIDDEN, LAST]}, "training": {"loss": "mse", "epochs": 3}}
X = np.random.default_rng(0).standard_normal((40, 3))
y = X.sum(axis=1)


def test_it_is_shown_with_its_first_weights_and_its_formula():
    hidden, last = Overview(resolve(specnet.parse_spec(SPEC, parts=PARTS))).table().rows[1:3]
    assert hidden == ("layers.0 squashed", "5", "15", "normal ±0.82", "tanh(W·x), note=a")
    assert last == ("layers.1 squashed", "1", "5", "normal ±0.63", "W·x, learning_rate_factor=0.5")


def test_it_is_checked_with_its_activation_named():
    spec = specnet.parse_spec(SPEC, parts=PARTS)
    assert check_spec(spec).agrees
    assert [types_of(node.layer) for node in resolve(spec).nodes] == ["squashed, tanh", "squashed, linear"]


def test_an_output_activation_that_the_loss_refuses_is_marked_in_its_own_field():
    network = {"input_size": 3, "layers": [HIDDEN, {**LAST, "squash": "relu"}]}
    with pytest.raises(SpecError) as caught:
        specnet.parse_spec({**SPEC, "network": network, "training": {"loss": "poisson"}}, parts=PARTS)
    (problem,) = caught.value.diagnostics
    assert (problem.code, problem.path) == ("output-activation", ("network", "layers", 1, "squash"))


def test_an_export_has_its_title_without_what_only_training_needs(tmp_path: Path):
    model = specnet.fit(SPEC, X, y, parts=PARTS)
    specnet.export(model, "numpy", tmp_path / "own.py")
    text = (tmp_path / "own.py").read_text()
    assert "layers.0: squashed(note=a), 3 → 5, tanh" in text
    assert "layers.1: squashed, 5 → 1" in text


def test_a_group_is_unrolled():
    inner = {"type": "squashed", "width": 3, "squash": "tanh"}
    network = {"input_size": 3, "layers": [{"type": "chain", "links": [inner, inner], "times": 2}, LAST]}
    resolved = resolve(specnet.parse_spec({**SPEC, "network": network}, parts=PARTS))
    keys = [node.key for node in resolved.nodes]
    assert keys == ["layers.0.0.0", "layers.0.0.1", "layers.0.1.0", "layers.0.1.1", "layers.1"]
    assert resolved.nodes[3].path == ("network", "layers", 0, "links", 1)
