"""The plan of an exported model: the computations from a row's cells to its answer, for all targets.

A `Program` has the raw columns, one `NetworkPlan` for each network, and the way from outputs to answers. A network is
a list of stages: preprocessing, each layer, each activation, and the inverse of the target's preprocessing. A `Stage`
is a list of steps in the order in which they are computed. A `Step` has an operation, its operands (other steps,
tables, numbers) and the number of features of its result. Parts define their values by operations on symbolic arrays,
and the compiler lowers these to calls, as it does for training. In an export, values that do not depend on rows are
computed in advance and become tables, and a product with a table becomes `LINEAR`.

Derivatives by columns are one stage of a network, in float64: the gradient of its whole symbolic answer, lowered as any
other value.

A target has code for each operation and a frame around the stages. Possible future targets need no other plan:

- Texts as operands: an `INPUT` step of kind "text", and an operation from texts to codes with a table of texts.
- The training step: stages whose learned tables are operands that change; `Stage.arrays` names them.
- Fixed point: a range for each step, computed in order from the ranges of its operands, gives its scale.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count, groupby
from typing import Any, NoReturn

import numpy as np

from specnet.compiler import (
    BATCH,
    NUMPY,
    Expansions,
    Operation,
    Shape,
    Value,
    constant,
    expand,
    gradients,
    input_value,
    operations,
    plan,
    rows,
    state_value,
    sum_over,
)
from specnet.compiler.lowering import Call
from specnet.compiler.reverse import postorder
from specnet.compiler.value import CONSTANT, INPUT, STATE
from specnet.data import Preparation
from specnet.errors import UnsupportedError
from specnet.exporting.export_columns import RawColumn, codes_among, network_columns
from specnet.model import TrainedNetwork
from specnet.model.gradients import has_derivatives
from specnet.model.symbolic import answer_of, symbolic
from specnet.network import Network
from specnet.network.layout import PlacedBlock
from specnet.network.programs import LayerRequests, LayerScope
from specnet.parts.activations import Activation
from specnet.parts.arrays import FLOAT64, Array
from specnet.parts.layers import Layer
from specnet.parts.part import described
from specnet.spec.resolving.graph import Node

LINEAR = Operation("linear")
"""x times a weight (outputs, inputs), plus a bias if there is a third operand."""
GROUPED = Operation("grouped_linear")
"""`LINEAR` for each of several groups that alternate along the features, with a weight (outputs, inputs, groups)."""
LOOKUP = Operation("lookup")
"""The rows of a table (categories, features) at the indices x (rows, 1), given as floats."""


@dataclass(frozen=True, slots=True, eq=False)
class Constants:
    """A table of numbers: (features,), a weight (outputs, inputs …), or rows to look up (categories, features).

    Attributes
    ----------
    name : str
        The name of the table, without the prefix of the network.
    arrays : tuple of ndarray
        The numbers of each ensemble member; a single array for a single network.
    """

    name: str
    arrays: tuple[Array, ...]

    @property
    def array(self) -> Array:
        """The numbers of the first member."""
        return self.arrays[0]

    @property
    def has_members(self) -> bool:
        """Whether each ensemble member has different numbers."""
        return len(self.arrays) > 1

    @property
    def numbers(self) -> Array:
        """All numbers; several members are the first axis."""
        return np.stack(self.arrays) if self.has_members else self.array


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """One operation; its result is (rows, features), and a result (rows, 1) is broadcast along features.

    The sources of a stage are steps of the operation `INPUT`, whose attribute is the index of the source.
    """

    operation: Operation
    operands: tuple[Operand, ...]
    attributes: Any
    features: int


Operand = Step | Constants | float


@dataclass(frozen=True, slots=True, eq=False)
class Stage:
    """Preprocessing, a layer without its activation, an activation, or the inverse of the target's preprocessing.

    Attributes
    ----------
    sources : tuple of Step
        The inputs of the stage, each of the operation `INPUT`.
    steps : tuple of Step
        The steps in order, each after its operands.
    output : Step, Constants or float
        The result; one of the sources if nothing is computed.
    part : Layer, Activation or None
        None for preprocessing.
    node : Node or None
        The layer's node in the network's graph, which names the layers that it reads.
    title : str
        A line that describes the layer: ``layers.0: dense, 2 → 5, relu``.
    arrays : tuple of mapping
        For each ensemble member the part's parameters and states by full name, in the order of the part.
    """

    sources: tuple[Step, ...]
    steps: tuple[Step, ...]
    output: Operand
    part: Any = None
    node: Any = None
    title: str = ""
    arrays: tuple[Mapping[str, Array], ...] = ({},)

    @property
    def activation(self) -> Activation | None:
        """The part, if it is an activation."""
        return self.part if isinstance(self.part, Activation) else None

    @property
    def is_identity(self) -> bool:
        """Whether the stage returns its first source unchanged."""
        return self.output is self.sources[0]

    @property
    def tables(self) -> tuple[Constants, ...]:
        """The tables in the order of their first use."""
        used = (operand for step in self.steps for operand in step.operands if isinstance(operand, Constants))
        return tuple(dict.fromkeys(used))

    def uses(self) -> dict[Operand, int]:
        """Return the number of times that each step is read; the output counts as one more."""
        counts: dict[Operand, int] = dict.fromkeys(self.steps, 0)
        for operand in [*(operand for step in self.steps for operand in step.operands), self.output]:
            if operand in counts:
                counts[operand] += 1
        return counts

    def signature(self) -> Hashable:
        """Return a key that is equal for stages that differ only in their tables and numbers of features."""
        index: dict[Operand, Hashable] = {source: ("source", source.attributes) for source in self.sources}
        index |= {table: ("table", number, table.array.ndim) for number, table in enumerate(self.tables)}
        index |= {step: ("step", number) for number, step in enumerate(self.steps)}

        def shown(operand: Operand) -> Hashable:
            return operand.hex() if isinstance(operand, float) else index[operand]

        steps = tuple((step.operation, tuple(map(shown, step.operands)), step.attributes) for step in self.steps)
        return steps, shown(self.output)


def sources_of(sizes: Sequence[int]) -> list[Value]:
    """Return the symbolic sources of a stage, one for each number of features."""
    return [input_value(f"source.{number}", (size, BATCH)) for number, size in enumerate(sizes)]


def stage_of(
    value: Value,
    sources: Sequence[Value],
    key: str,
    arrays: Sequence[Mapping[str, Array]],
    dtype: np.dtype[Any],
    expansions: Expansions,
) -> Stage:
    """Lower a symbolic value to a stage.

    Parameters
    ----------
    value : Value
    sources : sequence of Value
        The inputs of the stage, as `sources_of` returns them.
    key : str
        The prefix of the names of tables that are no states.
    arrays : sequence of mapping
        For each ensemble member the arrays in the engine's layout, by the names of the states in `value`.
    dtype : numpy.dtype
        The precision in which constants are computed.
    expansions : mapping
        For each operation that the target lacks, a replacement by operations that it has.
    """
    inputs = {x.attributes: Step(INPUT, (), number, _features(x.shape)) for number, x in enumerate(sources)}
    folded = _folded(value, arrays, dtype)
    lowered = plan([value, *folded], expansions=expansions)
    result, *numbers = lowered.outputs
    constants = dict(zip(numbers, folded.values(), strict=True))
    counter, found = count(1), dict[int, Operand]()

    def name(number: int) -> str:
        call = lowered.calls[number]
        is_own = call.operation is STATE
        return str(call.attributes).partition(".")[2] if is_own else f"{key}.constant_{next(counter)}"

    def step(call: Call) -> Step:
        operation, attributes = call.operation, call.attributes
        first, *others = call.arguments
        tables = constants.get(first, ())
        operands = [found[argument] for argument in (others if tables else call.arguments) if argument in found]
        if operation is operations.AFFINE and tables:
            operation = LINEAR
            operands.append(Constants(f"{key}.weight", tuple(table[:-1].T for table in tables)))
            operands.append(Constants(f"{key}.bias", tuple(table[-1] for table in tables)))
        elif operation is operations.MATMUL and tables and not attributes[1]:
            weights = tuple(table.T if attributes[0] else table for table in tables)
            operation, attributes = LINEAR, ()
            operands.append(Constants(f"{key}.weight", weights))
        elif operation is operations.GROUPED_MATMUL and tables and not attributes[2]:
            groups, transposed, _ = attributes
            axes = (2, 0, 1) if transposed else (0, 2, 1)
            weights = tuple(table.reshape(-1, groups, table.shape[1]).transpose(axes) for table in tables)
            operation, attributes = GROUPED, ()
            operands.append(Constants(f"{key}.weight", weights))
        elif operation is operations.GATHER and tables:
            operation = LOOKUP
            operands.append(Constants(name(first), tuple(table.T for table in tables)))
        else:
            operands = [found[argument] for argument in call.arguments]
        return Step(operation, tuple(operands), attributes, _features(call.shape))

    for number in _needed(lowered.calls, result, constants):
        call, tables = lowered.calls[number], constants.get(number, ())
        if call.operation is INPUT:
            found[number] = inputs[call.attributes]
        elif call.operation is CONSTANT:
            found[number] = float(call.attributes)
        elif call.operation is operations.TO_INDEX:
            found[number] = found[call.arguments[0]]
        elif not tables:
            found[number] = step(call)
        elif tables[0].size == 1 and call.operation is not STATE and len(arrays) == 1:
            found[number] = float(tables[0].reshape(()))  # members share their code, but not this number
        elif tables[0].size == 1 or tables[0].shape[1] == 1:
            found[number] = Constants(name(number), tuple(table.reshape(-1) for table in tables))
    steps = tuple(each for each in found.values() if isinstance(each, Step) and each.operation is not INPUT)
    return Stage(tuple(inputs.values()), steps, found[result])


def _folded(
    value: Value, arrays: Sequence[Mapping[str, Array]], dtype: np.dtype[Any]
) -> dict[Value, tuple[Array, ...]]:
    """Return the outermost values that do not depend on rows, except plain constants, with each member's numbers."""
    fixed: dict[Value, bool] = {}
    frontier: dict[Value, None] = {}
    for node in postorder([value], lambda node: node.arguments):
        is_free = node.operation is not INPUT and BATCH not in node.shape
        fixed[node] = is_free and all(map(fixed.get, node.arguments))
        if not fixed[node]:
            frontier |= dict.fromkeys(x for x in node.arguments if fixed[x] and x.operation is not CONSTANT)
    found = {x: tuple(each[x.attributes] for each in arrays) for x in frontier if x.operation is STATE}
    computed = [x for x in frontier if x not in found]
    if computed:
        lowered = plan(computed, expansions=NUMPY.expansions)
        names = {call.attributes for call in lowered.calls if call.operation is STATE}
        outputs = []
        for each in arrays:
            bound = NUMPY.bind(lowered, dtype, {}, {name: each[name].astype(dtype) for name in names})
            with np.errstate(all="ignore"):  # `where` may discard a division by 0
                bound.run()
            outputs.append([array.copy() for array in bound.outputs])
        found |= dict(zip(computed, zip(*outputs, strict=True), strict=True))
    return found


