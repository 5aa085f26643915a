"""What one step of a model computes, in the form in which every target reads it.

A part says its value over symbolic arrays. Here that value becomes a list of steps over rows: what does not depend on
the rows is computed once and becomes a table, a product with a table becomes `LINEAR`, and each step knows how many
features its result has. As text, shared and long parts of an expression become variables.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

import numpy as np

from specnet.compiler import (
    BATCH,
    NUMPY,
    Expansions,
    Kind,
    Operation,
    Shape,
    Value,
    absolute,
    exp,
    input_value,
    log1p,
    maximum,
    operations,
    plan,
)
from specnet.compiler.expressions import CALL, NAME, SIGN, Form, Text, number_text
from specnet.compiler.lowering import Call
from specnet.compiler.reverse import postorder
from specnet.compiler.value import CONSTANT, INPUT, STATE
from specnet.parts.arrays import Array

LINEAR = Operation("linear")
"""x times a weight (outputs, inputs), plus a bias where there is a third operand."""
GROUPED = Operation("grouped_linear")
"""`LINEAR` for each of some groups that take turns along the features, by a weight (outputs, inputs, groups)."""
LOOKUP = Operation("lookup")
"""The rows of a table (categories, features) whose numbers, as floats, are x (rows, 1)."""


@dataclass(frozen=True, slots=True, eq=False)
class Constants:
    """Numbers that never change: (features,), a weight (outputs, inputs …), or rows to pick (categories, features)."""

    name: str
    array: Array


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """One of the arrays that a formula reads, (rows, features)."""

    number: int
    features: int


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """One operation; its result is (rows, features), and (rows, 1) is repeated along features where others need it."""

    operation: Operation
    operands: tuple[Operand, ...]
    attributes: Any
    features: int
    kind: Kind


Operand = Step | Source | Constants | float


@dataclass(frozen=True, slots=True, eq=False)
class Formula:
    """Steps in order, each after its operands.

    Attributes
    ----------
    sources : tuple of Source
        What it reads.
    steps : tuple of Step
    output : Operand
        The result; a source where nothing is computed.
    """

    sources: tuple[Source, ...]
    steps: tuple[Step, ...]
    output: Operand

    @property
    def is_identity(self) -> bool:
        """Whether it only hands on the first of what it reads."""
        return self.output is self.sources[0]

    @property
    def tables(self) -> tuple[Constants, ...]:
        """The tables in the order of their use, each once."""
        used = (operand for step in self.steps for operand in step.operands if isinstance(operand, Constants))
        return tuple(dict.fromkeys(used))

    def uses(self) -> dict[Operand, int]:
        """Return how often each step is read, the output once more."""
        counts: dict[Operand, int] = dict.fromkeys(self.steps, 0)
        for operand in [*(operand for step in self.steps for operand in step.operands), self.output]:
            if isinstance(operand, Step):
                counts[operand] += 1
        return counts

    def signature(self) -> Hashable:
        """Return what two formulas have in common that differ in nothing but tables and numbers of features."""
        number: dict[Operand, Hashable] = {source: ("source", source.number) for source in self.sources}
        number |= {table: ("table", index, table.array.ndim) for index, table in enumerate(self.tables)}
        number |= {step: ("step", index) for index, step in enumerate(self.steps)}

        def shown(operand: Operand) -> Hashable:
            return operand.hex() if isinstance(operand, float) else number[operand]

        steps = tuple((step.operation, tuple(map(shown, step.operands)), step.attributes) for step in self.steps)
        return steps, shown(self.output)


def sources_of(sizes: Sequence[int]) -> list[Value]:
    """Return symbolic arrays of so many features, in place of what a formula reads."""
    return [input_value(f"source.{number}", (size, BATCH)) for number, size in enumerate(sizes)]


class FormulaReader:
    """Turns symbolic values into formulas.

    Parameters
    ----------
    arrays : mapping
        In the engine's form, by the names that leaves have.
    dtype : numpy.dtype
        In which what is constant is computed.
    expansions : mapping
        What the target lacks, in terms of what it has.
    only_tables : bool
        Whether a single number that is computed once is a table as others are, and not a part of the formula, which
        then is the same for other arrays.
    """

    def __init__(
        self, arrays: Mapping[str, Array], dtype: np.dtype[Any], expansions: Expansions, only_tables: bool = False
    ) -> None:
        self.arrays, self.dtype, self.expansions, self.only_tables = arrays, dtype, expansions, only_tables

    def read(self, value: Value, sources: Sequence[Value], key: str) -> Formula:
        """Return the formula of a symbolic value (features, "batch"), of sources made by `sources_of`.

        The names of tables that are no array of their own begin with the key.
        """
        read = {x.attributes: Source(n, _features(x.shape)) for n, x in enumerate(sources)}
        constants = self._constants(value)
        program = plan([value, *constants], expansions=self.expansions)
        result, *places = program.outputs
        arrays = dict(zip(places, constants.values(), strict=True))
        folded, found = count(1), dict[int, Operand]()

        def name(call: Call) -> str:
            is_own = call.operation is STATE
            return str(call.attributes).partition(".")[2] if is_own else f"{key}.constant_{next(folded)}"

        for number in _needed(program.calls, result, arrays):
            call = program.calls[number]
            if call.operation is INPUT:
                found[number] = read[call.attributes]
            elif call.operation is CONSTANT:
                found[number] = float(call.attributes)
            elif call.operation is operations.TO_INDEX:
                found[number] = found[call.arguments[0]]
            elif number not in arrays:
                found[number] = _step(call, found, arrays, key, lambda place: name(program.calls[place]))
            elif arrays[number].size == 1 and call.operation is not STATE and not self.only_tables:
                found[number] = float(arrays[number].reshape(()))
            elif arrays[number].size == 1 or arrays[number].shape[1] == 1:
                found[number] = Constants(name(call), arrays[number].reshape(-1))
        steps = tuple(operand for operand in found.values() if isinstance(operand, Step))
        return Formula(tuple(read.values()), steps, found[result])

    def _constants(self, value: Value) -> dict[Value, Array]:
        """Return the outermost values that do not depend on rows, with their numbers; not plain constants."""
        fixed: dict[Value, bool] = {}
        frontier: dict[Value, None] = {}
        for node in postorder([value], lambda node: node.arguments):
            is_free = node.operation is not INPUT and BATCH not in node.shape
            fixed[node] = is_free and all(map(fixed.get, node.arguments))
            if not fixed[node]:
                wanted = (x for x in node.arguments if fixed[x] and x.operation is not CONSTANT)
                frontier |= dict.fromkeys(wanted)
        found = {x: self.arrays[x.attributes] for x in frontier if x.operation is STATE}
        made = [x for x in frontier if x not in found]
        if made:
            program = plan(made, expansions=NUMPY.expansions)
            needed = {call.attributes for call in program.calls if call.operation is STATE}
            bound = NUMPY.bind(program, self.dtype, {}, {name: self.arrays[name].astype(self.dtype) for name in needed})
            with np.errstate(all="ignore"):  # `where` may leave out what divides by 0
                bound.run()
            found |= {x: array.copy() for x, array in zip(made, bound.outputs, strict=True)}
        return found


def _step(
    call: Call, found: Mapping[int, Operand], arrays: Mapping[int, Array], key: str, name: Callable[[int], str]
) -> Step:
    operation, attributes = call.operation, call.attributes
    first, *others = call.arguments
    table = arrays.get(first)
    operands = [found[argument] for argument in (others if table is not None else call.arguments) if argument in found]
    if operation is operations.AFFINE and table is not None:
        operation = LINEAR
        operands += [Constants(f"{key}.weight", table[:-1].T), Constants(f"{key}.bias", table[-1])]
    elif operation is operations.MATMUL and table is not None and not attributes[1]:
        operands.append(Constants(f"{key}.weight", table.T if attributes[0] else table))
        operation, attributes = LINEAR, ()
    elif operation is operations.GROUPED_MATMUL and table is not None and not attributes[2]:
        groups, flipped, _ = attributes
        block = table.reshape(-1, groups, table.shape[1])
        operands.append(Constants(f"{key}.weight", block.transpose(2, 0, 1) if flipped else block.transpose(0, 2, 1)))
        operation, attributes = GROUPED, ()
    elif operation is operations.GATHER and table is not None:
        operands.append(Constants(name(first), table.T))
        operation = LOOKUP
    else:
        operands = [found[argument] for argument in call.arguments]
    return Step(operation, tuple(operands), attributes, _features(call.shape), call.kind)


def _needed(calls: Sequence[Call], result: int, constants: Mapping[int, Array]) -> Iterator[int]:
    """Return the calls that the result needs in order, nothing behind the constants."""
    needed, waiting = set(), [result]
    while waiting:
        number = waiting.pop()
        if number not in needed:
            needed.add(number)
            waiting += () if number in constants else calls[number].arguments
    return iter(sorted(needed))


def _features(shape: Shape) -> int:
    """Return the number of features of a value in the engine's shape."""
    size = shape[0] if shape else 1
    assert isinstance(size, int), "only a flat vector has a size without a number"
    return size


