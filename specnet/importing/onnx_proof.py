"""The proof of an import: run by onnxruntime, the file answers as the model does that was made of it."""

from __future__ import annotations

import os
from collections.abc import Collection
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specnet.errors import FileError
from specnet.exporting.proof import outputs_of, put_categories
from specnet.files import PathLike
from specnet.model import Model
from specnet.model_file import task_of

Array = NDArray[Any]

ROWS, SPREADS = 80, (0.5, 1.0, 3.0)
"""Rows of each spread, in standard deviations of the columns where the model knows them."""
_TOLERANCES = {"float32": (1e-3, 2e-6), "float64": (1e-9, 1e-12)}
"""What rounding does not reach: a share of an output's spread over the rows, plus one of its largest value, or of 1.

Activations that a file writes out in operators lose most of their digits far from 0, as log(sigmoid(x)) does.
"""
_MOST_OTHERS = 0.02
"""The share of rows that may be beyond it: near a jump a rounding decides."""


def prove(path: PathLike, model: Model, inputs: Collection[str]) -> str:
    """Return in words how far a file and the model that was made of it agree.

    Parameters
    ----------
    path : str or path-like
    model : Model
    inputs : collection of str
        The inputs that are the model's columns; nothing reads the others.

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
    X = [_rows(model, number) for number in range(len(SPREADS))]
    try:
        session = runtime.InferenceSession(os.fspath(path), options, providers=["CPUExecutionProvider"])
        precision = _precision(session, model)
        X = [rows.astype(precision).astype(np.float64) for rows in X]
        given = [_answer(session, rows, inputs) for rows in X]
    except Exception:  # its errors have no class in common
        return "not compared: onnxruntime does not run the file"
    with np.errstate(all="ignore"):
        numbers = _numbers_compared(given, model, X, _TOLERANCES[precision])
        labels = _labels_compared(given, model, X)
    return numbers or labels or "not compared: the file answers in another form"


def _rows(model: Model, seed: int) -> Array:
    """Return raw columns, (rows, inputs), of one of the spreads."""
    generator = np.random.default_rng(seed)
    prepared = SPREADS[seed] * generator.standard_normal((ROWS, model.network.inputs))
    put_categories(prepared, model, generator)
    raw: Array = model.preprocessing.invert(prepared)
    return raw


def _precision(session: Any, model: Model) -> str:
    """Return the lower one of the precisions of what goes in, of what comes out, and of the model."""
    values = [*session.get_inputs(), *session.get_outputs()]
    single = any(value.type == "tensor(float)" for value in values)
    return "float32" if single or model.network.dtype == np.float32 else "float64"


def _answer(session: Any, X: Array, inputs: Collection[str]) -> list[Array]:
    """Return what a file answers about rows, as many at a time as it takes."""
    batch = session.get_inputs()[0].shape[0]
    size = batch if isinstance(batch, int) and 0 < batch <= ROWS else ROWS
    answers: list[list[Array]] = []
    for first in range(0, len(X) - size + 1, size):
        begin, columns = 0, {}
        for value in session.get_inputs():
            dtype, width = np.float32 if value.type == "tensor(float)" else np.float64, value.shape[1]
            columns[value.name] = np.zeros((size, width), dtype)
            if value.name in inputs:
                columns[value.name][...] = X[first : first + size, begin : begin + width]
                begin += width
        answers.append([_table(answer) for answer in session.run(None, columns)])
    return [np.concatenate(parts) for parts in zip(*answers, strict=True)]


def _numbers_compared(
    given: list[list[Array]], model: Model, X: list[Array], tolerance: tuple[float, float]
) -> str | None:
    """Return how far the numbers agree, None where the file answers none or in another form."""
    found = [_pair(answers, model, rows) for answers, rows in zip(given, X, strict=True)]
    pairs = [pair for pair in found if pair is not None]
    if not pairs:
        return None
    compared = [_compared(*pair, *tolerance) for pair in pairs]
    if not any(np.isfinite(answer).any() for answer, _ in pairs):
        return "not compared: the file's answers overflow"
    rows, others = sum(len(answer) for answer, _ in pairs), sum(count for count, _ in compared)
    if others > _MOST_OTHERS * rows:
        raise FileError(
            f"the network that was found answers otherwise than onnxruntime on {others} of {rows} rows; "
            "something in this file was not understood"
        )
    difference = max(largest for _, largest in compared)
    return f"compared with onnxruntime on {rows} rows: the largest difference is {difference:.2g}"


def _pair(answers: list[Array], model: Model, X: Array) -> tuple[Array, Array] | None:
    """Return the numbers that the file and the model answer, in one shape; None where the file's have another one."""
    numbers = next((answer for answer in answers if answer.dtype.kind == "f"), None)
    if numbers is None or numbers.ndim not in (1, 2):
        return None
    given = numbers.reshape(len(numbers), -1)
    X = X[: len(given)]
    are_flags = task_of(model.network) == "multilabel" and np.isin(given, (0, 1)).all()
    expected = model.predict(X) if are_flags else outputs_of(model, X)
    if given.shape[1] == 1:
        expected = expected[:, -1:]
    return (given, expected) if given.shape == expected.shape else None


def _compared(given: Array, expected: Array, of_spread: float, of_largest: float) -> tuple[int, float]:
    """Return how many rows differ by more than rounding, and the largest difference of the others.

    Where the file's own numbers overflow there is nothing to compare.
    """
    known = np.isfinite(given)
    highest, lowest = np.where(known, given, -np.inf).max(axis=0), np.where(known, given, np.inf).min(axis=0)
    spread = np.maximum(0.0, highest - lowest)  # 0 where no number is known
    largest = np.where(known, abs(given), 0.0).max(axis=0)
    difference = np.where(known, abs(given.astype(np.float64) - expected), 0.0)
    near = (difference <= of_spread * spread + of_largest * np.maximum(1.0, largest)).all(axis=1)  # false for no number
    return int((~near).sum()), float(difference[near].max(initial=0.0))


def _labels_compared(given: list[list[Array]], model: Model, X: list[Array]) -> str | None:
    """Return how many labels agree, None where the file gives none or in another form."""
    agree = [
        agreeing
        for answers, rows in zip(given, X, strict=True)
        for labels in answers
        if (agreeing := _labels_agree(labels, model, rows)) is not None
    ]
    if not agree:
        return None
    known = np.concatenate(agree)
    differing = int((~known).sum())
    if differing > _MOST_OTHERS * len(known):
        raise FileError(
            f"the network that was found gives other labels than onnxruntime to {differing} of {len(known)} rows; "
            "something in this file was not understood"
        )
    said = f"{differing} labels differ" if differing else "all labels agree"
    return f"compared with onnxruntime on {len(known)} rows: {said}"


def _labels_agree(labels: Array, model: Model, X: Array) -> Array | None:
    """Return which rows of those with finite outputs get the model's label; None for what are no labels."""
    if labels.dtype.kind not in "biuO" or task_of(model.network) == "values":
        return None
    X = X[: len(labels)]
    expected = model.predict(X)
    if labels.size != expected.size:
        return None
    given = labels.astype(np.int64) if labels.dtype.kind == "b" else labels
    same = (given.reshape(len(X), -1).astype(str) == expected.reshape(len(X), -1).astype(str)).all(axis=1)
    agree: Array = same[np.isfinite(outputs_of(model, X)).all(axis=1)]
    return agree


def _table(answer: Any) -> Array:
    """Return an output as an array, also where each row has a number by each label."""
    if isinstance(answer, list) and answer and isinstance(answer[0], dict):
        answer = [list(row.values()) for row in answer]
    return np.asarray(answer)
