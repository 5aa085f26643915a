"""How much memory `fit` needs beside its rows.

The peak of each call is measured twice, each time in a new process: by `tracemalloc`, to which NumPy reports its
arrays, and by the process's resident set. It takes about two minutes; what else the machine does only makes it slower.
It needs a Unix, which alone tells a peak.
"""

import resource
import sys
import tracemalloc
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

import specnet
from tests.benchmarks.report import Report

ROWS, COLUMNS = 1_000_000, 20
AT_MOST = 1.6
"""The largest peak beside X, in multiples of X."""
FEW = 100
"""Rows of a call before the measured one: what it imports is no part of the peak."""
MIB = 2**20
RESIDENT_UNIT = 1 if sys.platform == "darwin" else 1024
"""Bytes in the unit in which the system counts the resident set."""


@dataclass(frozen=True)
class Case:
    """A call of `fit`, and the dtypes of its rows and of its network."""

    title: str
    rows: str
    network: str

    def data(self, rows: int) -> tuple[np.ndarray, np.ndarray]:
        """X (rows, columns) and y (rows,), made without another array of X's size."""
        generator = np.random.default_rng(0)
        return generator.random((rows, COLUMNS), self.rows), generator.random(rows, self.rows)

    def fit(self, X: np.ndarray, y: np.ndarray) -> Any:
        """Train for one epoch; the model, or the estimator."""
        steps = ["standardize"] if "standardize" in self.title else []
        split = {"validation_size": 0.1 if "validation" in self.title else 0.0}
        document: dict[str, Any] = {
            "data": {"type": "make_regression", "split": split},
            "network": {"hidden_layer_sizes": [8], "dtype": self.network, "preprocessing": steps},
            "training": {"loss": "mean_squared_error", "epochs": 1, "batch_size": 1000},
        }
        is_estimator = self.title.startswith("SpecRegressor")
        return specnet.SpecRegressor(document).fit(X, y) if is_estimator else specnet.fit(document, X, y)


DTYPES = (("float64", "float64"), ("float64", "float32"), ("float32", "float32"))
CASES = (
    *(Case(title, *dtypes) for title in ("fit", "fit, standardize") for dtypes in DTYPES),
    Case("fit, standardize, 10 % validation", *DTYPES[0]),
    *(Case("SpecRegressor.fit", *dtypes) for dtypes in DTYPES[1:]),
)


def traced_peak(case: Case, rows: int) -> int:
    """Bytes of the arrays and objects that a call holds at its peak, X and y apart."""
    X, y = warmed_up(case, rows)
    tracemalloc.start()
    try:
        case.fit(X, y)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def resident_peak(case: Case, rows: int) -> int:
    """Bytes by which a call raises the largest resident set of its process."""
    X, y = warmed_up(case, rows)
    before = largest_resident_set()
    case.fit(X, y)
    return largest_resident_set() - before


def largest_resident_set() -> int:
    """Bytes, at this process's peak so far."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * RESIDENT_UNIT
    # On Linux ru_maxrss starts with the peak of the process that started this one.
    (peak,) = (line.split()[1] for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
    return int(peak) * 1024


def warmed_up(case: Case, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """The rows, made after a call with few of them."""
    case.fit(*case.data(FEW))
    return case.data(rows)


def in_new_process(peak: Callable[[Case, int], int], case: Case, rows: int) -> int:
    """A peak, measured in a process that has done nothing else."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(peak, case, rows).result()


def memory(report: Report) -> None:
    """The peaks of all calls beside X."""
    columns = ("X", "network", "X, MiB", "traced, MiB", "÷ X", "resident, MiB", "÷ X", "at most")
    report.table(f"{ROWS:,} rows of {COLUMNS} columns", *columns)
    for case in CASES:
        size = ROWS * COLUMNS * np.dtype(case.rows).itemsize
        peaks = [in_new_process(peak, case, ROWS) for peak in (traced_peak, resident_peak)]
        cells = [cell for peak in peaks for cell in (f"{peak / MIB:.0f}", f"{peak / size:.2f}")]
        report.row(case.title, case.rows, case.network, f"{size / MIB:.0f}", *cells, f"{AT_MOST:g}")
        report.judge(f"{case.title}, {case.rows} rows, {case.network} network", max(peaks) <= AT_MOST * size)
