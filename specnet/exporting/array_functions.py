"""Conversion of a program to functions of arrays (rows, features), for Python libraries.

Each activation becomes a function, and each layer a line.
"""

from __future__ import annotations

import builtins
import inspect
import keyword
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from specnet.compiler import Operation, operations
from specnet.compiler.expressions import ARITHMETIC, CALL, PRODUCT, SUM, Form, Text
from specnet.errors import UnsupportedError
from specnet.exporting.export_plan import GROUPED, LOOKUP, Constants, NetworkPlan, Operand, Stage, Step
from specnet.exporting.expression_text import FreeNames, function_forms, python_number, write_expression
from specnet.exporting.file_templates import rendered
from specnet.exporting.model_program import Program
from specnet.parts.arrays import FLOAT64

WIDTH = 100
"""The number of characters above which a line is broken if possible."""
_COMMENTED = 112
"""The number of characters above which a line's comment gets a separate line."""
_INLINE = 2
"""The largest number of steps of a layer that is written without a function; for activations it is 1."""


PYTHON_WORDS = frozenset({*keyword.kwlist, *dir(builtins), "Path", "x", "grouped", "lookup"})
"""Names that are not available for variables in a Python file, for any library."""
_METHODS = ("{}.", "{}[")
"""Beginnings of forms that need no parentheses around the first operand if it is a name or a call."""


def library_forms(name: str, **others: str) -> dict[Operation, Form]:
    """Return the forms of a library's elementwise operations, and of the helper functions in its file."""
    return (
        ARITHMETIC
        | function_forms(f"{name}.{{}}", **others)
        | {
            operations.MAXIMUM: Form(f"{name}.maximum({{}}, {{}})"),
            operations.MINIMUM: Form(f"{name}.minimum({{}}, {{}})"),
            operations.WHERE: Form(f"{name}.where({{}}, {{}}, {{}})"),
            GROUPED: Form("grouped({}, {})"),
            LOOKUP: Form("lookup({}, {})"),
        }
    )