def _needed(calls: Sequence[Call], result: int, constants: Mapping[int, Any]) -> Iterator[int]:
    """Return, in order, the indices of the calls that the result needs, without those that only constants need."""
    needed, waiting = set(), [result]
    while waiting:
        number = waiting.pop()
        if number not in needed:
            needed.add(number)
            waiting += () if number in constants else calls[number].arguments
    return iter(sorted(needed))


def _features(shape: Shape) -> int:
    """Return the number of features of a value, given its shape in the engine (features first)."""
    size = shape[0] if shape else 1
    assert isinstance(size, int), "only a flat vector has a size without a number"
    return size


class _AnsweringScope(LayerScope):
    """The scope of a layer in a program that predicts each row independently; other requests are refused."""

    def batch_mean(self, x: Value) -> NoReturn:
        raise UnsupportedError(f"{self.node.layer.type}: rows that depend on each other cannot be exported")

    def commit(self, state: Value, value: Value) -> NoReturn:
        raise UnsupportedError(f"{self.node.layer.type}: state updated in evaluation cannot be exported")

    def _noise(self, distribution: str, shape: Shape) -> NoReturn:
        raise UnsupportedError(f"{self.node.layer.type}: random numbers in evaluation cannot be exported")


class NetworkPlan:
    """A network of a model: its stages, which all ensemble members share except for the numbers in tables.

    Parameters
    ----------
    trained : TrainedNetwork
    columns : sequence of RawColumn
        The program's raw columns, whose codes may include texts of other networks.
    dtype : numpy.dtype
        The precision in which the target computes.
    expansions : mapping
        For each operation that the target lacks, a replacement by operations that it has.
    prefix : str
        The prefix of the tables' names if there are several networks: ``models.0.``; otherwise empty.
    share : int
        The weight of the network's answer.
    number : int
        The index of the network among those of the program, whose features of texts are all in the program's columns.

    Attributes
    ----------
    outputs : int
        Number of answers per row: probabilities, margins or values.
    prepare : Stage
        The preprocessing in float64, from raw columns with texts as codes to the network's inputs.
    layers : tuple of tuple of Stage
        For each layer a stage for the layer, one for its activation, or both; an identity if nothing is computed.
    finish : Stage
        The computation in float64 from a network's outputs to answers; values are in the target's units. The answer of
        an ensemble is the mean of the members' answers.
    stages : list of Stage
        All stages in order, without the derivatives.
    gradient : Stage or None
        The computation in float64 from the raw columns, and the weights of the outputs if there are several, to the
        derivatives of the weighted outputs by each feature of the columns; NaN where there are none. None unless the
        program has derivatives.
    members : list of str
        The prefix of each member's tensor names in a model's file: ``members.0.``, or with several networks
        ``models.0.members.0.``.
    is_averaged : bool
        Whether the answer is the mean of several members' answers.
    """

    def __init__(
        self,
        trained: TrainedNetwork,
        columns: Sequence[RawColumn],
        dtype: np.dtype[Any],
        expansions: Expansions,
        prefix: str = "",
        share: int = 1,
        number: int = 0,
    ) -> None:
        self.trained, self.dtype, self.prefix, self.share = trained, dtype, prefix, share
        self._expansions, network = expansions, trained.network
        self.outputs = network.target_size if network.task == "values" else network.outputs
        (x,), (y,) = sources_of([sum(column.features for column in columns)]), sources_of([network.outputs])
        prepare, arrays = symbolic(trained.preprocessing, len(columns), "preprocessing")
        own, features = network_columns(trained), x
        if any(column.has_words for column in columns):
            prepare = _spread(prepare, own)
        if any(len(column.tables) > 1 for column in columns):  # also those of other networks
            features = _own_features(x, columns, number)
        coded, tables = _recoded(features, columns, own)
        self._columns, self._prepared, self._prepared_arrays = columns, (x, prepare.apply(coded)), arrays | tables
        self.prepare = stage_of(self._prepared[1], [x], "preprocessing", [self._prepared_arrays], FLOAT64, expansions)
        finish, arrays = symbolic(trained.target_preprocessing, self.outputs, "target_preprocessing")
        value = finish.invert(rows(y, 0, self.outputs))
        self.finish = stage_of(value, [y], "target_preprocessing", [arrays], FLOAT64, expansions)
        count, pattern = len(trained.members), prefix + "members.{}." * trained.is_ensemble
        self.members, self.is_averaged = [pattern.format(number) for number in range(count)], count > 1
        layout = network.layout
        self._trained_members = [(_used(network, theta), state) for theta, state in trained.members]
        learned = [layout.arrays(theta, "theta") | layout.state_arrays(state) for theta, state in self._trained_members]
        self.layers = tuple(self._layer(number, node, learned) for number, node in enumerate(network.nodes))
        self.stages = [self.prepare, *(stage for layer in self.layers for stage in layer), self.finish]
        self.gradient: Stage | None = None

    def add_gradient(self, expansions: Expansions, *, shares_float32: bool) -> None:
        """Add the stage of derivatives, which reads the tables of other stages where they have the same numbers.

        If not `shares_float32`, these are only tables in float64. `expansions` are those of a program in float64.
        """
        x, prepared = self._prepared
        value, learned, fitted = answer_of(self.trained, prepared)
        weights = [input_value("source.1", value.shape)] if self.outputs > 1 else []
        (found,) = gradients(sum_over(value * weights[0] if weights else value, "all"), [x]).values()
        rounded = [{name: array.astype(self.dtype) for name, array in each.items()} for each in learned]
        arrays = [self._prepared_arrays | each | fitted for each in rounded]
        defined = _where_defined(found, x, self._columns, has_derivatives(self.trained).tolist())
        stage = stage_of(defined, [x, *weights], f"{self.prefix}gradient", arrays, FLOAT64, expansions)
        wide = [self.prepare, self.finish]
        known = self.stages if shares_float32 or self.dtype == FLOAT64 else wide
        self.gradient = _with_known_tables(stage, [step for each in known for step in each.steps])

    def _layer(self, number: int, node: Node, arrays: Sequence[Mapping[str, Array]]) -> tuple[Stage, ...]:
        """Return the stages of a layer, given the layer's index and node and the arrays of each member."""
        sizes, network = node.input_sizes, self.trained.network
        layer, activation = node.split_activation()
        blocks = network.layout.of_node(number)
        count = len(layer.parameters(sizes)) if layer else 0
        values = [state_value(f"theta.{placed.name}", placed.block.shape) for placed in blocks]
        stages, title = [], _title(node, sizes, node.layer.split_activation()[1])

        def add(
            part: Layer | Activation, value: Value, sources: Sequence[Value], blocks: Sequence[PlacedBlock]
        ) -> None:
            stage = stage_of(value, sources, node.key, arrays, network.dtype, self._expansions)
            learned = tuple(_learned(node, part, blocks, *member) for member in self._trained_members)
            stages.append(replace(stage, part=part, node=node, title=title, arrays=learned))

        if layer is not None:
            sources = sources_of(sizes)
            value = layer.apply(_AnsweringScope(LayerRequests(training=False), node), sources, values[:count])
            add(layer, value, sources, blocks[:count])
        if activation is not None:
            (source,) = sources_of([layer.output_size(sizes) if layer else sizes[0]])
            add(activation, activation.apply(source, values[count:]), [source], blocks[count:])
        return tuple(stage for stage in stages if not stage.is_identity) or (stages[0],)

    @property
    def multiplies_columns(self) -> bool:
        """Whether a matrix product in the preprocessing reads raw columns directly."""
        products = [step for step in self.prepare.steps if step.operation in (LINEAR, GROUPED)]
        return any(step.operands[0] in self.prepare.sources for step in products)

    def readers(self) -> dict[int, list[int]]:
        """Return the indices of the layers that read each layer's result.

        Index -1 stands for the prepared columns; the last result is read by the index after the last layer.
        """
        found: dict[int, list[int]] = {number: [] for number in range(-1, len(self.layers))}
        for number, (stage, *_) in enumerate(self.layers):
            for source in stage.node.inputs:
                found[source].append(number)
        found[len(self.layers) - 1].append(len(self.layers))
        return found


