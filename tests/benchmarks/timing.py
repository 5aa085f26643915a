"""Times of things that are compared, taken in turns: what else the machine does meets them all alike."""

import gc
import random
import statistics
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

Run = Callable[[int], int]
"""Do about so many steps, at least one, and say how many were done."""

ROUNDS = 9
ROUND_SECONDS = 0.15
PAUSE_SECONDS = 0.1


class Seconds(NamedTuple):
    """Of a step: by the wall's clock, and of all CPUs, which leaves out being interrupted by other processes."""

    wall: float
    cpu: float


def once(action: Callable[[], object]) -> Run:
    """A run that repeats one action without a loop variable's cost mattering."""

    def run(count: int) -> int:
        for _ in range(count):
            action()
        return count

    return run


def medians(runs: Mapping[str, Run], rounds: int = ROUNDS, seconds: float = ROUND_SECONDS) -> dict[str, float]:
    """The median over the rounds of each run's seconds per step, as `measured` finds them."""
    return {name: found.wall for name, found in measured(runs, rounds, seconds).items()}


def measured(
    runs: Mapping[str, Run],
    rounds: int = ROUNDS,
    seconds: float = ROUND_SECONDS,
    cpu_clock: Callable[[], float] = time.process_time,
    pause: float = PAUSE_SECONDS,
) -> dict[str, Seconds]:
    """The medians over the rounds of each run's seconds per step.

    Each round times every run once, for about `seconds`, in a random order: in a fixed one, each would always meet what
    the same other one leaves behind. A pause before each lets the threads of the one before go to sleep: OpenBLAS's
    spin for 30 ms after their work, and slow another library's down many times over.
    """
    counts = {name: _steps_within(run, seconds, pause) for name, run in runs.items()}
    wall: dict[str, list[float]] = {name: [] for name in runs}
    cpu: dict[str, list[float]] = {name: [] for name in runs}
    gc.collect()
    gc.disable()
    try:
        for _ in range(rounds):
            for name in random.sample(list(runs), len(runs)):
                time.sleep(pause)
                start, cpu_start = time.perf_counter(), cpu_clock()
                done = runs[name](counts[name])
                wall[name].append((time.perf_counter() - start) / done)
                cpu[name].append((cpu_clock() - cpu_start) / done)
    finally:
        gc.enable()
    return {name: Seconds(statistics.median(wall[name]), statistics.median(cpu[name])) for name in runs}


def _steps_within(run: Run, seconds: float, pause: float) -> int:
    """How many steps take about so long: more and more of them are tried, which also warms the run up."""
    time.sleep(pause)
    count = 1
    while True:
        start = time.perf_counter()
        done = run(count)
        each = (time.perf_counter() - start) / done
        if each * count > seconds / 4:
            return max(1, round(seconds / each))
        count *= 4
