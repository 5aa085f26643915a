"""Comparison of a network's gradient with central differences, by tensor and, if one is wrong, by layer.

`check_spec` also returns statistics of the layers before training: outputs, dead units, and the size of gradients.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import count
from typing import Any

import numpy as np

from specnet.checking.derivatives import CentralDifferences, Function, GradientComparison, noise_of
from specnet.checking.point import Point, point_of
from specnet.compiler import Value, gradients, input_value, sum_over
from specnet.errors import TrainingError
from specnet.network import Network
from specnet.network.layout import PlacedBlock
from specnet.network.programs import INPUTS, Forward, LayerRequests, LayerScope
from specnet.parts import Layer
from specnet.parts.arrays import Array
from specnet.spec import Spec

INPUT, LOSS = "input", "loss"
MAX_IN_ALL = 20_000
MAX_EACH, MIN_EACH, MAX_OF_LAYER = 200, 20, 50
"""Numbers of coordinates that are compared: maximum and minimum of a network's tensor, and maximum of an array that a
layer reads."""
SATURATED_BELOW = 1e-3
"""The absolute slope of an activation below which a unit hardly learns."""


class Comparisons:
    """The base class of results with several comparisons, and their common verdict."""

    comparisons: tuple[GradientComparison, ...]

    @property
    def wrong(self) -> list[GradientComparison]:
        """Comparisons whose error exceeds the tolerance."""
        return [comparison for comparison in self.comparisons if not comparison.agrees]

    @property
    def agrees(self) -> bool:
        """Whether all compared derivatives are right."""
        return not self.wrong

    @property
    def worst(self) -> GradientComparison:
        """The comparison with the largest error relative to the derivative; a wrong one if there is any."""
        return max(self.wrong or self.comparisons, key=lambda comparison: comparison.share)


@dataclass(frozen=True)
class LayerStart:
    """Statistics of a layer before the first step.

    Attributes
    ----------
    key : str
        Name of the layer.
    layer : str
        Type of the layer, and of its activation.
    units : int
        Number of its outputs.
    mean, deviation : float
        Mean and standard deviation of its outputs over all units and rows.
    dead : int or None
        Number of units whose activation has the slope 0 in every row, such as a rectifier that is never active; None
        without an elementwise activation.
    saturated : int or None
        Number of other units whose activation has a slope below 0.001 in every row.
    gradient : float or None
        Root mean square of the gradient with respect to its parameters; None without parameters.
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
        """Return the statistics as plain data."""
        return asdict(self)


