"""A program as loops over the features of a single row, for C and JavaScript.

A `Program` is turned into statements that compute answers `y` from raw columns `x`. A stage becomes as few loops as
possible: a chain of elementwise steps is one expression in one loop. A result is stored in an array only if several
loops or a product read it. An array is reused as soon as nothing reads it any more, and the last layer writes to the
array of the answer.

One loop for each step would be simpler, and as fast in C. In JavaScript, however, a row of the recipe's model for
penguins would take a sixth longer. In C, workspaces of small models with a quantile step would not fit on the stack.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import replace
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np

from specnet.compiler import Operation, operations
from specnet.compiler.expressions import CALL, CHOICE, NAME, PRODUCT, Text
from specnet.compiler.value import ADD, DIVIDE, EXPAND, INPUT, MULTIPLY, SUBTRACT, SUM
from specnet.errors import UnsupportedError
from specnet.exporting.export_plan import GROUPED, LINEAR, LOOKUP, Constants, NetworkPlan, Operand, Stage, Step
from specnet.exporting.expression_text import FreeNames
from specnet.exporting.loops.language import Language, Variable
from specnet.exporting.model_program import Program
from specnet.parts.arrays import Array

_FOLDED = re.compile(r"constant_\d+$")
"""The end of the name of a folded constant, for which the layer has no name."""
_ROLES: Mapping[tuple[Operation, int], str] = MappingProxyType(
    {
        (ADD, 0): "offset",
        (ADD, 1): "offset",
        (SUBTRACT, 1): "offset",
        (MULTIPLY, 0): "factor",
        (MULTIPLY, 1): "factor",
        (DIVIDE, 1): "divisor",
    }
)
"""The names of folded constants by the operation that reads them and the position among its operands."""
_WHOLE = (LINEAR, GROUPED, operations.ROWS, operations.REPEAT, operations.PAD, operations.FOLD)
"""Operations that read whole arrays instead of single elements."""
_OWN_LENGTH = (SUM, operations.MAX, LOOKUP, operations.CONCATENATE)
"""Operations whose loop has the length of their operand."""
_NEW_ARRAY = (LINEAR, GROUPED, LOOKUP, operations.CONCATENATE, operations.REPEAT, operations.PAD, operations.FOLD)
"""Operations whose result cannot overwrite their operands."""


class Loops:
    """The statements, functions and tables of a program.

    Parameters
    ----------
    program : Program
    prepared, computed : Language
        The language of computations in float64 before and after the network, and of the network itself.
    reserved : sequence of str
        Names that are not available for variables and tables.

    Attributes
    ----------
    tables : dict of Constants to str
        The names of tables.
    functions : list of str
        Definitions, in the order of their first use.
    models : list of Routine
        The functions of the networks of a team; empty for a single network.
    body : Routine
        The function of the program.
    """

    def __init__(self, program: Program, prepared: Language, computed: Language, reserved: Sequence[str]) -> None:
        self.program, self.prepared, self.computed, self.reserved = program, prepared, computed, reserved
        self.names = FreeNames(reserved)
        self.tables = {table: self.names.new(name) for table, name in _table_names(program).items()}
        self.member = self.names.new("member") if any(model.is_averaged for model in program.networks) else ""
        self.references = {
            table: f"{name}[{self.member}]" if table.has_members else name for table, name in self.tables.items()
        }
        self.functions: list[str] = []
        self._known: dict[Any, str] = {}
        steps = [step for stage in program.stages for step in stage.steps]
        self._transposed = {step.operands[1] for step in steps if step.operation is LINEAR}
        names = [self.names.new(f"model_{number}") * program.is_team for number in range(len(program.networks))]
        routines = [Routine(self, *each) for each in zip(names, program.networks, strict=True)]
        self.models, self.body = (routines, Routine(self)) if program.is_team else ([], routines[0])
        if program.is_team:
            self.body.add_models(routines)

    def numbers(self, table: Constants) -> Array:
        """Return a table's numbers in the shape in which they are exported: dense weights as (inputs, outputs).

        The members of an ensemble are an additional first axis.
        """
        return table.numbers.swapaxes(-1, -2) if table in self._transposed else table.numbers

    def activation(self, stage: Stage) -> str:
        """Return the name of an activation's function, whose definition is added on first use."""
        key = stage.signature()
        if key not in self._known:
            name = self._known[key] = self.names.new(stage.part.type)
            local = FreeNames([*self.reserved, "x"])
            parameters = {table: local.new(table.name.rpartition(".")[2]) for table in stage.tables}

            def leaf(operand: Operand) -> Text:
                if isinstance(operand, float):
                    return self.computed.number(operand)
                if isinstance(operand, Constants):
                    return Text(parameters[operand])
                assert operand.operation is INPUT, "another step's result has a name of its own"
                return Text("x")

            lines: list[str] = []
            if stage.output in stage.steps:
                result = self.computed.expression(stage.steps, stage.uses(), leaf, lines, local)
            else:
                result = leaf(stage.output)
            summary = (inspect.getdoc(type(stage.part)) or "").partition("\n")[0]
            body = [*lines, result.code]
            self.functions.append(self.computed.function(name, ["x", *parameters.values()], body, summary))
        return self._known[key]


