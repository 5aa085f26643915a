"""Checks of a program's derivatives by difference quotients.

In: a symbolic value and numbers for its leaves. Out: its derivatives by the reverse pass, and the expected ones.

- `Function.complex_step` moves each number along the imaginary axis. It is exact up to rounding, and not disturbed
  by kinks. It needs a run for each number, so it is for small programs, and checks the reverse pass.
- `CentralDifferences` moves numbers up and down. It checks any gradient, such as that of the compiled engine, to fewer
  digits, and leaves out coordinates at kinks.
- `kinks_of` finds the kinks of a function of one number, for one-sided differences.

Between two points at which all `switches` of a program are the same, the program is one smooth formula, and a
difference quotient approximates its derivative.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specnet.compiler import (
    BATCH,
    NUMPY,
    Value,
    equal,
    gradients,
    greater,
    input_value,
    operations,
    plan,
    sum_over,
)
from specnet.compiler.numpy import BoundCalls, bind
from specnet.compiler.reverse import postorder
from specnet.network.programs import NOISE, SCHEDULE, UNIFORM
from specnet.parts.arrays import Array

Floats = NDArray[np.float64]

COMPLEX_STEP = 1e-200
"""Step of the complex step; its square is 0 in float64, so the derivative has no truncation error."""
STEP = 1e-5
"""Step by which central differences move a coordinate up and down."""
SHORTER_STEPS = (1e-6, 1e-7, 1e-8)
"""Steps to try if `STEP` disagrees: it is too long for a steep function, such as one of large inputs."""
TOLERANCE = 1e-7
"""Tolerance of central differences, as a fraction of the largest entry of a tensor's gradient."""
ROUNDING = 16 * float(np.finfo(np.float64).eps)
"""Maximum relative difference between two evaluations of a number."""
WEIGHTS = "weights of the sum"


# ---------------------------------------------------------------------------------------------------------- switches


def switches(outputs: Iterable[Value]) -> list[Value]:
    """Return symbolic masks that change wherever the formula of a program changes.

    They show which branch each maximum, minimum, comparison, sign and absolute value takes, and the index or integer to
    which a number is rounded. Operands of `stop_gradient` are constants to the derivative, and have no masks.

    Parameters
    ----------
    outputs : iterable of Value
        Outputs of the program; all operations before them are searched.
    """
    return [mask for value in postorder(outputs, _operands) for mask in _branches(value)]


def _operands(value: Value) -> Sequence[Value]:
    if value.operation is operations.STOP_GRADIENT:
        return ()
    return value.arguments[:1] if value.operation is operations.CUSTOM else value.arguments


def _branches(value: Value) -> Iterator[Value]:
    if value.operation in (operations.TO_INDEX, operations.FLOOR):
        yield value
    elif value.operation is operations.MAX:
        (x,) = value.arguments
        yield equal(x, value)
    elif value.operation in (operations.ABSOLUTE, operations.SIGN):
        (x,) = value.arguments
        yield from (greater(x, 0), greater(0, x))
    elif value.operation in (operations.MAXIMUM, operations.MINIMUM, operations.GREATER, operations.EQUAL):
        a, b = value.arguments
        if a.kind == b.kind == "float":
            yield from (greater(a, b), greater(b, a))


# -------------------------------------------------------------------------------------------------------- evaluation


def bound_to(
    outputs: Sequence[Value],
    numbers: Mapping[str, Array],
    rows: int,
    dtype: type = np.float64,
    shared: Mapping[str, Array] | None = None,
) -> BoundCalls:
    """Return the bound program of values, with its inputs and states filled with numbers.

    Parameters
    ----------
    outputs : sequence of Value
    numbers : mapping of str to array
        Numbers of each leaf by its name; further names are ignored.
    rows : int
        The length of the batch.
    dtype : type
        float64, float32 or complex128.
    shared : mapping of str to array, optional
        Arrays that the program reads as its states, without copies.
    """
    bound = bind(plan(list(outputs), expansions=NUMPY.expansions), dtype, {BATCH: rows}, shared)
    fill(bound, {**numbers, **(shared or {})})
    return bound


def fill(bound: BoundCalls, numbers: Mapping[str, Array]) -> None:
    """Copy numbers into the arrays of a bound program's inputs and states, by their names."""
    for name, array in (*bound.inputs.items(), *bound.states.items()):
        array[...] = numbers[name]


def run(bound: BoundCalls) -> list[Array]:
    """Run a bound program and return the arrays of its outputs, which the next run overwrites."""
    with np.errstate(all="ignore"):
        bound.run()
    return bound.outputs


def evaluate(
    outputs: Sequence[Value], numbers: Mapping[str, Array], rows: int, dtype: type = np.float64
) -> list[Array]:
    """Return the arrays of symbolic values, given the numbers of their leaves; see `bound_to`."""
    return [output.copy() for output in run(bound_to(outputs, numbers, rows, dtype))]


