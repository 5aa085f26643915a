"""The proof of an ONNX import: onnxruntime answers as the model does."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from importlib import import_module
from typing import Any

import numpy as np

from specnet.exporting.target import CannotRunError
from specnet.files import PathLike
from specnet.importing.proof import ROWS, prove
from specnet.model import Model
from specnet.parts.arrays import Array


def prove_file(path: PathLike, model: Model, inputs: Collection[str]) -> str:
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
        return prove(model, file.precision(model), file.answers, "onnxruntime")
    except CannotRunError as obstacle:
        return f"not compared: {obstacle}"


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
        self._session = _run(
            runtime.InferenceSession, os.fspath(path), options, providers=["CPUExecutionProvider"], enable_fallback=0
        )

    def precision(self, model: Model) -> str:
        """Return the lowest of the precisions of what goes in, of what comes out, and of a model."""
        values = [*self._session.get_inputs(), *self._session.get_outputs()]
        single = any(value.type == "tensor(float)" for value in values)
        return "float32" if single or model.network.dtype == np.float32 else "float64"

    def answers(self, X: Array) -> list[Array]:
        """Return all outputs about rows, as many at a time as the file takes."""
        shape = self._session.get_inputs()[0].shape
        batch = shape[0] if len(shape) > 1 else 1
        size = batch if isinstance(batch, int) and batch > 0 else len(X)
        if size > ROWS:
            raise CannotRunError(f"the file takes {size} rows at a time, more than are made here")
        starts = range(0, len(X) - size + 1, size)
        found = [map(_table, _run(self._session.run, None, self._fed(X[first : first + size]))) for first in starts]
        return [np.concatenate([part.reshape(size, -1) for part in parts]) for parts in zip(*found, strict=True)]

    def _fed(self, X: Array) -> dict[str, Array]:
        """Return what the inputs get: rows' columns, and zeros where nothing reads them."""
        fed, begin = {}, 0
        for value in self._session.get_inputs():
            shape = [size if isinstance(size, int) else len(X) for size in value.shape]
            array = np.zeros(shape, np.float32 if value.type == "tensor(float)" else np.float64)
            if value.name in self._inputs:
                width = array.size // len(X)
                array = X[:, begin : begin + width].astype(array.dtype).reshape(shape)
                begin += width
            fed[value.name] = array
        return fed


def _run(call: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    try:
        return call(*arguments, **options)
    except Exception as error:  # onnxruntime's errors have no class in common
        raise CannotRunError("onnxruntime does not run the file") from error


def _table(answer: Any) -> Array:
    """Return an output as an array, also where each row has a number by each label."""
    if isinstance(answer, list) and answer and isinstance(answer[0], dict):
        answer = [list(row.values()) for row in answer]
    return np.asarray(answer)
