"""Which activation a formula is: the ways in which each is written, compared in their normal form."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from specnet.errors import FileError
from specnet.importing.algebra import VARIABLE, Algebra, Formula, relu, sigmoid
from specnet.importing.functions import (
    absolute,
    erf,
    exp,
    largest,
    log,
    maximum,
    mean,
    minimum,
    not_negative,
    positive,
    softplus,
    sqrt,
    tanh,
    where,
)
from specnet.parts.activations import Selu

_MOST_NUMBERS = 40
"""A formula with more numbers than this is no activation with parameters."""

_MOST_WRITTEN = 10_000
"""Activations with given numbers that are written for one file: some seconds' work."""
_OF_ALL_FEATURES = frozenset({"softmax", "log_softmax", "layer_normalization"})


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
    """

    part: dict[str, Any]
    tensors: dict[str, Any]
    factor: Any
    shift: Any

    @property
    def is_elementwise(self) -> bool:
        """Whether f takes each number by itself."""
        return self.part["type"] not in _OF_ALL_FEATURES

    @property
    def is_plain(self) -> bool:
        """Whether the formula is f and nothing more."""
        return np.ndim(self.factor) == 0 and self.factor == 1 and not np.any(self.shift)


@dataclass(frozen=True, slots=True)
class Entry:
    """An activation, the fields whose values its formula has, what they can be, and the ways to write it."""

    part: dict[str, Any]
    fields: tuple[str, ...]
    allowed: Callable[..., bool]
    ways: tuple[Callable[..., Formula], ...]
    sized: bool = False
    """Whether the ways depend on the number of features, and on nothing else."""
    needs: frozenset[str] = frozenset()
    """Functions of which every way has one; empty where that saves nothing."""


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
        self._written: dict[tuple[int, tuple[float, ...]], list[Formula]] = {}

    def recognize(self, formula: Formula, size: int) -> Recognized | None:
        """Return what a formula of so many features is, None where it is nothing known."""
        return self._prelu(formula) or next(self._found(formula, size), None)

    def mixture(self, formula: Formula, size: int) -> Recognized | None:
        """Return which activation, mixed with x in shares that differ from feature to feature, a formula is."""
        for entry, values, way in self._candidates(formula, size):
            if entry.part["type"] in _OF_ALL_FEATURES:
                continue
            found = (formula - self.algebra.x).in_terms_of(way - self.algebra.x)
            if found is not None and not np.any(found[1]):
                return Recognized(
                    {**entry.part, **values, "parametric": True}, {"mixture": found[0]}, np.float64(1), 0.0
                )
        return None

    def _found(self, formula: Formula, size: int) -> Iterator[Recognized]:
        """Yield what the formula is, plain activations before those with a factor or a shift."""
        scaled = []
        for entry, values, way in self._candidates(formula, size):
            found = formula.in_terms_of(way)
            if found is not None:
                recognized = Recognized({**entry.part, **values}, {}, *found)
                if recognized.is_plain:
                    yield recognized
                scaled.append(recognized)
        yield from scaled

    def _candidates(self, formula: Formula, size: int) -> Iterator[tuple[Entry, dict[str, float], Formula]]:
        numbers = sorted({0.0, *(self.rounded(number) for number in formula.numbers())})
        functions = {atom.function for atom in formula.functions()}
        for index, entry in enumerate(ENTRIES):
            too_many = entry.fields and len(numbers) > _MOST_NUMBERS
            if too_many or (entry.needs and entry.needs.isdisjoint(functions)):
                continue
            choices = [(size,)] if entry.sized else itertools.product(numbers, repeat=len(entry.fields))
            for values in choices:
                if entry.allowed(*values):
                    for way in self._ways(index, values):
                        yield entry, dict(zip(entry.fields, values, strict=not entry.sized)), way

    def _ways(self, index: int, values: tuple[float, ...]) -> list[Formula]:
        if (index, values) not in self._written:
            if len(self._written) == _MOST_WRITTEN:
                raise FileError("the activations of this file have too many different numbers")
            self._written[index, values] = [way(self.algebra.x, *values) for way in ENTRIES[index].ways]
        return self._written[index, values]

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


def _clip(x: Formula, low: float, high: float) -> Formula:
    return minimum(maximum(x, x.algebra.constant(low)), x.algebra.constant(high))


def _negative_part(x: Formula) -> Formula:
    return minimum(x.algebra.constant(0.0), x)


def _hard_sigmoid(x: Formula) -> Formula:
    return _clip(x / 6.0 + 0.5, 0.0, 1.0)


def _elu(x: Formula, alpha: float) -> Formula:
    return relu(x) + (exp(_negative_part(x)) - 1.0) * alpha


def _split_elu(condition: Callable[[Formula], Formula]) -> Callable[[Formula, float], Formula]:
    return lambda x, alpha: where(condition(x), x, (exp(x) - 1.0) * alpha)


def _scaled_elu(x: Formula, alpha: float) -> Formula:
    return where(positive(x), _elu(x, 1.0), _elu(x, 1.0) * alpha)


def _shrunk(x: Formula, threshold: float) -> Formula:
    signs = positive(x) - positive(-x)
    return where(positive(absolute(x) - threshold), x - signs * threshold, x.algebra.constant(0.0))


def _outside(x: Formula, threshold: float) -> Formula:
    above, below = positive(x - threshold), positive(-x - threshold)
    return (above + below - above * below) * x


def _above_or_below(x: Formula, threshold: float) -> Formula:
    below = where(positive(-x - threshold), x, x.algebra.constant(0.0))
    return where(positive(x - threshold), x, below)


def _moved_above_or_below(x: Formula, threshold: float) -> Formula:
    below = where(positive(-x - threshold), x + threshold, x.algebra.constant(0.0))
    return where(positive(x - threshold), x - threshold, below)


def _normal(x: Formula, epsilon: float) -> Formula:
    centred = x - mean(x)
    return centred / sqrt(mean(centred * centred) + epsilon)


def _powers(x: Formula) -> Formula:
    return exp(x - largest(x))


def _log_softmax(x: Formula, size: int) -> Formula:
    return x - largest(x) - log(mean(_powers(x)) * size)


def _root(x: Formula, b: float) -> Formula:
    return sqrt(x * x + b)


def _always(*values: float) -> bool:
    return True


def _above_0(value: float) -> bool:
    return value > 0


def _entry(name: str, *ways: Callable[..., Formula], **fields: Any) -> Entry:
    return Entry({"type": name, **fields}, (), _always, ways)


ENTRIES = (
    _entry("relu", relu),
    _entry("sigmoid", sigmoid),
    _entry("tanh", tanh),
    _entry("softplus", softplus),
    _entry("exponential", exp),
    _entry("relu6", lambda x: _clip(x, 0.0, 6.0)),
    _entry("hard_tanh", lambda x: _clip(x, -1.0, 1.0)),
    _entry("hard_sigmoid", _hard_sigmoid),
    _entry("hard_swish", lambda x: x * _hard_sigmoid(x)),
    _entry("silu", lambda x: x * sigmoid(x)),
    _entry("gelu", lambda x: x * 0.5 * (erf(x * math.sqrt(0.5)) + 1.0)),
    _entry("gelu", lambda x: x * sigmoid((x + x**3 * 0.044715) * (2 * math.sqrt(2 / math.pi))), approximate=True),
    _entry("mish", lambda x: x * tanh(softplus(x))),
    _entry("log_sigmoid", lambda x: -softplus(-x)),
    _entry("tanh_shrink", lambda x: x - tanh(x)),
    _entry("softsign", lambda x: x / (absolute(x) + 1.0)),
    _entry(
        "selu",
        lambda x: _elu(x, Selu.ALPHA) * Selu.SCALE,
        lambda x: _split_elu(positive)(x, Selu.ALPHA) * Selu.SCALE,
    ),
    Entry(
        {"type": "leaky_relu"},
        ("negative_slope",),
        lambda slope: 0 <= slope < 1,
        (lambda x, slope: relu(x) + _negative_part(x) * slope,),
        needs=frozenset({"relu"}),
    ),
    Entry(
        {"type": "elu"},
        ("alpha",),
        _above_0,
        (_elu, _split_elu(positive), _split_elu(not_negative), _scaled_elu),
        needs=frozenset({"exp"}),
    ),
    Entry(
        {"type": "celu"},
        ("alpha",),
        _above_0,
        (lambda x, alpha: relu(x) + (exp(_negative_part(x) / alpha) - 1.0) * alpha,),
        needs=frozenset({"exp"}),
    ),
    Entry(
        {"type": "squareplus"},
        ("b",),
        _above_0,
        (
            lambda x, b: (x + _root(x, b)) * 0.5,
            lambda x, b: relu(x) + 0.5 * b / (absolute(x) + _root(x, b)),
        ),
        needs=frozenset({"sqrt"}),
    ),
    Entry(
        {"type": "soft_shrink"},
        ("threshold",),
        lambda threshold: threshold >= 0,
        (lambda x, threshold: relu(x - threshold) - relu(-x - threshold), _shrunk, _moved_above_or_below),
        needs=frozenset({"relu"}),
    ),
    Entry(
        {"type": "hard_shrink"},
        ("threshold",),
        lambda threshold: threshold >= 0,
        (
            lambda x, threshold: x * positive(absolute(x) - threshold),
            lambda x, threshold: x * (positive(x - threshold) + positive(-x - threshold)),
            _outside,
            _above_or_below,
        ),
        needs=frozenset({"positive"}),
    ),
    Entry(
        {"type": "threshold"},
        ("threshold", "default_value"),
        _always,
        (lambda x, threshold, value: where(positive(x - threshold), x, x.algebra.constant(value)),),
        needs=frozenset({"positive"}),
    ),
    Entry({"type": "softmax"}, (), _always, (lambda x, size: _powers(x) / (mean(_powers(x)) * size),), sized=True),
    Entry({"type": "log_softmax"}, (), _always, (_log_softmax,), sized=True),
    Entry({"type": "layer_normalization"}, ("epsilon",), _above_0, (_normal,), needs=frozenset({"mean"})),
)
