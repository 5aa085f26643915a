"""The positions of parameters in the flat vector, and the states of layers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from specnet.parts.activations import Activation
from specnet.parts.arrays import Array
from specnet.parts.blame import ask
from specnet.parts.initializers import Generator
from specnet.parts.layers import LearningRules
from specnet.parts.parameters import ParameterBlock, StateTensor, Tensor
from specnet.spec.resolving.graph import Node


class PlacedBlock(NamedTuple):
    """A block of parameters with its layer, its position in the flat vector and its learning rules."""

    key: str
    block: ParameterBlock
    rules: LearningRules
    start: int

    @property
    def name(self) -> str:
        """The name of the block: the full name of its first tensor."""
        return f"{self.key}.{self.block.tensors[0].name}"

    def view(self, flat: Array) -> Array:
        """Return the block as a view of a flat vector."""
        return flat[self.start : self.start + self.block.size].reshape(self.block.shape)


class PlacedState(NamedTuple):
    """A state of a layer, with its full name."""

    name: str
    tensor: StateTensor


class Layout:
    """The flat parameter vector: trainable parameters first, then frozen ones, each in the order of the layers.

    Parameters
    ----------
    nodes : tuple of Node

    Attributes
    ----------
    blocks : tuple of PlacedBlock
        Blocks of parameters in the order of the layers.
    states : tuple of PlacedState
        Layer states in the order of the layers.
    size : int
        Length of the vector.
    trainable_size : int
        Number of trainable parameters.
    """

    def __init__(self, nodes: tuple[Node, ...]) -> None:
        declared = [
            (number, node, block)
            for number, node in enumerate(nodes)
            for block in ask(node.layer, node.layer.parameters, node.input_sizes)
        ]
        starts, self.size, self.trainable_size = {}, 0, 0
        for trainable in (True, False):
            for index, (_, node, block) in enumerate(declared):
                if node.layer.rules.trainable == trainable:
                    starts[index], self.size = self.size, self.size + block.size
            self.trainable_size = self.size if trainable else self.trainable_size
        self.blocks = tuple(
            PlacedBlock(node.key, block, node.layer.rules, starts[index])
            for index, (_, node, block) in enumerate(declared)
        )
        self._of_node: dict[int, list[PlacedBlock]] = {}
        for (number, _, _), placed in zip(declared, self.blocks, strict=True):
            self._of_node.setdefault(number, []).append(placed)
        self.states = tuple(
            PlacedState(f"{node.key}.{tensor.name}", tensor)
            for node in nodes
            for tensor in node.layer.states(node.input_sizes)
        )

    def of_node(self, number: int) -> list[PlacedBlock]:
        """Return the blocks of a layer, given its index."""
        return self._of_node.get(number, [])

    def tensors(self) -> Iterator[tuple[str, Tensor, PlacedBlock]]:
        """Yield the name, the tensor and the block of each parameter tensor, in the order of the layers."""
        for placed in self.blocks:
            for tensor in placed.block.tensors:
                yield f"{placed.key}.{tensor.name}", tensor, placed

    def weights(self) -> dict[str, list[tuple[str, Tensor, PlacedBlock]]]:
        """Return the trainable weights of each layer that has any, by the layer's name; tuples are those of `tensors`.

        Biases and other parameters that do not decay are no weights.
        """
        found: dict[str, list[tuple[str, Tensor, PlacedBlock]]] = {}
        for name, tensor, placed in self.tensors():
            if tensor.decays and placed.rules.trainable and placed.block.size:
                found.setdefault(placed.key, []).append((name, tensor, placed))
        return found

    def views(self, flat: Array) -> dict[str, Array]:
        """Return views of the vector by name: a weight is (outputs, inputs)."""
        return {name: tensor.view(placed.view(flat)) for name, tensor, placed in self.tensors()}

    def drawn(self, generator: Generator) -> NDArray[np.float64]:
        """Return a vector of random parameters, drawn by the initializers of the tensors."""
        flat = np.zeros(self.size)
        for _, tensor, placed in self.tensors():
            draw = tensor.initializer.draw
            tensor.view(placed.view(flat))[...] = ask(tensor.initializer, draw, generator, tensor.shape, tensor.fans)
        return flat

    def arrays(self, flat: Array, prefix: str) -> dict[str, Array]:
        """Return the blocks of a vector, or of its trainable part, by their names in programs."""
        return {
            f"{prefix}.{placed.name}": placed.view(flat)
            for placed in self.blocks
            if placed.start + placed.block.size <= len(flat)
        }

    def initial_state(self, dtype: np.dtype[Any]) -> dict[str, Array]:
        """Return the initial layer states by name, in the shapes that users see."""
        return {placed.name: np.full(placed.tensor.user_shape, placed.tensor.start, dtype) for placed in self.states}

    def state_arrays(self, state: Mapping[str, Array]) -> dict[str, Array]:
        """Return views of layer states in the shapes of the engine, by their names in programs."""
        return {f"state.{placed.name}": state[placed.name].reshape(placed.tensor.shape) for placed in self.states}

    def rate_factors(self) -> NDArray[np.float64]:
        """Return the learning-rate factor of each trainable parameter."""
        return self._per_number(lambda tensor, rules: tensor.rate_factor * rules.learning_rate_factor)

    def decay_factors(self) -> NDArray[np.float64]:
        """Return the weight-decay factor of each trainable parameter; 0 for parameters that do not decay.

        Decay is proportional to the learning rate, so a factor on the rate applies to the decay too.
        """
        return self._per_number(
            lambda tensor, rules: (
                tensor.decays * rules.weight_decay_factor * (tensor.rate_factor * rules.learning_rate_factor)
            )
        )

    def penalty(self, flat: Array, l1: float, l2: float) -> float:
        """Return the sum of the L1 and L2 penalties on the weights in a vector of parameters, computed in float64."""
        if not (l1 or l2):
            return 0.0
        vector = flat.astype(np.float64, copy=False)
        weights = [tensor.view(placed.view(vector)) for _, tensor, placed in self.tensors() if tensor.decays]
        return float(sum(l1 * abs(weight).sum() + l2 * (weight * weight).sum() for weight in weights))

    def _per_number(self, number: Callable[[Tensor, LearningRules], float]) -> NDArray[np.float64]:
        vector = np.zeros(self.size)
        for _, tensor, placed in self.tensors():
            tensor.view(placed.view(vector))[...] = number(tensor, placed.rules)
        return vector[: self.trainable_size]


def activation_after(nodes: Sequence[Node], number: int) -> tuple[Node, Activation | None]:
    """Return the layer that applies the activation to a layer's outputs, and this activation.

    It is the layer itself, or a later one. Layers between them only normalize or drop values: they have one input and
    no size. Without an activation, return the layer itself and None.
    """
    index = number
    while True:
        _, activation = nodes[index].layer.split_activation()
        if activation is not None and not activation.is_identity:
            return nodes[index], activation
        readers = [later for later, node in enumerate(nodes) if index in node.inputs]
        if len(readers) != 1 or nodes[readers[0]].layer.size_field is not None or len(nodes[readers[0]].inputs) > 1:
            return nodes[number], None
        (index,) = readers
