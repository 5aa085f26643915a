"""Which activation or normalization a segment of a graph is: found by running it, and not by reading its operators.

A segment is a function of one number, or of the features of a row. It is run on numbers that are chosen to tell
functions apart: each constant that stands in it and its neighbours, zeros, tiny and huge numbers. What it answers is
compared with each registered activation's own expression, the activation's numbers being taken from the constants.
Everything is computed in double precision, where rounding hides no difference, and in the network's own.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import Any

import numpy as np
from pydantic import ValidationError

from specnet.compiler import BATCH, NUMPY, input_value, plan
from specnet.errors import FileError
from specnet.importing.onnx_running import Runner
from specnet.importing.onnx_terms import Segment
from specnet.parts.activations import Activation, Linear, Prelu
from specnet.parts.arrays import Array
from specnet.parts.registry import Registry, built_in_registry, installed_registry

_PROBES = np.array([[0.3, -0.7, 1.9, -2.6, 5.1, -6.4, 0.04, -0.01, 8.7, -11.0, 0.0, 1.0, -1.0, 0.55]]).T
"""Numbers on which candidates are compared first, (probes, 1)."""
_ROWS, _MORE_ROWS = 6, 40
"""Rows on which functions of several features are compared."""
_BEYOND = (20.0, 60.0, 1e4, 1e7)
_TINY = (1e-3, 1e-7, 1e-30)
_ORDINARY = 10.0
"""Up to here what a segment computes has to be finite."""
_OF_CONSTANTS = {"float32": 3e-7, "float64": 1e-10}
"""What the rounding of constants in the file changes, as a share of 1 and the result."""
_OF_ARITHMETIC = {"float32": 4e-6, "float64": 1e-12}
"""What rounding changes in the network's own precision."""
_FAR = 1e-3
"""A difference that no rounding makes at an ordinary number."""
_MOST_VALUES = 40
_MOST_CHOICES = 1600
"""Numbers of a segment that are tried for an activation, and combinations of these for one with several."""
_MOST_TRIED = 8_000
"""Activations with given numbers that are tried for one file: some seconds' work."""
_MOST_NUMBERS = 4_000_000
"""Numbers of an array on which a segment with numbers for each feature is compared."""

Fields = dict[str, Any]


@dataclass(frozen=True)
class Found:
    """A segment as a layer.

    Attributes
    ----------
    fields : dict
        An activation or ``layer_normalization``, as a spec says it.
    tensors : dict of str to ndarray
        What it learned, () or (features,).
    factor : float
        What it is multiplied by.
    """

    fields: Fields
    tensors: dict[str, Array] = field(default_factory=dict)
    factor: float = 1.0

    @property
    def is_normalization(self) -> bool:
        """Whether it is a layer and no activation."""
        return bool(self.fields["type"] == "layer_normalization")


_Candidate = tuple[type[Activation], Fields, tuple[str, ...]]


@cache
def _candidates(registry: Registry, *, elementwise: bool) -> tuple[_Candidate, ...]:
    """Return the activations that have an expression: the class, its switches, and the names of its numbers.

    Where two are the same function the first one is meant: one without numbers before one with, elu before celu, and
    what specnet brings before what plugins bring.
    """
    own = built_in_registry().of_kind("activation")
    parts = [part for part in registry.of_kind("activation") if issubclass(part, Activation)]
    parts = [part for part in parts if part.elementwise == elementwise and part.part_name() != "linear"]
    parts.sort(key=lambda part: (part not in own, bool(_numbers(part))))
    return tuple((part, switches, _numbers(part)) for part in parts for switches in _switches(part))


def _numbers(part: type[Activation]) -> tuple[str, ...]:
    """Return the fields that a function can tell; integers are none: they may say how long an expression is."""
    return tuple(name for name, each in part.model_fields.items() if each.annotation is float)


def _switches(part: type[Activation]) -> Iterator[Fields]:
    own = sorted(part.model_fields.keys() - Activation.model_fields.keys())
    yield {}
    yield from ({n: not part.model_fields[n].default} for n in own if part.model_fields[n].annotation is bool)


def _values(part: Activation, x: Array) -> Array | None:
    """Return an activation's values at x (rows, features) in x's precision, None where there is no expression of x."""
    symbol = input_value("x", (x.shape[1], BATCH))
    try:
        result = None if part.own_parameters(x.shape[1]) else part.expression(symbol)
        if result is None or result.shape != symbol.shape:
            return None
        bound = NUMPY.bind(plan([result], [], expansions=NUMPY.expansions), x.dtype, {BATCH: len(x)})
        bound.inputs["x"][...] = x.T
        with np.errstate(all="ignore"):
            bound.run()
    except Exception:  # of any kind: it may be someone else's, and its numbers those of a file
        return None
    return bound.outputs[0].T.copy()


def _scaled(part: Activation, factor: float) -> Callable[[Array], Array | None]:
    """Return an activation as a function of arrays, times a factor."""

    def function(x: Array) -> Array | None:
        values = _values(part, x)
        return None if values is None else values * x.dtype.type(factor)

    return function