class Routine:
    """A function from raw columns `x` to answers `y`: the statements of a network, or of the mean of several.

    Parameters
    ----------
    loops : Loops
    name : str
        The function's name; empty for the function of the program.
    network : NetworkPlan, optional
        The network; by default, `add_models` adds calls of several networks.

    Attributes
    ----------
    lines : list of str
        The statements.
    sizes : dict of str to int
        The length of each array by name.
    wide : set of str
        The names of the wide arrays.
    answer : Variable
        The array of the answer, `y`.
    """

    def __init__(self, loops: Loops, name: str = "", network: NetworkPlan | None = None) -> None:
        self.loops, self.name = loops, name
        self.lines: list[str] = []
        self.sizes: dict[str, int] = {}
        self.wide: set[str] = set()
        self._awaited: Set[str] = frozenset()  # arrays that later layers read
        self._shared: Set[str] = frozenset()  # arrays that the members of an ensemble share
        outputs, is_wide = loops.program.outputs, loops.program.answers_are_wide
        self.answer = Variable("y", network.outputs if network else outputs, is_wide=is_wide)
        self._last = frozenset(_last_results(network) if network else ())
        if network:
            self._add_network(network)

    def add_models(self, models: Sequence[Routine]) -> None:
        """Add the mean of the networks' answers, weighted by their shares."""
        program, language, sums = self.loops.program, self.loops.prepared, self._sums()
        self.lines += language.fill(sums, language.number(0.0))
        for routine, model in zip(models, program.networks, strict=True):
            self.lines.append(f"{routine.name}(x, {self.answer.name}{language.passed_on});")
            self.lines += self._added(sums, model.share)
        self.lines += self._divided(sums, program.shares)

    def _add_network(self, network: NetworkPlan) -> None:
        program = self.loops.program
        columns = Variable("x", program.starts[-1], is_wide=program.columns_are_wide)
        if not network.prepare.is_identity:
            self.lines.append("// preprocessing")
            columns = self._stage(network.prepare, [columns], self.loops.prepared)
        if self.loops.prepared.single and network.trained.network.dtype == np.float32:
            columns = self._rounded(columns)
        if not network.is_averaged:
            self._add_layers(network, columns)
            return
        sums, language = self._sums(), self.loops.prepared
        self._shared = {columns.name, sums.name}
        before, self.lines = self.lines, []
        self._add_layers(network, columns)
        count, member = len(network.members), [*self.lines, *self._added(sums)]
        self.lines = [
            *before,
            *language.fill(sums, language.number(0.0)),
            *language.loop(count, member, self.loops.member),
            *self._divided(sums, count),
        ]

    def _rounded(self, columns: Variable) -> Variable:
        """Add the loop that rounds a network's inputs to float32, and return the new array.

        A network whose first layer has steep steps, such as narrow bins, amplifies the difference.
        """
        language, name = self.loops.prepared, self.loops.names.new("rounded")
        self.sizes[name] = columns.features
        target = Variable(name, columns.features)
        self.lines += language.fill(target, Text(language.single.format(columns.at(columns.features).code), CALL))
        return target

    def _add_layers(self, network: NetworkPlan, columns: Variable) -> None:
        """Add the loops of all layers, from the prepared columns to the answer."""
        results, readers = {-1: columns}, network.readers()
        for number, layer in enumerate(network.layers):
            self.lines.append(f"// {layer[0].title}")
            later = (source for source in range(-1, number) if max(readers[source]) > number)
            self._awaited = {results[source].name for source in later}
            sources = [results[source] for source in layer[0].node.inputs]
            for stage in layer:
                sources = [self._stage(stage, sources, self.loops.computed)]
            results[number] = sources[0]
        last = results[len(network.layers) - 1]
        if not network.finish.is_identity:
            self.lines.append("// target_preprocessing")
            last = self._stage(network.finish, [last], self.loops.prepared)
        if last != self.answer:
            self.lines += self.loops.computed.fill(self.answer, last.at(network.outputs))
        if self.loops.computed.after_member and (network.is_averaged or self.loops.program.is_team):
            self.lines.append(self.loops.computed.after_member)

    def _stage(self, stage: Stage, sources: Sequence[Variable], language: Language) -> Variable:
        """Add the loops of a stage, or a loop that calls an activation's function; return the result's variable."""
        if stage.is_identity:
            return sources[0]
        if stage.activation is None or not stage.activation.elementwise or _is_a_call(stage, language):
            written = StageLoops(stage, sources, language, self)
            self.lines += written.lines
            return written.result
        (source,), features = sources, sources[0].features
        target = self.array(stage.output, features, [source.name])
        tables = (Variable(self.loops.references[table], table.array.size) for table in stage.tables)
        arguments = ", ".join(each.at(features).code for each in (source, *tables))
        self.lines += language.fill(target, Text(f"{self.loops.activation(stage)}({arguments})", CALL))
        return target

    def array(
        self,
        result: Operand,
        features: int,
        over: Sequence[str] = (),
        busy: Set[str] = frozenset(),
        *,
        is_wide: bool = False,
    ) -> Variable:
        """Return an array for a result: an unused one if possible, otherwise a new one.

        Parameters
        ----------
        result : Step, Constants or float
        features : int
            The length of the array.
        over : sequence of str
            Arrays that may be overwritten in the same loop, since each element is read before it is overwritten.
        busy : set of str
            The arrays that may not be overwritten.
        is_wide : bool
            Whether the result needs a wide array.
        """
        fits = is_wide == self.answer.is_wide and features == self.answer.features
        if fits and result in self._last and self.answer.name not in busy:
            return self.answer
        known = [name for name in (*over, *self.sizes) if name in self.sizes and (name in self.wide) == is_wide]
        free = [name for name in known if name not in busy | self._awaited | self._shared]
        name = free[0] if free else self.loops.names.new(f"a{len(self.sizes)}")
        self.sizes[name] = max(features, self.sizes.get(name, 0))
        self.wide |= {name} if is_wide else set()
        return Variable(name, features, is_wide=is_wide)

    def can_be_answer(self, result: Operand) -> bool:
        """Return whether a result can be computed in the array of the answer."""
        return result in self._last

    def _sums(self) -> Variable:
        """Return a new wide array with the length of the answer, for sums over members or networks."""
        name = self.loops.names.new("totals")
        self.sizes[name] = self.answer.features
        self.wide |= {name}
        return Variable(name, self.answer.features, is_wide=True)

    def _added(self, sums: Variable, share: int = 1) -> list[str]:
        """Return the loop that adds `share` times the answer to sums."""
        size, language = self.answer.features, self.loops.prepared
        times = f"{language.number(share).code} * " * (share > 1)
        return language.loop(size, [f"{sums.at(size).code} += {times}{language.read(self.answer.at(size)).code};"])

    def _divided(self, sums: Variable, count: int) -> list[str]:
        """Return the loop that stores sums, divided by a count, in the answer."""
        return self.loops.prepared.fill(self.answer, Text(f"{sums.at(self.answer.features).code} / {count}", PRODUCT))


