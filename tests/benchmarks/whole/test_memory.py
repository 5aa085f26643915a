"""The benchmark of memory measures what a call holds."""

from dataclasses import dataclass

import numpy as np
import pytest

from tests.benchmarks.whole.memory import CASES, FEW, MIB, Case, in_new_process, resident_peak, traced_peak

pytestmark = pytest.mark.slow  # each peak is measured in a process


@dataclass(frozen=True)
class Allocating(Case):
    """A call that holds 64 MiB at its peak, unless it has few rows."""

    def fit(self, X: np.ndarray, y: np.ndarray) -> None:
        np.ones(64 * MIB if len(X) > FEW else 1, np.uint8)


@pytest.mark.parametrize("peak", [traced_peak, resident_peak])
def test_a_peak_is_what_a_call_holds_and_gives_back(peak):
    found = in_new_process(peak, Allocating("64 MiB", "float32", "float32"), 500_000)
    assert found / MIB == pytest.approx(64, abs=2)


@pytest.mark.parametrize("case", CASES)
def test_each_measured_call_is_of_its_dtypes(case):
    X, y = case.data(FEW)
    trained = case.fit(X, y)
    model = trained.model_ if case.estimator else trained
    assert (X.dtype, model.network.dtype) == (case.rows, case.network)
