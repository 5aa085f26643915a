"""The figures of the README: `python -m tests.benchmarks.speed`, in the repository, with `.[test,peers]` installed.

Everything that is compared is timed in turns within this one run; a figure is the median of the rounds. The exit status
is 1 if a bound is missed. It takes about three minutes, and needs a machine that does nothing else.
"""

import os
import sys

from threadpoolctl import threadpool_limits

from tests.benchmarks.cases import CASES, PREDICTION_BOUNDS, PROCESS_BOUND, START_UP_SECONDS
from tests.benchmarks.ours import training_run
from tests.benchmarks.peers import PEERS, THREADS, missing_peers, peers_of
from tests.benchmarks.prediction import prediction_runs
from tests.benchmarks.processes import reference_run_seconds, start_up_seconds
from tests.benchmarks.refusals import LONGEST_SECONDS, refusal_seconds
from tests.benchmarks.report import Report, installed_versions
from tests.benchmarks.timing import medians

BUSY = 0.5
"""The average number of running processes from which on they are told of."""


def training(report: Report) -> None:
    """One training step, gathering of the batch included."""
    report.table("training step", "specnet µs", "peer", "peer µs", "ours ÷ theirs", "at most (goal)")
    for case in CASES:
        seconds = medians({"specnet": training_run(case)} | {name: PEERS[name](case) for name in peers_of(case)})
        for name in peers_of(case):
            report.compared(case.title, name, seconds["specnet"], seconds[name], case.bounds.get(name), 1e6)


def prediction(report: Report) -> None:
    """One row through the reference network."""
    report.table("prediction", "specnet µs", "peer", "peer µs", "ours ÷ theirs", "at most (goal)")
    seconds = medians(prediction_runs())
    for name, bound in PREDICTION_BOUNDS.items():
        report.compared("2-5-1, one row", name, seconds["specnet"], seconds[name], bound, 1e6)


def processes(report: Report) -> None:
    """Processes from start to exit."""
    report.table("whole process", "specnet s", "peer", "peer s", "ours ÷ theirs", "at most (goal)")
    seconds = reference_run_seconds()
    title = "`specnet run specs/moons.toml`"
    report.compared(title, "tutorial's script", seconds["specnet"], seconds["tutorial"], PROCESS_BOUND, 1)
    report.table("start-up", "s", "under")
    for command, seconds_taken in start_up_seconds().items():
        report.limited(f"`{command}`", seconds_taken, START_UP_SECONDS[command])


def refusals(report: Report) -> None:
    """The slowest refusal of each kind of hostile input."""
    report.table("refused", "slowest, s", "under")
    for kind, (count, slowest) in refusal_seconds().items():
        report.limited(f"{count} {kind}", slowest, LONGEST_SECONDS)


def main() -> int:
    print(f"{installed_versions()}; {os.cpu_count()} CPUs, {THREADS} threads; medians of interleaved rounds.")
    if missing := missing_peers():
        print(
            f"Rows left out: {' and '.join(missing)} (not installed; in the repository: pip install '.[test,peers]')."
        )
    if hasattr(os, "getloadavg") and os.getloadavg()[0] > BUSY:
        print(f"The machine is busy, with a load of {os.getloadavg()[0]:.1f}: these figures are not its best.")
    report = Report()
    with threadpool_limits(THREADS, user_api="blas"):
        training(report)
        prediction(report)
    processes(report)
    refusals(report)
    return report.exit_status()


if __name__ == "__main__":
    sys.exit(main())
