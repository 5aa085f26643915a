"""Print what is found in runs that go wrong on purpose and in healthy ones: ``python -m tests.findings``."""

from __future__ import annotations

import os
import sys
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from tests.findings.cases import BAD, HEALTHY
from tests.findings.trials import HEALTHY_SEEDS, OTHER_SEEDS, SEEN_SEEDS, Trial, bad_trials, healthy_codes


def main(seeds: list[int]) -> None:
    """Print both tables."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # of each process
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        trials = dict(zip(seeds, pool.map(bad_trials, seeds), strict=True))
        healthy = dict(zip(seeds, pool.map(healthy_codes, seeds), strict=True))
    print_bad(seeds, {seed: [trial for _, trial in found] for seed, found in trials.items()})
    print()
    print_healthy(seeds, healthy)


def print_bad(seeds: list[int], trials: dict[int, list[Trial]]) -> None:
    """Print a row for each run that goes wrong: what is found with each seed, and after how many remedies nothing."""
    print(f"{'cause':62}" + "".join(f"{f'seed {seed}':>36}" for seed in seeds))
    for place, bad in enumerate(BAD):
        cells = [told(bad.code, trials[seed][place]) for seed in seeds]
        print(f"{bad.code + ': ' + bad.cause:62}" + "".join(f"{cell:>36}" for cell in cells))
    for seed in seeds:
        named = sum(bad.code in trial.codes for bad, trial in zip(BAD, trials[seed], strict=True))
        advised = [trial for trial in trials[seed] if trial.after]
        silent = sum(trial.falls_silent for trial in advised)
        print(
            f"seed {seed}: {named} of {len(BAD)} causes named; {silent} of {len(advised)} runs fall silent with "
            f"remedies that are settings"
        )


def told(code: str, trial: Trial) -> str:
    """Return in a few words whether the cause is named, and what the remedies do."""
    named = "named" if code in trial.codes else " ".join(trial.codes) or "nothing"
    if not trial.after:
        return f"{named}, no setting"
    return f"{named}, silent after {len(trial.after)}" if trial.falls_silent else f"{named}, {trial.after[-1][0]}"


def print_healthy(seeds: list[int], healthy: dict[int, dict[str, list[tuple[str, ...]]]]) -> None:
    """Print a row for each healthy data set: the runs of ten in which something is found."""
    print(f"{'healthy':16}" + "".join(f"{f'seed {seed}':>36}" for seed in seeds))
    for name in HEALTHY:
        cells = []
        for seed in seeds:
            counts = Counter(code for codes in healthy[seed][name] for code in codes)
            found = sum(bool(codes) for codes in healthy[seed][name])
            cells.append(f"{found} of {HEALTHY_SEEDS}" + "".join(f" {code}" for code in counts))
        print(f"{name:16}" + "".join(f"{cell:>36}" for cell in cells))
    for seed in seeds:
        runs = [codes for each in healthy[seed].values() for codes in each]
        print(f"seed {seed}: {sum(map(bool, runs))} of {len(runs)} healthy runs have a finding")


if __name__ == "__main__":
    main([int(word) for word in sys.argv[1:]] or [*SEEN_SEEDS, *OTHER_SEEDS])
