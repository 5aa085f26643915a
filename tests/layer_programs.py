"""A layer by itself as a program: its value, the derivatives of a weighted sum of it, and what it commits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from specnet.compiler import BATCH, NUMPY, Shape, Value, gradients, input_value, plan, state_value, sum_over
from specnet.compiler.numpy import bind
from specnet.compiler.operations import derivatives
from specnet.parts.layers import Layer

Array = np.ndarray[Any, Any]


@dataclass
class Scope:
    """A program of one layer."""

    layer: Layer
    features: int
    training: bool
    commits: list[tuple[Value, Value]] = field(default_factory=list)
    noises: int = 0

    @property
    def inverse_rows(self) -> Value:
        return input_value("inverse_rows", ())

    def uniform(self, shape: Shape) -> Value:
        self.noises += 1
        return input_value(f"noise{self.noises}", shape)

    normal = uniform

    def batch_mean(self, x: Value) -> Value:
        return sum_over(x, "batch") * self.inverse_rows

    def state(self, name: str) -> Value:
        (shape,) = (tensor.shape for tensor in self.layer.states((self.features,)) if tensor.name == name)
        return state_value(name, shape)

    def commit(self, state: Value, value: Value) -> None:
        self.commits.append((state, value))


@dataclass(frozen=True)
class Outcome:
    """What came out: arrays with rows first, gradients and states by name."""

    value: Array
    gradient: dict[str, Array]
    state: dict[str, Array]


class LayerProgram:
    """A layer of one input with so many features, in training or not."""

    def __init__(self, layer: Layer, features: int, *, training: bool = True, unaided: bool = False) -> None:
        """With `unaided`, derivatives are those that the reverse pass finds without the layer's own rule."""
        self.layer, self.features = layer, features
        self.blocks = layer.parameters((features,))
        scope = Scope(layer, features, training)
        x = input_value("x", (features, BATCH))
        parameters = [state_value(block.tensors[0].name, block.shape) for block in self.blocks]
        self.value = layer.apply(scope, [x], parameters)
        if unaided and self.value.operation is derivatives.CUSTOM:
            self.value = self.value.arguments[0]
        self.loss = sum_over(self.value * input_value("weights", self.value.shape), "all")
        self.wanted = {"x": x, **{value.attributes: value for value in parameters}}
        self.commits = scope.commits

    def parameters(self, seed: int = 0) -> dict[str, Array]:
        """Return random blocks, by the name of their first tensor."""
        rng = np.random.default_rng(seed)
        return {block.tensors[0].name: rng.normal(0.3, 0.8, block.shape) for block in self.blocks}

    def states(self) -> dict[str, Array]:
        """Return what the layer keeps before training."""
        made = self.layer.states((self.features,))
        return {tensor.name: np.full(tensor.user_shape, tensor.start).reshape(tensor.shape) for tensor in made}

    def run(self, arrays: Mapping[str, Array], dtype: type = np.float64) -> Outcome:
        """Run on X (rows, features), parameters, states, and `weights` (rows, outputs) of the sum, 1 if not given."""
        found = gradients(self.loss, self.wanted.values())
        outputs = [self.value, *(found[value] for value in self.wanted.values()), *(new for _, new in self.commits)]
        value, *rest = self._evaluated(outputs, arrays, dtype)
        derivatives, committed = rest[: len(self.wanted)], rest[len(self.wanted) :]
        gradient = dict(zip(self.wanted, derivatives, strict=True))
        gradient["x"] = gradient["x"].T
        state = {old.attributes: new for (old, _), new in zip(self.commits, committed, strict=True)}
        return Outcome(value.T, gradient, state)

    def _evaluated(self, outputs: list[Value], arrays: Mapping[str, Array], dtype: type) -> list[Array]:
        rows = len(arrays["x"])
        bound = bind(plan(outputs, expansions=NUMPY.expansions), dtype, {BATCH: rows}, check=True)
        given = {"inverse_rows": np.array(1 / rows), "weights": np.ones((rows, 1)), **arrays}
        for name, array in {**bound.inputs, **bound.states}.items():
            array[...] = given[name].T if name in ("x", "weights") or name.startswith("noise") else given[name]
        with np.errstate(all="ignore"):
            bound.run()
        return [output.copy() for output in bound.outputs]
