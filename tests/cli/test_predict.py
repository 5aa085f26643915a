"""`specnet predict` and `specnet evaluate`."""

from __future__ import annotations

import csv
import datetime
import decimal
import json
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas
import pytest
from numpy.typing import NDArray

import specnet as specnet_package
from specnet.model import Model, load_model
from tests.cli.conftest import MOONS, Specnet
from tests.texts.pinned import Pinned

CSV_SPEC = """\
name = "kinds"
[data]
type = "csv"
path = "table.csv"
target = "kind"
[network]
hidden_layer_sizes = [4]
preprocessing = ["standardize"]
[training]
loss = "categorical_crossentropy"
epochs = 5
metrics = ["accuracy", "neg_log_loss"]
"""
DIABETES = """\
data.type = "diabetes"
network.hidden_layer_sizes = [4]
network.dtype = "float64"
network.target_preprocessing = ["standardize"]
training.loss = "mse"
training.epochs = 2
training.metrics = ["r2", "root_mean_squared_error"]
"""


@pytest.fixture
def moons(specnet: Specnet, folder: Path) -> Model:
    """A model of two classes in ``moons/``, and rows for it in ``rows.npz``."""
    assert specnet("run", "moons.toml", "--out", "moons", "-q").status == 0
    X = np.random.default_rng(0).normal(size=(7, 2))
    np.savez(folder / "rows.npz", X=X, y=np.array([0, 1, 0, 1, 0, 1, 1]))
    return load_model(folder / "moons/model.safetensors")


@pytest.fixture
def kinds(specnet: Specnet, folder: Path) -> Model:
    """A model of three labels that are text, trained on the columns of ``table.csv``, in ``kinds/``."""
    rows = [f'{i},{i * 2 % 7},"kind {"abc"[i % 3]}",{i % 5}' for i in range(30)]
    (folder / "table.csv").write_text("\n".join(["first,second,kind,third", *rows]) + "\n")
    (folder / "kinds.toml").write_text(CSV_SPEC)
    assert specnet("run", "kinds.toml", "--out", "kinds", "-q").status == 0
    return load_model(folder / "kinds/model.safetensors")


def _rows(text: str) -> tuple[list[str], list[list[str]]]:
    header, *rows = csv.reader(text.splitlines())
    return header, rows


def _arrays(path: Path) -> dict[str, NDArray[Any]]:
    with np.load(path) as archive:
        return dict(archive)


def test_two_classes_give_the_label_and_both_probabilities(specnet: Specnet, moons: Model, folder: Path) -> None:
    ended = specnet("predict", "moons/model.safetensors", "rows.npz")
    assert (ended.status, ended.err) == (0, "")
    header, rows = _rows(ended.out)
    assert header == ["prediction", "probability_0", "probability_1"]
    X = _arrays(folder / "rows.npz")["X"]
    assert [int(row[0]) for row in rows] == moons.predict(X).tolist()
    probabilities = np.array([row[1:] for row in rows], moons.theta.dtype)
    np.testing.assert_array_equal(probabilities, moons.predict_proba(X))


def test_labels_of_a_csv_and_columns_by_name(specnet: Specnet, kinds: Model, folder: Path) -> None:
    (folder / "new.csv").write_text("third,other,second,first\n1,x,0,2\n4,y,3.5,-1\n")
    ended = specnet("predict", "kinds/model.safetensors", "new.csv")
    assert (ended.status, ended.err) == (0, "")
    header, rows = _rows(ended.out)
    assert header == ["prediction", "probability_kind a", "probability_kind b", "probability_kind c"]
    X = np.array([[2, 0, 1], [-1, 3.5, 4]])
    assert [row[0] for row in rows] == kinds.predict(X).tolist()
    np.testing.assert_array_equal(np.array([row[1:] for row in rows], np.float32), kinds.predict_proba(X))


