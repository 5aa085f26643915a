"""Slopes of a network's units: how much the output of each changes with its input, by the compiler's derivatives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from specnet.compiler import BATCH, NUMPY, Bound, Value, gradients, input_value, plan, state_value, sum_over
from specnet.compiler.reverse import postorder
from specnet.network.blueprint import Forward
from specnet.network.layout import PlacedBlock
from specnet.network.network import Network
from specnet.parts.activations import Activation
from specnet.parts.arrays import Array

LINE = np.sinh(np.linspace(-1, 1, 1001) * np.arcsinh(1000.0))
"""Points within ±1000, dense around 0, among which the largest slope of an activation is looked for."""
GROWTH = 1.01
"""By which factor slopes towards the ends of the line exceed all others, if an activation has no largest slope."""


class UnitSlopes(NamedTuple):
    """The slopes of a layer's units, as absolute values.

    Attributes
    ----------
    at_rows : (rows, units)
    largest : (units,) or None
        The largest ones for any input. None if slopes grow without limit, as those of exponential, or an output depends
        on several inputs, as those of softmax.
    """

    at_rows: Array
    largest: Array | None


class ActivationSlopes:
    """The slopes of an activation of so many units.

    Where an output depends on several inputs, the slope of an input is the change of a fixed combination of all
    outputs: 0 if none of them changes.
    """

    def __init__(self, activation: Activation, units: int, dtype: np.dtype[Any]) -> None:
        blocks = activation.parameters(units)
        # If all units are alike, they are as many rows of one.
        self._alike, self._elementwise = activation.elementwise and not blocks, activation.elementwise
        self._dtype, self._units = dtype, units
        self._names = [f"block {number}" for number in range(len(blocks))]
        x = input_value("x", (1 if self._alike else units, BATCH))
        learned = [state_value(name, block.shape) for name, block in zip(self._names, blocks, strict=True)]
        y = activation.apply(x, learned)
        if not activation.elementwise:
            y = y * input_value("combination", (int(y.shape[0]), 1))
        self._plan = plan([gradients(sum_over(y, "all"), [x])[x]], expansions=NUMPY.expansions)
        self._bound: dict[int, Bound] = {}
        self._one = self._largest([]) if self._alike else None

    def at(self, x: Array, blocks: Sequence[Array]) -> Array:
        """Return absolute slopes (units, rows) at values x (units, rows), given the activation's parameters."""
        given = x.reshape(1, -1) if self._alike else x
        bound = self._bound.get(given.shape[1])
        if bound is None:
            bound = self._bound[given.shape[1]] = NUMPY.bind(self._plan, self._dtype, {BATCH: given.shape[1]})
            if "combination" in bound.inputs:
                numbers = np.random.default_rng(0).uniform(0.5, 1.5, bound.inputs["combination"].shape)
                bound.inputs["combination"][...] = numbers
        for name, block in zip(self._names, blocks, strict=True):
            if name in bound.states:
                bound.states[name][...] = block
        if "x" in bound.inputs:
            bound.inputs["x"][...] = given
        with np.errstate(all="ignore"):
            bound.run()
        slopes: Array = np.abs(bound.outputs[0])
        return slopes.reshape(x.shape)

    def largest(self, blocks: Sequence[Array]) -> Array | None:
        """Return the largest of each unit, (units,), or None as `UnitSlopes` does."""
        if self._alike:
            return None if self._one is None else np.broadcast_to(self._one, self._units)
        return self._largest(blocks) if self._elementwise else None

    def _largest(self, blocks: Sequence[Array]) -> Array | None:
        line = np.tile(LINE.astype(self._dtype), (1 if self._alike else self._units, 1))
        slopes = self.at(line, blocks)
        largest, inner = slopes.max(axis=1), slopes[:, np.abs(LINE) <= LINE[-1] / 2].max(axis=1)
        has_one = np.isfinite(largest).all() and (largest <= GROWTH * inner).all()
        return largest if has_one else None


@dataclass(frozen=True)
class _Activated:
    """The layer whose activation the units of a layer pass through."""

    key: str
    slopes: ActivationSlopes
    blocks: Sequence[PlacedBlock]


class NetworkSlopes:
    """The slopes of the units of all layers that have trainable weights.

    The activation of a layer's units is its own, or that of a layer that follows: dense, batch normalization and
    activation may be three layers. The activation of the last layer is none if the loss includes it.

    Parameters
    ----------
    network : Network
    """

    def __init__(self, network: Network) -> None:
        self._network, self._blueprint = network, network.blueprint
        self._layers: dict[str, _Activated | None] = {}
        made: list[tuple[Activation, int, ActivationSlopes]] = []
        weights = network.layout.weights()
        for number, node in enumerate(network.nodes):
            if node.key not in weights:
                continue
            self._layers[node.key] = None
            found = self._activated(number)
            if found is not None:
                place, activation = found
                layer, sizes = network.nodes[place].layer.split_activation()[0], network.nodes[place].input_sizes
                units = sum(sizes) if layer is None else layer.output_size(sizes)
                slopes = next((slopes for *known, slopes in made if known == [activation, units]), None)
                if slopes is None:
                    slopes = ActivationSlopes(activation, units, network.dtype)
                    made.append((activation, units, slopes))
                learned = network.layout.of_node(place)
                own = learned[len(learned) - len(activation.parameters(units)) :]
                self._layers[node.key] = _Activated(network.nodes[place].key, slopes, own)

    def __call__(self, theta: Array, X: ArrayLike, state: Mapping[str, Array]) -> dict[str, UnitSlopes | None]:
        """Return the slopes for preprocessed rows (rows, inputs), by the name of the layer; None for no activation."""
        outputs = self._network.layer_outputs(theta, X, state)
        found: dict[str, UnitSlopes | None] = {}
        for key, activated in self._layers.items():
            if activated is None:
                found[key] = None
                continue
            blocks = [placed.view(theta) for placed in activated.blocks]
            at_rows = activated.slopes.at(outputs[activated.key].raw.T, blocks).T
            found[key] = UnitSlopes(at_rows, activated.slopes.largest(blocks))
        return found

    def _activated(self, number: int) -> tuple[int, Activation] | None:
        """Return the layer whose activation the units of a layer pass through, each by itself, and that activation."""
        nodes = self._network.nodes
        while number < len(nodes) - 1 or self._blueprint.loss.accepted_activations is None:
            activation = nodes[number].layer.split_activation()[1]
            if activation is not None and not activation.is_identity:
                return number, activation
            readers = [reader for reader, node in enumerate(nodes) if number in node.inputs]
            if len(readers) != 1:
                return None
            layers = self._forward.layers
            if not _keeps_units(layers[number].output, layers[readers[0]].raw):
                return None
            (number,) = readers
        return None

    @cached_property
    def _forward(self) -> Forward:
        return self._blueprint.forward(training=False)


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
