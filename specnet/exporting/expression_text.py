"""Steps as expressions of a programming language: shared and long parts become variables, whose names are free."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

from specnet.compiler import Expansions, Operation, absolute, exp, log1p, maximum, operations
from specnet.compiler.expressions import CALL, NAME, SIGN, Form, Text, number_text
from specnet.compiler.value import INPUT
from specnet.exporting.export_plan import Operand, Step

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
