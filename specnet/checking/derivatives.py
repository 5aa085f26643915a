"""Derivatives of a program, proved by difference quotients.

In: a symbolic value and numbers for its leaves. Out: its derivatives by the reverse pass, and what they should be.

- `Function.complex_step` moves every number along the imaginary axis. That is exact to rounding, and not disturbed by
  kinks; it needs all numbers of a small program, and proves what the reverse pass makes of it.
- `CentralDifferences` moves numbers up and down. It proves any gradient, as that of the compiled engine, to fewer
  digits, and leaves out coordinates at kinks.
- `kinks_of` finds where a function of one number has kinks, for one-sided differences.

Between two points at which all `switches` of a program are the same, it is one smooth formula, and a difference
quotient means its derivative.
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
from specnet.network.programs import NOISE, UNIFORM
from specnet.parts.arrays import Array

Floats = NDArray[np.float64]

COMPLEX_STEP = 1e-200
"""Its square vanishes, so that the derivative has no truncation error."""
STEP = 1e-5
"""How far central differences move a coordinate up and down."""
SHORTER_STEPS = (1e-6, 1e-7, 1e-8)
"""Tried where the first one disagrees: where a function is steep, as behind large inputs, it is too long."""
TOLERANCE = 1e-7
"""Of central differences, as a fraction of the largest entry of a tensor's gradient."""
ROUNDING = 16 * float(np.finfo(np.float64).eps)
"""How far two evaluations of a number may differ, as a fraction of it."""
WEIGHTS = "weights of the sum"


# ---------------------------------------------------------------------------------------------------------- switches


def switches(outputs: Iterable[Value]) -> list[Value]:
    """Return symbolic masks that change wherever the formula of a program changes.

    They say which branch each maximum, minimum, comparison, sign and absolute value takes, and to which index or whole
    number others are rounded. What is behind `stop_gradient` is a constant to the derivative, and does not count.

    Parameters
    ----------
    outputs : iterable of Value
        What is computed; everything that it is computed from is searched.
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
    """Return a program for values, whose arrays are filled with numbers.

    Parameters
    ----------
    outputs : sequence of Value
    numbers : mapping of str to array
        What each leaf holds, by its name; it may have more.
    rows : int
        The length of the batch.
    dtype : type
        float64, float32 or complex128.
    shared : mapping of str to array, optional
        States that the program reads themselves, without copies.
    """
    bound = bind(plan(list(outputs), expansions=NUMPY.expansions), dtype, {BATCH: rows}, shared)
    fill(bound, {**numbers, **(shared or {})})
    return bound


def fill(bound: BoundCalls, numbers: Mapping[str, Array]) -> None:
    """Fill the arrays of a program's leaves with numbers by their names."""
    for name, array in (*bound.inputs.items(), *bound.states.items()):
        array[...] = numbers[name]


def run(bound: BoundCalls) -> list[Array]:
    """Run a program, and return the arrays of its outputs, which the next run overwrites."""
    with np.errstate(all="ignore"):
        bound.run()
    return bound.outputs


def evaluate(
    outputs: Sequence[Value], numbers: Mapping[str, Array], rows: int, dtype: type = np.float64
) -> list[Array]:
    """Return the arrays of values, given the numbers of their leaves; see `bound_to`."""
    return [output.copy() for output in run(bound_to(outputs, numbers, rows, dtype))]


def noise_of(value: Value, rows: int, generator: np.random.Generator) -> dict[str, Array]:
    """Draw the random numbers that a value depends on, by the names of their leaves."""
    noise = {}
    for leaf in postorder([value], lambda value: value.arguments):
        name = leaf.attributes
        if isinstance(name, str) and name.startswith(NOISE) and not leaf.arguments:
            shape = [rows if isinstance(axis, str) else axis for axis in leaf.shape]
            noise[name] = (generator.random if name.startswith(UNIFORM) else generator.standard_normal)(shape)
    return noise


