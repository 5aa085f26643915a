"""`specnet predict` on tables: columns that are kept, gaps, large cells, words for true, and files of every kind."""

import csv
import datetime
import decimal
import json
import warnings
from pathlib import Path

import duckdb
import numpy as np
import pandas
import pytest

from specnet import Observer, SpecnetWarning, load_model, run
from tests.cli.conftest import csv_rows, spec_of_rows, write_rows

PENGUINS = Path(__file__).parents[3] / "specs/penguins.toml"


def predicted(specnet, *arguments):
    """Return the columns of the document of predictions."""
    return specnet("predict", *arguments, "--format", "json").document["columns"]


def parquet(path):
    """Return the types of a Parquet file's columns by name, and its rows."""
    with duckdb.connect() as connection:
        found = connection.execute(f"SELECT * FROM read_parquet('{path}')")
        return {name: str(of) for name, of, *_ in found.description or ()}, found.fetchall()


def test_columns_are_kept_beside_their_predictions(specnet, folder, kinds):
    text = 'id,first,second,third,note\r\n007,0.5,-1,0,"x,\r\ny"\r\n\r\n,1.5,2,1,\r\n008,-1,0,2,é\r\n'
    (folder / "new.csv").write_text(text, newline="", encoding="utf-8")
    specnet("predict kinds new.csv --keep note,id -o out.csv").ok()
    with (folder / "out.csv").open(newline="", encoding="utf-8") as stream:
        header, *rows = csv.reader(stream)
    assert header[:3] == ["note", "id", "prediction"]
    assert [row[:2] for row in rows] == [["x,\r\ny", "007"], ["", ""], ["é", "008"]]
    assert [row[2] for row in rows] == kinds.predict([[0.5, -1, 0], [1.5, 2, 1], [-1, 0, 2]]).tolist()


@pytest.mark.slow
def test_a_strict_prediction_is_empty_where_there_is_a_gap_that_training_did_not_have(specnet, gappy, folder, pinned):
    ended = specnet("predict gappy new.csv --keep id --strict").ok()
    pinned(ended.err)
    header, rows = csv_rows(ended.out)
    assert header == ["id", "prediction", "spread"]
    assert [row[0] for row in rows] == ["007", "008", "009", "010"]
    model = load_model(gappy)
    frame = pandas.DataFrame({"size": [1.5, np.nan, 1], "age": [2, 2, 3], "city": ["rome", None, "bonn"]})
    assert rows[2][1:] == ["", ""]
    for position, predict in ((1, model.predict), (2, model.predict_spread)):
        with pytest.warns(SpecnetWarning, match='"bonn"'):
            answers = predict(frame)
        there = [rows[row][position] for row in (0, 1, 3)]
        np.testing.assert_array_equal(np.array(there, answers.dtype), answers)
    document = specnet("predict gappy new.csv --format json --strict").document
    assert [document["columns"]["prediction"][2], document["columns"]["spread"][2]] == [None, None]
    assert [warning["code"] for warning in document["warnings"]] == ["not-predicted", "unknown-category"]
    assert {warning["source"] for warning in document["warnings"]} == {"new.csv"}
    (folder / "none.csv").write_text("size,age,city\n1,,rome\n2,,rome\n")
    assert specnet("predict gappy none.csv -q --strict").went() == "prediction,spread\n,\n,\n"


def test_every_row_is_predicted_and_what_training_did_not_have_is_counted(specnet, gappy, folder, pinned):
    ages = sorted(float(line.split(",")[1]) for line in (folder / "gappy.csv").read_text().splitlines()[1:])
    median = (ages[29] + ages[30]) / 2
    (folder / "filled.csv").write_text((folder / "new.csv").read_text().replace("009,2,,", f"009,2,{median!r},"))
    ended, filled = specnet("predict gappy new.csv").ok(), specnet("predict gappy filled.csv")
    assert ended.out == filled.out
    assert all(all(row) for row in csv_rows(ended.out)[1])
    pinned(ended.err)
    assert filled.err.replace("filled.csv", "new.csv") in ended.err
    header, *rows = (folder / "new.csv").read_text().splitlines()
    (folder / "prices.csv").write_text("\n".join([f"{header},price", *(f"{row},5" for row in rows)]) + "\n")
    assert specnet("evaluate gappy prices.csv").err == ended.err.replace("new.csv", "prices.csv")


