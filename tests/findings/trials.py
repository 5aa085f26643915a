"""Runs of the cases: what is found in them, and whether the remedies that findings print make them fall silent."""

from __future__ import annotations

import tempfile
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

import specnet
from specnet.errors import NotFiniteError
from specnet.findings.finding import Finding, read_finding
from tests.findings import rows

_CASES = tomllib.loads(Path(__file__).with_name("cases.toml").read_text("utf-8"))
BAD = [(code, cause, case) for code, cases in _CASES["bad"].items() for cause, case in cases.items()]
"""Runs that go wrong on purpose: the finding that names the cause, the cause in words, and the case."""
HEALTHY: dict[str, dict[str, Any]] = _CASES["healthy"]
TRIALS = 3
"""How many times the remedy of a finding is applied."""
SEEN_SEEDS, OTHER_SEEDS = (0, 1, 2), (101, 102, 103)
"""Those that the cases were written on, and those that were tried once, when all was done."""
HEALTHY_SEEDS = 10
"""Runs of each healthy case, from each seed."""

Trial = list[tuple[str, ...]]
"""Codes of what was found in a run, and of what remained after each remedy."""
Effects = dict[str, list[float]]
"""By the code of a finding, the loss of test rows after its remedy, as a multiple of that before, in each run."""


def spec_of(case: dict[str, Any], seed: int, folder: Path) -> dict[str, Any]:
    """Write the rows of a case to a folder, and return its spec."""
    X, y, loss = getattr(rows, case["rows"])(seed)
    split = {"test_size": 0.2, "validation_size": 0.2, "stratify": loss != rows.VALUES}
    if "is_table" in case:
        data = {"type": "csv", "path": f"{folder}/rows.csv", "target": "y"}
        header = ",".join([*(f"x{place}" for place in range(X.shape[1])), "y"])
        cells = np.column_stack([X, y])
        np.savetxt(data["path"], cells, delimiter=",", header=header, comments="", fmt="%.17g")
    else:
        data = {"type": "npz", "path": f"{folder}/rows.npz"}
        np.savez(data["path"], X=X, y=y)
    training = {"loss": loss, "engine": "numpy", **case["training"]}
    return {"seed": seed, "data": {**data, "split": split}, "network": case["network"], "training": training}


def run(case: dict[str, Any], seed: int, settings: Sequence[str] = ()) -> tuple[tuple[Finding, ...], float | None]:
    """Return the findings and the test loss of a run; if its loss is not finite, the cause that its error names."""
    with tempfile.TemporaryDirectory() as folder:
        spec = spec_of(case, seed, Path(folder))
        try:
            result = specnet.run(spec, overrides=settings, observer=specnet.Observer())
            return result.findings, result.metrics["test"]["loss"]
        except NotFiniteError as error:
            return tuple(map(read_finding, error.findings)), None


def tried(case: dict[str, Any], seed: int, effects: Effects) -> Trial:
    """Run a case, apply the remedy of its first finding, and again of what remains, up to three times.

    The effect of each remedy is added to `effects`.
    """
    (found, loss), settings = run(case, seed), list[str]()
    codes = [tuple(each.code for each in found)]
    while len(codes) <= TRIALS and (advised := next((each for each in found if each.changes), None)):
        settings += advised.settings
        before = loss
        found, loss = run(case, seed, settings)
        if before is not None and loss is not None:
            effects.setdefault(advised.code, []).append(loss / before)
        codes.append(tuple(each.code for each in found))
    return codes


def bad_trials(seed: int) -> tuple[list[Trial], Effects]:
    """Try all cases that go wrong."""
    effects: Effects = {}
    return [tried(case, seed, effects) for _, _, case in BAD], effects


def falls_silent(trial: Trial) -> bool:
    """Return whether remedies that are settings leave nothing to be found."""
    return len(trial) > 1 and not trial[-1]


def healthy_codes(seed: int, runs: int = HEALTHY_SEEDS) -> dict[str, Trial]:
    """Return what is found in so many runs of each healthy case."""
    return {
        name: [tuple(each.code for each in run(case, HEALTHY_SEEDS * seed + number)[0]) for number in range(runs)]
        for name, case in HEALTHY.items()
    }
