"""Derivatives in exports: those of the model, or no export."""

from __future__ import annotations

import json
import runpy
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from specnet import ExportError, Model, build, export
from specnet.exporting import TARGETS, find_target
from specnet.importing import open_model
from tests.exporting import tools
from tests.exporting.models import DTYPES, dense, ensemble_of, layered, random_model, team_of
from tests.exporting.tables import CHAINS, chain_model, grouped_model, table_model
from tests.exporting.test_texts import model_of as model_of_texts
from tests.model.models import make_model
from tests.texts.calling import called

TOLERANCE = 1e-12
WITH_ERF = {8}
"""The random networks with gelu, for which onnxruntime has no derivatives."""
KINDS = ["value", "values", "binary", "classes", "multilabel"]
X = np.random.default_rng(0).normal(5, 3, (20, 3))


def proved(model: Model, target: str, folder: Path) -> float:
    """Export a model with its derivatives, and return how far they are from the model's, of the largest."""
    proof = export(model, target, folder / f"m{tools.SUFFIXES[target]}", derivatives=True).proof
    assert proof.rows == 256
    assert proof.derivatives is not None
    return proof.derivatives


@tools.each_target
@pytest.mark.parametrize("kind", KINDS)
def test_each_kind(kind: str, target: str, tmp_path: Path):
    for dtype in DTYPES:
        for model in (make_model(kind, dtype), ensemble_of(make_model(kind, dtype))):
            assert proved(model, target, tmp_path) < TOLERANCE


@pytest.mark.slow
@pytest.mark.parametrize("target", tools.RUNNABLE[:-1])  # onnxruntime lacks Erf in float64
@pytest.mark.parametrize("kind", ["value", "classes"])
def test_teams(kind: str, target: str, tmp_path: Path):
    for dtype in DTYPES:
        assert proved(team_of(kind, dtype), target, tmp_path) < TOLERANCE


@tools.each_target
@pytest.mark.parametrize("seed", range(12))
def test_random_networks(seed: int, target: str, tmp_path: Path):
    model = random_model(seed, DTYPES[seed % 2])
    lacks_erf = target == "onnx" and seed in WITH_ERF
    with pytest.raises(ExportError, match="Erf") if lacks_erf else nullcontext():
        assert proved(model, target, tmp_path) < TOLERANCE


@tools.each_target
@pytest.mark.parametrize("name", [*CHAINS, "groups", "one_hot", "embedding", "texts"])
def test_tables(name: str, target: str, tmp_path: Path):
    for dtype in DTYPES:
        if name in CHAINS:
            model = chain_model(name, dtype)
        elif name == "groups":
            model = grouped_model(dtype)
        else:
            model = model_of_texts(dtype) if name == "texts" else table_model(name, dtype)
        assert proved(model, target, tmp_path) < TOLERANCE


@tools.peers
@pytest.mark.parametrize("dtype", DTYPES)
def test_those_of_torch_are_by_autograd(dtype: str, tmp_path: Path):
    """So this compares the model's with those of another tool; kinks are left out, where it may choose otherwise."""
    models = [make(kind, dtype) for kind in KINDS for make in (make_model, team_of)]
    models += [chain_model(name, dtype) for name in CHAINS] + [random_model(seed, dtype) for seed in range(24)]
    for model in [*models, grouped_model(dtype)]:
        proof = export(model, "torch", tmp_path / "m.py", derivatives=True).proof
        assert proof.derivatives is not None
        assert proof.derivatives < (TOLERANCE if dtype == "float64" else 1e-4)


@tools.peers
def test_torch_has_a_method(tmp_path: Path):
    import torch

    model = make_model("values")
    export(model, "torch", tmp_path / "m.py", derivatives=True)
    found = runpy.run_path(str(tmp_path / "m.py"))["load"]().gradient(torch.from_numpy(X))
    assert not found.requires_grad
    np.testing.assert_allclose(found.numpy(), model.gradient(X), rtol=1e-12, atol=1e-14)


def test_numpy_has_a_function(tmp_path: Path):
    model = make_model("values")
    export(model, "numpy", tmp_path / "m.py", derivatives=True)
    gradient = runpy.run_path(str(tmp_path / "m.py"))["gradient"]
    np.testing.assert_allclose(gradient(X), model.gradient(X), rtol=1e-12, atol=1e-14)
    with pytest.raises(ValueError, match="shape"):
        gradient(X[:, :2])


@tools.needs_node
def test_javascript_has_a_function(tmp_path: Path):
    model = make_model("values")
    export(model, "javascript", tmp_path / "m.mjs", derivatives=True)
    script = (
        f"import {{ gradient }} from './m.mjs';\n"
        f"console.log(JSON.stringify({json.dumps(X.tolist())}.map((x) => gradient(x).map((each) => [...each]))));\n"
    )
    found = tools.printed_by_node(script, tmp_path)
    np.testing.assert_allclose(found, model.gradient(X), rtol=1e-12, atol=1e-14)
    assert "gradient(x: ArrayLike<number>): Float64Array[]" in (tmp_path / "m.d.mts").read_text()


