"""Numbers and expressions as text in programming languages, without unneeded parentheses.

The operators are those of C, and of languages with the same operators.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from specnet.compiler import operations
from specnet.compiler.value import ADD, DIVIDE, MULTIPLY, NEGATIVE, SUBTRACT, Operation


def number_text(number: Any) -> str:
    """Return the shortest decimal text that is read as this number, both in its own and in double precision."""
    text = str(number) if isinstance(number, np.floating) else repr(float(number))
    if isinstance(number, np.float32) and np.float32(float(text)) != number:
        text = repr(float(number))
    return text


def number_literal(number: Any) -> str:
    """Return a number in C, in its own precision."""
    text = number_text(number)
    if text.lstrip("-") in ("inf", "nan"):
        return text.replace("inf", "INFINITY").replace("nan", "NAN")
    return f"{text}f" if isinstance(number, np.float32) else text


NAME, CALL, UNARY, PRODUCT, SUM, COMPARISON, CHOICE = 9, 8, 7, 6, 5, 4, 0
"""Levels of precedence. Only a name or a number can be repeated in a text without being computed twice."""


@dataclass(frozen=True, slots=True)
class Text:
    """An expression, and its level of precedence."""

    code: str
    level: int = NAME

    def within(self, level: int) -> str:
        """Return the code as an operand that needs at least this level, in parentheses if its level is lower."""
        return self.code if self.level >= level else f"({self.code})"


@dataclass(frozen=True, slots=True)
class Form:
    """The text of an operation in a language: a template, its level, and the level that each operand needs."""

    template: str
    level: int = CALL
    needs: tuple[int, ...] = ()

    def write(self, operands: list[Text]) -> Text:
        needs = self.needs or (CHOICE,) * len(operands)
        return Text(
            self.template.format(*(x.within(need) for x, need in zip(operands, needs, strict=True))), self.level
        )


Forms = Mapping[Operation, Form]

ARITHMETIC: dict[Operation, Form] = {
    ADD: Form("{} + {}", SUM, (SUM, PRODUCT)),
    SUBTRACT: Form("{} - {}", SUM, (SUM, PRODUCT)),
    MULTIPLY: Form("{} * {}", PRODUCT, (PRODUCT, UNARY)),
    DIVIDE: Form("{} / {}", PRODUCT, (PRODUCT, UNARY)),
    NEGATIVE: Form("-{}", UNARY, (CALL,)),
    operations.GREATER: Form("{} > {}", COMPARISON, (SUM, SUM)),
    operations.EQUAL: Form("{} == {}", COMPARISON, (SUM, SUM)),
}
"""Operators of Python, C and JavaScript."""
OPERATORS: dict[Operation, Form] = ARITHMETIC | {
    operations.WHERE: Form("{} ? {} : {}", CHOICE, (COMPARISON, COMPARISON, CHOICE))
}
"""Operators of C and JavaScript."""


def extreme_form(operation: Operation, number: int) -> Form:
    """Return the short C form of a maximum or minimum with a constant.

    The constant is not NaN; if the other operand is NaN, the result is NaN.

    Parameters
    ----------
    operation : Operation
        `MAXIMUM` or `MINIMUM`.
    number : int
        Index of the operand that is the constant, 0 or 1.
    """
    relation = "<" if operation is operations.MAXIMUM else ">"
    first, second = ("{0}", "{1}") if number == 1 else ("{1}", "{0}")
    return Form(f"{first} {relation} {second} ? {second} : {first}", CHOICE, (SUM, SUM))


def c_number(number: Any) -> Text:
    """Return a number in C, in its own precision."""
    text = number_literal(number)
    return Text(text, UNARY if text[0] == "-" else NAME)
