"""The ways to write activations as formulas: each by its own expression, some also as other tools write them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from pydantic import ValidationError

from specnet.importing.algebra import STEPS, Formula, TooInvolvedError
from specnet.importing.expressions import formula_of
from specnet.importing.functions import absolute, algebra_of, exp, mean, not_negative, positive, sqrt, where
from specnet.parts.activations import Activation, Elu, HardShrink, Selu, SoftShrink, Squareplus
from specnet.parts.layers import LayerNormalization
from specnet.parts.part import Part
from specnet.parts.registry import Registry, built_in_registry


@dataclass(frozen=True, slots=True)
class Way:
    """A way to write a part as a formula of what it reads.

    Attributes
    ----------
    part : type of Part
    fields : mapping
        The part as a spec says it, but for its numbers.
    numbers : tuple of str
        The fields whose values the formula has.
    write : callable
        From (part, x, size), size being the number of features.
    elementwise : bool
    functions : frozenset of str
        What `functions_of` says of the formula, unless its numbers are such that some vanish.
    """

    part: type[Part]
    fields: Mapping[str, Any]
    numbers: tuple[str, ...]
    write: Callable[[Any, Formula, int], Formula]
    elementwise: bool = True
    functions: frozenset[str] = frozenset()

    def written(self, values: Sequence[float], x: Formula, size: int) -> Formula | None:
        """Return the formula with these numbers, None where the part does not allow them or is x, moved and scaled."""
        fields = {**self.fields, **dict(zip(self.numbers, values, strict=True))}
        try:
            formula = self.write(self.part(**fields), x, size)
        except (ValidationError, TooInvolvedError):
            return None
        return formula if formula.affine is None and formula.value is None else None


@cache
def ways_of(registry: Registry) -> tuple[Way, ...]:
    """Return the ways to write the activations of a registry, and a normalization without what it learns.

    Where two are the same function, the first one is meant: one without numbers before one with, elu before celu, and
    what specnet brings before what plugins bring.
    """
    own = built_in_registry().of_kind("activation")
    parts = [part for part in registry.of_kind("activation") if issubclass(part, Activation)]
    parts.sort(key=lambda part: (part not in own, bool(_numbers(part))))
    ways = [way for part in parts for way in _ways(part)]
    ways.append(Way(LayerNormalization, {"type": "layer_normalization"}, ("epsilon",), _normal, elementwise=False))
    return tuple(known for way in ways if (known := _with_functions(way)) is not None)


def _numbers(part: type[Activation]) -> tuple[str, ...]:
    """Return the fields that a formula can tell; integers are none: they may say how long an expression is."""
    return tuple(name for name, field in part.model_fields.items() if field.annotation is float)


def _ways(part: type[Activation]) -> Iterator[Way]:
    own_fields = part.model_fields.keys() - Activation.model_fields.keys()
    switches = [name for name in sorted(own_fields) if part.model_fields[name].annotation is bool]
    fields = {"type": part.part_name()}
    for changed in [{}, *({name: not part.model_fields[name].default} for name in switches)]:
        yield Way(part, fields | changed, _numbers(part), formula_of, part.elementwise)
    for write in _ELSEWHERE.get(part, ()):
        yield Way(part, fields, _numbers(part), write)


def _with_functions(way: Way) -> Way | None:
    """Return a way with its functions, None where formulas cannot say it."""
    x, count = algebra_of(1e-12).x, len(way.numbers)
    general = [1 / (number + 1.7) for number in range(count)]  # between 0 and 1, where most fields can be
    usual = [way.part.model_fields[name].default for name in way.numbers]
    formula = next((f for values in (general, usual) if (f := way.written(values, x, 2)) is not None), None)
    return None if formula is None else replace(way, functions=functions_of(formula))


def functions_of(formula: Formula) -> frozenset[str]:
    """Return the functions by which formulas can be told apart without comparing them.

    Steps count as one, and rectifiers beside them as none: with t = 0, but with no other t, a p·[p > t] is a rectifier.
    """
    names = frozenset(atom.function for atom in formula.functions())
    return names.difference(STEPS, {"relu"}) | {"step"} if names.intersection(STEPS) else names


def _minus_one(x: Formula, alpha: float) -> Formula:
    return (exp(x) - 1.0) * alpha


def _scaled_elu(elu: Elu, x: Formula, size: int) -> Formula:
    usual = formula_of(Elu(), x)
    return where(positive(x), usual, usual * elu.alpha)


def _plain_squareplus(squareplus: Squareplus, x: Formula, size: int) -> Formula:
    return (x + sqrt(x * x + squareplus.b)) * 0.5


def _above_or_below(x: Formula, threshold: float, move: float) -> Formula:
    below = where(positive(-x - threshold), x + move, x.algebra.constant(0.0))
    return where(positive(x - threshold), x - move, below)


def _shrunk(shrink: SoftShrink, x: Formula, size: int) -> Formula:
    signs = positive(x) - positive(-x)
    return where(positive(absolute(x) - shrink.threshold), x - signs * shrink.threshold, x.algebra.constant(0.0))


def _outside(shrink: HardShrink, x: Formula, size: int) -> Formula:
    above, below = positive(x - shrink.threshold), positive(-x - shrink.threshold)
    return (above + below - above * below) * x


def _normal(layer: LayerNormalization, x: Formula, size: int) -> Formula:
    centred = x - mean(x)
    return centred / sqrt(mean(centred * centred) + layer.epsilon)


_ELSEWHERE: dict[type[Activation], tuple[Callable[[Any, Formula, int], Formula], ...]] = {
    Selu: (lambda selu, x, size: where(positive(x), x, _minus_one(x, selu.ALPHA)) * selu.SCALE,),
    Elu: (
        lambda elu, x, size: where(positive(x), x, _minus_one(x, elu.alpha)),
        lambda elu, x, size: where(not_negative(x), x, _minus_one(x, elu.alpha)),
        _scaled_elu,
    ),
    Squareplus: (_plain_squareplus,),
    SoftShrink: (_shrunk, lambda shrink, x, size: _above_or_below(x, shrink.threshold, shrink.threshold)),
    HardShrink: (
        lambda shrink, x, size: x * (positive(x - shrink.threshold) + positive(-x - shrink.threshold)),
        _outside,
        lambda shrink, x, size: _above_or_below(x, shrink.threshold, 0.0),  # another one only if the threshold is 0
    ),
}
"""How other tools write what an expression here says otherwise, and no identity of the algebra shows to be the same."""
