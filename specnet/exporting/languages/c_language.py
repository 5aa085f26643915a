"""C99 as a language of loops, and its literals."""

from __future__ import annotations

import re
import string
from collections.abc import Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from specnet.compiler.expressions import (
    CALL,
    CHOICE,
    NAME,
    OPERATORS,
    SIGN,
    SUM,
    Form,
    Forms,
    Text,
    c_number,
    extreme_form,
)
from specnet.compiler.operations import functions, selection
from specnet.compiler.value import CAST
from specnet.exporting.formula import Step
from specnet.exporting.languages.language import Language, Variable

DENSE_VECTOR = 8
"""Outputs that the helper of dense layers computes in a loop of fixed length."""
_PLAIN = frozenset(string.ascii_letters + string.digits + " _.-")
_FUNCTIONS = {
    functions.EXP: "exp",
    functions.EXPM1: "expm1",
    functions.LOG: "log",
    functions.LOG1P: "log1p",
    functions.SQRT: "sqrt",
    functions.SIN: "sin",
    functions.COS: "cos",
    functions.TANH: "tanh",
    functions.ERF: "erf",
    functions.ABSOLUTE: "fabs",
    functions.FLOOR: "floor",
}


class C(Language):
    """C99.

    Parameters
    ----------
    dtype : numpy.dtype
        Of numbers in the expressions.
    kind : str
        The type of such numbers.
    real : numpy.dtype
        Of arrays.
    """

    name = "c"
    nothing = "0"
    twice = MappingProxyType({selection.MAXIMUM: (0, 1), selection.MINIMUM: (0, 1), functions.SIGN: (0,)})

    def __init__(self, dtype: np.dtype[Any], kind: str, real: np.dtype[Any]) -> None:
        super().__init__(dtype)
        self.kind = kind
        self.is_float = dtype == np.float32
        self.has_wide_arrays = dtype != real

    @property
    def forms(self) -> Forms:
        suffix = "f" if self.is_float else ""
        zero = self.number(0.0).code
        return (
            OPERATORS
            | {operation: Form(f"{function}{suffix}({{}})") for operation, function in _FUNCTIONS.items()}
            | {
                selection.MAXIMUM: Form("{0} < {1} || {1} != {1} ? {1} : {0}", CHOICE, (SUM, SUM)),
                selection.MINIMUM: Form("{1} < {0} || {1} != {1} ? {1} : {0}", CHOICE, (SUM, SUM)),
                functions.SIGN: Form(f"({self.kind})(({{0}} > {zero}) - ({{0}} < {zero}))", SIGN, (NAME,)),
                CAST: Form(f"({self.kind}){{}}", SIGN, (CALL,)),
            }
        )

    def form(self, step: Step, forms: Forms) -> Form:
        """Return the short form of a maximum or minimum with a number: what is no number then stays so."""
        numbers = [place for place, operand in enumerate(step.operands) if isinstance(operand, float)]
        if step.operation in (selection.MAXIMUM, selection.MINIMUM) and numbers:
            return extreme_form(step.operation, numbers[-1])
        return forms[step.operation]

    def number(self, number: float) -> Text:
        return c_number(np.float32(number) if self.is_float else number)

    def constant(self, name: str, code: str) -> str:
        return f"const {self.kind} {name} = {code};"

    def variable(self, name: str, code: str) -> str:
        return f"{self.kind} {name} = {code};"

    def loop_head(self, count: int, index: str) -> str:
        return f"for (int {index} = 0; {index} < {count}; {index}++)"

    def function(self, name: str, parameters: Sequence[str], body: Sequence[str], summary: str) -> str:
        *lines, result = body
        head = f"static real {name}({', '.join(f'real {parameter}' for parameter in parameters)})"
        inside = "".join(f"    {line}\n" for line in [*lines, f"return {result};"])
        return f"/* {comment(summary)} */\n{head}\n{{\n{inside}}}\n"

    def part(self, place: Variable) -> str:
        return f"{place.name} + {place.low}"

    def dense(self, source: Variable, target: Variable, weight: str, bias: str | None) -> list[str]:
        """Return the call of the helper, or loops of known length where there are too few outputs for its vectors."""
        inputs, outputs = source.features, target.features
        if outputs >= DENSE_VECTOR:
            return super().dense(source, target, weight, bias)
        start = Variable(bias, outputs).at(outputs) if bias else self.number(0.0)
        row = "j" if outputs == 1 else f"j * {outputs} + i"
        factor = Variable(weight, outputs).at(outputs).code if inputs == 1 else f"{weight}[{row}]"
        number = f"j + {source.low}" if source.low else "j"
        item = source.at(1).code if inputs == 1 else f"{source.name}[{number}]"
        added = self.loop(outputs, [f"{target.at(outputs).code} += {factor} * {item};"])
        return [*self.fill(target, start), *self.loop(inputs, added, "j")]

    def lookup(self, table: str, place: str, category: str, categories: int) -> str:
        nothing = "NAN" if self.is_float else "(real)NAN"  # which is a float
        is_one = f"{category} >= 0 && {category} < {categories} && {category} == ({self.kind})(int){category}"
        return f"{is_one} ? {table}[{place}] : {nothing}"

    def whole(self, number: str) -> str:
        return f"(int){number}"

    def quotient(self, dividend: str, divisor: int) -> str:
        return f"{dividend} / {divisor}"

    @property
    def smallest(self) -> str:
        return "-INFINITY"

    def read(self, element: Text) -> Text:
        return Text(f"({self.kind}){element.within(CALL)}", SIGN) if self.has_wide_arrays else element

    def stored(self, value: Text) -> str:
        return f"(real){value.within(CALL)}" if self.has_wide_arrays else value.code


def integer_literal(number: int) -> str:
    """Return an integer of 64 bits, of which the smallest has no literal."""
    return f"INT64_C({number})" if number > -(2**63) else "-INT64_C(9223372036854775807) - 1"


def text_literal(text: str) -> str:
    """Return a text in UTF-8; three octal digits end where they end, whatever follows."""
    signs = (chr(byte) if chr(byte) in _PLAIN else f"\\{byte:03o}" for byte in text.encode())
    return f'"{"".join(signs)}"'


def comment(text: str) -> str:
    """Return a text that neither ends a comment nor begins one, nor turns what is around it."""
    shown = "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)
    for sign in ("*/", "/*"):
        shown = shown.replace(sign, " ".join(sign))
    return re.sub(r"\?(?=\?)", "? ", shown)  # a trigraph may say a backslash
