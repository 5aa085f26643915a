"""What the record of a run costs its training: each reference spec is trained with and without one, by both engines."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from specnet import Observer
from specnet.running.fitting import fit_rows
from specnet.training.layer_recorder import LayerRecorder
from specnet.training.steps.trainer import StepMeter
from tests.benchmarks.report import Report, plain
from tests.benchmarks.timing import Seconds, measured
from tests.benchmarks.whole.cost import SPECS
from tests.compiling import missing
from tests.made import data_of

ROUNDS = 5
LARGEST_SHARE, LEAST_SECONDS = 0.05, 0.02
"""A record may take this share of the training, or so many seconds."""


def training_of(spec: Path, engine: str) -> Callable[[bool], Any]:
    """Return what trains the network of a spec, with a record or without; its rows are read once."""
    data = data_of(spec, overrides=[f"training.engine={engine}"])
    return lambda records: fit_rows(data, Observer(), records=records)


@contextmanager
def time_inside() -> Iterator[list[float]]:
    """Collect the CPU seconds of each call that records the network or measures a step."""
    found: list[float] = []

    def timed(method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **keywords: Any) -> Any:
            start = time.thread_time()
            result = method(*arguments, **keywords)
            found.append(time.thread_time() - start)
            return result

        return call

    with ExitStack() as patches:
        for kind, names in ((LayerRecorder, "__init__ trained finish"), (StepMeter, "before_step after_step")):
            for name in names.split():
                patches.enter_context(patch.object(kind, name, timed(getattr(kind, name))))
        yield found


def cost_of_record(training: Callable[[bool], Any], rounds: int = ROUNDS) -> tuple[dict[str, Seconds], float]:
    """Seconds of training with and without a record, and the least CPU seconds inside what makes the record."""

    def run(records: bool) -> int:
        training(records)
        return 1

    found = measured({"with": lambda _: run(True), "without": lambda _: run(False)}, rounds, seconds=0)
    inside = []
    for _ in range(rounds):
        with time_inside() as seconds:
            training(True)
        inside.append(sum(seconds))
    return found, min(inside)


def recording(report: Report) -> None:
    """All reference specs."""
    report.table("training", "engine", "s", "record, CPU s", "more CPU s", "share", "at most")
    for spec in SPECS:
        for engine in ["numpy"] if missing() else ["numpy", "compiled"]:
            found, inside = cost_of_record(training_of(spec, engine))
            seconds, more = found["without"].wall, found["with"].cpu - found["without"].cpu
            bound = max(LEAST_SECONDS, LARGEST_SHARE * seconds)
            cells = [plain(seconds), f"{inside:.4f}", f"{more:+.4f}", f"{100 * inside / seconds:.1f} %", plain(bound)]
            report.row(f"specs/{spec.name}", engine, *cells)
            report.judge(f"specs/{spec.name}, {engine}", inside <= bound)
