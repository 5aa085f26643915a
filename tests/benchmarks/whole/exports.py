"""One row of two networks in exported code, and how large and how fast the exports of the reference network are.

Run with ``python -m tests.benchmarks.whole.exports``.
"""

import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np

import specnet
from specnet import ExportError, Model, export
from specnet.exporting import TARGETS, find_target
from tests.benchmarks.processes import MOONS

CALLS = 20_000_000
NETWORK = {"dtype": "float32", "layer_sizes": [64, 128, 64, 10]}
WIDE = {"network": NETWORK, "training": {"loss": "categorical_crossentropy"}}
WIDE_CALLS = 50_000
C_LOOP = """
#include <stdio.h>
#include <time.h>
#include "STEM.h"

int main(void)
{
    real x[INPUTS] = {0.5, 0.25}, y[OUTPUTS], sum = 0;
    struct timespec begin, end;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    for (int call = 0; call < CALLS; call++) {
        STEM_forward(x, y);
        sum += y[0];
        x[0] = y[0]; /* each call waits for the one before */
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    printf("%.1f", ((end.tv_sec - begin.tv_sec) * 1e9 + (end.tv_nsec - begin.tv_nsec)) / CALLS);
    return sum < 0;
}
"""
JAVASCRIPT_LOOP = """
import { forward } from "./moons.mjs";
const x = [0.5, 0.25];
for (let warm = 0; warm < 100000; warm++) x[0] = forward(x)[0];
const begin = process.hrtime.bigint();
for (let call = 0; call < CALLS; call++) x[0] = forward(x)[0];
console.log((Number(process.hrtime.bigint() - begin) / CALLS).toFixed(1));
"""


def main() -> None:
    """Print the figures."""
    model = specnet.run(MOONS).model
    with tempfile.TemporaryDirectory() as folder:
        for target, (seconds, size) in exporting_times(model, Path(folder)).items():
            print(f"{target:12} {seconds:6.2f} s to export   {size:7d} bytes")
        print(f"C            {c_nanoseconds(Path(folder), 'moons', 2, 1, CALLS):>6} ns a row")
        network = specnet.build(WIDE)
        wide = Model(network, network.initial_parameters(), labels=np.arange(10))
        export(wide, "c", Path(folder) / "wide.c")
        print(f"C, 64-128-64-10, float32 {c_nanoseconds(Path(folder), 'wide', 64, 10, WIDE_CALLS):>6} ns a row")
        print(f"JavaScript   {javascript_nanoseconds(Path(folder)):>6} ns a row")


def exporting_times(model: Model, folder: Path) -> dict[str, tuple[float, int]]:
    """Return for each target that is installed the seconds of a second export, and the bytes of its main file."""
    found = {}
    for target in TARGETS:
        # Node takes a module by this ending, wherever the file lies.
        path = folder / ("moons.mjs" if target == "javascript" else f"moons{find_target(target).suffix}")
        try:
            export(model, target, path)  # imports what it needs
            begin = time.perf_counter()
            export(model, target, path)
        except ExportError as error:
            print(f"{target:12} {error.diagnostics[0].message}")
        else:
            found[target] = time.perf_counter() - begin, path.stat().st_size
    return found


def c_nanoseconds(folder: Path, stem: str, inputs: int, outputs: int, calls: int) -> str:
    """Return how long a call of the C export takes in a loop."""
    compiler = shutil.which("cc")
    if compiler is None:
        return "-"
    code = C_LOOP
    for word, value in {"STEM": stem, "INPUTS": inputs, "OUTPUTS": outputs, "CALLS": calls}.items():
        code = code.replace(word, str(value))
    (folder / "loop.c").write_text("#define _POSIX_C_SOURCE 199309L\n" + code)
    sources = [str(folder / name) for name in ("loop.c", f"{stem}.c")]
    subprocess.run([compiler, "-std=c99", "-O2", *sources, "-o", str(folder / "loop"), "-lm"], check=True)
    return subprocess.run([folder / "loop"], check=True, capture_output=True, text=True).stdout


def javascript_nanoseconds(folder: Path) -> str:
    """Return how long a call of the JavaScript export takes in a loop."""
    node = shutil.which("node")
    if node is None:
        return "-"
    (folder / "loop.mjs").write_text(JAVASCRIPT_LOOP.replace("CALLS", str(CALLS)))
    ended = subprocess.run([node, folder / "loop.mjs"], check=True, capture_output=True, text=True)
    return ended.stdout.strip()


if __name__ == "__main__":
    main()
