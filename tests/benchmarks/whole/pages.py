"""What the report adds to a run, and how large it is: `python -m tests.benchmarks.whole.pages`, in the repository.

Each run is a whole process, with and without its report in turns within this one run; the best of five counts. The exit
status is 1 if a bound is missed.
"""

import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from tests.benchmarks.processes import MOONS, ROOT, run_process, specnet_command
from tests.benchmarks.report import Report

ROUNDS = 5
LARGEST_PAGE = 400_000
"""Bytes."""
WIDE = """\
name = "wide"
data = { type = "make_classification", n_samples = 4000, n_features = 200, n_informative = 30 }
network = { hidden_layer_sizes = [500] }
training = { loss = "binary_crossentropy", epochs = 6, metrics = ["accuracy"] }
"""
LONGEST = {"moons": 0.2, "digits": 0.6, "200–500–1": 1.5}
"""Seconds that the report may add."""


class Cost(NamedTuple):
    """Least seconds of a run with and without its report, and the bytes of this."""

    with_report: float
    without: float
    size: int

    @property
    def added(self) -> float:
        return self.with_report - self.without


def cost_of(spec: Path, folder: Path, rounds: int = ROUNDS) -> Cost:
    """Runs of a spec into `folder`."""
    command = [specnet_command(), "run", str(spec), "--out", str(folder), "--force", "--quiet"]
    least = {True: float("inf"), False: float("inf")}
    for _ in range(rounds):
        for has_report in (False, True):
            start = time.perf_counter()
            run_process(command if has_report else [*command, "--no-report"])
            least[has_report] = min(least[has_report], time.perf_counter() - start)
    return Cost(least[True], least[False], (folder / "report.html").stat().st_size)


def pages(report: Report, rounds: int = ROUNDS) -> None:
    """All runs that have a bound."""
    report.table("`specnet run`", "with report, s", "without, s", "added, s", "at most", "page, kB", "at most")
    with tempfile.TemporaryDirectory() as name:
        wide = Path(name) / "wide.toml"
        wide.write_text(WIDE, encoding="utf-8")
        for title, spec in {"moons": MOONS, "digits": ROOT / "specs" / "digits.toml", "200–500–1": wide}.items():
            found = cost_of(spec, Path(name) / title, rounds)
            seconds = (f"{each:.3f}" for each in (found.with_report, found.without, found.added))
            report.row(title, *seconds, f"{LONGEST[title]:g}", f"{found.size / 1000:.0f}", f"{LARGEST_PAGE / 1000:g}")
            report.judge(f"time of the report of {title}", found.added <= LONGEST[title])
            report.judge(f"size of the report of {title}", found.size <= LARGEST_PAGE)


def main() -> int:
    report = Report()
    pages(report)
    return report.exit_status()


if __name__ == "__main__":
    sys.exit(main())
