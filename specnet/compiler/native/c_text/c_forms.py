"""C code of elementwise operations, numbers, blocks and loops, and of functions that several loops share."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from specnet.compiler import operations
from specnet.compiler.expressions import NAME, OPERATORS, c_number, extreme_form
from specnet.compiler.native.c_plan import NoFormError
from specnet.compiler.value import CAST, EXPAND, Kind, Operation

FORMS: Mapping[Operation, str] = {
    **{operation: form.template for operation, form in OPERATORS.items()},
    EXPAND: "{0}",
    operations.MATMUL: "{0} * {1}",
    CAST: "(real){0}",
    **{operation: f"r_{operation.name}({{0}})" for operation in operations.SMOOTH},
    operations.ABSOLUTE: "r_abs({0})",
    operations.SIGN: "r_sign({0})",
    operations.FLOOR: "r_floor({0})",
    operations.MAXIMUM: "r_max({0}, {1})",
    operations.MINIMUM: "r_min({0}, {1})",
    operations.ONE_HOT: "i == {0}",
    operations.TO_INDEX: "index_of({0})",
}
"""Templates for one element of each operation; operands are names and numbers. For `ONE_HOT`, i is the index of the
row. `MATMUL` is the outer product of a column and a row."""
TYPES: Mapping[Kind, str] = {"float": "real", "mask": "int", "index": "integer"}
"""C types of a variable for one element, by kind."""


def element(operation: Operation, operands: Sequence[str], constant: Sequence[bool]) -> str:
    """Return the C expression of one element of an operation.

    Parameters
    ----------
    operation
    operands
        Names and numbers in C.
    constant
        Whether each operand is a constant.

    Raises
    ------
    NoFormError
        If C has no form of the operation.
    """
    if operation not in FORMS:
        raise NoFormError(f"{operation.name} has no form in C")
    if operation in (operations.MAXIMUM, operations.MINIMUM) and any(constant):
        return extreme_form(operation, 1 if constant[1] else 0).template.format(*operands)
    return FORMS[operation].format(*operands)


def literal(number: float, dtype: np.dtype[Any]) -> str:
    """Return a number as a C literal, rounded to a dtype."""
    return c_number(dtype.type(number)).within(NAME)


def block(head: str, lines: Iterable[str]) -> list[str]:
    """Return the lines of a statement with a body in braces."""
    return [f"{head} {{".lstrip(), *(f"  {line}" for line in lines), "}"]


def summing(width: str, body: Iterable[str], sums: Sequence[str], *, in_order: bool = False) -> list[str]:
    """Return a loop over columns whose body adds to ``part_s`` for each sum s, a double.

    Sums are computed in pieces, since a number that is added to a large sum loses digits.
    """
    parts = ", ".join(f"part_{name}" for name in sums)
    pragma = [] if in_order else [f"SIMD(reduction(+:{parts}))"]
    piece = [
        f"const long end = {width} - begin < PIECE ? {width} : begin + PIECE;",
        f"real {parts.replace(',', ' = 0,')} = 0;",
        *pragma,
        *block("for (long j = begin; j < end; j++)", body),
        *(f"{name} += part_{name};" for name in sums),
    ]
    return block(f"for (long begin = 0; begin < {width}; begin += PIECE)", piece)


_NAME = re.compile(r"(\(workspace \+ [^()]*\)|\(\(real \*\)p\[\d+\]\)|\btemporary\b)|\b(part_s|[abrsvw])(\d+)")
"""A pointer, or a name that ends with the number of a value."""


class SharedFunctions:
    """C functions for groups of statements: groups that differ only in pointers and value numbers share a function.

    A compiler optimizes a function as a whole, and its time grows faster than the function's length. So the loops of a
    long program are separate functions; since layers are similar, most of its loops share a few functions.

    Attributes
    ----------
    definitions
        Definitions by name, each after the functions that it calls.
    """

    def __init__(self) -> None:
        self.definitions: dict[str, str] = {}
        self._names: dict[str, str] = {}

    def named(self, kind: str, parameters: str, body: Sequence[str]) -> str:
        """Return the name of the function with this body; it is defined on the first call."""
        text = "\n".join(block(f"OUTLINE void NAME({parameters})", body))
        if text not in self._names:
            name = self._names[text] = f"{kind}_{len(self._names) + 1}"
            self.definitions[name] = text.replace("NAME", name, 1)
        return self._names[text]

    def call(self, statements: Sequence[str], lengths: Sequence[str]) -> str:
        """Return a call of a shared function for statements, with their pointers as arguments and values renumbered.

        Parameters
        ----------
        statements
        lengths
            The declarations of the lengths of named axes, from `sizes`.
        """
        pointers: dict[str, str] = {}
        numbers: dict[str, int] = {}

        def own(found: re.Match[str]) -> str:
            pointer, use, number = found.groups()
            if pointer:
                return pointers.setdefault(pointer, f"q{len(pointers)}")
            return f"{use}{numbers.setdefault(number, len(numbers))}"

        body = [_NAME.sub(own, line) for line in statements]
        parameters = ", ".join(["const index64 *sizes", *(f"real *{name}" for name in pointers.values())])
        name = self.named("loops", parameters, [*lengths, *body])
        return f"{name}({', '.join(['sizes', *pointers])});"
