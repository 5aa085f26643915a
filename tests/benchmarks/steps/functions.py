"""Errors and times of the compiled elementary functions.

Errors are of points in the whole range, more of them where functions are hard. A wider type finds candidates: float64
for float32, the C library's long double for float64 (64 bits of significand on x86; for erf, SciPy's float64). mpmath
judges the worst 1000 of them, so a figure is exact; only of erf in float64 may a point be missed that is worse by about
one ulp, which is what SciPy's is off.

Times are per element of vectors that fit into the second-level cache. Ours and the C library's loops are compiled with
the same flags.
"""

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy import special

from tests.benchmarks.report import Report
from tests.benchmarks.timing import Run, medians, once
from tests.compiler.native.elementary import (
    EXACT,
    HEAD,
    NATIVE,
    NUMPY,
    TYPES,
    applied,
    arguments,
    bound_loop,
    compiled,
    exact_values,
    loops,
    program_text,
    ulp_errors,
)

CANDIDATES = 1000
ELEMENTS = 8192
ROUND_SECONDS = 0.02

WIDE: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "sigmoid": lambda x: np.where(x < 0, np.exp(-abs(x)), 1) / (1 + np.exp(-abs(x))),
    "softplus": lambda x: np.maximum(x, 0) + np.log1p(np.exp(-abs(x))),
    "erf": lambda x: special.erf(x.astype(np.float64)),
}
"""Formulas that are right in every float type, long double included; the other functions are NumPy's own."""
PLAIN_NUMPY: dict[str, Callable[[np.ndarray], np.ndarray]] = {"sigmoid": lambda x: 1 / (1 + np.exp(-x))}
LIBRARY = {"sigmoid": "1 / (1 + exp(-x[i]))", "softplus": "(x[i] > 0 ? x[i] : 0) + log1p(exp(-fabs(x[i])))"}


def worst_error(name: str, y: np.ndarray, x: np.ndarray) -> tuple[float, float]:
    """The largest error in ulp, and the argument it is at."""
    with np.errstate(all="ignore"):
        wide = WIDE.get(name, NUMPY[name])(x.astype(np.float64 if x.dtype == np.float32 else np.longdouble))
        high = wide.astype(np.float64)
        estimates = ulp_errors(y, high, (wide - high).astype(np.float64))
    candidates = np.argsort(estimates)[-CANDIDATES:]
    errors = ulp_errors(y[candidates], *exact_values(name, x[candidates]))
    return float(errors.max()), float(x[candidates[errors.argmax()]])


def library_text(dtype: np.dtype) -> str:
    """Loops over the C library's functions of the same precision."""
    values = {name: LIBRARY.get(name, f"{name}(x[i])") for name in EXACT}
    return "#include <tgmath.h>\n" + HEAD.format(**TYPES[dtype.name]) + loops(values)


def time_runs(name: str, x: np.ndarray, y: np.ndarray, libraries: dict) -> dict[str, Run]:
    """Ours, the C library's and NumPy's way from x to y."""
    numpy_function = PLAIN_NUMPY.get(name, NUMPY[name])
    runs = {who: once(bound_loop(library, name, x, x, y)) for who, library in libraries.items()}
    return {**runs, "NumPy": once(lambda: numpy_function(x))}


def functions(report: Report, points: int = 1_000_000) -> None:
    """Errors at so many points of each function, and times."""
    generator = np.random.default_rng(0)
    report.table("function", "dtype", "worst error, ulp", "at", "ns per element", "C library", "NumPy")
    with tempfile.TemporaryDirectory() as folder:
        for dtype in (np.dtype(np.float32), np.dtype(np.float64)):
            texts = {"ours": program_text(dtype), "C library": library_text(dtype)}
            paths = {who: Path(folder, f"{who} {dtype}.so") for who in texts}
            libraries = {who: compiled(text, paths[who], NATIVE)[0] for who, text in texts.items()}
            for name in EXACT:
                x = arguments(name, dtype, points, generator)
                error, place = worst_error(name, applied(libraries["ours"], name, x), x)
                x = (3 * generator.standard_normal(ELEMENTS)).astype(dtype)
                x, y = np.abs(x) if name in {"log", "log1p"} else x, np.empty_like(x)
                seconds = medians(time_runs(name, x, y, libraries), seconds=ROUND_SECONDS)
                times = (f"{each / ELEMENTS * 1e9:.2f}" for each in seconds.values())
                report.row(name, str(dtype), f"{error:.2f}", f"{dtype.type(place)!s}", *times)
