"""The nodes and constants of an ONNX graph, each with a unique name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from specnet.exporting.target import required
from specnet.parts.arrays import Array


class OnnxNodes:
    """The nodes and constants of a graph.

    Parameters
    ----------
    taken : iterable of str
        Names that nodes may not have.

    Attributes
    ----------
    nodes : list of NodeProto
    initializers : dict of str to TensorProto
        The constants by name.
    arrays : dict of str to ndarray
        The numbers of the constants by name.
    title : str
        The description of the next node.
    """

    def __init__(self, taken: Iterable[str]) -> None:
        self.helper, self.taken = required("onnx", "onnx").helper, set(taken)
        self.nodes: list[Any] = []
        self.initializers: dict[str, Any] = {}
        self.arrays: dict[str, Array] = {}
        self.title = ""
        self._lists: dict[tuple[int, ...], str] = {}

    def node(self, operator: str, inputs: Sequence[str], wish: str, **attributes: Any) -> str:
        """Add a node, and return the name of its result: the wished one, with a number if it is in use."""
        name, number = wish, 2
        while name in self.taken:
            name, number = f"{wish}_{number}", number + 1
        self.taken.add(name)
        node = self.helper.make_node(operator, list(inputs), [name], doc_string=self.title or None, **attributes)
        self.nodes.append(node)
        self.title = ""  # only the first node of a layer is described
        return name

    def initializer(self, wish: str, array: Array) -> str:
        """Add a constant unless it exists, and return its name: the wished one, with a number if it is in use."""
        name, number = wish, 2
        while name in self.arrays and not _same(self.arrays[name], array):
            name, number = f"{wish}_{number}", number + 1
        if name not in self.arrays:
            self.arrays[name] = array
            data = np.ascontiguousarray(array) if array.ndim else array
            self.initializers[name] = self._tensor(name, data)
        return name

    def _tensor(self, name: str, array: Array) -> Any:
        if array.dtype == object:
            kind, texts = required("onnx", "onnx").TensorProto.STRING, [text.encode() for text in array]
            return self.helper.make_tensor(name, kind, array.shape, texts)
        return required("onnx", "onnx").numpy_helper.from_array(array, name)

    def integers(self, *numbers: int) -> str:
        """Add a constant of integers unless it exists, and return its name."""
        name = self._lists.setdefault(numbers, f"integers.{len(self._lists)}")
        return self.initializer(name, np.array(numbers, np.int64))

    def type_of(self, dtype: np.dtype[Any]) -> int:
        """Return ONNX's number of a data type."""
        tensor_types = required("onnx", "onnx").TensorProto
        if dtype.kind == "U":
            return int(tensor_types.STRING)
        return int({"float32": tensor_types.FLOAT, "float64": tensor_types.DOUBLE}.get(dtype.name, tensor_types.INT64))

    def part(self, name: str, begin: int, end: int, count: int, axis: int = 1) -> str:
        """Add a node that selects `begin` to `end` of an axis, unless these are all; return the result's name."""
        if end - begin == count:
            return name
        bounds = [self.integers(begin), self.integers(end), self.integers(axis)]
        return self.node("Slice", [name, *bounds], f"{name}.{begin}")

    def cast(self, name: str, given: np.dtype[Any], dtype: np.dtype[Any], wish: str) -> str:
        """Add a node that converts a tensor to a data type unless it has it, and return the result's name."""
        return name if given == dtype else self.node("Cast", [name], wish, to=self.type_of(dtype))

    def expanded(self, name: str, rows: str, features: int, key: str) -> str:
        """Add nodes that repeat a constant for each row, and return the name of the result (rows, features)."""
        count = self.node("Shape", [rows], f"{key}.rows", start=0, end=1)
        shape = self.node("Concat", [count, self.integers(features)], f"{key}.shape", axis=0)
        return self.node("Expand", [name, shape], f"{key}.expand")


def _same(array: Array, other: Array) -> bool:
    return array.dtype == other.dtype and np.array_equal(array, other)
