"""A model as loops over single rows, for languages that write them as C does.

A layer's steps become as few loops as possible: a chain of elementwise steps is one expression, and only what several
loops or a product read is kept in an array. Arrays are used again as soon as nobody reads them, and the last layer
works where the outputs belong.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from specnet.compiler import Operation
from specnet.compiler.expressions import CALL, PRODUCT, Text
from specnet.compiler.value import ADD, DIVIDE, MULTIPLY, SUBTRACT
from specnet.exporting.formula import LINEAR, Constants, Formula, FreeNames, Operand, Source, Step
from specnet.exporting.languages.formula_loops import FormulaLoops
from specnet.exporting.languages.language import Language, Scratch, Variable
from specnet.exporting.model_program import Program
from specnet.exporting.model_steps import ModelSteps, Stage
from specnet.parts.arrays import Array

_FOLDED = re.compile(r"constant_\d+$")
"""How the name of a table ends that the layer itself has no name for."""
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
"""What the operand of an operation at a position does."""


@dataclass(frozen=True)
class Body:
    """What a function does, from raw columns `x` to answers `y`.

    Attributes
    ----------
    name : str
        Of the function of one model of a team; empty for the program's own.
    lines : list of str
        The statements.
    arrays : mapping of str to int
        The scratch arrays and their sizes.
    wide : set of str
        Those of them that are wide.
    """

    name: str
    lines: list[str]
    arrays: Mapping[str, int]
    wide: Set[str]


class Loops:
    """Writes the statements of one program.

    Parameters
    ----------
    program : Program
    prepared, computed : Language
        For what is computed in float64 before and after the network, and for the network itself.
    reserved : sequence of str
        What neither a variable nor a table can be called.

    Attributes
    ----------
    tables : dict of Constants to str
        The names of tables.
    functions : list of str
        Definitions, in the order of their first use.
    models : list of Body
        The functions of the models of a team; none of a model alone.
    body : Body
        Of the program.
    """

    def __init__(self, program: Program, prepared: Language, computed: Language, reserved: Sequence[str]) -> None:
        self.program, self.prepared, self.computed, self.reserved = program, prepared, computed, reserved
        self.names = FreeNames(reserved)
        self.tables = {table: self.names.new(name) for table, name in _table_names(program).items()}
        self.member = self.names.new("member") if any(model.is_averaged for model in program.models) else ""
        self.references = {
            table: f"{name}[{self.member}]" if program.has_members(table) else name
            for table, name in self.tables.items()
        }
        self.functions: list[str] = []
        self._known: dict[Any, str] = {}
        steps = [step for formula in program.formulas for step in formula.steps]
        self._transposed = {step.operands[1] for step in steps if step.operation is LINEAR}
        names = [self.names.new(f"model_{number}") * program.is_team for number in range(len(program.models))]
        bodies = [_ModelLoops(self, *each).body() for each in zip(program.models, names, strict=True)]
        self.models, self.body = (bodies, self._mean(bodies)) if program.is_team else ([], bodies[0])

    def numbers(self, table: Constants) -> Array:
        """Return a table's numbers as they are written: the weight of a dense layer as (inputs, outputs).

        Before these axes may be one of the members.
        """
        numbers = self.program.numbers(table)
        return numbers.swapaxes(-1, -2) if table in self._transposed else numbers

    def _mean(self, models: Sequence[Body]) -> Body:
        """Return the mean of what the models of a team answer, weighted by their shares."""
        is_wide, language = self.program.answers_are_wide, self.prepared
        scratch = Scratch(self.program.outputs, self.names, is_wide=is_wide)
        answer, sums = scratch.answer, scratch.sums()
        lines = language.fill(sums, language.number(0.0))
        for body, model in zip(models, self.program.models, strict=True):
            lines.append(f"{body.name}(x, {answer.name}{language.passed_on});")
            lines += added(language, answer, sums, model.share)
        lines += divided(language, sums, answer, self.program.shares)
        return Body("", lines, scratch.sizes, scratch.wide)

    def activation(self, stage: Stage) -> str:
        """Return the name of an activation's function, which is written on first use."""
        formula, key = stage.formula, stage.formula.signature()
        if key not in self._known:
            name = self._known[key] = self.names.new(stage.part.type)
            local = FreeNames([*self.reserved, "x"])
            parameters = {table: local.new(table.name.rpartition(".")[2]) for table in formula.tables}

            def leaf(operand: Operand) -> Text:
                if isinstance(operand, float):
                    return self.computed.number(operand)
                if isinstance(operand, Source):
                    return Text("x")
                assert isinstance(operand, Constants), "a step's result has a name of its own"
                return Text(parameters[operand])

            lines: list[str] = []
            if isinstance(formula.output, Step):
                result = self.computed.expression(formula.steps, formula.uses(), leaf, lines, local)
            else:
                result = leaf(formula.output)
            summary = (inspect.getdoc(type(stage.part)) or "").partition("\n")[0]
            body = [*lines, result.code]
            self.functions.append(self.computed.function(name, ["x", *parameters.values()], body, summary))
        return self._known[key]


