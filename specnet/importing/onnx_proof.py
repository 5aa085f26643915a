"""The proof of an import: run by onnxruntime, the file answers as the model does that was made of it."""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specnet.errors import FileError
from specnet.files import PathLike
from specnet.model import Model
from specnet.model_file import task_of
from specnet.parts.layers import Embedding

Array = NDArray[Any]

ROWS, SPREADS = 80, (0.5, 1.0, 3.0)
"""Rows of each spread, in standard deviations of the columns where the model knows them."""
_TOLERANCES = {"float32": 1e-3, "float64": 1e-9}
"""What rounding does not reach, as a share of an output's largest value, if that is above 1.

Activations that a file writes out in operators lose most of their digits far from 0, as log(sigmoid(x)) does.
"""
_MOST_OTHERS = 0.02
"""The share of rows that may be beyond it: near a jump a rounding decides."""


def prove(path: PathLike, model: Model) -> str:
    """Return in words how far a file and the model that was made of it agree.

    Raises
    ------
    FileError
        If they do not.
    """
    try:
        runtime = import_module("onnxruntime")
    except ImportError:
        return "not compared: onnxruntime is not installed"
    options = runtime.SessionOptions()
    options.log_severity_level = 4
    X = [spread * _rows(model, number) for number, spread in enumerate(SPREADS)]
    X = [model.preprocessing.invert(rows) for rows in X]
    try:
        session = runtime.InferenceSession(os.fspath(path), options, providers=["CPUExecutionProvider"])
        given = [_answer(session, rows) for rows in X]
    except Exception:  # its errors have no class in common
        return "not compared: onnxruntime does not run the file"
    with np.errstate(all="ignore"):
        pairs = [_pair(answer, model, rows) for answer, rows in zip(given, X, strict=True)]
    found = [_compared(*pair, _TOLERANCES[model.network.dtype.name]) for pair in pairs if pair is not None]
    if not found:
        return "not compared: the file answers in another form"
    others = sum(count for count, _ in found)
    if others > _MOST_OTHERS * len(SPREADS) * ROWS:
        raise FileError(
            f"the network that was found answers otherwise than onnxruntime on {others} of {len(SPREADS) * ROWS} rows; "
            "something in this file was not understood"
        )
    difference = max(largest for _, largest in found)
    return f"compared with onnxruntime on {len(SPREADS) * ROWS} rows: the largest difference is {difference:.2g}"


def _rows(model: Model, seed: int) -> Array:
    """Return prepared columns, (rows, inputs), with categories where the network has a table of them."""
    generator, inputs = np.random.default_rng(seed), model.network.inputs
    rows = generator.standard_normal((ROWS, inputs))
    for node in model.network.nodes:
        if isinstance(node.layer, Embedding):
            for column, table in zip(node.layer.chosen(inputs), node.layer.parameters((inputs,)), strict=True):
                rows[:, column] = generator.integers(0, table.shape[1], ROWS) / SPREADS[seed]
    return rows


def _answer(session: Any, X: Array) -> dict[str, Any]:
    """Return what a file answers about rows, by the names of its outputs."""
    begin, columns = 0, {}
    for value in session.get_inputs():
        end = begin + value.shape[1]
        columns[value.name] = X[:, begin:end].astype(np.float32 if value.type == "tensor(float)" else np.float64)
        begin = end
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, columns), strict=True))


def _pair(answers: dict[str, Any], model: Model, X: Array) -> tuple[Array, Array] | None:
    """Return what the file and the model answer, in one shape; None where the file's answers have another one."""
    dtype = model.network.dtype
    X = X.astype(dtype).astype(np.float64)
    numbers = [found for answer in answers.values() if (found := _numbers(answer)) is not None]
    if not numbers:
        return None
    given = numbers[0].reshape(len(X), -1)
    are_flags = task_of(model.network) == "multilabel" and np.isin(given, (0, 1)).all()
    if are_flags or task_of(model.network) == "values":
        expected = model.predict(X).reshape(len(X), -1)
    else:
        expected = model.predict_proba(X) if model.gives_probabilities else model.raw_outputs(X)
    if given.shape[1] == 1:
        expected = expected[:, -1:]
    return (given, expected) if given.shape == expected.shape else None


def _numbers(answer: Any) -> Array | None:
    """Return an output that is no label as an array, also where each row has a number by each label."""
    if isinstance(answer, list) and answer and isinstance(answer[0], dict):
        answer = np.array([list(row.values()) for row in answer])
    return answer if isinstance(answer, np.ndarray) and answer.dtype.kind == "f" else None


def _compared(given: Array, expected: Array, tolerance: float) -> tuple[int, float]:
    """Return how many rows differ by more than the tolerance allows, and the largest difference of the others.

    Where the file's own numbers overflow there is nothing to compare.
    """
    same = (given == expected) | ~np.isfinite(given)
    with np.errstate(all="ignore"):
        finite = np.where(np.isfinite(expected), abs(expected), 0.0)
        share = abs(given.astype(np.float64) - expected) / np.maximum(1.0, finite.max(axis=0))
    share = np.where(same, 0.0, np.where(np.isfinite(share), share, np.inf)).max(axis=1)
    near = share <= tolerance
    return int((~near).sum()), float(share[near].max(initial=0.0))
