"""The benchmark of the elementary functions finds the worst error."""

import numpy as np
import pytest

from tests.benchmarks.steps.functions import worst_error
from tests.compiler.native.elementary import EXACT, exact_values


@pytest.mark.slow
@pytest.mark.parametrize("name", EXACT)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_worst_of_many_points_is_found(name, dtype):
    x = np.linspace(0.1, 3, 300, dtype=dtype)
    y = exact_values(name, x)[0].astype(dtype)
    y[100] += 3 * np.spacing(y[100])
    error, place = worst_error(name, y, x)
    assert 2.5 <= error <= 3.5
    assert place == x[100]