def added(language: Language, answer: Variable, sums: Variable, share: int = 1) -> list[str]:
    """Return the loop that adds an answer to sums, so many times."""
    size = answer.features
    times = f"{language.number(share).code} * " * (share > 1)
    return language.loop(size, [f"{sums.at(size).code} += {times}{language.read(answer.at(size)).code};"])


def divided(language: Language, sums: Variable, answer: Variable, count: int) -> list[str]:
    """Return the loop that makes an answer of sums over so many."""
    return language.fill(answer, Text(f"{sums.at(answer.features).code} / {count}", PRODUCT))


class _ModelLoops:
    """Writes the statements of one model of a program, with tables and functions of the whole."""

    def __init__(self, loops: Loops, model: ModelSteps, name: str) -> None:
        self.loops, self.model, self.name = loops, model, name
        self.prepared, self.computed = loops.prepared, loops.computed
        self.lines: list[str] = []
        self._scratch = Scratch(model.outputs, loops.names, model, is_wide=loops.program.answers_are_wide)

    def body(self) -> Body:
        """Return all of them."""
        model, program = self.model, self.loops.program
        columns = Variable("x", program.inputs, is_wide=program.columns_are_wide)
        if not model.prepare.is_identity:
            self.lines.append("// preprocessing")
            columns = self._formula(model.prepare, [columns], self.prepared)
        if model.is_averaged:
            self._average(columns)
        else:
            self._network(columns)
        return Body(self.name, self.lines, self._scratch.sizes, self._scratch.wide)

    def _average(self, columns: Variable) -> None:
        """Write the loop over the members of an ensemble, which all read the prepared columns."""
        answer, sums, language = self._scratch.answer, self._scratch.sums(), self.prepared
        self._scratch.kept = {columns.name, sums.name}
        before, self.lines = self.lines, []
        self._network(columns)
        count = len(self.model.members)
        self.lines = [
            *before,
            *language.fill(sums, language.number(0.0)),
            *language.loop(count, [*self.lines, *added(language, answer, sums)], self.loops.member),
            *divided(language, sums, answer, count),
        ]

    def _network(self, columns: Variable) -> None:
        """Write the layers, from the prepared columns to the answer."""
        model, answer = self.model, self._scratch.answer
        places, readers = {-1: columns}, model.readers()
        for number, step in enumerate(model.steps):
            self.lines.append(f"// {step.title}")
            later = (source for source in range(-1, number) if max(readers[source]) > number)
            self._scratch.awaited = {places[source].name for source in later}
            sources = [places[source] for source in step.node.inputs]
            for stage in step.stages:
                sources = [self._stage(stage, sources)]
            places[number] = sources[0]
        last = places[len(model.steps) - 1]
        if not model.finish.is_identity:
            self.lines.append("// target_preprocessing")
            last = self._formula(model.finish, [last], self.prepared)
        if last != answer:
            self.lines += self.computed.fill(answer, last.at(model.outputs))

    def _formula(self, formula: Formula, sources: Sequence[Variable], language: Language) -> Variable:
        loops = FormulaLoops(formula, sources, self.loops.references, language, self._scratch, self.loops.names)
        self.lines += loops.lines
        return loops.result

    def _stage(self, stage: Stage, sources: Sequence[Variable]) -> Variable:
        formula = stage.formula
        if stage.activation is None or not stage.activation.elementwise or self._is_a_call(formula):
            return self._formula(formula, sources, self.computed)
        (source,), features = sources, sources[0].features
        target = self._scratch.place(formula.output, features, [source.name])
        tables = (Variable(self.loops.references[table], table.array.size) for table in formula.tables)
        arguments = ", ".join(place.at(features).code for place in (source, *tables))
        self.lines += self.computed.fill(target, Text(f"{self.loops.activation(stage)}({arguments})", CALL))
        return target

    def _is_a_call(self, formula: Formula) -> bool:
        """Return whether a formula is one call of a function that the language has."""
        known = [step for step in formula.steps if step.operation in self.computed.forms]
        return len(formula.steps) == len(known) == 1 and self.computed.form(known[0]).level == CALL


def _table_names(program: Program) -> dict[Constants, str]:
    """Return what each table is called; one that was folded, by what it does."""
    found, names = dict[Constants, str](), program.tables
    for step in (step for formula in program.formulas for step in formula.steps):
        for position, operand in enumerate(step.operands):
            if isinstance(operand, Constants) and operand not in found:
                role, name = _ROLES.get((step.operation, position)), names[operand]
                found[operand] = _FOLDED.sub(role, name) if role else name
    return found
