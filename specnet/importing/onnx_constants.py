"""ONNX operators that change a tensor's type or shape, and those that make constants."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from specnet.importing.functions import positive
from specnet.importing.onnx_call import Call
from specnet.importing.onnx_file import NUMBER_LIMIT
from specnet.importing.onnx_values import (
    Column,
    Dimensions,
    Features,
    Flags,
    Label,
    Part,
    RowCount,
    TwoClasses,
    Value,
    Winner,
)
from specnet.parts.arrays import Array

Result = Value | Array


def _constant(call: Call) -> Result:
    names = call.attributes()
    if names == {"value"}:
        tensor = call.tensor("value")
        assert tensor is not None, "the attribute is there"
        return tensor
    if names == {"value_float"}:
        return np.array(call.number("value_float", 0.0), np.float32)
    if names == {"value_floats"}:
        return call.numbers("value_floats")
    if names == {"value_int"}:
        return np.array(call.integer("value_int", 0), np.int64)
    if names != {"value_ints"}:
        call.refuse("a constant of this kind is not understood")
    return np.array(call.ints("value_ints"), np.int64)


def _constant_of_shape(call: Call) -> Result:
    filling = call.tensor("value")
    number = np.float32(0) if filling is None else filling.reshape(-1)[:1]
    shape = call.value()
    if isinstance(shape, Dimensions):  # the same number for all rows and features
        return call.graph.fold(np.array(number).reshape(()))
    sizes = call.integers(0, "shape") or []
    if any(size < 0 for size in sizes) or math.prod(sizes) > NUMBER_LIMIT:
        call.refuse(f"a constant of shape {sizes} is too large")
    return call.graph.fold(np.broadcast_to(number, sizes))


def _cast(call: Call) -> Result:
    from onnx import TensorProto

    value, to = call.value(), call.integer("to", 0)
    floats, integers = (TensorProto.FLOAT, TensorProto.DOUBLE), (TensorProto.INT64, TensorProto.INT32)
    if isinstance(value, np.ndarray):
        kinds: dict[int, type[np.generic]] = {
            TensorProto.FLOAT: np.float32,
            TensorProto.DOUBLE: np.float64,
            TensorProto.INT64: np.int64,
            TensorProto.INT32: np.int32,
            TensorProto.BOOL: np.bool_,
        }
        if to not in kinds or value.dtype.kind not in "fib":
            call.refuse("a constant of this type is not understood")
        with np.errstate(all="ignore"):
            return call.graph.fold(value.astype(kinds[to]))
    if isinstance(value, Part | TwoClasses | Column) and to in floats:
        return value
    if isinstance(value, Features):
        # 0 and 1 are the same numbers in every type.
        if to in integers and value.is_condition:
            return _flags(call, value)
        if to in floats or value.is_condition:
            return replace(value, whole=False) if value.whole else value
        call.refuse("it makes integers or others of features, and so loses digits")
    is_whole = isinstance(value, Dimensions | RowCount | Winner | Flags) and to in integers
    if not is_whole and not isinstance(value, Label):
        call.refuse(f"it makes another type of {call.graph.described(value)}")
    return value


def _flags(call: Call, value: Features) -> Result:
    """Return 0 or 1 for each output by whether it is above one half, or above 0."""
    x = call.graph.layers.algebra.x
    for boundary in (0.5, 0.0):
        if value.formula.equals(positive(x - boundary)):
            return Flags(value.source, boundary)
    return replace(value, whole=True)


def _identity(call: Call) -> Result:
    return call.value()


def _reshape(call: Call) -> Result:
    value = call.value()
    sizes = call.integers(1, "shape") or []
    if isinstance(value, np.ndarray):
        if call.integer("allowzero", 0) or any(size == 0 for size in sizes):
            call.refuse("a shape with 0 is not understood")
        return _reshaped(call, value, sizes)
    rows = (-1, call.graph.inputs.rows, *(() if call.integer("allowzero", 0) else (0,)))
    if isinstance(value, Features) and value.size > 1 and sizes in ([-1, 1], [-1]):
        call.refuse(f"it makes one column of the {value.size} outputs of each row")
    if isinstance(value, Features) and (sizes[1:] not in ([value.size], [-1]) or sizes[0] not in rows):
        call.refuse(f"it gives rows of {value.size} features the shape {sizes}")
    if isinstance(value, Part) and value.is_plain and value.end - value.begin == 1:
        value = Column(value.source, value.begin)
    if isinstance(value, Winner | Label | Column) and sizes not in ([-1], [-1, 1], [0, 1], [0]):
        call.refuse(f"it gives {call.graph.described(value)} the shape {sizes}")
    if not isinstance(value, Features | Winner | Label | Column):
        call.refuse(f"it gives {call.graph.described(value)} another shape")
    return value


def _reshaped(call: Call, array: Array, sizes: list[int]) -> Array:
    wanted = math.prod(size for size in sizes if size != -1)
    if sizes.count(-1) > 1 or (array.size % max(wanted, 1) if -1 in sizes else array.size != wanted):
        call.refuse(f"a constant of shape {array.shape} cannot have the shape {sizes}")
    return array.reshape(sizes)


def _flatten(call: Call) -> Result:
    if call.integer("axis", 1) != 1:
        call.refuse("it does not keep the rows apart")
    return call.features()


def _squeeze(call: Call) -> Result:
    value, axes = call.value(), call.integers(1, "axes")
    if isinstance(value, np.ndarray):
        kept = [size for axis, size in enumerate(value.shape) if size != 1 or axis not in _axes(axes, value.ndim)]
        return _reshaped(call, value, kept)
    is_last = call.graph.is_answer(call.node.output[0]) and axes is not None
    single = isinstance(value, Features) and value.size == 1 and (is_last or value.is_condition)
    if not (single or isinstance(value, Winner | Label | Flags)) or axes not in ([1], [-1], None):
        call.refuse(f"it takes an axis from {call.graph.described(value)}")
    return value


def _unsqueeze(call: Call) -> Result:
    if isinstance(call.value(), RowCount):
        return call.value()
    array, axes = call.constant(0), call.integers(1, "axes") or []
    ndim = array.ndim + len(axes)
    new = _axes(axes, ndim)
    sizes = iter(array.shape)
    return _reshaped(call, array, [1 if axis in new else next(sizes, 1) for axis in range(ndim)])


def _axes(axes: list[int] | None, ndim: int) -> set[int]:
    return set(range(ndim)) if axes is None else {axis % max(ndim, 1) for axis in axes}


def _transpose(call: Call) -> Result:
    array, axes = call.constant(0), call.ints("perm")
    if axes is not None and sorted(axes) != list(range(array.ndim)):
        call.refuse(f"it puts {array.ndim} axes into the order {axes}")
    return array.transpose(axes)


CONSTANTS: dict[str, Callable[[Call], Result]] = {
    "Cast": _cast,
    "Constant": _constant,
    "ConstantOfShape": _constant_of_shape,
    "Flatten": _flatten,
    "Identity": _identity,
    "Reshape": _reshape,
    "Squeeze": _squeeze,
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
}