class StageLoops:
    """The loops of one stage.

    A loop computes every result that only this loop reads. Results that other loops or products read, and results of
    another length, are stored.

    Parameters
    ----------
    stage : Stage
    sources : sequence of Variable
        The operands of the stage.
    language : Language
    routine : Routine
        The function that owns the arrays.

    Attributes
    ----------
    lines : list of str
        The statements.
    result : Variable
        The array with the stage's result.
    """

    def __init__(self, stage: Stage, sources: Sequence[Variable], language: Language, routine: Routine) -> None:
        self.stage, self.language, self.routine = stage, language, routine
        self.tables, self.names = routine.loops.references, routine.loops.names
        self.lines: list[str] = []
        self._stored = _stored(stage, self.whole)
        self._reads = {step: self._behind(step.operands) for step in self._stored}
        self._last = {operand: step for step, operands in self._reads.items() for operand in operands}
        self._order = {step: number for number, step in enumerate(self._stored)}
        self._narrow = _narrow(stage)
        if routine.answer.is_wide and routine.can_be_answer(stage.output):
            self._narrow.discard(stage.output)
        self._variables: dict[Operand, Variable] = dict(zip(stage.sources, sources, strict=True))
        for step in self._stored:
            self._variables[step] = self.writers.get(step.operation, StageLoops._elementwise)(self, step)
        if stage.output not in self._variables:
            raise UnsupportedError(f"{language.name} does not support a layer whose output is the same for all rows")
        self.result = self._variables[stage.output]

    def _behind(self, operands: Iterable[Operand]) -> dict[Operand, None]:
        """Return the steps that operands depend on, including themselves, back to the stored steps."""
        found: dict[Operand, None] = {}
        waiting = list(reversed(list(operands)))
        while waiting:
            operand = waiting.pop()
            if isinstance(operand, Step) and operand not in found:
                found[operand] = None
                if operand not in self._stored:
                    waiting += reversed(operand.operands)
        return found

    def _linear(self, step: Step) -> Variable:
        x, weight, *bias = step.operands
        source, target = self._variables[x], self._array(step)
        self.lines += self.language.dense(source, target, self._table(weight), self._table(bias[0]) if bias else None)
        return target

    def _grouped(self, step: Step) -> Variable:
        x, weight = step.operands
        assert isinstance(weight, Constants)
        source, target = self._variables[x], self._array(step)
        outputs, inputs, groups = weight.array.shape
        arguments = f"{self._table(weight)}, {self.language.argument(source)}, {target.name}"
        self.lines.append(f"{self.language.wide}grouped({groups}, {inputs}, {outputs}, {arguments});")
        return target

    def _lookup(self, step: Step) -> Variable:
        number, table = step.operands
        assert isinstance(table, Constants)
        target, language = self._array(step), self.language
        body: list[str] = []
        category = self.names.new("category")
        code = self._value(number, 1, body).code
        self.lines += [*body, language.constant.format(category, code)]
        categories, features = table.array.shape
        index = language.whole.format(category) + (f" * {features} + i" if features > 1 else "")
        found = {"table": self._table(table), "index": index, "category": category, "categories": categories}
        self._fill(target, Text(language.lookup.format(**found), CHOICE))
        return target

    def _repeated(self, step: Step) -> Variable:
        count, each = step.attributes
        source, target = self._variables[step.operands[0]], self._array(step)
        element = self.language.repeated(source, count, each)
        self._fill(target, element if source.is_wide else self.language.read(element))
        return target

    def _padded(self, step: Step) -> Variable:
        source, target, low = self._variables[step.operands[0]], self._array(step), step.attributes[0]
        self._fill(target, self.language.number(0.0))
        self._fill(replace(target, features=source.features, low=low), source.at(source.features))
        return target

    def _folded(self, step: Step) -> Variable:
        """Add loops that sum the copies of each feature, which follow each other or are as far apart as the length."""
        (count, each), source, target = step.attributes, self._variables[step.operands[0]], self._array(step)
        size = step.features
        index = f"i * {count} + j" if each else f"j * {size} + i"
        if size == 1:
            index = "j"
        element = f"{source.name}[{index} + {source.low}]" if source.low else f"{source.name}[{index}]"
        self._fill(target, self.language.number(0.0))
        self.lines += self.language.loop(
            count, self.language.loop(size, [f"{target.at(size).code} += {element};"]), "j"
        )
        return target

    def _rows(self, step: Step) -> Variable:
        source = self._variables[step.operands[0]]
        return replace(source, features=step.features, low=source.low + step.attributes[0])

    def _concatenated(self, step: Step) -> Variable:
        target, low = self._array(step), 0
        for operand in step.operands:
            assert isinstance(operand, Step)
            body: list[str] = []
            value = self._value(operand, operand.features, body)
            self._fill(replace(target, features=operand.features, low=low), value, body)
            low += operand.features
        return target

    def _total(self, step: Step) -> Variable:
        name = self.names.new("total")
        start = self.language.number(0.0).code
        return self._reduced(step, name, start, lambda value, body: f"{name} += {value.code};")

    def _largest(self, step: Step) -> Variable:
        name = self.names.new("largest")

        def change(value: Text, body: list[str]) -> str:
            item = value.code
            if value.level < NAME:  # the expression would be repeated
                item = self.names.new("t")
                body.append(self.language.constant.format(item, value.code))
            return f"{name} = {name} < {item} ? {item} : {name};"

        return self._reduced(step, name, self.language.smallest, change)

    def _reduced(self, step: Step, name: str, start: str, change: Callable[[Text, list[str]], str]) -> Variable:
        """Add the loop that reduces an operand's features to one number, and return its variable."""
        (operand,) = step.operands
        if step.attributes != "features" or not isinstance(operand, Step):
            raise self._refusal(step)
        body: list[str] = []
        changed = change(self._value(operand, operand.features, body), body)
        self.lines.append(self.language.variable.format(name, start))
        self.lines += self.language.loop(operand.features, [*body, changed])
        return Variable(name, 1, is_array=False)

    def _elementwise(self, step: Step) -> Variable:
        if not (step.operation.elementwise or step.operation is EXPAND):
            raise self._refusal(step)
        body: list[str] = []
        value = self._value(step, step.features, body)
        if step.features == 1 and not self._stored[step]:
            name = self.names.new("t")
            self.lines += [*body, self.language.constant.format(name, value.code)]
            return Variable(name, 1, is_array=False)
        target = self._array(step, in_turn=True)
        self._fill(target, value, body)
        return target

    def _array(self, step: Step, in_turn: bool = False) -> Variable:
        """Return an array for a step's result.

        Parameters
        ----------
        step : Step
        in_turn : bool
            Whether iteration `i` of the loop reads only elements `i` and later before it writes element `i`.
        """
        read = [self._variables[operand] for operand in self._reads[step] if operand in self._variables]
        # The element of an array of length 1 is read in each iteration of a loop.
        fixed = {each.name for each in read if not in_turn or (each.features == 1 and step.features > 1)}
        last = [x for x, reader in self._last.items() if self._order[reader] > self._order[step]]
        later = {self._variables[x].name for x in last if x in self._variables}
        over = [each.name for each in read if each.name not in fixed]
        is_wide = bool(self.language.storing) and step not in self._narrow
        return self.routine.array(step, step.features, over, fixed | later, is_wide=is_wide)

    def _table(self, operand: Operand) -> str:
        assert isinstance(operand, Constants)
        return self.tables[operand]

    def _fill(self, target: Variable, value: Text, before: Sequence[str] = ()) -> None:
        self.lines += self.language.fill(target, value, before)

    def _value(self, operand: Operand, count: int, body: list[str]) -> Text:
        """Return the expression of an operand in a loop up to a count; declarations that it needs go to `body`."""

        def leaf(operand: Operand) -> Text:
            if isinstance(operand, float):
                return self.language.number(operand)
            if isinstance(operand, Constants):
                return Variable(self.tables[operand], operand.array.size).at(count)
            variable = self._variables[operand]
            narrow = variable.is_array and not variable.is_wide
            element = self.language.read(variable.at(count)) if narrow else variable.at(count)
            return self.language.stored(operand.operation, element)

        if not isinstance(operand, Step) or operand in self._variables:
            return leaf(operand)
        behind = self._behind(operand.operands)
        chain = [other for other in self.stage.steps if other in behind and other not in self._stored]
        return self.language.expression([*chain, operand], self.stage.uses(), leaf, body, self.names)

    def _refusal(self, step: Step) -> UnsupportedError:
        return UnsupportedError(f"{self.language.name} has no equivalent of the operation {step.operation.name}")

    writers: ClassVar[Mapping[Operation, Callable[[Any, Step], Variable]]] = MappingProxyType(
        {
            LINEAR: _linear,
            GROUPED: _grouped,
            LOOKUP: _lookup,
            operations.REPEAT: _repeated,
            operations.PAD: _padded,
            operations.FOLD: _folded,
            operations.ROWS: _rows,
            operations.CONCATENATE: _concatenated,
            SUM: _total,
            operations.MAX: _largest,
        }
    )
    """The method for each operation that is not elementwise."""
    whole: ClassVar[tuple[Operation, ...]] = _WHOLE
    """Operations that read whole arrays instead of single elements."""