@pytest.mark.slow
def test_predictions_as_parquet_have_types_and_nulls(specnet, gappy, folder):
    expected = predicted(specnet, gappy, "new.csv", "--strict")
    specnet("predict gappy new.csv --keep id,city -o out.parquet -q --strict").ok()
    types, rows = parquet(folder / "out.parquet")
    assert types == {"id": "VARCHAR", "city": "VARCHAR", "prediction": "DOUBLE", "spread": "DOUBLE"}
    assert [row[:2] for row in rows] == [("007", "rome"), ("008", None), ("009", "oslo"), ("010", "bonn")]
    assert [row[2] for row in rows] == expected["prediction"]
    assert [row[3] for row in rows] == expected["spread"]


@pytest.mark.slow
def test_predictions_as_an_array_are_alone(specnet, gappy, kinds, folder):
    expected = predicted(specnet, gappy, "new.csv", "--strict")["prediction"]
    (folder / "labels.csv").write_text("first,second,third\n1,2,3\n4,,6\n")
    for model, rows in (("gappy", "new"), ("kinds", "labels"), ("kinds", "table")):
        specnet(f"predict {model} {rows}.csv -o {rows}.npy -q --strict").ok()
    found = np.load(folder / "new.npy")
    assert found.shape == (4,)
    np.testing.assert_allclose(found, np.array(expected, float), rtol=1e-6)
    assert np.load(folder / "labels.npy").tolist() == [kinds.predict([[1, 2, 3]])[0], ""]
    X = pandas.read_csv(folder / "table.csv")[["first", "second", "third"]].to_numpy(float)
    np.testing.assert_array_equal(np.load(folder / "table.npy"), kinds.predict(X))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("suffix", "form"),
    [("parquet", "(FORMAT parquet)"), ("jsonl", "(FORMAT json)"), ("csv.gz", "(FORMAT csv, COMPRESSION gzip)")],
)
def test_columns_of_every_table_can_be_kept(specnet, gappy, folder, suffix, form):
    rows = f"new.{suffix}"
    with duckdb.connect() as connection:
        connection.execute(
            "COPY (SELECT * REPLACE (id::INTEGER AS id), DATE '2024-02-29' AS seen, 0.10::DECIMAL(4, 2) AS share"
            f" FROM read_csv('new.csv', all_varchar = true)) TO '{rows}' {form}"
        )
    plain = csv_rows(specnet("predict gappy new.csv -q").out)[1]
    command = f"predict gappy {rows} --keep seen,id,share,city -q"
    header, found = csv_rows(specnet(command).ok().out)
    assert header == ["seen", "id", "share", "city", "prediction", "spread"]
    assert [row[4:] for row in found] == plain
    assert [row[:2] for row in found] == [["2024-02-29", str(number)] for number in (7, 8, 9, 10)]
    assert [row[3] for row in found] == ["rome", "", "oslo", "bonn"]
    assert {float(row[2]) for row in found} == {0.1}
    specnet(f"{command} -o out.parquet").ok()
    types, typed = parquet(folder / "out.parquet")
    if suffix == "parquet":
        assert list(types.values()) == ["DATE", "INTEGER", "DECIMAL(4,2)", "VARCHAR", "DOUBLE", "DOUBLE"]
        assert typed[0][:3] == (datetime.date(2024, 2, 29), 7, decimal.Decimal("0.10"))
    else:
        assert list(types.values()) == ["VARCHAR"] * 4 + ["DOUBLE"] * 2
    assert [row[3] for row in typed] == ["rome", None, "oslo", "bonn"]


def test_labels_that_are_formulas_to_spreadsheets_are_told_of_and_escaped(specnet, folder, pinned):
    write_rows("rows.csv", "a,-b,y", [[row % 5, row % 7 - 3, "=1+1" if row % 2 else "@sum"] for row in range(40)])
    run(spec_of_rows(epochs=1), folder / "out")
    command = "predict out rows.csv --keep=-b,y"
    ended = specnet(command).ok()
    pinned(ended.err)
    header, rows = csv_rows(ended.out)
    assert (header[:2], rows[0][:2], rows[1][:2]) == (["-b", "y"], ["-3", "@sum"], ["-2", "=1+1"])
    header, quoted = csv_rows(specnet(f"{command} --escape-formulas").went())
    assert header == ["'-b", "y", "prediction", "probability_=1+1", "probability_@sum"]
    assert quoted == [[cell if cell[-1].isdigit() and cell != "=1+1" else f"'{cell}" for cell in row] for row in rows]
    assert specnet(f"{command} -o told.csv").err.startswith(ended.err.replace("<stdout>", "told.csv"))
    for options in ("-o out.parquet", "--format json"):
        assert specnet(f"predict out rows.csv --escape-formulas {options}").status == 2
    assert "warning" not in specnet(f"{command} -o out.parquet").err


