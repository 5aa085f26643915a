"""A plan for C: every value is a matrix of numbers, and calls are in groups, many of which become one loop.

Calls over the same rows and columns are fused to one loop, in order: an elementwise call joins the last loop if this
has the same space, and if all operands are computed there or in earlier groups. The result of a reduction can be read
only after its loop. Then an elementwise call moves into a later loop if only this loop reads its result: a value that
is used only within a loop needs no memory.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

from specnet.compiler import operations
from specnet.compiler.lowering import Plan, UnavailableError
from specnet.compiler.native import LONG_PROGRAM
from specnet.compiler.operations import AFFINE, MATMUL
from specnet.compiler.value import CONSTANT, EXPAND, INPUT, STATE, SUM, Axis, MissingRuleError, Shape


class NoFormError(MissingRuleError, UnavailableError):
    """Raised if an operation, or the shape of a value, has no form in C."""


def no_form(shape: Shape) -> NoFormError:
    """Return the error for a shape that has no form in C."""
    return NoFormError(f"a value of shape ({', '.join(map(str, shape))}) has no form in C")


Space = tuple[Axis, Axis]
"""The numbers of rows and columns of a loop or a value."""
Role = Literal["leaf", "view", "name", "element", "reduction", "call"]
ONE: Space = (1, 1)
FEW_WEIGHTS = 16
"""Maximum number of weights of a dense layer that is computed within the loop that reads it, without memory."""


class CPlan(Plan):
    """A plan with additional properties to write its C code."""

    @cached_property
    def is_long(self) -> bool:
        """Whether it is written as several functions, since a compiler's time grows faster than a function's length.

        Then all single numbers are in memory too, since the functions share no variables.
        """
        return sum(call.operation.role == "call" for call in self.calls) > LONG_PROGRAM

    @cached_property
    def users(self) -> dict[int, list[int]]:
        """Map each value to the calls that read it, in order."""
        users = defaultdict[int, list[int]](list)
        for n, call in enumerate(self.calls):
            for argument in dict.fromkeys(call.arguments):
                users[argument].append(n)
        return users

    def comment(self, n: int) -> str:
        """Return a call as readable text, after the name of its layer if it has one."""
        return f"{self._owners[n]}: {self.formula(n)}" if n in self._owners else self.formula(n)

    @cached_property
    def _owners(self) -> dict[int, str]:
        """Map calls to layers by the names of the states that they read: ``layers.0`` for ``theta.layers.0.weight``.

        Up to the first output, a call belongs to the last one of its operands' layers; after it, to the first one.
        """
        owners: dict[int, str] = {}
        order: dict[str, int] = {}
        written = {value: self.calls[state].attributes for state, value in self.commits}
        for n, call in enumerate(self.calls):
            name = call.attributes if call.operation is STATE else written.get(n, "")
            own = name.partition(".")[2].rpartition(".")[0]
            known = [owners[a] for a in call.arguments if a in owners]
            read = [owners[a] for a in call.arguments if self.calls[self.roots[a]].operation is STATE and a in owners]
            is_back = bool(self.outputs) and n > self.outputs[0]
            nearest = (min if is_back else max)(known, key=order.__getitem__, default="")
            if owner := own or next(iter(read), nearest):
                owners[n] = owner
                order.setdefault(owner, len(order))
        return owners

    def space(self, n: int) -> Space:
        """Return the rows and columns of a value: a vector has one row, a number one row and one column."""
        shape = self.calls[n].shape
        return (1, 1) if not shape else (1, shape[0]) if len(shape) == 1 else (shape[0], shape[1])

    def is_number(self, n: int) -> bool:
        """Return whether a value is a single number for all lengths of the named axes."""
        return self.space(n) == ONE

    def role(self, n: int) -> Role:
        """Return the role of a call: an element or a reduction in a loop, or a call with separate loops."""
        operation = self.calls[n].operation
        if operation.role != "call":
            return operation.role
        if operation.elementwise or operation in (EXPAND, operations.ONE_HOT, operations.TO_INDEX):
            return "element"
        if self._is_outer(n) or self.weighs_rows(n):
            return "element"
        return "reduction" if operation in (SUM, operations.MAX) else "call"

    def _is_outer(self, n: int) -> bool:
        """Return whether a call is the outer product of a column and a row, which needs no sum."""
        call = self.calls[n]
        return call.operation is MATMUL and not any(call.attributes) and self.space(call.arguments[1])[0] == 1

    def weighs_rows(self, n: int) -> bool:
        """Return whether a call is a dense layer with few weights, computed in the loop that reads it."""
        call, (rows, columns) = self.calls[n], self.space(n)
        if call.operation is not AFFINE or not isinstance(columns, str):
            return False
        inputs = self.space(call.arguments[1])[0]
        return isinstance(rows, int) and isinstance(inputs, int) and rows * inputs <= FEW_WEIGHTS

    def loop_space(self, n: int) -> Space:
        """Return the rows and columns of the loop of an element or a reduction."""
        return self.space(self.calls[n].arguments[0] if self.role(n) == "reduction" else n)

    def is_leaf_array(self, n: int) -> bool:
        """Return whether a value is a leaf with an array: an input or a state."""
        return self.calls[n].operation in (INPUT, STATE)

    def is_constant(self, n: int) -> bool:
        return self.calls[n].operation is CONSTANT

    @cached_property
    def readers(self) -> dict[int, list[int]]:
        """Map each storage to the calls that read it, in order, without views."""
        readers = defaultdict[int, list[int]](list)
        for n, call in enumerate(self.calls):
            if call.operation.role == "call":
                for root in dict.fromkeys(self.roots[a] for a in call.arguments):
                    readers[root].append(n)
        return readers

    def reads_whole(self, n: int, root: int, space: Space) -> bool:
        """Return whether a call in a loop over this space reads a storage only at the loop's current element."""
        if self.weighs_rows(n):
            return False
        reads = [a for a in self.calls[n].arguments if self.roots[a] == root]
        return self.role(n) in ("element", "reduction") and all(a == root and self.space(a) == space for a in reads)


