"""Exports of models whose columns are texts, numbers with gaps, dates and booleans: they answer as the model does."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pandas
import pytest

from specnet import ExportError, Model, export
from specnet.exporting import find_target
from specnet.exporting.export_columns import columns_of, texts_of
from specnet.model import untrained_missing_values
from tests.exporting import tables, tools
from tests.exporting.models import DTYPES, exported, functions_of
from tests.exporting.tables import fitted, group, raw
from tests.registry import REGISTRY
from tests.texts.pinned import Refused

TOLERANCE = {"float64": 1e-12, "float32": 2e-6}
FORMS = [
    "one_hot",
    "target_encoding",
    pytest.param("ordinal", marks=pytest.mark.slow),
    pytest.param("embedding", marks=pytest.mark.slow),
]
RNG = np.random.default_rng(0)


@tools.each_target
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("form", FORMS)
def test_they_agree(form: str, dtype: str, target: str, tmp_path: Path):
    model, path = tables.table_model(form, dtype), tmp_path / f"m{tools.SUFFIXES[target]}"
    assert exported(model, target, path).dtype == dtype
    rows = raw(model, tables.asked_rows())
    found = tools.run_export(target, model, path, rows)
    np.testing.assert_allclose(found.outputs, model.predict_proba(rows), rtol=0, atol=TOLERANCE[dtype])
    np.testing.assert_array_equal(found.predictions, model.predict(rows))


@pytest.mark.parametrize("target", tools.RUNNABLE)
def test_rows_that_are_compared_have_all_that_a_table_has(target: str):
    model = tables.table_model("embedding")
    rows, ordinary, _ = tools.probe(model, target)
    np.testing.assert_array_equal(np.isnan(rows.X).any(axis=0), [True] * 7 + [False])
    assert np.isnan(rows.X[0, [1, 2, 4, 5, 6]]).all()
    islands, odd = map(set, texts_of(columns_of(model), rows.part(slice(ordinary))).values())
    assert {*tables.ISLANDS, "", "Biscoex", " Dream", "tORGERSEN", "unknown"} <= islands
    assert {*tables.ODD, ""} < odd
    assert np.isfinite(model.predict_proba(rows)).all()


@pytest.mark.parametrize("codes", [1, 3, 400])
def test_the_proof_asks_about_gaps_that_training_did_not_have(codes: int):
    texts = [f"{code:03d}" for code in range(codes)] * 5
    rows = pandas.DataFrame({"a": pandas.Series(texts, dtype="category"), "b": RNG.normal(size=5 * codes)})
    model = fitted([group("a", "one_hot"), group("b", "impute", "standardize")], rows)
    assert untrained_missing_values(model.preparations, tools.probe(model)[0]).any(axis=0).all()


def test_every_step_is_in_a_chain_and_its_rows_lie_where_it_does_something():
    steps = [step for chain in [*tables.CHAINS.values(), *tables.TARGETS.values()] for step in chain]
    of_texts = {"one_hot", "ordinal", "embedding", "target_encoding", "text_vectors"}
    names = {part.part_name() for part in REGISTRY.of_kind("preprocessing")}
    assert {step if isinstance(step, str) else step["type"] for step in steps} == names - of_texts
    for name in tables.CHAINS:
        model = tables.chain_model(name, "float64")
        rows, _, _ = tools.probe(model)
        assert np.isnan(rows.X).any() == name.startswith(("impute", "calendar"))
        prepared = model.preprocessing.prepare(rows.X)
        assert np.isfinite(prepared).all()
        assert (np.ptp(prepared, axis=0) > 0).mean() > 0.4


def wrong_onnx(content: bytes) -> bytes:
    model = onnx.ModelProto.FromString(content)
    node = next(node for node in model.graph.node if node.op_type == "LabelEncoder")
    (values,) = (attribute for attribute in node.attribute if attribute.name == "values_int64s")
    values.ints[0], values.ints[1] = values.ints[1], values.ints[0]
    return model.SerializeToString()


WRONG: dict[str, Callable[[bytes], bytes]] = {
    "numpy": lambda content: content.replace(b"'Dream': 2", b"'Dream': 1"),
    "javascript": lambda content: content.replace(b'["", 19]', b'["", 18]'),
    "c": lambda content: content.replace(b'"Dream",', b'"Dreams",'),
    "onnx": wrong_onnx,
}


@tools.each_target
def test_a_wrong_code_is_seen(target: str, tmp_path: Path, change: Callable[..., None], refused: Refused):
    def rendered(files: dict[Path, bytes], _: Any, path: Path) -> dict[Path, bytes]:
        wrong = WRONG[target](files[path])
        assert wrong != files[path]
        return files | {path: wrong}

    change(target, "render", rendered)
    with refused(ExportError, varying=r"[0-9.e+-]+[0-9]"):
        export(tables.table_model(), target, tmp_path / f"m{tools.SUFFIXES[target]}")
    assert not list(tmp_path.iterdir())


def rare_model() -> Model:
    """Return a model with categories of which all texts are rare, beside one that is never missing, and numbers."""
    ids = pandas.Series([f"id{k:03}" for k in range(60)], dtype="category")
    rows = pandas.DataFrame({"a": ids, "b": RNG.normal(size=60), "c": ids, "d": ["left", "right"] * 30})
    embedding = {"type": "embedding", "size": 2}
    own = {"type": "one_hot", "maximum_categories": 999}  # another step than that of d, for a group of its own
    return fitted(
        [
            group("a", own),
            group("b", "standardize"),
            group("d", "one_hot"),
            group("c", embedding),
        ],
        rows,
    )


def quantile_model() -> Model:
    """Return a model with two groups of the same step, which have tables of their own."""
    rows = pandas.DataFrame(RNG.normal(size=(60, 3)), columns=["a", "b", "c"])
    return fitted([group("a c", tables.QUANTILES), group("b", {**tables.QUANTILES, "points": 5})], rows)


@tools.each_target
@pytest.mark.parametrize("make", [rare_model, quantile_model])
def test_groups_with_tables_without_codes_or_of_their_own(make: Callable[[], Model], target: str, tmp_path: Path):
    model = make()
    if make is rare_model:
        a, _, d, c = model.preprocessing.groups
        assert [each.steps[0].counts for each in (a, d, c)] == [(0,), (2,), (0,)]
    exported(model, target, tmp_path / f"m{tools.SUFFIXES[target]}")


@tools.each_target
@pytest.mark.parametrize("make", [tables.gaps_model, tables.month_model])
def test_float32_prepares_in_float64(make: Any, target: str, tmp_path: Path):
    assert exported(make("float32"), target, tmp_path / f"m{tools.SUFFIXES[target]}").proof.rounding == 0


def test_numpy_takes_rows_tables_data_frames_and_what_is_missing(tmp_path: Path):
    model, frame = tables.table_model(), tables.asked_rows()
    rows, written, functions = raw(model, frame), tables.cells(frame), functions_of(model, tmp_path)
    columns = dict(zip(tables.NAMES, map(list, zip(*written, strict=True)), strict=True))
    others = [["" if cell is None else cell for cell in row] for row in written]
    texts = [[str(cell) if isinstance(cell, float) else cell for cell in row] for row in written]
    given: list[Any] = [written, others, texts, np.array(written, object)]
    given += [columns, {"more": [], **dict(reversed(columns.items()))}]
    nan = {name: [np.nan if cell is None else cell for cell in column] for name, column in columns.items()}
    given += [{name: np.array(column, object) for name, column in nan.items()}]  # as pandas has them
    days = pandas.DataFrame(written, columns=tables.NAMES)
    given += [days, days.convert_dtypes(), days.astype({"island": "category"}), frame]
    for X in given:
        np.testing.assert_allclose(functions["predict_proba"](X), model.predict_proba(rows), rtol=0, atol=1e-12)
        np.testing.assert_array_equal(functions["predict"](X), model.predict(rows))


def test_numpy_makes_texts_of_other_cells(tmp_path: Path):
    texts = ["2007", "2008", "false", "true"]
    rows = pandas.DataFrame({"year": pandas.Series(texts * 100, dtype="category")})
    model = fitted([group("year", "one_hot")], rows)
    predict = functions_of(model, tmp_path)["predict"]
    given = [2007, np.int64(2008), False, np.True_, 2007.0, np.float32(2008), "2007", "true", 2007.5, 1]
    asked = raw(model, pandas.DataFrame({"year": [[*texts, "x"][place] for place in (0, 1, 2, 3, 0, 1, 0, 3, 4, 4)]}))
    np.testing.assert_allclose(predict([[cell] for cell in given]), model.predict(asked), rtol=0, atol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("cell", [np.nan, None, "", np.inf, "x"])
def test_numpy_refuses_numbers_that_the_model_needs(cell: Any, tmp_path: Path):
    predict = functions_of(tables.gaps_model("float64"), tmp_path)["predict"]
    assert np.isfinite(predict([[cell if cell not in (np.inf, "x") else None, 0.5]])).all()
    with pytest.raises(ValueError, match=r"X has a number that is missing or not finite|expected a number"):
        predict([[0.5, cell]])
    with pytest.raises(ValueError, match="shape"):
        predict([[0.5]])


@pytest.mark.slow
def test_numpy_reads_csv_as_specnet_does(tmp_path: Path):
    model, frame = tables.table_model(), tables.asked_rows()
    exported(model, "numpy", tmp_path / "m.py")
    stream, known = io.StringIO(), [text for text in (*tables.ODD, *tables.ISLANDS) if text != "nan"]
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["id", *reversed(tables.NAMES)])
    written = {number: row for number, row in enumerate(tables.cells(frame)) if {row[0], row[3]} <= {*known, None}}
    for number, row in written.items():
        missing = "NA" if number % 2 else ""
        writer.writerow([number, *(missing if cell is None else f" {cell} " for cell in reversed(row))])
    printed, refusal = tools.as_program(tmp_path / "m.py", given=stream.getvalue().encode())
    assert not refusal
    header, *answers = csv.reader(io.StringIO(printed))
    assert header == ["prediction", "probability_Adelie", "probability_Chinstrap", "probability_Gentoo"]
    found = np.array([[float(cell) for cell in answer[1:]] for answer in answers])
    expected = model.predict_proba(raw(model, frame.loc[[*written]]))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)
    assert [answer[0] for answer in answers] == model.predict(raw(model, frame.loc[[*written]])).tolist()

    def refused(text: str) -> str:
        return tools.as_program(tmp_path / "m.py", given=text.encode())[1]

    wrong = refused(f"{','.join(tables.NAMES[:3])},sex,a,b,c,d\nDream,1,2,male,3,4,5,6\n")
    assert wrong == 'line 1: missing column the "sex", flipper_length_mm, body_mass_g, seen, ringed'
    names = ",".join(name.replace('"', '""').join('""') for name in tables.NAMES)
    for row, reason in (
        ("Dream,x,2,,3,4,5,1", "a number, got 'x'"),
        ("Dream,1,2,,3,4,2020-01-32,1", "a date, got '2020-01-32'"),
        ("Dream,1,2,,3,4,2020-01-31,maybe", "true or false, got 'maybe'"),
        (",,,,,,,", "true or false, got ''"),
    ):
        assert refused(f"{names}\n{row}\n") == f"line 2: expected {reason}"


@pytest.mark.slow
@tools.needs_node
def test_javascript_takes_rows_as_people_write_them(tmp_path: Path):
    model, frame = tables.table_model(), tables.asked_rows()
    exported(model, "javascript", tmp_path / "m.mjs")
    (tmp_path / "rows.json").write_text(json.dumps(tables.cells(frame)))
    script = """
