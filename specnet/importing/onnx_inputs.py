"""What goes into an ONNX graph: one tensor of columns, or several that are put beside each other first."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from specnet.errors import FileError
from specnet.files.tensors import shown
from specnet.importing.onnx_terms import Shape

if TYPE_CHECKING:
    from onnx import ValueInfoProto


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

    Raises
    ------
    FileError
        If there is none, or one holds no floating-point numbers or has no known size.
    """
    found = {value.name: _read(value) for value in values}
    if not found:
        raise FileError("the graph has no inputs")
    dtypes = {dtype for dtype, _ in found.values()}
    if len(dtypes) > 1:
        raise FileError("some inputs are FLOAT and others DOUBLE; expected one type")
    shapes = {name: (None, *shape[1:]) if len(shape) > 1 else shape for name, (_, shape) in found.items()}
    rows = {shape[0] if len(shape) > 1 else 1 for _, shape in found.values()}
    return Inputs(shapes, dtypes.pop(), rows.pop() if len(rows) == 1 else None)


def _read(value: ValueInfoProto) -> tuple[str, Shape]:
    """Return the dtype and the shape of an input."""
    from onnx import TensorProto

    dtypes: dict[int, str] = {TensorProto.FLOAT: "float32", TensorProto.DOUBLE: "float64"}
    name, tensor = shown(value.name), value.type.tensor_type
    if tensor.elem_type not in dtypes:  # 0 where it is no tensor
        raise FileError(f"the input {name} is not a tensor of FLOAT or DOUBLE")
    dims = tensor.shape.dim
    shape = tuple(dim.dim_value if dim.HasField("dim_value") and dim.dim_value >= 0 else None for dim in dims)
    if not 1 <= len(shape) <= 8 or 0 in shape or None in (shape[1:] or shape):
        text = ", ".join("?" if size is None else str(size) for size in shape[:8])
        raise FileError(f"the input {name} has the shape ({text}), expected rows of a known number of columns")
    return dtypes[tensor.elem_type], shape
