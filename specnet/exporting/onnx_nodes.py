"""The nodes and constants of an ONNX graph that is written, each with a name of its own, and what goes into it.

That is one tensor of numbers, or one of numbers and one of texts, whose codes are looked up.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

import numpy as np

from specnet.data import RawColumns
from specnet.exporting.export_columns import RawColumn, texts_of
from specnet.exporting.model_program import Program
from specnet.exporting.target import required
from specnet.parts.arrays import FLOAT64, Array


class Nodes:
    """Collects them.

    Parameters
    ----------
    taken : set of str
        Names that no node may have.

    Attributes
    ----------
    title : str
        What the next node is described as.
    """

    def __init__(self, taken: set[str]) -> None:
        self.helper = required("onnx", "onnx").helper
        self.nodes: list[Any] = []
        self.initializers: dict[str, Any] = {}
        self.lists: dict[tuple[int, ...], str] = {}
        self.taken = taken
        self._arrays: dict[str, Array] = {}
        self.title = ""

    def node(self, operator: str, inputs: Sequence[str], wish: str, **attributes: Any) -> str:
        name, number = wish, 2
        while name in self.taken:
            name, number = f"{wish}_{number}", number + 1
        self.taken.add(name)
        node = self.helper.make_node(operator, list(inputs), [name], doc_string=self.title or None, **attributes)
        self.nodes.append(node)
        self.title = ""  # a layer's first node alone says what it is
        return name

    def initializer(self, wish: str, array: Array) -> str:
        """Add a constant unless it is there, and return its name: the wish, with a number where another one has it."""
        name, number = wish, 2
        while name in self._arrays and not _same(self._arrays[name], array):
            name, number = f"{wish}_{number}", number + 1
        if name not in self._arrays:
            self._arrays[name] = array
            data = np.ascontiguousarray(array) if array.ndim else array
            self.initializers[name] = self._tensor(name, data)
        return name

    def _tensor(self, name: str, array: Array) -> Any:
        if array.dtype == object:
            kind, texts = required("onnx", "onnx").TensorProto.STRING, [text.encode() for text in array]
            return self.helper.make_tensor(name, kind, array.shape, texts)
        return required("onnx", "onnx").numpy_helper.from_array(array, name)

    def integers(self, *numbers: int) -> str:
        name = self.lists.setdefault(numbers, f"integers.{len(self.lists)}")
        return self.initializer(name, np.array(numbers, np.int64))

    def type_of(self, dtype: np.dtype[Any]) -> int:
        tensor_types = required("onnx", "onnx").TensorProto
        if dtype.kind == "U":
            return int(tensor_types.STRING)
        return int({"float32": tensor_types.FLOAT, "float64": tensor_types.DOUBLE}.get(dtype.name, tensor_types.INT64))


def _same(array: Array, other: Array) -> bool:
    return array.dtype == other.dtype and np.array_equal(array, other)


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


def columns_in(nodes: Nodes, program: Program) -> tuple[str, np.dtype[Any]]:
    """Add what makes one tensor of numbers of a graph's inputs, and return its name and type."""
    if not program.texts:
        return INPUT, program.column_dtype
    nodes.title = "codes of texts"
    found, numbers, texts = list[str](), 0, 0
    for is_text, columns in groupby(program.columns, lambda column: column.is_text):
        run = list(columns)
        if is_text:
            found += [_code(nodes, column, texts + index, len(program.texts)) for index, column in enumerate(run)]
            texts += len(run)
        else:
            numbers += len(run)
            found.append(_part(nodes, NUMBERS_INPUT, numbers - len(run), numbers, program.inputs - len(program.texts)))
    return nodes.node("Concat", found, "columns", axis=1) if len(found) > 1 else found[0], FLOAT64


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


def _code(nodes: Nodes, column: RawColumn, index: int, count: int) -> str:
    """Add what makes codes of a column of texts."""
    codes = column.codes or {"": 0}  # the operator needs one
    text = _part(nodes, TEXTS_INPUT, index, index + 1, count)
    fields = {"keys_strings": list(codes), "values_int64s": list(codes.values()), "default_int64": 0}
    code = nodes.node("LabelEncoder", [text], f"code.{index}", domain=LEARNING, **fields)
    return nodes.node("Cast", [code], f"code.{index}.double", to=nodes.type_of(FLOAT64))


def _part(nodes: Nodes, name: str, begin: int, end: int, count: int) -> str:
    """Add what takes some columns of an input, unless these are all of them."""
    if end - begin == count:
        return name
    bounds = [nodes.integers(begin), nodes.integers(end), nodes.integers(1)]
    return nodes.node("Slice", [name, *bounds], f"{name}.{begin}")
