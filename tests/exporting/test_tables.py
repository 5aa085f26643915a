"""Exports of models whose columns are texts, numbers with gaps, dates and booleans: they answer as the model does."""

from __future__ import annotations

import csv
import io
import json
import runpy
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from specnet import ExportError, Model, export
from specnet.data import RawColumns, read_inputs
from specnet.errors import UnsupportedError
from specnet.exporting import find_target
from specnet.exporting.export_columns import columns_of, texts_of
from specnet.exporting.export_proof import probe_rows
from specnet.model import untrained_gaps
from specnet.parts.data import Column
from specnet.parts.preprocessing import CategoryEmbedding, Impute, OneHot, QuantileRanks, Standardize
from specnet.spec import ColumnGroup
from tests.exporting.languages.test_c import compiled
from tests.exporting.models import DTYPES, SPECS, exported, spec_model
from tests.exporting.tables import ISLANDS, KINDS, NAMES, ODD, model_of, month_model, table_model, training_rows
from tests.exporting.tools import NODE, PLAIN, RUNNABLE, SUFFIXES, as_program, needs_compiler, needs_node
from tests.texts.pinned import Refused

TOLERANCE = {"float64": 1e-12, "float32": 2e-6}
FORMS = ["one_hot", pytest.param("ordinal", marks=pytest.mark.slow), pytest.param("embedding", marks=pytest.mark.slow)]
SEX = 'the "sex"'


def asked_rows() -> RawColumns:
    """Return rows for the model of `tables`: each odd text, gaps in every column that may have them, and new texts."""
    texts = {"island": [*ISLANDS, "Atlantis", "biscoe", "Biscoe "], SEX: [*ODD, "new", "back\\\\slash", "two\r\nlines"]}
    count = len(texts[SEX]) + 1
    rng = np.random.default_rng(8)
    X = np.stack(
        [
            np.arange(count) % len(texts["island"]),
            rng.normal(44, 5, count),
            rng.normal(17, 2, count),
            np.arange(count),
            rng.normal(200, 14, count).round(),
            rng.normal(4200, 800, count).round(),
            rng.integers(10_000, 16_000, count) + 0.25,
            rng.integers(0, 2, count),
        ],
        axis=1,
    )
    X[-1, 3] = np.nan
    for place in (0, 1, 2, 4, 5, 6):
        X[place::7, place] = np.nan
    X = X.astype(np.float32).astype(np.float64)
    in_order = {name: sorted(known) for name, known in texts.items()}
    for name, known in texts.items():
        column = X[:, NAMES.index(name)]
        column[:] = [np.nan if np.isnan(k) else in_order[name].index(known[int(k)]) for k in column]
    kinds = [Column(name, kind, np.array(in_order[name]) if name in texts else None) for name, kind in KINDS.items()]
    return RawColumns(X, tuple(kinds))


def cells(model: Model, rows: RawColumns) -> list[list[Any]]:
    """Return rows as a person writes them: None where a cell is missing."""
    table = rows.X.astype(object)
    for place, texts in texts_of(columns_of(model), rows).items():
        table[:, place] = texts
    return [[None if cell == "" or cell != cell else cell for cell in row] for row in table.tolist()]


@pytest.mark.slow
@pytest.mark.parametrize("target", RUNNABLE)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("form", FORMS)
def test_they_agree(form: str, dtype: str, target: str, tmp_path: Path):
    model, path = table_model(form, dtype), tmp_path / f"m{SUFFIXES[target]}"
    assert exported(model, target, path).dtype == dtype
    kind, rows = find_target(target), asked_rows()
    found = kind.run(kind.program(model, np.dtype(dtype)), path, rows)
    np.testing.assert_allclose(found.outputs, model.predict_proba(rows), rtol=0, atol=TOLERANCE[dtype])
    np.testing.assert_array_equal(found.predictions, model.predict(rows))


@pytest.mark.parametrize("target", RUNNABLE)
def test_rows_that_are_compared_have_all_that_a_table_has(target: str):
    model, kind = table_model("embedding"), find_target(target)
    rows, ordinary = probe_rows(kind.program(model, np.dtype(np.float64)))
    np.testing.assert_array_equal(np.isnan(rows.X).any(axis=0), [True] * 7 + [False])
    assert np.isnan(rows.X[0, [1, 2, 4, 5, 6]]).all()
    islands, odd = map(set, texts_of(columns_of(model), rows.part(slice(ordinary))).values())
    assert {*ISLANDS, "", "Biscoex", " Dream", "tORGERSEN", "unknown"} <= islands
    assert {*ODD, ""} < odd
    assert np.isfinite(model.predict_proba(rows)).all()


