"""Intervals in exports: those of the model, or no export."""

from __future__ import annotations

import csv
import io
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from specnet import DataError, ExportError, Model, export
from specnet.exporting import TARGETS, find_target
from specnet.importing import open_model
from specnet.model import ErrorQuantiles
from tests.exporting.models import DTYPES, spec_model
from tests.exporting.tools import SUFFIXES, as_program, each_target, peers
from tests.model.models import make_model
from tests.texts.pinned import Refused

KINDS = ["value", "values", "values that errors follow"]
X = np.random.default_rng(0).normal(5, 3, (20, 3))


def model_of(kind: str, dtype: str = "float64") -> Model:
    """Return a model with intervals of 50 %, ± 3 of a value, and ± 3 and ± 30 of two, or those that follow it."""
    model = make_model(kind, dtype)
    if kind == "values that errors follow":
        return model
    model.error_quantiles = ErrorQuantiles(np.outer([1, 10][: model.network.target_size], np.linspace(0, 3, 50)))
    return model


def written(model: Model, target: str, folder: Path) -> Path:
    return export(model, target, folder / f"m{SUFFIXES[target]}", interval=0.5).files[0]


@each_target
@pytest.mark.parametrize("kind", [*KINDS, "plain values", "ensemble"])
def test_each_export_is_proved_with_its_intervals(kind: str, target: str, tmp_path: Path):
    for dtype in DTYPES:
        model = spec_model("diabetes.toml", 3).astype(dtype) if kind == "ensemble" else model_of(kind, dtype)
        proof = export(model, target, tmp_path / f"{dtype}{SUFFIXES[target]}", interval=0.5).proof
        assert proof.rows == 256


@peers
@pytest.mark.parametrize("kind", KINDS)
def test_torch_gives_intervals(kind: str, tmp_path: Path):
    import torch

    for dtype in DTYPES:
        model = model_of(kind, dtype)
        export(model, "torch", tmp_path / f"m_{dtype}.py", interval=0.5)
        found = runpy.run_path(str(tmp_path / f"m_{dtype}.py"))["load"]().interval(torch.from_numpy(X)).numpy()
        np.testing.assert_allclose(found, model.predict_interval(X, 0.5), rtol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_a_numpy_file_gives_them_and_writes_them_as_columns(kind: str, tmp_path: Path):
    model = model_of(kind)
    path = written(model, "numpy", tmp_path)
    expected = model.predict_interval(X, 0.5)
    np.testing.assert_allclose(runpy.run_path(str(path))["interval"](X), expected, rtol=1e-12)
    lines = "\n".join(",".join(map(repr, row)) for row in X.tolist())
    header, *rows = csv.reader(io.StringIO(as_program(path, given=lines.encode())[0]))
    ends = ["lower", "upper"] if kind == "value" else ["lower_0", "upper_0", "lower_1", "upper_1"]
    assert header[-len(ends) :] == ends
    np.testing.assert_allclose(np.array(rows, float)[:, -len(ends) :], expected.reshape(len(X), -1), rtol=1e-12)


def test_an_onnx_graph_gives_them_and_is_read_again_with_all_levels(tmp_path: Path):
    for kind in KINDS:
        model = model_of(kind)
        path = written(model, "onnx", tmp_path)
        session = onnxruntime.InferenceSession(path)
        assert [output.name for output in session.get_outputs()] == ["value", "lower", "upper"]
        ends = np.stack(session.run(["lower", "upper"], {"X": X}), axis=-1)
        np.testing.assert_allclose(ends.reshape(model.predict_interval(X, 0.5).shape), model.predict_interval(X, 0.5))
        again = open_model(path)
        for name in ("values", "knots", "not_negative"):
            np.testing.assert_array_equal(getattr(again.error_quantiles, name), getattr(model.error_quantiles, name))
    classes = make_model("classes, integers")
    again = open_model(export(classes, "onnx", tmp_path / "classes.onnx").files[0])
    np.testing.assert_array_equal(again.predict_set(X, 0.7), classes.predict_set(X, 0.7))


def test_an_export_of_other_intervals_is_not_written(change: Callable[..., None], tmp_path: Path):
    def wrong(files: dict[Path, bytes], *_: Any) -> dict[Path, bytes]:
        return {path: content.replace(b"+ reach", b"+ 1.001 * reach") for path, content in files.items()}

    change("numpy", "render", wrong)
    export(model_of("value"), "numpy", tmp_path / "without.py")
    with pytest.raises(ExportError, match=r"differs from the model by 0\.003"):
        written(model_of("value"), "numpy", tmp_path)
    assert not (tmp_path / "m.py").exists()


def test_what_cannot_be_had(tmp_path: Path, refused: Refused):
    for target in TARGETS:
        if not find_target(target).gives_intervals:
            with refused(ExportError, code="export"):
                export(model_of("value"), target, interval=0.5)
    for model, share in ((make_model("classes, integers"), 0.5), (make_model("value"), 0.5), (model_of("value"), 0.9)):
        with refused(DataError):
            export(model, "numpy", tmp_path / "m.py", interval=share)
    assert not list(tmp_path.iterdir())


@each_target
@pytest.mark.parametrize("dtype", DTYPES)
def test_an_offset_that_float32_does_not_hold_is_added_in_float64(target: str, dtype: str, tmp_path: Path):
    model = model_of("value", dtype)
    step = model.target_preprocessing.groups[0].fitted[0]
    step["mean"][...], step["scale"][...] = 1e9, 2.0
    model.error_quantiles = ErrorQuantiles(np.linspace(0.01, 0.5, 50)[np.newaxis])
    proof = export(model, target, tmp_path / f"m{SUFFIXES[target]}", interval=0.5).proof
    assert proof.rows == 256
    assert proof.difference is not None
    assert proof.difference < 1e-3
