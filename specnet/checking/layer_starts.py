"""How a network stands before its first step: what its layers give, which units are dead, how large gradients are."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from specnet.checking.layer_gradients import types_of
from specnet.checking.point import Point
from specnet.compiler import Value, gradients, sum_over
from specnet.parts.arrays import Array

SATURATED_BELOW = 1e-3
"""The absolute slope of an activation under which a unit hardly learns."""


@dataclass(frozen=True)
class LayerStart:
    """A layer before the first step.

    Attributes
    ----------
    key : str
    layer : str
        Its type, and its activation's.
    units : int
        Its outputs.
    mean, deviation : float
        Of all of its outputs, over units and rows.
    dead : int or None
        Units whose activation has the slope 0 in every row, as a rectifier that never fires; None where there is no
        activation that works unit by unit.
    saturated : int or None
        Other units whose activation's slope is below 0.001 in every row.
    gradient : float or None
        The root mean square of the gradient by its parameters; None where it has none.
    """

    key: str
    layer: str
    units: int
    mean: float
    deviation: float
    dead: int | None
    saturated: int | None
    gradient: float | None

    def as_dict(self) -> dict[str, Any]:
        """Return the figures as plain data."""
        return asdict(self)


def layer_starts(point: Point, gradient: Array) -> list[LayerStart]:
    """Return how each layer stands, from the network's gradient in theta's layout."""
    network, forward = point.network, point.training
    slopes: dict[int, Value] = {}
    for number, (node, layer) in enumerate(zip(network.nodes, forward.layers, strict=True)):
        activation = node.layer.split_activation()[1]
        if activation is not None and activation.elementwise:
            slopes[number] = gradients(sum_over(layer.output, "all"), [layer.raw])[layer.raw]
    found = dict(zip(slopes, point.evaluate(list(slopes.values())), strict=True))
    starts = []
    for number, (node, output) in enumerate(zip(network.nodes, point.outputs, strict=True)):
        dead = saturated = None
        if number in found:
            steepest = np.abs(found[number]).max(axis=1)
            dead, saturated = int((steepest == 0).sum()), int(((steepest > 0) & (steepest < SATURATED_BELOW)).sum())
        own = [placed.view(gradient).reshape(-1) for placed in network.layout.of_node(number)]
        size = float(np.sqrt(np.mean(np.concatenate(own) ** 2))) if own else None
        mean, deviation = float(output.mean()), float(output.std())
        starts.append(LayerStart(node.key, types_of(node.layer), node.size, mean, deviation, dead, saturated, size))
    return starts
