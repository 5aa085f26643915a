"""`specnet predict` on tables: columns that are kept, gaps, and files of every kind."""

from __future__ import annotations

import csv
import datetime
import decimal
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas
import pytest
from numpy.typing import NDArray

import specnet as specnet_package
from specnet import Model, SpecnetWarning, load_model
from tests.cli.conftest import Specnet, csv_rows
from tests.texts.pinned import Pinned

KEPT = 'id,a,b,note\r\n007,0.5,-1,"x,\r\ny"\r\n\r\n,1.5,2,\r\n008,-1,0,é\r\n'


@pytest.fixture
def named(folder: Path) -> Path:
    """A model that knows its columns by name."""
    rows = np.random.default_rng(0).normal(size=(20, 2)).round(2).tolist()
    lines = ["a,b,y", *(f"{a},{b},{'yes' if a > b else 'no'}" for a, b in rows)]
    (folder / "rows.csv").write_text("\n".join(lines) + "\n")
    spec = {
        "data": {"type": "csv", "path": "rows.csv", "target": "y"},
        "network": {"hidden_layer_sizes": [3]},
        "training": {"loss": "binary_crossentropy", "epochs": 3},
    }
    specnet_package.run(spec, folder / "named")
    return folder / "named"


def test_columns_are_kept_beside_their_predictions(specnet: Specnet, folder: Path, named: Path) -> None:
    (folder / "new.csv").write_text(KEPT, newline="", encoding="utf-8")
    assert specnet("predict", named, "new.csv", "--keep", "note,id", "-o", "out.csv").status == 0
    with (folder / "out.csv").open(newline="", encoding="utf-8") as stream:
        header, *rows = csv.reader(stream)
    assert header == ["note", "id", "prediction", "probability_no", "probability_yes"]
    assert [row[:2] for row in rows] == [["x,\r\ny", "007"], ["", ""], ["é", "008"]]
    expected = specnet_package.load_model(named).predict([[0.5, -1], [1.5, 2], [-1, 0]])
    assert [row[2] for row in rows] == expected.tolist()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "keep", "status"),
    [("id,a,b\n1,2,3\n", "name", 1), ("prediction,a,b\n1,2,3\n", "prediction", 2), ("id,a,b\n1,2,3,\n", "id", 1)],
)
def test_what_cannot_be_kept(
    specnet: Specnet, folder: Path, named: Path, text: str, keep: str, status: int, pinned: Pinned
) -> None:
    (folder / "new.csv").write_text(text)
    ended = specnet("predict", named, "new.csv", "--keep", keep, "-o", "out.csv")
    assert ended.status == status
    pinned(ended.err)
    assert not (folder / "out.csv").exists()


def test_columns_of_arrays_have_no_names_to_keep(specnet: Specnet, folder: Path, named: Path) -> None:
    np.savez(folder / "rows.npz", X=np.ones((2, 2)))
    ended = specnet("predict", named, "rows.npz", "--keep", "id")
    assert (ended.status, ended.err.startswith("--keep: error[usage]")) == (2, True)


def test_predictions_do_not_replace_their_rows(specnet: Specnet, folder: Path, named: Path) -> None:
    before = (folder / "rows.csv").read_bytes()
    specnet("predict", named, "rows.csv", "-o", "./rows.csv", "--force").failed(2)
    assert (folder / "rows.csv").read_bytes() == before


def _parquet(path: Path) -> tuple[dict[str, str], list[tuple[Any, ...]]]:
    """Return the types of a Parquet file's columns by name, and its rows."""
    with duckdb.connect() as connection:
        found = connection.execute(f"SELECT * FROM read_parquet('{path}')")
        return {name: str(of) for name, of, *_ in found.description or ()}, found.fetchall()


