"""From a resolved spec to programs: where each parameter lies, and what is computed from what.

A `Blueprint` knows the network's layers in order and the layout of its flat parameter vector, and writes the network's
programs in the compiler's language: predictions, losses of rows, gradients, and the optimizer's step. It binds nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specnet.compiler import (
    BATCH,
    FLAT,
    NUMPY_EXPANSIONS,
    Plan,
    Value,
    gradients,
    input_value,
    plan,
    state_value,
    sum_over,
)
from specnet.parts.layers import ParameterBlock, Tensor
from specnet.parts.losses import Loss
from specnet.spec import Spec
from specnet.spec.graph import Node, walk

INPUTS = "x"
TARGET = "target"
ROW_WEIGHT = "row_weight"
INVERSE_WEIGHT = "inverse_weight"
"""1 over the sum of the batch's weights, over its number of rows where they have none."""


@dataclass(frozen=True, slots=True)
class PlacedBlock:
    """A block of parameters and where it begins in the flat vector."""

    key: str
    block: ParameterBlock
    start: int

    def view(self, flat: NDArray[Any]) -> NDArray[Any]:
        """Return the block as a view of a flat vector."""
        return flat[self.start : self.start + self.block.size].reshape(self.block.shape)


class Layout:
    """Where each parameter lies in the flat vector.

    Attributes
    ----------
    blocks : tuple of PlacedBlock
        In the order of the layers.
    size : int
        The length of the vector.
    """

    def __init__(self, nodes: tuple[Node, ...], sizes_of_inputs: tuple[tuple[int, ...], ...]) -> None:
        placed, start = [], 0
        self._of_node: list[list[PlacedBlock]] = []
        for node, sizes in zip(nodes, sizes_of_inputs, strict=True):
            self._of_node.append([])
            for block in node.layer.parameters(sizes):
                self._of_node[-1].append(PlacedBlock(node.key, block, start))
                start += block.size
            placed += self._of_node[-1]
        self.blocks = tuple(placed)
        self.size = start

    def of_node(self, number: int) -> list[PlacedBlock]:
        """Return the blocks of a layer, by its number in the walk."""
        return self._of_node[number]

    def tensors(self) -> list[tuple[str, Tensor, PlacedBlock]]:
        """Return what a user sees, by name and in the order of the vector."""
        pairs = [(placed, tensor) for placed in self.blocks for tensor in placed.block.tensors]
        return [(f"{placed.key}.{tensor.name}", tensor, placed) for placed, tensor in pairs]

    def views(self, flat: NDArray[Any]) -> dict[str, NDArray[Any]]:
        """Return the vector's arrays by name, as views: a weight is (outputs, inputs)."""
        return {name: tensor.view(placed.view(flat)) for name, tensor, placed in self.tensors()}

    def arrays(self, flat: NDArray[Any], prefix: str) -> dict[str, NDArray[Any]]:
        """Return the vector's blocks by the names that programs give them."""
        return {_block_name(prefix, placed): placed.view(flat) for placed in self.blocks}

    def decay_factors(self) -> NDArray[np.float64]:
        """Return, in the vector's layout, 1 where weight decay acts and 0 elsewhere."""
        factors = np.zeros(self.size)
        for _, tensor, placed in self.tensors():
            tensor.view(placed.view(factors))[...] = tensor.decays
        return factors


class _Scope:
    """The program in which layers are placed."""

    def __init__(self, training: bool) -> None:
        self.training = training
        self._drawn = 0

    def uniform(self, shape: tuple[int | str, ...]) -> Value:
        self._drawn += 1
        return input_value(f"uniform.{self._drawn}", shape)


@dataclass(frozen=True, slots=True)
class _Forward:
    """The network applied to its input: the output before its last activation and after it, and the blocks read."""

    x: Value
    raw: Value
    output: Value
    parameters: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Update:
    """The optimizer's program, the names of its states (vectors of theta's layout, 0 at first) and of its numbers."""

    program: Plan
    states: tuple[str, ...]
    scalars: tuple[str, ...]


