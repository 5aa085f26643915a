"""Differences between languages with loops like those of C, and the arrays that store results.

A program processes one row at a time with few arrays: an array is reused as soon as nothing reads it any more.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from specnet.compiler import Operation
from specnet.compiler.expressions import CALL, UNARY, Form, Forms, Text
from specnet.compiler.value import EXPAND
from specnet.errors import UnsupportedError
from specnet.exporting.export_plan import Operand, Step
from specnet.exporting.expression_text import FreeNames, write_expression


@dataclass(frozen=True, slots=True)
class Variable:
    """An array, a part of an array from element `low` on, or a variable for a single number.

    A wide array has the precision of expressions, even if other arrays have a lower precision.
    """

    name: str
    features: int
    is_array: bool = True
    low: int = 0
    is_wide: bool = False

    def at(self, count: int) -> Text:
        """Return the element that is read in iteration `i` of a loop up to a count."""
        if not self.is_array:
            return Text(self.name)
        if self.features == 1 or count == 1:
            return Text(f"{self.name}[{self.low}]")
        return Text(f"{self.name}[i + {self.low}]" if self.low else f"{self.name}[i]")


class Language(ABC):
    """A language with loops like those of C, described by templates with fields in braces.

    Attributes
    ----------
    name, indent : str
    nothing, smallest : str
        The expressions of a missing array and of minus infinity.
    constant, variable : str
        The declarations of a constant and of a variable, with fields for the name and the expression.
    loop_head : str
        The head of a loop, with fields for the index and the count.
    part : str
        A part of an array as an array, with fields for the name, the start and the end.
    lookup : str
        The number in a `table` at an `index`; NaN if the `category` is not one of the `categories`.
    whole, quotient : str
        The conversion of a whole number to an index, and the integer part of a quotient.
    reading, storing : str
        The conversions of an array element to the precision of expressions, and of a value to the precision of arrays;
        empty if both are equal. Otherwise, values that only expressions read are stored in wide arrays.
    after_member : str
        A statement that follows the answer of each of several networks; empty for none.
    widening : str
        The conversion of a raw column to float64, with a field for the element; empty if none is needed.
    single : str
        The rounding of an input of a network in float32, if arrays are more precise; empty for none.
    wide : str
        The beginning of the names of helper functions for arrays in float64; empty if there is one of each.
    passed_on : str
        The arguments of a network's function after the columns and the array for its answer.
    definition : str
        The definition of a function, with fields for a `remark`, its `name`, its `parameters`, each after the word
        `parameter`, and the lines `inside`.
    forms : mapping
        The forms of elementwise operations.
    twice : mapping
        The positions of operands that are repeated in the form of an operation, by operation.
    """

    name: str
    indent: str = "    "
    nothing: str
    smallest: str
    constant: str
    variable: str
    loop_head: str
    part: str
    lookup: str
    whole: str = "{}"
    quotient: str
    reading: str = ""
    storing: str = ""
    after_member: str = ""
    widening: str = ""
    single: str = ""
    wide: str = ""
    passed_on: str = ""
    definition: str
    parameter: str = ""
    forms: Forms
    twice: Mapping[Operation, tuple[int, ...]] = MappingProxyType({})

    @abstractmethod
    def number(self, number: float) -> Text:
        """Return a number as an expression."""

    @abstractmethod
    def remark(self, text: str) -> str:
        """Return a text as a comment."""

    def form(self, step: Step) -> Form:
        """Return the form of a step, which may depend on its operands."""
        return self.forms[step.operation]

    def function(self, name: str, parameters: Sequence[str], body: Sequence[str], summary: str) -> str:
        """Return the definition of a function of numbers; the last item of the body is the expression it returns."""
        *lines, result = body
        inside = "".join(f"{self.indent}{line}\n" for line in [*lines, f"return {result};"])
        listed = ", ".join(self.parameter + parameter for parameter in parameters)
        return self.definition.format(remark=self.remark(summary), name=name, parameters=listed, inside=inside)

    def argument(self, array: Variable) -> str:
        """Return an array, or a part of an array, as an argument of a function."""
        return self.part.format(array.name, array.low, array.low + array.features) if array.low else array.name

    def dense(self, source: Variable, target: Variable, weight: str, bias: str | None) -> list[str]:
        """Return the lines that multiply an array by a weight (inputs, outputs) and add a bias unless it is None."""
        sizes, tables = f"{source.features}, {target.features}", f"{weight}, {bias or self.nothing}"
        return [f"{self.wide}dense({sizes}, {tables}, {self.argument(source)}, {target.name});"]

    def repeated(self, array: Variable, count: int, each: bool) -> Text:
        """Return element `i` of an array repeated `count` times, as a whole or, if `each`, element by element."""
        if array.features == 1:
            return array.at(1)
        index = self.quotient.format("i", count) if each else f"i % {array.features}"
        return Text(f"{array.name}[{index} + {array.low}]" if array.low else f"{array.name}[{index}]")

    def read(self, element: Text) -> Text:
        """Return an element of an array in the precision of the expressions."""
        return Text(self.reading + element.within(CALL), UNARY) if self.reading else element

    def stored(self, operation: Operation, text: Text) -> Text:
        """Return a stored result of an operation as an operand; a language may need a comparison of a stored mask."""
        return text

    def loop(self, count: int, body: Sequence[str], index: str = "i") -> list[str]:
        """Return the lines of a loop up to a count; only the body if the count is 1."""
        if count == 1:
            return list(body)
        head, inside = self.loop_head.format(index, count), [self.indent + line for line in body]
        if len(body) == 1:
            return [head, *inside]
        return [f"{head} {{", *inside, "}"]

    def fill(self, target: Variable, value: Text, before: Sequence[str] = ()) -> list[str]:
        """Return the loop that fills an array with a value; the lines `before` declare the value's variables."""
        stored = self.storing + value.within(CALL) if self.storing and not target.is_wide else value.code
        return self.loop(target.features, [*before, f"{target.at(target.features).code} = {stored};"])

    def expression(
        self,
        steps: Sequence[Step],
        uses: Mapping[Operand, int],
        leaf: Callable[[Operand], Text],
        lines: list[str],
        names: FreeNames,
    ) -> Text:
        """Return the last of several steps as an expression; declarations of its variables are added to `lines`.

        Parameters
        ----------
        steps : sequence of Step
            The steps in order.
        uses : mapping
            The number of times that each step is read.
        leaf : callable
            Function that returns the text of an operand that is not among the steps.
        lines : list of str
            List to which declarations are appended.
        names : FreeNames
            Source of names for variables.

        Raises
        ------
        ExportError
            If the language lacks an operation.
        """

        def variable(step: Step, code: str) -> Text:
            name = names.new("t")
            lines.append(self.constant.format(name, code))
            return self.stored(step.operation, Text(name))

        def form(step: Step, operands: list[Text]) -> Text:
            if step.operation is EXPAND:
                return operands[0]
            if step.operation not in self.forms:
                raise UnsupportedError(f"{self.name} has no equivalent of the operation {step.operation.name}")
            return self.form(step).write(operands)

        def is_written_twice(step: Step, position: int) -> bool:
            return position in self.twice.get(step.operation, ())

        return write_expression(steps, uses, leaf, form, variable, is_written_twice, steps[-1])[steps[-1]]
