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
from specnet.network.layout import PlacedBlock
from specnet.network.network import Network
from specnet.network.programs import INPUTS, INVERSE_ROWS
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
    """The slopes of the units of all layers that have an activation, as absolute values.

    Attributes
    ----------
    at_rows : (units, rows)
        Where outputs depend on several inputs, as those of softmax, the slope of an input is the change of a fixed
        combination of all outputs: 0 if none of them changes.
    largest : (units,)
        The largest ones for any input. NaN if slopes grow without limit, as those of exponential, or outputs depend on
        several inputs.
    units : mapping
        Which ones are those of a layer with trainable weights, by its name; None if it has no activation.
    """

    at_rows: Array
    largest: Array
    units: Mapping[str, slice | None]


@dataclass(frozen=True)
class _Activated:
    """An activation, and the layer that it ends, by number; `size` is the number of its units."""

    activation: Activation
    number: int
    size: int
    blocks: Sequence[PlacedBlock]

    def is_alike(self, other: _Activated) -> bool:
        """Return whether both are the same activation, and learn nothing or numbers for each unit."""
        return self.activation == other.activation and all(
            placed.block.shape[0] == found.size for found in (self, other) for placed in found.blocks
        )


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
        groups = _groups([found for found in self._of_layer.values() if found is not None])
        self._activations = {found.number: found for group in groups for found in group}
        self._units: dict[int, slice] = {}
        self._count = 0
        for number, found in self._activations.items():
            self._units[number] = slice(self._count, self._count + found.size)
            self._count += found.size
        self._largest = np.full(self._count, np.nan, network.dtype)
        self._learned: list[tuple[_Line, slice, list[_Activated]]] = []
        for group in groups:
            if group[0].activation.elementwise:
                line = _Line(group, network.dtype)
                units = slice(self._units[group[0].number].start, self._units[group[-1].number].stop)
                if group[0].blocks:
                    self._learned.append((line, units, group))
                else:
                    self._largest[units] = line.largest()
        layout = network.layout
        self._arrays = layout.arrays(theta, "theta") | layout.state_arrays(state)
        self._bound: dict[int, Bound] = {}

    def __call__(self, X: ArrayLike) -> UnitSlopes:
        """Return the slopes for preprocessed rows (rows, inputs)."""
        X = self._network.check_inputs(X)
        bound = self._bound.get(len(X))
        if bound is None:
            bound = self._bound[len(X)] = self._bind(len(X))
        if INPUTS in bound.inputs:
            bound.inputs[INPUTS][...] = X.T
        with np.errstate(all="ignore"):
            bound.run()
        at_rows = np.empty((self._count, len(X)), self._network.dtype)
        for units, output in zip(self._units.values(), bound.outputs, strict=True):
            np.abs(output, out=at_rows[units])
        for line, units, group in self._learned:
            self._largest[units] = line.largest(
                [[placed.view(self._theta) for placed in found.blocks] for found in group]
            )
        of_layer = {key: None if found is None else self._units[found.number] for key, found in self._of_layer.items()}
        return UnitSlopes(at_rows, self._largest.copy(), of_layer)

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


def _groups(activations: Sequence[_Activated]) -> list[list[_Activated]]:
    """Return them in groups that are alike."""
    groups: list[list[_Activated]] = []
    for found in {found.number: found for found in activations}.values():
        group = next((group for group in groups if found.is_alike(group[0])), None)
        if group is None:
            groups.append([found])
        else:
            group.append(found)
    return groups


class _Line:
    """The slopes of an elementwise activation on a line, of the units of all layers that have it."""

    def __init__(self, layers: Sequence[_Activated], dtype: np.dtype[np.floating]) -> None:
        activation, units = layers[0].activation, sum(found.size for found in layers) if layers[0].blocks else 1
        blocks = activation.parameters(units)
        self._names = [f"block {number}" for number in range(len(blocks))]
        x = input_value("x", (units, BATCH))
        learned = [state_value(name, block.shape) for name, block in zip(self._names, blocks, strict=True)]
        program = plan([_slope(activation, x, learned, COMBINATION)], expansions=NUMPY.expansions)
        self._bound = NUMPY.bind(program, dtype, {BATCH: len(LINE)})
        if "x" in self._bound.inputs:
            self._bound.inputs["x"][...] = LINE

    def largest(self, of_layers: Sequence[Sequence[Array]] = ()) -> Array:
        """Return the largest slope of each unit given the activation's parameters in each layer; NaN for none."""
        for name, blocks in zip(self._names, zip(*of_layers, strict=True), strict=True):
            if name in self._bound.states:
                np.concatenate(blocks, out=self._bound.states[name])
        with np.errstate(all="ignore"):
            self._bound.run()
        slopes = np.abs(self._bound.outputs[0])
        largest, inner = slopes.max(axis=1), slopes[:, INNER].max(axis=1)
        with np.errstate(all="ignore"):
            has_largest = np.isfinite(largest) & (largest <= GROWTH * inner)
        found: Array = np.where(has_largest, largest, np.nan)
        return found


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
