"""Symbolic arrays on real ones: values, derivatives, kinks, and the types in which a program computes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from specnet.checking.switches import switches
from specnet.compiler import BATCH, NUMPY, BoundPlan, Value, gradients, input_value, plan, sum_over
from specnet.compiler.numpy import BoundCalls, bind
from specnet.parts.arrays import Array

Reference = Callable[..., ArrayLike]
"""A part's function in plain NumPy, from the package that has the part."""
Floats = NDArray[np.float64]

STEP = 1e-200
"""Of the complex step: its square vanishes, so that the derivative has no truncation error."""
ONE_SIDED_STEP = 1e-6
WEIGHTS = "testing.weights"
FLOAT64_TOLERANCE, FLOAT32_TOLERANCE = 1e-9, 1e-5
"""Of a value."""


def fail(subject: str, message: str) -> None:
    """Raise the error of a check that was not passed."""
    raise AssertionError(f"{subject}: {message}")


@dataclass(frozen=True)
class Function:
    """Values of some leaves, as a function of what these hold.

    Attributes
    ----------
    subject : str
        What messages call it.
    value : Value
        (features, batch)
    reads : dict of str to array
        What each input or state holds, by the leaf's name.
    moved : dict of str to Value
        The leaves by which it is differentiated.
    """

    subject: str
    value: Value
    reads: Mapping[str, Array]
    moved: Mapping[str, Value]

    @property
    def rows(self) -> int:
        """The length of the batch."""
        batches = [self.reads[name].shape[-1] for name, leaf in self.moved.items() if leaf.shape[-1:] == (BATCH,)]
        return batches[0] if batches else 1

    def values(self, dtype: type = np.float64) -> Array:
        """Return the values (features, batch)."""
        return self.run([self.value], dtype)[0]

    def run(self, outputs: Sequence[Value], dtype: type, others: Mapping[str, Array] | None = None) -> list[Array]:
        """Return other values that are made from the same leaves."""
        return self.runner(outputs, dtype)({**self.reads, **(others or {})})

    def runner(self, outputs: Sequence[Value], dtype: type) -> Callable[[Mapping[str, Array]], list[Array]]:
        """Return the program of such values, bound once: a function of what the leaves hold, in a batch as long."""
        bound = self._bound(outputs, dtype)

        def run(reads: Mapping[str, Array]) -> list[Array]:
            self._fill(bound, reads)
            _call(bound)
            return [output.copy() for output in bound.outputs]

        return run

    def gradients(self, weights: Array, dtype: type = np.float64) -> dict[str, Array]:
        """Return the derivatives of the weighted sum of all values by each of the moved leaves."""
        found = gradients(self._number(), self.moved.values())
        arrays = self.run(list(found.values()), dtype, {WEIGHTS: weights})
        names = {leaf: name for name, leaf in self.moved.items()}
        return {names[leaf]: array for leaf, array in zip(found, arrays, strict=True)}

    def complex_step(self, weights: Array) -> dict[str, Array]:
        """Return the same derivatives, each number moved by itself along the imaginary axis."""
        bound = self._bound([self._number()], np.complex128)
        self._fill(bound, {**self.reads, WEIGHTS: weights})
        arrays = {**bound.inputs, **bound.states}
        found = {}
        for name in self.moved:
            exact = np.zeros(np.shape(self.reads[name]))
            if name in arrays:
                for place in np.ndindex(exact.shape):
                    here = arrays[name][place]
                    arrays[name][place] = here + 1j * STEP
                    _call(bound)
                    arrays[name][place] = here
                    exact[place] = bound.outputs[0].imag / STEP
            found[name] = exact
        return found

    def check_types(self) -> None:
        """Refuse programs that compute in float64 when they are bound in float32."""
        found = gradients(self._number(), self.moved.values())
        bound = self._bound([self.value, *found.values()], np.float32)
        if any(array.dtype == np.float64 for call in bound.calls for array in arrays_of(call)):
            fail(self.subject, "a float32 program computes in float64")

    def _number(self) -> Value:
        return sum_over(self.value * input_value(WEIGHTS, self.value.shape), "all")

    def _bound(self, outputs: Sequence[Value], dtype: type) -> BoundCalls:
        return bind(plan(list(outputs), expansions=NUMPY.expansions), dtype, {BATCH: self.rows})

    def _fill(self, bound: BoundPlan, reads: Mapping[str, Array]) -> None:
        for name, array in (*bound.inputs.items(), *bound.states.items()):
            array[...] = reads[name]


def _call(bound: BoundPlan) -> None:
    with np.errstate(all="ignore"):
        bound.run()


def arrays_of(call: Any) -> Iterator[Array]:
    """Yield the arrays that a bound call is bound to."""
    owner = getattr(getattr(call, "func", call), "__self__", None)
    given = (owner, *getattr(call, "args", ()), *getattr(call, "keywords", {}).values())
    yield from (item for item in given if isinstance(item, np.ndarray))


