"""A model as functions of whole arrays (rows, features), for Python libraries: one an activation, one line a layer."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from specnet.exporting.formula import Formula, Operand, Source, Step, Table
from specnet.exporting.program import Program, Stage
from specnet.exporting.text import CALL, Form, Names, Text, write_expression

_INLINE = 2
"""Steps of a layer, other than an activation, up to which it needs no function of its own."""


class Library(ABC):
    """How a library of arrays is written.

    Attributes
    ----------
    words : frozenset of str
        What no variable can be called.
    """

    words: frozenset[str]

    @abstractmethod
    def form(self, step: Step, operands: Sequence[Text], array: str, dtype: np.dtype[Any]) -> Form:
        """Return how a step is written, `array` being one that has as many rows.

        Raises
        ------
        ExportError
            If the library has no form of it.
        """

    @abstractmethod
    def number(self, number: float) -> Text:
        """Return a number."""

    @abstractmethod
    def converted(self, array: Text, dtype: np.dtype[Any]) -> Text:
        """Return an array in another precision."""


class Rows:
    """Writes one program.

    Parameters
    ----------
    program : Program
    library : Library
    names : Names
        With all that the file reserves.
    tables : mapping
        How each table is called.

    Attributes
    ----------
    definitions : list of str
        Functions, in the order of their first use.
    lines : list of str
        From `x`, raw columns in float64, to `result`.
    result : str
        What is answered.
    """

    def __init__(self, program: Program, library: Library, names: Names, tables: Mapping[Table, str]) -> None:
        self.program, self.library, self.names, self.tables = program, library, names, tables
        self.definitions: list[str] = []
        self.lines: list[str] = []
        self._functions: dict[Any, str] = {}
        self.result = self._write()

    def _write(self) -> str:
        program, lines, float64 = self.program, self.lines, np.dtype(np.float64)
        readers = program.readers()
        prepared = self._inline(program.prepare, [Text("x")], float64)
        if program.dtype != float64:
            prepared = self.library.converted(prepared, program.dtype)
        results = {-1: self._variable(-1, readers)}
        if prepared.code != results[-1]:
            lines.append(f"{results[-1]} = {prepared.code}")
        for number, step in enumerate(program.steps):
            texts = [Text(results[source]) for source in step.node.inputs]
            for stage in step.stages:
                texts = [self._stage(stage, texts)]
            results[number] = self._variable(number, readers)
            done = texts[0].code == results[number]
            lines.append(f"# {step.title}" if done else f"{results[number]} = {texts[0].code}  # {step.title}")
        return self._inline(program.finish, [Text(results[len(program.steps) - 1])], float64).code

    def _variable(self, number: int, readers: Mapping[int, Sequence[int]]) -> str:
        """Return the variable of a layer's result: `x` where only the next layer reads it."""
        if readers[number] == [number + 1]:
            return "x"
        return self.names.new("prepared" if number < 0 else self.program.steps[number].node.key)

    def _stage(self, stage: Stage, texts: Sequence[Text]) -> Text:
        formula = stage.formula
        if len(formula.steps) <= _INLINE and not stage.is_activation:
            return self._inline(formula, texts, self.program.dtype)
        arguments = [*(text.code for text in texts), *(self.tables[table] for table in formula.tables)]
        return Text(f"{self._function(stage)}({', '.join(arguments)})", CALL)

    def _function(self, stage: Stage) -> str:
        """Return the name of the function that computes a stage, which is written on first use."""
        formula, key = stage.formula, stage.formula.signature()
        if key in self._functions:
            return self._functions[key]
        name = self._functions[key] = self.names.new(stage.part.type)
        local = Names(self.library.words)
        sources = ["x"] if len(formula.sources) == 1 else [local.new(f"x{source.number}") for source in formula.sources]
        tables = {table: local.new(table.name.rpartition(".")[2]) for table in formula.tables}
        lines: list[str] = []
        result = self._expression(formula, list(map(Text, sources)), tables, lines, local, self.program.dtype)
        summary = quoted((inspect.getdoc(type(stage.part)) or stage.part.type).partition("\n")[0])
        inside = [f'"""{summary}"""', *lines, f"return {result.code}"]
        body = "".join(f"    {line}\n" for line in inside)
        self.definitions.append(f"def {name}({', '.join([*sources, *tables.values()])}):\n{body}")
        return name

    def _inline(self, formula: Formula, texts: Sequence[Text], dtype: np.dtype[Any]) -> Text:
        return self._expression(formula, texts, self.tables, self.lines, self.names, dtype)

    def _expression(
        self,
        formula: Formula,
        sources: Sequence[Text],
        tables: Mapping[Table, str],
        lines: list[str],
        names: Names,
        dtype: np.dtype[Any],
    ) -> Text:
        """Return a formula's result as an expression, after lines for the variables that it needs."""

        def leaf(operand: Operand) -> Text:
            match operand:
                case Source():
                    return sources[operand.number]
                case Table():
                    return Text(tables[operand])
                case _:
                    assert isinstance(operand, float)
                    return self.library.number(operand)

        def variable(step: Step, code: str) -> Text:
            name = names.new(step.operation.name)
            lines.append(f"{name} = {code}")
            return Text(name)

        def form(step: Step, operands: list[Text]) -> Text:
            return self.library.form(step, operands, sources[0].code, dtype).write(operands)

        texts = write_expression(formula.steps, formula.uses(), leaf, form, variable)
        return texts[formula.output] if formula.output in texts else leaf(formula.output)


def quoted(text: str) -> str:
    """Return a text as it may stand in a docstring."""
    return text.replace("\\", "\\\\").replace('"', '\\"')