def noise_of(value: Value, rows: int, generator: np.random.Generator) -> dict[str, Array]:
    """Return random numbers for the noise and the schedules that a value depends on, by the names of its leaves."""
    noise = {}
    for leaf in postorder([value], lambda value: value.arguments):
        name = leaf.attributes
        if isinstance(name, str) and name.startswith(NOISE) and not leaf.arguments:
            shape = [rows if isinstance(axis, str) else axis for axis in leaf.shape]
            noise[name] = (generator.random if name.startswith(UNIFORM) else generator.standard_normal)(shape)
        elif isinstance(name, str) and name.startswith(SCHEDULE) and not leaf.arguments:
            noise[name] = np.array(generator.random())
    return noise


@dataclass(frozen=True)
class Function:
    """A symbolic value, with numbers for its leaves.

    Attributes
    ----------
    value : Value
        Of shape (features, batch), or a single number, ().
    numbers : mapping of str to array
        Numbers of each leaf by its name.
    variables : mapping of str to Value
        Leaves with respect to which the value is differentiated, by the names for their derivatives.
    """

    value: Value
    numbers: Mapping[str, Array]
    variables: Mapping[str, Value]

    @property
    def rows(self) -> int:
        """The length of the batch."""
        batches = [leaf for leaf in self.variables.values() if leaf.shape[-1:] == (BATCH,)]
        return int(self.numbers[str(batches[0].attributes)].shape[-1]) if batches else 1

    def values(self, dtype: type = np.float64) -> Array:
        """Return the array of the value, (features, batch)."""
        return evaluate([self.value], self.numbers, self.rows, dtype)[0]

    def gradients(self, weights: Array) -> dict[str, Array]:
        """Return the derivatives of the weighted sum of all entries, by the reverse pass, for each variable."""
        found = self.symbolic_gradients()
        arrays = evaluate(list(found.values()), {**self.numbers, WEIGHTS: weights}, self.rows)
        return dict(zip(found, arrays, strict=True))

    def symbolic_gradients(self) -> dict[str, Value]:
        """Return the derivatives of `gradients` as symbolic values."""
        names = {leaf: name for name, leaf in self.variables.items()}
        return {names[leaf]: value for leaf, value in gradients(self._sum(), self.variables.values()).items()}

    def complex_step(self, weights: Array) -> dict[str, Array]:
        """Return the derivatives of `gradients`, computed by the complex step; 0 for variables that are not read."""
        bound = bound_to([self._sum()], {**self.numbers, WEIGHTS: weights}, self.rows, np.complex128)
        found = {}
        for name, leaf in self.variables.items():
            key = str(leaf.attributes)
            found[name] = np.zeros(np.shape(self.numbers[key]))
            for array in (arrays[key] for arrays in (bound.inputs, bound.states) if key in arrays):
                for index in np.ndindex(array.shape):
                    here = array[index]
                    array[index] = here + 1j * COMPLEX_STEP
                    found[name][index] = run(bound)[0].imag / COMPLEX_STEP
                    array[index] = here
        return found

    def central_differences(
        self, weights: Array, limit: int, generator: np.random.Generator
    ) -> list[GradientComparison]:
        """Compare the derivatives of `gradients` with central differences, and return a comparison for each variable.

        At most `limit` coordinates of each variable are compared, drawn by the generator.
        """
        differences = CentralDifferences(
            self._sum(), {**self.numbers, WEIGHTS: weights}, self.rows, limit=limit, generator=generator
        )
        names = {name: str(leaf.attributes) for name, leaf in self.variables.items()}
        return [
            differences.compare(name, differences.arrays[names[name]], gradient)
            for name, gradient in self.gradients(weights).items()
            if names[name] in differences.arrays
        ]

    def _sum(self) -> Value:
        """Return the weighted sum of all entries; the value itself if it is a single number."""
        if not self.value.shape:
            return self.value
        return sum_over(self.value * input_value(WEIGHTS, self.value.shape), "all")


def kinks_of(along: Callable[[Floats], Function]) -> Floats:
    """Return the neighbouring floats within ±10 between which a switch of a function changes.

    Parameters
    ----------
    along : callable
        Takes numbers (n,); returns the function with a batch of n rows, whose leaves depend on these numbers.
    """
    masks = [mask for mask in switches([along(np.zeros(1)).value]) if mask.shape[-1:] == (BATCH,)]
    if not masks:
        return np.empty(0)
    grid = np.linspace(-10, 10, 4001) + 1.234e-4  # shifted, so that kinks at round numbers do not lie on it
    branches = np.concatenate(evaluate(masks, along(grid).numbers, len(grid)))
    changes = (np.diff(branches.astype(np.int64)) != 0).any(0)
    left, right, before = grid[:-1][changes], grid[1:][changes], branches[:, :-1][:, changes]
    bound = bound_to(masks, along(left).numbers, len(left))
    for _ in range(50):  # down to neighbouring floats
        middle = (left + right) / 2
        fill(bound, along(middle).numbers)
        same = (np.concatenate(run(bound)) == before).all(0)
        left, right = np.where(same, middle, left), np.where(same, right, middle)
    return np.unique(np.concatenate([left, right]))


