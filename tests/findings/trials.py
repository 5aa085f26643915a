"""Runs of the cases: what is found in them, and whether the remedies that findings print make them fall silent."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import specnet
from specnet.errors import NotFiniteError
from specnet.findings import Finding
from specnet.findings.finding import read_finding
from tests.findings.cases import BAD, HEALTHY, BadCase, Case
from tests.findings.rows import Rows

TRIALS = 3
"""How many times the remedy of a finding is applied."""
SEEN_SEEDS, OTHER_SEEDS = (0, 1, 2), (101, 102, 103)
"""Those that the cases were written on, and those that were looked at once, when all was done."""
HEALTHY_SEEDS = 10
"""Runs of each healthy case, from each seed."""


class Quiet(specnet.Observer):
    """Hears of nothing, so that suspicious rows are no warnings."""


@dataclass(frozen=True)
class Trial:
    """What was found in a run, and what remains after each remedy."""

    codes: tuple[str, ...]
    after: tuple[tuple[str, ...], ...] = ()

    @property
    def falls_silent(self) -> bool:
        return bool(self.after) and not self.after[-1]


def run(case: Case, seed: int, settings: Sequence[str] = ()) -> tuple[Finding, ...]:
    """Return the findings of a run; of one whose loss is no longer finite, the cause that its error names."""
    rows = case.source(seed)
    classes = rows[2] != "mean_squared_error"
    with tempfile.TemporaryDirectory() as folder:
        split = {"test_size": 0.2, "validation_size": 0.2, "stratify": classes}
        spec = {
            "seed": seed,
            "data": {**written(Path(folder), rows, is_table=case.is_table), "split": split},
            "network": case.network,
            "training": {"loss": rows[2], "engine": "numpy", **case.training},
        }
        try:
            return specnet.run(spec, overrides=settings, observer=Quiet()).findings
        except NotFiniteError as error:
            return tuple(map(read_finding, error.findings))


def written(folder: Path, rows: Rows, *, is_table: bool) -> dict[str, str]:
    """Write rows into a folder, and return what a spec says of them."""
    X, y, _ = rows
    if not is_table:
        np.savez(folder / "rows.npz", X=X, y=y)
        return {"type": "npz", "path": str(folder / "rows.npz")}
    header = ",".join([*(f"x{place}" for place in range(X.shape[1])), "y"])
    np.savetxt(folder / "rows.csv", np.column_stack([X, y]), delimiter=",", header=header, comments="", fmt="%.17g")
    return {"type": "csv", "path": str(folder / "rows.csv"), "target": "y"}


def tried(bad: BadCase, seed: int) -> Trial:
    """Run a case, apply the remedy of its first finding, and again of what remains, up to three times."""
    found = run(bad.case, seed)
    codes, after, settings = tuple(each.code for each in found), [], []
    while found and len(after) < TRIALS:
        advised = next((each for each in found if each.changes), None)
        if advised is None:
            break
        settings += advised.settings
        found = run(bad.case, seed, settings)
        after.append(tuple(each.code for each in found))
    return Trial(codes, tuple(after))


def bad_trials(seed: int) -> list[tuple[BadCase, Trial]]:
    """Try all cases that go wrong."""
    return [(bad, tried(bad, seed)) for bad in BAD]


def healthy_codes(seed: int, runs: int = HEALTHY_SEEDS) -> dict[str, list[tuple[str, ...]]]:
    """Return what is found in so many runs of each healthy case."""
    return {
        name: [tuple(each.code for each in run(case, HEALTHY_SEEDS * seed + number)) for number in range(runs)]
        for name, case in HEALTHY.items()
    }
