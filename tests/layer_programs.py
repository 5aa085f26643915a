"""A layer by itself as a program: its value, the derivatives of a weighted sum of it, and what it commits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np

from specnet.compiler import BATCH, NUMPY, Value, gradients, input_value, operations, plan, state_value, sum_over
from specnet.compiler.numpy import bind
from specnet.network.programs import NOISE, LayerRequests, LayerScope
from specnet.parts.layers import Layer

Array = np.ndarray[Any, Any]


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
        requests, node = LayerRequests(training), SimpleNamespace(layer=layer, input_sizes=(features,), key="layer")
        x = input_value("x", (features, BATCH))
        parameters = [state_value(block.tensors[0].name, block.shape) for block in self.blocks]
        self.value = layer.apply(LayerScope(requests, node), [x], parameters)
        if unaided and self.value.operation is operations.CUSTOM:
            self.value = self.value.arguments[0]
        self.loss = sum_over(self.value * input_value("weights", self.value.shape), "all")
        self.wanted = {"x": x, **{value.attributes: value for value in parameters}}
        self.commits = requests.commits

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
        state = {_own(old.attributes): new for (old, _), new in zip(self.commits, committed, strict=True)}
        return Outcome(value.T, gradient, state)

    def _evaluated(self, outputs: list[Value], arrays: Mapping[str, Array], dtype: type) -> list[Array]:
        rows = len(arrays["x"])
        bound = bind(plan(outputs, expansions=NUMPY.expansions), dtype, {BATCH: rows}, check=True)
        given = {"inverse_rows": np.array(1 / rows), "weights": np.ones((rows, 1)), **arrays}
        for name, array in {**bound.inputs, **bound.states}.items():
            is_noise = name.startswith(NOISE)
            numbers = given[f"noise{_own(name)}" if is_noise else _own(name)]
            array[...] = numbers.T if name in ("x", "weights") or is_noise else numbers
        with np.errstate(all="ignore"):
            bound.run()
        return [output.copy() for output in bound.outputs]


def _own(name: str) -> str:
    """A layer's own name of a state, and the number of noise."""
    return name.rpartition(".")[2]
