"""How C says one element of an operation, and a number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
"""Operands are names and numbers. A one-hot row is true where the row's number i is the index. Of products of matrices,
only one of a column and a row has an element that is made of two."""
TYPES: Mapping[Kind, str] = {"float": "real", "mask": "int", "index": "integer"}
"""Of one element in a variable."""


def element(operation: Operation, operands: Sequence[str], constant: Sequence[bool]) -> str:
    """Return one element of an operation on names and numbers.

    Parameters
    ----------
    operation
    operands
        In C.
    constant
        Of each operand: is it a number that never changes?

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
    """Return a number in C, rounded to a dtype."""
    return c_number(dtype.type(number)).within(NAME)
