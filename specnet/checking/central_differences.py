"""Central differences of one number, and how a gradient compares with them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specnet.checking.switches import switches
from specnet.compiler import BATCH, NUMPY, Value, plan
from specnet.parts.arrays import Array

Floats = NDArray[np.float64]

STEP = 1e-5
"""How far a coordinate is moved to each side."""
SHORTER_STEPS = (1e-6, 1e-7, 1e-8)
"""Tried where the first one disagrees: over steep stretches, as behind large inputs, it is too long."""
TOLERANCE = 1e-7
"""Of the largest entry of a tensor's gradient."""
ROUNDING = 16 * float(np.finfo(np.float64).eps)
"""Of the number itself: how far two evaluations of it may be off."""


class Measured:
    """A number of a program that is bound to arrays, with the side that each of its switches takes.

    Parameters
    ----------
    number : Value
        Of shape ().
    rows : int
    arrays : mapping
        States by leaf name, as for `Backend.bind`; to be changed in place from evaluation to evaluation.

    Attributes
    ----------
    inputs : dict of str to array
        To be filled before the first evaluation.
    """

    def __init__(self, number: Value, rows: int, arrays: Mapping[str, Array]) -> None:
        program = plan([number, *switches([number])], expansions=NUMPY.expansions)
        bound = NUMPY.bind(program, np.float64, {BATCH: rows}, arrays)
        self.inputs = bound.inputs
        self._run = bound.run
        self._number, *self._masks = bound.outputs

    def __call__(self) -> float:
        """Return the number."""
        with np.errstate(all="ignore"):
            self._run()
        return float(self._number)

    def sides(self) -> list[Array]:
        """Return a copy of the sides that the last evaluation took."""
        return [mask.copy() for mask in self._masks]

    def is_on(self, sides: Sequence[Array]) -> bool:
        """Return whether the last evaluation took these sides."""
        return all(map(np.array_equal, self._masks, sides))


@dataclass(frozen=True)
class GradientComparison:
    """A gradient by one array, compared with central differences.

    Attributes
    ----------
    name : str
    shape : tuple of int
        As a user sees it.
    compared : int
        Coordinates at which the two were compared.
    left_out : int
        Coordinates at which some switch does not stay on its side while they are moved: there is a kink.
    largest : float
        The largest entry of the gradient.
    error : float
        The largest absolute error.
    tolerance : float
        The largest error that is none.
    """

    name: str
    shape: tuple[int, ...]
    compared: int
    left_out: int
    largest: float
    error: float
    tolerance: float

    @property
    def agrees(self) -> bool:
        """Whether no error is larger than the tolerance; one that is not finite always is."""
        return math.isfinite(self.largest) and self.error <= self.tolerance

    @property
    def share(self) -> float:
        """The largest error as a share of the largest entry, or of what is as good as 0 where that is larger."""
        return self.error / max(self.largest, self.tolerance / TOLERANCE)

    @property
    def verdict(self) -> str:
        """``ok``, ``wrong``, or ``at kinks`` where nothing could be compared."""
        if not self.agrees:
            return "wrong"
        return "ok" if self.compared or not self.left_out else "at kinks"

    def as_dict(self) -> dict[str, Any]:
        """Return the comparison as plain data."""
        return {
            "name": self.name,
            "shape": list(self.shape),
            "compared": self.compared,
            "left_out": self.left_out,
            "largest_gradient": self.largest,
            "worst_error": self.error,
            "tolerance": self.tolerance,
            "verdict": self.verdict,
        }


class Comparisons:
    """What several comparisons say together."""

    comparisons: tuple[GradientComparison, ...]

    @property
    def wrong(self) -> list[GradientComparison]:
        """The comparisons that do not agree."""
        return [comparison for comparison in self.comparisons if not comparison.agrees]

    @property
    def agrees(self) -> bool:
        """Whether all derivatives are right wherever they were compared."""
        return not self.wrong

    @property
    def worst(self) -> GradientComparison:
        """The comparison with the largest error, as a share of the derivative."""
        return max(self.wrong or self.comparisons, key=lambda comparison: comparison.share)


@dataclass(frozen=True)
class Coordinates:
    """Which numbers of a flat array are moved.

    Attributes
    ----------
    name : str
        What a user calls the array that they belong to.
    shape : tuple of int
        Of that array.
    places : (size,)
        Where all of its numbers lie in the flat one.
    chosen : (n,)
        Those of the places that are moved.
    """

    name: str
    shape: tuple[int, ...]
    places: NDArray[np.intp]
    chosen: NDArray[np.intp]

    @classmethod
    def of(cls, name: str, places: NDArray[np.intp], limit: int, generator: np.random.Generator) -> Coordinates:
        """Return all coordinates of an array whose places are given in its own shape, or so many drawn ones."""
        flat = places.reshape(-1)
        chosen = flat if flat.size <= limit else generator.choice(flat, limit, replace=False)
        return cls(name, places.shape, flat, chosen)


def compare(
    measured: Measured,
    point: Floats,
    gradient: Floats,
    coordinates: Coordinates,
    after_each: Callable[[], None] = lambda: None,
) -> GradientComparison:
    """Compare a gradient with central differences.

    Parameters
    ----------
    measured : Measured
        What was differentiated.
    point : (size,)
        The array, seen flat, that it reads; moved and put back.
    gradient : (size,)
        What is to be proved, in the same layout.
    coordinates : Coordinates
    after_each : callable
        Called after each coordinate.
    """
    largest = float(np.abs(gradient[coordinates.places]).max(initial=0.0))
    tolerance = max(TOLERANCE * largest, ROUNDING * abs(measured()) / STEP)
    sides = measured.sides()
    compared, left_out, worst = 0, 0, 0.0
    for place in coordinates.chosen:
        error = _error(measured, sides, point, gradient, place, STEP)
        if error is None:
            left_out += 1
        else:
            for step in SHORTER_STEPS:
                if error <= tolerance:
                    break
                again = _error(measured, sides, point, gradient, place, step)
                error = error if again is None else np.fmin(error, again)
            compared += 1
            worst = float(np.maximum(worst, error))
        after_each()
    return GradientComparison(coordinates.name, coordinates.shape, compared, left_out, largest, worst, tolerance)


def _error(
    measured: Measured, sides: Sequence[Array], point: Floats, gradient: Floats, place: int, step: float
) -> float | None:
    """Return by how much the difference quotient and the gradient differ, or None where a switch leaves its side."""
    here = point[place]
    high, low = here + step, here - step
    point[place] = high
    above, smooth = measured(), measured.is_on(sides)
    point[place] = low
    below, smooth = measured(), smooth and measured.is_on(sides)
    point[place] = here
    # The step that was made is the difference of two floats, which is not quite the one that was asked for.
    return abs(float((above - below) / (high - low) - gradient[place])) if smooth else None