class Blueprint:
    """The programs of a network.

    Parameters
    ----------
    spec : Spec
        Resolved: in the long form, with all sizes.
    """

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        layers, inputs, outputs = spec.network.layers, spec.network.input_size, spec.network.output_size
        assert layers is not None and inputs is not None and outputs is not None, "a resolved spec has all of these"
        self.inputs, self.outputs = inputs, outputs
        self.nodes = tuple(walk(layers, inputs))
        sizes = [node.size for node in self.nodes]
        self.sizes_of_inputs = tuple(
            tuple(self.inputs if number < 0 else sizes[number] for number in node.inputs) for node in self.nodes
        )
        self.layout = Layout(self.nodes, self.sizes_of_inputs)

    @property
    def loss(self) -> Loss:
        """The loss that training makes small."""
        return self.spec.training.loss

    def widest(self) -> int:
        """Return the largest number of features that any layer reads or writes."""
        return max([self.inputs, *(node.size for node in self.nodes)])

    def predict(self) -> Plan:
        """Return the program of the activated output, (outputs, batch)."""
        return _plan([self._forward(training=False).output])

    def row_losses(self, *, evaluation: bool) -> Plan:
        """Return the program of each row's loss, (1, batch), without what only regularises if `evaluation`."""
        loss = self.loss.for_evaluation() if evaluation else self.loss
        return _plan([self._row_losses(self._forward(training=False), loss)])

    def gradient(self, *, training: bool, weighted: bool) -> Plan:
        """Return the program that commits the gradient of each block, with the mean loss as its output."""
        forward = self._forward(training)
        loss = self._mean_loss(forward, weighted)
        found = gradients(loss, forward.parameters)
        names = {
            parameter: _block_name("gradient", placed)
            for parameter, placed in zip(forward.parameters, self.layout.blocks, strict=True)
        }
        commits = [(state_value(names[parameter], parameter.shape), d) for parameter, d in found.items()]
        return _plan([loss], commits)

    def input_gradient(self, *, weighted: bool) -> Plan:
        """Return the program of the mean loss's gradient by the input, (inputs, batch)."""
        forward = self._forward(training=False)
        return _plan([gradients(self._mean_loss(forward, weighted), [forward.x])[forward.x]])

    def update(self) -> Update:
        """Return the optimizer's program over flat vectors, with the step's numbers as inputs."""
        optimizer = self.spec.training.optimizer
        theta, gradient = state_value("theta", (FLAT,)), state_value("gradient", (FLAT,))
        states: dict[str, Value] = {}
        scalars: dict[str, Value] = {}

        def state(name: str) -> Value:
            return states.setdefault(name, state_value(f"optimizer.{name}", (FLAT,)))

        def scalar(name: str) -> Value:
            return scalars.setdefault(name, input_value(name, ()))

        shrunk = theta
        if optimizer.weight_decay:
            shrunk = theta * (1 - state_value("decay_factors", (FLAT,)) * scalar("decay"))
        commits = optimizer.update(shrunk, gradient, state, scalar)
        program = _plan([], [(theta if target is shrunk else target, value) for target, value in commits])
        return Update(program, tuple(states), tuple(scalars))

    def _forward(self, training: bool) -> _Forward:
        scope, x = _Scope(training), input_value(INPUTS, (self.inputs, BATCH))
        values: list[Value] = []
        parameters: list[Value] = []
        raw = x
        for number, node in enumerate(self.nodes):
            inputs = [x if source < 0 else values[source] for source in node.inputs]
            blocks = [
                state_value(_block_name("theta", placed), placed.block.shape) for placed in self.layout.of_node(number)
            ]
            parameters += blocks
            if number < len(self.nodes) - 1:
                values.append(node.layer.apply(scope, inputs, blocks))
            else:
                layer, activation = node.layer.split_activation()
                raw = layer.apply(scope, inputs, blocks) if layer else inputs[0]
                values.append(activation.apply(raw) if activation else raw)
        return _Forward(x, raw, values[-1], tuple(parameters))

    def _row_losses(self, forward: _Forward, loss: Loss) -> Value:
        output = forward.output if loss.accepted_activations is None else forward.raw
        if loss.target == "classes":
            return loss.expression(output, input_value(TARGET, (1, BATCH), "index"))
        return loss.expression(output, input_value(TARGET, (self.outputs, BATCH)))

    def _mean_loss(self, forward: _Forward, weighted: bool) -> Value:
        rows = self._row_losses(forward, self.loss)
        if weighted:
            rows = rows * input_value(ROW_WEIGHT, (1, BATCH))
        return sum_over(rows, "all") * input_value(INVERSE_WEIGHT, ())


def _block_name(prefix: str, placed: PlacedBlock) -> str:
    return f"{prefix}.{placed.key}.{placed.block.tensors[0].name}"


def _plan(outputs: list[Value], commits: Sequence[tuple[Value, Value]] = ()) -> Plan:
    return plan(outputs, commits, expansions=NUMPY_EXPANSIONS)
