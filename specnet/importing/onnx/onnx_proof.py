"""The proof of an ONNX import: onnxruntime answers as the model does."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import Any

import numpy as np

from specnet.data import RawColumns
from specnet.exporting.export_columns import columns_of
from specnet.exporting.onnx_inputs import fed
from specnet.exporting.target import CannotRunError
from specnet.exporting.targets.onnx import session_of
from specnet.files import PathLike
from specnet.importing.import_proof import ROWS, prove
from specnet.model import Model
from specnet.parts.arrays import FLOAT64, Array

_Feed = Callable[[RawColumns], dict[str, Array]]
"""What inputs get for raw rows."""


def prove_file(path: PathLike, model: Model, inputs: Collection[str], outputs: Sequence[str] | None = None) -> str:
    """Return in words how far a file and the model that was made of it agree.

    Its inputs of these names are the model's columns; nothing reads the others. Its outputs of these names, all by
    default, are the model's.

    Raises
    ------
    FileError
        If they do not.
    """
    try:
        session = _run(session_of, os.fspath(path))
        values = [*session.get_inputs(), *session.get_outputs()]
        single = model.network.dtype == np.float32 or any(value.type == "tensor(float)" for value in values)
        columns = columns_of(model)
        if any(column.is_text for column in columns):
            feed: _Feed = partial(fed, columns, FLOAT64)
        else:
            feed = partial(_fed, session.get_inputs(), inputs)
        answers = partial(_answers, session, inputs, outputs, feed)
        return prove(model, "float32" if single else "float64", answers, "onnxruntime")
    except CannotRunError as obstacle:
        return f"not compared: {obstacle}"


def _run(call: Callable[..., Any], *arguments: Any) -> Any:
    try:
        return call(*arguments)
    except CannotRunError:
        raise
    except Exception as error:  # onnxruntime's errors have no class in common
        raise CannotRunError("onnxruntime does not run the file") from error


def _answers(
    session: Any, inputs: Collection[str], outputs: Sequence[str] | None, feed: _Feed, rows: RawColumns
) -> list[Array]:
    """Return outputs about rows, as many at a time as the file takes."""
    shapes = [value.shape for value in session.get_inputs() if value.name in inputs]
    batches = [shape[0] if len(shape) > 1 else 1 for shape in shapes]
    size = next((batch for batch in batches if isinstance(batch, int) and batch > 0), len(rows))
    if size > ROWS:
        raise CannotRunError(f"the file takes {size} rows at a time, more than are made here")
    parts = [rows.part(slice(first, first + size)) for first in range(0, len(rows) - size + 1, size)]
    found = [map(_table, _run(session.run, outputs, feed(part))) for part in parts]
    return [np.concatenate([each.reshape(size, -1) for each in answer]) for answer in zip(*found, strict=True)]


def _fed(values: Sequence[Any], inputs: Collection[str], rows: RawColumns) -> dict[str, Array]:
    """Return what inputs of numbers get: rows' columns, and zeros where nothing reads them."""
    found, begin, X = {}, 0, rows.X
    for value in values:
        shape = [size if isinstance(size, int) else len(X) for size in value.shape]
        array = np.zeros(shape, np.float32 if value.type == "tensor(float)" else np.float64)
        if value.name in inputs:
            width = array.size // len(X)
            array = X[:, begin : begin + width].astype(array.dtype).reshape(shape)
            begin += width
        found[value.name] = array
    return found


def _table(answer: Any) -> Array:
    """Return an output as an array, also where each row has a number by each label."""
    if isinstance(answer, list) and answer and isinstance(answer[0], dict):
        answer = [list(row.values()) for row in answer]
    return np.asarray(answer)
