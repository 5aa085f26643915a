"""The pages of folds and seeds, of a sweep, of a sweep for each fold, and of compared runs in a browser."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import pytest

import specnet
from tests.running.sweeps.made import METRICS, WILD, scores, trial, write_series, write_sweep
from tests.running.sweeps.searches import MEMBERS, TPE
from tests.texts.calling import called

pytestmark = pytest.mark.slow  # a browser is a process

LINEAR = {"linear": scores(0.3, 0.95)}
FAILURE = f"the loss is nan in epoch 3: {WILD} " * 6


def folds_and_seeds(folder: Path) -> Path:
    runs: list[Any] = [
        (f"seed{seed}_fold{fold}", seed, fold, {**scores(0.2 + 0.1 * fold, 0.9 + 0.02 * seed), "baselines": LINEAR})
        for seed, fold in product(range(3), range(4))
    ]
    return write_series(folder, [*runs, ("seed3_fold0", 3, 0, FAILURE)])


def seeds(folder: Path) -> Path:
    return write_series(folder, [(f"seed{seed}", seed, None, scores(0.2 + 0.1 * seed, 0.9)) for seed in range(3)])


def sweep(folder: Path) -> Path:
    trials = [trial(k, 10 ** -(k * 0.618 % 2)) for k in range(40)]
    trials[2::9] = [trial(k, None, "diverged", message=FAILURE) for k in range(2, 40, 9)]
    trials[1::4] = [trial(k, None, "pruned", curve={1: 2.0 + k, 4: 1.5}) for k in range(1, 40, 4)]
    return write_sweep(folder, trials)


def nested(folder: Path) -> Path:
    for fold in range(3):
        write_sweep(folder / f"fold{fold}", [trial(k, 1 / (k + 1 + fold)) for k in range(4)])
    statistics = {"mean": 0.875, "std": 0.125, "min": 0.75, "max": 1.0, "runs": 3}
    summary = {split: dict.fromkeys(METRICS[split], statistics) for split in ("train", "test")}
    (folder / "summary.json").write_text(json.dumps(summary))
    return folder


@pytest.mark.trains
@pytest.mark.parametrize(("spec", "trials"), [(TPE, 1), (MEMBERS, 3)])
def test_page_of_a_team_is_in_order(faults: Callable[..., list[str]], tmp_path: Path, spec: str, trials: int) -> None:
    overrides = ["training.epochs=2"]
    specnet.sweep(spec, tmp_path / "sweep", jobs=1, trials=trials, overrides=overrides, observer=specnet.Observer())
    assert not faults(tmp_path / "sweep/team/report.html")


@pytest.mark.parametrize("made", [folds_and_seeds, seeds, sweep, nested])
def test_page_is_in_order(faults: Callable[..., list[str]], tmp_path: Path, made: Callable[[Path], Path]) -> None:
    called("report", made(tmp_path / "many")).ok()
    (page,) = (tmp_path / "many").glob("*.html")
    assert not faults(page)


def test_page_of_runs_is_in_order(faults: Callable[..., list[str]], report: Callable[[str], Path], tmp_path: Path):
    """Runs of unlike specs, one of them twice, with names that are long or look like markup."""
    folders = [report(name).parent for name in ("moons.toml", "digits.toml", "iris.json", "moons.toml")]
    names = "short", "x" * 200, WILD, "a name with blanks " * 5
    for name, folder in zip(names, folders, strict=True):
        (tmp_path / name).symlink_to(folder, target_is_directory=True)
    for command in (["compare", *map(str, sorted(tmp_path.iterdir()))], ["runs", "--html", str(tmp_path)]):
        called(*command, "--out", tmp_path / "page.html", "--force").ok()
        assert not faults(tmp_path / "page.html")