@pytest.mark.slow
def test_a_strict_prediction_is_empty_where_there_is_a_gap_that_training_did_not_have(
    specnet: Specnet, gappy: Path, folder: Path, pinned: Pinned
) -> None:
    ended = specnet("predict", gappy, "new.csv", "--keep", "id", "--strict")
    assert ended.status == 0
    pinned(ended.err)
    header, rows = csv_rows(ended.out)
    assert header == ["id", "prediction", "spread"]
    assert [row[0] for row in rows] == ["007", "008", "009", "010"]
    model = load_model(gappy)
    frame = pandas.DataFrame({"size": [1.5, np.nan, 1], "age": [2, 2, 3], "city": ["rome", None, "bonn"]})
    assert rows[2][1:] == ["", ""]
    for place, predict in ((1, model.predict), (2, model.predict_spread)):
        with pytest.warns(SpecnetWarning, match='"bonn"'):
            answers = predict(frame)
        there = [rows[row][place] for row in (0, 1, 3)]
        np.testing.assert_array_equal(np.array(there, answers.dtype), answers)
    document = specnet("predict", gappy, "new.csv", "--format", "json", "--strict").document
    assert [document["columns"]["prediction"][2], document["columns"]["spread"][2]] == [None, None]
    assert [warning["code"] for warning in document["warnings"]] == ["not-predicted", "unknown-category"]
    assert {warning["source"] for warning in document["warnings"]} == {"new.csv"}
    (folder / "none.csv").write_text("size,age,city\n1,,rome\n2,,rome\n")
    ended = specnet("predict", gappy, "none.csv", "-q", "--strict")
    assert (ended.status, ended.err, ended.out) == (0, "", "prediction,spread\n,\n,\n")


def test_every_row_is_predicted_and_what_training_did_not_have_is_counted(
    specnet: Specnet, gappy: Path, folder: Path, pinned: Pinned
) -> None:
    ages = sorted(float(line.split(",")[1]) for line in (folder / "gappy.csv").read_text().splitlines()[1:])
    median = (ages[29] + ages[30]) / 2
    (folder / "filled.csv").write_text((folder / "new.csv").read_text().replace("009,2,,", f"009,2,{median!r},"))
    ended, filled = specnet("predict", gappy, "new.csv"), specnet("predict", gappy, "filled.csv")
    assert (ended.status, ended.out) == (0, filled.out)
    assert all(all(row) for row in csv_rows(ended.out)[1])
    pinned(ended.err)
    assert filled.err.replace("filled.csv", "new.csv") in ended.err
    header, *rows = (folder / "new.csv").read_text().splitlines()
    (folder / "prices.csv").write_text("\n".join([f"{header},price", *(f"{row},5" for row in rows)]) + "\n")
    assert specnet("evaluate", gappy, "prices.csv").err == ended.err.replace("new.csv", "prices.csv")


def test_a_gap_that_the_model_does_not_fill_is_an_error_unless_strict(
    specnet: Specnet, kinds: Model, folder: Path, pinned: Pinned
) -> None:
    (folder / "new.csv").write_text("first,second,third\n1,2,3\n4,,6\n")
    refused = specnet("predict", "kinds", "new.csv", "-o", "out.csv")
    assert (refused.status, (folder / "out.csv").exists()) == (1, False)
    pinned(refused.err)
    strict = specnet("predict", "kinds", "new.csv", "--strict")
    (_, known, empty) = strict.out.splitlines()
    assert (strict.status, known.split(",")[0], set(empty)) == (0, kinds.predict([[1, 2, 3]])[0], {","})