def wrong_onnx(content: bytes) -> bytes:
    model = onnx.ModelProto.FromString(content)
    node = next(node for node in model.graph.node if node.op_type == "LabelEncoder")
    (values,) = (attribute for attribute in node.attribute if attribute.name == "values_int64s")
    values.ints[0], values.ints[1] = values.ints[1], values.ints[0]
    return model.SerializeToString()


WRONG = {
    "numpy": lambda content: content.replace(b"'Dream': 2", b"'Dream': 1"),
    "javascript": lambda content: content.replace(b'["", 19]', b'["", 18]'),
    "c": lambda content: content.replace(b'"Dream",', b'"Dreams",'),
    "onnx": wrong_onnx,
}


@pytest.mark.slow
@pytest.mark.parametrize("target", RUNNABLE)
def test_a_wrong_code_is_seen(target: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: Refused):
    kind = type(find_target(target))
    render = kind.render

    def rendered(self, program, path):
        files = render(self, program, path)
        wrong = WRONG[target](files[path])
        assert wrong != files[path]
        return files | {path: wrong}

    monkeypatch.setattr(kind, "render", rendered)
    with refused(ExportError, varying=r"[0-9.e+-]+[0-9]"):
        export(table_model(), target, tmp_path / f"m{SUFFIXES[target]}")
    assert not list(tmp_path.iterdir())


def rare_model(dtype: str) -> Model:
    """Return a model with a category of which all texts are rare, beside one that is never missing, and numbers."""
    rng = np.random.default_rng(9)
    rare = np.array([f"id{k:03}" for k in range(60)])
    X = np.stack([rng.permutation(60), rng.normal(size=60), rng.permutation(60), np.arange(60) % 2], axis=1)
    texts = {"a": rare, "c": rare, "d": np.array(["no", "yes"])}
    kinds = tuple(Column(name, "category" if name in texts else "numeric", texts.get(name)) for name in "abcd")
    written = [
        ColumnGroup(columns=("a",), steps=(OneHot(),)),
        ColumnGroup(columns=("b",), steps=(Standardize(),)),
        ColumnGroup(columns=("d",), steps=(OneHot(),)),
        ColumnGroup(columns=("c",), steps=(CategoryEmbedding(size=2),)),
    ]
    return model_of(written, RawColumns(X, kinds), dtype, "mean_squared_error")


@pytest.mark.slow
@pytest.mark.parametrize("target", RUNNABLE)
def test_a_category_without_codes_has_no_columns(target: str, tmp_path: Path):
    model = rare_model("float64")
    assert [group.steps[0].counts for group in model.preprocessing.groups if group.places != (1,)] == [(0,), (2,), (0,)]
    exported(model, target, tmp_path / f"m{SUFFIXES[target]}")


def gaps_model(dtype: str) -> Model:
    """Return a model of numbers alone, of which one column may be missing."""
    X = np.random.default_rng(10).normal(size=(50, 2))
    X[::4, 0] = np.nan
    written = [
        ColumnGroup(columns=("a",), steps=(Impute(), Standardize())),
        ColumnGroup(columns=("b",), steps=(Standardize(),)),
    ]
    return model_of(written, RawColumns(X, (Column("a", "numeric"), Column("b", "numeric"))), dtype, "mse")


@pytest.mark.slow
@pytest.mark.parametrize("target", RUNNABLE)
@pytest.mark.parametrize("make", [gaps_model, month_model])
def test_float32_prepares_in_float64(make: Any, target: str, tmp_path: Path):
    assert exported(make("float32"), target, tmp_path / f"m{SUFFIXES[target]}").proof.rounding == 0


