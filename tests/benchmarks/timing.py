"""Times of things that are compared, taken in turns: what else the machine does meets them all alike."""

import gc
import statistics
import time
from collections.abc import Callable, Mapping

Run = Callable[[int], int]
"""Do about so many steps, at least one, and say how many were done."""

ROUNDS = 9
ROUND_SECONDS = 0.15
PAUSE_SECONDS = 0.1


def once(action: Callable[[], object]) -> Run:
    """A run that repeats one action without a loop variable's cost mattering."""

    def run(count: int) -> int:
        for _ in range(count):
            action()
        return count

    return run


def seconds_per_step(run: Run, count: int) -> float:
    start = time.perf_counter()
    done = run(count)
    return (time.perf_counter() - start) / done


def medians(runs: Mapping[str, Run], rounds: int = ROUNDS, seconds: float = ROUND_SECONDS) -> dict[str, float]:
    """The median over the rounds of each run's seconds per step.

    Each round times every run once, for about `seconds`. A pause before each lets the threads of the one before go to
    sleep: OpenBLAS's spin for 30 ms after their work, and slow another library's down many times over.
    """
    counts = {name: _steps_within(run, seconds) for name, run in runs.items()}
    times: dict[str, list[float]] = {name: [] for name in runs}
    gc.collect()
    gc.disable()
    try:
        for _ in range(rounds):
            for name, run in runs.items():
                time.sleep(PAUSE_SECONDS)
                times[name].append(seconds_per_step(run, counts[name]))
    finally:
        gc.enable()
    return {name: statistics.median(values) for name, values in times.items()}


def _steps_within(run: Run, seconds: float) -> int:
    """How many steps take about so long: more and more of them are tried, which also warms the run up."""
    time.sleep(PAUSE_SECONDS)
    count = 1
    while True:
        each = seconds_per_step(run, count)
        if each * count > seconds / 4:
            return max(1, round(seconds / each))
        count *= 4
