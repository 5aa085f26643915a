"""How far numbers are apart that should be the same."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np

from specnet.files.tensors import Array

Value = Array | str
"""An array, or the JSON of a value."""
_BITS = {4: np.uint32, 8: np.uint64}


@dataclass(frozen=True)
class Distance:
    """How far floating-point numbers are apart.

    Attributes
    ----------
    count, size : int
        How many of how many differ.
    ulps : int
        The largest difference in units in the last place: how many numbers of the type further, from one to the other.
    absolute : float
        The largest difference.
    relative : float
        The largest difference divided by the largest magnitude of the numbers then; infinite where one of the numbers
        that differ is.
    """

    count: int
    size: int
    ulps: int
    absolute: float
    relative: float


def are_same(then: Value | None, now: Value | None) -> bool:
    """Return whether values are the same, bit for bit."""
    if isinstance(then, np.ndarray) and isinstance(now, np.ndarray):
        return then.dtype == now.dtype and then.shape == now.shape and then.tobytes() == now.tobytes()
    return type(then) is type(now) and then == now


def distance(then: Value | None, now: Value | None) -> Distance | None:
    """Return how far values are apart; None unless both are floating-point numbers, or as many of them."""
    if then is None or now is None:
        return None
    a, b = _floats(then), _floats(now)
    if a is None or b is None or a.shape != b.shape or a.dtype != b.dtype:
        return None
    a, b = a.reshape(-1), b.reshape(-1)
    first, second = _ordered(a), _ordered(b)
    steps = np.maximum(first, second) - np.minimum(first, second)
    others = steps != 0
    with np.errstate(over="ignore", invalid="ignore"):
        apart = np.abs(a[others].astype(np.float64) - b[others].astype(np.float64))
    # No comparison with NaN finds the largest, or anything too large.
    absolute = float(np.where(np.isnan(apart), np.inf, apart).max(initial=0.0))
    largest = float(np.abs(a[np.isfinite(a)]).max(initial=0.0))
    relative = absolute / largest if largest else np.inf if absolute else 0.0
    return Distance(int(np.count_nonzero(others)), a.size, int(steps.max()), absolute, relative)


def _floats(value: Value) -> Array | None:
    if isinstance(value, str):
        number = json.loads(value)
        return np.array(number) if isinstance(number, float) else None
    return value if value.dtype.kind == "f" else None


def _ordered(numbers: Array) -> Array:
    """Return integers in the order of the numbers, one for each number of the type."""
    bits = np.ascontiguousarray(numbers).view(_BITS[numbers.dtype.itemsize])
    sign = bits.dtype.type(1 << 8 * numbers.dtype.itemsize - 1)
    return np.where(bits & sign, ~bits, bits | sign)