def test_values_are_one_column_with_every_digit(specnet: Specnet, folder: Path) -> None:
    (folder / "diabetes.toml").write_text(DIABETES)
    assert specnet("run", "diabetes.toml", "--out", "d", "-q").status == 0
    X = np.random.default_rng(1).normal(size=(5, 10))
    np.savez(folder / "rows.npz", X=X)
    ended = specnet("predict", "d/model.safetensors", "rows.npz")
    header, rows = _rows(ended.out)
    assert header == ["prediction"]
    answers = load_model(folder / "d/model.safetensors").predict(X)
    assert [float(row[0]) for row in rows] == answers.tolist()
    assert specnet("predict", "d/model.safetensors", "rows.npz", "--format", "json").document == {
        "errors": [],
        "rows": 5,
        "columns": {"prediction": answers.tolist()},
    }


def test_several_values_are_numbered_columns(specnet: Specnet, folder: Path) -> None:
    rng = np.random.default_rng(2)
    np.savez(folder / "rows.npz", X=rng.normal(size=(40, 3)), y=rng.normal(size=(40, 2)))
    spec = 'data = { type = "npz", path = "rows.npz" }\nnetwork.hidden_layer_sizes = [4]\ntraining.loss = "mse"\n'
    (folder / "two.toml").write_text(spec + "training.epochs = 1\n")
    assert specnet("run", "two.toml", "--out", "two", "-q").status == 0
    header, rows = _rows(specnet("predict", "two/model.safetensors", "rows.npz").out)
    assert header == ["prediction_0", "prediction_1"]
    assert len(rows) == 40


def test_predictions_go_to_a_file(specnet: Specnet, moons: Model, folder: Path) -> None:
    printed = specnet("predict", "moons/model.safetensors", "rows.npz").out
    ended = specnet("predict", "moons/model.safetensors", "rows.npz", "-o", "answers.csv")
    assert (ended.status, ended.out, ended.err) == (0, "", "answers.csv   7 rows\n")
    assert (folder / "answers.csv").read_text() == printed
    quiet = specnet("predict", "moons/model.safetensors", "rows.npz", "-q", "--force", "--out", "answers.csv")
    assert (quiet.status, quiet.out, quiet.err) == (0, "", "")
    as_json = specnet(
        "predict", "moons/model.safetensors", "rows.npz", "-o", "answers.csv", "--force", "--format", "json"
    )
    assert as_json.document == {"errors": [], "rows": 7, "file": "answers.csv"}


def test_a_file_that_cannot_be_written_is_a_mistake(specnet: Specnet, moons: Model, folder: Path) -> None:
    ended = specnet("predict", "moons/model.safetensors", "rows.npz", "-o", "nowhere/answers.csv")
    assert (ended.status, ended.out) == (1, "")
    assert ended.err.startswith(f"{Path('nowhere/answers.csv')}: error[file]: ")


def test_an_evaluation_is_a_row_of_figures(specnet: Specnet, moons: Model, folder: Path) -> None:
    ended = specnet("evaluate", "moons/model.safetensors", "rows.npz")
    assert (ended.status, ended.err) == (0, "")
    rows = _arrays(folder / "rows.npz")
    figures = moons.evaluate(rows["X"], rows["y"])
    header, row = ended.out.splitlines()
    assert header.split() == ["evaluated", "on", "loss", "accuracy"]
    assert row.split() == ["rows.npz", f"{figures['loss']:.4f}", f"{100 * figures['accuracy']:.1f}", "%"]
    as_json = specnet("evaluate", "moons/model.safetensors", "rows.npz", "--format", "json")
    assert as_json.document == {"errors": [], "rows": 7, "metrics": figures}


def test_an_evaluation_on_the_training_rows_repeats_the_run_s_figures(specnet: Specnet, kinds: Model) -> None:
    spec = "kinds.toml"
    assert specnet("run", spec, "--out", "all", "-q", "--set", "data.split.test_size=0").status == 0
    written = json.loads(Path("all/metrics.json").read_text())["train"]
    ended = specnet("evaluate", "all/model.safetensors", "table.csv", "--format", "json")
    assert ended.document["metrics"] == pytest.approx(written, rel=1e-6)


def test_weights_of_rows_count(specnet: Specnet, moons: Model, folder: Path) -> None:
    rows = _arrays(folder / "rows.npz")
    weights = np.array([1.0, 0, 0, 0, 0, 0, 0])
    np.savez(folder / "weighted.npz", **rows, sample_weight=weights)
    np.savez(folder / "first.npz", X=rows["X"][:1], y=rows["y"][:1])
    weighted, first = (
        specnet("evaluate", "moons/model.safetensors", name, "--format", "json").document["metrics"]
        for name in ("weighted.npz", "first.npz")
    )
    assert weighted == pytest.approx(first, rel=1e-6)


