"""Comparisons of a part's results: values with a plain function, derivatives with difference quotients, and dtypes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from specnet.checking.derivatives import WEIGHTS, Floats, Function, bound_to, evaluate, kinks_of
from specnet.compiler import BATCH, gradients, sum_over
from specnet.parts.arrays import Array

Reference = Callable[..., ArrayLike]
"""The function of a part in plain NumPy, given by the part's author."""

ONE_SIDED_STEP = 1e-6
FLOAT64_TOLERANCE, FLOAT32_TOLERANCE = 1e-9, 1e-5
"""Tolerances of values in each precision, relative to 1 or to the expected number, whichever is larger."""


def fail(subject: str, message: str) -> None:
    """Raise the AssertionError of a failed check."""
    raise AssertionError(f"{subject}: {message}")


def agree(subject: str, what: str, found: Array, expected: Array, tolerance: float, scale: float | None = None) -> None:
    """Check that two arrays agree; the tolerance is relative to 1 or the expected number, or to a common scale.

    Without `scale`, the larger of 1 and the expected number counts. Elements whose expected number is not finite are
    not compared.
    """
    if found.shape != expected.shape:
        fail(subject, f"{what} has shape {found.shape}; expected {expected.shape}")
    with np.errstate(invalid="ignore", over="ignore"):
        allowed = tolerance * (np.maximum(1, np.abs(expected)) if scale is None else scale)
        wrong = ~(np.abs(found - expected) <= allowed) & np.isfinite(expected)
    if wrong.any():
        index = tuple(int(number) for number in np.argwhere(wrong)[0])
        fail(subject, f"{what} is {float(found[index])!r} at {list(index)}; expected {float(expected[index])!r}")


def called(forward: Reference, *arrays: Array, parameters: Mapping[str, Array], **settings: Any) -> Array:
    """Return the result of a plain function as float64; it gets `parameters` as an argument only if there are any."""
    with np.errstate(all="ignore"):
        return np.asarray(
            forward(*arrays, **({"parameters": parameters} if parameters else {}), **settings), np.float64
        )


def check_at(
    subject: str,
    function: Function,
    expected: Array | None,
    generator: np.random.Generator,
    tolerance: float = 1e-12,
) -> None:
    """Check the values in both precisions, the derivatives and the dtypes of a function.

    Derivatives are compared with the complex step; the tolerance is relative to the largest derivative with respect to
    each variable.
    """
    for dtype, largest in ((np.float64, FLOAT64_TOLERANCE), (np.float32, FLOAT32_TOLERANCE)):
        if expected is not None:
            agree(subject, f"its value in {dtype.__name__}", function.values(dtype), expected, largest)
    weights = generator.standard_normal(function.values().shape)
    found, exact = function.gradients(weights), function.complex_step(weights)
    most = max((float(np.abs(array).max(initial=0)) for array in exact.values()), default=0.0)
    for name, array in exact.items():
        scale = max(float(np.abs(array).max(initial=0)), 1e-3 * most) or 1.0
        agree(subject, f"the derivative by {name}", found[name], array, tolerance, scale)
    outputs = [function.value, *function.symbolic_gradients().values()]
    bound = bound_to(outputs, {**function.numbers, WEIGHTS: weights}, function.rows, np.float32)
    if computes_in_float64(bound.calls):
        fail(subject, "a float32 program computes in float64")


def computes_in_float64(calls: Iterable[Any]) -> bool:
    """Return whether a bound call reads or writes an array of float64."""
    return any(array.dtype == np.float64 for call in calls for array in _arrays_of(call))


def _arrays_of(call: Any) -> Iterator[Array]:
    owner = getattr(getattr(call, "func", call), "__self__", None)
    given = (owner, *getattr(call, "args", ()), *getattr(call, "keywords", {}).values())
    yield from (item for item in given if isinstance(item, np.ndarray))


def check_line(
    subject: str, axis: str, along: Callable[[Floats], Function], feature: int, points: Sequence[float]
) -> None:
    """Check that slopes along a line lie between the one-sided difference quotients.

    The slopes at the given points, and at all kinks within ±10, are checked.

    Parameters
    ----------
    subject : str
    axis : str
        Name of the varied number in messages.
    along : callable
        Takes numbers (n,); returns a function of n rows, whose only variable has these numbers as a feature.
    feature : int
        Index of this feature.
    points : sequence of float
    """
    function = along(np.zeros(1))
    (leaf,) = (leaf for leaf in function.variables.values() if leaf.shape[-1:] == (BATCH,))
    slope = gradients(sum_over(function.value, "all"), [leaf])[leaf]

    def values(numbers: Floats) -> Floats:
        found: Floats = along(numbers).values()[0]
        return found

    h, at = ONE_SIDED_STEP, np.unique([*kinks_of(along), *points])
    here, slopes = values(at), evaluate([slope], along(at).numbers, len(at))[0][feature]
    right, left = (values(at + h) - here) / h, (here - values(at - h)) / h
    low, high = np.minimum(left, right), np.maximum(left, right)
    slack = 1e-5 * np.maximum(1, np.minimum(np.abs(low), np.abs(high)))
    for index in np.flatnonzero(~((slopes >= low - slack) & (slopes <= high + slack))):
        between = f"{low[index]:.6g} and {high[index]:.6g}"
        where = f"{axis} = {float(at[index])!r}"
        fail(subject, f"the slope at {where} is {slopes[index]:.6g}; expected between {between}")
