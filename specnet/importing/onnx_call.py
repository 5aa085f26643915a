"""A node of an ONNX graph as its operator sees it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from specnet.errors import FileError
from specnet.importing.onnx_file import as_texts
from specnet.importing.onnx_graph import Graph
from specnet.importing.onnx_terms import (
    Dimensions,
    Flags,
    Label,
    Part,
    Table,
    Term,
    TwoClasses,
    Value,
    Winner,
    per_feature,
    shown_shape,
)
from specnet.parts.arrays import Array

if TYPE_CHECKING:
    from onnx import NodeProto

Result = Value | Array | list[Value]
Operator = Callable[["Call"], Result]
_WORDS: dict[type, str] = {
    Part: "some of a layer's features",
    Dimensions: "the shape of features",
    TwoClasses: "the probabilities of two classes",
    Winner: "the index of a class",
    Label: "a label",
    Flags: "0 or 1 for each output",
    Table: "probabilities by label",
}


def described(value: Value | Array) -> str:
    """Return in words what a value is."""
    if isinstance(value, np.ndarray):
        return f"a constant of shape {value.shape}"
    return f"features of shape {shown_shape(value.shape)}" if isinstance(value, Term) else _WORDS[type(value)]


class Call:
    """A node as its operator sees it.

    Attributes
    ----------
    graph : Graph
    node : NodeProto
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

    def term(self, index: int = 0) -> Term:
        """Return an input that has to be features."""
        found = self.value(index)
        if isinstance(found, Part):
            return self.graph.selected(found)
        if isinstance(found, TwoClasses):
            return self.graph.leaf(self.graph.both(found))
        if not isinstance(found, Term):
            self.refuse(f"it reads {described(found)}, expected features")
        return found

    def constant(self, index: int) -> Array:
        """Return an input that has to be a constant."""
        found = self.value(index)
        if not isinstance(found, np.ndarray):
            self.refuse(f"its input {index} is {described(found)}, expected a constant")
        return found

    def per_feature(self, index: int, size: int) -> Array:
        """Return a constant of one number or of one for each feature as (size,)."""
        found: Array = np.broadcast_to(per_feature(self.constant(index), (None, size)), size)
        return found

    def along_features(self, shape: Sequence[int | None], axis: int) -> bool:
        """Whether an axis of features is that of all of them."""
        axis += len(shape) if axis < 0 else 0
        return axis == len(shape) - 1 and all(size in (None, 1) for size in shape[:-1])

    def integers(self, index: int, name: str) -> list[int] | None:
        """Return integers that are an attribute in older versions of an operator and an input in newer ones."""
        if self.given(index) is None:
            return self.ints(name)
        array = self.constant(index)
        if array.dtype.kind != "i" or array.size > 8:
            self.refuse(f"its {name} has shape {array.shape} and holds {array.dtype}, expected a few integers")
        return [int(number) for number in array.reshape(-1)]

    def number(self, name: str, default: float) -> float:
        """Return an attribute that is a number, which ONNX keeps in single precision."""
        found = self._attribute(name, "FLOAT")
        return self.graph.recognizer.rounded(float(np.float32(default)) if found is None else found.f)

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
