"""Named arrays and one text in a safetensors file; equal contents give equal bytes, and files are not trusted.

The header is checked against the format and the file's size before any number is read, and memory is allocated only for
data that the file contains. Nothing in a file is ever executed. The checks of the package safetensors are not used:
they need the whole file, accept duplicate names, and do not name the tensor with the wrong size.
"""

from __future__ import annotations

import io
import json
import math
from collections.abc import Mapping
from typing import Annotated, Any, BinaryIO, Literal, NamedTuple

import numpy as np
from annotated_types import Len
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, NonNegativeInt, PositiveInt, ValidationError

from specnet.errors import FileError

HEADER_LIMIT = 2**21

Array = NDArray[Any]
Shape = tuple[int, ...]

_KEY = "specnet"
_DTYPES = {"F64": "<f8", "F32": "<f4", "I64": "<i8", "U8": "u1", "BOOL": "?"}
_SIGNATURES = {
    b"PK\x03\x04": "a zip archive (.npz, .keras or .pt)",
    b"\x89HDF\r\n\x1a\n": "an HDF5 file (.h5)",
    b"\x93NUMPY": "a NumPy array (.npy)",
    **{bytes([0x80, protocol]): "a Python pickle" for protocol in range(2, 6)},
    b"\x1f\x8b": "a gzip file",
    b"GGUF": "a GGUF model",
    b"{": "a JSON file",
}


class TensorEntry(BaseModel):
    """The entry of a tensor in the header; offsets are bytes from the start of the data."""

    model_config = ConfigDict(strict=True, extra="forbid")
    dtype: Literal["F64", "F32", "I64", "U8", "BOOL"]
    shape: Annotated[list[PositiveInt], Len(0, 8)] | Annotated[list[Literal[0]], Len(1, 1)]  # [0]: no texts
    data_offsets: Annotated[list[NonNegativeInt], Len(2, 2)]

    @property
    def form(self) -> tuple[np.dtype[Any], Shape]:
        """The dtype and the shape of the tensor."""
        return np.dtype(_DTYPES[self.dtype]), tuple(self.shape)


class Header(NamedTuple):
    """The checked header of a model file.

    Attributes
    ----------
    metadata : str
        The text under the key ``specnet``.
    entries : dict of str to TensorEntry
        Tensor entries by name; the tensors fill the data without gap or overlap.
    data_size : int
        Size of the data after the header, in bytes.
    """

    metadata: str
    entries: dict[str, TensorEntry]
    data_size: int


def encode(tensors: Mapping[str, Array], metadata: str) -> bytes:
    """Return the bytes of a model file; equal arguments give equal bytes.

    Parameters
    ----------
    tensors : mapping of str to ndarray
        Arrays of dtype float64, float32, int64, uint8 or bool, with any strides.
    metadata : str
        The text to save under the key ``specnet``.
    """
    from safetensors.numpy import save  # not at the top: importing specnet stays fast

    # The writer ignores strides: without this, it would silently save the bytes of a view in the wrong order.
    contiguous = {name: np.asarray(tensor, order="C") for name, tensor in tensors.items()}
    return bytes(save(contiguous, metadata={_KEY: metadata}))


def read_header(stream: BinaryIO, size: int) -> Header:
    """Read the header of a model file and check it against the format and the file's size.

    No memory is allocated for the sizes that the header claims, only for its text.

    Parameters
    ----------
    stream : binary stream
        Model file at its start; afterwards at the start of the data.
    size : int
        Size of the whole file, in bytes.

    Raises
    ------
    FileError
        If the file is damaged or no model file; the message names the likely format.
    """
    start = stream.read(9)
    length = int.from_bytes(start[:8], "little")
    if start[8:] != b"{" or _is_text(start[:8]):
        raise FileError(f"not a model file: {_seems_to_be(start + stream.read(1000))}")
    if length > min(HEADER_LIMIT, size - 8):
        most = f"at most {HEADER_LIMIT} are allowed" if length > HEADER_LIMIT else f"the file ends after {size - 8}"
        raise FileError(f"not a valid model file: its header needs {length} bytes, but {most}")
    header = parse_object(start[8:] + stream.read(length - 1), "the header")
    metadata = header.pop("__metadata__", None)
    if not isinstance(metadata, dict) or list(metadata) != [_KEY] or not isinstance(metadata[_KEY], str):
        raise FileError(f'not a specnet model: the safetensors metadata must be a single string "{_KEY}"')
    entries = {name: _entry(name, value) for name, value in header.items()}
    _check_extents(entries, size - 8 - length)
    return Header(metadata[_KEY], entries, size - 8 - length)