LONGEST = 50
"""Maximum number of calls in a function of a long program, unless they are one loop that cannot be divided."""


@dataclass(slots=True)
class CallGroup:
    """A group of calls that are written together.

    Attributes
    ----------
    is_loop
        Whether it is a loop over elements and reductions; otherwise a single call.
    space
        The rows and columns of a loop.
    for_outputs_only
        Whether it is omitted if only commits are requested.
    calls
        Numbers of the calls, in order.
    """

    is_loop: bool
    space: Space
    for_outputs_only: bool
    calls: list[int] = field(default_factory=list)


def fuse(plan: CPlan) -> list[CallGroup]:
    """Return the groups of a plan's calls in order."""
    groups: list[CallGroup] = []
    home: dict[int, int] = {}
    for n, call in enumerate(plan.calls):
        role = plan.role(n)
        if role in ("leaf", "view"):
            continue
        is_loop, only = role != "call", n in plan.for_outputs_only
        space = plan.loop_space(n) if is_loop else plan.space(n)
        earliest = max((_earliest(plan, home, n, a, space) for a in call.arguments), default=0)
        last = len(groups) - 1
        joins = is_loop and groups and earliest <= last and groups[last].is_loop
        if not joins or (groups[last].space, groups[last].for_outputs_only) != (space, only):
            groups.append(CallGroup(is_loop, space, only))
        groups[-1].calls.append(n)
        home[n] = len(groups) - 1
    _sink(plan, groups, home)
    if plan.is_long:
        groups = [piece for group in groups for piece in _pieces(plan, group)]
    return [group for group in groups if group.calls]


def _pieces(plan: CPlan, group: CallGroup) -> list[CallGroup]:
    """Divide a loop of many calls into loops that do not read each other's results; this changes no bits."""
    if len(group.calls) <= LONGEST:
        return [group]
    related: dict[int, list[int]] = {}
    for n in group.calls:
        related[n] = [n]
        for a in plan.calls[n].arguments:
            if a in related and related[a] is not related[n]:
                related[a] += related[n]
                related |= dict.fromkeys(related[n], related[a])
    pieces = [replace(group, calls=[])]
    for calls in {id(calls): calls for calls in related.values()}.values():
        if pieces[-1].calls and len(pieces[-1].calls) + len(calls) > LONGEST:
            pieces.append(replace(group, calls=[]))
        pieces[-1].calls = sorted([*pieces[-1].calls, *calls])
    return pieces


def _earliest(plan: CPlan, home: dict[int, int], n: int, argument: int, space: Space) -> int:
    """Return the first group in which a call can read its operand in a loop over a space."""
    root = plan.roots[argument]
    if root not in home:
        return 0
    is_element = root == argument and plan.role(root) == "element" and plan.space(root) == space
    return home[root] + (not is_element or plan.weighs_rows(n))


def _sink(plan: CPlan, groups: list[CallGroup], home: dict[int, int]) -> None:
    """Move each elementwise call into the loop that reads it, if this is a single later loop over the same space."""
    written = {state for state, _ in plan.commits}
    for n in reversed(range(len(plan.calls))):
        if n not in home or plan.role(n) != "element" or n in plan.retained or plan.space(n) == ONE:
            continue
        homes = {home.get(user, -1) for user in plan.users[n]}
        if len(homes) != 1:
            continue
        (target,) = homes
        if any(map(plan.weighs_rows, plan.users[n])):
            continue
        stays = target in (-1, home[n]) or not groups[target].is_loop or groups[target].space != plan.space(n)
        if stays or any(plan.roots[a] in written for a in plan.calls[n].arguments):
            continue
        groups[home[n]].calls.remove(n)
        groups[target].calls = sorted([*groups[target].calls, n])
        home[n] = target
