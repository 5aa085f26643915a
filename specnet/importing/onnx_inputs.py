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
    """The tensors of columns, in the order in which a model's columns are theirs.

    Attributes
    ----------
    shapes : dict of str to tuple
        Of each, None for the rows; without that, the tensor is a single row.
    dtype : str
        ``float32`` or ``float64``.
    rows : int or None
        How many rows each has; None for any number.
    """

    shapes: dict[str, Shape]
    dtype: str
    rows: int | None = None

    @property
    def columns(self) -> int:
        """The number of all columns."""
        return sum(map(features, self.shapes.values()))


def features(shape: Shape) -> int:
    """Return how many numbers of such a shape each row has."""
    return math.prod(size for size in shape if size is not None)


def read_inputs(values: Iterable[ValueInfoProto]) -> Inputs:
    """Return the inputs of a graph that are no constants.

    Raises
    ------
    FileError
        If there is none, or one holds no floating-point numbers or has no known size.
    """
    shapes: dict[str, Shape] = {}
    kinds, rows = set[str](), set[int]()
    for value in values:
        shapes[value.name], count, kind = _tensor(value)
        kinds.add(kind)
        rows.add(count)
    if not shapes:
        raise FileError("the graph has no inputs")
    if len(kinds) > 1:
        raise FileError("some inputs are FLOAT and others DOUBLE; expected one type")
    (count,) = rows if len(rows) == 1 else (0,)
    return Inputs(shapes, kinds.pop(), count or None)


def _tensor(value: ValueInfoProto) -> tuple[Shape, int, str]:
    """Return the shape of an input, its number of rows, 0 for any, and its dtype."""
    from onnx import TensorProto

    kinds: dict[int, str] = {TensorProto.FLOAT: "float32", TensorProto.DOUBLE: "float64"}
    name, tensor = shown(value.name), value.type.tensor_type
    if value.type.WhichOneof("value") != "tensor_type" or tensor.elem_type not in kinds:
        raise FileError(f"the input {name} is not a tensor of FLOAT or DOUBLE")
    dims = tensor.shape.dim
    sizes = [dim.dim_value if dim.HasField("dim_value") else None for dim in dims]
    text = f"({', '.join('?' if size is None else str(size) for size in sizes[:8])})"
    columns = sizes if len(sizes) == 1 else sizes[1:]
    if not 1 <= len(sizes) <= 8 or any(size is None or size < 1 for size in columns) or sizes[0] == 0:
        raise FileError(f"the input {name} has the shape {text}, expected rows of a known number of columns")
    if len(sizes) == 1:
        return tuple(sizes), 1, kinds[tensor.elem_type]
    return (None, *sizes[1:]), max(0, sizes[0] or 0), kinds[tensor.elem_type]
