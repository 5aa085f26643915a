"""Running symbolic values in tests, and the complex step: a derivative without any rule of ours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from specnet import compiler as c

Array = npt.NDArray[Any]
SIZES = {"batch": 4, "flat": 6}
STEP = 1e-200


def fill(bound: c.BoundPlan, arrays: Mapping[str, Array]) -> None:
    for name, array in bound.inputs.items():
        array[...] = arrays[name]


def evaluate(
    values: Sequence[c.Value],
    arrays: Mapping[str, Array],
    dtype: npt.DTypeLike = np.float64,
    sizes: Mapping[str, int] = SIZES,
) -> list[Array]:
    """The values' arrays, from the inputs' arrays by name."""
    bound = c.NUMPY.bind(c.plan(values, expansions=c.NUMPY.expansions), dtype, sizes, check=True)
    fill(bound, arrays)
    bound.run()
    return [output.copy() for output in bound.outputs]


def complex_step(
    loss: c.Value, wanted: Sequence[c.Value], arrays: Mapping[str, Array], sizes: Mapping[str, int] = SIZES
) -> list[Array]:
    """Derivatives of the loss by inputs or states, one element at a time."""
    names = [value.attributes for value in wanted]
    given = {name: np.asarray(array).astype(complex) for name, array in arrays.items() if array.dtype.kind == "f"}
    plan = c.plan([loss], expansions=c.NUMPY.expansions)
    states = {call.attributes: given[call.attributes] for call in plan.calls if call.operation.name == "state"}
    bound = c.NUMPY.bind(plan, complex, sizes, states, check=True)
    fill(bound, arrays)
    found = []
    for name in names:
        derivative = np.zeros(arrays[name].shape)
        target = {**bound.inputs, **bound.states}.get(name)
        for place in np.ndindex(derivative.shape) if target is not None else ():
            target[place] += 1j * STEP
            bound.run()
            derivative[place] = bound.outputs[0].imag / STEP
            target[place] = target[place].real
        found.append(derivative)
    return found


def gradient_error(y: c.Value, wanted: Sequence[c.Value], arrays: Mapping[str, Array]) -> float:
    """Largest error of the derivatives of a random combination of y's elements, relative to the largest of them."""
    weights = c.input_value("weights", y.shape)
    shape = tuple(SIZES.get(axis, axis) for axis in y.shape)
    arrays = {**arrays, "weights": np.random.default_rng(0).uniform(0.5, 1.5, shape)}
    loss = c.sum_over(y * weights, "all")
    found = c.gradients(loss, wanted)
    ours = evaluate([found[value] for value in wanted], arrays)
    truth = complex_step(loss, wanted, arrays)
    largest = max(np.abs(t).max() for t in truth)
    return float(max(np.abs(o - t).max() for o, t in zip(ours, truth, strict=True)) / (largest or 1.0))
