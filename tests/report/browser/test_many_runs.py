"""The pages of folds and seeds, of a sweep, and of a sweep for each fold in a browser."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from specnet.running.reports.folder_pages import page_again
from tests.report.browser.checks import problems
from tests.running.sweeps.made import METRICS, WILD, scores, trial, write_series, write_sweep

pytestmark = pytest.mark.slow  # a browser is a process

FAILURE = f"the loss is nan in epoch 3: {WILD} " * 6


def folds_and_seeds(folder: Path) -> Path:
    runs: list[Any] = [
        (f"seed{seed}_fold{fold}", seed, fold, scores(0.2 + 0.1 * fold, 0.9 + 0.02 * seed))
        for seed in range(3)
        for fold in range(4)
    ]
    return write_series(folder, [*runs, ("seed3_fold0", 3, 0, FAILURE)])


def seeds(folder: Path) -> Path:
    return write_series(folder, [(f"seed{seed}", seed, None, scores(0.2 + 0.1 * seed, 0.9)) for seed in range(3)])


def sweep(folder: Path) -> Path:
    trials = [
        trial(k, None, "pruned", curve={1: 2.0 + k, 4: 1.5})
        if k % 4 == 1
        else trial(k, None, "diverged", message=FAILURE)
        if k % 9 == 2
        else trial(k, 10 ** -(k * 0.618 % 2))
        for k in range(40)
    ]
    return write_sweep(folder, trials)


def nested(folder: Path) -> Path:
    for fold in range(3):
        write_sweep(folder / f"fold{fold}", [trial(k, 1 / (k + 1 + fold)) for k in range(4)])
    statistics = {"mean": 0.875, "std": 0.125, "min": 0.75, "max": 1.0, "runs": 3}
    names = {split: METRICS[split] for split in ("train", "test")}
    (folder / "summary.json").write_text(
        json.dumps({split: dict.fromkeys(figures, statistics) for split, figures in names.items()})
    )
    return folder


@pytest.mark.parametrize("made", [folds_and_seeds, seeds, sweep, nested])
def test_page_is_in_order(chromium: Any, axe: str, tmp_path: Path, made: Callable[[Path], Path]) -> None:
    page = page_again(made(tmp_path / "many"))
    found = problems(chromium, axe, page)
    assert not found, "\n".join(found)