@pytest.mark.parametrize("codes", [1, 3, 400])
def test_the_proof_asks_about_gaps_that_training_did_not_have(codes: int):
    X = np.stack([np.arange(5.0 * codes) % codes, np.random.default_rng(0).normal(size=5 * codes)], axis=1)
    kinds = (Column("a", "category", np.array([f"{code:03d}" for code in range(codes)])), Column("b", "numeric"))
    written = [
        ColumnGroup(columns=("a",), steps=(OneHot(),)),
        ColumnGroup(columns=("b",), steps=(Impute(), Standardize())),
    ]
    model = model_of(written, RawColumns(X, kinds), "float64", "mse")
    rows, _ = probe_rows(find_target("numpy").program(model, np.dtype("float64")))
    assert untrained_gaps(model.preparations, rows).any(axis=0).all()


@pytest.mark.slow
def test_numpy_takes_rows_tables_and_what_is_missing(tmp_path: Path):
    model, rows = table_model(), asked_rows()
    exported(model, "numpy", tmp_path / "m.py")
    module, written = runpy.run_path(str(tmp_path / "m.py")), cells(model, rows)
    expected, columns = model.predict_proba(rows), dict(zip(NAMES, map(list, zip(*written, strict=True)), strict=True))
    others = [["" if cell is None else cell for cell in row] for row in written]
    given = [written, others, np.array(written, object), columns, {"more": [], **dict(reversed(columns.items()))}]
    given += [{name: np.array([np.nan if cell is None else cell for cell in column], object)
               for name, column in columns.items()}]  # fmt: skip # as pandas has them
    given += [[[str(cell) if isinstance(cell, float) else cell for cell in row] for row in written]]
    for X in given:
        np.testing.assert_allclose(module["predict_proba"](X), expected, rtol=0, atol=1e-12)
        np.testing.assert_array_equal(module["predict"](X), model.predict(rows))


def test_numpy_takes_data_frames(tmp_path: Path):
    import pandas

    model, rows = table_model(), asked_rows()
    exported(model, "numpy", tmp_path / "m.py")
    frame = pandas.DataFrame(cells(model, rows), columns=NAMES)
    module = runpy.run_path(str(tmp_path / "m.py"))
    dated = frame.assign(seen=pandas.to_datetime(pandas.to_numeric(frame["seen"]), unit="D"))
    assert dated["seen"].dtype.kind == "M"
    for X in (frame, frame.convert_dtypes(), frame.astype({"island": "category"}), dated):
        np.testing.assert_allclose(module["predict_proba"](X), model.predict_proba(rows), rtol=0, atol=1e-12)


def test_numpy_makes_texts_of_other_cells(tmp_path: Path):
    rows = training_rows()
    texts = np.array(["2007", "2008", "false", "true"])
    X = np.stack([np.arange(len(rows)) % 4.0], axis=1)
    model = model_of(
        [ColumnGroup(columns=("year",), steps=(OneHot(),))],
        RawColumns(X, (Column("year", "category", texts),)),
        "float64",
        "mse",
    )
    exported(model, "numpy", tmp_path / "m.py")
    predict = runpy.run_path(str(tmp_path / "m.py"))["predict"]
    given = [2007, np.int64(2008), False, np.True_, 2007.0, np.float32(2008), "2007", "true", 2007.5, 1]
    place = [0, 1, 2, 3, 0, 1, 0, 3, 4, 4]
    asked = RawColumns(np.array(place, float)[:, None], (Column("year", "category", np.array([*texts, "x"])),))
    np.testing.assert_allclose(predict([[cell] for cell in given]), model.predict(asked), rtol=0, atol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("cell", [np.nan, None, "", np.inf, "x"])
def test_numpy_refuses_numbers_that_the_model_needs(cell: Any, tmp_path: Path):
    exported(gaps_model("float64"), "numpy", tmp_path / "m.py")
    predict = runpy.run_path(str(tmp_path / "m.py"))["predict"]
    assert np.isfinite(predict([[cell if cell not in (np.inf, "x") else None, 0.5]])).all()
    with pytest.raises(ValueError, match=r"X has a number that is missing or not finite|expected a number"):
        predict([[0.5, cell]])
    with pytest.raises(ValueError, match="shape"):
        predict([[0.5]])


@pytest.mark.slow
def test_numpy_reads_csv_as_specnet_does(tmp_path: Path):
    model, rows = table_model(), asked_rows()
    exported(model, "numpy", tmp_path / "m.py")
    stream, known = io.StringIO(), [text for text in (*ODD, *ISLANDS) if text != "nan"]
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["id", *reversed(NAMES)])
    kept = [k for k, row in enumerate(cells(model, rows)) if {row[0], row[3]} <= {*known, None}]
    for number in kept:
        row = cells(model, rows)[number]
        shown = [("NA" if number % 2 else "") if cell is None else f" {cell} " for cell in reversed(row)]
        writer.writerow([number, *shown])
    printed, refusal = as_program(tmp_path / "m.py", given=stream.getvalue().encode())
    assert not refusal
    header, *answers = csv.reader(io.StringIO(printed))
    assert header == ["prediction", "probability_Adelie", "probability_Chinstrap", "probability_Gentoo"]
    found = np.array([[float(cell) for cell in answer[1:]] for answer in answers])
    np.testing.assert_allclose(found, model.predict_proba(RawColumns(rows.X[kept], rows.kinds)), rtol=0, atol=1e-12)

    def refused(text: str) -> str:
        return as_program(tmp_path / "m.py", given=text.encode())[1]

    wrong = refused(f"{','.join(NAMES[:3])},sex,a,b,c,d\nDream,1,2,male,3,4,5,6\n")
    assert wrong == 'line 1: missing column the "sex", flipper_length_mm, body_mass_g, seen, ringed'
    names = ",".join(name.replace('"', '""').join('""') for name in NAMES)
    for row, said in (
        ("Dream,x,2,,3,4,5,1", "a number, got 'x'"),
        ("Dream,1,2,,3,4,2020-01-32,1", "a date, got '2020-01-32'"),
        ("Dream,1,2,,3,4,2020-01-31,maybe", "true or false, got 'maybe'"),
        (",,,,,,,", "true or false, got ''"),
    ):
        assert refused(f"{names}\n{row}\n") == f"line 2: expected {said}"


