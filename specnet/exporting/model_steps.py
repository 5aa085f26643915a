"""One model of a program in steps: how columns are prepared, each layer, and how outputs become answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import Any, NoReturn

import numpy as np

from specnet.compiler import Expansions, Shape, Value, rows, state_value
from specnet.compiler.operations import concatenate, gather, to_index
from specnet.data import Preparation
from specnet.errors import UnsupportedError
from specnet.exporting.export_columns import RawColumn, codes_among, network_columns
from specnet.exporting.formula import GROUPED, LINEAR, Constants, Formula, FormulaReader, Source, sources_of
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


class ModelSteps:
    """A network of a model in steps.

    Parameters
    ----------
    trained : TrainedNetwork
    columns : sequence of RawColumn
        The program's raw columns, whose codes may be those of other models too.
    dtype : numpy.dtype
        In which the target computes.
    expansions : mapping
        What the target lacks, in terms of what it has.
    prefix : str
        What stands before the names of its numbers in the file of a team: ``models.0.``; empty for a model alone.
    share : int
        How much its answer counts.

    Attributes
    ----------
    outputs : int
        Number of what is answered: probabilities or margins, or values.
    prepare : Formula
        From raw columns, with the codes of texts, to the network's inputs, in float64.
    members : tuple of Member
        The members of an ensemble, or the only network.
    steps : tuple of LayerStep
        The layers, with the numbers of the first member.
    is_averaged : bool
        Whether the answer is the mean of several members' answers.
    formulas : list of Formula
        All that is computed, in order.
    finish : Formula
        From a network's outputs to what is answered, values in the target's units, in float64. What an ensemble
        answers is the mean of these.
    """

    def __init__(
        self,
        trained: TrainedNetwork,
        columns: Sequence[RawColumn],
        dtype: np.dtype[Any],
        expansions: Expansions,
        prefix: str = "",
        share: int = 1,
    ) -> None:
        self.trained, self.dtype, self.prefix, self.share = trained, dtype, prefix, share
        network, float64 = trained.network, np.dtype(np.float64)
        self.outputs = network.target_size if network.task == "values" else network.outputs
        (x,), (y,) = sources_of([len(columns)]), sources_of([network.outputs])
        prepare, arrays = symbolic(trained.preprocessing, len(columns), "preprocessing")
        coded, tables = _recoded(x, columns, network_columns(trained))
        self.prepare = FormulaReader(arrays | tables, float64, expansions).read(
            prepare.apply(coded), [x], "preprocessing"
        )
        finish, arrays = symbolic(trained.target_preprocessing, self.outputs, "target_preprocessing")
        value = finish.invert(rows(y, 0, self.outputs))
        self.finish = FormulaReader(arrays, float64, expansions).read(value, [y], "target_preprocessing")
        self.members = members_of(trained, expansions, prefix)
        self.steps, self.is_averaged = self.members[0].steps, len(self.members) > 1
        layers = [stage.formula for step in self.steps for stage in step.stages]
        self.formulas = [self.prepare, *layers, self.finish]

    @property
    def multiplies_columns(self) -> bool:
        """Whether a product of the preparation reads raw columns themselves."""
        products = [step for step in self.prepare.steps if step.operation in (LINEAR, GROUPED)]
        return any(isinstance(step.operands[0], Source) for step in products)

    @cached_property
    def tables_of_members(self) -> dict[Constants, tuple[Constants, ...]]:
        """The tables of all members by those of the first, if there are several."""
        layers = [[stage.formula for step in member.steps for stage in step.stages] for member in self.members]
        tables = [[table for formula in formulas for table in formula.tables] for formulas in layers]
        return {found[0]: found for found in zip(*tables, strict=True)} if self.is_averaged else {}

    def readers(self) -> dict[int, list[int]]:
        """Return which layers read each layer's result, -1 being the prepared columns; the end reads the last."""
        found: dict[int, list[int]] = {number: [] for number in range(-1, len(self.steps))}
        for number, step in enumerate(self.steps):
            for source in step.node.inputs:
                found[source].append(number)
        found[len(self.steps) - 1].append(len(self.steps))
        return found


def symbolic(preparation: Preparation, columns: int, key: str) -> tuple[Preparation, dict[str, Array]]:
    """Return a preparation of symbolic arrays, which begins behind the codes of texts, and what they stand for."""
    arrays: dict[str, Array] = {}

    def symbol(name: str, array: Array) -> Value:
        leaf = f"state.{key}.{name}"
        arrays[leaf] = array.reshape(-1, 1)
        return state_value(leaf, arrays[leaf].shape)

    made = [group for group in preparation.replaced(symbol).groups if group.output_size(columns)]
    return Preparation(tuple(made)), arrays


def _recoded(x: Value, columns: Sequence[RawColumn], own: Sequence[RawColumn]) -> tuple[Value, dict[str, Array]]:
    """Return columns with a model's own codes of texts in place of those of a team, and the tables of these codes."""
    arrays: dict[str, Array] = {}

    def table_of(place: int) -> str:
        """Return the name of the table of a column's codes; empty where they are the same."""
        codes = codes_among(own[place], columns[place])
        if codes == list(range(len(codes))):
            return ""
        name = f"state.codes.{place}"
        arrays[name] = np.array([codes], np.float64)
        return name

    found = []
    for name, run in groupby(range(len(columns)), table_of):
        first, *others = run
        part = rows(x, first, first + 1 + len(others))
        found.append(gather(state_value(name, arrays[name].shape), to_index(part)) if name else part)
    return (concatenate(*found), arrays) if arrays else (x, arrays)
