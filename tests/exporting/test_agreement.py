"""Every target that can say a model agrees with it: reference specs, every kind of answer, and random networks."""

from __future__ import annotations

import json
import re
import runpy
import subprocess
from pathlib import Path

import numpy as np
import pytest

from specnet import Model, export
from specnet.data import RawColumns
from specnet.exporting.export_proof import TOLERANCES, answers_of, probe_rows
from specnet.exporting.formula import TEXT_EXPANSIONS
from specnet.exporting.languages.c_harness import compile_harness, run_harness
from specnet.exporting.model_program import Program
from tests.exporting.languages.test_c import render_c
from tests.exporting.models import DTYPES, NAMES, built, dense, every_model, exported, spec_model
from tests.exporting.tools import COMPILER, NODE, PLAIN, RUNNABLE, SUFFIXES, needs_compiler, needs_node
from tests.importing.answers import session_of
from tests.model.models import make_model
from tests.texts.pinned import Refused


@pytest.mark.slow
@pytest.mark.parametrize("target", RUNNABLE)
@pytest.mark.parametrize("name", NAMES)
def test_reference_specs(name, target, tmp_path):
    model = spec_model(name)
    written = exported(model, target, tmp_path / f"m{SUFFIXES[target]}")
    program = Program(model, model.network.dtype, TEXT_EXPANSIONS)
    largest = np.abs(answers_of(program, probe_rows(program)[0]).outputs).max()
    assert written.proof.difference <= TOLERANCES[model.network.dtype.name] * max(1, largest)


@pytest.mark.slow
def test_probe_rows_are_what_they_promise():
    for _, dtype, make in every_model():
        program = Program(make(), np.dtype(dtype), TEXT_EXPANSIONS)
        rows, edges = probe_rows(program)
        X = rows.X
        assert X.shape == (256, program.inputs)
        np.testing.assert_array_equal(X, X.astype(dtype))
        assert not X[-1].any()  # a raw row of zeros
        assert edges < 250
        assert np.isfinite(answers_of(program, rows).outputs).all()


def hand_written(model: Model, X: np.ndarray) -> np.ndarray:
    """The outputs of a standardized relu network with one hidden layer and a sigmoid, without specnet's engine."""
    fitted = model.preprocessing.tensors()
    weights = model.network.parameters(model.theta)
    columns = (X - fitted["0.0.mean"]) / fitted["0.0.scale"]
    hidden = np.maximum(columns @ weights["layers.0.weight"].T + weights["layers.0.bias"], 0)
    return 1 / (1 + np.exp(-(hidden @ weights["layers.1.weight"].T + weights["layers.1.bias"])))


def test_what_exports_are_compared_with_is_right():
    program = Program(make_model("binary"), np.dtype(np.float64), TEXT_EXPANSIONS)
    rows, _ = probe_rows(program)
    np.testing.assert_allclose(
        answers_of(program, rows).outputs, hand_written(program.model, rows.X), rtol=0, atol=1e-14
    )


NONE = [-1.0, -0.5, 0.5, 3.5, 4.0, 1e9, float("nan")]


EMBEDDING = {"type": "embedding", "columns": [0], "categories": [4], "size": [2]}


def table_model(dtype: str) -> Model:
    """A model of one column with four categories, and a number beside it."""
    return built(EMBEDDING, dense(1), dtype=dtype, input_size=2)


def label_model() -> Model:
    """The same columns, and two classes."""
    return built(EMBEDDING, dense(1), loss="binary_crossentropy", labels=["a", "b"], input_size=2)


@pytest.mark.slow
@needs_node
def test_javascript_gives_no_label_where_there_is_no_answer(tmp_path: Path, refused: Refused):
    export(label_model(), "javascript", tmp_path / "m.mjs")
    (tmp_path / "run.mjs").write_text(
        "import { predict } from './m.mjs';\n"
        "const said = (x) => { try { return predict(x); } catch (error) { return error.name; } };\n"
        "console.log([[7, 0.5], [1.5, 0.5], [-1, 0.5], [1, NaN], [1, 0.5]].map(said).join());\n"
    )
    assert NODE is not None
    ended = subprocess.run([NODE, "run.mjs"], cwd=tmp_path, env=PLAIN, capture_output=True, text=True, check=True)
    *refused, answered = ended.stdout.split(",")
    assert refused == ["RangeError"] * 4
    assert answered.strip() in ("a", "b")


@pytest.mark.slow
@pytest.mark.parametrize("column", [np.nan, np.inf, -np.inf])
def test_numpy_refuses_numbers_that_are_not_finite(column: float, tmp_path: Path, refused: Refused):
    export(label_model(), "numpy", tmp_path / "m.py")
    functions = runpy.run_path(str(tmp_path / "m.py"))
    for name in ("predict", "predict_proba"):
        with refused(ValueError):
            functions[name]([[1, column]])


@pytest.mark.parametrize("dtype", DTYPES)
def test_onnx(dtype: str, tmp_path: Path):
    export(table_model(dtype), "onnx", tmp_path / "m.onnx")
    session = session_of(tmp_path / "m.onnx")
    for number in NONE:
        with pytest.raises(Exception, match=r"out of data bounds"):
            session.run(None, {"X": np.array([[number, 1.0]], dtype)})


@pytest.mark.slow
@needs_node
@pytest.mark.parametrize("dtype", DTYPES)
def test_javascript(dtype: str, tmp_path: Path):
    export(table_model(dtype), "javascript", tmp_path / "m.mjs")
    numbers = ", ".join("NaN" if np.isnan(number) else repr(number) for number in NONE)
    script = (
        f"import {{ forward }} from './m.mjs'; console.log(JSON.stringify([{numbers}].map((x) => forward([x, 1])[0])));"
    )
    (tmp_path / "run.mjs").write_text(script)
    assert NODE is not None
    ended = subprocess.run([NODE, "run.mjs"], cwd=tmp_path, env=PLAIN, capture_output=True, text=True, check=True)
    assert json.loads(ended.stdout) == [None] * len(NONE)  # as JSON writes NaN


@pytest.mark.slow
@needs_compiler
@pytest.mark.parametrize("dtype", DTYPES)
def test_c(dtype: str, tmp_path: Path):
    model = table_model(dtype)
    export(model, "c", tmp_path / "m.c")
    assert COMPILER is not None
    program = Program(model, np.dtype(dtype), TEXT_EXPANSIONS)
    compile_harness(program, tmp_path / "m.c", tmp_path, COMPILER, ("-std=c99", "-Wall", "-Werror"))
    X = np.array([[number, 1.0] for number in [*NONE, 3.0]])
    outputs = run_harness(program, str(tmp_path / "run"), RawColumns(X)).outputs[:, 0]
    assert np.isnan(outputs[:-1]).all()
    assert np.isfinite(outputs[-1])


@needs_compiler
def test_headers_of_two_precisions_say_that_they_do_not_go_together(tmp_path: Path):
    render_c(make_model("value", "float64"), tmp_path / "a.c")
    render_c(make_model("value", "float32"), tmp_path / "b.c")
    (tmp_path / "main.c").write_text('#include "a.h"\n#include "b.h"\n')
    assert COMPILER is not None
    ended = subprocess.run([COMPILER, "-c", "main.c"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert re.search("#error .*double", ended.stderr)