@dataclass(frozen=True)
class LayerComparison(Comparisons):
    """The derivatives of one layer with respect to its inputs and parameters, compared with central differences.

    Attributes
    ----------
    key : str
        Name of the layer, which its parameters begin with; ``loss`` for the loss after the last layer.
    described : str
        Type of the layer, and of its activation.
    comparisons : tuple of GradientComparison
        One comparison for each input and each block of parameters.
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


@dataclass(frozen=True)
class GradientCheck(Comparisons):
    """The result of checking a network.

    Attributes
    ----------
    network : Network
        The network in float64, for any dtype of the spec.
    source : str
        Description of the rows.
    rows : int
        Number of rows.
    loss : float
        Loss of these rows in training mode.
    limit : int
        Maximum number of coordinates of a tensor that were compared.
    comparisons : tuple of GradientComparison
        One for each tensor of parameters in training mode, then one for the network's input in evaluation mode.
    start : tuple of LayerStart
        Statistics of each layer before the first step.
    layers : tuple of LayerComparison
        One for each layer by itself; empty unless a comparison is wrong.
    """

    network: Network
    source: str
    rows: int
    loss: float
    limit: int
    comparisons: tuple[GradientComparison, ...]
    start: tuple[LayerStart, ...]
    layers: tuple[LayerComparison, ...]

    @property
    def wrong_layers(self) -> list[LayerComparison]:
        """The layers whose own derivatives are wrong."""
        return [layer for layer in self.layers if not layer.agrees]

    def as_dict(self) -> dict[str, Any]:
        """Return the result as plain data."""
        return {
            "name": self.network.spec.name,
            "rows": self.rows,
            "source": self.source,
            "loss": self.loss,
            "agrees": self.agrees,
            "coordinates_each": self.limit,
            "start": [layer.as_dict() for layer in self.start],
            "comparisons": [comparison.as_dict() for comparison in self.comparisons],
            "layers": [layer.as_dict() for layer in self.layers],
        }


def check_spec(spec: Spec, progress: Callable[[int, int], None] = lambda done, total: None) -> GradientCheck:
    """Compare the gradient of a parsed spec's network with central differences, at its initial parameters.

    Everything is computed in float64. Coordinates that are moved across a kink are left out and counted; at a kink a
    switch of the program changes. Of a large tensor only some coordinates are compared, drawn with the spec's seed:
    200, or fewer (at least 20) if the comparisons of all tensors would exceed 20 000.

    Parameters
    ----------
    spec : Spec
        The parsed spec.
    progress : callable
        Called with the number of coordinates compared so far, and the number of all.

    Raises
    ------
    SpecError, DataError, FileError
        If the spec or its data is invalid.
    TrainingError
        If the loss is not finite.
    """
    point = point_of(spec)
    network, theta, X, y, weight = point.network, point.theta, point.X, point.y, point.weight
    state = {name: array.copy() for name, array in point.state.items()}
    loss, gradient = network.loss_and_gradient(theta, X, y, weight, state, training=True, step=0)
    if not np.isfinite(loss):
        raise TrainingError(f"the loss is {loss} before the first step; there is no gradient to check")
    tensors = network.layout.views(np.arange(theta.size))
    limit = max(MIN_EACH, min(MAX_EACH, MAX_IN_ALL // (len(tensors) + 1)))
    total, done = sum(min(size, limit) for size in (*(each.size for each in tensors.values()), X.size)), count(1)
    generator = np.random.default_rng(network.spec.seed)

    def differences_of(forward: Forward) -> CentralDifferences:
        return CentralDifferences(
            point.loss(point.network.blueprint.trained_outputs(forward), forward.blocks),
            point.numbers,
            len(point),
            limit=limit,
            generator=generator,
            shared=point.states,
            after_each=lambda: progress(next(done), total),
        )

    differences = differences_of(point.training)
    comparisons = [differences.compare(name, theta, gradient, indices) for name, indices in tensors.items()]
    by_input, differences = network.input_gradient(theta, X, y, weight, point.state).T, differences_of(point.evaluation)
    # In programs the first axis is the features; users see rows first.
    indices = np.arange(X.size).reshape(X.T.shape).T
    comparisons.append(differences.compare(INPUT, differences.arrays[INPUTS], by_input, indices))
    agrees = all(comparison.agrees for comparison in comparisons)
    starts, layers = tuple(_layer_starts(point, gradient)), () if agrees else tuple(_compared_layers(point))
    return GradientCheck(network, point.source, len(X), loss, limit, tuple(comparisons), starts, layers)


def _layer_starts(point: Point, gradient: Array) -> Iterator[LayerStart]:
    """Yield the statistics of each layer, given the network's gradient in theta's layout."""
    network, forward = point.network, point.training
    slopes: dict[int, Value] = {}
    for number, (node, layer) in enumerate(zip(network.nodes, forward.layers, strict=True)):
        activation = node.layer.split_activation()[1]
        if activation is not None and activation.elementwise:
            slopes[number] = gradients(sum_over(layer.output, "all"), [layer.raw])[layer.raw]
    found = dict(zip(slopes, point.evaluate(list(slopes.values())), strict=True))
    for number, (node, output) in enumerate(zip(network.nodes, point.outputs, strict=True)):
        dead = saturated = None
        if number in found:
            steepest = np.abs(found[number]).max(axis=1)
            dead, saturated = int((steepest == 0).sum()), int(((steepest > 0) & (steepest < SATURATED_BELOW)).sum())
        own = [placed.view(gradient).reshape(-1) for placed in network.layout.of_node(number)]
        size = float(np.sqrt(np.mean(np.concatenate(own) ** 2))) if own else None
        mean, deviation = float(output.mean()), float(output.std())
        yield LayerStart(node.key, types_of(node.layer), node.size, mean, deviation, dead, saturated, size)


def types_of(layer: Layer) -> str:
    """Return the type of a layer, and of its activation if it has one."""
    _, activation = layer.split_activation()
    return layer.type if activation is None else f"{layer.type}, {activation.type}"


def _compared_layers(point: Point) -> Iterator[LayerComparison]:
    """Compare the derivatives of each layer in training mode, and of the loss, with central differences.

    Each layer is applied by itself to the numbers that it reads in the network. The sum of its outputs, each times a
    random number, is differentiated.
    """
    blueprint, forward = point.network.blueprint, point.training
    values = dict(zip((layer.output for layer in forward.layers), point.outputs, strict=True))
    values[forward.x] = point.X.T
    seen = blueprint.seen_by_loss(forward)
    fused = seen is forward.layers[-1].raw
    for number, node in enumerate(blueprint.nodes):
        inputs, blocks = forward.layers[number].inputs, forward.layers[number].blocks
        layer = node.layer.split_activation()[0] if fused and number == len(blueprint.nodes) - 1 else node.layer
        if layer is None:
            continue
        blocks = blocks[: len(layer.parameters(node.input_sizes))]
        distinct = list(dict.fromkeys(inputs))
        names = [f"input {index}" for index in range(1, len(distinct) + 1)] if len(distinct) > 1 else ["input"]
        leaves = {value: input_value(name, value.shape) for name, value in zip(names, distinct, strict=True)}
        output = layer.apply(
            LayerScope(LayerRequests(training=True), node), [leaves[value] for value in inputs], blocks
        )
        reads = {leaf: values[value] for value, leaf in leaves.items()}
        compared = _compared(point, output, reads, blocks, blueprint.layout.of_node(number))
        yield LayerComparison(node.key, types_of(node.layer), compared)
    outputs = blueprint.trained_outputs(forward)
    names = ["output"] if len(outputs) == 1 else [f"output {number}" for number in range(1, len(outputs) + 1)]
    read = [input_value(name, output.shape) for name, output in zip(names, outputs, strict=True)]
    reads = dict(zip(read, point.evaluate(list(outputs)), strict=True))
    compared = _compared(point, point.loss(read, forward.blocks), reads, forward.blocks, blueprint.layout.blocks)
    yield LayerComparison(LOSS, blueprint.loss.type, compared)


def _compared(
    point: Point, value: Value, reads: Mapping[Value, Array], blocks: Sequence[Value], placed: Sequence[PlacedBlock]
) -> tuple[GradientComparison, ...]:
    """Compare the derivatives of a value with respect to leaves with given numbers, and to blocks of parameters."""
    generator = np.random.default_rng(point.network.spec.seed)
    inputs = {str(leaf.attributes): array for leaf, array in reads.items()}
    weights = generator.standard_normal([len(point) if isinstance(axis, str) else axis for axis in value.shape])
    numbers = {**point.numbers, **noise_of(value, len(point), generator), **inputs}
    variables = {str(leaf.attributes): leaf for leaf in reads} | {
        each.name: block for block, each in zip(blocks, placed, strict=False)
    }
    return tuple(Function(value, numbers, variables).central_differences(np.asarray(weights), MAX_OF_LAYER, generator))