# ----------------------------------------------------------------------------------------------- central differences


@dataclass(frozen=True)
class GradientComparison:
    """The gradient with respect to one array, compared with central differences.

    Attributes
    ----------
    name : str
    shape : tuple of int
        Shape of the array for users.
    compared : int
        Number of compared coordinates.
    left_out : int
        Number of coordinates at a kink: a switch changes while the coordinate is moved.
    largest : float
        The largest entry of the gradient.
    error : float
        The largest absolute error.
    tolerance : float
        The largest error that counts as rounding.
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
        """Whether the gradient is finite and no error is larger than the tolerance."""
        return math.isfinite(self.largest) and self.error <= self.tolerance

    @property
    def share(self) -> float:
        """The largest error as a fraction of the largest entry, which is at least `tolerance / TOLERANCE`."""
        return self.error / max(self.largest, self.tolerance / TOLERANCE)

    @property
    def verdict(self) -> str:
        """``ok``, ``wrong``, or ``at kinks`` if all coordinates were left out."""
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


class CentralDifferences:
    """Central differences of a number that a program computes, to compare its gradient with.

    Parameters
    ----------
    number : Value
        Symbolic value of shape ().
    numbers, rows, shared
        As for `bound_to`.
    limit : int
        Maximum number of coordinates of an array that are compared.
    generator : Generator
        Draws the coordinates of larger arrays.
    after_each : callable, optional
        Called after each coordinate.

    Attributes
    ----------
    arrays : dict of str to array
        Arrays of the program's inputs and states by name; changing them changes the number.
    """

    def __init__(
        self,
        number: Value,
        numbers: Mapping[str, Array],
        rows: int,
        *,
        limit: int,
        generator: np.random.Generator,
        shared: Mapping[str, Array] | None = None,
        after_each: Callable[[], None] = lambda: None,
    ) -> None:
        self._bound = bound_to([number, *switches([number])], numbers, rows, shared=shared)
        self._number, *self._masks = self._bound.outputs
        self.arrays = {**self._bound.inputs, **self._bound.states}
        self._limit, self._generator, self._after_each = limit, generator, after_each

    def __call__(self) -> float:
        """Return the number."""
        run(self._bound)
        return float(self._number)

    def compare(
        self, name: str, array: Array, gradient: Array, indices: NDArray[np.intp] | None = None
    ) -> GradientComparison:
        """Compare the gradient with respect to an array of the program; its numbers are changed and restored.

        Parameters
        ----------
        name : str
            Name of the array for users.
        array : ndarray
            One of `arrays`, or the array that they are views of.
        gradient : ndarray
            Gradient of the same shape.
        indices : ndarray of int, optional
            Indices in the flat array of the numbers of a user's tensor, in the tensor's shape; default: all.
        """
        flat, slopes = array.reshape(-1), gradient.reshape(-1)
        indices = np.arange(array.size).reshape(array.shape) if indices is None else indices
        every = indices.reshape(-1)
        chosen = every if every.size <= self._limit else self._generator.choice(every, self._limit, replace=False)
        largest = float(np.abs(slopes[every]).max(initial=0.0))
        tolerance = max(TOLERANCE * largest, ROUNDING * abs(self()) / STEP)
        branches = [mask.copy() for mask in self._masks]
        compared, left_out, worst = 0, 0, 0.0
        for index in chosen:
            error = self._error(branches, flat, slopes, index, STEP)
            if error is None:
                left_out += 1
            else:
                for step in SHORTER_STEPS:
                    if error <= tolerance:
                        break
                    again = self._error(branches, flat, slopes, index, step)
                    error = error if again is None else np.fmin(error, again)
                compared += 1
                worst = float(np.maximum(worst, error))
            self._after_each()
        return GradientComparison(name, indices.shape, compared, left_out, largest, worst, tolerance)

    def _error(self, branches: Sequence[Array], flat: Floats, slopes: Floats, index: int, step: float) -> float | None:
        """Return the absolute difference of difference quotient and gradient; None if a switch changes."""
        here = flat[index]
        high, low = here + step, here - step
        flat[index] = high
        above, smooth = self(), self._takes(branches)
        flat[index] = low
        below, smooth = self(), smooth and self._takes(branches)
        flat[index] = here
        # Divided by the difference of the two floats, which is not exactly twice the step.
        return abs(float((above - below) / (high - low) - slopes[index])) if smooth else None

    def _takes(self, branches: Sequence[Array]) -> bool:
        """Return whether the switches of the last evaluation are those in `branches`."""
        return all(map(np.array_equal, self._masks, branches))
