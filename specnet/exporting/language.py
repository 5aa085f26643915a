"""How languages that write loops as C does differ, and the arrays in which they keep results.

A program works on one row at a time, with few arrays: each is used again as soon as nobody reads it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from specnet.compiler import Operation
from specnet.compiler.expressions import CALL, SIGN, Form, Forms, Text
from specnet.compiler.value import EXPAND
from specnet.errors import UnsupportedError
from specnet.exporting.export_plan import Operand, Step
from specnet.exporting.expression_text import FreeNames, write_expression


@dataclass(frozen=True, slots=True)
class Variable:
    """An array, or a part of it from the element `low` on, or a variable that holds a single number.

    A wide array has the precision of the expressions, whatever that of other arrays is.
    """

    name: str
    features: int
    is_array: bool = True
    low: int = 0
    is_wide: bool = False

    def at(self, count: int) -> Text:
        """Return the element that iteration `i` of a loop up to a count reads."""
        if not self.is_array:
            return Text(self.name)
        if self.features == 1 or count == 1:
            return Text(f"{self.name}[{self.low}]")
        return Text(f"{self.name}[i + {self.low}]" if self.low else f"{self.name}[i]")


class Language(ABC):
    """A language that writes loops as C does, as templates that have the names below in braces.

    Attributes
    ----------
    name, indent : str
    nothing, smallest : str
        What stands for a missing array, and minus infinity.
    constant, variable : str
        The declarations of a constant and of a variable: a name and an expression.
    loop_head : str
        The head of a loop up to a count: its index and the count.
    part : str
        Part of an array, as an array: its name, where it begins and where it ends.
    lookup : str
        The number of a `table` at an `index`; NaN where the `category` is none of the `categories`.
    whole, quotient : str
        A whole number, as an index, and the whole part of a quotient.
    reading, storing : str
        The conversions of an element of an array to the precision of expressions, and of a value to that of arrays;
        empty where both have the same. Otherwise what only expressions read is stored in wide arrays.
    passed_on : str
        The arguments of a network's function after the columns and the array for its answer.
    definition : str
        The definition of a function: a `remark`, its `name`, its `parameters`, each after the word `parameter`, and
        the lines `inside`.
    forms : mapping
        How elementwise operations are written.
    twice : mapping
        For each operation whose form writes operands twice, their positions.
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
    passed_on: str = ""
    definition: str
    parameter: str = ""
    forms: Forms
    twice: Mapping[Operation, tuple[int, ...]] = MappingProxyType({})

    @abstractmethod
    def number(self, number: float) -> Text:
        """Return a number."""

    @abstractmethod
    def remark(self, text: str) -> str:
        """Return a comment."""

    def form(self, step: Step) -> Form:
        """Return how one step is written, which may depend on its operands."""
        return self.forms[step.operation]

    def function(self, name: str, parameters: Sequence[str], body: Sequence[str], summary: str) -> str:
        """Return the definition of a function from numbers to a number, whose body ends with its result."""
        *lines, result = body
        inside = "".join(f"{self.indent}{line}\n" for line in [*lines, f"return {result};"])
        listed = ", ".join(self.parameter + parameter for parameter in parameters)
        return self.definition.format(remark=self.remark(summary), name=name, parameters=listed, inside=inside)

    def argument(self, array: Variable) -> str:
        """Return an array, or the part of one, as an argument of a function."""
        return self.part.format(array.name, array.low, array.low + array.features) if array.low else array.name

    def dense(self, source: Variable, target: Variable, weight: str, bias: str | None) -> list[str]:
        """Return the product of a weight (inputs, outputs) and an array, plus a bias where there is one."""
        sizes, tables = f"{source.features}, {target.features}", f"{weight}, {bias or self.nothing}"
        return [f"dense({sizes}, {tables}, {self.argument(source)}, {target.name});"]

    def repeated(self, array: Variable, count: int, each: bool) -> Text:
        """Return element `i` of an array that is repeated as a whole, or element by element."""
        if array.features == 1:
            return array.at(1)
        index = self.quotient.format("i", count) if each else f"i % {array.features}"
        return Text(f"{array.name}[{index} + {array.low}]" if array.low else f"{array.name}[{index}]")

    def read(self, element: Text) -> Text:
        """Return an element of an array in the precision of the expressions."""
        return Text(self.reading + element.within(CALL), SIGN) if self.reading else element

    def loop(self, count: int, body: Sequence[str], index: str = "i") -> list[str]:
        """Return a loop up to a count; its body alone where the count is 1."""
        if count == 1:
            return list(body)
        head, inside = self.loop_head.format(index, count), [self.indent + line for line in body]
        if len(body) == 1:
            return [head, *inside]
        return [f"{head} {{", *inside, "}"]

    def fill(self, target: Variable, value: Text, before: Sequence[str] = ()) -> list[str]:
        """Return the loop that fills an array with a value, after the lines that declare the value's variables."""
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
        """Return the last of some steps as an expression, after lines for the variables that it needs.

        Parameters
        ----------
        steps : sequence of Step
            In order.
        uses : mapping
            How often each step is read.
        leaf : callable
            Returns the text of an operand that is none of these steps.
        lines : list of str
            To which declarations are added.
        names : FreeNames
            Of variables.

        Raises
        ------
        ExportError
            If the language lacks an operation.
        """

        def variable(step: Step, code: str) -> Text:
            name = names.new("t")
            lines.append(self.constant.format(name, code))
            return Text(name)

        def form(step: Step, operands: list[Text]) -> Text:
            if step.operation is EXPAND:
                return operands[0]
            if step.operation not in self.forms:
                raise UnsupportedError(f"{self.name} has no equivalent of the operation {step.operation.name}")
            return self.form(step).write(operands)

        def is_written_twice(step: Step, position: int) -> bool:
            return position in self.twice.get(step.operation, ())

        return write_expression(steps, uses, leaf, form, variable, is_written_twice, steps[-1])[steps[-1]]
