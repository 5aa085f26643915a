"""The files of folders of many runs: of folds and seeds, and of sweeps."""

from __future__ import annotations

import os

RUNS_TABLE = "runs.csv"
SUMMARY = "summary.json"
"""What runs on folds and with seeds, or the best ones of a nested sweep, come to."""

SWEEPS = "sweeps"
"""The folder in which sweeps are filed."""
SWEEP_FACTS = "sweep.json"
TRIALS = "trials"
TRIALS_TABLE = "trials.csv"
BEST_SPECS = ("best.toml", "best.json")
"""The spec of the best trial; a sweep has one of them."""
BEST = "best"
TEAM = "team"
TEAM_FACTS = "team.json"
"""Which trials are in the team of a sweep."""
JOURNAL = "study.journal"


def is_series(folder: str | os.PathLike[str]) -> bool:
    """Return whether a folder holds runs on folds or with seeds, or a sweep for each fold."""
    return os.path.isfile(os.path.join(folder, SUMMARY))


def is_sweep(folder: str | os.PathLike[str]) -> bool:
    """Return whether a folder is that of a sweep."""
    return os.path.isfile(os.path.join(folder, SWEEP_FACTS))


def holds_trials(folder: str | os.PathLike[str]) -> bool:
    """Return whether a folder is the one in which a sweep keeps its trials, which are no runs to go on with."""
    before, name = os.path.split(os.path.abspath(folder))
    return name == TRIALS and is_sweep(before)
