"""A model as loops over single rows, for languages that write them as C does.

A layer's steps become as few loops as possible: a chain of elementwise steps is one expression, and only what several
loops or a product read is kept in an array. Arrays come from a small pool and are used again when nobody reads them.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence, Set
from typing import Any

from numpy.typing import NDArray

from specnet.compiler import operations as op
from specnet.compiler.groups import REPEAT
from specnet.compiler.value import EXPAND, SUM
from specnet.exporting.formula import GROUPED, LINEAR, LOOKUP, Formula, Operand, Source, Step, Table
from specnet.exporting.language import Language, Place
from specnet.exporting.program import Program, Stage
from specnet.exporting.target import ExportError
from specnet.exporting.text import Names, Text, write_expression

Array = NDArray[Any]

_PICKED = (LINEAR, GROUPED, op.ROWS, op.CONCATENATE, REPEAT)
"""Operations that read arrays, and not numbers one by one."""


class Loops:
    """Writes the statements of one program.

    Parameters
    ----------
    program : Program
    prepared, computed : Language
        For what is computed in float64 before and after the network, and for the network itself.
    names : Names
        With all that is reserved.

    Attributes
    ----------
    tables : dict of Table to str
        The names of tables.
    functions : list of str
        Definitions, in the order of their first use.
    lines : list of str
        The statements.
    pool : dict of str to int
        The scratch arrays and their sizes.
    """

    def __init__(self, program: Program, prepared: Language, computed: Language, names: Names) -> None:
        self.program, self.prepared, self.computed, self.names = program, prepared, computed, names
        self.tables = {table: names.new(table.name) for table in program.tables}
        self.functions: list[str] = []
        self.lines: list[str] = []
        self.pool: dict[str, int] = {}
        self._free: list[str] = []
        self._known: dict[Any, str] = {}
        steps = [step for formula in program.formulas for step in formula.steps]
        self._transposed = {step.operands[1] for step in steps if step.operation is LINEAR}
        self._write()

    def array(self, table: Table) -> Array:
        """Return a table's numbers as they are written: the weight of a dense layer as (inputs, outputs)."""
        return table.array.T if table in self._transposed else table.array

    def _write(self) -> None:
        program = self.program
        places = {-1: Place("x", program.inputs)}
        if not program.prepare.is_identity:
            self.lines.append("// preprocessing")
            places[-1] = self._formula(program.prepare, [places[-1]], self.prepared)
        readers = program.readers()
        for number, step in enumerate(program.steps):
            self.lines.append(f"// {step.title}")
            sources = [places[source] for source in step.node.inputs]
            inputs = {source.name for source in sources}
            for stage in step.stages:
                sources = [self._stage(stage, sources, inputs)]
            places[number] = sources[0]
            alive = {places[source].name for source in range(-1, number + 1) if max(readers[source]) > number}
            self._free = [name for name in self.pool if name not in alive]
        last = places[len(program.steps) - 1]
        if not program.finish.is_identity:
            self.lines.append("// target_preprocessing")
            last = self._formula(program.finish, [last], self.prepared)
        self._assign(Place("y", program.outputs), last.at(program.outputs).code)

    def _array(self, features: int) -> Place:
        name = self._free.pop(0) if self._free else self.names.new(f"a{len(self.pool)}")
        self.pool[name] = max(features, self.pool.get(name, 0))
        return Place(name, features)

    def _stage(self, stage: Stage, sources: Sequence[Place], inputs: Set[str]) -> Place:
        """Write a stage of a layer, over its source where that is not one of the layer's inputs."""
        if not stage.is_elementwise:
            return self._formula(stage.formula, sources, self.computed)
        (source,), features = sources, sources[0].features
        target = self._array(features) if source.name in inputs else source
        tables = (Place(self.tables[table], table.array.size) for table in stage.formula.tables)
        arguments = ", ".join(place.at(features).code for place in (source, *tables))
        self._assign(target, f"{self._function(stage)}({arguments})")
        return target

    def _function(self, stage: Stage) -> str:
        """Return the name of an activation's function, which is written on first use."""
        formula, key = stage.formula, stage.formula.signature()
        if key not in self._known:
            name = self._known[key] = self.names.new(stage.part.type)
            local = Names(["x"])
            parameters = {table: local.new(table.name.rpartition(".")[2]) for table in formula.tables}
            lines: list[str] = []

            def leaf(operand: Operand) -> Text:
                if isinstance(operand, float):
                    return self.computed.number(operand)
                return Text("x") if isinstance(operand, Source) else Text(parameters[operand])  # type: ignore[index]

            texts = self._expressions(formula.steps, formula, leaf, lines, local, self.computed)
            result = (texts.get(formula.output) or leaf(formula.output)).code
            summary = (inspect.getdoc(type(stage.part)) or "").partition("\n")[0]
            self.functions.append(self.computed.function(name, ["x", *parameters.values()], [*lines, result], summary))
        return self._known[key]

    def _assign(self, target: Place, code: str, before: Sequence[str] = ()) -> None:
        """Write the loop that fills a place."""
        self._loop(target.features, [*before, f"{target.at(target.features).code} = {code};"])

    def _loop(self, count: int, body: Sequence[str]) -> None:
        if count == 1:
            self.lines += body
        elif len(body) == 1:
            self.lines += [self.computed.loop(count), self.computed.indent + body[0]]
        else:
            inside = [self.computed.indent + line for line in body]
            self.lines += [f"{self.computed.loop(count)} {{", *inside, "}"]

    def _formula(self, formula: Formula, sources: Sequence[Place], language: Language) -> Place:
        """Write a formula's loops, and return where its result lies: in an array."""
        kept = _kept(formula)
        places: dict[Operand, Place] = {source: sources[source.number] for source in formula.sources}
        pending: list[Step] = []
        for step in formula.steps:
            if step not in kept:
                pending.append(step)
            else:
                places[step] = self._kept(step, kept[step], pending, formula, places, language)
        if formula.output in places:
            return places[formula.output]
        raise ExportError(f"{language.name} cannot write a layer whose result is the same for all rows")

    def _kept(
        self,
        step: Step,
        as_array: bool,
        pending: Sequence[Step],
        formula: Formula,
        places: dict[Operand, Place],
        language: Language,
    ) -> Place:
        """Write what computes a step that has a place of its own."""
        operation, operands = step.operation, step.operands
        body: list[str]
        if operation is LINEAR:
            target = self._array(step.features)
            weight, bias = self.tables[operands[1]], self.tables[operands[2]] if len(operands) > 2 else "0"  # type: ignore[index]
            source = places[operands[0]]
            array = language.part(source) if source.low else source.name
            self.lines.append(f"dense({source.features}, {step.features}, {weight}, {bias}, {array}, {target.name});")
            return target
        if operation is GROUPED:
            target, source, table = self._array(step.features), places[operands[0]], operands[1]
            assert isinstance(table, Table)
            sizes = ", ".join(map(str, reversed(table.array.shape)))
            array = language.part(source) if source.low else source.name
            self.lines.append(f"grouped({sizes}, {self.tables[table]}, {array}, {target.name});")
            return target
        if operation is LOOKUP:
            target, table = self._array(step.features), operands[1]
            assert isinstance(table, Table)
            body = []
            category = self._value(operands[0], 1, pending, formula, places, body, language)
            name = self.names.new("category")
            self.lines += [*body, language.constant(name, category.code)]
            categories, features = table.array.shape
            place = f"{language.whole(name)} * {features} + i" if features > 1 else language.whole(name)
            self._assign(target, language.lookup(self.tables[table], place, name, categories))
            return target
        if operation is REPEAT:
            (count, each), source, target = step.attributes, places[operands[0]], self._array(step.features)
            self._assign(target, language.repeated(source, count, each))
            return target
        if operation is op.ROWS:
            source = places[operands[0]]
            return Place(source.name, step.features, low=source.low + step.attributes[0])
        if operation is op.CONCATENATE:
            target, low = self._array(step.features), 0
            for operand in operands:
                source = places[operand]
                self._assign(Place(target.name, source.features, low=low), source.at(source.features).code)
                low += source.features
            return target
        if operation in (SUM, op.MAX) and step.attributes == "features":
            return self._reduced(step, pending, formula, places, language)
        if not (operation.elementwise or operation is EXPAND):
            raise ExportError(f"{language.name} has no form of the operation {operation.name}")
        body = []
        code = self._value(step, step.features, pending, formula, places, body, language).code
        if step.features == 1 and not as_array:
            name = self.names.new("t")
            self.lines += [*body, language.constant(name, code)]
            return Place(name, 1, is_array=False)
        target = self._array(step.features)
        self._assign(target, code, body)
        return target

    def _reduced(
        self, step: Step, pending: Sequence[Step], formula: Formula, places: dict[Operand, Place], language: Language
    ) -> Place:
        operand = step.operands[0]
        assert isinstance(operand, (Step, Source))
        name = self.names.new("total" if step.operation is SUM else "largest")
        body: list[str] = []
        value = self._value(operand, operand.features, pending, formula, places, body, language)
        if step.operation is SUM:
            start, change = language.number(0.0).code, f"{name} += {value.code};"
        else:
            start, item = language.smallest, self.names.new("t")
            body.append(language.constant(item, value.code))
            change = f"{name} = {name} < {item} ? {item} : {name};"
        self.lines.append(language.variable(name, start))
        body.append(change)
        self._loop(operand.features, body)
        return Place(name, 1, is_array=False)

    def _value(
        self,
        step: Operand,
        count: int,
        pending: Sequence[Step],
        formula: Formula,
        places: dict[Operand, Place],
        body: list[str],
        language: Language,
    ) -> Text:
        """Return the text of an operand inside a loop of so many, after lines for the variables that it needs."""

        def leaf(operand: Operand) -> Text:
            if isinstance(operand, float):
                return language.number(operand)
            if isinstance(operand, Table):
                return Place(self.tables[operand], operand.array.size).at(count)
            return places[operand].at(count)

        if not isinstance(step, Step) or step in places:
            return leaf(step)
        needed = _behind(step, places)
        chain = [other for other in pending if other in needed] + [step]
        return self._expressions(chain, formula, leaf, body, self.names, language)[step]

    def _expressions(
        self,
        steps: Sequence[Step],
        formula: Formula,
        leaf: Callable[[Operand], Text],
        lines: list[str],
        names: Names,
        language: Language,
    ) -> dict[Operand, Text]:
        forms = language.forms
        uses = _uses_within(steps)

        def variable(step: Step, code: str) -> Text:
            name = names.new("t")
            lines.append(language.constant(name, code))
            return Text(name)

        def form(step: Step, operands: list[Text]) -> Text:
            if step.operation is EXPAND:
                return operands[0]
            if step.operation not in forms:
                raise ExportError(f"{language.name} has no form of the operation {step.operation.name}")
            return language.form(step, forms).write(operands)

        return write_expression(
            steps, uses, leaf, form, variable, lambda step, position: position in language.twice.get(step.operation, ())
        )