@pytest.mark.slow
def test_predictions_as_parquet_have_types_and_nulls(specnet: Specnet, gappy: Path, folder: Path) -> None:
    expected = specnet("predict", gappy, "new.csv", "--format", "json", "--strict").document["columns"]
    keeping = ("predict", gappy, "new.csv", "--keep", "id,city", "-o", "out.parquet", "-q", "--strict")
    assert specnet(*keeping).status == 0
    types, rows = _parquet(folder / "out.parquet")
    assert types == {"id": "VARCHAR", "city": "VARCHAR", "prediction": "DOUBLE", "spread": "DOUBLE"}
    assert [row[:2] for row in rows] == [("007", "rome"), ("008", None), ("009", "oslo"), ("010", "bonn")]
    assert [row[2] for row in rows] == expected["prediction"]
    assert [row[3] for row in rows] == expected["spread"]
    before = (folder / "out.parquet").read_bytes()
    taken = specnet("predict", gappy, "new.csv", "-o", "out.parquet")
    assert (taken.status, (folder / "out.parquet").read_bytes()) == (2, before)
    again = specnet(*keeping, "--force")
    assert (again.status, (folder / "out.parquet").read_bytes()) == (0, before)


@pytest.mark.slow
def test_predictions_as_an_array_are_alone(specnet: Specnet, gappy: Path, kinds: Model, folder: Path) -> None:
    expected = specnet("predict", gappy, "new.csv", "--format", "json", "--strict").document["columns"]["prediction"]
    assert specnet("predict", gappy, "new.csv", "-o", "out.npy", "-q", "--strict").status == 0
    found = np.load(folder / "out.npy")
    assert found.shape == (4,)
    np.testing.assert_allclose(found, [np.nan if each is None else each for each in expected], rtol=1e-6)
    (folder / "labels.csv").write_text("first,second,third\n1,2,3\n4,,6\n")
    assert specnet("predict", "kinds", "labels.csv", "-o", "labels.npy", "-q", "--strict").status == 0
    assert np.load(folder / "labels.npy").tolist() == [kinds.predict([[1, 2, 3]])[0], ""]
    assert specnet("predict", "kinds", "table.csv", "-o", "all.npy", "-q").status == 0
    np.testing.assert_array_equal(np.load(folder / "all.npy"), kinds.predict(_table(folder / "table.csv")))


def _table(path: Path) -> NDArray[np.float64]:
    """Return the features of ``table.csv``."""
    return pandas.read_csv(path)[["first", "second", "third"]].to_numpy(float)


@pytest.mark.slow
@pytest.mark.parametrize("suffix", ["parquet", "jsonl", "csv.gz"])
def test_columns_of_every_table_can_be_kept(specnet: Specnet, gappy: Path, folder: Path, suffix: str) -> None:
    rows = f"new.{suffix}"
    form = {"parquet": "(FORMAT parquet)", "jsonl": "(FORMAT json)", "csv.gz": "(FORMAT csv, COMPRESSION gzip)"}[suffix]
    with duckdb.connect() as connection:
        connection.execute(
            "COPY (SELECT * REPLACE (id::INTEGER AS id), DATE '2024-02-29' AS seen, 0.10::DECIMAL(4, 2) AS share"
            f" FROM read_csv('new.csv', all_varchar = true)) TO '{rows}' {form}"
        )
    plain = csv_rows(specnet("predict", gappy, "new.csv", "-q").out)[1]
    ended = specnet("predict", gappy, rows, "--keep", "seen,id,share,city", "-q")
    assert ended.status == 0
    header, found = csv_rows(ended.out)
    assert header == ["seen", "id", "share", "city", "prediction", "spread"]
    assert [row[4:] for row in found] == plain
    assert [row[:2] for row in found] == [["2024-02-29", str(number)] for number in (7, 8, 9, 10)]
    assert [row[3] for row in found] == ["rome", "", "oslo", "bonn"]
    assert {float(row[2]) for row in found} == {0.1}
    assert specnet("predict", gappy, rows, "--keep", "seen,id,share,city", "-q", "-o", "out.parquet").status == 0
    types, typed = _parquet(folder / "out.parquet")
    if suffix == "parquet":
        assert list(types.values()) == ["DATE", "INTEGER", "DECIMAL(4,2)", "VARCHAR", "DOUBLE", "DOUBLE"]
        assert typed[0][:3] == (datetime.date(2024, 2, 29), 7, decimal.Decimal("0.10"))
    else:
        assert list(types.values()) == ["VARCHAR"] * 4 + ["DOUBLE"] * 2
    assert [row[3] for row in typed] == ["rome", None, "oslo", "bonn"]