def test_rows_in_another_encoding_than_the_training_rows(specnet, folder):
    """The error names the option, and with it predictions are those of the same rows in UTF-8."""
    rows = "price;size;y\n" + "".join(f"{row % 7},50 €;{row % 5};{row % 2}\n" for row in range(40))
    for name, encoding in (("rows", "utf-8"), ("windows", "cp1252")):
        (folder / f"{name}.csv").write_text(rows, encoding=encoding)
    run(spec_of_rows(), folder / "priced")
    for verb in ("predict", "evaluate"):
        reported = specnet(f"{verb} priced windows.csv").failed(1)
        assert 'use --encoding cp1252, in which a cell is "0,50 €"' in reported
        assert 'unknown encoding "cp0"' in specnet(f"{verb} priced windows.csv --encoding cp0").failed(2)
    for command in ("predict priced {} --keep price", "evaluate priced {} --format json"):
        found, expected = (specnet(command.format(each)) for each in ("windows.csv --encoding cp1252", "rows.csv"))
        assert found.ok().out.replace("windows", "rows") == expected.ok().out


BIG = [9007199254740993, 9007199254740992, -9223372036854775807]
"""Two that float64 does not tell apart, and one below them."""


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["csv", "parquet", "npz"])
def test_big_labels_keep_their_digits_in_every_file(specnet, folder, kind):
    """From a table or arrays into the model, and from there into each kind of file of predictions."""
    rows = [(round(n % 3 + np.sin(n), 3), round(np.cos(3 * n), 3), BIG[n % 3]) for n in range(90)]
    write_rows("rows.csv", "a,b,y", rows)
    duckdb.sql("COPY (SELECT * FROM read_csv('rows.csv')) TO 'rows.parquet' (FORMAT parquet)")
    np.savez(folder / "rows.npz", X=[row[:2] for row in rows], y=[row[2] for row in rows])
    spec = spec_of_rows("categorical_crossentropy", 60, type=kind, path=f"rows.{kind}")
    spec["training"]["optimizer"] = {"type": "adam", "learning_rate": 0.1}
    spec["network"]["hidden_layer_sizes"] = [6]
    if kind == "npz":
        del spec["data"]["target"]
    model = run(spec, folder / "big", report=False).model
    assert model.labels.tolist() == sorted(BIG)
    for suffix in ("csv", "parquet", "npy"):
        specnet(f"predict big rows.{kind} -o out.{suffix} -q").ok()
    types, typed = parquet(folder / "out.parquet")
    assert types["prediction"] == "BIGINT"
    expected = model.predict([row[:2] for row in rows]).tolist()
    assert set(expected) == set(BIG)
    assert [int(row[0]) for row in csv_rows((folder / "out.csv").read_text())[1]] == expected
    assert [row[0] for row in typed] == expected
    assert np.load(folder / "out.npy").tolist() == expected
    assert predicted(specnet, "big", f"rows.{kind}")["prediction"] == expected
    if kind == "npz":
        return
    a, b, _ = rows[expected.index(BIG[0])]
    (folder / "gap.csv").write_text(f"a,b\n{a},{b}\n,0.5\n")
    specnet("predict big gap.csv --strict -q -o gap.parquet").ok()
    assert [row[0] for row in parquet(folder / "gap.parquet")[1]] == [BIG[0], None]
    refused = specnet("predict big gap.csv --strict -q -o gap.npy").failed(1)
    assert "error[data]: labels above 2⁵³ lose digits" in refused
    assert not (folder / "gap.npy").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("target", "loss"), [("species", "categorical_crossentropy"), ("body_mass_g", "mean_squared_error")]
)
def test_predictions_are_written_part_by_part(target, loss, specnet, folder, monkeypatch):
    """Some are predicted and written after the others."""
    settings = f"data.target={target} training.loss={loss} data.missing_target=drop training.epochs=9 training.metrics="
    run(PENGUINS, folder / "out", overrides=settings.split(), report=False, observer=Observer())
    command = f"predict out {PENGUINS.parent / 'data/penguins.csv'}"
    for suffix, keep in ((".csv", "--keep island,sex"), (".parquet", "--keep island,sex"), (".npy", "")):
        tables = []
        for rows in (10_000, 50):
            monkeypatch.setattr("specnet.cli.prediction_files.ROWS_AT_ONCE", rows)
            out = folder / f"{rows}{suffix}"
            specnet(f"{command} --out {out} {keep}").ok()
            if suffix == ".npy":
                tables.append({"prediction": np.load(out)})
            else:
                tables.append({name: column.to_numpy() for name, column in duckdb.sql(f"FROM '{out}'").df().items()})
        whole, parts = tables
        assert list(parts) == list(whole)
        for name, column in whole.items():
            if column.dtype.kind in "fi":  # a row's last digits may depend on the rows beside it
                np.testing.assert_allclose(parts[name], column, rtol=1e-5)
            else:
                assert pandas.Series(parts[name]).equals(pandas.Series(column))
    assert specnet(f"{command} --keep island,sex").out == (folder / "50.csv").read_text(encoding="utf-8")


