"""Reading of untrusted ONNX files: every declared size is checked before memory is allocated.

Entries of a file are counted before it is parsed, since a protocol buffer of empty entries takes fifty times its size
after parsing. Numbers of a tensor are counted before they are read. Numbers in external files are read only from
regular files within the model's folder. A graph reads one tensor of columns, or several that it concatenates first.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from specnet.errors import FileError, install_hint
from specnet.exporting.model_facts import as_texts
from specnet.files import PathLike, open_file, read_file
from specnet.files.tensors import HEADER_LIMIT, known_kind, shown
from specnet.importing.draft import PRECISION_HINT
from specnet.importing.onnx.onnx_terms import Shape
from specnet.number_texts import counted
from specnet.parts.arrays import Array

if TYPE_CHECKING:
    from google.protobuf.descriptor import Descriptor
    from onnx import GraphProto, ModelProto, TensorProto, ValueInfoProto

FILE_LIMIT = 2**31
"""Largest size of a protocol buffer in bytes."""
ENTRY_LIMIT = 100_000
"""Largest number of entries in a file: nodes, names, attributes, dimensions, and numbers that are not packed."""
NUMBER_LIMIT = 100_000_000
"""Largest number of elements in a tensor."""

_HINTS = {
    "TensorFlow Lite": "convert the original network to ONNX, or save it in Keras under a name that ends in .keras",
    "safetensors": "specnet reads its own models as they are",
    "HDF5": "save the model anew in Keras, under a name that ends in .keras",
    "pickle": "in Python, specnet.import_model takes the object that was pickled",
}
"""The hints for files of other kinds."""

_BYTE_COUNT = re.compile(r"[0-9]{1,4000}")
_KINDS = ("FLOAT", "DOUBLE", "INT32", "INT64", "BOOL", "STRING")
"""Supported data types of tensors."""
_MAX_AXES = 8
_VARINT, _BYTES, _SIZES = 0, 2, {1: 8, 5: 4}
"""Kinds of entries in a protocol buffer: a number; bytes after their length; and entries of a fixed number of bytes."""


def read_model(path: PathLike) -> ModelProto:
    """Return the model in an ONNX file.

    Raises
    ------
    FileError
        If the file is missing, damaged or no ONNX file, or the package onnx is not installed.
    """
    try:
        import onnx
    except ImportError:
        message = "this seems to be an ONNX file, which the package onnx reads"
        raise FileError(message, hint=install_hint("onnx")) from None
    from google.protobuf.message import DecodeError

    content = read_file(path, FILE_LIMIT)
    _refuse_other_kinds(content)
    model = onnx.ModelProto()
    try:
        _count_entries(content, model.DESCRIPTOR)
        model.ParseFromString(content)
    except UnicodeDecodeError as error:
        raise FileError("not a valid ONNX file: a name or a comment is not UTF-8") from error
    except (ValueError, DecodeError, RecursionError) as error:
        raise FileError("not a valid ONNX file: damaged or cut off") from error
    if not model.HasField("graph") or not model.opset_import:
        raise FileError("not a valid ONNX file: no graph, or no operator set")
    return model


def _refuse_other_kinds(content: bytes) -> None:
    kind = known_kind(content[:1000])
    if content[8:9] == b"{" and int.from_bytes(content[:8], "little") <= HEADER_LIMIT:
        kind = "a safetensors file, as specnet's models are"
    if kind is not None and content:
        hint = next((hint for name, hint in _HINTS.items() if name in kind), None)
        raise FileError(f"not a valid ONNX file: it seems to be {kind}", hint=hint)


def newest_version() -> int:
    """Return the newest version of the operators that the package onnx knows."""
    from onnx.defs import onnx_opset_version

    return int(onnx_opset_version())


def _count_entries(data: bytes, kind: Descriptor) -> None:
    """Count the entries of a protocol buffer and of its nested messages, without parsing them.

    Texts must be UTF-8: the parser would accept other texts and return them as bytes.
    """
    entries, waiting = 0, [(0, len(data), kind)]
    while waiting:
        start, end, kind = waiting.pop()
        while start < end:
            entries += 1
            if entries > ENTRY_LIMIT:
                raise FileError(f"this file has more than {ENTRY_LIMIT} entries")
            tag, begin = _varint(data, start, end)
            wire_type, field = tag & 7, kind.fields_by_number.get(tag >> 3)
            if wire_type in _SIZES:
                start = begin + _SIZES[wire_type]
            else:
                number, begin = _varint(data, begin, end)
                start = begin + number if wire_type == _BYTES else begin
            if wire_type not in (_VARINT, _BYTES, *_SIZES) or start > end:
                raise ValueError("an entry ends beyond its message, or is of no known kind")
            if wire_type != _BYTES or field is None or begin == start:
                continue
            if field.message_type is not None:
                waiting.append((begin, start, field.message_type))
            elif field.type == field.TYPE_STRING:
                data[begin:start].decode()


def _varint(data: bytes, start: int, end: int) -> tuple[int, int]:
    """Return a variable-length integer (seven bits in each byte, the last byte below 128) and its end."""
    number = shift = 0
    while start < end and shift < 70:
        byte = data[start]
        number |= (byte & 127) << shift
        start, shift = start + 1, shift + 7
        if byte < 128:
            return number, start
    raise ValueError("a number does not end")


class TensorReader:
    """Reads the tensors of a model, which may be stored in other files of its folder."""

    def __init__(self, path: PathLike) -> None:
        self._folder = os.path.realpath(Path(path).parent)

    def read(self, tensor: TensorProto) -> Array:
        """Return the numbers or texts of a tensor.

        Raises
        ------
        FileError
            If its data do not fit its shape, or its data type is not supported.
        """
        from onnx import TensorProto, helper, numpy_helper

        name, shape = shown(tensor.name), tuple(tensor.dims)
        if any(size < 0 for size in shape) or len(shape) > _MAX_AXES:
            raise FileError(f"tensor {name} has the shape {shape[:_MAX_AXES]}")
        count = math.prod(shape)
        if count > NUMBER_LIMIT:
            raise FileError(f"tensor {name} of shape {shape} has more than {NUMBER_LIMIT} numbers")
        known = tensor.data_type in TensorProto.DataType.values()
        kind = TensorProto.DataType.Name(tensor.data_type) if known else str(tensor.data_type)
        if kind not in _KINDS:
            hint = PRECISION_HINT if "FLOAT" in kind else None
            raise FileError(f"tensor {name} is of the type {kind}; expected FLOAT or DOUBLE", hint=hint)
        try:
            if kind == "STRING":
                return as_texts(tensor.string_data, f"tensor {name}").reshape(shape)
            if tensor.data_location != TensorProto.EXTERNAL:
                return np.asarray(numpy_helper.to_array(tensor))
            dtype = helper.tensor_dtype_to_np_dtype(tensor.data_type)
            return np.frombuffer(self._external(tensor, count * dtype.itemsize), dtype).reshape(shape)
        except ValueError as error:
            raise FileError(f"tensor {name} of shape {shape} does not have as many values") from error

    def _external(self, tensor: TensorProto, size: int) -> bytes:
        """Return a tensor's bytes from the external file that it names, which must be in the model's folder."""
        entries = {entry.key: entry.value for entry in tensor.external_data}
        location = entries.get("location", "")
        where = f"tensor {shown(tensor.name)} is stored in {shown(location)}"
        if not location or "\0" in location:
            raise FileError(f"{where}, which is not a file in the model's folder")
        path = os.path.realpath(os.path.join(self._folder, location))
        if os.path.commonpath([self._folder, path]) != self._folder:
            raise FileError(f"{where}, outside of the model's folder")
        for key in ("offset", "length"):
            if not _BYTE_COUNT.fullmatch(entries.get(key, "0")):
                raise FileError(f"{where}, at the {key} {shown(entries[key])}; expected a number of bytes")
        offset, length = int(entries.get("offset", 0)), int(entries.get("length", size))
        with open_file(path) as (stream, available):
            if length != size or not 0 <= offset <= available - size:
                raise FileError(f"{where}, which does not have {size} bytes there")
            stream.seek(offset)
            return stream.read(size)


@dataclass(frozen=True, slots=True)
class Inputs:
    """The input tensors of a graph; their columns, in this order, are the columns of the model."""

    shapes: dict[str, Shape]
    """The shape of each tensor, with None for the rows; a shape without None is a single row."""
    dtype: str
    rows: int | None
    """The number of rows of each tensor; None for any number."""

    @property
    def columns(self) -> int:
        """The number of columns of all tensors together."""
        return sum(math.prod(size for size in shape if size is not None) for shape in self.shapes.values())


def read_inputs(values: Iterable[ValueInfoProto]) -> Inputs:
    """Return the inputs of a graph that are not constants.

    If some inputs have a fixed number of rows and the rest any number, all have the fixed number.

    Raises
    ------
    FileError
        If there are no inputs, an input has another type than floating point or an unknown size, or two inputs have
        different numbers of rows.
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
    """Map each output that is a copy of an input to that input, if the graph has other outputs too."""
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
    """Map the result of each Identity node to its input, by names."""
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