# ---------------------------------------------------------------------------------------------------------- comparing


def agree(subject: str, what: str, found: Array, expected: Array, tolerance: float, scale: float | None = None) -> None:
    """Compare arrays to a share of 1 or each expected number, whichever is larger, or of a common scale.

    What is not finite in the expected array is not compared.
    """
    if found.shape != expected.shape:
        fail(subject, f"{what} has shape {found.shape}; expected {expected.shape}")
    with np.errstate(invalid="ignore", over="ignore"):
        allowed = tolerance * (np.maximum(1, np.abs(expected)) if scale is None else scale)
        wrong = ~(np.abs(found - expected) <= allowed) & np.isfinite(expected)
    if wrong.any():
        place = tuple(int(index) for index in np.argwhere(wrong)[0])
        fail(subject, f"{what} is {float(found[place])!r} at {list(place)}; expected {float(expected[place])!r}")


def told(forward: Reference, *arrays: Array, parameters: Mapping[str, Array], **settings: Any) -> Array:
    """Return what a plain function says of arrays; it is given parameters only where there are some."""
    with np.errstate(all="ignore"):
        return np.asarray(
            forward(*arrays, **({"parameters": parameters} if parameters else {}), **settings), np.float64
        )


def check_at(
    function: Function, expected: Array | None, generator: np.random.Generator, tolerance: float = 1e-12
) -> None:
    """Check the values in both precisions, the derivatives and the types."""
    for dtype, largest in ((np.float64, FLOAT64_TOLERANCE), (np.float32, FLOAT32_TOLERANCE)):
        if expected is not None:
            agree(function.subject, f"its value in {dtype.__name__}", function.values(dtype), expected, largest)
    check_gradients(function, generator, tolerance)
    function.check_types()


def check_gradients(function: Function, generator: np.random.Generator, tolerance: float = 1e-12) -> None:
    """Compare derivatives with the complex step, to a share of the largest one by each leaf."""
    weights = generator.standard_normal(function.values().shape)
    found, exact = function.gradients(weights), function.complex_step(weights)
    largest = max((float(np.abs(array).max(initial=0)) for array in exact.values()), default=0.0)
    for name, array in exact.items():
        scale = max(float(np.abs(array).max(initial=0)), 1e-3 * largest) or 1.0
        agree(function.subject, f"the derivative by {name}", found[name], array, tolerance, scale)


def check_line(axis: str, along: Callable[[Floats], Function], feature: int, points: Sequence[float]) -> None:
    """Refuse slopes along a line that do not lie between the one-sided difference quotients.

    Looked at are the given points, and all kinks within ±10.

    Parameters
    ----------
    axis : str
        What messages call a number on the line.
    along : callable
        From numbers (n,) to a function whose only moved leaf has them as that feature.
    feature : int
    points : sequence of float
    """
    function = along(np.zeros(1))
    (leaf,) = (leaf for leaf in function.moved.values() if leaf.shape[-1:] == (BATCH,))
    slope = gradients(sum_over(function.value, "all"), [leaf])[leaf]

    def values(numbers: Floats) -> Floats:
        found: Floats = along(numbers).values()[0]
        return found

    h, at = ONE_SIDED_STEP, np.unique([*_kinks(along), *points])
    here, slopes = values(at), along(at).run([slope], np.float64)[0][feature]
    right, left = (values(at + h) - here) / h, (here - values(at - h)) / h
    low, high = np.minimum(left, right), np.maximum(left, right)
    slack = 1e-5 * np.maximum(1, np.minimum(np.abs(low), np.abs(high)))
    for place in np.flatnonzero(~((slopes >= low - slack) & (slopes <= high + slack))):
        between = f"{low[place]:.6g} and {high[place]:.6g}"
        where = f"{axis} = {float(at[place])!r}"
        fail(function.subject, f"the slope at {where} is {slopes[place]:.6g}; expected between {between}")


def _kinks(along: Callable[[Floats], Function]) -> Floats:
    """Return the numbers within ±10 at and right before which a switch changes sides."""
    value = along(np.zeros(1)).value
    masks = [mask for mask in switches([value]) if mask.shape[-1:] == (BATCH,)]
    if not masks:
        return np.empty(0)

    grid = np.linspace(-10, 10, 4001) + 1.234e-4  # kinks do not lie on it
    sides = np.concatenate(along(grid).run(masks, np.float64))
    changes = (np.diff(sides.astype(np.int64)) != 0).any(0)
    left, right = grid[:-1][changes], grid[1:][changes]
    sides_on_the_left, run_again = sides[:, :-1][:, changes], along(left).runner(masks, np.float64)
    for _ in range(50):  # down to neighbouring floats
        middle = (left + right) / 2
        same = (np.concatenate(run_again(along(middle).reads)) == sides_on_the_left).all(0)
        left, right = np.where(same, middle, left), np.where(same, right, middle)
    return np.unique(np.concatenate([left, right]))
