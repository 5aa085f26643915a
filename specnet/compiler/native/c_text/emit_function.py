"""A program as a function in C."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from specnet.compiler.lowering import Plan
from specnet.compiler.native.allocate import Extent, Places, padded
from specnet.compiler.native.c_text.c_forms import literal
from specnet.compiler.native.c_text.c_functions import functions_text
from specnet.compiler.native.c_text.c_head import SHARED_TURN_TEXT, head_text, turning_text
from specnet.compiler.native.c_text.emit_call import TEMPORARY, CallEmitter, copy_rows
from specnet.compiler.native.c_text.emit_loop import Loop, block
from specnet.compiler.native.c_text.matrix_products import Products
from specnet.compiler.native.c_text.thread_team import SHARING_TEXT
from specnet.compiler.native.fuse import Group, grouped
from specnet.compiler.native.rows_of_values import CPlan
from specnet.compiler.native.toolchain.processors import Target

PARAMETERS = "void *const *p, const index64 *sizes, int with_outputs"
"""Of a program's function: workspace and leaves, the lengths of named axes, and whether outputs are wanted."""


class Source:
    """The text of several programs that share their leaves and their workspace.

    Parameters
    ----------
    dtype
        Of real numbers: float32 or float64.
    target
        The processor.
    likely
        The lengths of named axes, as a rule: products are made for them.

    Attributes
    ----------
    table
        The names of leaves, in the order of the pointers to their arrays; the first one, "", is the workspace.
    axes
        The named axes, in the order of their lengths.
    shares
        Does the text share its work among threads? Who adds functions that do says so.
    """

    def __init__(self, dtype: np.dtype[Any], target: Target, likely: Mapping[str, int]) -> None:
        self.dtype, self.target, self.likely = dtype, target, likely
        self.table: list[str] = [""]
        self.axes = sorted(likely)
        self.vector_numbers = target.vector_bytes // dtype.itemsize
        self.products = Products(target, self.vector_numbers, likely)
        self.shares = False
        self._functions: list[str] = []

    def add(self, plan: Plan, name: str) -> Function:
        """Add a program as a function of this name.

        Raises
        ------
        NoFormError
            If a call has no form in C.
        """
        function = Function(self, self.products, CPlan(plan.calls, plan.outputs, plan.commits), name)
        self._functions.append(function.text)
        return function

    def pointer(self, name: str) -> str:
        """Return the place of a leaf's array in the table, in C; a new one if it has none."""
        if name not in self.table:
            self.table.append(name)
        return f"p[{self.table.index(name)}]"

    def lengths(self) -> list[str]:
        """Return the declarations of the lengths of named axes."""
        return [
            f"const long {axis} = sizes[{k}], {padded(axis)} = PADDED({axis}); (void){axis}; (void){padded(axis)};"
            for k, axis in enumerate(self.axes)
        ]

    def text(self, *others: str) -> str:
        """Return the whole text, with other functions at its end."""
        head = [head_text(self.dtype, self.target.vector_bytes), functions_text(self.dtype)]
        self.shares |= self.products.shares
        head += [SHARING_TEXT] if self.shares else []
        head += [turning_text(self.vector_numbers), *([SHARED_TURN_TEXT] if self.shares else [])]
        head += self.products.definitions()
        return "\n".join([*head, *self._functions, *others])


class Function:
    """One program as a function in C.

    Attributes
    ----------
    program, places
    text
    extent
        Of the workspace that it needs.
    """

    def __init__(self, source: Source, products: Products, program: CPlan, name: str) -> None:
        self.program = program
        groups = grouped(program)
        for n, call in enumerate(program.calls):
            if program.is_leaf_array(n):
                source.pointer(call.attributes)
        self.places = places = Places(program, groups, source.table)
        calls = CallEmitter(program, places, products)
        body: list[str] = []
        for group in groups:
            lines = self._group(group, calls, source.dtype)
            if group.for_outputs_only:
                lines = block("if (with_outputs)", lines)
            body += ["", *self._comments(group), *lines]
        for state, value in places.copies:
            body += ["", *self._copy(state, value, source.dtype)]
        self.extent = Extent(places.extent + calls.temporary)
        declared = [*source.lengths(), *self._declarations(source)]
        declared.append(f"real *const {TEMPORARY} = workspace + {places.extent.text()}; (void){TEMPORARY};")
        declared.append("(void)with_outputs;")
        self.text = "\n".join(["", f"/* {name} */", *block(f"static void {name}({PARAMETERS})", [*declared, *body])])

    def _group(self, group: Group, calls: CallEmitter, dtype: np.dtype[Any]) -> list[str]:
        if group.is_loop:
            return Loop(self.program, self.places, group, dtype).lines()
        return [line for n in group.calls for line in calls.emit_call(n)]

    def _comments(self, group: Group) -> list[str]:
        return [f"/* {self.program.comment(n)} */" for n in group.calls]

    def _declarations(self, source: Source) -> list[str]:
        """Return the pointers to leaves, the numbers among them, and the variables."""
        program, places = self.program, self.places
        lines = ["real *const workspace = p[0];"]
        converted = places.converted()
        for n, call in enumerate(program.calls):
            if not program.is_leaf_array(n):
                continue
            pointer = source.pointer(call.attributes)
            if n in converted:
                lines += self._conversion(n, pointer)
            elif program.is_number(n):
                lines.append(f"real *const {places.pointer(n)} = {pointer}; const real v{n} = *{places.pointer(n)};")
                lines.append(f"(void)v{n};")
            else:
                lines.append(f"real *const {places.pointer(n)} = {pointer};")
        types = {"float": "real", "mask": "int", "index": "integer"}
        return lines + [f"{types[program.calls[n].kind]} v{n} = 0;" for n in sorted(places.variables)]

    def _conversion(self, n: int, pointer: str) -> list[str]:
        kind, place = self.program.calls[n].kind, self.places.place(n)
        given, made = ("uint8_t", "real") if kind == "mask" else ("index64", "integer")
        source, target = f"((const {given} *){pointer})[i * {place.columns} + j]", f"(({made} *){place.base})"
        converted = f"{target}[i * {place.row} + j] = ({made}){source};"
        return [f"for (long i = 0; i < {place.rows}; i++) for (long j = 0; j < {place.columns}; j++) {converted}"]

    def _copy(self, state: int, value: int, dtype: np.dtype[Any]) -> list[str]:
        """Return the statements that write a commit which was not computed in place."""
        program, target = self.program, self.places.place(state)
        if program.is_constant(value):
            return [f"*{target.base} = {literal(program.calls[value].attributes, dtype)};"]
        if program.is_number(value) and (value in self.places.variables or program.is_leaf_array(value)):
            return [f"*{target.base} = v{value};"]
        return [copy_rows(target, self.places.place(value))]