LONGEST = 70
"""Characters of an expression above which it becomes a variable."""


TEXT_EXPANSIONS: Expansions = {
    operations.SIGMOID: lambda x: 1 / (1 + exp(-x)),  # exp may overflow to infinity, which gives the right 0
    operations.SOFTPLUS: lambda x: maximum(x, 0.0) + log1p(exp(-absolute(x))),
}
"""What no language has a function for, in terms of what they have."""


_FUNCTIONS = (
    *(
        operations.EXP,
        operations.EXPM1,
        operations.LOG,
        operations.LOG1P,
        operations.SQRT,
        operations.SIN,
        operations.COS,
    ),
    *(operations.TANH, operations.ERF, operations.ABSOLUTE, operations.SIGN, operations.FLOOR),
)


def function_forms(name: str, **others: str) -> dict[Operation, Form]:
    """Return how functions are written whose names follow a pattern, but for the others, by the operations' names."""
    words = {each: name.format({"absolute": "abs"}.get(each.name, each.name)) for each in _FUNCTIONS}
    return {each: Form(f"{others.get(each.name, word)}({{}})") for each, word in words.items()}


def write_expression(
    steps: Iterable[Step],
    uses: Mapping[Operand, int],
    leaf: Callable[[Operand], Text],
    form: Callable[[Step, list[Text]], Text],
    variable: Callable[[Step, str], Text],
    needs_name: Callable[[Step, int], bool] = lambda step, position: False,
    result: Operand | None = None,
) -> dict[Operand, Text]:
    """Write steps in order, and return the text of each.

    Parameters
    ----------
    steps : iterable of Step
    uses : mapping
        How often each step is read.
    leaf : callable
        Returns the text of an operand that is none of these steps.
    form : callable
        Returns the text of a step from those of its operands.
    variable : callable
        Declares a variable of that text for a step, and returns its name.
    needs_name : callable
        Whether a step's form writes the operand at a position more than once.
    result : Operand, optional
        What the statement is for; it becomes no variable, however often it is read elsewhere and however long it is.
    """
    texts: dict[Operand, Text] = {}
    for step in steps:
        operands = []
        for position, operand in enumerate(step.operands):
            text = texts[operand] if operand in texts else leaf(operand)
            if isinstance(operand, Step) and text.level < NAME and needs_name(step, position):
                text = texts[operand] = variable(operand, text.code)
            operands.append(text)
        text = form(step, operands)
        if step is not result and (uses[step] > 1 or len(text.code) > LONGEST):
            text = variable(step, text.code)
        texts[step] = text
    return texts


def python_number(number: float) -> Text:
    """Return a number as an expression of Python, which has no literals for infinities and NaN."""
    text = number_text(number)
    if text.lstrip("-") in ("inf", "nan"):
        return Text(f'float("{text}")', CALL)
    return Text(text, SIGN if text[0] == "-" else NAME)


class FreeNames:
    """Names that are free in a target, and those that it reserves.

    Parameters
    ----------
    reserved : iterable of str
    """

    def __init__(self, reserved: Iterable[str] = ()) -> None:
        self._taken = set(reserved)

    def new(self, wish: str) -> str:
        """Return the wish as a name that every language reads, with a number where it is taken."""
        base = re.sub(r"[^A-Za-z0-9_]", "_", wish)
        base = f"_{base}" if base[:1].isdigit() else base
        name, number = base, 2
        while name in self._taken:
            name, number = f"{base}_{number}", number + 1
        self._taken.add(name)
        return name
