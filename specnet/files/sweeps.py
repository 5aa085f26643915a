"""The files of a sweep's folder."""

from __future__ import annotations

SWEEPS = "sweeps"
"""The folder in which sweeps are filed."""
SWEEP_FACTS = "sweep.json"
TRIALS = "trials"
TRIALS_TABLE = "trials.csv"
BEST_SPECS = ("best.toml", "best.json")
"""The spec of the best trial; a sweep has one of them."""
BEST = "best"
JOURNAL = "study.journal"
