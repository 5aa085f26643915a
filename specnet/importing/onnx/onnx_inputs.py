"""What goes into an ONNX graph: one tensor of columns, or several that are put beside each other first."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from specnet.errors import FileError
from specnet.files.tensors import shown
from specnet.importing.onnx.onnx_file import PRECISION_HINT
from specnet.importing.onnx.onnx_terms import Shape
from specnet.spec.reading.words import counted

if TYPE_CHECKING:
    from onnx import GraphProto, ValueInfoProto


@dataclass(frozen=True, slots=True)
class Inputs:
    """The tensors of columns, in the order in which a model's columns are theirs."""

    shapes: dict[str, Shape]
    """Of each, None for the rows; without that, the tensor is a single row."""
    dtype: str
    rows: int | None
    """How many rows each has; None for any number."""

    @property
    def columns(self) -> int:
        """The number of all columns."""
        return sum(math.prod(size for size in shape if size is not None) for shape in self.shapes.values())


def read_inputs(values: Iterable[ValueInfoProto]) -> Inputs:
    """Return the inputs of a graph that are no constants.

    Where some of them have a fixed number of rows and the others any, all have that.

    Raises
    ------
    FileError
        If there is none, one holds no floating-point numbers or has no known size, or two have different numbers of
        rows.
    """
    found = {value.name: _read(value) for value in values}
    if not found:
        raise FileError("the graph has no inputs")
    dtypes = {dtype for dtype, _ in found.values()}
    if len(dtypes) > 1:
        raise FileError("some inputs are FLOAT and others DOUBLE; expected one type")
    shapes = {name: (None, *shape[1:]) if len(shape) > 1 else shape for name, (_, shape) in found.items()}
    fixed = {rows: name for name, (_, shape) in found.items() if (rows := shape[0] if len(shape) > 1 else 1)}
    if len(fixed) > 1:
        names = " and ".join(f"{shown(name)} has {counted(rows, 'row')}" for rows, name in list(fixed.items())[:2])
        raise FileError(f"the inputs have different numbers of rows: {names}")
    return Inputs(shapes, dtypes.pop(), next(iter(fixed), None))


def copied_inputs(graph: GraphProto) -> dict[str, str]:
    """Return the outputs of a graph that are copies of its inputs, and of which inputs, if there are other outputs."""
    inputs = {value.name for value in graph.input} - {tensor.name for tensor in graph.initializer}
    sources, found = identities(graph), {}
    for output in graph.output:
        name, length = output.name, len(sources)
        while name not in inputs and name in sources and length:
            name, length = sources[name], length - 1
        if name in inputs:
            found[output.name] = name
    return found if len(found) < len(graph.output) else {}


def identities(graph: GraphProto) -> dict[str, str]:
    """Return what nodes hand on as it is: the names of their results, and of what these are."""
    nodes = (node for node in graph.node if (node.domain, node.op_type) == ("", "Identity"))
    return {node.output[0]: node.input[0] for node in nodes if node.output and node.input}


def _read(value: ValueInfoProto) -> tuple[str, Shape]:
    """Return the dtype and the shape of an input."""
    from onnx import TensorProto

    dtypes: dict[int, str] = {TensorProto.FLOAT: "float32", TensorProto.DOUBLE: "float64"}
    name, tensor = shown(value.name), value.type.tensor_type
    if tensor.elem_type not in dtypes:  # 0 where it is no tensor
        hint = PRECISION_HINT if tensor.elem_type in (TensorProto.FLOAT16, TensorProto.BFLOAT16) else None
        raise FileError(f"the input {name} is not a tensor of FLOAT or DOUBLE", hint=hint)
    dims = tensor.shape.dim
    shape = tuple(dim.dim_value if dim.HasField("dim_value") and dim.dim_value >= 0 else None for dim in dims)
    if not 1 <= len(shape) <= 8 or 0 in shape or None in (shape[1:] or shape):
        text = ", ".join("?" if size is None else str(size) for size in shape[:8])
        raise FileError(f"the input {name} has the shape ({text}), expected rows of a known number of columns")
    return dtypes[tensor.elem_type], shape
