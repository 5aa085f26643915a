"""What goes into the ONNX graph of a table's model: its inputs, and what they say of themselves."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import specnet
from specnet.data import RawColumns
from specnet.exporting.export_columns import columns_of, texts_of
from specnet.parts.data import Column
from specnet.parts.preprocessing import Impute
from specnet.spec import ColumnGroup
from tests.exporting.models import DTYPES, exported
from tests.exporting.tables import model_of, table_model
from tests.exporting.test_tables import TOLERANCE, asked_rows, gaps_model
from tests.importing.answers import session_of


def inputs_in(path: Path) -> list[Any]:
    return list(onnx.load(path).graph.input)


@pytest.mark.parametrize("dtype", DTYPES)
def test_onnx_has_an_input_of_numbers_and_one_of_texts(dtype: str, tmp_path: Path):
    model, rows = table_model(dtype=dtype), asked_rows()
    exported(model, "onnx", tmp_path / "m.onnx")
    session = session_of(tmp_path / "m.onnx")
    assert [(each.name, each.type, each.shape[1]) for each in session.get_inputs()] == [
        ("numbers", "tensor(double)", 6),
        ("texts", "tensor(string)", 2),
    ]
    texts = np.array(list(texts_of(columns_of(model), rows).values()), object).T
    number = "number, may be missing"
    assert [each.doc_string for each in inputs_in(tmp_path / "m.onnx")] == [
        f"raw columns, NaN where a cell is missing: bill_length_mm: {number}; bill_depth_mm: {number};"
        f" flipper_length_mm: {number}; body_mass_g: {number};"
        " seen: days since 1970-01-01 UTC, may be missing; ringed: 0 or 1",
        'raw columns, an empty text where a cell is missing: island: text; the "sex": text',
    ]
    label, probabilities = session.run(None, {"numbers": rows.X[:, [1, 2, 4, 5, 6, 7]], "texts": texts})
    np.testing.assert_array_equal(label, model.predict(rows))
    np.testing.assert_allclose(probabilities, model.predict_proba(rows), rtol=0, atol=TOLERANCE[dtype])


def test_onnx_of_numbers_has_a_single_input(tmp_path: Path):
    exported(gaps_model("float32"), "onnx", tmp_path / "m.onnx")
    session = session_of(tmp_path / "m.onnx")
    assert [(each.name, each.type) for each in session.get_inputs()] == [("X", "tensor(float)")]
    (given,) = inputs_in(tmp_path / "m.onnx")
    assert given.doc_string.startswith("raw columns, NaN where a cell is missing: ")
    assert "may be missing" in given.doc_string


def test_onnx_of_unnamed_numbers_says_what_stands_for_a_missing_cell(tmp_path: Path):
    steps = [{"type": "impute"}, "standardize"]
    spec = {"network": {"layer_sizes": [2, 1], "preprocessing": steps}, "training": {"loss": "mse", "epochs": 1}}
    X = np.random.default_rng(0).normal(size=(20, 2))
    for name, written in (("gaps", steps), ("plain", ["standardize"])):
        spec["network"]["preprocessing"] = written
        exported(specnet.fit(spec, X, X[:, 0] ** 2, observer=specnet.Observer()), "onnx", tmp_path / f"{name}.onnx")
    said = [inputs_in(tmp_path / f"{name}.onnx")[0].doc_string for name in ("gaps", "plain")]
    assert said == ["raw columns, NaN where a cell is missing", "raw columns"]


@pytest.mark.parametrize("order", [1, -1])
def test_a_column_in_two_groups_may_be_missing_where_both_take_that(order: int):
    rows = RawColumns(np.random.default_rng(0).normal(size=(20, 2)), (Column("a", "numeric"), Column("b", "numeric")))
    groups = [ColumnGroup(columns=("a", "b"), steps=(Impute(),)), ColumnGroup(columns=("b",), steps=())]
    columns = columns_of(model_of(groups[::order], rows, "float64", "mse"))
    assert [column.takes_missing for column in columns] == [True, False]