@pytest.mark.slow
@needs_node
def test_javascript_takes_rows_as_people_write_them(tmp_path: Path):
    model, rows = table_model(), asked_rows()
    exported(model, "javascript", tmp_path / "m.mjs")
    script = """
import { forward, predict } from "./m.mjs";
import { readFileSync } from "node:fs";
const rows = JSON.parse(readFileSync("rows.json", "utf8"));
const missing = [null, undefined, NaN, ""];
const said = missing.map((nothing) => rows.map((row) => [...forward(row.map((cell) => cell ?? nothing))]));
const refused = (change) => {
  try { return predict(Object.assign([...rows[1]], change)); } catch (error) { return `${error}`; }
};
const wrong = [{ 1: "44.5" }, { 6: new Date(0) }, { 7: -Infinity }, { 7: null }].map(refused);
console.log(JSON.stringify({ said, wrong, short: refused({ length: 3 }), flag: refused({ 7: true }) }));
"""
    (tmp_path / "run.mjs").write_text(script)
    (tmp_path / "rows.json").write_text(json.dumps(cells(model, rows)))
    assert NODE is not None
    ended = subprocess.run([NODE, "run.mjs"], cwd=tmp_path, env=PLAIN, capture_output=True, text=True, check=True)
    found = json.loads(ended.stdout)
    for outputs in found["said"]:
        np.testing.assert_allclose(outputs, model.predict_proba(rows), rtol=0, atol=1e-12)
    *wrong, missing = found["wrong"]
    assert wrong == [f"RangeError: x[{place}] is not a finite number" for place in (1, 6, 7)]
    assert missing == "RangeError: x has a column that is not finite or not a category"
    assert found["short"] == "RangeError: x has 3 columns; expected 8"
    assert found["flag"] in ("Adelie", "Chinstrap", "Gentoo")