def _used(network: Network, theta: Array) -> Array:
    """Return the numbers that layers compute with, in the layout of theta: of monotone columns some lose their signs.

    Programs for other tools then need neither the reparametrization nor the orders of features.
    """
    found = theta
    for number, node in enumerate(network.nodes):
        if not node.has_order or not (blocks := network.layout.of_node(number)):
            continue
        values = [state_value(placed.name, placed.block.shape) for placed in blocks]
        arrays = {placed.name: placed.view(theta) for placed in blocks}
        bound = NUMPY.bind(plan(node.used(values), expansions=NUMPY.expansions), network.dtype, {}, arrays)
        bound.run()
        found = found.copy()
        for placed, array in zip(blocks, bound.outputs, strict=True):
            placed.view(found)[...] = array
    return found


def _learned(
    node: Node, part: Layer | Activation, blocks: Sequence[PlacedBlock], theta: Array, state: Mapping[str, Array]
) -> dict[str, Array]:
    """Return a member's parameters of a part by full name, and for a layer also its states."""
    found = {
        f"{node.key}.{tensor.name}": tensor.view(placed.view(theta))
        for placed in blocks
        for tensor in placed.block.tensors
    }
    states = {} if isinstance(part, Activation) else state
    return found | {name: array for name, array in states.items() if name.rpartition(".")[0] == node.key}


