"""Checks of layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from specnet.compiler import BATCH, Value, input_value, state_value
from specnet.compiler.reverse import postorder
from specnet.network import build
from specnet.network.programs import INVERSE_ROWS, NOISE, LayerRequests, LayerScope
from specnet.parts import Layer
from specnet.parts.arrays import Array
from specnet.parts.part import Part
from specnet.spec.resolving.graph import Node
from specnet.testing.common import unregistered
from specnet.testing.numbers import Function, Reference, check_at, fail, told

KEY = "layer"


def check_values_and_gradients(
    subject: str, layer: Layer, forward: Reference | None, settings: Mapping[str, Any], given: Sequence[ArrayLike]
) -> None:
    """Check a layer by itself on these inputs, (rows, features) each, with noise of its own while training."""
    generator = np.random.default_rng(0)
    inputs = [np.asarray(array, np.float64) for array in given]
    rows, sizes = len(inputs[0]), tuple(array.shape[1] for array in inputs)
    layer = _resolved(layer, sizes[0])
    node = Node(layer, KEY, (), tuple(range(len(inputs))), sizes, layer.output_size(sizes))
    reads = {f"input {number}": array.T for number, array in enumerate(inputs, 1)}
    leaves = {name: input_value(name, (array.shape[0], BATCH)) for name, array in reads.items()}
    blocks: dict[str, Value] = {}
    named: dict[str, Array] = {}
    for number, block in enumerate(layer.parameters(sizes)):
        name, numbers = f"block {number}", np.arange(block.size).reshape(block.shape)
        covered = [tensor.view(numbers).reshape(-1) for tensor in block.tensors]
        if not np.array_equal(np.sort(np.concatenate(covered)), np.arange(block.size)):
            fail(subject, f"the tensors must cover their block of shape {block.shape} exactly once")
        blocks[name], reads[name] = state_value(name, block.shape), np.zeros(block.shape)
        for tensor in block.tensors:
            drawn = tensor.initializer.draw(generator, tensor.shape, tensor.place)
            view = named[tensor.name] = tensor.view(reads[name])
            view[...] = drawn + generator.normal(0, 0.2, tensor.shape)  # what starts at 0 or 1 would hide faults
    for state in layer.states(sizes):
        kept = named[state.name] = np.broadcast_to(np.asarray(state.start, np.float64), state.user_shape).copy()
        reads[f"state.{KEY}.{state.name}"] = kept.reshape(state.shape)
    reads[INVERSE_ROWS] = np.array(1 / rows)
    # Where a layer stands, which all layers can be told, does not change what it computes.
    fields = {name: value for name, value in settings.items() if name not in Layer.model_fields}
    expected = None if forward is None else told(forward, *inputs, parameters=named, **fields).T
    for training in (False, True):
        value = layer.apply(LayerScope(LayerRequests(training), node), list(leaves.values()), list(blocks.values()))
        if not isinstance(value, Value) or value.shape != (node.size, BATCH):
            fail(subject, f"expected a value of shape {(node.size, BATCH)} from output_size, got {value!r}")
        function = Function(subject, value, {**reads, **_noise(value, rows)}, {**leaves, **blocks})
        check_at(function, None if training else expected, generator, 1e-11)


def _noise(value: Value, rows: int) -> dict[str, Array]:
    """Return the noise on which a value depends, by the names of its leaves."""
    noise = {}
    for leaf in postorder([value], lambda value: value.arguments):
        name = leaf.attributes
        if isinstance(name, str) and name.startswith(NOISE) and not leaf.arguments:
            generator, sizes = (
                np.random.default_rng(1),
                [rows if isinstance(axis, str) else axis for axis in leaf.shape],
            )
            noise[name] = (generator.random if name.startswith("uniform") else generator.standard_normal)(sizes)
    return noise


def _resolved(layer: Layer, inputs: int) -> Layer:
    """Return a layer with the defaults that its place in a network gives it."""
    if layer.input_count != "one":
        return layer
    spec = {"network": {"input_size": inputs, "layers": [Part.dump(layer)]}, "training": {"loss": "mse"}}
    return build(spec, parts=unregistered(type(layer))).nodes[0].layer