# --------------------------------------------------------------------------- targets that are true or false, in words

POINTS = np.random.default_rng(0).normal(size=(60, 2)).round(2).tolist()
WORDS = {"smokes": ("No", "Yes"), "drinks": ("f", "t"), "old": ("false", "true"), "fit": (0, 1)}
"""What a file has for false and true; in JSON and Parquet, ``old`` is no text."""


def cells_of(row):
    above, first = sum(row) > 0, row[0] > row[1]
    found = {"smokes": above, "drinks": not above, "old": first, "fit": not first}
    return {name: WORDS[name][value] for name, value in found.items()} | {"old": first}


@pytest.fixture
def worded(folder, suffix):
    """Return the name of a file of which ``trained`` has a model."""
    lines = [json.dumps({"a": row[0], "b": row[1], **cells_of(row)}) for row in POINTS]
    (folder / "rows.jsonl").write_text("\n".join(lines) + "\n")
    if suffix != ".jsonl":
        form = {".csv": "csv, header", ".parquet": "parquet"}[suffix]
        duckdb.execute(f"COPY (FROM '{folder}/rows.jsonl') TO '{folder}/rows{suffix}' (FORMAT {form})")
    spec = spec_of_rows(epochs=60, type=suffix[1:], path=f"rows{suffix}", target=[*WORDS], features=["a", "b"])
    spec["training"]["metrics"] = ["accuracy"]
    run(spec, folder / "trained")
    return f"rows{suffix}"


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_predictions_of_several_targets_are_in_the_words_of_the_file(specnet, folder, worded):
    answers = load_model(folder / "trained").predict(np.array(POINTS))
    assert 0 < answers.mean() < 1, "both words are predicted"
    expected = {name: [WORDS[name][value] for value in answers[:, column]] for column, name in enumerate(WORDS)}
    header, rows = csv_rows(specnet("predict", "trained", worded).out)
    assert header[:4] == [f"prediction_{name}" for name in WORDS]
    columns = predicted(specnet, "trained", worded)
    for suffix in ("parquet", "npy"):
        specnet(f"predict trained {worded} -o out.{suffix} -q").went()
    stored = parquet("out.parquet")[1]
    assert np.load(folder / "out.npy").T.tolist() == [[*map(str, words)] for words in expected.values()]
    for column, (name, words) in enumerate(expected.items()):
        assert [row[column] for row in rows] == list(map(str, words))
        assert columns[f"prediction_{name}"] == [row[column] for row in stored] == words


