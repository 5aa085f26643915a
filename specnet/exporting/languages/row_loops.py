"""A model as loops over single rows, for languages that write them as C does.

A layer's steps become as few loops as possible: a chain of elementwise steps is one expression, and only what several
loops or a product read is kept in an array. Arrays are used again as soon as nobody reads them, and the last layer
works where the outputs belong.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping, Sequence, Set
from types import MappingProxyType
from typing import Any

from specnet.compiler import Operation
from specnet.compiler.expressions import CALL, PRODUCT, Text
from specnet.compiler.value import ADD, DIVIDE, MULTIPLY, SUBTRACT
from specnet.exporting.formula import LINEAR, Constants, Formula, Operand, Source, Step
from specnet.exporting.formula_text import FreeNames
from specnet.exporting.languages.formula_loops import FormulaLoops
from specnet.exporting.languages.language import Language, Scratch, Variable
from specnet.exporting.layer_steps import Stage
from specnet.exporting.model_program import Program
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
    lines : list of str
        The statements.
    """

    def __init__(self, program: Program, prepared: Language, computed: Language, reserved: Sequence[str]) -> None:
        self.program, self.prepared, self.computed, self.reserved = program, prepared, computed, reserved
        self.names = FreeNames(reserved)
        self.tables = {table: self.names.new(name) for table, name in _table_names(program).items()}
        self._member = self.names.new("member") if program.is_averaged else ""
        self._references = {
            table: f"{name}[{self._member}]" if program.has_members(table) else name
            for table, name in self.tables.items()
        }
        self.functions: list[str] = []
        self.lines: list[str] = []
        self._scratch = Scratch(program, self.names)
        self._known: dict[Any, str] = {}
        steps = [step for formula in program.formulas for step in formula.steps]
        self._transposed = {step.operands[1] for step in steps if step.operation is LINEAR}
        self._write()

    @property
    def arrays(self) -> Mapping[str, int]:
        """The scratch arrays and their sizes."""
        return self._scratch.sizes

    @property
    def wide(self) -> Set[str]:
        """The scratch arrays that are wide."""
        return self._scratch.wide

    def numbers(self, table: Constants) -> Array:
        """Return a table's numbers as they are written: the weight of a dense layer as (inputs, outputs).

        Before these axes may be one of the members.
        """
        numbers = self.program.numbers(table)
        return numbers.swapaxes(-1, -2) if table in self._transposed else numbers

    def _write(self) -> None:
        program, columns = self.program, Variable("x", self.program.inputs)
        if not program.prepare.is_identity:
            self.lines.append("// preprocessing")
            columns = self._formula(program.prepare, [columns], self.prepared)
        if program.is_averaged:
            self._average(columns)
        else:
            self._network(columns)

    def _average(self, columns: Variable) -> None:
        """Write the loop over the members of an ensemble, which all read the prepared columns."""
        answer, sums, language = self._scratch.answer, self._scratch.sums(), self.prepared
        self._scratch.kept = {columns.name, sums.name}
        before, self.lines = self.lines, []
        self._network(columns)
        size, count = answer.features, len(self.program.members)
        added = f"{sums.at(size).code} += {language.read(answer.at(size)).code};"
        self.lines = [
            *before,
            *language.fill(sums, language.number(0.0)),
            *language.loop(count, [*self.lines, *language.loop(size, [added])], self._member),
            *language.fill(answer, Text(f"{sums.at(size).code} / {count}", PRODUCT)),
        ]

    def _network(self, columns: Variable) -> None:
        """Write the layers, from the prepared columns to the answer."""
        program, answer = self.program, self._scratch.answer
        places, readers = {-1: columns}, program.readers()
        for number, step in enumerate(program.steps):
            self.lines.append(f"// {step.title}")
            later = (source for source in range(-1, number) if max(readers[source]) > number)
            self._scratch.awaited = {places[source].name for source in later}
            sources = [places[source] for source in step.node.inputs]
            for stage in step.stages:
                sources = [self._stage(stage, sources)]
            places[number] = sources[0]
        last = places[len(program.steps) - 1]
        if not program.finish.is_identity:
            self.lines.append("// target_preprocessing")
            last = self._formula(program.finish, [last], self.prepared)
        if last != answer:
            self.lines += self.computed.fill(answer, last.at(program.outputs))

    def _formula(self, formula: Formula, sources: Sequence[Variable], language: Language) -> Variable:
        loops = FormulaLoops(formula, sources, self._references, language, self._scratch, self.names)
        self.lines += loops.lines
        return loops.result

    def _stage(self, stage: Stage, sources: Sequence[Variable]) -> Variable:
        formula = stage.formula
        if stage.activation is None or not stage.activation.elementwise or self._is_a_call(formula):
            return self._formula(formula, sources, self.computed)
        (source,), features = sources, sources[0].features
        target = self._scratch.place(formula.output, features, [source.name])
        tables = (Variable(self._references[table], table.array.size) for table in formula.tables)
        arguments = ", ".join(place.at(features).code for place in (source, *tables))
        self.lines += self.computed.fill(target, Text(f"{self._function(stage)}({arguments})", CALL))
        return target

    def _is_a_call(self, formula: Formula) -> bool:
        """Return whether a formula is one call of a function that the language has."""
        known = [step for step in formula.steps if step.operation in self.computed.forms]
        return len(formula.steps) == len(known) == 1 and self.computed.form(known[0]).level == CALL

    def _function(self, stage: Stage) -> str:
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


def _table_names(program: Program) -> dict[Constants, str]:
    """Return what each table is called; one that was folded, by what it does."""
    found: dict[Constants, str] = {}
    for formula in program.formulas:
        for step in formula.steps:
            for position, operand in enumerate(step.operands):
                if isinstance(operand, Constants) and operand not in found:
                    role = _ROLES.get((step.operation, position))
                    found[operand] = _FOLDED.sub(role, operand.name) if role else operand.name
    return found