class RowWriter(ABC):
    """Base class of writers of a program's functions and statements on arrays (rows, features), one for each library.

    Parameters
    ----------
    program : Program
    names : FreeNames
        Free names, without those that the file reserves.
    tables : mapping
        The expression of each table in the code.

    Attributes
    ----------
    name : str
        Name of the library.
    words : frozenset of str
        Names that are not available for variables.
    forms : mapping
        Forms of operations with fixed code.
    shapes : mapping
        Templates of other operations by name. Their fields are `all` operands, an `array` with as many rows, the
        number of `features`, the `dtype`, and the operation's attributes as ``{at[0]}`` and ``{at[1]}``. `each` is a
        `repeat` feature by feature, and `repeat` repeats all features as a whole; so do `fold_each` and `fold`, their
        sums. `pad` adds zeros, `after` of them at the end.
    definitions : list of str
        Functions, in the order of their first use.
    bodies : list of (list of str, list of str)
        For each network the lines that compute its answer from `x`, the raw columns in float64, and return it. For an
        ensemble, also the lines that compute a member's outputs from `x`, the prepared columns, and return them.
    lines : list of str
        The lines that compute the program's answer from `x` and return it.
    """

    name: str
    words: frozenset[str]
    forms: Mapping[Operation, Form]
    shapes: Mapping[str, str]

    def __init__(self, program: Program, names: FreeNames, tables: Mapping[Constants, str]) -> None:
        self.program, self.names, self.tables = program, names, tables
        self.definitions: list[str] = []
        self.lines: list[str] = []
        self._functions: dict[Any, str] = {}
        self.bodies = [self._written(model) for model in program.networks]
        self.lines = self._mean() if program.is_team else self.bodies[0][0]

    def text(self, **facts: Any) -> str:
        """Return the file's text: the library's template, rendered with given facts and those for all libraries."""
        program = self.program
        return rendered(
            f"{self.name}.py",
            program=program,
            interval=program.interval,
            names=program.model.feature_names,
            has_grouped=GROUPED in program.operations,
            has_lookup=LOOKUP in program.operations,
            definitions=[definition.strip("\n") for definition in self.definitions],
            lines=self.lines,
            quoted=quoted,
            listed=lambda values, *around: in_lines(list(map(repr, values)), *around),
            **facts,
        )

    def form(self, step: Step, operands: Sequence[Text], array: str, dtype: np.dtype[Any]) -> Form:
        """Return the form of a step; `array` is the name of an array with the same number of rows.

        Raises
        ------
        ExportError
            If the library lacks the operation.
        """
        operation, at = step.operation, step.attributes
        if operation in self.forms:
            return self.forms[operation]
        name = operation.name
        if operation in (operations.REPEAT, operations.FOLD) and at[1]:
            name = {"repeat": "each", "fold": "fold_each"}[name]
        if name not in self.shapes or (name in ("sum", "max") and at != "features"):
            raise UnsupportedError(f"{self.name} has no equivalent of the operation {operation.name}")
        both = {"all": ", ".join(["{}"] * len(operands)), "features": step.features}
        both["after"] = at[2] - at[1] if operation is operations.PAD else 0
        text = self.shapes[name].format(at=at, array=array, dtype=dtype.name, **both)
        return Form(text, CALL, (CALL,) if text.startswith(_METHODS) else ())

    def call(self, stage: Stage, operands: Sequence[Text], tables: Mapping[str, str]) -> Text | None:
        """Return a call of the library's own function for a stage, without mixture; None if the library has none.

        Parameters
        ----------
        stage : Stage
        operands : sequence of Text
            Expressions of the stage's sources.
        tables : mapping
            Expressions of the stage's tables, by the last word of their names.
        """
        return None

    @abstractmethod
    def each_member(self, model: NetworkPlan) -> tuple[str, Text]:
        """Return the head of the loop over the members of an ensemble, and the call of a member for `x`."""

    @abstractmethod
    def called_model(self, number: int) -> Text:
        """Return the call of a network of a team for `x`."""

    def _converted(self, array: Text, dtype: np.dtype[Any]) -> Text:
        """Return an array in another precision."""
        return Text(self.shapes["cast"].format(dtype=dtype.name).format(array.within(CALL)), CALL)

    def _written(self, model: NetworkPlan) -> tuple[list[str], list[str]]:
        """Return the lines of a network and, unless it is a single network, those of an ensemble member."""
        self.lines = []
        prepared = self._inline(model.prepare, [Text("x")], FLOAT64)
        if model.dtype != FLOAT64:
            prepared = self._converted(prepared, model.dtype)
        if not model.is_averaged:
            self._network(model, prepared)
            return self.lines, []
        self._assign("x", prepared)
        before, self.lines = self.lines, []
        self._network(model, Text("x"))
        member, self.lines = self.lines, before
        self._average(model)
        return self.lines, member

    def _average(self, model: NetworkPlan) -> None:
        """Add the lines for the mean of the ensemble members' answers, summed in float64."""
        total = self.names.new("total")
        head, answer = self.each_member(model)
        before, self.lines = self.lines, []
        if not model.finish.is_identity:
            result = self.names.new("y")
            self._assign(result, answer)
            answer = self._inline(model.finish, [Text(result)], FLOAT64)
        self._assign(total, Text(f"{total} + {self._in_double(answer).within(PRODUCT)}"))
        mean = self._divided(total, len(model.members), model.finish.is_identity)
        self.lines = [*before, f"{total} = 0", head, *(f"    {line}" for line in self.lines), mean]

    def _mean(self) -> list[str]:
        """Return the lines for the mean of a team's answers, weighted by the shares and summed in float64."""
        models, total = self.program.networks, self.names.new("total")
        lines = [f"{total} = 0"]
        for number, model in enumerate(models):
            answer = self._in_double(self.called_model(number)).within(PRODUCT)
            lines.append(f"{total} = {total} + {f'{model.share} * ' * (model.share > 1)}{answer}")
        are_outputs = all(model.finish.is_identity for model in models)
        return [*lines, self._divided(total, self.program.shares, are_outputs)]

    def _in_double(self, answer: Text) -> Text:
        return answer if self.program.dtype == FLOAT64 else self._converted(answer, FLOAT64)

    def _divided(self, total: str, count: int, are_outputs: bool) -> str:
        """Return the line that returns a sum divided by a count; if `are_outputs`, in the network's precision."""
        mean = Text(f"{total} / {count}", PRODUCT)
        if are_outputs and self.program.dtype != FLOAT64:
            mean = self._converted(mean, self.program.dtype)
        return f"return {mean.code}"

    def _network(self, model: NetworkPlan, prepared: Text) -> None:
        """Add the lines of a network, from its prepared columns to its answer, or to the outputs of a member."""
        lines, readers = self.lines, model.readers()

        def variable(number: int) -> str:
            """Return the variable of a layer's result: `x` if only the next layer reads it."""
            if readers[number] == [number + 1]:
                return "x"
            return self.names.new("prepared" if number < 0 else model.layers[number][0].node.key)

        results = {-1: variable(-1)}
        self._assign(results[-1], prepared)
        is_answered = model.is_averaged or model.finish.is_identity
        last = len(model.layers) - 1
        for number, layer in enumerate(model.layers):
            texts, title = [Text(results[source]) for source in layer[0].node.inputs], layer[0].title
            for stage in layer:
                texts = [self._stage(stage, texts)]
            results[number] = variable(number)
            answers = number == last and is_answered
            if not answers and texts[0].code == results[number]:
                lines.append(f"# {title}")
            else:
                lines += _commented(f"{'return' if answers else f'{results[number]} ='} {texts[0].code}", title)
        if not is_answered:
            lines.append(f"return {self._inline(model.finish, [Text(results[last])], FLOAT64).code}")

    def _assign(self, variable: str, value: Text) -> None:
        if value.code != variable:
            self.lines.append(f"{variable} = {value.code}")

    def _stage(self, stage: Stage, texts: Sequence[Text]) -> Text:
        if stage.is_identity:
            return texts[0]
        is_mixed = stage.activation is not None and stage.activation.parametric  # the result is mixed with the input
        own = None if is_mixed else self.call(stage, texts, _by_last_word(stage, self.tables))
        if own is not None:
            return own
        is_one_call = [step.operands for step in stage.steps] == [stage.sources]  # as tanh is
        if (len(stage.steps) <= _INLINE and stage.activation is None) or is_one_call:
            return self._inline(stage, texts, self.program.dtype)
        arguments = [*(text.code for text in texts), *(self.tables[table] for table in stage.tables)]
        return Text(f"{self._function(stage)}({', '.join(arguments)})", CALL)

    def _function(self, stage: Stage) -> str:
        """Return the name of the function that computes a stage; its definition is added on first use."""
        key = stage.signature()
        if key in self._functions:
            return self._functions[key]
        name = self._functions[key] = self.names.new(stage.part.type)
        local, count = FreeNames(self.words), len(stage.sources)
        sources = ["x"] if count == 1 else [local.new(f"x{number}") for number in range(count)]
        tables = {table: local.new(table.name.rpartition(".")[2]) for table in stage.tables}
        lines: list[str] = []
        texts = list(map(Text, sources))
        own = self.call(stage, texts, _by_last_word(stage, tables))
        if own is None:
            result = self._expression(stage, texts, tables, lines, local, self.program.dtype).code
        else:  # there is a mixture: otherwise `_stage` would have inlined the call
            result = f"x + mixture * ({own.within(SUM)} - x)"
        summary = quoted((inspect.getdoc(type(stage.part)) or stage.part.type).partition("\n")[0])
        inside = [f'"""{summary}"""', *lines, f"return {result}"]
        body = "".join(f"    {line}\n" for line in inside)
        self.definitions.append(f"def {name}({', '.join([*sources, *tables.values()])}):\n{body}")
        return name

    def _inline(self, stage: Stage, texts: Sequence[Text], dtype: np.dtype[Any]) -> Text:
        return self._expression(stage, texts, self.tables, self.lines, self.names, dtype)

    def _expression(
        self,
        stage: Stage,
        sources: Sequence[Text],
        tables: Mapping[Constants, str],
        lines: list[str],
        names: FreeNames,
        dtype: np.dtype[Any],
    ) -> Text:
        """Return a stage's result as an expression; assignments of its variables are added to `lines`."""

        def leaf(operand: Operand) -> Text:
            match operand:
                case float():
                    return python_number(operand)
                case Constants():
                    return Text(tables[operand])
                case Step():
                    return sources[stage.sources.index(operand)]

        def variable(step: Step, code: str) -> Text:
            name = names.new(step.operation.name)
            lines.append(f"{name} = {code}")
            return Text(name)

        def form(step: Step, operands: list[Text]) -> Text:
            return self.form(step, operands, sources[0].code, dtype).write(operands)

        uses = stage.uses()
        result = stage.output if uses.get(stage.output) == 1 else None
        texts = write_expression(stage.steps, uses, leaf, form, variable, result=result)
        return texts[stage.output] if stage.output in texts else leaf(stage.output)


