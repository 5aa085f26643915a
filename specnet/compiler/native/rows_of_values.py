"""A plan as one that writes loops sees it: every value is rows of numbers, some of which lie inside others."""

from __future__ import annotations

from collections import defaultdict
from typing import Literal

from specnet.compiler.backend import UnavailableError
from specnet.compiler.lowering import Call
from specnet.compiler.operations import picking, reductions
from specnet.compiler.operations.products import AFFINE, MATMUL
from specnet.compiler.shapes import Axis, Shape
from specnet.compiler.storage import Plan
from specnet.compiler.value import CONSTANT, EXPAND, INPUT, STATE, SUM, MissingRuleError


class NoFormError(MissingRuleError, UnavailableError):
    """An operation, or a value of some shape, has no form in C."""


def no_form(shape: Shape) -> NoFormError:
    """Return the error for a shape that has no form in C."""
    return NoFormError(f"a value of shape ({', '.join(map(str, shape))}) has no form in C")


Space = tuple[Axis, Axis]
"""Rows and columns."""
Role = Literal["leaf", "view", "element", "reduction", "call"]
ONE: Space = (1, 1)
FEW_WEIGHTS = 16
"""Of a dense layer that is as fast in the loop which reads it as in registers, and spares the way to memory."""


class Program:
    """The calls of a plan, and what is asked about them again and again.

    Attributes
    ----------
    calls, outputs, commits
        As in the plan.
    for_outputs_only
        Numbers of the calls that no commit needs, if there are commits.
    users
        Of each value, the calls that read it, in order.
    kept
        Values that outlive a run: outputs, and new values of states.
    roots
        Of each value, the one in whose storage it lies; itself unless it is a view.
    """

    def __init__(self, plan: Plan) -> None:
        self.calls, self.outputs, self.commits = plan.calls, plan.outputs, plan.commits
        self.for_outputs_only = plan.for_outputs_only
        self.kept = {*plan.outputs, *(value for _, value in plan.commits)}
        self.users: defaultdict[int, list[int]] = defaultdict(list)
        self.roots: list[int] = []
        for n, call in enumerate(plan.calls):
            self.roots.append(self.roots[call.arguments[0]] if call.operation.role == "view" else n)
            for argument in dict.fromkeys(call.arguments):
                self.users[argument].append(n)
        self._owners = self._found_owners()

    def formula(self, n: int) -> str:
        """A call as a person reads it, with what it belongs to."""
        call = self.calls[n]
        operands = [self._name(a) for a in call.arguments]
        if call.attributes not in ((), call.shape, (False, False)):
            operands.append(str(call.attributes))
        owner = f"{self._owners[n]}: " if n in self._owners else ""
        return f"{owner}v{n} = {call.operation.name}({', '.join(operands)})"

    def _name(self, n: int) -> str:
        call = self.calls[n]
        return str(call.attributes) if call.operation.role == "leaf" else f"v{n}"

    def _found_owners(self) -> dict[int, str]:
        """What calls belong to, by the names of the states that they read: ``layers.0`` for ``theta.layers.0.weight``.

        Up to the first output a call belongs to the last owner of its operands, on the way back to the first.
        """
        owners: dict[int, str] = {}
        order: dict[str, int] = {}
        written = {value: self.calls[state].attributes for state, value in self.commits}
        for n, call in enumerate(self.calls):
            said = call.attributes if call.operation is STATE else written.get(n, "")
            own = said.partition(".")[2].rpartition(".")[0]
            known = [owners[a] for a in call.arguments if a in owners]
            read = [owners[a] for a in call.arguments if self.calls[self.roots[a]].operation is STATE and a in owners]
            is_back = bool(self.outputs) and n > self.outputs[0]
            if (
                owner := own
                or next(iter(read), "")
                or (known and (min if is_back else max)(known, key=order.__getitem__))
            ):
                owners[n] = owner
                order.setdefault(owner, len(order))
        return owners

    def space(self, n: int) -> Space:
        """Rows and columns of a value: of a vector one row, of a number one of both."""
        shape = self.calls[n].shape
        return (1, 1) if not shape else (1, shape[0]) if len(shape) == 1 else (shape[0], shape[1])

    def is_number(self, n: int) -> bool:
        """Is a value a single number, in every size?"""
        return self.space(n) == ONE

    def role(self, n: int) -> Role:
        """What a call is for loops: computed element by element, a reduction, or a call with loops of its own."""
        operation = self.calls[n].operation
        if operation.role in ("leaf", "view"):
            return "leaf" if operation.role == "leaf" else "view"
        if operation.elementwise or operation in (EXPAND, picking.ONE_HOT, picking.TO_INDEX):
            return "element"
        if self._is_outer(n) or self.weighs_rows(n):
            return "element"
        return "reduction" if operation in (SUM, reductions.MAX) else "call"

    def _is_outer(self, n: int) -> bool:
        """Is a call the product of a column and a row, which adds up nothing?"""
        call = self.calls[n]
        return call.operation is MATMUL and not any(call.attributes) and self.space(call.arguments[1])[0] == 1

    def weighs_rows(self, n: int) -> bool:
        """Is a call a dense layer of so few weights that each element is made where it is needed, of all rows?"""
        call, (rows, columns) = self.calls[n], self.space(n)
        if call.operation is not AFFINE or not isinstance(columns, str):
            return False
        inputs = self.space(call.arguments[1])[0]
        return isinstance(rows, int) and isinstance(inputs, int) and rows * inputs <= FEW_WEIGHTS

    def loop_space(self, n: int) -> Space:
        """What a loop over an element or a reduction goes through."""
        return self.space(self.calls[n].arguments[0] if self.role(n) == "reduction" else n)

    def is_leaf_array(self, n: int) -> bool:
        """Does a leaf come from outside, in an array?"""
        return self.calls[n].operation in (INPUT, STATE)

    def is_constant(self, n: int) -> bool:
        return self.calls[n].operation is CONSTANT

    def axes(self) -> list[str]:
        """The named axes, in a fixed order."""
        return sorted({axis for call in self.calls for axis in call.shape if isinstance(axis, str)})

    def states_written(self) -> set[int]:
        return {state for state, _ in self.commits}

    def readers(self, root: int) -> list[int]:
        """The calls, views apart, that read a storage."""
        return [
            n
            for n, call in enumerate(self.calls)
            if call.operation.role == "call" and any(self.roots[a] == root for a in call.arguments)
        ]

    def reads_whole(self, n: int, root: int, space: Space) -> bool:
        """Does a call read a storage only element by element, at the place of a loop over this space?"""
        if self.weighs_rows(n):
            return False
        call: Call = self.calls[n]
        reads = [a for a in call.arguments if self.roots[a] == root]
        return self.role(n) in ("element", "reduction") and all(a == root and self.space(a) == space for a in reads)
