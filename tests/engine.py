"""Small helpers with which tests run symbolic arrays on real ones."""

from collections.abc import Callable, Sequence

import numpy as np

from specnet.compiler import BATCH, NUMPY, Value, gradients, input_value, plan, sum_over
from specnet.compiler.numpy import bind

STEP = 1e-200
"""Of the complex step: its square vanishes, so that the derivative has no truncation error."""


def evaluate(outputs: Sequence[Value], arrays: dict[str, np.ndarray], dtype: type = np.float64) -> list[np.ndarray]:
    """Return the values of outputs for inputs by name; the last axis of the inputs is the batch."""
    batch = max((array.shape[-1] for array in arrays.values() if array.ndim), default=1)
    bound = bind(plan(list(outputs), [], expansions=NUMPY.expansions), dtype, {BATCH: batch}, check=True)
    for name, array in arrays.items():
        bound.inputs[name][...] = array
    with np.errstate(all="ignore"):
        bound.run()
    return [output.copy() for output in bound.outputs]


def value_and_slope(function: Callable[[Value], Value], x: np.ndarray, dtype: type = np.float64) -> list[np.ndarray]:
    """Return an elementwise function's values at x (features, batch), and its derivative by the reverse pass."""
    symbol = input_value("x", (x.shape[0], BATCH))
    y = function(symbol)
    slope = gradients(sum_over(y, "all"), [symbol])[symbol]
    return evaluate([y, slope], {"x": x}, dtype)


def complex_step(function: Callable[[Value], Value], x: np.ndarray) -> np.ndarray:
    """Return an elementwise function's derivative at x by the complex step."""
    symbol = input_value("x", (x.shape[0], BATCH))
    (y,) = evaluate([function(symbol)], {"x": x + 1j * STEP}, np.complex128)
    return y.imag / STEP