def _title(node: Node, sizes: tuple[int, ...], activation: Activation | None) -> str:
    """Return a line that describes a layer: ``layers.0: dense, 2 → 5, relu``."""
    sized = " + ".join(map(str, sizes))
    words = [node.layer.summary(training=False), f"{sized} → {node.size}", described(activation)]
    text = f"{node.key}: {', '.join(filter(None, words))}"
    return " ".join(text.replace("\\", "/").split())  # a comment must not contain line breaks


def _with_known_tables(stage: Stage, known: Sequence[Step]) -> Stage:
    """Return a stage that reads the tables of known steps where they have the same numbers and the same use.

    Tables that are equal for all members have the numbers of one.
    """

    def key(operation: Operation, table: Constants) -> tuple[Operation | None, tuple[Hashable, ...]]:
        numbers = tuple((array.shape, array.astype(np.float64).tobytes()) for array in table.arrays)
        return operation if table.array.ndim > 1 else None, numbers if len(set(numbers)) > 1 else numbers[:1]

    tables: dict[Hashable, Constants] = {}
    for step in known:
        for table in step.operands if step.operation is not GROUPED else ():
            if isinstance(table, Constants):
                tables.setdefault(key(step.operation, table), table)
    found: dict[Operand, Operand] = {}
    for step in dict.fromkeys(stage.steps):  # a column that is a category is there twice
        for table in step.operands:
            if isinstance(table, Constants):
                own = key(step.operation, table)
                found[table] = tables.setdefault(own, Constants(table.name, table.arrays[: len(own[1])]))
        found[step] = replace(step, operands=tuple(found.get(operand, operand) for operand in step.operands))
    steps = [found[step] for step in dict.fromkeys(stage.steps)]
    known_steps = tuple(step for step in steps if isinstance(step, Step))
    return replace(stage, steps=known_steps, output=found.get(stage.output, stage.output))


