"""Slopes of a network's units: how much the output of each changes with its input, by the compiler's derivatives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from specnet.compiler import (
    BATCH,
    NUMPY,
    Bound,
    Value,
    gradients,
    input_value,
    plan,
    state_value,
    stop_gradient,
    sum_over,
)
from specnet.compiler.reverse import postorder
from specnet.network.blueprint import INPUTS, INVERSE_ROWS
from specnet.network.layout import PlacedBlock
from specnet.network.network import Network
from specnet.parts.activations import Activation
from specnet.parts.arrays import Array

LINE = np.sinh(np.linspace(-1, 1, 101) * np.arcsinh(1000.0))
"""Points within ±1000, dense around 0, among which the largest slope of an activation is looked for."""
INNER = slice(*np.searchsorted(LINE, (-LINE[-1] / 2, LINE[-1] / 2)))
"""The points within ±500."""
GROWTH = 1.01
"""By which factor slopes towards the ends of the line exceed all others, if an activation has no largest slope."""
COMBINATION = "combination."
"""Prefix of the inputs that weigh outputs which depend on several inputs."""


class UnitSlopes(NamedTuple):
    """The slopes of a layer's units, as absolute values.

    Attributes
    ----------
    at_rows : (rows, units)
        Where outputs depend on several inputs, as those of softmax, the slope of an input is the change of a fixed
        combination of all outputs: 0 if none of them changes.
    largest : (units,) or None
        The largest ones for any input. None if slopes grow without limit, as those of exponential, or outputs depend on
        several inputs.
    """

    at_rows: Array
    largest: Array | None


@dataclass(frozen=True)
class _Activated:
    """An activation, and the layer that it ends, by number."""

    activation: Activation
    number: int
    units: int
    blocks: Sequence[PlacedBlock]


class NetworkSlopes:
    """The slopes of the units of all layers that have trainable weights, in evaluation mode.

    The activation of a layer's units is its own, or that of a layer that follows: dense, batch normalization and
    activation may be three layers. The activation of the last layer is none if the loss includes it.

    Parameters
    ----------
    network : Network
        Run by NumPy.
    theta : (parameter_count,)
        Read at each call, as `state` is.
    state : mapping
        Layer states by name.
    """

    def __init__(self, network: Network, theta: Array, state: Mapping[str, Array]) -> None:
        self._network, self._theta = network, theta
        self._forward = network.blueprint.forward(training=False)
        weights = network.layout.weights()
        layers = [number for number, node in enumerate(network.nodes) if node.key in weights]
        self._of_layer = {network.nodes[number].key: self._activated(number) for number in layers}
        self._made: list[_Line] = []
        self._activations = {found.number: found for found in self._of_layer.values() if found is not None}
        self._lines = {n: self._line(found) for n, found in self._activations.items() if found.activation.elementwise}
        layout = network.layout
        self._arrays = layout.arrays(theta, "theta") | layout.state_arrays(state)
        self._bound: dict[int, Bound] = {}

    def __call__(self, X: ArrayLike) -> dict[str, UnitSlopes | None]:
        """Return the slopes for preprocessed rows (rows, inputs), by the name of the layer; None for no activation."""
        X = self._network.check_inputs(X)
        bound = self._bound.get(len(X))
        if bound is None:
            bound = self._bound[len(X)] = self._bind(len(X))
        if INPUTS in bound.inputs:
            bound.inputs[INPUTS][...] = X.T
        with np.errstate(all="ignore"):
            bound.run()
        slopes = {}
        for found, output in zip(self._activations.values(), bound.outputs, strict=True):
            line, largest = self._lines.get(found.number), None
            if line is not None:
                largest = line.largest([placed.view(self._theta) for placed in found.blocks])
            every = None if largest is None else np.broadcast_to(largest, found.units)
            slopes[found.number] = UnitSlopes(np.abs(output).T, every)
        return {key: None if found is None else slopes[found.number] for key, found in self._of_layer.items()}

    def _bind(self, rows: int) -> Bound:
        slopes = []
        for number in self._activations:
            layer, activation = self._forward.layers[number], self._activations[number].activation
            learned = layer.blocks[len(layer.blocks) - len(self._activations[number].blocks) :]
            slopes.append(_slope(activation, stop_gradient(layer.raw), learned, f"{COMBINATION}{number}"))
        program = plan(slopes, expansions=NUMPY.expansions)
        bound = NUMPY.bind(program, self._network.dtype, {BATCH: rows}, self._arrays)
        for name, array in bound.inputs.items():
            if name == INVERSE_ROWS:
                array[...] = 1 / rows
            if name.startswith(COMBINATION):
                array[...] = np.random.default_rng(0).uniform(0.5, 1.5, array.shape)
        return bound

    def _line(self, found: _Activated) -> _Line:
        line = next((line for line in self._made if line.is_of(found.activation, found.units)), None)
        if line is None:
            line = _Line(found.activation, found.units, self._network.dtype)
            self._made.append(line)
        return line

    def _activated(self, number: int) -> _Activated | None:
        """Return the activation that the units of a layer pass through, each by itself."""
        nodes, layers = self._network.nodes, self._forward.layers
        while number < len(nodes) - 1 or self._network.blueprint.loss.accepted_activations is None:
            activation = nodes[number].layer.split_activation()[1]
            if activation is not None and not activation.is_identity:
                units, blocks = int(layers[number].raw.shape[0]), self._network.layout.of_node(number)
                own = blocks[len(blocks) - len(activation.parameters(units)) :]
                return _Activated(activation, number, units, own)
            readers = [reader for reader, node in enumerate(nodes) if number in node.inputs]
            if len(readers) != 1 or not _keeps_units(layers[number].output, layers[readers[0]].raw):
                return None
            (number,) = readers
        return None


class _Line:
    """The slopes of an elementwise activation on a line, of so many units; of any number if they are all alike."""

    def __init__(self, activation: Activation, units: int, dtype: np.dtype[np.floating]) -> None:
        self.activation, blocks = activation, activation.parameters(units)
        self.units = units if blocks else 1
        self._names = [f"block {number}" for number in range(len(blocks))]
        x = input_value("x", (self.units, BATCH))
        learned = [state_value(name, block.shape) for name, block in zip(self._names, blocks, strict=True)]
        program = plan([_slope(activation, x, learned, COMBINATION)], expansions=NUMPY.expansions)
        self._bound = NUMPY.bind(program, dtype, {BATCH: len(LINE)})
        if "x" in self._bound.inputs:
            self._bound.inputs["x"][...] = LINE
        self._fixed = None if blocks else self._largest()

    def is_of(self, activation: Activation, units: int) -> bool:
        """Return whether it is that of so many units of an activation."""
        return self.activation == activation and (not self._names or self.units == units)

    def largest(self, blocks: Sequence[Array]) -> Array | None:
        """Return the largest slope of each unit, or of all, given the activation's parameters."""
        if not self._names:
            return self._fixed
        for name, block in zip(self._names, blocks, strict=True):
            if name in self._bound.states:
                self._bound.states[name][...] = block
        return self._largest()

    def _largest(self) -> Array | None:
        with np.errstate(all="ignore"):
            self._bound.run()
        slopes = np.abs(self._bound.outputs[0])
        inner = slopes[:, INNER].max(axis=1)
        largest: Array = slopes.max(axis=1)
        return largest if np.isfinite(largest).all() and (largest <= GROWTH * inner).all() else None


def _slope(activation: Activation, x: Value, learned: Sequence[Value], combination: str) -> Value:
    """Return the derivative of an activation by its input x (units, batch)."""
    y = activation.apply(x, learned)
    if not activation.elementwise:
        y = y * input_value(combination, (int(y.shape[0]), 1))
    return gradients(sum_over(y, "all"), [x])[x]


def _keeps_units(x: Value, y: Value) -> bool:
    """Return whether each feature of y is computed from the same feature of x, and from no other one of x."""
    reached = {x}
    for value in postorder([y], lambda value: () if value is x else value.arguments):
        is_name = value.operation.role == "name"
        operands = value.arguments[:1] if is_name else value.arguments
        if value is not x and not reached.isdisjoint(operands):
            if value.shape != x.shape or not (value.operation.elementwise or is_name):
                return False
            reached.add(value)
    return y in reached
