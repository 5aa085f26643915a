"""The order in which runs are listed: only those that were tested on the same rows are ranked."""

from typing import Any

from specnet.report.terminal.ranked_runs import ranked
from specnet.saved.saved_folder import SavedFolder

TABLE = {"target": "y", "data": "t.csv", "source": "/t.csv", "rows": 20, "test_size": 0.2}


def record(name: str, score: float | None, tested_on: dict[str, Any] = TABLE, **given: Any) -> SavedFolder:
    found = SavedFolder(name, name)
    for key, value in {"state": "finished", "tested_on": tested_on, "loss": "mse", **given}.items():
        setattr(found, key, value)
    found.metrics = {"test": {given.get("metric", "r2"): score, "loss": 1.0}}
    return found


def shown(*records: SavedFolder) -> list[tuple[str, str, list[str]]]:
    return [(table.title, table.ranked_by, [run.name for run in table.records]) for table in ranked(records)]


def test_unfinished_runs_have_a_table_and_the_others_one_for_each_target_and_split() -> None:
    folds = {**TABLE, "rows": None, "test_size": 0.0, "folds": 5}
    others = {**TABLE, "target": "z"}
    found = shown(
        record("a", 0.5),
        record("five", 0.4, folds),
        record("z", 0.9, others),
        record("b", 0.75),
        record("gone", 0.99, state="interrupted"),
        record("none", None),
        record("old", 0.9, {}),
    )
    assert found == [
        ("Not finished", "", ["gone"]),
        ("y of t.csv, 20 % test rows", "test r2", ["b", "a", "none"]),
        ("y of t.csv, 5 folds", "", ["five"]),
        ("z of t.csv", "", ["z"]),
        ("Other runs", "", ["old"]),
    ]


def test_folds_are_tested_on_different_rows_and_stay_in_their_order() -> None:
    of_folds = [record(f"fold{fold}", fold / 4, {**TABLE, "folds": 3, "fold": fold}) for fold in range(3)]
    assert shown(*of_folds) == [("y of t.csv", "", ["fold0", "fold1", "fold2"])]


def test_smaller_errors_are_better_and_losses_are_ranked_by_function() -> None:
    error = "root_mean_squared_error"
    assert shown(record("a", 2.0, metric=error), record("b", 1.0, metric=error))[0][2] == ["b", "a"]
    found = [record(name, 0.0, loss=loss) for name, loss in (("a", "mse"), ("b", "mae"), ("c", "mse"))]
    for each, value in zip(found, (3.0, 1.0, 2.0), strict=True):
        each.metrics = {"test": {"loss": value}}
    assert [(by, names) for _, by, names in shown(*found)] == [("test loss", ["c", "a"]), ("", ["b"])]
