"""The numbers of an optimizer that change with the step, as expressions of the step and of the rate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from specnet.compiler import operations
from specnet.compiler.expressions import ARITHMETIC, Form, Forms, Text
from specnet.compiler.value import ADD, DIVIDE, MULTIPLY, SUBTRACT, Operation
from specnet.errors import UnsupportedError
from specnet.exporting.loops.language import Language
from specnet.parts.optimizers.base import SteppingOptimizer


def scalar_texts(optimizer: SteppingOptimizer, step: str, rate: str, language: Language, power: str) -> dict[str, Text]:
    """Return the expression of each number of an optimizer's step by its name.

    An optimizer computes them from numbers; here it computes with expressions in their place.

    Parameters
    ----------
    optimizer : SteppingOptimizer
    step, rate : str
        The names of the variables for the number of the step, from 1, and for the learning rate.
    language : Language
        The language of computations in float64.
    power : str
        The template of a power.

    Raises
    ------
    UnsupportedError
        If the numbers are no formula of both, because their computation branches or calls other functions.
    """
    forms = {**ARITHMETIC, operations.SQRT: language.forms[operations.SQRT], _POWER: Form(power)}
    given = (_Expression(Text(name), forms, language) for name in (step, rate))
    number, learning_rate = given
    # The formula of several steps has no functions of single numbers; most optimizers have only that of one step.
    found: Mapping[str, Any] = {}
    for formula in (optimizer.scalars_of, optimizer.scalars):
        try:
            found = formula(number, learning_rate)  # type: ignore[arg-type]
            break
        except TypeError:
            continue
    if not found:
        raise UnsupportedError(
            f"the training step cannot be exported: the numbers of a step of {optimizer.type} are no formula"
        )
    factor = _Expression(language.number(optimizer.decay), forms, language)
    return {name: value.text for name, value in {"decay": learning_rate * factor, **found}.items()}


_POWER = Operation("power")


@dataclass(frozen=True, slots=True, eq=False)
class _Expression:
    """An expression that is computed with like a number."""

    text: Text
    forms: Forms
    language: Language

    def _of(self, operation: Operation, *operands: Any) -> Self:
        texts = [each.text if isinstance(each, _Expression) else self.language.number(each) for each in operands]
        return type(self)(self.forms[operation].write(texts), self.forms, self.language)

    def __add__(self, other: Any) -> Self:
        return self._of(ADD, self, other)

    def __radd__(self, other: Any) -> Self:
        return self._of(ADD, other, self)

    def __sub__(self, other: Any) -> Self:
        return self._of(SUBTRACT, self, other)

    def __rsub__(self, other: Any) -> Self:
        return self._of(SUBTRACT, other, self)

    def __mul__(self, other: Any) -> Self:
        return self._of(MULTIPLY, self, other)

    def __rmul__(self, other: Any) -> Self:
        return self._of(MULTIPLY, other, self)

    def __truediv__(self, other: Any) -> Self:
        return self._of(DIVIDE, self, other)

    def __rtruediv__(self, other: Any) -> Self:
        return self._of(DIVIDE, other, self)

    def __rpow__(self, other: Any) -> Self:
        return self._of(_POWER, other, self)

    def sqrt(self) -> Self:
        """Return the square root; NumPy calls it."""
        return self._of(operations.SQRT, self)
