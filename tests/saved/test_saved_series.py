"""The folder of several runs: each is known by the seed and the fold in its name."""

from pathlib import Path

import pytest

from specnet.run_files import seed_and_fold
from specnet.saved.saved_series import SavedSeries
from tests.running.sweeps.made import METRICS, trial, write_summary, write_sweep


def test_sweeps_have_the_folds_of_their_names_whichever_are_missing(tmp_path: Path) -> None:
    for fold in (10, 1, 3):
        write_sweep(tmp_path / f"fold{fold}", [trial(0, 0.5)])
    write_summary(tmp_path, [METRICS] * 3)
    assert [(run.name, run.seed, run.fold) for run in SavedSeries(tmp_path).shown] == [
        ("fold1", None, 1),
        ("fold3", None, 3),
        ("fold10", None, 10),
    ]


@pytest.mark.parametrize(
    ("name", "numbers"),
    [
        ("seed3", (3, None)),
        ("fold12", (None, 12)),
        ("seed3_fold12", (3, 12)),
        *((name, None) for name in ("", "_", "_fold1", "seed3_", "seed3fold1", "fold1_seed3", "seed", "fold1.bak")),
    ],
)
def test_names_of_folders_have_seed_and_fold(name: str, numbers: tuple[int | None, int | None] | None) -> None:
    assert seed_and_fold(name) == numbers
