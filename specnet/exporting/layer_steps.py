"""The layers of a network as every target reads them: what each computes, and with which numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn

from specnet.compiler import Expansions, Shape, Value, state_value
from specnet.errors import UnsupportedError
from specnet.exporting.formula import Formula, formula_of, sources_of
from specnet.model import Model
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
    layer : Layer or None
    activation : Activation or None
        One of the two.
    formula : Formula
    arrays : mapping
        What the part learned or keeps, in the order in which it says it, as a user sees it.
    """

    layer: Layer | None
    activation: Activation | None
    formula: Formula
    arrays: Mapping[str, Array]

    @property
    def part(self) -> Layer | Activation:
        """The layer or the activation."""
        part = self.activation if self.layer is None else self.layer
        assert part is not None, "a stage is one of the two"
        return part


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
        What stands before the names of its numbers in a model's file: ``members.0.``; empty for a network alone.
    steps : tuple of LayerStep
        The layers. Those of two members differ in nothing but numbers.
    """

    prefix: str
    steps: tuple[LayerStep, ...]


def members_of(model: Model, expansions: Expansions) -> tuple[Member, ...]:
    """Return the members of an ensemble, or the only network, with what the target lacks in terms of what it has."""
    is_alone, several = model.theta.ndim == 1, len(model.members) > 1
    return tuple(
        Member(
            "" if is_alone else f"members.{number}.",
            _LayerReader(model.network, theta, state, expansions, only_tables=several).steps(),
        )
        for number, (theta, state) in enumerate(model.members)
    )


class _LayerReader:
    """Reads the layers of one network."""

    def __init__(
        self,
        network: Network,
        theta: Array,
        state: Mapping[str, Array],
        expansions: Expansions,
        *,
        only_tables: bool,
    ) -> None:
        self.network, self.theta, self.state = network, theta, state
        self._expansions, self._only_tables = expansions, only_tables
        self._arrays = network.layout.arrays(theta, "theta") | network.layout.state_arrays(state)

    def steps(self) -> tuple[LayerStep, ...]:
        """Return the layers in order."""
        return tuple(map(self._step, range(len(self.network.nodes))))

    def _step(self, number: int) -> LayerStep:
        node = self.network.nodes[number]
        sizes = node.input_sizes
        layer, activation = node.layer.split_activation()
        blocks = self.network.layout.of_node(number)
        count = len(layer.parameters(sizes)) if layer else 0
        values = [state_value(f"theta.{placed.name}", placed.block.shape) for placed in blocks]
        stages = []
        if layer is not None:
            sources = sources_of(sizes)
            value = layer.apply(_AnsweringScope(LayerRequests(training=False), node), sources, values[:count])
            stages.append(self._stage(node, (layer, None), value, sources, blocks[:count]))
        if activation is not None:
            size = layer.output_size(sizes) if layer else sizes[0]
            sources = sources_of([size])
            value = activation.apply(sources[0], values[count:])
            stages.append(self._stage(node, (None, activation), value, sources, blocks[count:]))
        return LayerStep(node, _title(node, sizes, activation), tuple(s for s in stages if not s.formula.is_identity))

    def _stage(
        self,
        node: Node,
        part: tuple[Layer, None] | tuple[None, Activation],
        value: Value,
        sources: Sequence[Value],
        blocks: Sequence[PlacedBlock],
    ) -> Stage:
        formula = formula_of(
            value,
            sources,
            self._arrays,
            self.network.dtype,
            node.key,
            self._expansions,
            only_tables=self._only_tables,
        )
        arrays = {
            f"{node.key}.{tensor.name}": tensor.view(placed.view(self.theta))
            for placed in blocks
            for tensor in placed.block.tensors
        }
        layer, activation = part
        if layer is not None:
            arrays |= {name: array for name, array in self.state.items() if name.rpartition(".")[0] == node.key}
        return Stage(layer, activation, formula, arrays)


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
