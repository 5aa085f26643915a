"""Print what is found in runs that go wrong on purpose and in healthy ones: ``python -m tests.findings``."""

from __future__ import annotations

import os
import sys
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np

from tests.findings import trials
from tests.findings.trials import BAD, HEALTHY, HEALTHY_SEEDS, Trial


def main(seeds: list[int]) -> None:
    """Print a row for each run that goes wrong and for each healthy data set, with what is found with each seed."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # of each process
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        tried = dict(zip(seeds, pool.map(trials.bad_trials, seeds), strict=True))
        healthy = dict(zip(seeds, pool.map(trials.healthy_codes, seeds), strict=True))
    bad = {seed: found for seed, (found, _) in tried.items()}
    row("cause", 62, [f"seed {seed}" for seed in seeds])
    for place, (code, cause, _) in enumerate(BAD):
        row(f"{code}: {cause}", 62, [told(code, bad[seed][place]) for seed in seeds])
    for seed in seeds:
        named = sum(code in trial[0] for (code, _, _), trial in zip(BAD, bad[seed], strict=True))
        advised = [trial for trial in bad[seed] if len(trial) > 1]
        silent = f"{sum(map(trials.falls_silent, advised))} of {len(advised)} runs fall silent"
        print(f"seed {seed}: {named} of {len(BAD)} causes named; {silent} with remedies that are settings")
    for code in dict.fromkeys(code for code, _, _ in BAD):
        ratios = np.array([ratio for _, effects in tried.values() for ratio in effects.get(code, ())])
        if ratios.size:
            lower = f"{np.sum(ratios < 1)} of {len(ratios)} remedies lower the test loss"
            print(f"{code}: {lower}, by {100 - 100 * np.median(ratios):.0f} % in the median")
    print()
    row("healthy", 16, [f"seed {seed}" for seed in seeds])
    for name in HEALTHY:
        row(name, 16, [" ".join([found_in(runs := healthy[seed][name]), *codes_in(runs)]) for seed in seeds])
    for seed in seeds:
        runs = [codes for each in healthy[seed].values() for codes in each]
        print(f"seed {seed}: {sum(map(bool, runs))} of {len(runs)} healthy runs have a finding")


def row(name: str, width: int, cells: list[str]) -> None:
    print(f"{name:{width}}" + "".join(f"{cell:>36}" for cell in cells))


def told(code: str, trial: Trial) -> str:
    """Return in a few words whether the cause is named, and what the remedies do."""
    first, *after = trial
    named = "named" if code in first else " ".join(first) or "nothing"
    if not after:
        return f"{named}, no setting"
    return f"{named}, {after[-1][0] if after[-1] else f'silent after {len(after)}'}"


def found_in(runs: Trial) -> str:
    return f"{sum(map(bool, runs))} of {HEALTHY_SEEDS}"


def codes_in(runs: Trial) -> Counter[str]:
    return Counter(code for codes in runs for code in codes)


if __name__ == "__main__":
    main([int(word) for word in sys.argv[1:]] or [*trials.SEEN_SEEDS, *trials.OTHER_SEEDS])
