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


class LayerCase:
    """A layer by itself, on inputs of given sizes.

    Attributes
    ----------
    reads : dict of str to array
        What its inputs, parameters and states hold, by the names of its leaves.
    named : dict of str to array
        Its parameters and states as a user sees them.
    """

    def __init__(self, subject: str, layer: Layer, inputs: Sequence[Array], generator: np.random.Generator) -> None:
        self.subject, self.layer = subject, layer
        self.sizes = tuple(array.shape[1] for array in inputs)
        self.node = Node(layer, KEY, (), tuple(range(len(inputs))), self.sizes, layer.output_size(self.sizes))
        self.inputs = {f"input {number}": array.T for number, array in enumerate(inputs, 1)}
        self.blocks: dict[str, Value] = {}
        self.reads: dict[str, Array] = dict(self.inputs)
        self.named: dict[str, Array] = {}
        for number, block in enumerate(layer.parameters(self.sizes)):
            name = f"block {number}"
            self.blocks[name], self.reads[name] = state_value(name, block.shape), np.zeros(block.shape)
            numbers = np.arange(block.size).reshape(block.shape)
            covered = [tensor.view(numbers).reshape(-1) for tensor in block.tensors]
            if not np.array_equal(np.sort(np.concatenate(covered)), np.arange(block.size)):
                fail(subject, f"the tensors must cover their block of shape {block.shape} exactly once")
            for tensor in block.tensors:
                drawn = tensor.initializer.draw(generator, tensor.shape, tensor.place)
                view = self.named[tensor.name] = tensor.view(self.reads[name])
                # What starts at 0 or 1 would hide faults.
                view[...] = drawn + generator.normal(0, 0.2, tensor.shape)
        for state in layer.states(self.sizes):
            kept = np.broadcast_to(np.asarray(state.start, np.float64), state.user_shape).copy()
            self.named[state.name] = kept
            self.reads[f"state.{KEY}.{state.name}"] = kept.reshape(state.shape)

    def function(self, *, training: bool) -> Function:
        """Return the layer's output as a function of its inputs and parameters, with noise of its own."""
        leaves = {name: input_value(name, (array.shape[0], BATCH)) for name, array in self.inputs.items()}
        recorder = LayerRequests(training)
        value = self.layer.apply(LayerScope(recorder, self.node), list(leaves.values()), list(self.blocks.values()))
        if not isinstance(value, Value) or value.shape != (self.node.size, BATCH):
            fail(self.subject, f"expected a value of shape {(self.node.size, BATCH)} from output_size, got {value!r}")
        rows = next(iter(self.inputs.values())).shape[1]
        noise = {name: _drawn(name, shape, rows) for name, shape in _noise_of(value).items()}
        reads = {**self.reads, **noise, INVERSE_ROWS: np.array(1 / rows)}
        return Function(self.subject, value, reads, {**leaves, **self.blocks})


def _noise_of(value: Value) -> dict[str, tuple[int | str, ...]]:
    """Return the names and shapes of the noise on which a value depends."""
    found = postorder([value], lambda value: value.arguments)
    return {
        leaf.attributes: leaf.shape
        for leaf in found
        if isinstance(leaf.attributes, str) and leaf.attributes.startswith(NOISE) and not leaf.arguments
    }


def _drawn(name: str, shape: tuple[int | str, ...], rows: int) -> Array:
    generator = np.random.default_rng(1)
    sizes = [rows if isinstance(axis, str) else axis for axis in shape]
    return generator.random(sizes) if name.startswith("uniform") else generator.standard_normal(sizes)


def check_values_and_gradients(
    subject: str, layer: Layer, forward: Reference | None, settings: Mapping[str, Any], given: Sequence[ArrayLike]
) -> None:
    """Check a layer on these inputs, (rows, features) each."""
    generator = np.random.default_rng(0)
    inputs = [np.asarray(array, np.float64) for array in given]
    case = LayerCase(subject, _resolved(layer, inputs[0].shape[1]), inputs, generator)
    # Where a layer stands, which all layers can be told, does not change what it computes.
    fields = {name: value for name, value in settings.items() if name not in Layer.model_fields}
    expected = None if forward is None else told(forward, *inputs, parameters=case.named, **fields).T
    check_at(case.function(training=False), expected, generator, 1e-11)
    check_at(case.function(training=True), None, generator, 1e-11)


def _resolved(layer: Layer, inputs: int) -> Layer:
    """Return a layer with the defaults that its place in a network gives it."""
    if layer.input_count != "one":
        return layer
    spec = {"network": {"input_size": inputs, "layers": [Part.dump(layer)]}, "training": {"loss": "mse"}}
    return build(spec, parts=unregistered(type(layer))).nodes[0].layer
