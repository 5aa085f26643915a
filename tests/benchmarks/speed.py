"""The figures of the documentation: `python -m tests.benchmarks.speed`, with `.[test,peers]` installed.

Everything that is compared is timed in turns within this one run; a figure is the median of the rounds. CPU times are
those of all threads of the process. The exit status is 1 if a bound is missed. It takes about six minutes, and needs a
machine that does nothing else. Names of tables choose some: `python -m tests.benchmarks.speed training cost`; those of
memory, records, reports and many runs are printed only where they are named.
"""

import argparse
import os
import sys

from threadpoolctl import threadpool_limits

from tests.benchmarks.processes import many, pages, processes
from tests.benchmarks.report import Report, installed_versions
from tests.benchmarks.steps.compiling import compiling
from tests.benchmarks.steps.fits import fits
from tests.benchmarks.steps.peers import THREADS, missing_peers
from tests.benchmarks.steps.prediction import prediction
from tests.benchmarks.steps.stepping import training
from tests.benchmarks.whole.cost import cost
from tests.benchmarks.whole.memory import memory
from tests.benchmarks.whole.recording import recording
from tests.benchmarks.whole.refusals import refusals
from tests.benchmarks.whole.whole_runs import whole_runs
from tests.compiling import compiler_name, missing, native_processor, usable_cpus

BUSY = 0.5
"""The average number of running processes from which on they are reported."""


TABLES = (training, fits, whole_runs, prediction, compiling, processes, cost, refusals)
FURTHER = (memory, recording, pages, many)


def main() -> int:
    parser = argparse.ArgumentParser(description="times of specnet beside those of other tools")
    usual, further = ([table.__name__.replace("_", "-") for table in each] for each in (TABLES, FURTHER))
    tables = dict(zip([*usual, *further], [*TABLES, *FURTHER], strict=True))
    text = f"default: all of {', '.join(usual)}; further ones: {', '.join(further)}"
    parser.add_argument("tables", nargs="*", metavar="TABLE", help=text)
    chosen = parser.parse_args().tables or usual
    if unknown := [name for name in chosen if name not in tables]:
        parser.error(f"unknown table {unknown[0]}; choose from {', '.join(tables)}")
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
        for name in chosen:
            tables[name](report)
    return report.exit_status()


if __name__ == "__main__":
    sys.exit(main())
