"""What the record of a run costs its training: `python -m tests.benchmarks.whole.recording`, in the repository.

Each reference spec is trained with and without a record, by both engines, in turns within this one run. Names of specs
choose some: `python -m tests.benchmarks.whole.recording moons digits`. The exit status is 1 if a bound is missed.
"""

import argparse
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

from specnet import Observer, parse_spec
from specnet.compiler.native.toolchain.compilers import missing
from specnet.network.bound import Engine
from specnet.running.data_rows import read_data
from specnet.running.fitting import FitResult, fit_rows
from specnet.training.layer_recorder import LayerRecorder
from specnet.training.steps.trainer import StepMeter
from tests.benchmarks.report import Report, plain
from tests.benchmarks.timing import Run, Seconds, measured
from tests.benchmarks.whole.cost import SPECS

ROUNDS = 5
LARGEST_SHARE, LEAST_SECONDS = 0.05, 0.02
"""A record may take this share of the training, or so many seconds."""


class Training:
    """Trains the network of a spec; its rows are read once."""

    def __init__(self, spec: Path, engine: Engine) -> None:
        self._data = read_data(parse_spec(spec, overrides=[f"training.engine={engine}"]))

    def __call__(self, *, records: bool) -> FitResult:
        data = self._data
        return fit_rows(data, Observer(), records=records)


@contextmanager
def time_inside() -> Iterator[list[float]]:
    """Collect the CPU seconds of each call that looks at the network or measures a step."""
    found: list[float] = []

    def timed(method):
        def call(*arguments, **keywords):
            start = time.thread_time()
            result = method(*arguments, **keywords)
            found.append(time.thread_time() - start)
            return result

        return call

    names = {LayerRecorder: ("__init__", "trained", "finish"), StepMeter: ("before_step", "after_step")}
    patches = [patch.object(kind, name, timed(getattr(kind, name))) for kind in names for name in names[kind]]
    for each in patches:
        each.start()
    try:
        yield found
    finally:
        for each in patches:
            each.stop()


def cost_of(training: Training, rounds: int = ROUNDS) -> tuple[dict[str, Seconds], float]:
    """Seconds of training with and without a record, and the least CPU seconds inside what makes the record."""

    def run_of(records: bool) -> Run:
        def run(_: int) -> int:
            training(records=records)
            return 1

        return run

    found = measured({"with": run_of(True), "without": run_of(False)}, rounds, seconds=0)
    inside = []
    for _ in range(rounds):
        with time_inside() as seconds:
            training(records=True)
        inside.append(sum(seconds))
    return found, min(inside)


def recording(report: Report, names: list[str]) -> None:
    """All reference specs, or those of some names."""
    report.table("training", "engine", "s", "record, CPU s", "more CPU s", "share", "at most")
    engines: list[Engine] = ["numpy"] if missing() else ["numpy", "compiled"]
    for spec in SPECS:
        for engine in engines if spec.stem in names or not names else ():
            found, inside = cost_of(Training(spec, engine))
            seconds, more = found["without"].wall, found["with"].cpu - found["without"].cpu
            bound = max(LEAST_SECONDS, LARGEST_SHARE * seconds)
            cells = [plain(seconds), f"{inside:.4f}", f"{more:+.4f}", f"{100 * inside / seconds:.1f} %", plain(bound)]
            report.row(f"specs/{spec.name}", engine, *cells)
            report.judge(f"specs/{spec.name}, {engine}", inside <= bound)


def main() -> int:
    parser = argparse.ArgumentParser(description="what the record of a run costs its training")
    parser.add_argument("specs", nargs="*", metavar="SPEC", help="names of reference specs; default: all")
    names = parser.parse_args().specs
    if unknown := [name for name in names if name not in {spec.stem for spec in SPECS}]:
        parser.error(f"unknown spec {unknown[0]}; choose from {', '.join(spec.stem for spec in SPECS)}")
    report = Report()
    recording(report, names)
    return report.exit_status()


if __name__ == "__main__":
    sys.exit(main())
