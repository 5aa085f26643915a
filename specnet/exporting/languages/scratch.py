"""The arrays of a program that works on one row at a time: few, used again as soon as nobody reads them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set

from specnet.compiler.operations import pieces
from specnet.exporting.formula import GROUPED, LINEAR, LOOKUP, Operand
from specnet.exporting.formula_text import Names
from specnet.exporting.languages.language import Variable
from specnet.exporting.model_program import Program

_MAKERS = (LINEAR, GROUPED, LOOKUP, pieces.CONCATENATE, pieces.REPEAT)
"""Operations whose result cannot take the place of what they read."""


class Scratch:
    """Finds an array for each result.

    Parameters
    ----------
    program : Program
    names : Names

    Attributes
    ----------
    sizes : dict of str to int
        How many numbers each array holds.
    wide : set of str
        The wide arrays among them.
    kept : set of str
        The arrays that the members of an ensemble share.
    awaited : set of str
        The arrays that later layers read.
    answer : Variable
        Where the program's outputs belong.
    """

    def __init__(self, program: Program, names: Names) -> None:
        self.names = names
        self.sizes: dict[str, int] = {}
        self.wide: set[str] = set()
        self.kept: Set[str] = frozenset()
        self.awaited: Set[str] = frozenset()
        self.answer = Variable("y", program.outputs)
        self._last = frozenset(_last_results(program))

    def place(
        self,
        result: Operand,
        features: int,
        over: Sequence[str] = (),
        busy: Set[str] = frozenset(),
        *,
        is_wide: bool = False,
    ) -> Variable:
        """Return an array for a result.

        Parameters
        ----------
        result : Operand
            What is computed.
        features : int
            How many numbers it is.
        over : sequence of str
            The arrays that are read while it is written, each number before it is overwritten.
        busy : set of str
            The arrays that must stay as they are.
        is_wide : bool
            Whether it needs a wide array.
        """
        if not is_wide and result in self._last and features == self.answer.features and self.answer.name not in busy:
            return self.answer
        known = [name for name in (*over, *self.sizes) if name in self.sizes and (name in self.wide) == is_wide]
        free = [name for name in known if name not in busy | self.awaited | self.kept]
        name = free[0] if free else self.names.new(f"a{len(self.sizes)}")
        self.sizes[name] = max(features, self.sizes.get(name, 0))
        self.wide |= {name} if is_wide else set()
        return Variable(name, features, is_wide=is_wide)

    def sums(self) -> Variable:
        """Return a wide array that is as long as the answer, for sums over the members of an ensemble."""
        name = self.names.new("totals")
        self.sizes[name] = self.answer.features
        self.wide |= {name}
        return Variable(name, self.answer.features, is_wide=True)


def _last_results(program: Program) -> Iterable[Operand]:
    """Return what can be computed where the outputs belong: whatever comes after it can take its place."""
    number = len(program.steps) - 1
    while number >= 0 and not program.steps[number].stages:
        number = program.steps[number].node.inputs[0]
    layer = [stage.formula for stage in program.steps[number].stages] if number >= 0 else []
    for formula in reversed([*layer, program.finish]):
        for step in reversed(formula.steps):
            yield step
            if step.operation in _MAKERS:
                return