import { forward, predict } from "./m.mjs";
import { readFileSync } from "node:fs";
const rows = JSON.parse(readFileSync("rows.json", "utf8"));
const missing = [null, undefined, NaN, ""];
const answers = missing.map((nothing) => rows.map((row) => [...forward(row.map((cell) => cell ?? nothing))]));
const refused = (change) => {
  try { return predict(Object.assign([...rows[1]], change)); } catch (error) { return `${error}`; }
};
const wrong = [{ 1: "44.5" }, { 6: new Date(0) }, { 7: -Infinity }, { 7: null }].map(refused);
console.log(JSON.stringify({ answers, wrong, short: refused({ length: 3 }), flag: refused({ 7: true }) }));
"""
    found = tools.printed_by_node(script, tmp_path)
    for outputs in found["answers"]:
        np.testing.assert_allclose(outputs, model.predict_proba(raw(model, frame)), rtol=0, atol=1e-12)
    *wrong, missing = found["wrong"]
    assert wrong == [f"RangeError: x[{place}] is not a finite number" for place in (1, 6, 7)]
    assert missing == "RangeError: x has a column that is not finite or not a category"
    assert found["short"] == "RangeError: x has 3 columns; expected 8"
    assert found["flag"] in ("Adelie", "Chinstrap", "Gentoo")


@pytest.mark.slow
@tools.needs_compiler
def test_c_has_a_function_for_codes(tmp_path: Path):
    exported(tables.table_model("ordinal", "float32"), "c", tmp_path / "penguins.c")
    last = len(tables.ODD) + 1
    asked = [(3, text, code) for code, text in enumerate(sorted(tables.ODD), 1)]
    asked += [(0, "Dream", 2), (0, "Dream ", 0), (0, "Dre", 0), (0, "dream", 0), (0, tables.ISLANDS[2], 3), (0, "", 0)]
    asked += [(3, "", last), *((column, "Dream", 0) for column in (1, 7, -1, 8, 2**31 - 1))]
    lines = [f"penguins_code({column}, {json_c(text)})" for column, text, _ in asked]
    lines += ["penguins_code(0, NULL)", "penguins_code(3, NULL)"]
    body = "".join(f'    printf("%d ", {line});\n' for line in lines)
    main = f'#include <stdio.h>\n#include "penguins.h"\n\nint main(void)\n{{\n{body}    return 0;\n}}\n'
    codes = list(map(int, tools.answers_of_c(tmp_path, main).split()))
    assert codes == [*(code for _, _, code in asked), 0, last]


def json_c(text: str) -> str:
    """Return a text as C writes it, by hand."""
    return '"' + "".join(f"\\{byte:03o}" for byte in text.encode()) + '"'


PEERS = [pytest.param(name, marks=pytest.mark.peers) for name in ("torch", "keras")]


@pytest.mark.parametrize("target", ["sklearn", *PEERS])
def test_libraries_without_texts_refuse_them(target: str, tmp_path: Path):
    names = 'has no equivalent of columns of texts: "island", "the "sex""'
    with pytest.raises(ExportError, match=names) as caught:
        export(tables.table_model(), target, tmp_path / f"m{find_target(target).suffix}")
    hint = "onnx, numpy, javascript and sql take texts; c has a function for their codes"
    assert caught.value.diagnostics[0].hint == hint
    assert not list(tmp_path.iterdir())


@pytest.mark.peers
def test_torch_takes_gaps(tmp_path: Path):
    exported(tables.gaps_model("float32"), "torch", tmp_path / "m.py")


@tools.needs_compiler
@pytest.mark.slow
def test_times_that_float_does_not_hold_enter_c_and_onnx_in_double(tmp_path: Path):
    """One second apart, days since 1970 are one number in float; the model says that it is a weekend, or not."""
    model, frame = tables.table_model("one_hot", "float32"), tables.asked_rows()
    hours = 480_000 + np.arange(len(frame)) + np.where(np.arange(len(frame)) % 2, -1, 1) / 3600
    rows = raw(model, frame.assign(seen=tables.dates(hours)))
    seen = rows.X[:, tables.NAMES.index("seen")]
    assert (seen != seen.astype(np.float32)).all()
    for target in ("c", "onnx"):
        path = exported(model, target, tmp_path / f"m{tools.SUFFIXES[target]}").files[0]
        outputs = tools.run_export(target, model, path, rows).outputs
        np.testing.assert_allclose(outputs, model.predict_proba(rows), rtol=0, atol=2e-6)
    header = (tmp_path / "m.h").read_text()
    assert "/* Columns are double: float does not hold their digits. */" in header
    assert "void m_forward(const double *x, real *y);" in header