def _where_defined(found: Value, x: Value, columns: Sequence[RawColumn], has_derivatives: Sequence[bool]) -> Value:
    """Return derivatives by features of columns, with NaN for columns without derivatives and for missing cells."""
    pieces, start = list[Value](), 0
    kinds = ((each, has_derivatives[number]) for number, each in enumerate(columns))
    for (is_found, takes_missing), run in groupby(kinds, lambda pair: (pair[1], pair[1] and pair[0].takes_missing)):
        stop = start + sum(column.features for column, _ in run)
        piece, cells = rows(found, start, stop), rows(x, start, stop)
        if not is_found:
            piece = expand(constant(math.nan), piece.shape)
        pieces.append(operations.where(operations.equal(cells, cells), piece, math.nan) if takes_missing else piece)
        start = stop
    return operations.concatenate(*pieces)


def _own_features(x: Value, columns: Sequence[RawColumn], number: int) -> Value:
    """Return a program's columns with the features of texts of one of its networks, without those of the others."""
    found, start = [], 0
    for column in columns:
        sizes = [table.size for table in column.tables] if column.has_words else []
        begin = start + sum(sizes[:number])
        end = begin + (sizes[number] if column.has_words else 1)
        start += column.features
        found += [rows(x, begin, end)] if end > begin else []
    return operations.concatenate(*found)


