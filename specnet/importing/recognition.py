"""Which activation a formula is: compared, in its normal form, with the ways in which each is written."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from specnet.errors import FileError
from specnet.importing.algebra import VARIABLE, Algebra, Formula, relu
from specnet.importing.ways import Way, functions_of, ways_of
from specnet.parts.registry import installed_registry

_MOST_CHOICES = 1600
"""More numbers than a formula could have with which one activation is tried: 40 where it has one or two of its own."""

_MOST_WRITTEN = 10_000
"""Activations with given numbers that are written for one file: some seconds' work."""


@dataclass(frozen=True, slots=True)
class Recognized:
    """A formula as ``factor·f(x) + shift``.

    Attributes
    ----------
    part : dict
        f: an activation as a spec says it, or ``layer_normalization`` without what it learns.
    tensors : dict
        What f learned, by name, (features,).
    factor, shift : ndarray () or (features,)
    is_elementwise : bool
        Whether f takes each number by itself.
    """

    part: dict[str, Any]
    tensors: dict[str, Any]
    factor: Any
    shift: Any
    is_elementwise: bool = True

    @property
    def is_plain(self) -> bool:
        """Whether the formula is f and nothing more."""
        return np.ndim(self.factor) == 0 and self.factor == 1 and not np.any(self.shift)


class Recognizer:
    """Recognizes formulas of an algebra.

    Parameters
    ----------
    algebra : Algebra
    rounded : callable
        Makes of a number in a formula the one that a spec says.
    """

    def __init__(self, algebra: Algebra, rounded: Callable[[float], float]) -> None:
        self.algebra, self.rounded = algebra, rounded
        (self._rectified,) = relu(algebra.x).terms
        self._ways = ways_of(installed_registry())
        self._written: dict[tuple[int, tuple[float, ...], int], Formula | None] = {}

    def recognize(self, formula: Formula, size: int) -> Recognized | None:
        """Return what a formula of so many features is, None where it is nothing known."""
        return self._prelu(formula) or next(self._found(formula, size), None)

    def mixture(self, formula: Formula, size: int) -> Recognized | None:
        """Return which activation, mixed with x in shares that differ from feature to feature, a formula is."""
        for way, part, written in self._candidates(formula, size):
            if not way.elementwise:
                continue
            found = (formula - self.algebra.x).in_terms_of(written - self.algebra.x)
            if found is not None and not np.any(found[1]):
                return Recognized({**part, "parametric": True}, {"mixture": found[0]}, np.float64(1), 0.0)
        return None

    def _found(self, formula: Formula, size: int) -> Iterator[Recognized]:
        """Yield what the formula is, plain activations before those with a factor or a shift."""
        scaled = []
        for way, part, written in self._candidates(formula, size):
            found = formula.in_terms_of(written)
            if found is not None:
                recognized = Recognized(part, {}, *found, way.elementwise)
                if recognized.is_plain:
                    yield recognized
                scaled.append(recognized)
        yield from scaled

    def _candidates(self, formula: Formula, size: int) -> Iterator[tuple[Way, dict[str, Any], Formula]]:
        """Yield the ways that have the formula's functions, the parts that they are with its numbers, and formulas."""
        numbers = sorted({0.0, *(self.rounded(number) for number in formula.numbers())})
        functions = functions_of(formula)
        for index, way in enumerate(self._ways):
            count = len(way.numbers)
            if way.functions != functions or (count and len(numbers) ** max(count, 2) > _MOST_CHOICES):
                continue
            for values in itertools.product(numbers, repeat=count):
                written = self._way(index, values, size)
                if written is not None:
                    yield way, {**way.fields, **dict(zip(way.numbers, values, strict=True))}, written

    def _way(self, index: int, values: tuple[float, ...], size: int) -> Formula | None:
        way = self._ways[index]
        key = index, values, 0 if way.elementwise else size
        if key not in self._written:
            if len(self._written) == _MOST_WRITTEN:
                raise FileError("the activations of this file have too many different numbers")
            self._written[key] = way.written(values, self.algebra.x, size)
        return self._written[key]

    def _prelu(self, formula: Formula) -> Recognized | None:
        """Return a rectifier with a slope for each feature, or with one that no leaky_relu can have."""
        if formula.terms.keys() != {VARIABLE, self._rectified}:
            return None
        slope, rise = formula.terms[VARIABLE], formula.terms[self._rectified]
        factor = slope + rise
        if not np.all(factor) or (np.ndim(slope) == np.ndim(rise) == 0 and 0 <= slope / factor < 1):
            return None
        if self.algebra.close(factor, 1.0):
            factor = np.float64(1)
        return Recognized({"type": "prelu"}, {"negative_slope": slope / factor}, factor, np.float64(0))