@pytest.mark.parametrize("suffix", [".csv"])
def test_what_tells_true_from_false_is_read_as_before_and_shown(specnet, folder, worded):
    """In other words of a file to evaluate, and again by the resolved spec; tables and pages say which word is true."""
    rows = (folder / worded).read_text()
    for word, other in {"Yes": "1", "No": "0", "true": "T", "false": "f"}.items():
        rows = rows.replace(word, other)
    (folder / "other.csv").write_text(rows)
    found, expected = (specnet(f"evaluate trained {file} --format json").document for file in ("other.csv", worded))
    assert {**found, "warnings": [], "data": ""} == {**expected, "warnings": [], "data": ""}
    run(folder / "trained/spec.resolved.json", folder / "again")
    model, again = ((folder / name / "model.safetensors").read_bytes() for name in ("trained", "again"))
    assert model == again
    metrics = json.loads((folder / "trained/metrics.json").read_text())
    assert metrics["tables"]["test"]["words"] == {name: [*words] for name, words in WORDS.items() if name != "fit"}
    page = (folder / "trained/report.html").read_text()
    assert all(f"{name} (1 is {word})" in page for name, word in [("smokes", "Yes"), ("drinks", "t"), ("old", "true")])
    assert "fit (1 is" not in page


# --------------------------------------------------- one enormous number: named, and no reason to lose the other rows

LINE = 9


@pytest.fixture
def tables(folder):
    """Write a spec, its rows, and rows of which one has an enormous number."""
    rng = np.random.default_rng(0)
    rows = [["c", f"{a:+.3f}", f"{b:.3f}", str(row % 2)] for row, (a, b) in enumerate(rng.normal(size=(40, 2)))]
    for name, number in (("rows", rows[LINE - 2][2]), ("large", "1e303")):
        rows[LINE - 2][2] = number
        write_rows(f"{name}.csv", "kind,a,b,y", [*rows[:2], ["c", 1, 1, ""], *rows[2:]])
        records = [dict(zip(["kind", "a", "b", "y"], ["c", *map(float, row[1:])], strict=True)) for row in rows]
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    spec = spec_of_rows(features=["a", "b"], missing_target="drop")
    spec["network"]["preprocessing"] = ["standardize"]
    (folder / "spec.json").write_text(json.dumps(spec))


LARGE = {
    'data.path="large.csv"': f"large.csv:{LINE + 1}:10",
    'data.split.test="large.csv"': f"large.csv:{LINE + 1}:10",
    'data={type="jsonl", path="large.jsonl", target="y", features=["a","b"]}': f"large.jsonl:{LINE - 1}:1",
}


@pytest.mark.usefixtures("tables")
@pytest.mark.parametrize("setting", LARGE)
def test_a_run_names_the_cell_before_it_trains(specnet, folder, setting):
    reported = specnet("run", "spec.json", "-o", "out", "--set", setting).failed(1)
    assert f'{LARGE[setting]}: error[too-large]: column "b": 1e+303 is too large' in reported
    assert not (folder / "out").exists()


@pytest.mark.usefixtures("tables")
def test_rows_with_a_large_cell_alone_are_not_predicted(specnet):
    specnet("run spec.json -o out -q").ok()
    (_, expected), (_, predicted) = (
        csv_rows(specnet(f"predict out {name}.csv").ok().out) for name in ("rows", "large")
    )
    warned = specnet("predict out large.csv").err
    assert f"large.csv:{LINE + 1}:10: warning[not-predicted]: 1 of 41 rows has no prediction: column" in warned
    assert predicted.pop(LINE - 1) == ["", "", ""]
    expected.pop(LINE - 1)
    assert predicted == expected
    np.savez("large.npz", X=[[0.0, 1.0], [0.0, 1e303]])
    data = specnet("predict out large.npz --format json").document
    assert [cell is None for cell in data["columns"]["prediction"]] == [False, True]
    assert "row 1 are too large" in data["warnings"][0]["message"]
    assert f'large.jsonl:{LINE - 1}:1: error[too-large]: column "b"' in specnet("evaluate out large.jsonl").failed(1)


@pytest.mark.usefixtures("tables")
@pytest.mark.parametrize(
    "settings", [('data.split.test="large.csv"',), ('data.path="large.csv"', 'network.preprocessing=["robust"]')]
)
def test_what_float64_holds_is_read_without_a_warning_of_numpy(specnet, settings):
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        warnings.simplefilter("ignore", SpecnetWarning)
        run("spec.json", "out", overrides=["network.dtype=float64", *settings], report=False)
        specnet("predict out large.csv").ok()
        specnet("evaluate out large.csv").ok()
