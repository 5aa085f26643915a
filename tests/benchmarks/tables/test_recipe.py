"""The recipe's benchmark compares the same folds, and judges their differences."""

import numpy as np
import pytest

from specnet import SpecClassifier
from specnet.compiler.thread_limits import limited_threads
from tests.benchmarks.report import Report
from tests.benchmarks.tables.recipe import (
    BETTER_THAN_MLP,
    MLP,
    OURS,
    TABLES,
    VALUES,
    Fold,
    Outcome,
    judge,
    outcomes,
    paired,
)


def test_differences_are_paired_by_fold():
    gain, error = paired([0.9, 0.8, 1.0], [0.8, 0.8, 0.8])
    assert gain == pytest.approx(0.1)
    assert error == pytest.approx(0.1 / np.sqrt(3))


@pytest.mark.parametrize(
    ("gains", "table", "missed"),
    [
        ([0.2, 0.1, 0.15], "iris", 0),
        ([0.2, -0.1, 0.0], "iris", 1),
        ([0.2, -0.1, 0.0], "wine", 0),
        ([-0.2, -0.1, -0.15], "wine", 1),
        ([-0.2, -0.1, -0.15], "iris", 2),
    ],
)
def test_what_the_recipe_must_reach(gains, table, missed, capsys):
    report = Report()
    folds = [{OURS: Outcome(0.8 + gain, 0.1, 1.0), MLP: Outcome(0.8, 0.2, 0.5)} for gain in gains]
    judge(report, table, folds)
    assert len(report.missed) == missed
    assert f"| {table} | {MLP} | 0.8000 | {np.mean(gains):+.4f} ± " in capsys.readouterr().out
    assert {*BETTER_THAN_MLP, *VALUES} <= {*TABLES}


@pytest.mark.slow
def test_all_models_are_judged_on_the_rows_that_none_has_seen(monkeypatch):
    training = {"loss": "categorical_crossentropy", "epochs": 50, "optimizer": {"type": "adam", "learning_rate": 0.01}}
    small = {"network": {"hidden_layer_sizes": [8], "preprocessing": ["standardize"]}, "training": training}
    monkeypatch.setattr(
        "tests.benchmarks.tables.recipe.SpecClassifier", lambda said, **seed: SpecClassifier(small, **seed)
    )
    folds = [Fold("iris", 11, number) for number in range(10)]
    assert sorted(row for fold in folds for row in fold.rows()[3]) == list(range(150))
    with limited_threads(1):
        found = outcomes(folds[0])
    assert found.keys() == {OURS, MLP, "boosting", "linear"}
    assert all(outcome.score > 0.7 and outcome.log_loss < 2 for outcome in found.values())