def test_a_figure_that_cannot_be_told_is_a_dash_and_null(specnet: Specnet, folder: Path) -> None:
    assert specnet("run", "moons.toml", "--out", "m", "-q", "--set", 'training.metrics=["roc_auc"]').status == 0
    np.savez(folder / "zeros.npz", X=np.zeros((3, 2)), y=np.zeros(3, int))
    ended = specnet("evaluate", "m/model.safetensors", "zeros.npz")
    assert (ended.status, ended.err) == (0, "")
    assert ended.out.splitlines()[1].split()[-1] == "–"
    as_json = specnet("evaluate", "m/model.safetensors", "zeros.npz", "--format", "json")
    assert as_json.document["metrics"]["roc_auc"] is None


@pytest.mark.parametrize("verb", ["predict", "evaluate"])
@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("rows.csv", "a,b\n1,2\n"),
        ("broken.npz", "not an archive"),
    ],
)
def test_rows_that_cannot_be_had_are_a_mistake(
    specnet: Specnet, moons: Model, folder: Path, verb: str, name: str, content: str, pinned: Pinned
) -> None:
    (folder / name).write_text(content)
    ended = specnet(verb, "moons/model.safetensors", name)
    assert (ended.status, ended.out) == (1, "")
    assert ended.err.startswith(f"{name}: error[data]: ")
    pinned(ended.err)
    (error,) = specnet(verb, "moons/model.safetensors", name, "--format", "json").document["errors"]
    assert error["source"] == name


def test_arrays_of_another_shape_are_a_mistake(specnet: Specnet, moons: Model, folder: Path) -> None:
    np.savez(folder / "wide.npz", X=np.zeros((4, 3)), y=np.zeros(4, int))
    for verb in ("predict", "evaluate"):
        ended = specnet(verb, "moons/model.safetensors", "wide.npz")
        assert (ended.status, ended.out) == (1, "")
        assert "error[data]: " in ended.err
        assert "(4, 3)" in ended.err


def test_a_cell_that_is_no_number_is_told_with_its_place(specnet: Specnet, kinds: Model, folder: Path) -> None:
    (folder / "new.csv").write_text("first,second,third\n1,2,3\n4,five,6\n")
    ended = specnet("predict", "kinds/model.safetensors", "new.csv")
    assert (ended.status, ended.out) == (1, "")
    assert ended.err.startswith("new.csv:3:3: error[")
    assert "five" in ended.err


def test_a_column_that_is_missing_is_told(specnet: Specnet, kinds: Model, folder: Path) -> None:
    (folder / "new.csv").write_text("first,second\n1,2\n")
    assert "third" in specnet("predict", "kinds/model.safetensors", "new.csv").err
    (folder / "new.csv").write_text("first,second,third\n1,2,3\n")
    ended = specnet("evaluate", "kinds/model.safetensors", "new.csv")
    assert ended.status == 1
    assert "kind" in ended.err


@pytest.mark.parametrize("arguments", [["predict"], ["evaluate"], ["show"]])
def test_a_file_that_is_no_model_is_a_mistake(specnet: Specnet, folder: Path, arguments: list[str]) -> None:
    np.savez(folder / "rows.npz", X=np.zeros((2, 2)), y=np.zeros(2, int))
    (folder / "no.safetensors").write_text(MOONS)
    rows = [] if arguments == ["show"] else ["rows.npz"]
    ended = specnet(*arguments, "no.safetensors", *rows)
    assert (ended.status, ended.out) == (1, "")
    assert ended.err.startswith("no.safetensors: error[file]: ")