def _by_last_word(stage: Stage, tables: Mapping[Constants, str]) -> dict[str, str]:
    """Return the expressions of a stage's tables, by the last words of the tables' names."""
    return {table.name.rpartition(".")[2]: tables[table] for table in stage.tables if table in tables}


def _commented(code: str, comment: str) -> list[str]:
    """Return a line of code with a comment after it, or above it if the line would become too long."""
    line = f"{code}  # {comment}"
    return [line] if len(line) <= _COMMENTED else [f"# {comment}", code]


def in_lines(items: Sequence[str], before: str, after: str) -> str:
    """Return items between two texts that contain the brackets, in several lines if one line is too long."""
    line = f"{before}{', '.join(items)}{after}"
    if len(line) <= WIDTH:
        return line
    return "\n".join([before, *filled(items, "    "), after])


def filled(items: Sequence[str], indent: str) -> list[str]:
    """Return items with a comma after each, in lines filled up to `WIDTH`."""
    lines = [indent]
    for item in items:
        if len(lines[-1]) + len(item) >= WIDTH and lines[-1] != indent:
            lines.append(indent)
        lines[-1] += f"{item}, "
    return [line.rstrip() for line in lines]


def quoted(text: str) -> str:
    """Return a text with backslashes and quotes escaped, for use in a docstring."""
    return text.replace("\\", "\\\\").replace('"', '\\"')
