"""The time that `specnet new` expects and what runs take: `python -m tests.benchmarks.tables.expected_time FOLDER …`.

    python -m tests.benchmarks.tables.expected_time FOLDER OTHER          all tables of two folders
    python -m tests.benchmarks.tables.expected_time FOLDER glass mpg      some of them

A folder has CSV files and `tables.json`, which says of each table its `target`. For each table it writes the spec of
`specnet new`, with and without `--quick`, and runs it. All processes have one thread, so that the CPU seconds of a run,
which other processes hardly change, are the seconds that it takes on an idle machine. The table printed has the loss on
the test rows, these seconds, and the expected ones divided by them. The exit status is 1 if fewer than 90 % of the
ratios are within a factor of 1.5.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from tests.benchmarks.report import Report

POINTS = {"--quick": ["--quick"], "default": []}
"""Points on the frontier of loss against time, and the options of `specnet new` for them."""
FACTOR, LEAST_WITHIN = 1.5, 0.9
COMMAND = [sys.executable, "-c", "from specnet.cli import main; main()"]


class Measured(NamedTuple):
    """The loss of a run on its test rows, its CPU seconds, and the expected ones."""

    loss: float
    seconds: float
    expected: float

    @property
    def ratio(self) -> float:
        return self.expected / self.seconds

    @property
    def is_within(self) -> bool:
        return 1 / FACTOR <= self.ratio <= FACTOR


def tables(arguments: list[str]) -> Iterator[tuple[Path, str]]:
    """Yield the file and the target of each table in the folders, or of those that are named."""
    folders = [Path(each) for each in arguments if Path(each).is_dir()]
    names = [each for each in arguments if not Path(each).is_dir()]
    for folder in folders:
        for name, about in json.loads((folder / "tables.json").read_text("utf-8")).items():
            if not names or name in names:
                yield folder / f"{name}.csv", about["target"]


def called(*arguments: str) -> tuple[str, float]:
    """Return the output of a command in one thread, and its CPU seconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    one = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    ended = subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, check=True, env=os.environ | one)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return ended.stdout, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measured(file: Path, target: str, options: list[str]) -> Measured:
    """Write a spec for a table, and run it."""
    with tempfile.TemporaryDirectory() as name:
        spec, out = f"{name}/spec.toml", f"{name}/run"
        written, _ = called("new", spec, "--data", str(file), "--target", target, "--format", "json", *options)
        _, seconds = called("run", spec, "-o", out, "--threads", "1", "--quiet")
        metrics: dict[str, Any] = json.loads(Path(out, "metrics.json").read_text("utf-8"))
        return Measured(metrics["test"]["loss"], seconds, json.loads(written)["expected_seconds"])


def main(arguments: list[str]) -> int:
    report, within = Report(), list[bool]()
    report.table("table", "point", "test loss", "CPU s", "expected s", "expected ÷ CPU")
    for file, target in tables(arguments):
        for point, options in POINTS.items():
            found = measured(file, target, options)
            within.append(found.is_within)
            cells = f"{found.loss:.4g}", f"{found.seconds:.1f}", f"{found.expected:.1f}", f"{found.ratio:.2f}"
            report.row(file.stem, point, *cells)
    share = sum(within) / len(within)
    print(f"\n{100 * share:.0f} % of {len(within)} runs are within a factor of {FACTOR}.")
    report.judge(f"{100 * share:.0f} % within a factor of {FACTOR}", share >= LEAST_WITHIN)
    return report.exit_status()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
