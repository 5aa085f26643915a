"""The proof of an import: run by onnxruntime, the file answers as the model does that was made of it."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specnet.errors import FileError
from specnet.exporting.proof import outputs_of, put_categories
from specnet.exporting.target import CannotRunError
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
        file = _RunningFile(path, inputs)
        precision = file.precision(model)
        X = [_rows(model, spread, seed).astype(precision).astype(np.float64) for seed, spread in enumerate(SPREADS)]
        given = [file.answers(rows) for rows in X]
    except CannotRunError as obstacle:
        return f"not compared: {obstacle}"
    with np.errstate(all="ignore"):
        numbers = _numbers_compared(given, model, X, _TOLERANCES[precision])
        labels = _labels_compared(given, model, X)
    return numbers or labels or "not compared: the file answers in another form"


class _RunningFile:
    """An ONNX file that onnxruntime runs.

    Raises
    ------
    CannotRunError
        If it does not, here and when rows are given to it.
    """

    def __init__(self, path: PathLike, inputs: Collection[str]) -> None:
        try:
            runtime = import_module("onnxruntime")
        except ImportError:
            raise CannotRunError("onnxruntime is not installed") from None
        options = runtime.SessionOptions()
        options.log_severity_level = 4
        self._inputs = inputs
        self._session = _run(runtime.InferenceSession, os.fspath(path), options, providers=["CPUExecutionProvider"])

    def precision(self, model: Model) -> str:
        """Return the lowest of the precisions of what goes in, of what comes out, and of a model."""
        values = [*self._session.get_inputs(), *self._session.get_outputs()]
        single = any(value.type == "tensor(float)" for value in values)
        return "float32" if single or model.network.dtype == np.float32 else "float64"

    def answers(self, X: Array) -> list[Array]:
        """Return all outputs about rows, as many at a time as the file takes."""
        batch = self._session.get_inputs()[0].shape[0]
        size = batch if isinstance(batch, int) and batch > 0 else ROWS
        if size > ROWS:
            raise CannotRunError(f"the file takes {size} rows at a time, more than are made here")
        starts = range(0, len(X) - size + 1, size)
        found = [map(_table, _run(self._session.run, None, self._fed(X[first : first + size]))) for first in starts]
        return [np.concatenate(parts) for parts in zip(*found, strict=True)]

    def _fed(self, X: Array) -> dict[str, Array]:
        """Return what the inputs get: rows' columns, and zeros where nothing reads them."""
        fed, begin = {}, 0
        for value in self._session.get_inputs():
            shape = [size if isinstance(size, int) else len(X) for size in value.shape]
            fed[value.name] = np.zeros(shape, np.float32 if value.type == "tensor(float)" else np.float64)
            if value.name in self._inputs:
                fed[value.name][...] = X[:, begin : begin + shape[1]]
                begin += shape[1]
        return fed


def _run(call: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    try:
        return call(*arguments, **options)
    except Exception as error:  # onnxruntime's errors have no class in common
        raise CannotRunError("onnxruntime does not run the file") from error


def _rows(model: Model, spread: float, seed: int) -> Array:
    """Return raw columns, (rows, inputs), whose standard deviation is so many of those that the model knows."""
    generator = np.random.default_rng(seed)
    prepared = spread * generator.standard_normal((ROWS, model.network.inputs))
    put_categories(prepared, model, generator)
    raw: Array = model.preprocessing.invert(prepared)
    return raw


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
