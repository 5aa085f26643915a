"""The inputs of an ONNX graph: one tensor of numbers, or one of numbers and one of texts, whose codes are looked up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from specnet.data import RawColumns
from specnet.exporting.export_columns import RawColumn, texts_of
from specnet.parts.arrays import FLOAT64, Array

INPUT, NUMBERS_INPUT, TEXTS_INPUT = "X", "numbers", "texts"
LEARNING, LEARNING_OPSET = "ai.onnx.ml", 4
"""The domain of LabelEncoder, and its version that belongs to that of the other operators."""


def inputs_of(columns: Sequence[RawColumn], dtype: np.dtype[Any]) -> list[tuple[str, np.dtype[Any], list[int], str]]:
    """Return the graph's inputs: the name, the type, the raw columns that it has, and what they are in words."""
    texts = [index for index, column in enumerate(columns) if column.is_text]
    numbers = [index for index, column in enumerate(columns) if not column.is_text]
    if not texts:
        return [(INPUT, dtype, numbers, _described(columns))]
    inputs = [(NUMBERS_INPUT, FLOAT64, numbers), (TEXTS_INPUT, np.dtype(np.str_), texts)]
    return [
        (name, dtype, indices, _described([columns[index] for index in indices]))
        for name, dtype, indices in inputs
        if indices
    ]


def fed(columns: Sequence[RawColumn], dtype: np.dtype[Any], rows: RawColumns) -> dict[str, Array]:
    """Return what a graph's inputs get for raw rows."""
    texts = texts_of(columns, rows)
    return {
        name: np.array([texts[index] for index in indices], np.object_).T
        if kind.kind == "U"
        else rows.X[:, indices].astype(kind)
        for name, kind, indices, _ in inputs_of(columns, dtype)
    }


def _described(columns: Sequence[RawColumn]) -> str:
    """Return what an input's columns are, all of them numbers or all of them texts."""
    words, are_numbers = "raw columns", all(column.kind == "numeric" for column in columns)
    missing = any(column.takes_missing for column in columns)
    if missing:
        words += f", {'an empty text' if columns[0].is_text else 'NaN'} where a cell is missing"
    if not columns[0].name:
        return words
    if are_numbers and not missing:
        return f"{words}: {', '.join(column.name for column in columns)}"
    return f"{words}: {'; '.join(f'{column.name}: {column.meaning}' for column in columns)}"