@dataclass(frozen=True)
class Function:
    """A symbolic value, with numbers for its leaves.

    Attributes
    ----------
    value : Value
        (features, batch); or a single number, of shape ().
    numbers : mapping of str to array
        What each leaf holds, by its name.
    variables : mapping of str to Value
        The leaves by which it is differentiated, by the names under which derivatives are returned.
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
        """Return the derivatives of the weighted sum of all entries by each variable, by the reverse pass."""
        found = self.symbolic_gradients()
        arrays = evaluate(list(found.values()), {**self.numbers, WEIGHTS: weights}, self.rows)
        return dict(zip(found, arrays, strict=True))

    def symbolic_gradients(self) -> dict[str, Value]:
        """Return the same derivatives as symbolic values."""
        names = {leaf: name for name, leaf in self.variables.items()}
        return {names[leaf]: value for leaf, value in gradients(self._sum(), self.variables.values()).items()}

    def complex_step(self, weights: Array) -> dict[str, Array]:
        """Return the same derivatives by the complex step, for each number of each variable; 0 where none depends."""
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
        """Compare the derivatives of the weighted sum by each variable with central differences.

        At most so many coordinates of each are compared, drawn by the generator.
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
        """Return the weighted sum of all entries; a single number as it is."""
        if not self.value.shape:
            return self.value
        return sum_over(self.value * input_value(WEIGHTS, self.value.shape), "all")


def kinks_of(along: Callable[[Floats], Function]) -> Floats:
    """Return the neighbouring numbers within ±10 between which a switch of a function changes.

    Parameters
    ----------
    along : callable
        From numbers (n,) to the function with a batch of n rows, whose leaves depend on them.
    """
    masks = [mask for mask in switches([along(np.zeros(1)).value]) if mask.shape[-1:] == (BATCH,)]
    if not masks:
        return np.empty(0)
    grid = np.linspace(-10, 10, 4001) + 1.234e-4  # kinks do not lie on it
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
    """A gradient by one array, compared with central differences.

    Attributes
    ----------
    name : str
    shape : tuple of int
        As a user sees it.
    compared : int
        Number of coordinates at which the two were compared.
    left_out : int
        Number of coordinates at which some switch changes while they are moved: there is a kink.
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
        """Whether no error is larger than the tolerance; one that is not finite always is."""
        return math.isfinite(self.largest) and self.error <= self.tolerance

    @property
    def share(self) -> float:
        """The largest error as a fraction of the largest entry, or of what is as good as 0 where that is larger."""
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


class CentralDifferences:
    """Compares the gradient of a number with central differences.

    Parameters
    ----------
    number : Value
        Of shape ().
    numbers, rows, shared
        As for `bound_to`.
    limit : int
        How many coordinates of an array are compared at most.
    generator : Generator
        Draws the coordinates of larger arrays.
    after_each : callable, optional
        Called after each coordinate.

    Attributes
    ----------
    arrays : dict of str to array
        The arrays of the leaves by name, which change what is compared.
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
        """Compare the gradient by an array that the program reads; its numbers are moved, and put back.

        Parameters
        ----------
        name : str
            What a user calls it.
        array : ndarray
            One of `arrays`, or what they are views of.
        gradient : ndarray
            Of the same shape.
        indices : ndarray of int, optional
            Those of the flat array that a user's tensor consists of, in its shape; default: all.
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
        """Return by how much the difference quotient and the gradient differ, or None where a switch changes."""
        here = flat[index]
        high, low = here + step, here - step
        flat[index] = high
        above, smooth = self(), self._takes(branches)
        flat[index] = low
        below, smooth = self(), smooth and self._takes(branches)
        flat[index] = here
        # The difference of the two floats, which is not quite twice the step.
        return abs(float((above - below) / (high - low) - slopes[index])) if smooth else None

    def _takes(self, branches: Sequence[Array]) -> bool:
        """Return whether the last evaluation took these branches."""
        return all(map(np.array_equal, self._masks, branches))
