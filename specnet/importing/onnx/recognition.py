"""Recognition of the activation or normalization that a segment of a graph computes, by running the segment.

A segment is a function of one number, or of the features of a row. It is run on numbers that distinguish functions:
each of its constants and their neighbours, zeros, tiny and huge numbers. The results are compared with the expression
of each registered activation, whose settings are taken from the constants. Everything is computed in double precision,
in which rounding hides no difference, and in the network's precision.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache, lru_cache, partial
from itertools import islice, product
from typing import Any

import numpy as np

from specnet.compiler import BATCH, NUMPY, input_value, plan
from specnet.errors import FileError
from specnet.importing.onnx.onnx_running import Runner
from specnet.importing.onnx.onnx_terms import Segment
from specnet.parts.activations import Activation, Linear, Prelu
from specnet.parts.arrays import Array
from specnet.parts.registry import Registry, built_in_registry, installed_registry

_PROBES = np.array([[0.3, -0.7, 1.9, -2.6, 5.1, -6.4, 0.04, -0.01, 8.7, -11.0, 0.0, 1.0, -1.0, 0.55]]).T
"""Numbers for the first comparison of elementwise functions, (probes, 1)."""
_SPECIAL = [0.0, 1e-3, 1e-7, 1e-30, 20.0, 60.0, 1e4, 1e7]
_GRID = np.outer([*_SPECIAL, *np.linspace(0.2, 12, 60), *np.geomspace(1e-3, 60, 31)], [1, -1]).ravel()
"""Positive and negative numbers for the second comparison, in addition to constants; special numbers come first."""
_ROWS, _MORE_ROWS = 6, 40
"""Number of rows for the first and for the second comparison of functions of several features."""
_ORDINARY = 10.0
"""Up to this absolute value of x, the results of a segment must be finite."""
_OF_CONSTANTS = {"float32": 3e-7, "float64": 1e-10}
"""Largest effect of rounding the constants in the file, as a fraction of 1 and of the result."""
_OF_ARITHMETIC = {"float32": 4e-6, "float64": 1e-12}
"""Largest effect of rounding in the network's precision."""
_FAR = 1e-3
"""A difference at an ordinary number that is too large for rounding."""
_MAX_VALUES = 40
_MAX_CHOICES = 1600
"""Largest number of constants that are tried as a setting, and of combinations for several settings."""
_MAX_TRIED = 8_000
"""Largest number of activations with given settings that are tried for one file; this takes some seconds."""
_MAX_NUMBERS = 4_000_000
"""Largest size of an array for the comparison of a segment with constants for each feature."""


@dataclass(frozen=True)
class Found:
    """The layer that a segment computes."""

    fields: dict[str, Any]
    """The fields of an activation or ``layer_normalization`` in a spec."""
    tensors: dict[str, Array] = field(default_factory=dict)
    """Its learned arrays, () or (features,)."""
    factor: float = 1.0
    """A factor on its output."""

    @property
    def is_normalization(self) -> bool:
        """Whether it is a layer instead of an activation."""
        return bool(self.fields["type"] == "layer_normalization")


_Function = Callable[[Array], Array | None]
_Fields = tuple[tuple[str, Any], ...]
_Choice = tuple[type[Activation], _Fields]