def test_no_file_is_replaced_unless_it_is_forced(specnet: Specnet, moons: Model, folder: Path) -> None:
    rows = (folder / "rows.npz").read_bytes()
    ended = specnet("predict", "moons/model.safetensors", "rows.npz", "-o", "rows.npz")
    assert (ended.status, ended.out) == (2, "")
    assert ended.err.startswith("rows.npz: error[usage]: ")
    assert (folder / "rows.npz").read_bytes() == rows
    (folder / "answers.csv").write_text("old")
    ended = specnet("predict", "moons/model.safetensors", "rows.npz", "-o", "answers.csv")
    assert (ended.status, ended.out) == (2, "")
    assert ended.err.startswith("answers.csv: error[taken]: ")
    assert (folder / "answers.csv").read_text() == "old"
    assert specnet("predict", "moons/model.safetensors", "rows.npz", "-o", "answers.csv", "--force").status == 0
    assert (folder / "answers.csv").read_text().startswith("prediction,")


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
    [
        ("id,a,b\n1,2,3\n", "name", 1),
        ("prediction,a,b\n1,2,3\n", "prediction", 2),
        ("id,a,b\n1,2,3,\n", "id", 1),
    ],
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
    ended = specnet("predict", named, "rows.csv", "-o", "./rows.csv", "--force")
    assert ended.status == 2
    assert (folder / "rows.csv").read_bytes() == before


GAPPY = """\
data = { type = "csv", path = "gappy.csv", target = "price", split = { test_size = 0 } }
network = { hidden_layer_sizes = [4], target_preprocessing = ["standardize"] }
training = { loss = "mse", epochs = 2 }
"""
NEW = 'id,"size",age,city\n007,1.5,2,rome\n008,,2,\n009,2,,oslo\n010,1,3,bonn\n'
"""Rows of a table with gaps: in a column that had gaps in training, in one that had none, and a category."""


@pytest.fixture
def gappy(specnet: Specnet, folder: Path) -> Path:
    """A model of numbers, trained on gaps in the columns size and city, but not in age; and ``new.csv``."""
    rng = np.random.default_rng(0)
    lines = ["size,age,city,price"]
    for row in range(60):
        size = "" if row % 6 == 0 else f"{rng.normal():.3f}"
        city = "" if row % 6 == 1 else ("rome", "oslo")[row % 2]
        lines.append(f"{size},{rng.normal():.3f},{city},{rng.normal(5, 2):.3f}")
    (folder / "gappy.csv").write_text("\n".join(lines) + "\n")
    (folder / "gappy.toml").write_text(GAPPY)
    assert specnet("run", "gappy.toml", "--out", "gappy", "-q", "--set", "training.ensemble=2").status == 0
    (folder / "new.csv").write_text(NEW)
    return folder / "gappy"


def _parquet(path: Path) -> tuple[dict[str, str], list[tuple[Any, ...]]]:
    """Return the types of a Parquet file's columns by name, and its rows."""
    with duckdb.connect() as connection:
        found = connection.execute(f"SELECT * FROM read_parquet('{path}')")
        return {name: str(of) for name, of, *_ in found.description or ()}, found.fetchall()


@pytest.mark.slow
def test_a_gap_that_training_did_not_have_is_an_empty_prediction(
    specnet: Specnet, gappy: Path, folder: Path, pinned: Pinned
) -> None:
    ended = specnet("predict", gappy, "new.csv", "--keep", "id")
    assert ended.status == 0
    pinned(ended.err)
    header, rows = _rows(ended.out)
    assert header == ["id", "prediction", "spread"]
    assert [row[0] for row in rows] == ["007", "008", "009", "010"]
    model = load_model(gappy)
    frame = pandas.DataFrame({"size": [1.5, np.nan, 1], "age": [2, 2, 3], "city": ["rome", None, "bonn"]})
    assert rows[2][1:] == ["", ""]
    for place, answers in ((1, model.predict(frame)), (2, model.predict_spread(frame))):
        there = [rows[row][place] for row in (0, 1, 3)]
        np.testing.assert_array_equal(np.array(there, answers.dtype), answers)
    document = specnet("predict", gappy, "new.csv", "--format", "json").document
    assert [document["columns"]["prediction"][2], document["columns"]["spread"][2]] == [None, None]
    (warning,) = document["warnings"]
    assert (warning["code"], warning["source"]) == ("not-predicted", "new.csv")
    (folder / "none.csv").write_text("size,age,city\n1,,rome\n2,,rome\n")
    ended = specnet("predict", gappy, "none.csv", "-q")
    assert (ended.status, ended.err, ended.out) == (0, "", "prediction,spread\n,\n,\n")


