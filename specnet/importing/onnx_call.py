"""A node of an ONNX graph as its operator sees it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from specnet.errors import FileError
from specnet.files.tensors import shown
from specnet.importing.onnx_graph import Graph
from specnet.importing.onnx_terms import Features, Value, Varying, case_of, described, per_feature
from specnet.parts.arrays import Array

if TYPE_CHECKING:
    from onnx import NodeProto

Result = Value | list[Value]
Operator = Callable[["Call"], Result]
_BESIDE = ("Concat", "FeatureVectorizer")
_PLAIN = ("FLOAT", "INT", "STRING", "TENSOR", "FLOATS", "INTS", "STRINGS")
"""Attributes that hold numbers and texts, and no graphs or sparse tensors."""


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
        for name, each in self._attributes.items():  # nodes are run, and must read no other file
            is_plain = each.AttributeType.Name(each.type) in _PLAIN
            if not is_plain or (each.t.data_location and node.op_type != "Constant"):
                self.refuse(f"its attribute {shown(name)} is not supported")

    def refuse(self, reason: str) -> NoReturn:
        """Say that the node is not understood."""
        raise FileError(reason)

    def given(self, index: int) -> Value | None:
        """Return an input that may be left out."""
        return self.inputs[index] if index < len(self.inputs) else None

    def value(self, index: int = 0) -> Value:
        """Return an input that has to be there."""
        found = self.given(index)
        if found is None:
            self.refuse("it has too few inputs")
        return found

    def features(self, index: int = 0) -> Features:
        """Return an input that has to be features."""
        found = self.value(index)
        if not isinstance(found, Features):
            self.refuse(f"it reads {described(found)}, expected features")
        return found

    def source(self) -> int:
        """Return the layer that makes the first input."""
        return self.graph.source(self.graph.term(self.features()))

    def constant(self, index: int) -> Array:
        """Return an input that has to be a constant."""
        found = self.value(index)
        if not isinstance(found, np.ndarray):
            self.refuse(f"its input {index} is {described(found)}, expected a constant")
        return found

    def per_feature(self, array: Array, size: int) -> Array:
        """Return a constant of one number or of one for each feature as (size,)."""
        if array.size not in (1, size) or max(array.shape[:-1], default=1) > 1:
            self.refuse(f"{described(array)} does not fit {size} features")
        return np.broadcast_to(per_feature(array, 1, (1,) * array.ndim + (size,)), size)

    def moved(self) -> Result:
        """Return what the node makes of its inputs by putting their numbers at other places."""
        node, graph = self.node, self.graph
        data, others = (self.inputs, []) if node.op_type in _BESIDE else (self.inputs[:1], self.inputs[1:])
        read = [value for value in data if isinstance(value, Features)]
        for value in others:
            if isinstance(value, Features) or (
                isinstance(value, Varying) and node.op_type not in ("Expand", "Reshape")
            ):
                self.refuse(f"it chooses by {described(value)}")
        if read and node.op_type == "ConstantOfShape":
            self.refuse(f"it reads {read[0]}, expected a shape")
        if len({value.term for value in read}) > 1 or 0 < len(read) < len(data):
            self.refuse("it puts features of different layers, or constants, beside each other")
        is_constant = all(value is None or isinstance(value, np.ndarray) for value in self.inputs)
        cases = range(1 if is_constant else len(graph.rows))
        arrays = [[None if value is None else case_of(value, n) for value in self.inputs] for n in cases]
        results: list[Value] = []
        for output in range(len(node.output)):
            try:
                made = [graph.runner.fold(node, each, output) for each in arrays]
            except FileError:
                if is_constant:
                    raise
                self.refuse(f"it cannot be computed from {described(*self.inputs)}")
            if read and node.op_type != "Shape":
                results.append(graph.tensor(read, made))
            elif all(np.array_equal(made[0], each) for each in made):
                results.append(made[0])
            else:
                results.append(Varying(tuple(made)))
        return results

    def ints(self, name: str, index: int | None = None) -> list[int] | None:
        """Return integers, which newer versions of an operator have as an input and older ones as an attribute."""
        if index is None or self.given(index) is None:
            found = self.attribute(name, "INTS")
            return None if found is None else [int(number) for number in found]
        array = self.constant(index)
        if array.dtype.kind != "i" or array.size > 8:
            self.refuse(f"its {name} has shape {array.shape} and holds {array.dtype}, expected a few integers")
        return [int(number) for number in array.reshape(-1)]

    def number(self, name: str, default: float) -> float:
        """Return an attribute that is a number, which ONNX keeps in single precision."""
        return self.graph.recognizer.rounded(float(np.float32(self.attribute(name, "FLOAT", default))))

    def integer(self, name: str, default: int) -> int:
        """Return an attribute that is an integer."""
        return int(self.attribute(name, "INT", default))

    def attribute(self, name: str, kind: str, default: Any = None) -> Any:
        """Return an attribute of a kind that ONNX has a name for."""
        from onnx import AttributeProto, helper

        found = self._attributes.get(name)
        if found is None:
            return default
        if found.type != AttributeProto.AttributeType.Value(kind):
            self.refuse(f"its attribute {name} is not of the type {kind}")
        return helper.get_attribute_value(found)