def tensors_of(header: Header, data: bytes) -> dict[str, Array]:
    """Return the tensors as read-only views of the data.

    Raises
    ------
    FileError
        If the data is shorter than the header says, a float is not finite, or a boolean is neither 0 nor 1.
    """
    if len(data) != header.data_size:
        raise FileError(f"the file ends after {len(data)} of {header.data_size} bytes of data")
    tensors = {}
    for name, entry in header.entries.items():
        dtype, shape = entry.form
        flat: Array = np.frombuffer(data, dtype, math.prod(shape), entry.data_offsets[0])
        if dtype.kind == "f" and not np.isfinite(flat).all():
            raise FileError(f"{shown(name)} has numbers that are not finite")
        if dtype.kind == "b" and (flat.view(np.uint8) > 1).any():
            raise FileError(f"{shown(name)} has booleans that are neither 0 nor 1")
        tensors[name] = flat.reshape(shape)
    return tensors


def decode(content: bytes) -> tuple[str, dict[str, Array]]:
    """Return the text under the key ``specnet`` and the tensors of a model file, given as bytes.

    Raises
    ------
    FileError
        As for `read_header` and `tensors_of`.
    """
    stream = io.BytesIO(content)
    header = read_header(stream, len(content))
    return header.metadata, tensors_of(header, stream.read())


def shown(name: str) -> str:
    """Return a name from a file for a message: quoted, one line, short, and safe to print."""
    return repr(name if len(name) <= 60 else name[:60] + "…")


def parse_object(text: bytes, what: str) -> dict[str, Any]:
    try:
        value = _DECODER.decode(text.decode())
    except RecursionError:
        raise FileError(f"{what} is nested too deeply") from None
    except ValueError as error:  # not UTF-8, not JSON, or a number with thousands of digits
        raise FileError(f"{what} is damaged: {error}") from error
    if not isinstance(value, dict):
        raise FileError(f"{what} is not a JSON object")
    return value


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for name, value in pairs:
        if name in result:
            raise ValueError(f"duplicate key {shown(name)}")
        result[name] = value
    return result


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a number")


_DECODER = json.JSONDecoder(object_pairs_hook=_distinct, parse_constant=_refuse_constant)


def _entry(name: str, value: Any) -> TensorEntry:
    try:
        entry = TensorEntry.model_validate(value)
    except ValidationError as error:
        wrong = error.errors(include_input=False, include_url=False)[0]
        if not wrong["loc"]:
            raise FileError(f"{shown(name)} must have exactly dtype, shape and data_offsets") from None
        raise FileError(f"{shown(name)} has an invalid {shown(str(wrong['loc'][0]))}: {wrong['msg']}") from None
    begin, end = entry.data_offsets
    dtype, shape = entry.form
    needed = math.prod(shape) * dtype.itemsize
    if end - begin != needed:
        raise FileError(f"{shown(name)} needs {needed} bytes for its shape, but has {end - begin}")
    return entry


def _check_extents(entries: Mapping[str, TensorEntry], data_size: int) -> None:
    reached = 0
    for name, entry in sorted(entries.items(), key=lambda item: item[1].data_offsets):
        begin, end = entry.data_offsets
        if begin != reached:
            raise FileError(f"{shown(name)} {'overlaps' if begin < reached else 'leaves a gap after'} another tensor")
        reached = end
    if reached != data_size:
        raise FileError(f"expected {reached} bytes of data after the header, got {data_size}")


def _seems_to_be(start: bytes) -> str:
    """Return the likely format of a file from its first bytes, as the end of the message "not a model file: "."""
    if len(start) < 9:
        return f"the file ends after {len(start)} bytes" if start else "the file is empty"
    if (kind := known_kind(start)) is not None:
        return f"looks like {kind}"
    # A protocol buffer whose first field is a small number (the version of ONNX), followed by another field of ONNX.
    if start[0] == 0x08 and start[1] < 0x80 and start[2] in b"\x12\x1a\x22\x28\x32\x3a\x42":
        return "looks like an ONNX model"
    return "unknown format"


def known_kind(start: bytes) -> str | None:
    """Return the format of a file from its first bytes, with an article; None if it is unknown."""
    kind = next((kind for signature, kind in _SIGNATURES.items() if start.startswith(signature)), None)
    if start[4:8] == b"TFL3":
        kind = "a TensorFlow Lite model (.tflite)"
    # The last bytes may be an incomplete character.
    if kind is None and any(_is_text(start[: len(start) - cut]) for cut in range(4)):
        kind = "a text file"
    return kind


def _is_text(data: bytes) -> bool:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return False
    return all(character.isprintable() or character in "\t\r\n\ufeff" for character in text)
