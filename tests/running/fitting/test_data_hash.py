"""The hash of the data: no cell that changes what is computed can change without it."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import specnet
from specnet import FileError
from specnet.parts.data import Column, Table
from specnet.running.data_rows import data_hash
from tests.made import data_of
from tests.running.moons import contents, interrupt
from tests.running.specs import csv_file, spec_on
from tests.texts.pinned import Refused

pytestmark = [pytest.mark.slow, pytest.mark.trains]

Rows = list[dict[str, str]]
ROLES = {
    "number": ("b", "0.5"),
    "category": ("city", "Lima"),
    "missing cell": ("b", ""),
    "target": ("y", "17"),
    "weight": ("w", "3"),
    "group": ("patient", "p0"),
    "time": ("day", "2030-01-01"),
    "column": ("set", "test"),
}
SPLITS: dict[str, dict[str, Any]] = {
    "group": {"group": "patient"},
    "time": {"time": "day"},
    "column": {"column": "set"},
}


def rows_of(count: int = 60) -> Rows:
    return [
        {
            "a": str(row % 7),
            "b": f"{(row * 37 % 60) / 8}",
            "city": ("Oslo", "Rome", "Lima")[row % 3],
            "y": f"{row * row % 11}",
            "w": str(1 + row % 2),
            "patient": f"p{row // 5}",
            "day": f"2024-{1 + row // 28:02}-{1 + row % 28:02}",
            "set": "test" if row % 4 == 3 else "train",
            "note": f"number {row}",
        }
        for row in range(count)
    ]


def written(path: Path, rows: Rows) -> Path:
    csv_file(path, ",".join(rows[0]), (row.values() for row in rows))
    return path


def hashed(path: Path, split: dict[str, Any]) -> dict[str, Any]:
    columns = {"city": "category", "note": "ignore", "patient": "ignore", "day": "ignore", "set": "ignore"}
    for name in split.values():
        columns.pop(name, None)
    data = {"type": "csv", "path": str(path), "target": "y", "features": ["a", "b", "city"], "columns": columns}
    return {"name": "hashed", **spec_on({**data, "sample_weight": "w", "split": split}, loss="mse", epochs=3)}


def hash_of(path: Path, split: dict[str, Any]) -> str:
    return data_hash(data_of(hashed(path, split)).table)


@pytest.mark.parametrize("role", ROLES)
def test_one_cell_of_each_role_changes_it(tmp_path: Path, role: str):
    column, cell = ROLES[role]
    split = SPLITS.get(role, {})
    before = hash_of(written(tmp_path / "rows.csv", rows_of()), split)
    rows = rows_of()
    assert rows[22][column] != cell
    rows[22][column] = cell
    assert hash_of(written(tmp_path / "rows.csv", rows), split) != before
    rows[22] = rows_of()[22] | {"note": "another"}  # which nothing is computed from
    assert hash_of(written(tmp_path / "rows.csv", rows), split) == before


def test_a_row_in_another_file_changes_it(tmp_path: Path):
    """All rows in their order are the same, but one of them has become a test row."""

    def divided(at: int) -> str:
        written(tmp_path / "test.csv", rows_of()[at:])
        return hash_of(written(tmp_path / "rows.csv", rows_of()[:at]), {"test": str(tmp_path / "test.csv")})

    assert divided(45) != divided(44)


def test_every_field_of_a_table_but_its_warnings_and_places_changes_it():
    table = Table(
        np.array([[0.0, 1.0], [1.0, np.nan]]),
        np.array([0, 1]),
        "classes",
        sample_weight=np.ones(2),
        split_by=np.array([3.0, 4.0]),
        teacher=np.array([[0.1], [0.9]]),
        columns=(Column("a", "boolean"), Column("b", "category", np.array(["x", "y"]))),
        kinds={"a": "boolean", "b": "category", "y": "boolean"},
    )
    flag, text = table.columns
    other: dict[str, list[Any]] = {
        "X": [-table.X, table.X.astype(np.float32)],
        "y": [np.array([0, 2]), np.array(["0", "1"])],
        "target": ["values"],
        "names": [("a", "b")],
        "sample_weight": [np.array([1.0, 2.0]), None],
        "split_by": [np.array([4.0, 3.0]), np.array(["train", "test"]), None],
        "teacher": [np.array([[0.9], [0.1]]), None],
        "columns": [
            *((replace(flag, **changed), text) for changed in ({"name": "c"}, {"kind": "numeric"})),
            (flag, replace(text, texts=np.array(["x", "z"]))),
        ],
        "kinds": [{"a": "boolean", "b": "category", "y": "category"}],
    }
    assert {*other, "warnings", "file_rows"} == {field.name for field in fields(Table)}
    tables = [table, *(replace(table, **{name: value}) for name, values in other.items() for value in values)]
    assert len({data_hash(each) for each in tables}) == len(tables)
    assert data_hash(replace(table)) == data_hash(table)


@pytest.fixture(params=SPLITS)
def moved(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[dict[str, Any], Callable[[], None]]:
    """A spec, and what turns some of its training rows into test rows by the cells that the split goes by."""
    path = written(tmp_path / "rows.csv", rows_of())

    def move() -> None:
        rows = rows_of()
        for row, following in zip(rows, rows_of()[7:] + rows_of()[:7], strict=True):
            row |= {name: following[name] for name in ("patient", "day", "set")}
        written(path, rows)

    return hashed(path, SPLITS[request.param]), move


def test_what_was_trained_on_rows_that_are_test_rows_now_is_refused(
    moved: tuple[dict[str, Any], Callable[[], None]], tmp_path: Path, refused: Refused
):
    spec, move = moved
    specnet.run(spec, tmp_path / "finished", report=False)
    interrupt(spec, tmp_path / "interrupted", 2)
    trained = data_of(spec).splits["train"].chosen
    move()
    assert set(data_of(spec).splits["test"].chosen) & set(trained)
    for name in ("finished", "interrupted"):
        before = contents(tmp_path / name)
        with refused(FileError, varying=r"\b[0-9a-f]{8,}"):
            specnet.run(spec, tmp_path / name, resume=True)
        assert contents(tmp_path / name) == before


def test_an_executor_that_is_used_again_computes_with_the_split_of_now(
    moved: tuple[dict[str, Any], Callable[[], None]],
):
    spec, move = moved
    with ThreadPoolExecutor(1) as executor:
        before = specnet.run_many(spec, seeds=1, executor=executor)
        move()
        after = specnet.run_many(spec, seeds=1, executor=executor)
    (alone,) = specnet.run_many(spec, seeds=1).runs
    assert after.runs[0].metrics == alone.metrics != before.runs[0].metrics
