"""The tables of training steps: both engines beside each other and beside other tools."""

from collections.abc import Iterable
from typing import NamedTuple

from threadpoolctl import threadpool_limits

from tests.benchmarks.report import Report, plain
from tests.benchmarks.steps.cases import CASES, COMPILED, NUMPY, Case
from tests.benchmarks.steps.ours import compiled_run, training_run
from tests.benchmarks.steps.peers import PEERS, able, missing_peers, threads_of
from tests.benchmarks.timing import ROUNDS, Run, Seconds, measured
from tests.compiling import AVX2, AVX512, missing, native_processor

COMPILED_AVX2 = "compiled engine, for AVX2"
SLOW_ROUNDS = 5
"""Of wide cases, whose epochs take longer than the others' rounds."""
ROUND_SECONDS = 0.06
MICRO = 1e6


class Steps(NamedTuple):
    """What a step of a case takes, by the way that it is made."""

    case: Case
    seconds: dict[str, Seconds]

    def ratio(self, ours: str, theirs: str) -> float | None:
        """Wall time by wall time; None beside itself, or where ours is left out."""
        if ours == theirs or ours not in self.seconds:
            return None
        return self.seconds[ours].wall / self.seconds[theirs].wall


def contenders(case: Case, engines_missing: str | None, peers_missing: list[str]) -> dict[str, Run]:
    """Everything that can train the case here; a CPU with AVX-512 also runs what is compiled for AVX2."""
    runs = {NUMPY: training_run(case)}
    if engines_missing is None:
        runs[COMPILED] = compiled_run(case)
        if native_processor().name == AVX512.name:
            runs[COMPILED_AVX2] = compiled_run(case, AVX2)
    return runs | {name: PEERS[name](case) for name in able(case) if name not in peers_missing}


def training(report: Report) -> None:
    """One training step, gathering of the batch included, and that of the compiled engine for smaller vectors."""
    columns = [column for engine in (NUMPY, COMPILED) for column in (f"{engine} ÷ it", "at most (goal)")]
    report.table("training step", "computed by", "µs", "CPU µs", *columns)
    found = []
    for case in CASES:
        with threadpool_limits(threads_of(case), user_api="blas"):
            runs = contenders(case, missing(), missing_peers())
            found.append(Steps(case, measured(runs, SLOW_ROUNDS if case.wide else ROUNDS, ROUND_SECONDS)))
        show_steps(report, found[-1], native_processor().name)
    if any(COMPILED_AVX2 in steps.seconds for steps in found):
        show_smaller_vectors(report, found)


def show_steps(report: Report, steps: Steps, vectors: str) -> None:
    """A row for each way, with the ratio and the bound of both engines beside it."""
    case = steps.case
    for name, (wall, cpu) in steps.seconds.items():
        cells = [case.title, name, plain(wall * MICRO), plain(cpu * MICRO)]
        bounds = {NUMPY: case.bounds.get(name), COMPILED: case.compiled_bound(name, vectors)}
        for engine, bound in bounds.items():
            cells += report.limits(f"{case.title}, {engine}", name, steps.ratio(engine, name), bound)
        report.row(*cells)


def show_smaller_vectors(report: Report, found: Iterable[Steps]) -> None:
    """Rows of what is compiled for AVX2, with the bounds that it has on CPUs without AVX-512."""
    report.table("training step", f"{COMPILED_AVX2}, µs", "peer", "peer µs", "ours ÷ theirs", "at most (goal)")
    for case, seconds in ((steps.case, steps.seconds) for steps in found):
        title, ours = f"{case.title}, for AVX2", seconds[COMPILED_AVX2].wall
        for peer in (name for name in case.compiled_bounds if name in seconds):
            report.compared(title, peer, ours, seconds[peer].wall, case.compiled_bound(peer, AVX2.name), MICRO)