@pytest.mark.slow
def test_predictions_as_parquet_have_types_and_nulls(specnet: Specnet, gappy: Path, folder: Path) -> None:
    expected = specnet("predict", gappy, "new.csv", "--format", "json").document["columns"]
    assert specnet("predict", gappy, "new.csv", "--keep", "id,city", "-o", "out.parquet", "-q").status == 0
    types, rows = _parquet(folder / "out.parquet")
    assert types == {"id": "VARCHAR", "city": "VARCHAR", "prediction": "DOUBLE", "spread": "DOUBLE"}
    assert [row[:2] for row in rows] == [("007", "rome"), ("008", None), ("009", "oslo"), ("010", "bonn")]
    assert [row[2] for row in rows] == expected["prediction"]
    assert [row[3] for row in rows] == expected["spread"]
    before = (folder / "out.parquet").read_bytes()
    taken = specnet("predict", gappy, "new.csv", "-o", "out.parquet")
    assert (taken.status, (folder / "out.parquet").read_bytes()) == (2, before)
    again = specnet("predict", gappy, "new.csv", "--keep", "id,city", "-o", "out.parquet", "-q", "--force")
    assert (again.status, (folder / "out.parquet").read_bytes()) == (0, before)


@pytest.mark.slow
def test_predictions_as_an_array_are_alone(specnet: Specnet, gappy: Path, kinds: Model, folder: Path) -> None:
    expected = specnet("predict", gappy, "new.csv", "--format", "json").document["columns"]["prediction"]
    assert specnet("predict", gappy, "new.csv", "-o", "out.npy", "-q").status == 0
    found = np.load(folder / "out.npy")
    assert found.shape == (4,)
    np.testing.assert_allclose(found, [np.nan if each is None else each for each in expected], rtol=1e-6)
    (folder / "labels.csv").write_text("first,second,third\n1,2,3\n4,,6\n")
    assert specnet("predict", "kinds", "labels.csv", "-o", "labels.npy", "-q").status == 0
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
    plain = _rows(specnet("predict", gappy, "new.csv", "-q").out)[1]
    ended = specnet("predict", gappy, rows, "--keep", "seen,id,share,city", "-q")
    assert ended.status == 0
    header, found = _rows(ended.out)
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


@pytest.mark.slow
def test_an_evaluation_on_rows_of_the_training_set_says_so(
    specnet: Specnet, gappy: Path, folder: Path, pinned: Pinned
) -> None:
    header, *rows = (folder / "gappy.csv").read_text().splitlines()
    changed = [row.replace(",", "1,", 1) for row in rows]
    (folder / "some.csv").write_text("\n".join([header, *rows[40:], *changed[:30]]) + "\n")
    for model in (gappy, gappy / "model.safetensors"):
        ended = specnet("evaluate", model, "some.csv")
        assert ended.status == 0
        pinned(ended.err)
        (warning,) = specnet("evaluate", model, "some.csv", "--format", "json").document["warnings"]
        assert warning["code"] == "training-rows"
        assert warning["message"].startswith("20 of 50 rows ")
        assert specnet("evaluate", model, "some.csv", "-q").err == ""
    (gappy / "model.safetensors").rename(folder / "alone.safetensors")
    assert specnet("evaluate", "alone.safetensors", "some.csv").err == ""


@pytest.mark.slow
def test_an_evaluation_on_other_rows_has_no_warning(specnet: Specnet, gappy: Path, folder: Path) -> None:
    header, *rows = (folder / "gappy.csv").read_text().splitlines()
    (folder / "other.csv").write_text("\n".join([header, *(row.replace(",", "1,", 1) for row in rows)]) + "\n")
    ended = specnet("evaluate", gappy, "other.csv")
    assert (ended.status, ended.err) == (0, "")
    assert "warnings" not in specnet("evaluate", gappy, "other.csv", "--format", "json").document


def test_rows_that_were_held_out_are_no_training_rows(specnet: Specnet, kinds: Model, folder: Path) -> None:
    (warning,) = specnet("evaluate", "kinds", "table.csv", "--format", "json").document["warnings"]
    rows = json.loads((folder / "kinds/metrics.json").read_text())["rows"]["train"]
    assert rows < 30
    assert warning["message"].startswith(f"{rows} of 30 rows ")
