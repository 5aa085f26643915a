"""Which steps of a formula share a loop."""

from __future__ import annotations

from collections.abc import Iterable

from specnet.compiler.operations import pieces, reductions
from specnet.compiler.value import EXPAND, SUM
from specnet.exporting.formula import GROUPED, LINEAR, LOOKUP, Formula, Operand, Source, Step

_WHOLE = (LINEAR, GROUPED, pieces.ROWS, pieces.REPEAT)
"""Operations that read arrays, and not numbers one by one."""
_OWN_LENGTH = (SUM, reductions.MAX, LOOKUP, pieces.CONCATENATE)
"""Operations that read numbers in loops as long as what they read."""


class LoopPlan:
    """The steps of a formula whose results have a place of their own, each with the loop that fills it.

    A loop computes all that only it needs. What other loops read too, what has another length, and what a product
    reads is kept.

    Parameters
    ----------
    formula : Formula

    Attributes
    ----------
    kept : dict of Step to bool
        The steps with a place, in order, and whether that must be an array.
    """

    def __init__(self, formula: Formula) -> None:
        self.formula = formula
        found = _kept(formula)
        self.kept = {step: found[step] for step in formula.steps if step in found}
        self._reads = {step: self._behind(step.operands) for step in self.kept}
        self._last = {operand: step for step, operands in self._reads.items() for operand in operands}
        self._order = {step: number for number, step in enumerate(self.kept)}

    def reads(self, step: Step) -> list[Operand]:
        """Return the sources and kept steps that the loop of a kept step reads."""
        return [operand for operand in self._reads[step] if self._has_place(operand)]

    def read_after(self, step: Step) -> list[Operand]:
        """Return the sources and kept steps that are still read when a kept step has its result."""
        number = self._order[step]
        return [x for x, last in self._last.items() if self._has_place(x) and self._order[last] > number]

    def chain(self, step: Step) -> list[Step]:
        """Return the steps that a loop computes, in order, for one of them or for what it keeps."""
        behind = self._behind(step.operands)
        return [other for other in self.formula.steps if other in behind and other not in self.kept] + [step]

    def _has_place(self, operand: Operand) -> bool:
        return isinstance(operand, Source) or operand in self.kept

    def _behind(self, operands: Iterable[Operand]) -> dict[Operand, None]:
        """Return what operands are made of, themselves included, down to what has a place."""
        found: dict[Operand, None] = {}
        waiting = list(reversed(list(operands)))
        while waiting:
            operand = waiting.pop()
            if isinstance(operand, (Step, Source)) and operand not in found:
                found[operand] = None
                if isinstance(operand, Step) and operand not in self.kept:
                    waiting += reversed(operand.operands)
        return found


def _kept(formula: Formula) -> dict[Step, bool]:
    kept: dict[Step, bool] = {}
    loops: dict[Step, set[tuple[Step, int, int]]] = {step: set() for step in formula.steps}  # a length each
    arrays = {operand for step in formula.steps if step.operation in _WHOLE for operand in step.operands}
    arrays.add(formula.output)
    for step in reversed(formula.steps):
        inside = step.operation.elementwise or step.operation is EXPAND
        lengths = {length for _, _, length in loops[step]}
        if not inside or step in arrays or len(loops[step]) > 1 or lengths - {step.features}:
            kept[step] = step in arrays
        for position, operand in enumerate(step.operands):
            if isinstance(operand, Step):
                if step not in kept:
                    loops[operand] |= loops[step]
                else:
                    part = position if step.operation is pieces.CONCATENATE else 0
                    loops[operand].add(
                        (step, part, operand.features if step.operation in _OWN_LENGTH else step.features)
                    )
    return kept
