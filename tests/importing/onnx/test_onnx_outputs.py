"""Files with several outputs, such as policies with a value head: one is chosen by its name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import specnet
from specnet.importing import read_network
from tests.importing.answers import session_of
from tests.importing.onnx.graphs import written

POLICY = "Gemm X W h; Tanh h t; Gemm t A a; Softmax a action axis=1; Gemm t V value"
X = np.random.default_rng(1).normal(0, 1, (50, 3)).astype(np.float32)


def policy_file(folder: Path) -> Path:
    """Write a policy of four actions with a value."""
    rng = np.random.default_rng(0)
    tensors = {name: rng.normal(0, 1, shape) for name, shape in {"W": (3, 5), "A": (5, 4), "V": (5, 1)}.items()}
    constants = {name: array.astype(np.float32) for name, array in tensors.items()}
    outputs = {"action": ("N", 4), "value": ("N", 1)}
    return written(folder / "policy.onnx", POLICY, constants, {"X": ("N", 3)}, outputs)


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    return policy_file(tmp_path)


@pytest.mark.parametrize("output", ["action", "value"])
def test_the_output_that_is_chosen_answers(output: str, policy: Path) -> None:
    (expected,) = session_of(policy).run([output], {"X": X})
    imported = read_network(policy, output=output)
    model = imported.model
    found = model.predict_proba(X) if output == "action" else model.predict(X)[:, None]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)
    assert "onnxruntime" in imported.proof
    assert specnet.import_model(policy, output=output).to_bytes() == model.to_bytes()


def test_what_only_other_outputs_need_may_be_anything(policy: Path, tmp_path: Path) -> None:
    constants = {"W": np.ones((3, 2), np.float32)}
    nodes = "Gemm X W y; Relu y r; Hardmax r s; Unknown s other domain=com.evil"
    path = written(tmp_path / "m.onnx", nodes, constants, {"X": ("N", 3)}, {"y": ("N", 2), "other": ("N", 2)})
    with pytest.raises(specnet.FileError) as error:
        specnet.import_model(path)
    assert "choose one, such as --output y" in str(error.value)
    np.testing.assert_array_equal(specnet.import_model(path, output="y").predict(X[:1]), X[:1] @ constants["W"])


def test_an_output_of_an_export_can_be_chosen_and_of_other_files_none(policy: Path, tmp_path: Path) -> None:
    model = specnet.import_model(policy, output="action")
    path = specnet.export(model, "onnx", tmp_path / "again.onnx").files[0]
    np.testing.assert_array_equal(specnet.import_model(path, output="probabilities").predict(X), model.predict(X))
    from sklearn.neural_network import MLPRegressor

    with pytest.raises(specnet.DataError, match="an ONNX file alone"):
        specnet.import_model(MLPRegressor(), output="y")
    (tmp_path / "m.keras").write_bytes(b"PK\x03\x04")
    with pytest.raises(specnet.FileError, match="an ONNX file alone"):
        specnet.import_model(tmp_path / "m.keras", output="y")
