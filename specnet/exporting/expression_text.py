"""Conversion of steps to expressions of a programming language; shared and long subexpressions become variables."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

from specnet.compiler import Expansions, Operation, absolute, exp, log1p, maximum, operations
from specnet.compiler.expressions import CALL, NAME, UNARY, Form, Text, number_text
from specnet.compiler.value import INPUT
from specnet.exporting.export_plan import Operand, Step

LONGEST = 70
"""The largest number of characters of an expression; a longer one becomes a variable."""


TEXT_EXPANSIONS: Expansions = {
    operations.SIGMOID: lambda x: 1 / (1 + exp(-x)),  # exp may overflow to infinity, which gives the right 0
    operations.SOFTPLUS: lambda x: maximum(x, 0.0) + log1p(exp(-absolute(x))),
}
"""Replacements of operations for which no target language has a function."""


_FUNCTIONS = (
    operations.EXP,
    operations.EXPM1,
    operations.LOG,
    operations.LOG1P,
    operations.SQRT,
    operations.SIN,
    operations.COS,
    operations.TANH,
    operations.ERF,
    operations.ABSOLUTE,
    operations.SIGN,
    operations.FLOOR,
)

ROUNDED_ONCE = (operations.EXP, operations.EXPM1, operations.TANH)
"""The functions that never fall in float32 if they are computed in float64 and rounded, and may fall otherwise."""


def function_forms(name: str, **others: str) -> dict[Operation, Form]:
    """Return the forms of functions whose names follow a pattern; `others` gives exceptions by operation name."""
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
    """Convert steps to expressions in order, and return the text of each step.

    Parameters
    ----------
    steps : iterable of Step
    uses : mapping
        The number of times that each step is read.
    leaf : callable
        Function that returns the text of an operand that is not among the steps.
    form : callable
        Function that returns the text of a step, given the texts of its operands.
    variable : callable
        Function that declares a variable for a step, given its expression, and returns the variable's name.
    needs_name : callable
        Function that returns whether a step's form repeats the operand at a position.
    result : Operand, optional
        The final result; it never becomes a variable, even if it is long or read several times.
    """
    texts: dict[Operand, Text] = {}
    for step in steps:
        operands = []
        for position, operand in enumerate(step.operands):
            text = texts[operand] if operand in texts else leaf(operand)
            is_read_twice = text.level < NAME and needs_name(step, position)
            if is_read_twice and isinstance(operand, Step) and operand.operation is not INPUT:
                text = texts[operand] = variable(operand, text.code)
            operands.append(text)
        text = form(step, operands)
        if step is not result and (uses[step] > 1 or len(text.code) > LONGEST):
            text = variable(step, text.code)
        texts[step] = text
    return texts


def python_number(number: float) -> Text:
    """Return a number as a Python expression; infinities and NaN, which have no literals, are calls of `float`."""
    text = number_text(number)
    if text.lstrip("-") in ("inf", "nan"):
        return Text(f'float("{text}")', CALL)
    return Text(text, UNARY if text[0] == "-" else NAME)


class FreeNames:
    """Generator of names that are not yet in use.

    Parameters
    ----------
    reserved : iterable of str
        Names that are not available.
    """

    def __init__(self, reserved: Iterable[str] = ()) -> None:
        self._taken = set(reserved)

    def new(self, wish: str) -> str:
        """Return a wished name as an identifier that is valid in every language; if it is in use, with a number."""
        base = re.sub(r"[^A-Za-z0-9_]", "_", wish)
        base = f"_{base}" if base[:1].isdigit() else base
        name, number = base, 2
        while name in self._taken:
            name, number = f"{base}_{number}", number + 1
        self._taken.add(name)
        return name
