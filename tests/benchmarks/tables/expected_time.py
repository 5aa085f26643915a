"""The time that `specnet new` expects and what runs take: `python -m tests.benchmarks.tables.expected_time FOLDER …`.

    python -m tests.benchmarks.tables.expected_time FOLDER OTHER          all tables of two folders
    python -m tests.benchmarks.tables.expected_time FOLDER glass mpg      some of them

A folder has CSV files and `tables.json`, which says of each table its `target`. For each table it writes the spec of
`specnet new`, with and without `--quick`, and runs it, three times each. The seconds are those of the whole command
`specnet run`, until its page is written. All processes have one thread, so that the CPU seconds of a run, which other
processes hardly change, are the seconds that it takes on an idle machine; the seconds by the clock are printed too. The
table has the medians, and the expected seconds divided by the CPU seconds. The exit status is 1 if a median of these
ratios is not within a factor of 1.5.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import NamedTuple

from tests.benchmarks.report import Report

POINTS = {"--quick": ["--quick"], "default": []}
"""Points on the frontier of loss against time, and the options of `specnet new` for them."""
FACTOR, REPEATS = 1.5, 3
COMMAND = [sys.executable, "-c", "from specnet.cli import main; main()"]


class Measured(NamedTuple):
    """The expected seconds of a run, and those of the CPU and of the clock."""

    expected: float
    cpu: float
    clock: float


def tables(arguments: list[str]) -> Iterator[tuple[Path, str]]:
    """Yield the file and the target of each table in the folders, or of those that are named."""
    folders = [Path(each) for each in arguments if Path(each).is_dir()]
    names = [each for each in arguments if not Path(each).is_dir()]
    for folder in folders:
        for name, about in json.loads((folder / "tables.json").read_text("utf-8")).items():
            if not names or name in names:
                yield folder / f"{name}.csv", about["target"]


def called(*arguments: str) -> tuple[str, float, float]:
    """Return the output of a command in one thread, its CPU seconds, and those by the clock."""
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    one = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    ended = subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, check=True, env=os.environ | one)
    after, seconds = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter() - begun
    return ended.stdout, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, seconds


def measured(file: Path, target: str, options: list[str]) -> Measured:
    """Write a spec for a table, and run it."""
    with tempfile.TemporaryDirectory() as name:
        spec = f"{name}/spec.toml"
        written, *_ = called("new", spec, "--data", str(file), "--target", target, "--format", "json", *options)
        _, *seconds = called("run", spec, "-o", f"{name}/run", "--threads", "1", "--quiet")
        return Measured(json.loads(written)["expected_seconds"], *seconds)


def main(arguments: list[str]) -> int:
    report, ratios = Report(), dict[str, float]()
    report.table("table", "point", "expected s", "CPU s", "clock s", "expected ÷ CPU")
    for file, target in tables(arguments):
        for point, options in POINTS.items():
            found = [measured(file, target, options) for _ in range(REPEATS)]
            ratio = median(each.expected / each.cpu for each in found)
            report.row(file.stem, point, *(f"{median(each):.1f}" for each in zip(*found, strict=True)), f"{ratio:.2f}")
            ratios[f"{file.stem}, {point}"] = ratio
    worst = max(ratios, key=lambda name: max(ratios[name], 1 / ratios[name]))
    within = [1 / FACTOR <= each <= FACTOR for each in ratios.values()]
    verdict = "passed" if all(within) else "failed"
    print(f"\n{sum(within)} of {len(within)} runs are within a factor of {FACTOR}: {verdict}.")
    print(f"The worst ratio is {ratios[worst]:.2f}: {worst}.")
    report.judge(f"a factor of {FACTOR}", all(within))
    return report.exit_status()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
