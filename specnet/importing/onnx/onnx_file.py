"""ONNX files, read with distrust: nothing is taken at its word, and no memory is given before it is filled.

A file's structure is counted before it is parsed, since a protocol buffer of empty entries takes fifty times its own
size once parsed; a tensor's numbers are counted before they are read; numbers kept in other files are read only from
regular files within the model's own folder.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from specnet.errors import FileError, install_hint
from specnet.files import PathLike, open_file, read_file
from specnet.files.tensors import HEADER_LIMIT, known_kind, shown
from specnet.model.file import LABEL_CHARACTERS_LIMIT
from specnet.parts.arrays import Array

if TYPE_CHECKING:
    from google.protobuf.descriptor import Descriptor
    from onnx import ModelProto, TensorProto

FILE_LIMIT = 2**31
"""Bytes: the most that a protocol buffer can have."""
ENTRY_LIMIT = 100_000
"""Entries of all messages in a file: nodes, names, attributes, dimensions, and numbers that are not packed."""
NUMBER_LIMIT = 100_000_000
"""Numbers of a tensor."""

PRECISION_HINT = "convert the network to float32, and import it again"
"""What to do with a network in another precision than float32 or float64."""

_HINTS = {
    "TensorFlow Lite": "convert the original network to ONNX, or save it in Keras under a name that ends in .keras",
    "safetensors": "specnet reads its own models as they are",
    "HDF5": "save the model anew in Keras, under a name that ends in .keras",
    "pickle": "in Python, specnet.import_model takes the object that was pickled",
}
"""What to do with files of other kinds."""

_KINDS = ("FLOAT", "DOUBLE", "INT32", "INT64", "BOOL", "STRING")
"""What tensors may hold."""
_MOST_AXES = 8
_VARINT, _BYTES, _SIZES = 0, 2, {1: 8, 5: 4}
"""Kinds of entries in a protocol buffer: a number, bytes behind their number, and those that have so many bytes."""


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
    """Count the entries of a protocol buffer, and those of the messages in it, without making them.

    Texts have to be UTF-8 here: the parser takes others, too, and gives them as bytes.
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
    """Return a number and where it ends: seven bits in each byte, the last of which is below 128."""
    number = shift = 0
    while start < end and shift < 70:
        byte = data[start]
        number |= (byte & 127) << shift
        start, shift = start + 1, shift + 7
        if byte < 128:
            return number, start
    raise ValueError("a number does not end")


class TensorReader:
    """Reads the tensors of the model in a file, in whose folder other files may keep them."""

    def __init__(self, path: PathLike) -> None:
        self._folder = os.path.realpath(Path(path).parent)

    def read(self, tensor: TensorProto) -> Array:
        """Return the numbers or texts of a tensor.

        Raises
        ------
        FileError
            If it does not hold what its shape says, or is of a type that no network here has.
        """
        from onnx import TensorProto, helper, numpy_helper

        name, shape = shown(tensor.name), tuple(tensor.dims)
        if any(size < 0 for size in shape) or len(shape) > _MOST_AXES:
            raise FileError(f"tensor {name} has the shape {shape[:_MOST_AXES]}")
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
        """Return a tensor's bytes from the file that it names, if that lies in the model's folder."""
        said = {entry.key: entry.value for entry in tensor.external_data}
        location = said.get("location", "")
        where = f"tensor {shown(tensor.name)} is kept in {shown(location)}"
        if not location or "\0" in location:
            raise FileError(f"{where}, which is not a file in the model's folder")
        path = os.path.realpath(os.path.join(self._folder, location))
        if os.path.commonpath([self._folder, path]) != self._folder:
            raise FileError(f"{where}, outside of the model's folder")
        offset, length = int(said.get("offset", 0)), int(said.get("length", size))
        with open_file(path) as (stream, available):
            if length != size or not 0 <= offset <= available - size:
                raise FileError(f"{where}, which does not have {size} bytes there")
            stream.seek(offset)
            return stream.read(size)


def as_texts(texts: Sequence[bytes], what: str) -> Array:
    """Return texts of a file as an array."""
    if len(texts) * max(map(len, texts), default=0) > LABEL_CHARACTERS_LIMIT:
        raise FileError(f"{what} has texts that are too long")
    try:
        decoded = [text.decode() for text in texts]
    except UnicodeDecodeError as error:
        raise FileError(f"{what} has a text that is not UTF-8") from error
    if any(text.endswith("\0") for text in decoded):  # NumPy's text would lose it
        raise FileError(f"{what} has a text that ends in a null character")
    return np.array(decoded, np.str_)
