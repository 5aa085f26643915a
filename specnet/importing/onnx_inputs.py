"""What goes into an ONNX graph: one table of columns, or several that are put beside each other first."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from specnet.errors import FileError
from specnet.files.tensors import shown

if TYPE_CHECKING:
    from onnx import ValueInfoProto


@dataclass(frozen=True, slots=True)
class Inputs:
    """The tables of columns, in the order in which a model's columns are theirs.

    Attributes
    ----------
    widths : dict of str to int
        Columns of each.
    dtype : str
        ``float32`` or ``float64``.
    rows : int or None
        How many rows each has; None for any number.
    """

    widths: dict[str, int]
    dtype: str
    rows: int | None = None

    @property
    def columns(self) -> int:
        """The number of all columns."""
        return sum(self.widths.values())


def read_inputs(values: Iterable[ValueInfoProto]) -> Inputs:
    """Return the inputs of a graph that are no constants.

    Raises
    ------
    FileError
        If there is none, or one is no table of floating-point numbers.
    """
    widths: dict[str, int] = {}
    found, rows = set[str](), set[int]()
    for value in values:
        width, dtype = _table(value)
        widths[value.name] = width
        found.add(dtype)
        rows.add(value.type.tensor_type.shape.dim[0].dim_value)
    if not widths:
        raise FileError("the graph has no inputs, and a table of columns is needed")
    if len(found) > 1:
        raise FileError("some inputs are FLOAT and others DOUBLE; columns of one kind are needed")
    (count,) = rows if len(rows) == 1 else (0,)
    return Inputs(widths, found.pop(), count or None)


def _table(value: ValueInfoProto) -> tuple[int, str]:
    """Return the columns and the dtype of an input."""
    from onnx import TensorProto

    kinds: dict[int, str] = {TensorProto.FLOAT: "float32", TensorProto.DOUBLE: "float64"}
    shape = value.type.tensor_type.shape.dim
    if value.type.WhichOneof("value") != "tensor_type" or value.type.tensor_type.elem_type not in kinds:
        raise FileError(f"the input {shown(value.name)} is no table of FLOAT or DOUBLE")
    if len(shape) != 2 or shape[1].dim_value < 1:
        raise FileError(f"the input {shown(value.name)} has no shape (rows, columns) with a number of columns")
    return shape[1].dim_value, kinds[value.type.tensor_type.elem_type]
