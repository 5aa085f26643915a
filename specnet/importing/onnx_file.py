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

from specnet.errors import FileError
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

_HINTS = {
    "safetensors": "specnet reads its own models as they are",
    "HDF5": "save the model anew in Keras, under a name that ends in .keras",
    "pickle": "in Python, specnet.import_model takes the object that was pickled",
}
"""What to do with files of other kinds."""

_VARINT, _EIGHT_BYTES, _BYTES, _FOUR_BYTES = 0, 1, 2, 5


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
        raise FileError(
            "this seems to be an ONNX file, which the package onnx reads", hint="pip install '.[onnx]'"
        ) from None
    from google.protobuf.message import DecodeError

    content = read_file(path, FILE_LIMIT)
    _refuse_other_kinds(content)
    _count_entries(content, onnx.ModelProto.DESCRIPTOR)
    model = onnx.ModelProto()
    try:
        model.ParseFromString(content)
    except (DecodeError, RecursionError) as error:
        raise FileError("not a valid ONNX file") from error
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
        messages = {field.number: field.message_type for field in kind.fields if field.message_type is not None}
        texts = {field.number for field in kind.fields if field.type == field.TYPE_STRING}
        while start < end:
            entries += 1
            if entries > ENTRY_LIMIT:
                raise FileError(f"this file has more than {ENTRY_LIMIT} entries")
            tag, start = _varint(data, start, end)
            begin, start = _skip(data, start, end, tag & 7)
            if tag & 7 == _BYTES and tag >> 3 in messages and begin < start:
                waiting.append((begin, start, messages[tag >> 3]))
            elif tag & 7 == _BYTES and tag >> 3 in texts:
                _check_text(data[begin:start])


def _check_text(text: bytes) -> None:
    try:
        text.decode()
    except UnicodeDecodeError as error:
        raise FileError("not a valid ONNX file: a name or a comment is not UTF-8") from error


def _varint(data: bytes, start: int, end: int) -> tuple[int, int]:
    """Return a number and where it ends."""
    if start < end and data[start] < 128:
        return data[start], start + 1
    value = 0
    for shift in range(0, 70, 7):
        if start >= end:
            break
        byte = data[start]
        start += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, start
    raise FileError("not a valid ONNX file")


def _skip(data: bytes, start: int, end: int, wire_type: int) -> tuple[int, int]:
    """Return where an entry's content begins and ends."""
    if wire_type == _VARINT:
        begin, stop = start, _varint(data, start, end)[1]
    elif wire_type == _BYTES:
        length, begin = _varint(data, start, end)
        stop = begin + length
    elif wire_type in (_EIGHT_BYTES, _FOUR_BYTES):
        begin, stop = start, start + (8 if wire_type == _EIGHT_BYTES else 4)
    else:
        raise FileError("not a valid ONNX file")
    if stop > end:
        raise FileError("not a valid ONNX file: unexpected end of file")
    return begin, stop


class TensorReader:
    """Reads the tensors of a model.

    Parameters
    ----------
    path : path-like
        The model's file, in whose folder other files may keep tensors.
    """

    def __init__(self, path: PathLike) -> None:
        self.folder = Path(path).parent

    def read(self, tensor: TensorProto) -> Array:
        """Return the numbers or texts of a tensor.

        Raises
        ------
        FileError
            If it does not hold what its shape says, or is of a type that no network here has.
        """
        import onnx
        from onnx import TensorProto, numpy_helper

        name = shown(tensor.name)
        shape = tuple(tensor.dims)
        if any(size < 0 for size in shape) or len(shape) > 8:
            raise FileError(f"tensor {name} has the shape {shape[:8]}")
        count = math.prod(shape)
        if count > NUMBER_LIMIT:
            raise FileError(f"tensor {name} of shape {shape} has more than {NUMBER_LIMIT} numbers")
        kinds: dict[int, str] = {
            TensorProto.FLOAT: "<f4",
            TensorProto.DOUBLE: "<f8",
            TensorProto.INT32: "<i4",
            TensorProto.INT64: "<i8",
            TensorProto.BOOL: "?",
        }
        if tensor.data_type == TensorProto.STRING:
            if len(tensor.string_data) != count:
                raise FileError(f"tensor {name} of shape {shape} has {len(tensor.string_data)} texts")
            return as_texts(tensor.string_data, f"tensor {name}").reshape(shape)
        if tensor.data_type not in kinds:
            known = onnx.TensorProto.DataType.values()
            kind = TensorProto.DataType.Name(tensor.data_type) if tensor.data_type in known else tensor.data_type
            raise FileError(f"tensor {name} is of the type {kind}, and numbers here are FLOAT or DOUBLE")
        dtype = np.dtype(kinds[tensor.data_type])
        if tensor.data_location == TensorProto.EXTERNAL:
            return np.frombuffer(self._external(tensor, count * dtype.itemsize), dtype).reshape(shape)
        if tensor.HasField("raw_data"):
            if len(tensor.raw_data) != count * dtype.itemsize:
                raise FileError(f"tensor {name} of shape {shape} has {len(tensor.raw_data)} bytes")
            return np.frombuffer(tensor.raw_data, dtype).reshape(shape)
        fields = (tensor.float_data, tensor.double_data, tensor.int32_data, tensor.int64_data)
        if not any(len(numbers) == count for numbers in fields):
            raise FileError(f"tensor {name} of shape {shape} does not have as many numbers")
        try:
            array: Array = numpy_helper.to_array(tensor)
        except (ValueError, TypeError, OverflowError) as error:
            raise FileError(f"tensor {name} cannot be read: {error}") from error
        return array

    def _external(self, tensor: TensorProto, size: int) -> bytes:
        """Return a tensor's bytes from the file that it names, if that lies in the model's folder."""
        name = shown(tensor.name)
        said = {entry.key: entry.value for entry in tensor.external_data}
        location = said.get("location", "")
        folder = os.path.realpath(self.folder)
        if not location or "\0" in location or "\\" in location or os.path.isabs(location):
            raise FileError(f"tensor {name} is kept in {shown(location)}, which is not a file in the model's folder")
        path = os.path.realpath(os.path.join(folder, location))
        if os.path.commonpath([folder, path]) != folder:
            raise FileError(f"tensor {name} is kept in {shown(location)}, outside of the model's folder")
        numbers = [said.get("offset", "0"), said.get("length", str(size))]
        if not all(number.isascii() and number.isdecimal() and len(number) < 20 for number in numbers):
            raise FileError(f"tensor {name} does not say where in {shown(location)} it is")
        offset, length = map(int, numbers)
        with open_file(path) as (stream, available):
            if length != size or offset + length > available:
                raise FileError(f"tensor {name} needs {size} bytes, which {shown(location)} does not have there")
            stream.seek(offset)
            return stream.read(length)


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
