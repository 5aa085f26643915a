"""Tables, and arrays of intermediate results in the workspace or on the stack, in C."""

from __future__ import annotations

from typing import Any

import numpy as np

from specnet.compiler.expressions import number_literal
from specnet.exporting.loops.row_loops import Routine
from specnet.exporting.model_program import Program
from specnet.parts.arrays import FLOAT64, Array

LOCAL_NUMBERS, LOCAL_DOUBLES = 16, 64
"""The largest length of a local array, which compilers may store in registers, and the most doubles of all of them."""


def function_statements(
    body: Routine, dtype: np.dtype[Any], calls_models: bool = False, local_doubles: int = LOCAL_DOUBLES
) -> tuple[list[str], int]:
    """Return the statements of a function from raw columns to answers, and the size of its workspace in doubles.

    If it calls the models of a team, it passes the rest of the workspace on to them. Local arrays have at most
    `local_doubles` together.
    """
    lines, used, on_stack = [], 0, 0
    for array, size in body.sizes.items():
        kind = FLOAT64 if array in body.wide else dtype
        word, doubles = "double" if array in body.wide else "real", doubles_of(size, kind)
        if size <= LOCAL_NUMBERS and on_stack + doubles <= local_doubles:
            on_stack += doubles
            lines.append(f"{word} {array}[{size}];")
        else:
            lines.append(f"{word} *restrict {array} = {workspace_pointer(used, kind)};")
            used += doubles
    if calls_models:
        lines.append(f"workspace += {used};")
    elif not used:
        lines.append("(void)workspace;")
    return [*lines, *body.lines], used


def workspace_pointer(start: int, dtype: np.dtype[Any]) -> str:
    """Return the expression of the workspace from double number `start` on, as an array of a data type."""
    pointer = f"workspace + {start}" if start else "workspace"
    return pointer if dtype == np.float64 else f"(real *)({pointer})"


def doubles_of(numbers: int, dtype: np.dtype[Any]) -> int:
    """Return the smallest number of doubles that provide enough memory for numbers of a data type."""
    return -(-numbers * dtype.itemsize // FLOAT64.itemsize)


def table_text(array: Array, name: str, kind: str, has_members: bool = False) -> str:
    """Return the definition of a table; ensemble members are its first axis."""
    if has_members:
        size, lines = f"{len(array)}][{array[0].size}", "".join(f"{{\n{_lines(each)}}},\n" for each in array)
    else:
        size, lines = str(array.size), _lines(array)
    return f"static const {kind} {name}[{size}] = {{\n{lines}}};"


def _lines(array: Array) -> str:
    rows = array.reshape(-1, array.shape[-1])
    return "".join(f"    {', '.join(map(number_literal, row))},\n" for row in rows)


def interval_tables(program: Program) -> list[str]:
    """Return the definitions of the tables of intervals, whose type is always double."""
    tables = {{"knots": "starts"}.get(name, name): array for name, array in program.interval_arrays.items()}
    if program.interval and program.interval.not_negative:
        is_limited = np.isin(np.arange(program.outputs), program.interval.not_negative)
        tables["not_negative"] = is_limited.astype(np.float64)
    return [_numbers(*each) for each in tables.items()]


def _numbers(name: str, array: Array) -> str:
    """Return the name and the initializer of a small table, (outputs,) or (outputs, knots)."""
    sizes = "".join(f"[{size}]" for size in array.shape)
    rows = [", ".join(map(number_literal, row)) for row in array.reshape(len(array), -1)]
    return f"{name}{sizes} = {{{', '.join(rows if array.ndim == 1 else [f'{{{row}}}' for row in rows])}}};"
