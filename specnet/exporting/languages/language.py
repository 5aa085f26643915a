"""How languages that write loops as C does differ, and the arrays in which they keep results.

A program works on one row at a time, with few arrays: each is used again as soon as nobody reads it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from types import MappingProxyType

from specnet.compiler import Operation, operations
from specnet.compiler.expressions import CALL, SIGN, Form, Forms, Text
from specnet.compiler.value import EXPAND
from specnet.errors import UnsupportedError
from specnet.exporting.formula import GROUPED, LINEAR, LOOKUP, FreeNames, Operand, Step, write_expression
from specnet.exporting.model_steps import ModelSteps


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

    What differs in words alone is a template, and reads what is named here in braces.

    Attributes
    ----------
    name, indent : str
    nothing, smallest : str
        In place of an array that is not there, and minus infinity.
    constant, variable : str
        The declaration of what is set once, and of what changes: a name and an expression.
    loop_head : str
        The head of a loop up to a count: its index and the count.
    part : str
        Part of an array, as an array: its name, where it begins and where it ends.
    lookup : str
        A `table`'s number at a `place`, no number where there is no such `category` of so many `categories`.
    whole, quotient : str
        A whole number, as an index, and the whole part of a quotient.
    reading, storing : str
        What makes an element of an array as precise as expressions, and a value as precise as arrays. Where these are
        less precise than expressions, what only expressions read lies in wide ones.
    passed_on : str
        What a function of a model takes behind the columns and the place of its answer.
    definition : str
        A function's: a `remark`, its `name`, its `parameters`, each after the word `parameter`, and what is `inside`.
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

    def argument(self, place: Variable) -> str:
        """Return an array as an argument: what is read need not begin where the array does."""
        return self.part.format(place.name, place.low, place.low + place.features) if place.low else place.name

    def dense(self, source: Variable, target: Variable, weight: str, bias: str | None) -> list[str]:
        """Return the product of a weight (inputs, outputs) and an array, plus a bias where there is one."""
        sizes, tables = f"{source.features}, {target.features}", f"{weight}, {bias or self.nothing}"
        return [f"dense({sizes}, {tables}, {self.argument(source)}, {target.name});"]

    def repeated(self, place: Variable, count: int, each: bool) -> Text:
        """Return element `i` of an array that is repeated, or whose elements each are."""
        if place.features == 1:
            return place.at(1)
        index = self.quotient.format("i", count) if each else f"i % {place.features}"
        return Text(f"{place.name}[{index} + {place.low}]" if place.low else f"{place.name}[{index}]")

    def read(self, element: Text) -> Text:
        """Return an element of an array in the precision of the expressions."""
        return Text(self.reading + element.within(CALL), SIGN) if self.reading else element

    def loop(self, count: int, body: Sequence[str], index: str = "i") -> list[str]:
        """Return a loop up to a count; what is done once needs none."""
        if count == 1:
            return list(body)
        head, inside = self.loop_head.format(index, count), [self.indent + line for line in body]
        if len(body) == 1:
            return [head, *inside]
        return [f"{head} {{", *inside, "}"]

    def fill(self, target: Variable, value: Text, before: Sequence[str] = ()) -> list[str]:
        """Return the loop that fills a place, each round after lines for the variables that the value needs."""
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


_MAKERS = (LINEAR, GROUPED, LOOKUP, operations.CONCATENATE, operations.REPEAT)
"""Operations whose result cannot take the place of what they read."""


class Scratch:
    """Finds an array for each result.

    Parameters
    ----------
    outputs : int
        How many numbers are answered.
    names : FreeNames
    steps : ModelSteps, optional
        Whose results they are.
    is_wide : bool
        Whether the array of what is answered is wide.

    Attributes
    ----------
    sizes : dict of str to int
        How many numbers each array holds.
    wide : set of str
        The wide arrays among them.
    kept : set of str
        The arrays that the members of an ensemble share.
    awaited : set of str
        The arrays that later layers read.
    answer : Variable
        Where what is answered belongs.
    """

    def __init__(
        self, outputs: int, names: FreeNames, steps: ModelSteps | None = None, *, is_wide: bool = False
    ) -> None:
        self.names = names
        self.sizes: dict[str, int] = {}
        self.wide: set[str] = set()
        self.kept: Set[str] = frozenset()
        self.awaited: Set[str] = frozenset()
        self.answer = Variable("y", outputs, is_wide=is_wide)
        self._last = frozenset() if steps is None else frozenset(_last_results(steps))

    def place(
        self,
        result: Operand,
        features: int,
        over: Sequence[str] = (),
        busy: Set[str] = frozenset(),
        *,
        is_wide: bool = False,
    ) -> Variable:
        """Return an array for a result.

        Parameters
        ----------
        result : Operand
            What is computed.
        features : int
            How many numbers it is.
        over : sequence of str
            The arrays that are read while it is written, each number before it is overwritten.
        busy : set of str
            The arrays that must stay as they are.
        is_wide : bool
            Whether it needs a wide array.
        """
        fits = is_wide == self.answer.is_wide and features == self.answer.features
        if fits and result in self._last and self.answer.name not in busy:
            return self.answer
        known = [name for name in (*over, *self.sizes) if name in self.sizes and (name in self.wide) == is_wide]
        free = [name for name in known if name not in busy | self.awaited | self.kept]
        name = free[0] if free else self.names.new(f"a{len(self.sizes)}")
        self.sizes[name] = max(features, self.sizes.get(name, 0))
        self.wide |= {name} if is_wide else set()
        return Variable(name, features, is_wide=is_wide)

    def can_be_answer(self, result: Operand) -> bool:
        """Return whether a result can be computed where the answer belongs."""
        return result in self._last

    def sums(self) -> Variable:
        """Return a wide array that is as long as the answer, for sums over members or models."""
        name = self.names.new("totals")
        self.sizes[name] = self.answer.features
        self.wide |= {name}
        return Variable(name, self.answer.features, is_wide=True)


def _last_results(model: ModelSteps) -> Iterable[Operand]:
    """Return what can be computed where the outputs belong: whatever comes after it can take its place."""
    number = len(model.steps) - 1
    while number >= 0 and not model.steps[number].stages:
        number = model.steps[number].node.inputs[0]
    layer = [stage.formula for stage in model.steps[number].stages] if number >= 0 else []
    for formula in reversed([*layer, model.finish]):
        for step in reversed(formula.steps):
            yield step
            if step.operation in _MAKERS:
                return
