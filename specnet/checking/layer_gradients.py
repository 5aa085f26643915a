"""Each layer by itself: which one has a wrong derivative, when the network's gradient is wrong."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from specnet.checking.central_differences import Comparisons, Coordinates, GradientComparison, Measured, compare
from specnet.checking.point import Point
from specnet.compiler import Value, gradients, input_value, sum_over
from specnet.network.layout import PlacedBlock
from specnet.network.programs import NOISE, AppliedLayer, Forward, LayerRequests, LayerScope
from specnet.parts import Layer
from specnet.parts.arrays import Array

COORDINATES = 50
"""Of each array that a layer reads, so many coordinates are checked."""
WEIGHTS = "checking.weights"
LOSS = "loss"


@dataclass(frozen=True)
class LayerComparison(Comparisons):
    """The derivatives of one layer by all that it reads, compared with central differences.

    Attributes
    ----------
    key : str
        As the layer's parameters are named; ``loss`` for what follows the last layer.
    described : str
        What the layer is.
    comparisons : tuple of GradientComparison
        By the layer's inputs and its parameters.
    """

    key: str
    described: str
    comparisons: tuple[GradientComparison, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the comparisons as plain data."""
        return {
            "key": self.key,
            "layer": self.described,
            "agrees": self.agrees,
            "derivatives": [comparison.as_dict() for comparison in self.comparisons],
        }


def compare_layers(point: Point) -> Iterator[LayerComparison]:
    """Compare each layer's own derivatives, while training, and the loss's with central differences.

    A layer is placed by itself, on leaves that hold what it reads in the network, and measured by the sum of its
    outputs, each times a random number.
    """
    blueprint, forward = point.network.blueprint, point.training
    values = dict(zip((layer.output for layer in forward.layers), point.outputs, strict=True))
    values[forward.x] = point.X.T
    fused = blueprint.seen_by_loss(forward) is forward.layers[-1].raw
    for number, node in enumerate(blueprint.nodes):
        inputs, blocks = forward.layers[number].inputs, forward.layers[number].blocks
        layer = node.layer.split_activation()[0] if fused and number == len(blueprint.nodes) - 1 else node.layer
        if layer is None:
            continue
        blocks = blocks[: len(layer.parameters(node.input_sizes))]
        distinct = list(dict.fromkeys(inputs))
        names = [f"input {index}" for index in range(1, len(distinct) + 1)] if len(distinct) > 1 else ["input"]
        leaves = {value: input_value(name, value.shape) for name, value in zip(names, distinct, strict=True)}
        scope = LayerScope(LayerRequests(training=True), node)
        output = layer.apply(scope, [leaves[value] for value in inputs], blocks)
        measured = sum_over(output * input_value(WEIGHTS, output.shape), "all")
        reads = {leaf: values[value] for value, leaf in leaves.items()}
        compared = _compared(point, measured, reads, blocks, blueprint.layout.of_node(number))
        yield LayerComparison(node.key, types_of(node.layer), compared)
    seen = blueprint.seen_by_loss(forward)
    leaf = input_value("output", seen.shape)
    alone = Forward(forward.x, (AppliedLayer((), leaf, leaf, forward.blocks),), [])
    reads = {leaf: point.evaluate([seen])[0]}
    compared = _compared(point, point.loss(alone), reads, forward.blocks, blueprint.layout.blocks)
    yield LayerComparison(LOSS, blueprint.loss.type, compared)


def types_of(layer: Layer) -> str:
    """Return a layer's type, and its activation's."""
    _, activation = layer.split_activation()
    return layer.type if activation is None else f"{layer.type}, {activation.type}"


def _compared(
    point: Point, number: Value, reads: Mapping[Value, Array], blocks: Sequence[Value], placed: Sequence[PlacedBlock]
) -> tuple[GradientComparison, ...]:
    generator = np.random.default_rng(point.network.spec.seed)
    arrays = point.states()
    measured = Measured(number, len(point), arrays)
    others = {str(leaf.attributes): array for leaf, array in reads.items()}
    for name, array in measured.inputs.items():
        if name not in others and name not in point.inputs:
            draw = generator.random if name.startswith(NOISE) else generator.standard_normal
            others[name] = draw(array.shape)
    point.fill(measured.inputs, others)
    by_value = gradients(number, [*reads, *blocks])
    found = point.evaluate(list(by_value.values()), others)
    moved: dict[Value, tuple[str, Array | None]] = {}
    moved |= {leaf: (str(leaf.attributes), measured.inputs.get(str(leaf.attributes))) for leaf in reads}
    moved |= {block: (place.name, arrays[f"theta.{place.name}"]) for block, place in zip(blocks, placed, strict=False)}
    comparisons = []
    for value, gradient in zip(by_value, found, strict=True):
        name, read = moved[value]
        if read is not None:
            coordinates = Coordinates.of(name, np.arange(read.size).reshape(read.shape), COORDINATES, generator)
            comparisons.append(compare(measured, read.reshape(-1), gradient.reshape(-1), coordinates))
    return tuple(comparisons)