class Recognizer:
    """Recognizes the segments of one file, given the dtype of its network."""

    def __init__(self, runner: Runner, dtype: str) -> None:
        self._runner, self._dtype = runner, np.dtype(dtype)
        self._tolerance = _OF_CONSTANTS[self._dtype.name]
        self._tried: set[_Choice] = set()
        self._at_probes: dict[int, dict[int, Array]] = {}
        self._registry = installed_registry()

    def rounded(self, number: float) -> float:
        """Return the number with the fewest digits that equals a number in the network's dtype."""
        return float(str(np.float32(number))) if self._dtype == np.float32 else float(number)

    def find(self, segment: Segment) -> Found | None:
        """Return the layer that a segment computes, or None if no layer does."""
        if len(self._tried) > _MAX_TRIED:
            raise FileError("the activations of this file have too many different numbers")
        if segment.end.kind != "f" or segment.end.size != segment.start.size:
            return None
        try:
            alike = self._elementwise(segment) if segment.is_elementwise else self._across(segment)
            return next((found for found, function, x in alike if self._agrees(segment, function, x)), None)
        except FileError:
            return None  # a node does not run on such numbers

    def _agrees(self, segment: Segment, function: _Function, x: Array) -> bool:
        """Return whether a segment equals a function at x, in double precision and in the network's precision."""
        own = x.astype(self._dtype)
        runs = (own.astype(np.float64), self._tolerance), (own, _OF_ARITHMETIC[self._dtype.name])
        return all(_close(segment.run(self._runner, x), function(x), x, tolerance) for x, tolerance in runs)

    def _elementwise(self, segment: Segment) -> Iterator[tuple[Found, _Function, Array]]:
        """Yield layers that equal an elementwise segment at the probes, each with numbers for a second comparison."""
        expected = segment.run(self._runner, _PROBES, self._at_probes.setdefault(segment.start.number, {}))
        numbers = self._numbers_of(segment)
        grid = self._grid(numbers)[: max(1, _MAX_NUMBERS // expected.shape[1])]
        if np.array_equal(expected, np.broadcast_to(_PROBES, expected.shape)):
            yield Found({"type": Linear.part_name()}), lambda x: x, grid
        alike = expected[:, :1]
        if expected.shape[1] == 1 or (expected == alike).all():
            for choice in self._choices(numbers, elementwise=True):
                values = _probed(choice)
                # A single number excludes most activations.
                is_near = values is not None and abs(values.item(0) - alike.item(0)) < _FAR
                if is_near and _close(alike, values, _PROBES, self._tolerance):
                    yield Found(self._written(choice)), partial(_values, choice), grid
        slope = -expected[_PROBES[:, 0] == -1][0]
        is_listed = slope.size > 1 or np.isclose(np.abs(slope), [1.0, *numbers], rtol=1e-7).any()
        if is_listed and _close(expected, _prelu(slope, _PROBES), _PROBES, self._tolerance):
            tensor = slope if slope.size > 1 else slope.reshape(())
            yield Found({"type": Prelu.part_name()}, {"negative_slope": tensor}), partial(_prelu, slope), grid

    def _across(self, segment: Segment) -> Iterator[tuple[Found, _Function, Array]]:
        """Yield layers that equal a segment across features on a few rows, with rows for a second comparison."""
        random, size = np.random.default_rng(0), segment.start.size
        rows = random.normal(0, 1.5, (_ROWS, size)) + random.normal(0, 1, (_ROWS, 1))
        count = max(_ROWS, min(_MORE_ROWS, _MAX_NUMBERS // size))
        more = random.normal(0, 1, (count, size)) * random.choice([0.5, 1.0, 5.0], (count, 1))
        expected, numbers = segment.run(self._runner, rows), self._numbers_of(segment)
        for choice in self._choices(numbers, elementwise=False):
            values = _values(choice, rows)
            for factor in (1.0, float(size), 1 / size):  # a sum over the features, or their mean
                if _close(expected / factor, values, rows, self._tolerance):
                    yield Found(self._written(choice), factor=factor), partial(_values, choice, factor=factor), more
        arrays = {array.tobytes(): array for array in segment.constants() if array.size > 1}
        few = [*islice(arrays.values(), 4)]
        epsilons = [number for number in numbers if 0 < number < 1]
        for epsilon, scale, shift in product(epsilons, [np.ones(()), *few], [np.zeros(()), *few]):
            function = partial(_normalized, epsilon, scale, shift)
            if _close(expected, function(rows), rows, self._tolerance):
                fields = {"type": "layer_normalization", "epsilon": self.rounded(epsilon)}
                yield Found(fields, {"scale": scale, "shift": shift}), function, more

    def _choices(self, numbers: list[float], *, elementwise: bool) -> Iterator[_Choice]:
        """Yield the activations with all combinations of these numbers as settings, unless there are too many."""
        for part, switches, names in _candidates(self._registry, elementwise=elementwise):
            if names and (len(numbers) > _MAX_VALUES or len(numbers) ** len(names) > _MAX_CHOICES):
                continue
            for chosen in product(numbers, repeat=len(names)):
                choice = part, (*switches, *zip(names, chosen, strict=True))
                self._tried.add(choice)
                yield choice

    def _numbers_of(self, segment: Segment) -> list[float]:
        """Return the numbers of a segment's constants and attributes, and their negatives."""
        found = {float(array.flat[0]) for array in segment.constants() if array.size and (array == array.flat[0]).all()}
        nodes = [term.node for term in segment.inner if term.node is not None]
        found.update(number for node in nodes for number in self._runner.attributes(node))
        if segment.operators & {"Clip", "Max", "Min"}:
            found.add(float(np.finfo(np.float32).max))  # stands for a bound that is missing
        numbers = {0.0, *found, *(-number for number in found)}
        return sorted(number for number in numbers if np.isfinite(number))

    def _written(self, choice: _Choice) -> dict[str, Any]:
        """Return the fields of an activation in a spec."""
        part, fields = choice
        return {"type": part.part_name()} | {k: self.rounded(v) if type(v) is float else v for k, v in fields}

    def _grid(self, numbers: list[float]) -> Array:
        """Return numbers that distinguish functions, (numbers, 1), which are exact in the network's dtype."""
        with np.errstate(all="ignore"):
            constants = np.array(numbers).astype(self._dtype)
            beside = [np.nextafter(constants, self._dtype.type(end)) for end in (-np.inf, np.inf)]
        grid = np.concatenate([_GRID.astype(self._dtype), constants, *beside])
        small: Array = grid[np.abs(grid) <= max(_SPECIAL)][:, None]
        return small


@cache
def _candidates(registry: Registry, *, elementwise: bool) -> list[tuple[type[Activation], _Fields, tuple[str, ...]]]:
    """Return the activations to try: the class, its switches, and the names of its numeric settings.

    If two are the same function, the first one is used: activations without settings come before those with settings,
    elu before celu, and built-in ones before those of plugins. Integer settings are left out: they may determine the
    length of an expression.
    """
    own, found = built_in_registry().of_kind("activation"), []
    for part in registry.of_kind("activation"):
        if issubclass(part, Activation) and part.elementwise == elementwise and part is not Linear:
            kinds = {name: each.annotation for name, each in part.model_fields.items() if name != "parametric"}
            names = tuple(name for name, kind in kinds.items() if kind is float)
            switched = [((n, not part.model_fields[n].default),) for n, kind in sorted(kinds.items()) if kind is bool]
            found += [(part, switches, names) for switches in [(), *switched]]
    return sorted(found, key=lambda each: (each[0] not in own, bool(each[2])))


def _values(choice: _Choice, x: Array, factor: float = 1.0) -> Array | None:
    """Return a factor times an activation's values at x, (rows, features), in x's precision; None if it has none.

    Return None too if the activation is not a function of x alone. Further columns are added to x for an elementwise
    activation: they change its values if it is not elementwise.
    """
    part, fields = choice
    beside = np.hstack([x, x[::-1]]) if part.elementwise else x
    symbol = input_value("x", (beside.shape[1], BATCH))
    try:
        activation = part(**dict(fields))
        result = None if activation.own_parameters(beside.shape[1]) else activation.expression(symbol)
        if result is None or result.shape != symbol.shape:
            return None
        bound = NUMPY.bind(plan([result], [], expansions=NUMPY.expansions), x.dtype, {BATCH: len(x)})
        bound.inputs["x"][...] = beside.T
        with np.errstate(all="ignore"):
            bound.run()
            return factor * bound.outputs[0].T[:, : x.shape[1]]
    except Exception:  # the part may be from another package, and its settings are from a file
        return None


_probed = lru_cache(_MAX_TRIED)(partial(_values, x=_PROBES))
"""Returns an activation's values at the probes."""


def _prelu(slope: Array, x: Array) -> Array:
    """Return a leaky rectifier's values at x, with a slope for each feature."""
    values: Array = np.maximum(x, 0) + slope.astype(x.dtype) * np.minimum(x, 0)
    return values


def _normalized(epsilon: float, scale: Array, shift: Array, x: Array) -> Array:
    """Return a layer normalization's values at x."""
    centred = x - x.mean(1, keepdims=True)
    normal = centred / np.sqrt((centred**2).mean(1, keepdims=True) + epsilon)
    values: Array = normal * scale.astype(x.dtype) + shift.astype(x.dtype)
    return values


def _close(given: Array, expected: Array | None, x: Array, tolerance: float) -> bool:
    """Return whether values at x equal the expected ones up to rounding; values that overflow are not compared.

    Large numbers lose digits where a file subtracts them from each other.
    """
    if given.dtype.kind != "f" or expected is None:
        return False
    known = np.isfinite(given)
    if not known[np.broadcast_to(np.abs(x) <= _ORDINARY, given.shape)].all():
        return False
    with np.errstate(all="ignore"):
        allowed = tolerance * (1 + np.abs(given)) + 4 * np.finfo(given.dtype).eps * np.abs(x)
        near = np.abs(given - expected) <= allowed
    return bool((near | ~known).all())
