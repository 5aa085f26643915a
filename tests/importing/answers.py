"""What a model and another tool answer, in one form, so that they can be compared."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from specnet import FileError, Model, import_model
from specnet.exporting.model_facts import FACTS

FILES = Path(__file__).parent / "files"
ONNX_FILES = sorted(path.stem for path in FILES.glob("*.onnx"))
KERAS_FILES = sorted(path.stem for path in FILES.glob("*.keras"))

TOLERANCE = {"float32": 2e-6, "float64": 1e-12}
"""Largest difference from what another tool computes in the same precision, by the size of the column's numbers."""


def stored(path: Path) -> dict[str, np.ndarray]:
    """Rows and answers that lie beside a file."""
    with np.load(path.with_suffix(".npz")) as archive:
        return dict(archive)


@contextmanager
def edited(path: Path) -> Iterator[Any]:
    """An ONNX file's model, which is written again with what was changed in it."""
    model = onnx.load(path)
    yield model
    onnx.save(model, path)


@contextmanager
def edited_facts(path: Path) -> Iterator[dict[str, Any]]:
    """What a file says of its spec, which is written again."""
    with edited(path) as model:
        (entry,) = (entry for entry in model.metadata_props if entry.key == FACTS)
        facts = json.loads(entry.value)
        yield facts
        entry.value = json.dumps(facts)


MEMORY = 64 * 2**20
"""Bytes that a refusal may take, and three times the file's."""


def reason_of(path: Path, expected: AbstractContextManager[pytest.ExceptionInfo[Exception]] | None = None) -> str:
    """The reason why a file is refused, which has to come without much memory."""
    tracemalloc.start()
    try:
        with expected or pytest.raises(FileError) as caught:
            import_model(path)
        assert tracemalloc.get_traced_memory()[1] < MEMORY + 3 * path.stat().st_size
    finally:
        tracemalloc.stop()
    assert isinstance(caught.value, FileError)
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.source == str(path)
    assert len(diagnostic.message) < 500
    return diagnostic.message


def outputs(model: Model, X: Any) -> np.ndarray:
    """The network's outputs, (rows, outputs), values in their own units."""
    if model.spec.training.loss.target == "values":
        values = model.predict(X)
        return values.reshape(len(values), -1)
    probabilities = model.predict_proba(X)
    return probabilities[:, 1:] if model.network.outputs == 1 else probabilities


def difference(found: np.ndarray, wanted: np.ndarray) -> float:
    """The largest difference, by the size of the column's numbers where these are above 1."""
    assert found.shape == wanted.shape
    sizes = np.maximum(1.0, abs(wanted).max(axis=0))
    return float((abs(found.astype(np.float64) - wanted) / sizes).max())


def session_of(content: bytes | Path) -> Any:
    """A model or a file as onnxruntime runs it, of whose errors nothing is printed."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
