"""C99 as a language of loops, and its literals."""

from __future__ import annotations

import re
import string
from types import MappingProxyType
from typing import Any

import numpy as np

from specnet.compiler import operations
from specnet.compiler.expressions import CALL, CHOICE, NAME, OPERATORS, SIGN, SUM, Form, Text, c_number, extreme_form
from specnet.compiler.value import CAST
from specnet.exporting.export_plan import Step
from specnet.exporting.expression_text import function_forms
from specnet.exporting.language import Language, Variable

DENSE_VECTOR = 8
"""Outputs that the helper of dense layers computes in a loop of fixed length."""
_PLAIN = frozenset(string.ascii_letters + string.digits + " _.-")


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
    smallest = "-INFINITY"
    loop_head = "for (int {0} = 0; {0} < {1}; {0}++)"
    part = "{0} + {1}"
    whole = "(int){}"
    quotient = "{} / {}"
    definition = "{remark}\nstatic real {name}({parameters})\n{{\n{inside}}}\n"
    parameter = "real "
    passed_on = ", workspace"
    twice = MappingProxyType({operations.MAXIMUM: (0, 1), operations.MINIMUM: (0, 1), operations.SIGN: (0,)})

    def __init__(self, dtype: np.dtype[Any], kind: str, real: np.dtype[Any]) -> None:
        self.dtype = dtype
        self.constant, self.variable = f"const {kind} {{}} = {{}};", f"{kind} {{}} = {{}};"
        is_float = dtype == np.float32
        suffix, zero = "f" if is_float else "", self.number(0.0).code
        is_one = f"{{category}} >= 0 && {{category}} < {{categories}} && {{category}} == ({kind})(int){{category}}"
        nothing = "NAN" if is_float else f"({kind})NAN"  # which is a float
        self.lookup = f"{is_one} ? {{table}}[{{index}}] : {nothing}"
        self.reading, self.storing = (f"({kind})", "(real)") if dtype != real else ("", "")
        forms = {
            operations.MAXIMUM: Form("{0} < {1} || {1} != {1} ? {1} : {0}", CHOICE, (SUM, SUM)),
            operations.MINIMUM: Form("{1} < {0} || {1} != {1} ? {1} : {0}", CHOICE, (SUM, SUM)),
            operations.SIGN: Form(f"({kind})(({{0}} > {zero}) - ({{0}} < {zero}))", SIGN, (NAME,)),
            CAST: Form(f"({kind}){{}}", SIGN, (CALL,)),
        }
        self.forms = OPERATORS | function_forms(f"{{}}{suffix}", absolute=f"fabs{suffix}") | forms

    def number(self, number: float) -> Text:
        return c_number(self.dtype.type(number))

    def remark(self, text: str) -> str:
        return f"/* {comment(text)} */"

    def form(self, step: Step) -> Form:
        """Return the short form of a maximum or minimum with a number: what is no number then stays so."""
        numbers = [index for index, operand in enumerate(step.operands) if isinstance(operand, float)]
        if step.operation in (operations.MAXIMUM, operations.MINIMUM) and numbers:
            return extreme_form(step.operation, numbers[-1])
        return super().form(step)

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


def integer_literal(number: int) -> str:
    """Return an integer of 64 bits, of which the smallest has no literal."""
    return f"INT64_C({number})" if number > -(2**63) else "-INT64_C(9223372036854775807) - 1"


def text_literal(text: str) -> str:
    """Return a text in UTF-8; three octal digits end where they end, whatever follows."""
    characters = (chr(byte) if chr(byte) in _PLAIN else f"\\{byte:03o}" for byte in text.encode())
    return f'"{"".join(characters)}"'


def comment(text: str) -> str:
    """Return a text that neither ends a comment nor begins one, nor turns what is around it."""
    shown = "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode() for character in text
    )
    for character in ("*/", "/*"):
        shown = shown.replace(character, " ".join(character))
    return re.sub(r"\?(?=\?)", "? ", shown)  # a trigraph may say a backslash