@pytest.mark.slow
@needs_compiler
def test_c_has_a_function_for_codes(tmp_path: Path):
    model = table_model("ordinal", "float32")
    exported(model, "c", tmp_path / "penguins.c")
    asked = [(3, text) for text in sorted(ODD)] + [
        (0, "Dream"),
        (0, "Dream "),
        (0, "Dre"),
        (0, "dream"),
        (0, ISLANDS[2]),
    ]
    asked += [(0, ""), (3, ""), (1, "Dream"), (7, ""), (-1, "Dream"), (8, "Dream"), (2**31 - 1, "x")]
    lines = "".join(f'    printf("%d ", penguins_code({place}, {json_c(text)}));\n' for place, text in asked)
    lines += '    printf("%d %d", penguins_code(0, NULL), penguins_code(3, NULL));\n'
    main = f'#include <stdio.h>\n#include "penguins.h"\n\nint main(void)\n{{\n{lines}    return 0;\n}}\n'
    (tmp_path / "main.c").write_text(main, encoding="utf-8")
    ended = subprocess.run([compiled(tmp_path)], capture_output=True, text=True, check=True)
    assert list(map(int, ended.stdout.split())) == [
        *range(1, len(ODD) + 1), 2, 0, 0, 0, 3, 0, len(ODD) + 1, 0, 0, 0, 0, 0, 0, len(ODD) + 1,
    ]  # fmt: skip # several to a line


def json_c(text: str) -> str:
    """Return a text as C writes it, by hand."""
    return '"' + "".join(f"\\{byte:03o}" for byte in text.encode()) + '"'


PEERS = [pytest.param(name, marks=pytest.mark.peers) for name in ("torch", "keras")]


@pytest.mark.parametrize("target", ["sklearn", *PEERS])
def test_libraries_without_texts_refuse_them(target: str, tmp_path: Path):
    with pytest.raises(
        UnsupportedError, match='has no equivalent of columns of texts: "island", "the "sex""'
    ) as caught:
        export(table_model(), target, tmp_path / f"m{find_target(target).suffix}")
    assert caught.value.diagnostics[0].hint == "onnx, numpy and javascript take texts; c has a function for their codes"
    assert not list(tmp_path.iterdir())


@pytest.mark.peers
def test_torch_takes_gaps(tmp_path: Path):
    exported(gaps_model("float32"), "torch", tmp_path / "m.py")


@pytest.mark.slow
@pytest.mark.parametrize("target", RUNNABLE)
def test_two_groups_of_the_same_step_have_tables_of_their_own(target: str, tmp_path: Path):
    X = np.random.default_rng(11).normal(size=(60, 3))
    written = [
        ColumnGroup(columns=("a", "c"), steps=(QuantileRanks(points=9),)),
        ColumnGroup(columns=("b",), steps=(QuantileRanks(points=5),)),
    ]
    model = model_of(written, RawColumns(X, tuple(Column(name, "numeric") for name in "abc")), "float64", "mse")
    exported(model, target, tmp_path / f"m{SUFFIXES[target]}")


@pytest.mark.slow
def test_the_penguins_are_read_from_their_file(tmp_path: Path):
    model = spec_model("penguins.toml")
    exported(model, "numpy", tmp_path / "m.py")
    source = SPECS / "data" / "penguins.csv"
    rows = read_inputs(source, model.network.resolved)
    header, *answers = csv.reader(io.StringIO(as_program(tmp_path / "m.py", source)[0]))
    assert header[0] == "prediction"
    assert [answer[0] for answer in answers] == model.predict(rows).tolist()
    found = [[float(cell) for cell in answer[1:]] for answer in answers]
    np.testing.assert_allclose(found, model.predict_proba(rows), rtol=0, atol=2e-6)
    assert np.isnan(rows.X).sum() > 10


@needs_compiler
@pytest.mark.slow
def test_times_that_float_does_not_hold_enter_c_and_onnx_in_double(tmp_path: Path):
    """One second apart, days since 1970 are one number in float; the model says that it is a weekend, or not."""
    model = table_model("one_hot", "float32")
    rows = asked_rows()
    seen = NAMES.index("seen")
    rows.X[:, seen] = 20_000 + np.arange(len(rows)) / 24 + np.where(np.arange(len(rows)) % 2, -1, 1) / 86_400
    assert (rows.X[:, seen] != rows.X[:, seen].astype(np.float32)).all()
    expected = model.predict_proba(rows)
    for target in ("c", "onnx"):
        path = exported(model, target, tmp_path / f"m{SUFFIXES[target]}").files[0]
        program = find_target(target).program(model, model.network.dtype)
        np.testing.assert_allclose(find_target(target).run(program, path, rows).outputs, expected, rtol=0, atol=2e-6)
    header = (tmp_path / "m.h").read_text()
    assert "/* Columns are double: float does not hold their digits. */" in header
    assert "void m_forward(const double *x, real *y);" in header