@pytest.mark.slow
@tools.needs_compiler
@pytest.mark.parametrize("dtype", DTYPES)
def test_c_has_two_functions_that_compile_without_a_warning(dtype: str, tmp_path: Path):
    model = ensemble_of(make_model("values", dtype))
    export(model, "c", tmp_path / "m.c", derivatives=True)
    rows = X.astype(dtype)
    cells = ", ".join(f"{{{', '.join(map(repr, row))}}}" for row in rows.astype(float).tolist())
    body = (
        f"static const double rows[][M_INPUTS] = {{{cells}}};\n"
        "for (int k = 0; k < 20; k++) {\n"
        "  real x[M_INPUTS]; double own[M_WORKSPACE], first[M_OUTPUTS * M_INPUTS], second[M_OUTPUTS * M_INPUTS];\n"
        "  for (int i = 0; i < M_INPUTS; i++) x[i] = (real)rows[k][i];\n"
        "  m_gradient(x, first); m_gradient_work(x, second, own);\n"
        "  for (int i = 0; i < M_OUTPUTS * M_INPUTS; i++) {\n"
        "    if (first[i] < second[i] || first[i] > second[i]) return 1;\n"
        '    printf("%.17g ", first[i]);\n  }\n}\nreturn 0;'
    )
    printed = tools.answers_of_c(tmp_path, f'#include <stdio.h>\n#include "m.h"\nint main(void) {{\n{body}\n}}\n')
    found = np.array(printed.split(), np.float64).reshape(20, 2, 3)
    np.testing.assert_allclose(found, model.gradient(rows), rtol=1e-11, atol=1e-13)


@pytest.mark.slow
def test_onnx_has_an_output_and_is_imported_again(tmp_path: Path):
    for dtype in DTYPES:
        model = make_model("classes", dtype)
        export(model, "onnx", tmp_path / "m.onnx", derivatives=True)
        session = onnxruntime.InferenceSession(tmp_path / "m.onnx", providers=["CPUExecutionProvider"])
        assert [output.name for output in session.get_outputs()] == ["label", "probabilities", "gradient"]
        (found,) = session.run(["gradient"], {"X": X.astype(dtype)})
        np.testing.assert_allclose(found, model.gradient(X.astype(dtype)), rtol=1e-11, atol=1e-13)
        again = open_model(tmp_path / "m.onnx")
        np.testing.assert_allclose(again.gradient(X), model.gradient(X), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("target", ["onnx", pytest.param("c", marks=tools.needs_compiler)])
def test_a_float64_model_in_float32_has_the_derivatives_of_what_is_stored(target: str, tmp_path: Path):
    file = tmp_path / f"m{tools.SUFFIXES[target]}"
    written = export(make_model("classes"), target, file, float32=True, derivatives=True)
    assert written.proof.derivatives is not None
    assert written.proof.derivatives < TOLERANCE
    if target == "onnx":
        assert open_model(file).network.dtype == np.float32


@pytest.mark.parametrize("target", ["numpy", "onnx"])
def test_at_a_kink_exports_choose_as_the_model_does(target: str, tmp_path: Path):
    """Relu has 0 at 0, the first of several columns: weights and columns are powers of two, so that 0 is exact."""
    layers = [dense(2, activation="relu"), dense(1)]
    network = build({"network": {"dtype": "float64", "input_size": 1, "layers": layers}, "training": {"loss": "huber"}})
    theta = np.zeros(network.parameter_count)
    arrays = network.parameters(theta)
    arrays["layers.0.weight"][:], arrays["layers.1.weight"][:] = [[1], [-1]], [[2, 4]]
    model = Model(network, theta)
    path = export(model, target, tmp_path / f"m{tools.SUFFIXES[target]}", derivatives=True).files[0]
    rows = np.array([[-1.0], [0.0], [1.0]])
    if target == "numpy":
        found = runpy.run_path(str(path))["gradient"](rows)
    else:
        (found,) = onnxruntime.InferenceSession(path).run(["gradient"], {"X": rows})
    np.testing.assert_array_equal(found[:, 0, 0], [-4, 0, 2])
    np.testing.assert_array_equal(model.gradient(rows), found)


def test_wrong_derivatives_are_refused(tmp_path: Path, change: Callable[..., None]):
    def wrong(answers: Any, *given: Any) -> Any:
        answers.derivatives[3, 0, 1] += 1e-9 * abs(answers.derivatives).max()
        return answers

    change("numpy", "run", wrong)
    with pytest.raises(ExportError, match="derivatives differ from the model's"):
        export(make_model("value"), "numpy", tmp_path / "m.py", derivatives=True)
    assert not list(tmp_path.iterdir())


def test_derivatives_by_other_columns_are_refused(tmp_path: Path, change: Callable[..., None]):
    def wrong(answers: Any, *given: Any) -> Any:
        answers.derivatives[:, :, 1] = np.nan
        return answers

    change("numpy", "run", wrong)
    with pytest.raises(ExportError, match="derivatives by other columns than the model"):
        export(make_model("value"), "numpy", tmp_path / "m.py", derivatives=True)


@pytest.mark.parametrize("target", [name for name in TARGETS if not find_target(name).gives_derivatives])
def test_other_targets_are_refused_by_name(target: str, tmp_path: Path):
    with pytest.raises(ExportError, match=f"derivatives are not supported by {target}"):
        export(make_model("value"), target, tmp_path / f"m{find_target(target).suffix}", derivatives=True)


def test_onnx_refuses_what_onnxruntime_lacks_in_float64(tmp_path: Path):
    model = layered(dense(2, activation="gelu"), dense(1), dtype="float32")
    with pytest.raises(ExportError, match="derivatives need Erf in float64"):
        export(model, "onnx", tmp_path / "m.onnx", derivatives=True)


def test_the_command_line_says_how_far_they_are(tmp_path: Path):
    make_model("value").save(tmp_path / "model.safetensors")
    ended = called("export", tmp_path / "model.safetensors", "--to", "numpy", "-o", tmp_path / "m.py", "--derivatives")
    assert ended.status == 0
    assert "of derivatives" in ended.out
    assert "def gradient(X):" in (tmp_path / "m.py").read_text()