def test_what_a_kind_of_file_cannot_hold(specnet: Specnet, gappy: Path, folder: Path, pinned: Pinned) -> None:
    (folder / "case.csv").write_text("ID,id,size,age,city\n1,2,1,1,rome\n")
    for options in (["-o", "out.npy", "--keep", "id"], ["-o", "out.parquet", "--keep", "id,ID"], ["-o", "out.txt"]):
        ended = specnet("predict", gappy, "case.csv", *options)
        assert ended.status
        pinned(ended.err)
        assert not (folder / options[1]).exists()


def test_labels_that_are_formulas_to_spreadsheets_are_told_of_and_escaped(
    specnet: Specnet, folder: Path, pinned: Pinned
) -> None:
    lines = [f"{row % 5},{row % 7 - 3},{'=1+1' if row % 2 else '@sum'}" for row in range(40)]
    (folder / "rows.csv").write_text("\n".join(["a,-b,y", *lines]) + "\n")
    spec = {
        "data": {"type": "csv", "path": "rows.csv", "target": "y"},
        "network": {"hidden_layer_sizes": [2], "preprocessing": ["standardize"]},
        "training": {"loss": "binary_crossentropy", "epochs": 1},
    }
    specnet_package.run(spec, folder / "out")
    command = ("predict", "out", "rows.csv", "--keep", "-b,y")
    ended = specnet(*command)
    assert ended.status == 0
    pinned(ended.err)
    header, rows = csv_rows(ended.out)
    assert (header[:2], rows[0][:2], rows[1][:2]) == (["-b", "y"], ["-3", "@sum"], ["-2", "=1+1"])
    escaped = specnet(*command, "--escape-formulas")
    escaped.went()
    header, quoted = csv_rows(escaped.out)
    assert header == ["'-b", "y", "prediction", "probability_=1+1", "probability_@sum"]
    assert quoted == [[cell if cell[-1].isdigit() and cell != "=1+1" else f"'{cell}" for cell in row] for row in rows]
    assert specnet(*command, "-o", "told.csv").err.startswith(ended.err.replace("<stdout>", "told.csv"))
    for options in (["-o", "out.parquet"], ["--format", "json"]):
        assert specnet("predict", "out", "rows.csv", "--escape-formulas", *options).status == 2
    assert "warning" not in specnet(*command, "-o", "out.parquet").err


def test_rows_in_another_encoding_than_the_training_rows(specnet: Specnet, folder: Path) -> None:
    """The error names the option, and with it predictions are those of the same rows in UTF-8."""
    rows = "price;size;y\n" + "".join(f"{row % 7},50 €;{row % 5};{row % 2}\n" for row in range(40))
    (folder / "rows.csv").write_text(rows, encoding="utf-8")
    (folder / "windows.csv").write_text(rows, encoding="cp1252")
    spec = {
        "data": {"type": "csv", "path": "rows.csv", "target": "y"},
        "network": {"hidden_layer_sizes": [3]},
        "training": {"loss": "binary_crossentropy", "epochs": 2},
    }
    specnet_package.run(spec, folder / "priced")
    expected = specnet("predict", "priced", "rows.csv", "--keep", "price").went()
    for verb in ("predict", "evaluate"):
        said = specnet(verb, "priced", "windows.csv").failed(1)
        assert 'use --encoding cp1252, in which a cell is "0,50 €"' in said
        assert 'unknown encoding "cp0"' in specnet(verb, "priced", "windows.csv", "--encoding", "cp0").failed(2)
    assert specnet("predict", "priced", "windows.csv", "--keep", "price", "--encoding", "cp1252").went() == expected
    figures = [
        specnet("evaluate", "priced", f"{name}.csv", *options, "--format", "json").document["metrics"]
        for name, options in {"rows": (), "windows": ("--encoding", "cp1252")}.items()
    ]
    assert figures[0] == figures[1]


