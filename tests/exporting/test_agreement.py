"""Every target that can express a model agrees with it: reference specs, each kind of answer, and random networks."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import numpy as np
import pytest

from specnet import Model, export
from tests.exporting import tools
from tests.exporting.models import DTYPES, NAMES, built, dense, every_model, exported, functions_of, spec_model
from tests.importing.answers import session_of
from tests.model.models import make_model
from tests.texts.pinned import Refused


@tools.each_target
@pytest.mark.parametrize("name", NAMES)
def test_reference_specs(name, target, tmp_path):
    """The tolerance covers the difference, with no regard to how far float32 is from float64."""
    assert exported(spec_model(name), target, tmp_path / f"m{tools.SUFFIXES[target]}").proof.rounding == 0


@pytest.mark.slow
def test_probe_rows_are_what_they_promise():
    for _, dtype, make in every_model():
        model = make()
        rows, ordinary, outputs = tools.probe(model)
        assert rows.X.shape == (256, model.network.inputs)
        np.testing.assert_array_equal(rows.X, rows.X.astype(dtype))
        assert not rows.X[-1].any()  # a raw row of zeros
        assert ordinary < 250
        assert np.isfinite(outputs).all()


def hand_written(model: Model, X: np.ndarray) -> np.ndarray:
    """The outputs of a standardized relu network with one hidden layer and a sigmoid, without specnet's engine."""
    fitted = model.preprocessing.tensors()
    weights = model.network.parameters(model.theta)
    columns = (X - fitted["0.0.mean"]) / fitted["0.0.scale"]
    hidden = np.maximum(columns @ weights["layers.0.weight"].T + weights["layers.0.bias"], 0)
    return 1 / (1 + np.exp(-(hidden @ weights["layers.1.weight"].T + weights["layers.1.bias"])))


def test_what_exports_are_compared_with_is_right():
    model = make_model("binary")
    rows, _, outputs = tools.probe(model)
    np.testing.assert_allclose(outputs, hand_written(model, rows.X), rtol=0, atol=1e-14)


NONE = [-1.0, -0.5, 0.5, 3.5, 4.0, 1e9, float("nan")]
"""What is no category of a column with four of them."""
EMBEDDING = {"type": "embedding", "columns": [0], "categories": [4], "size": [2]}


def table_model(dtype: str) -> Model:
    """A model of a column with categories, and a number beside it."""
    return built(EMBEDDING, dense(1), dtype=dtype, input_size=2)


def label_model() -> Model:
    """The same columns, and two classes."""
    return built(EMBEDDING, dense(1), loss="binary_crossentropy", labels=["a", "b"], input_size=2)


@pytest.mark.slow
@pytest.mark.parametrize("column", [np.nan, np.inf, -np.inf])
def test_numpy_refuses_numbers_that_are_not_finite(column: float, tmp_path: Path, refused: Refused):
    functions = functions_of(label_model(), tmp_path)
    for name in ("predict", "predict_proba"):
        with refused(ValueError):
            functions[name]([[1, column]])


@pytest.mark.parametrize("dtype", DTYPES)
def test_onnx_refuses_what_is_no_category(dtype: str, tmp_path: Path):
    export(table_model(dtype), "onnx", tmp_path / "m.onnx")
    session = session_of(tmp_path / "m.onnx")
    for number in NONE:
        with pytest.raises(Exception, match=r"out of data bounds"):
            session.run(None, {"X": np.array([[number, 1.0]], dtype)})


@pytest.mark.slow
@tools.needs_node
def test_javascript_answers_nan_and_no_label_where_there_is_no_category(tmp_path: Path):
    numbers = ", ".join("NaN" if np.isnan(number) else repr(number) for number in NONE)
    for dtype in DTYPES:
        export(table_model(dtype), "javascript", tmp_path / f"{dtype}.mjs")
        answers = f"[{numbers}].map((x) => forward([x, 1])[0])"
        script = f"import {{ forward }} from './{dtype}.mjs'; console.log(JSON.stringify({answers}));"
        assert tools.printed_by_node(script, tmp_path) == [None] * len(NONE)  # as JSON writes NaN
    export(label_model(), "javascript", tmp_path / "m.mjs")
    script = (
        "import { predict } from './m.mjs';\n"
        "const answer = (x) => { try { return predict(x); } catch (error) { return error.name; } };\n"
        "console.log(JSON.stringify([[7, 0.5], [1.5, 0.5], [-1, 0.5], [1, NaN], [1, 0.5]].map(answer)));\n"
    )
    *refused, answered = tools.printed_by_node(script, tmp_path)
    assert refused == ["RangeError"] * 4
    assert answered in ("a", "b")


@pytest.mark.slow
@tools.needs_compiler
@pytest.mark.parametrize("dtype", DTYPES)
def test_c_answers_nan_where_there_is_no_category(dtype: str, tmp_path: Path):
    export(table_model(dtype), "c", tmp_path / "m.c")
    rows = ", ".join(f"{{{'NAN' if np.isnan(number) else number}, 1.0}}" for number in [*NONE, 3.0])
    loop = f'for (int k = 0; k <= {len(NONE)}; k++) {{ m_forward(x[k], y); printf("%d ", !isnan(y[0])); }}'
    body = f"const real x[][2] = {{{rows}}};\nreal y[M_OUTPUTS];\n{loop}\nreturn 0;"
    main = f'#include <math.h>\n#include <stdio.h>\n#include "m.h"\nint main(void) {{\n{body}\n}}\n'
    assert tools.answers_of_c(tmp_path, main).split() == [b"0"] * len(NONE) + [b"1"]


@tools.needs_compiler
def test_headers_of_two_precisions_say_that_they_do_not_go_together(tmp_path: Path):
    for name, dtype in zip("ab", DTYPES, strict=True):
        tools.render(make_model("value", dtype), tmp_path / f"{name}.c")
    (tmp_path / "main.c").write_text('#include "a.h"\n#include "b.h"\n')
    ended = subprocess.run(
        [str(tools.COMPILER), "-c", "main.c"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert re.search("#error .*double", ended.stderr)
