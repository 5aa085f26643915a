"""Derivatives: a row in C with and without them, and 100 000 points against central differences.

Run with ``python -m tests.benchmarks.derivatives``; the exit status is 1 if a bound is missed. It takes a minute.
"""

from __future__ import annotations

import ctypes
import sys
import time
from pathlib import Path

import numpy as np

import specnet
from specnet import Model
from specnet.compiler.native.toolchain.libraries import library
from specnet.data import RawColumns
from specnet.exporting import find_target
from tests.exporting.models import SPECS, random_model
from tests.model.differences import compare

POINTS, TOLERANCE, MAX_RATIO = 100_000, 1e-6, 3.0
ROWS, CALLS, ROUNDS = 64, 50_000, 7


def nanoseconds(model: Model, columns: np.ndarray) -> tuple[float, float]:
    """Return the time for a row in C, and that for a row with its derivatives: the fastest of some rounds, in turns."""
    target, path = find_target("c"), Path("m.c")
    program = target.with_derivatives(target.program(model, model.network.dtype))
    files = target.render(program, path)
    source = files[path].decode().replace('#include "m.h"', files[path.with_suffix(".h")].decode())
    loops = [
        f"void {name}_rows(const real *x, real *y, double *g, double *workspace, long calls)\n{{\n"
        f"    for (long call = 0; call < calls; call++) {{\n"
        f"        const real *row = x + call % {ROWS} * M_INPUTS;\n{inside}    }}\n}}\n"
        for name, inside in (
            ("without", "        m_forward_work(row, y, workspace);\n"),
            ("with", "        m_forward_work(row, y, workspace);\n        m_gradient_work(row, g, workspace);\n"),
        )
    ]
    made = library(source + "".join(loops), ("without_rows", "with_rows"))
    x = np.ascontiguousarray(columns[:ROWS], program.column_dtype)
    y, g, workspace = np.empty(8, program.answer_dtype), np.empty(1024), np.empty(1 << 16)
    best = {"without": np.inf, "with": np.inf}
    for _ in range(ROUNDS):
        for name in best:
            call = made.function(f"{name}_rows", *[ctypes.c_void_p] * 4, ctypes.c_long)
            begin = time.thread_time()
            call(x.ctypes.data, y.ctypes.data, g.ctypes.data, workspace.ctypes.data, CALLS)
            best[name] = min(best[name], time.thread_time() - begin)
    return best["without"] / CALLS * 1e9, best["with"] / CALLS * 1e9


def rows_in_c() -> bool:
    """Print the times of a row of 2-5-1; return whether the bound is kept."""
    trained = specnet.run(SPECS / "moons.toml", overrides=["training.epochs=20"]).model
    columns = np.random.default_rng(0).normal(size=(ROWS, 2))
    ratios = []
    for dtype in ("float32", "float64"):
        without, with_them = nanoseconds(trained.astype(dtype), columns)
        ratios.append(with_them / without)
        shape = "-".join(map(str, [trained.network.inputs, *(node.size for node in trained.network.nodes)]))
        print(f"C, {shape}, {dtype}: {without:.1f} ns, with derivatives {with_them:.1f} ns: {ratios[-1]:.2f} ×")
    return max(ratios) <= MAX_RATIO


def points() -> bool:
    """Print the error of derivatives at many points of many networks; return whether the bound is kept."""
    compared = left_out = seed = 0
    worst = 0.0
    while compared < POINTS:
        model = random_model(seed, "float64")
        seed += 1
        if model.network.resolved.category_counts:
            continue
        rows = np.random.default_rng(seed).normal(size=(300, model.network.inputs))
        found = compare(model, RawColumns(rows))
        compared, left_out, worst = compared + found.compared, left_out + found.left_out, max(worst, found.error)
    print(f"{compared} derivatives of {seed} random networks: error {worst:.1e} of the largest, {left_out} at kinks")
    return worst <= TOLERANCE


def main() -> int:
    """Print the figures."""
    kept = [rows_in_c(), points()]
    return 0 if all(kept) else 1


if __name__ == "__main__":
    sys.exit(main())
