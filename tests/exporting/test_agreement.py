"""Every target that can say a model agrees with it: reference specs, every kind of answer, and random networks."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from specnet.exporting.export_proof import TOLERANCES, answers_of, probe_rows
from specnet.exporting.formula_text import TEXT_EXPANSIONS
from specnet.exporting.model_program import Program
from specnet.model import Model
from tests.exporting.models import NAMES, every_model, exported, spec_model
from tests.exporting.tools import RUNNABLE, SUFFIXES
from tests.model.models import KINDS, make_model
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
@pytest.mark.parametrize("target", RUNNABLE)
def test_every_kind_and_random_networks(target, tmp_path):
    def check(number: int, name: str, dtype: str, model: Model) -> None:
        written = exported(model, target, tmp_path / f"m{number}{SUFFIXES[target]}")
        if written.dtype != dtype:
            assert target == "onnx", name
            assert written.note == "float32, since onnxruntime has no float64 Erf"

    chosen = every_model()[: 2 * len(KINDS) if target == "c" else None]  # the random ones are in a program of test_c
    models = [(number, name, dtype, make()) for number, (name, dtype, make) in enumerate(chosen)]
    with ThreadPoolExecutor(4) as pool:  # most of the time goes into waiting for compilers and interpreters
        list(pool.map(check, *zip(*models, strict=True)))


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


@pytest.mark.slow
@pytest.mark.parametrize("target", RUNNABLE)
def test_a_wrong_export_is_not_kept(target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: Refused):
    """The comparison is one: with a weight of the model changed behind its back nothing is written."""
    model, other = make_model("value"), make_model("value")
    other.theta[3] += 1e-9
    monkeypatch.setattr(
        "specnet.exporting.export_proof.answers_of", lambda program, rows: answers_of(_program(other), rows)
    )
    with refused(ValueError, varying=r"\d\S*"):
        exported(model, target, tmp_path / f"m{SUFFIXES[target]}")
    assert not list(tmp_path.iterdir())


def _program(model: Model) -> Program:
    return Program(model, model.network.dtype, TEXT_EXPANSIONS)