def _uses_within(steps: Sequence[Step]) -> dict[Operand, int]:
    counts: dict[Operand, int] = dict.fromkeys(steps, 0)
    for step in steps:
        for operand in step.operands:
            if operand in counts:
                counts[operand] += 1
    return counts


def _behind(step: Step, places: dict[Operand, Place]) -> set[Operand]:
    """Return the steps that a step is made of, down to those that have a place."""
    found: set[Operand] = set()
    waiting: list[Operand] = list(step.operands)
    while waiting:
        operand = waiting.pop()
        if isinstance(operand, Step) and operand not in places and operand not in found:
            found.add(operand)
            waiting += operand.operands
    return found


def _kept(formula: Formula) -> dict[Step, bool]:
    """Return the steps whose results have a place of their own, and whether that must be an array.

    A loop computes all that only it needs. What other loops read too, what has another length, and what a product or a
    concatenation reads is kept.
    """
    kept: dict[Step, bool] = {}
    loops: dict[Step, set[tuple[Step, int]]] = {step: set() for step in formula.steps}
    arrays = {operand for step in formula.steps if step.operation in _PICKED for operand in step.operands}
    arrays.add(formula.output)
    for step in reversed(formula.steps):
        inside = step.operation.elementwise or step.operation is EXPAND
        lengths = {length for _, length in loops[step]}
        if not inside or step in arrays or len(loops[step]) > 1 or lengths - {step.features}:
            kept[step] = step in arrays
        for operand in step.operands:
            if isinstance(operand, Step):
                if step in kept:
                    length = operand.features if step.operation in (SUM, op.MAX, LOOKUP) else step.features
                    loops[operand].add((step, length))
                else:
                    loops[operand] |= loops[step]
    return kept
