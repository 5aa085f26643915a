"""Derivatives: a row in C with and without them, and 100 000 points against central differences.

Run with ``python -m tests.benchmarks.derivatives``; the exit status is 1 if a bound is missed. It takes a minute.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

import specnet
from specnet import Model, export
from specnet.data import RawColumns
from tests.exporting.models import SPECS, random_model
from tests.model.differences import compare

POINTS, TOLERANCE, MAX_RATIO = 100_000, 1e-6, 3.0
CALLS, ROUNDS = 2_000_000, 5
LOOP = """
#include <stdio.h>
#include <time.h>
#include "m.h"

int main(void)
{
    static real rows[1024 * M_INPUTS];
    real *x = rows, y[M_OUTPUTS];
    for (int i = 0; i < 1024 * M_INPUTS; i++)
        rows[i] = (real)(i * 37 % 101) / 50 - 1;
    double g[M_OUTPUTS * M_INPUTS], sum = 0;
    struct timespec begin, end;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &begin);
    for (int call = 0; call < CALLS; call++) {
        m_forward(x, y);
        GRADIENT
        NEXT
        sum += READ;
    }
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
    printf("%.2f", ((end.tv_sec - begin.tv_sec) * 1e9 + (end.tv_nsec - begin.tv_nsec)) / CALLS);
    return sum < 0;
}
"""


ORDERS = {
    "one after the other": "x[0] = READ;",  # each call waits for the one before
    "independent rows": "x = rows + call % 1024 * M_INPUTS;",
}


def nanoseconds(model: Model, folder: Path, order: str) -> tuple[float, float]:
    """Return the time for a row in C, compiled with -O2, and for a row with its derivatives: the fastest of rounds."""
    export(model, "c", folder / "m.c", derivatives=True)
    best = []
    for name, call, read in (("without", "", "y[0]"), ("with", "m_gradient(x, g);", "y[0] + (real)(1e-9 * g[0])")):
        loop = LOOP.replace("GRADIENT", call).replace("NEXT", ORDERS[order])
        loop = loop.replace("READ", read).replace("CALLS", str(CALLS))
        (folder / f"{name}.c").write_text(loop)
        sources = [str(folder / f"{name}.c"), str(folder / "m.c")]
        subprocess.run(["cc", "-O2", *sources, "-o", str(folder / name), "-lm"], check=True)
        rounds = (subprocess.run([folder / name], capture_output=True, check=True) for _ in range(ROUNDS))
        best.append(min(float(ended.stdout) for ended in rounds))
    return best[0], best[1]


def rows_in_c() -> bool:
    """Print the times of a row of 2-5-1; return whether the bound is met."""
    trained = specnet.run(SPECS / "moons.toml", overrides=["training.epochs=20"]).model
    ratios = []
    for dtype, order in ((dtype, order) for dtype in ("float32", "float64") for order in ORDERS):
        with tempfile.TemporaryDirectory() as folder:
            without, with_them = nanoseconds(trained.astype(dtype), Path(folder), order)
        ratios.append(with_them / without)
        shape = "-".join(map(str, [trained.network.inputs, *(node.size for node in trained.network.nodes)]))
        print(
            f"C, {shape}, {dtype}, {order}: {without:.1f} ns, with derivatives {with_them:.1f} ns: {ratios[-1]:.2f} ×"
        )
    return max(ratios) <= MAX_RATIO


def points() -> bool:
    """Print the error of derivatives at many points of many networks; return whether the bound is met."""
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
    met = [rows_in_c(), points()]
    return 0 if all(met) else 1


if __name__ == "__main__":
    sys.exit(main())
