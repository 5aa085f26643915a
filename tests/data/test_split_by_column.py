"""Splits by a column: whole groups, the latest rows, and rows that say themselves where they belong."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from specnet import DataError, SpecError, parse_spec
from specnet.data import split_rows
from specnet.parts.data import Split, Table
from tests.data.splits import assert_parts, table
from tests.made import data_of
from tests.running.specs import spec_on
from tests.texts.pinned import Pinned, Refused


def by(column):
    return table(np.zeros(len(column)), "values", column)


GROUPS = np.random.default_rng(0).integers(0, 30, 200)


@pytest.mark.parametrize("seed", range(5))
def test_groups_stay_whole_and_the_last_one_reaches_the_size(seed: int):
    split = Split(group="patient", test_size=0.2, validation_size=0.15)
    parts = split_rows(by(GROUPS), split, seed=seed).parts()
    assert sorted(np.concatenate(list(parts.values()))) == list(range(200))
    found = {name: set(GROUPS[rows]) for name, rows in parts.items()}
    assert sum(map(len, found.values())) == len(set(GROUPS))
    largest = np.bincount(GROUPS).max()
    assert 40 <= len(parts["test"]) < 40 + largest
    assert 30 <= len(parts["validation"]) < 30 + largest
    for rows in parts.values():
        assert (np.diff(rows) > 0).all(), "rows keep their order"
    again = split_rows(by(GROUPS), split, seed=seed).parts()
    assert all(np.array_equal(again[name], rows) for name, rows in parts.items())


def test_groups_are_drawn_by_the_random_state_and_test_rows_do_not_depend_on_validation():
    drawn = [Split(group="g", test_size=0.2, random_state=state) for state in range(8)]
    assert len({tuple(split_rows(by(GROUPS), split, 0).test) for split in drawn}) > 1
    alone = split_rows(by(GROUPS), Split(group="g", test_size=0.2), 0)
    both = split_rows(by(GROUPS), Split(group="g", test_size=0.2, validation_size=0.2), 0)
    np.testing.assert_array_equal(alone.test, both.test)


def test_the_latest_rows_are_for_testing_and_equal_times_stay_together():
    times = np.array([5.0, 1, 3, 2, 5, 4, 5, 0, 2, 2])
    split = split_rows(by(times), Split(time="day", test_size=0.2, validation_size=0.2), seed=0)
    assert set(times[split.test]) == {5}
    assert len(split.test) == 3
    assert set(times[split.validation]) == {3, 4}
    assert set(times[split.train]) == {0, 1, 2}


def test_a_column_says_where_rows_belong():
    words = np.array(["test", "train", "train", "validation", "test"])
    assert_parts(split_rows(by(words), Split(column="set"), seed=0), train=[1, 2], validation=[3], test=[0, 4])


NINE = np.arange(9)
LEFT: list[tuple[Any, list[tuple[dict[str, Any], str]]]] = [
    (np.zeros(9), [({"group": "g"}, "test_size"), ({"time": "t"}, "test_size")]),
    (NINE // 7, [({"group": "g", "validation_size": 0.5}, "validation_size")]),
    (NINE // 3, [({"time": "t", "validation_size": 0.6}, "validation_size")]),
    (np.array(["test"] * 3), [({"column": "set"}, "column")]),
    (np.array(["validation"] * 3), [({"test": "test.csv"}, "test")]),
    (None, [({"group": "g"}, "group"), ({"group": "g", "folds": 2, "fold": 0}, "group"), ({"time": "t"}, "time")]),
    (None, [({"column": "set"}, "column"), ({"validation": "rows.csv"}, "validation")]),
]


def test_a_split_that_leaves_nothing_or_has_nothing_to_go_by_is_refused(refused: Refused):
    for column, splits in LEFT:
        for split, key in splits:
            rows = Table(np.zeros((9, 1)), np.zeros(9), "values", split_by=column)
            with refused(DataError, code="split", at=f"data.split.{key}"):
                split_rows(rows, Split(**split), seed=0)


@pytest.mark.parametrize(("file", "other"), [("test", "validation"), ("validation", "test")])
def test_rows_of_a_set_are_drawn_beside_a_file_with_those_of_the_other(file: str, other: str):
    words, labels = np.array([file] * 30 + ["train"] * 80), np.arange(110) % 4 == 0
    rows = Table(np.zeros((110, 1)), labels, "classes", split_by=words)
    split = Split(**{file: "rows.csv", f"{other}_size": 0.15})
    parts = split_rows(rows, split, seed=3).parts()
    assert parts[file].tolist() == list(range(30))
    assert len(parts[other]) == 12
    assert sorted([*parts["train"], *parts[other]]) == list(range(30, 110))
    assert labels[parts[other]].sum() == 3, "classes keep their proportions"
    assert split_rows(rows, Split(**{file: "rows.csv"}), seed=3).parts().keys() == {"train", file}
    expected = split_rows(table(labels[30:], "classes"), Split(test_size=0.15), seed=3).test
    np.testing.assert_array_equal(parts[other] - 30, expected)


ROWS = "".join(
    f"{row % 7},p{row % 9},2024-01-{row % 28 + 1:02d},{row % 2 == 0},{row * 37 % 11},{row * 31 % 17}\n"
    for row in range(60)
)


def read(folder: Path, split: dict[str, str], columns: dict[str, Any] | None = None, **fields: Any) -> Any:
    (folder / "rows.csv").write_text(f"number,text,a day,flag,x,y\n{ROWS}")
    data = {"type": "csv", "path": str(folder / "rows.csv"), "target": "y", "split": split, "columns": columns or {}}
    return data_of(spec_on({**data, **fields}, loss="mse"))


@pytest.mark.parametrize(
    ("name", "kind"),
    [("number", "numeric"), ("number", "category"), ("flag", "boolean"), ("a day", "datetime"), ("text", "category")],
)
def test_groups_are_equal_values_of_any_kind(tmp_path: Path, name: str, kind: str):
    data = read(tmp_path, {"group": name}, {name: kind}, features=["x"])
    place = ["number", "text", "a day", "flag"].index(name)
    values = np.array([line.split(",")[place] for line in ROWS.splitlines()])
    train, test = (set(values[data.splits[part].chosen]) for part in ("train", "test"))
    assert not train & test
    assert train | test == set(values)


@pytest.mark.parametrize(
    ("split", "columns", "code", "at"),
    [
        ({"column": "number"}, {"number": "numeric"}, "column-kind", "data.columns.number"),
        ({"time": "a day"}, {"a day": "category"}, "column-kind", "data.columns.a day"),
        ({"time": "flag"}, {}, "split", "data.split.time"),
        ({"group": "numbers"}, {}, "unknown-column", "data.split.group"),
        ({"time": "numbers"}, {}, "unknown-column", "data.split.time"),
        ({"column": "numbers"}, {}, "unknown-column", "data.split.column"),
    ],
)
def test_a_column_that_a_split_cannot_go_by(tmp_path: Path, split, columns, code: str, at: str, refused: Refused):
    with refused(SpecError if columns else DataError, code=code, at=at):
        read(tmp_path, split, columns)


def test_weights_are_numbers(tmp_path: Path, refused: Refused):
    for name, kind in (("x", "category"), ("a day", "datetime")):
        with refused(SpecError, code="column-kind", at=f"data.columns.{name}"):
            read(tmp_path, {}, {name: kind}, sample_weight=name)
    with refused(DataError, code="unknown-column", at="data.sample_weight"):
        read(tmp_path, {}, {}, sample_weight="w")


@pytest.mark.parametrize(
    ("test", "code"),
    [
        ("number,flag,a day,text,x,z\n", "unknown-column"),
        ("number,flag,a day,x,y\n1,true,2024-01-01,1,1\n", "unknown-column"),
        (None, "no-file"),
    ],
)
def test_a_file_of_test_rows_is_to_blame_where_it_lacks_something(tmp_path: Path, test, code: str, refused: Refused):
    (tmp_path / "test.csv").write_text(test or "")
    path = str(tmp_path / "test.csv") if test else "https://example.com/test.csv"
    with refused(DataError, code=code, at="data.split.test"):
        read(tmp_path, {"test": path})


@pytest.mark.parametrize(
    ("column", "cells", "code"),
    [
        ("weight", ["1", "", "-2"], "missing-cell"),
        ("weight", ["1", "0.5", "-2"], "sample-weight"),
        ("time", ["2024-01-31", "", "2024-02-29"], "missing-cell"),
        ("column", ["train", "test", "tset"], "split"),
        ("column", ["train", "", "test"], "split"),
    ],
)
def test_a_cell_without_sense_is_found_at_its_line(tmp_path: Path, column: str, cells, code: str, refused: Refused):
    """Also where rows before it are left out."""
    good = cells[0]
    rows = [f"1,{good},", f"2,{good},", *(f"{index},{cell},{index % 2}" for index, cell in enumerate(cells * 9))]
    (tmp_path / "rows.csv").write_text("a,by,y\n" + "\n".join(rows) + "\n")
    role = {"sample_weight": "by"} if column == "weight" else {"split": {column: "by"}}
    data = {"type": "csv", "path": str(tmp_path / "rows.csv"), "target": "y", "missing_target": "drop", **role}
    line = next(index for index, cell in enumerate(cells) if cell in ("", "-2", "tset")) + 4
    with refused(DataError, code=code, at=f"rows.csv:{line}:3"):
        data_of(spec_on(data, loss="mse"))


def test_a_time_that_the_split_goes_by_is_no_feature_which_is_told_of(tmp_path: Path, pinned: Pinned, refused: Refused):
    split, features = {"time": "a day"}, ["x", "number", "a day"]
    data = read(tmp_path, split)
    assert "a day" not in (data.resolved.spec.feature_names or ())
    told = [str(each) for each in data.warnings if '"a day"' in each.message]
    assert len(told) == 1
    pinned(told[0])
    with_time = read(tmp_path, split, features=features)
    assert with_time.resolved.spec.feature_names == tuple(features)
    assert not with_time.warnings
    columns = dict.fromkeys(("number", "text", "flag", "x"), "ignore")
    with refused(DataError, code="no-features", at="data.split.time"):
        read(tmp_path, split, columns)
    assert read(tmp_path, split, columns, features=["a day"]).resolved.spec.feature_names == ("a day",)


def test_a_run_validates_on_rows_beside_a_test_file(tmp_path: Path):
    (tmp_path / "test.csv").write_text(f"number,text,a day,flag,x,y\n{ROWS}")
    data = read(tmp_path, {"test": str(tmp_path / "test.csv"), "validation_size": 0.15}, {"text": "ignore"})
    assert {name: len(rows) for name, rows in data.splits.items()} == {"train": 51, "validation": 9, "test": 60}
    assert parse_spec(data.resolved.spec.to_json()).data == data.resolved.spec.data
