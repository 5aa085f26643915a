"""How languages that write loops as C does differ."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from specnet.compiler import Operation
from specnet.compiler.expressions import Form, Forms, Text
from specnet.compiler.value import EXPAND
from specnet.errors import UnsupportedError
from specnet.exporting.formula import Operand, Step
from specnet.exporting.formula_text import Names, write_expression


@dataclass(frozen=True, slots=True)
class Variable:
    """Where a result lies: in an array, from `low` on, or in a variable.

    A wide array has the precision of the expressions, whatever that of other arrays is.
    """

    name: str
    features: int
    is_array: bool = True
    low: int = 0
    is_wide: bool = False

    def at(self, count: int) -> Text:
        """Return the element that belongs to a round of a loop of so many."""
        if not self.is_array:
            return Text(self.name)
        if self.features == 1 or count == 1:
            return Text(f"{self.name}[{self.low}]")
        return Text(f"{self.name}[i + {self.low}]" if self.low else f"{self.name}[i]")


class Language(ABC):
    """How a language writes what loops need.

    Parameters
    ----------
    dtype : numpy.dtype
        Of numbers in the expressions.
    """

    name: str
    indent: str = "    "
    nothing: str
    """In place of an array that is not there."""
    has_wide_arrays: bool = False
    """Whether arrays are less precise than expressions, so that what only expressions read lies in wide ones."""
    twice: Mapping[Operation, tuple[int, ...]] = MappingProxyType({})
    """For each operation whose form writes operands twice, their positions."""

    def __init__(self, dtype: np.dtype[Any]) -> None:
        self.dtype = dtype

    @property
    @abstractmethod
    def forms(self) -> Forms:
        """How elementwise operations are written."""

    @abstractmethod
    def form(self, step: Step, forms: Forms) -> Form:
        """Return how one step is written, where that depends on its operands."""

    @abstractmethod
    def number(self, number: float) -> Text:
        """Return a number."""

    @abstractmethod
    def constant(self, name: str, code: str) -> str:
        """Return the declaration of a variable that is set once."""

    @abstractmethod
    def variable(self, name: str, code: str) -> str:
        """Return the declaration of a variable that changes."""

    @abstractmethod
    def loop_head(self, count: int, index: str) -> str:
        """Return the head of a loop up to a count."""

    @abstractmethod
    def function(self, name: str, parameters: Sequence[str], body: Sequence[str], summary: str) -> str:
        """Return the definition of a function from numbers to a number, whose body ends with its result."""

    @abstractmethod
    def part(self, place: Variable) -> str:
        """Return a part of an array, as an array."""

    def argument(self, place: Variable) -> str:
        """Return an array as an argument: what is read need not begin where the array does."""
        return self.part(place) if place.low else place.name

    def call(self, function: str, *arguments: str | int) -> list[str]:
        """Return the call of a helper function."""
        return [f"{function}({', '.join(map(str, arguments))});"]

    def dense(self, source: Variable, target: Variable, weight: str, bias: str | None) -> list[str]:
        """Return the product of a weight (inputs, outputs) and an array, plus a bias where there is one."""
        tables = (weight, bias or self.nothing)
        return self.call("dense", source.features, target.features, *tables, self.argument(source), target.name)

    @abstractmethod
    def lookup(self, table: str, place: str, category: str, categories: int) -> str:
        """Return a table's number at a place, no number where there is no such category."""

    def whole(self, number: str) -> str:
        """Return a whole number, as an index."""
        return number

    def repeated(self, place: Variable, count: int, each: bool) -> Text:
        """Return element `i` of an array that is repeated, or whose elements each are."""
        if place.features == 1:
            return place.at(1)
        index = self.quotient("i", count) if each else f"i % {place.features}"
        return Text(f"{place.name}[{index} + {place.low}]" if place.low else f"{place.name}[{index}]")

    @abstractmethod
    def quotient(self, dividend: str, divisor: int) -> str:
        """Return the whole part of a quotient."""

    @property
    @abstractmethod
    def smallest(self) -> str:
        """Minus infinity."""

    def read(self, element: Text) -> Text:
        """Return an element of an array in the precision of the expressions."""
        return element

    def stored(self, value: Text) -> str:
        """Return a value in the precision of arrays."""
        return value.code

    def loop(self, count: int, body: Sequence[str], index: str = "i") -> list[str]:
        """Return a loop up to a count; what is done once needs none."""
        if count == 1:
            return list(body)
        inside = [self.indent + line for line in body]
        if len(body) == 1:
            return [self.loop_head(count, index), *inside]
        return [f"{self.loop_head(count, index)} {{", *inside, "}"]

    def fill(self, target: Variable, value: Text, before: Sequence[str] = ()) -> list[str]:
        """Return the loop that fills a place, each round after lines for the variables that the value needs."""
        stored = value.code if target.is_wide else self.stored(value)
        return self.loop(target.features, [*before, f"{target.at(target.features).code} = {stored};"])

    def expression(
        self,
        steps: Sequence[Step],
        uses: Mapping[Operand, int],
        leaf: Callable[[Operand], Text],
        lines: list[str],
        names: Names,
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
        names : Names
            Of variables.

        Raises
        ------
        ExportError
            If the language lacks an operation.
        """
        forms = self.forms

        def variable(step: Step, code: str) -> Text:
            name = names.new("t")
            lines.append(self.constant(name, code))
            return Text(name)

        def form(step: Step, operands: list[Text]) -> Text:
            if step.operation is EXPAND:
                return operands[0]
            if step.operation not in forms:
                raise UnsupportedError(f"{self.name} has no equivalent of the operation {step.operation.name}")
            return self.form(step, forms).write(operands)

        def is_written_twice(step: Step, position: int) -> bool:
            return position in self.twice.get(step.operation, ())

        return write_expression(steps, uses, leaf, form, variable, is_written_twice, steps[-1])[steps[-1]]
