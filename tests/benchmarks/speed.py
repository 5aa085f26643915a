"""The figures of the documentation: `python -m tests.benchmarks.speed`, with `.[test,peers]` installed.

Everything that is compared is timed in turns within this one run; a figure is the median of the rounds. CPU times are
those of all threads of the process. The exit status is 1 if a bound is missed. It takes about six minutes, and needs a
machine that does nothing else. Names of tables choose some: `python -m tests.benchmarks.speed training cost`.
"""

import argparse
import os
import sys

from threadpoolctl import threadpool_limits

from specnet.compiler.native.toolchain.compilers import compiler_name
from specnet.cpus import usable_cpus
from tests.benchmarks.processes import (
    BARE_RUN,
    BARE_TUTORIAL,
    RUN,
    TUTORIAL_WITH_PICTURES,
    reference_run_seconds,
    start_up_seconds,
)
from tests.benchmarks.report import Report, installed_versions
from tests.benchmarks.steps.cases import (
    COMPILED_PREDICTION_BOUNDS,
    PICTURES_BOUND,
    PREDICTION_BOUNDS,
    PROCESS_BOUND,
    START_UP_SECONDS,
)
from tests.benchmarks.steps.compiling import compiling
from tests.benchmarks.steps.fits import fits
from tests.benchmarks.steps.peers import THREADS, missing_peers
from tests.benchmarks.steps.prediction import COMPILED, prediction_runs
from tests.benchmarks.steps.stepping import training
from tests.benchmarks.timing import medians
from tests.benchmarks.whole.cost import cost
from tests.benchmarks.whole.refusals import LONGEST_SECONDS, refusal_seconds
from tests.benchmarks.whole.whole_runs import whole_runs
from tests.compiling import missing, native_processor

BUSY = 0.5
"""The average number of running processes from which on they are told of."""


def prediction(report: Report) -> None:
    """One row through the reference network."""
    report.table("prediction", "specnet µs", "peer", "peer µs", "ours ÷ theirs", "at most (goal)")
    seconds = medians(prediction_runs())
    for name, bound in PREDICTION_BOUNDS.items():
        report.compared("2-5-1, one row", name, seconds["specnet"], seconds[name], bound, 1e6)
    if COMPILED in seconds:
        for name, bound in COMPILED_PREDICTION_BOUNDS.items():
            report.compared("2-5-1, one row, compiled", name, seconds[COMPILED], seconds[name], bound, 1e6)


def processes(report: Report) -> None:
    """Processes from start to exit."""
    report.table("whole process", "specnet s", "peer", "peer s", "ours ÷ theirs", "at most (goal)")
    seconds = reference_run_seconds()
    pairs = {(BARE_RUN, BARE_TUTORIAL): PROCESS_BOUND, (RUN, TUTORIAL_WITH_PICTURES): PICTURES_BOUND}
    for (ours, theirs), bound in pairs.items():
        if ours in seconds:
            report.compared(ours, theirs, seconds[ours], seconds[theirs], bound, 1)
    report.table("start-up", "s", "under")
    for command, seconds_taken in start_up_seconds().items():
        report.limited(f"`{command}`", seconds_taken, START_UP_SECONDS[command])


def refusals(report: Report) -> None:
    """The slowest refusal of each kind of hostile input."""
    report.table("refused", "slowest, s", "under")
    for kind, (count, slowest) in refusal_seconds().items():
        report.limited(f"{count} {kind}", slowest, LONGEST_SECONDS)


TABLES = {
    "training": training,
    "fits": fits,
    "whole-runs": whole_runs,
    "prediction": prediction,
    "compiling": compiling,
    "processes": processes,
    "cost": cost,
    "refusals": refusals,
}


def main() -> int:
    parser = argparse.ArgumentParser(description="times of specnet beside those of other tools")
    parser.add_argument("tables", nargs="*", metavar="TABLE", help=f"default: all of {', '.join(TABLES)}")
    tables = parser.parse_args().tables or list(TABLES)
    if unknown := [name for name in tables if name not in TABLES]:
        parser.error(f"unknown table {unknown[0]}; choose from {', '.join(TABLES)}")
    machine = f"{usable_cpus()} CPUs with {native_processor().name}, {THREADS} threads"
    print(f"{installed_versions()}, {compiler_name() or 'no compiler'}; {machine}; medians of interleaved rounds.")
    if reason := missing():
        print(f"The compiled engine is left out: {reason}.")
    if absent := missing_peers():
        print(f"Rows left out: {' and '.join(absent)} (not installed; in the repository: pip install '.[test,peers]').")
    if hasattr(os, "getloadavg") and os.getloadavg()[0] > BUSY:
        print(f"The machine is busy, with a load of {os.getloadavg()[0]:.1f}: these figures are not its best.")
    report = Report()
    with threadpool_limits(THREADS, user_api="blas"):
        for name in tables:
            TABLES[name](report)
    return report.exit_status()


if __name__ == "__main__":
    sys.exit(main())
