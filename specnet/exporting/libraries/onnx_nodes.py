"""The nodes and constants of an ONNX graph that is written, each with a name of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from specnet.exporting.target import required
from specnet.parts.arrays import Array


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
