"""A program as a function in C, which calls others of its own if it is long."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from specnet.compiler.lowering import Plan
from specnet.compiler.native.allocate import Extent, Matrix, Places, padded
from specnet.compiler.native.c_plan import CPlan
from specnet.compiler.native.c_text.c_forms import TYPES, literal
from specnet.compiler.native.c_text.c_functions import functions_text
from specnet.compiler.native.c_text.c_head import SHARED_TURN_TEXT, head_text, turning_text
from specnet.compiler.native.c_text.emit_call import TEMPORARY, CallEmitter, copy_rows
from specnet.compiler.native.c_text.emit_loop import LoopEmitter, block
from specnet.compiler.native.c_text.matrix_products import PRODUCT_STRUCT, Products
from specnet.compiler.native.c_text.shared_functions import SharedFunctions
from specnet.compiler.native.c_text.thread_team import SHARING_TEXT
from specnet.compiler.native.fuse import LONGEST, CallGroup, fuse
from specnet.compiler.native.toolchain.processors import Processor
from specnet.compiler.value import Kind

PARAMETERS = "void *const *p, const index64 *sizes, int with_outputs"
"""Of a program's function: workspace and leaves, the lengths of named axes, and whether outputs are wanted."""


class Statements(NamedTuple):
    """What some calls of a plan are in C."""

    calls: list[int]
    lines: list[str]
    for_outputs_only: bool

    def text(self, plan: CPlan) -> list[str]:
        """Return the lines, with what they are of."""
        lines = block("if (with_outputs)", self.lines) if self.for_outputs_only else self.lines
        return ["", *(f"/* {plan.comment(n)} */" for n in self.calls), *lines]

    @property
    def is_call(self) -> bool:
        """Is there one alone, which calls a function already, or copies numbers?"""
        return len(self.lines) == 1


class CText:
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
    functions
        The programs in the order in which they were added.
    shares
        Does the text share its work among threads? Who adds functions that do says so.
    """

    def __init__(self, dtype: np.dtype[Any], target: Processor, likely: Mapping[str, int]) -> None:
        self.dtype, self.target, self.likely = dtype, target, likely
        self.table: list[str] = [""]
        self.axes = sorted(likely)
        self.vector_numbers = target.vector_bytes // dtype.itemsize
        self.shared = SharedFunctions()
        self.products = Products(target, self.vector_numbers, likely, self.shared)
        self.shares = False
        self.functions: list[CFunction] = []

    def add(self, plan: Plan, name: str) -> CFunction:
        """Add a program as a function of this name.

        Raises
        ------
        NoFormError
            If a call has no form in C.
        """
        plan = CPlan(plan.calls, plan.outputs, plan.commits)
        groups = fuse(plan)
        for n, call in enumerate(plan.calls):
            if plan.is_leaf_array(n):
                self.pointer(call.attributes)
        places = Places(plan, groups, self.table)
        emitter = CallEmitter(plan, places, self.products)
        written = [self._statements(plan, places, emitter, group) for group in groups]
        late = [_late_commit(plan, places, state, value, self.dtype) for state, value in places.copies]
        written += [Statements([], [line], for_outputs_only=False) for line in late]
        first = [*self.lengths(), "real *const workspace = p[0];"]
        last = [f"real *const {TEMPORARY} = workspace + {places.extent.text()}; (void){TEMPORARY};"]
        last.append("(void)with_outputs;")
        text, lines = list[str](), [line for statements in written for line in statements.text(plan)]
        if plan.is_long:
            parts = self._parts(plan, written)
            lines = [f"{name}_{k}(p, sizes, with_outputs);" for k in range(len(parts))]
            for k, part in enumerate(parts):
                text += block(f"OUTLINE void {name}_{k}({PARAMETERS})", [*first, *last, *part])
        declared = [*first, *_leaves(self, plan, places), *last]
        text += ["", f"/* {name} */", *block(f"static void {name}({PARAMETERS})", [*declared, *lines])]
        function = CFunction(plan, places, "\n".join(text), Extent(places.extent + emitter.temporary))
        self.functions.append(function)
        return function

    def _statements(self, plan: CPlan, places: Places, emitter: CallEmitter, group: CallGroup) -> Statements:
        if group.is_loop:
            lines = LoopEmitter(plan, places, group, self.dtype).emit_loop()
        else:
            lines = [line for n in group.calls for line in emitter.emit_call(n)]
        return Statements(group.calls, lines, group.for_outputs_only)

    def _parts(self, plan: CPlan, written: Iterable[Statements]) -> list[list[str]]:
        """Return the statements of a long program in parts, each of few calls."""
        calls = []
        for statements in _joined(written):
            lines = statements.lines if statements.is_call else [self.shared.call(statements.lines, self.lengths())]
            calls.append(statements._replace(lines=lines).text(plan))
        return [[line for lines in calls[k : k + LONGEST] for line in lines] for k in range(0, len(calls), LONGEST)]

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
        head += [PRODUCT_STRUCT] if self.products.shares else []
        head += self.shared.definitions.values()
        return "\n".join([*head, *(function.text for function in self.functions), *others])


class CFunction(NamedTuple):
    """One plan as a function in C.

    Attributes
    ----------
    plan, places
    text
    extent
        Of the workspace that it needs.
    """

    plan: CPlan
    places: Places
    text: str
    extent: Extent


def _joined(written: Iterable[Statements]) -> list[Statements]:
    """Join neighbours, but for those that are calls themselves, to what is a function of its own."""
    joined: list[Statements] = []
    for statements in written:
        last = joined[-1] if joined else statements
        is_apart = last.is_call or statements.is_call or last.for_outputs_only != statements.for_outputs_only
        if not joined or is_apart or len(last.calls) + len(statements.calls) > LONGEST:
            joined.append(statements)
        else:
            joined[-1] = last._replace(calls=last.calls + statements.calls, lines=last.lines + statements.lines)
    return joined


def _leaves(source: CText, plan: CPlan, places: Places) -> list[str]:
    """Return the pointers to leaves and the variables, of which a long program has none, and copies that convert."""
    lines = []
    for n, call in enumerate(plan.calls):
        if not plan.is_leaf_array(n):
            continue
        pointer = source.pointer(call.attributes)
        if places.is_converted(n):
            lines.append(_conversion(call.kind, places.place(n), pointer))
            continue
        if plan.is_long:
            continue
        lines.append(f"real *const {places.pointer(n)} = {pointer};")
        if n in places.variables:
            lines[-1] += f" const real v{n} = *{places.pointer(n)};"
            lines.append(f"(void)v{n};")
    computed = [n for n in sorted(places.variables) if not plan.is_leaf_array(n)]
    return lines + [f"{TYPES[plan.calls[n].kind]} v{n} = 0;" for n in computed]


def _conversion(kind: Kind, place: Matrix, pointer: str) -> str:
    given, made = ("uint8_t", "real") if kind == "mask" else ("index64", "integer")
    source, target = f"((const {given} *){pointer})[i * {place.columns} + j]", f"(({made} *){place.base})"
    converted = f"{target}[i * {place.row} + j] = ({made}){source};"
    return f"for (long i = 0; i < {place.rows}; i++) for (long j = 0; j < {place.columns}; j++) {converted}"


def _late_commit(plan: CPlan, places: Places, state: int, value: int, dtype: np.dtype[Any]) -> str:
    """Return the statement that writes a commit which was not computed in place."""
    target = places.place(state)
    if plan.is_constant(value):
        return f"*{target.base} = {literal(plan.calls[value].attributes, dtype)};"
    if value in places.variables:
        return f"*{target.base} = v{value};"
    return copy_rows(target, places.place(value))