@pytest.mark.parametrize(
    ("header", "hint"),
    [
        ("a,bb", 'rename "bb" to "b" in the file if it is the same column'),
        ("a,price", "the model needs the columns a, b; the file has a, price"),
        ("other,price", "the model needs the columns a, b; the file has other, price"),
    ],
)
def test_a_column_that_is_missing_is_named_with_the_one_that_may_be_it(
    specnet: Specnet, folder: Path, named: Path, header: str, hint: str
) -> None:
    (folder / "new.csv").write_text(f"{header}\n1,2\n")
    said = specnet("predict", named, "new.csv").failed(1)
    assert "new.csv has no column" in said
    assert hint in said
    assert "empty" not in said


BIG = [9007199254740993, 9007199254740992, -9223372036854775807]
"""Two that float64 does not tell apart, and one below them."""


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["csv", "parquet", "npz"])
def test_big_labels_keep_their_digits_in_every_file(specnet: Specnet, folder: Path, kind: str) -> None:
    """From a table or arrays into the model, and from there into each kind of file of predictions."""
    rows = [(round(n % 3 + np.sin(n), 3), round(np.cos(3 * n), 3), BIG[n % 3]) for n in range(90)]
    (folder / "rows.csv").write_text("a,b,y\n" + "".join(f"{a},{b},{y}\n" for a, b, y in rows))
    duckdb.sql(f"COPY (SELECT * FROM read_csv('{folder}/rows.csv')) TO '{folder}/rows.parquet' (FORMAT parquet)")
    np.savez(folder / "rows.npz", X=[row[:2] for row in rows], y=[row[2] for row in rows])
    data = {"type": kind, "path": f"rows.{kind}", **({} if kind == "npz" else {"target": "y"})}
    training = {"loss": "categorical_crossentropy", "epochs": 60, "optimizer": {"type": "adam", "learning_rate": 0.1}}
    spec = {"data": data, "network": {"hidden_layer_sizes": [6]}, "training": training}
    specnet_package.run(spec, folder / "big", report=False)
    model = load_model(folder / "big")
    assert model.labels is not None
    assert model.labels.tolist() == sorted(BIG)
    for suffix in ("csv", "parquet", "npy"):
        assert specnet("predict", "big", f"rows.{kind}", "-o", f"out.{suffix}", "-q").status == 0
    types, typed = _parquet(folder / "out.parquet")
    assert types["prediction"] == "BIGINT"
    written = {
        "csv": [int(line.partition(",")[0]) for line in (folder / "out.csv").read_text().splitlines()[1:]],
        "parquet": [row[0] for row in typed],
        "npy": np.load(folder / "out.npy").tolist(),
        "json": specnet("predict", "big", f"rows.{kind}", "--format", "json").document["columns"]["prediction"],
    }
    expected = model.predict([row[:2] for row in rows]).tolist()
    assert set(expected) == set(BIG)
    assert written == dict.fromkeys(written, expected)
    if kind == "npz":
        return
    a, b, _ = rows[expected.index(BIG[0])]
    (folder / "gap.csv").write_text(f"a,b\n{a},{b}\n,0.5\n")
    options = ["predict", "big", "gap.csv", "--strict", "-q", "-o"]
    assert specnet(*options, "gap.parquet").status == 0
    assert [row[0] for row in _parquet(folder / "gap.parquet")[1]] == [BIG[0], None]
    refused = specnet(*options, "gap.npy")
    assert (refused.status, "error[data]: labels above 2⁵³ lose digits" in refused.err) == (1, True)
    assert not (folder / "gap.npy").exists()
