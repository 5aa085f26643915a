"""A node of an ONNX graph as its operator sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from specnet.errors import FileError
from specnet.importing.onnx_file import as_texts
from specnet.importing.onnx_values import Features, Value
from specnet.parts.arrays import Array

if TYPE_CHECKING:
    from onnx import NodeProto

    from specnet.importing.onnx_graph import Graph


class Call:
    """A node as its operator sees it.

    Attributes
    ----------
    graph : Graph
    inputs : list
        Its values, None for those that are left out at their place.
    """

    def __init__(self, graph: Graph, node: NodeProto) -> None:
        self.graph, self.node = graph, node
        self.inputs = [graph.values[name] if name else None for name in node.input]
        self._attributes = {attribute.name: attribute for attribute in node.attribute}

    def refuse(self, reason: str) -> NoReturn:
        """Say that the node is not understood."""
        raise FileError(reason)

    def given(self, index: int) -> Value | Array | None:
        """Return an input that may be left out."""
        return self.inputs[index] if index < len(self.inputs) else None

    def value(self, index: int = 0) -> Value | Array:
        """Return an input that has to be there."""
        found = self.given(index)
        if found is None:
            self.refuse("it has too few inputs")
        return found

    def features(self, index: int = 0) -> Features:
        """Return an input that has to be features of rows."""
        found = self.value(index)
        if not isinstance(found, Features):
            self.refuse(f"it reads {self.graph.described(found)}, and features of rows are needed")
        return found

    def constant(self, index: int) -> Array:
        """Return an input that has to be a constant."""
        found = self.value(index)
        if not isinstance(found, np.ndarray):
            self.refuse(f"its input {index} is no constant, but {self.graph.described(found)}")
        return found

    def per_feature(self, index: int, size: int) -> Array:
        """Return a constant of one number or of one for each feature: () or (size,)."""
        return row(self.constant(index), size)

    def integers(self, index: int, name: str) -> list[int] | None:
        """Return integers that are an attribute in older versions of an operator and an input in newer ones."""
        found = self.given(index)
        if found is None:
            return self.ints(name)
        array = self.constant(index)
        if array.dtype.kind != "i" or array.size > 8:
            self.refuse(f"{name} are no few integers")
        return [int(number) for number in array.reshape(-1)]

    def number(self, name: str, default: float) -> float:
        """Return an attribute that is a number, which ONNX keeps in single precision."""
        found = self._attribute(name, "FLOAT")
        return self.graph.layers.rounded(float(np.float32(default)) if found is None else found.f)

    def integer(self, name: str, default: int) -> int:
        """Return an attribute that is an integer."""
        found = self._attribute(name, "INT")
        return default if found is None else int(found.i)

    def ints(self, name: str) -> list[int] | None:
        """Return an attribute that is a list of integers."""
        found = self._attribute(name, "INTS")
        return None if found is None else [int(number) for number in found.ints]

    def numbers(self, name: str) -> Array:
        """Return an attribute that is a list of numbers."""
        found = self._attribute(name, "FLOATS")
        return np.array([] if found is None else list(found.floats), np.float32)

    def word(self, name: str, default: str) -> str:
        """Return an attribute that is a text."""
        found = self._attribute(name, "STRING")
        return default if found is None else found.s.decode("utf-8", "replace")

    def texts(self, name: str) -> Array | None:
        """Return an attribute that is a list of texts."""
        found = self._attribute(name, "STRINGS")
        return None if found is None else as_texts(found.strings, name)

    def tensor(self, name: str) -> Array | None:
        """Return an attribute that is a tensor."""
        found = self._attribute(name, "TENSOR")
        return None if found is None else self.graph.tensors.read(found.t)

    def attributes(self) -> set[str]:
        """Return the names of the attributes that are there."""
        return set(self._attributes)

    def _attribute(self, name: str, kind: str) -> Any:
        from onnx import AttributeProto

        found = self._attributes.get(name)
        if found is not None and found.type != AttributeProto.AttributeType.Value(kind):
            self.refuse(f"its attribute {name} is not of the type {kind}")
        return found


def row(array: Array, size: int) -> Array:
    """Return a constant as a number, or as one for each of so many features.

    Raises
    ------
    FileError
        If it differs from row to row, or has another length.
    """
    if array.dtype.kind not in "fib":
        raise FileError(f"a constant holds {array.dtype}, and not numbers")
    if not np.isfinite(array).all():
        raise FileError("a constant holds numbers that are not finite")
    if array.size == 1 and array.ndim <= 2:
        return array.reshape(()).astype(np.float64)
    if array.ndim > 2 or (array.ndim == 2 and len(array) != 1) or array.size != size:
        raise FileError(f"a constant of shape {array.shape} is no number for each of {size} features")
    return array.reshape(size).astype(np.float64)