class Recognizer:
    """Recognizes the segments of one file.

    Parameters
    ----------
    runner : Runner
    dtype : str
        The network's.
    """

    def __init__(self, runner: Runner, dtype: str) -> None:
        self._runner, self._dtype = runner, np.dtype(dtype)
        self._tried: set[Any] = set()
        self._at_probes: dict[int, dict[int, Array]] = {}
        self._registry = installed_registry()

    def rounded(self, number: float) -> float:
        """Return a number as a spec says it: in the fewest digits that are the same in the network's dtype."""
        return float(str(np.float32(number))) if self._dtype == np.float32 else float(number)

    def find(self, segment: Segment) -> Found | None:
        """Return what a segment is, None where it is nothing known or nothing but its start."""
        if segment.end.kind != "f" or segment.end.size != segment.start.size:
            return None
        try:
            return self._elementwise(segment) if segment.is_elementwise else self._across(segment)
        except FileError:
            return None  # a node does not run on such numbers
        except _TooMany:
            raise FileError("the activations of this file have too many different numbers") from None

    def _elementwise(self, segment: Segment) -> Found | None:
        wanted = segment.run(self._runner, _PROBES, self._at_probes.setdefault(segment.start.number, {}))
        alike = bool((wanted == wanted[:, :1]).all()) or wanted.shape[1] == 1
        if np.array_equal(wanted, np.broadcast_to(_PROBES, wanted.shape)):
            grid = self._grid(segment).astype(np.float64)
            same = np.array_equal(segment.run(self._runner, grid), grid)
            return Found({"type": Linear.part_name()}) if same else None
        if alike:
            for part in self._alike(segment, wanted[:, :1], _PROBES, elementwise=True):
                if self._agrees(segment, _scaled(part, 1.0), self._grid(segment)):
                    return Found(self._written(part))
        slope = -segment.run(self._runner, np.full((1, 1), -1.0))[0]

        def prelu(x: Array) -> Array:
            result: Array = np.maximum(x, 0) + slope.astype(x.dtype) * np.minimum(x, 0)
            return result

        said = np.abs([1.0, *self._numbers_of(segment)])
        is_said = slope.size > 1 or bool(np.isclose(said, np.abs(slope), rtol=1e-7).any())
        if is_said and np.isfinite(slope).all() and _close(wanted, prelu(_PROBES), _PROBES, self._tolerance):
            grid = self._grid(segment)
            if self._agrees(segment, prelu, grid[: max(1, _MOST_NUMBERS // len(slope))]):
                return Found(
                    {"type": Prelu.part_name()},
                    {"negative_slope": slope.reshape(slope.shape if len(slope) > 1 else ())},
                )
        return None

    def _across(self, segment: Segment) -> Found | None:
        random, size = np.random.default_rng(0), segment.start.size
        rows = random.normal(0, 1.5, (_ROWS, size)) + random.normal(0, 1, (_ROWS, 1))
        wanted = segment.run(self._runner, rows)
        count = max(_ROWS, min(_MORE_ROWS, _MOST_NUMBERS // size))
        more = random.normal(0, 1, (count, size)) * random.choice([0.5, 1.0, 5.0], (count, 1))
        for factor in (1.0, float(size), 1 / size):  # a sum over the features, or their mean
            for part in self._alike(segment, wanted / factor, rows, elementwise=False):
                if self._agrees(segment, _scaled(part, factor), more):
                    return Found(self._written(part), factor=factor)
        for fields, tensors, normal in self._normalizations(segment):
            if _close(wanted, normal(rows), rows, self._tolerance) and self._agrees(segment, normal, more):
                return Found(fields, tensors)
        return None

    def _normalizations(self, segment: Segment) -> Iterator[tuple[Fields, dict[str, Array], Callable[[Array], Array]]]:
        """Yield layer normalizations whose epsilon, scale and shift are constants of the segment."""
        rows = {array.tobytes(): array for array in segment.constants() if array.size > 1}
        scales = [np.ones(()), *itertools.islice(rows.values(), 4)]
        shifts = [np.zeros(()), *itertools.islice(rows.values(), 4)]
        epsilons = [number for number in self._numbers_of(segment) if 0 < number < 1]
        for epsilon, scale, shift in itertools.product(epsilons, scales, shifts):

            def normal(x: Array, epsilon: float = epsilon, scale: Array = scale, shift: Array = shift) -> Array:
                centred = x - x.mean(1, keepdims=True)
                result: Array = centred / np.sqrt((centred**2).mean(1, keepdims=True) + x.dtype.type(epsilon))
                result *= scale.astype(x.dtype)
                result += shift.astype(x.dtype)
                return result

            fields = {"type": "layer_normalization", "epsilon": self.rounded(epsilon)}
            yield fields, {"scale": scale, "shift": shift}, normal

    def _alike(self, segment: Segment, wanted: Array, x: Array, *, elementwise: bool) -> Iterator[Activation]:
        """Yield the activations, with numbers of the segment, that have the same values at x."""
        values = self._numbers_of(segment)
        first = float(wanted[0, 0])
        for part, switches, names in _candidates(self._registry, elementwise=elementwise):
            if names and (len(values) > _MOST_VALUES or len(values) ** len(names) > _MOST_CHOICES):
                continue
            for numbers in itertools.product(values, repeat=len(names)):
                fields = {**switches, **dict(zip(names, numbers, strict=True))}
                found = self._at(part, fields, x)
                # A single number tells most of them apart.
                if (
                    found is not None
                    and abs(found.item(0) - first) < _FAR
                    and _close(wanted, found, x, self._tolerance)
                ):
                    yield part(**fields)

    def _at(self, part: type[Activation], fields: Fields, x: Array) -> Array | None:
        """Return an activation's values at x, None where it does not allow its numbers or is no function of x alone."""
        key = part, tuple(fields.items())
        values = _probed(*key) if x is _PROBES else _own_values(*key, x)
        self._tried.add(key)
        if len(self._tried) > _MOST_TRIED:
            raise _TooMany
        return values

    def _numbers_of(self, segment: Segment) -> list[float]:
        """Return the numbers of a segment's constants and attributes, and their negatives."""
        arrays = [array for array in segment.constants() if array.size and (array == array.flat[0]).all()]
        found = {float(array.flat[0]) for array in arrays}
        for term in segment.inner:
            if term.node is not None:
                found.update(self._runner.attributes(term.node))
        if segment.operators & {"Clip", "Max", "Min"}:
            found.add(float(np.finfo(np.float32).max))  # in place of a bound that is not there
        numbers = {0.0, *found, *(-number for number in found)}
        return sorted(number for number in numbers if np.isfinite(number))

    def _written(self, part: Activation) -> Fields:
        """Return an activation as a spec says it."""
        fields = {name: getattr(part, name) for name in part.model_fields_set}
        return {"type": part.type} | {k: self.rounded(v) if type(v) is float else v for k, v in fields.items()}

    def _grid(self, segment: Segment) -> Array:
        """Return numbers that tell functions apart, (numbers, 1), exact in the network's dtype."""
        constants = np.array(self._numbers_of(segment)).astype(self._dtype)
        constants = constants[np.isfinite(constants)]
        with np.errstate(all="ignore"):
            beside = [np.nextafter(constants, self._dtype.type(side)) for side in (-np.inf, np.inf)]
        special = np.array([0.0, *_TINY, *_BEYOND], self._dtype)
        usual = np.concatenate([np.linspace(-12, 12, 121), np.geomspace(1e-3, 60, 31)]).astype(self._dtype)
        grid = np.concatenate([special, -special, constants, *beside, usual, -usual])
        kept: Array = grid[np.abs(grid) <= max(_BEYOND)][:, None]
        return kept

    @property
    def _tolerance(self) -> float:
        return _OF_CONSTANTS[self._dtype.name]

    def _agrees(self, segment: Segment, values: Callable[[Array], Array | None], x: Array) -> bool:
        """Whether a segment has the same values as a function, in double precision and in the network's own."""
        x = x.astype(self._dtype)
        for dtype, tolerance in (
            (np.dtype(np.float64), self._tolerance),
            (self._dtype, _OF_ARITHMETIC[self._dtype.name]),
        ):
            rows = x.astype(dtype)
            expected = values(rows)
            if expected is None or not _close(segment.run(self._runner, rows), expected, rows, tolerance):
                return False
        return True


class _TooMany(Exception):  # noqa: N818, an end and no error of its own
    """More activations would have to be tried than there is time for."""


def _own_values(part: type[Activation], fields: tuple[tuple[str, Any], ...], x: Array) -> Array | None:
    """Return an activation's values at x; None where it has none, or is said to be elementwise and is not."""
    try:
        made = part(**dict(fields))
    except ValidationError:
        return None
    if not made.elementwise:
        return _values(made, x)
    values = _values(made, np.hstack([x, x[::-1]]))
    if values is None or not np.array_equal(values[:, 0], values[::-1, 1], equal_nan=True):
        return None
    return values[:, :1]


@lru_cache(_MOST_TRIED)
def _probed(part: type[Activation], fields: tuple[tuple[str, Any], ...]) -> Array | None:
    """Return an activation's values at the probes."""
    return _own_values(part, fields, _PROBES)


def _close(given: Array, expected: Array, x: Array, tolerance: float) -> bool:
    """Whether what a file computes at x is what is expected, but for rounding; where it overflows nothing is compared.

    Large numbers lose digits where a file subtracts them from each other.
    """
    if given.dtype.kind != "f":
        return False
    known = np.isfinite(given)
    if not known[np.broadcast_to(np.abs(x) <= _ORDINARY, given.shape)].all():
        return False
    with np.errstate(all="ignore"):
        allowed = tolerance * (1 + np.abs(given)) + 4 * np.finfo(given.dtype).eps * np.abs(x)
        near = np.abs(given - expected) <= allowed
    return bool((near | ~known).all())
