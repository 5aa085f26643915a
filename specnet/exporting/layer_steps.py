"""The layers of a network as every target reads them: what each computes, and with which numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn

from specnet.compiler import Expansions, Shape, Value, state_value
from specnet.errors import UnsupportedError
from specnet.exporting.formula import Formula, FormulaReader, sources_of
from specnet.model import TrainedNetwork
from specnet.network import Network
from specnet.network.layout import PlacedBlock
from specnet.network.programs import LayerRequests, LayerScope
from specnet.parts.activations import Activation
from specnet.parts.arrays import Array
from specnet.parts.layers import Layer
from specnet.parts.part import described
from specnet.spec.resolving.graph import Node


@dataclass(frozen=True, slots=True, eq=False)
class Stage:
    """A layer without the activation that it ends in, or that activation.

    Attributes
    ----------
    part : Layer or Activation
    formula : Formula
    arrays : mapping
        What the part learned or keeps, in the order in which it says it, as a user sees it.
    """

    part: Layer | Activation
    formula: Formula
    arrays: Mapping[str, Array]

    @property
    def activation(self) -> Activation | None:
        """The part, if it is an activation."""
        return self.part if isinstance(self.part, Activation) else None


@dataclass(frozen=True, slots=True, eq=False)
class LayerStep:
    """A layer in its place.

    Attributes
    ----------
    node : Node
    title : str
        What it is, in a line.
    stages : tuple of Stage
        What it computes, the first from the node's inputs and the second from the first one's result; none where it
        only hands on its input.
    """

    node: Node
    title: str
    stages: tuple[Stage, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Member:
    """The layers of a network, be it alone or a member of an ensemble.

    Attributes
    ----------
    prefix : str
        What stands before the names of its numbers in a model's file: ``members.0.``, in that of a team
        ``models.0.members.0.``; empty for a network alone.
    steps : tuple of LayerStep
        The layers. Those of two members differ in nothing but numbers.
    """

    prefix: str
    steps: tuple[LayerStep, ...]


def members_of(trained: TrainedNetwork, expansions: Expansions, prefix: str) -> tuple[Member, ...]:
    """Return the members of an ensemble, or the only network, with what the target lacks in terms of what it has.

    The prefix is that of the network's names.
    """
    prefix, several = prefix + "members.{}." * trained.is_ensemble, len(trained.members) > 1
    network = trained.network
    members = []
    for number, (theta, state) in enumerate(trained.members):
        arrays = network.layout.arrays(theta, "theta") | network.layout.state_arrays(state)
        reader = _LayerReader(network, theta, state, FormulaReader(arrays, network.dtype, expansions, several))
        steps = tuple(reader.step(number, node) for number, node in enumerate(network.nodes))
        members.append(Member(prefix.format(number), steps))
    return tuple(members)


@dataclass(frozen=True, slots=True)
class _LayerReader:
    """Reads the layers of one network, whose numbers these are."""

    network: Network
    theta: Array
    state: Mapping[str, Array]
    formulas: FormulaReader

    def step(self, number: int, node: Node) -> LayerStep:
        """Return the layer that a node is, by its number."""
        sizes = node.input_sizes
        layer, activation = node.layer.split_activation()
        blocks = self.network.layout.of_node(number)
        count = len(layer.parameters(sizes)) if layer else 0
        values = [state_value(f"theta.{placed.name}", placed.block.shape) for placed in blocks]
        stages = []
        if layer is not None:
            sources = sources_of(sizes)
            value = layer.apply(_AnsweringScope(LayerRequests(training=False), node), sources, values[:count])
            kept = {name: array for name, array in self.state.items() if name.rpartition(".")[0] == node.key}
            formula = self.formulas.read(value, sources, node.key)
            stages.append(Stage(layer, formula, self._learned(node, blocks[:count]) | kept))
        if activation is not None:
            (source,) = sources_of([layer.output_size(sizes) if layer else sizes[0]])
            formula = self.formulas.read(activation.apply(source, values[count:]), [source], node.key)
            stages.append(Stage(activation, formula, self._learned(node, blocks[count:])))
        return LayerStep(node, _title(node, sizes, activation), tuple(s for s in stages if not s.formula.is_identity))

    def _learned(self, node: Node, blocks: Sequence[PlacedBlock]) -> dict[str, Array]:
        placed = ((tensor, block) for block in blocks for tensor in block.block.tensors)
        return {f"{node.key}.{tensor.name}": tensor.view(block.view(self.theta)) for tensor, block in placed}


class _AnsweringScope(LayerScope):
    """A program that only predicts, each row by itself, as the layer that is placed in it sees it."""

    def batch_mean(self, x: Value) -> NoReturn:
        raise UnsupportedError(f"{self.node.layer.type}: rows that depend on each other cannot be exported")

    def commit(self, state: Value, value: Value) -> NoReturn:
        raise UnsupportedError(f"{self.node.layer.type}: state updated in evaluation cannot be exported")

    def _noise(self, distribution: str, shape: Shape) -> NoReturn:
        raise UnsupportedError(f"{self.node.layer.type}: random numbers in evaluation cannot be exported")


def _title(node: Node, sizes: tuple[int, ...], activation: Activation | None) -> str:
    """Return a layer in a line: ``layers.0: dense, 2 → 5, relu``."""
    sized = " + ".join(map(str, sizes))
    words = [node.layer.summary(training=False), f"{sized} → {node.size}", described(activation)]
    text = f"{node.key}: {', '.join(filter(None, words))}"
    return " ".join(text.replace("\\", "/").split())  # in a comment it must end with its line
