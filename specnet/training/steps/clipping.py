"""Clipping of gradients by norm, without overflow or underflow."""

from __future__ import annotations

import math

import numpy as np

from specnet.parts.arrays import Array

_LEAST_SQUARE = {
    np.dtype(dtype): float(np.finfo(dtype).tiny / np.finfo(dtype).eps) for dtype in (np.float32, np.float64)
}
"""Below this, a sum of squares has lost digits to underflow."""


def clipping_factor(gradient: Array, longest: float) -> float:
    """Return the factor that limits the Euclidean norm of a gradient to `longest`.

    A gradient above the limit whose squares overflow or underflow is first scaled in place to be near 1, since the
    factor alone may exceed the range of the dtype. A gradient that is not finite stays as it is; the next loss shows
    it.
    """
    squared = float(np.dot(gradient, gradient))
    if not _LEAST_SQUARE[gradient.dtype] <= squared < math.inf:
        return _factor_of_extremes(gradient, longest)
    length = math.sqrt(squared)
    return longest / length if length > longest else 1.0


def _factor_of_extremes(gradient: Array, longest: float) -> float:
    largest = np.abs(gradient).max(initial=0)
    if not 0 < largest < math.inf:
        return 1.0
    scaled = gradient / largest
    length = math.sqrt(float(np.dot(scaled, scaled)))
    if float(largest) * length <= longest:
        return 1.0
    gradient[...] = scaled
    return longest / length