def _spread(preparation: Preparation, own: Sequence[RawColumn]) -> Preparation:
    """Return preprocessing that reads the features of each text instead of its column."""
    starts = np.cumsum([0, *(column.features for column in own)]).tolist()
    groups = []
    for group in preparation.groups:
        assert group.indices is not None, "columns with kinds have explicit groups"
        features = (feature for index in group.indices for feature in range(starts[index], starts[index + 1]))
        groups.append(replace(group, indices=tuple(features)))
    return Preparation(tuple(groups))


def _recoded(x: Value, columns: Sequence[RawColumn], own: Sequence[RawColumn]) -> tuple[Value, dict[str, Array]]:
    """Convert the program's codes of texts in columns to a network's own codes; return them and the tables used."""
    arrays: dict[str, Array] = {}

    starts = np.cumsum([0, *(column.features for column in own)]).tolist()

    def table_of(index: int) -> str:
        """Return the name of the table that converts a column's codes; empty if no conversion is needed."""
        codes = codes_among(own[index], columns[index])
        if codes == list(range(len(codes))):
            return ""
        name = f"state.codes.{index}"
        arrays[name] = np.array([codes], np.float64)
        return name

    found = []
    for name, run in groupby(range(len(columns)), table_of):
        first, *others = run
        if starts[first] == starts[first + 1 + len(others)]:
            continue  # texts without features
        part = rows(x, starts[first], starts[first + 1 + len(others)])
        table = state_value(name, arrays[name].shape) if name else None
        found.append(part if table is None else operations.gather(table, operations.to_index(part)))
    return (operations.concatenate(*found), arrays) if arrays else (x, arrays)
