"""Small helpers with which tests run symbolic arrays on real ones."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from specnet.compiler import BATCH, Value, gradients, input_value, sum_over
from tests.compiler import running


def evaluate(outputs: Sequence[Value], arrays: dict[str, np.ndarray], dtype: type = np.float64) -> list[np.ndarray]:
    """Return the values of outputs for inputs by name; the last axis of the inputs is the batch."""
    batch = max((array.shape[-1] for array in arrays.values() if array.ndim), default=1)
    with np.errstate(all="ignore"):
        return running.evaluate(outputs, arrays, dtype, {BATCH: batch})


def value_and_slope(function: Callable[[Value], Value], x: np.ndarray, dtype: type = np.float64) -> list[np.ndarray]:
    """Return an elementwise function's values at x (features, batch), and its derivative by the reverse pass."""
    symbol = input_value("x", (x.shape[0], BATCH))
    y = function(symbol)
    slope = gradients(sum_over(y, "all"), [symbol])[symbol]
    return evaluate([y, slope], {"x": x}, dtype)


PRECISIONS = pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-9), (np.float32, 1e-5)])
"""How near the figures of libraries are in either."""


def near_figures(ours: np.ndarray, theirs: list, tolerance: float, dtype: type) -> None:
    """Hold ours to a library's figures where these are finite: relative to each, or a few units of rounding at 1."""
    with np.errstate(over="ignore"):
        expected = np.array(theirs, float).astype(dtype)
    finite = np.isfinite(expected)
    np.testing.assert_allclose(ours[finite], expected[finite], rtol=tolerance, atol=8 * np.finfo(dtype).eps)