def _stored(stage: Stage, whole: Collection[Operation]) -> dict[Step, bool]:
    """Return, in order, the steps of a stage whose results are stored, and whether an array is required."""
    stored: dict[Step, bool] = {}
    loops: dict[Step, set[tuple[Step, int, int]]] = {step: set() for step in stage.steps}  # reader, part, length
    arrays = {operand for step in stage.steps if step.operation in whole for operand in step.operands}
    arrays.add(stage.output)
    for step in reversed(stage.steps):
        inside = step.operation.elementwise or step.operation is EXPAND
        lengths = {length for _, _, length in loops[step]}
        if not inside or step in arrays or len(loops[step]) > 1 or lengths - {step.features}:
            stored[step] = step in arrays
        for position, operand in enumerate(step.operands):
            if not isinstance(operand, Step) or operand not in loops:
                continue
            if step not in stored:
                loops[operand] |= loops[step]
            else:
                part = position if step.operation is operations.CONCATENATE else 0
                loops[operand].add((step, part, operand.features if step.operation in _OWN_LENGTH else step.features))
    return dict(reversed(stored.items()))


def _narrow(stage: Stage) -> set[Operand]:
    """Return the steps whose arrays cannot be wide: the output, and operands and results of products."""
    found: set[Operand] = {stage.output}
    for step in reversed(stage.steps):
        if step.operation in (LINEAR, GROUPED):
            found |= {step, step.operands[0]}
        elif step.operation is operations.ROWS and step in found:
            found.add(step.operands[0])  # the rows are a part of this array
    return found


def _last_results(network: NetworkPlan) -> Iterator[Operand]:
    """Yield results that can be stored in the array of the answer, since all later steps may overwrite it."""
    number = len(network.layers) - 1
    while number >= 0 and network.layers[number][0].is_identity:
        number = network.layers[number][0].node.inputs[0]
    stages = network.layers[number] if number >= 0 else ()
    for stage in reversed([*stages, network.finish]):
        for step in reversed(stage.steps):
            yield step
            if step.operation in _NEW_ARRAY:
                return


def _is_a_call(stage: Stage, language: Language) -> bool:
    """Return whether a stage is a single call of a function of the language."""
    known = [step for step in stage.steps if step.operation in language.forms]
    return len(stage.steps) == len(known) == 1 and language.form(known[0]).level == CALL


def _table_names(program: Program) -> dict[Constants, str]:
    """Return the name of each table; a folded constant is named by its role."""
    found, names = dict[Constants, str](), program.tables
    for step in (step for stage in program.stages for step in stage.steps):
        for position, operand in enumerate(step.operands):
            if isinstance(operand, Constants) and operand not in found:
                role, name = _ROLES.get((step.operation, position)), names[operand]
                found[operand] = _FOLDED.sub(role, name) if role else name
    return found
