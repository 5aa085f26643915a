"""Reading rows from untrusted NumPy archives: only arrays of numbers and text are read, never pickles.

An archive is a zip file with a member ``X.npy`` for an array X: a signature, a version, a header of Python literals,
and the numbers. NumPy parses the header, whose length is limited, as literals only.
"""

import os
import zipfile
from math import prod
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray
from pydantic import Field

from specnet.errors import DataError
from specnet.files import open_file
from specnet.files.archives import DAMAGE, strictly_opened
from specnet.parts.arrays import described_dtype, first_few
from specnet.parts.data.base import Data, Table, TargetKind
from specnet.parts.fields import FilePath

LARGEST_ARRAY = 2**31
"""Maximum size of an array in bytes, uncompressed."""

LONGEST_HEADER = 10_000


class Npz(Data):
    """Arrays X, y and optionally sample_weight of a NumPy archive, as written by numpy.savez; no pickles.

    For a classification loss y holds labels (integers or text), one-hot rows, or several 0 or 1 per row; otherwise
    it holds numbers.
    """

    example = 'path = "rows.npz"'
    source_field = "path"
    type: Literal["npz"] = "npz"
    path: FilePath = Field(description="path of the file, relative to the spec")

    def load(self, folder: Path, target: TargetKind) -> Table:
        arrays = read_arrays(folder / self.path, ("X", "y"), ("sample_weight",))
        return Table(arrays["X"], arrays["y"], target, sample_weight=arrays.get("sample_weight"))


def read_arrays(
    path: str | os.PathLike[str], required: tuple[str, ...], optional: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Return the required and optional arrays of an archive by name; all other arrays are ignored.

    Parameters
    ----------
    path : str or path-like
        An archive in the format of ``numpy.savez`` and ``numpy.savez_compressed``.
    required, optional : tuple of str
        Names of arrays.

    Raises
    ------
    FileError
        If the file cannot be read.
    DataError
        If the file is not an archive, or if an array is missing, damaged, too large, or of an unsupported type.
    """
    source = os.fspath(path)
    with open_file(path) as (stream, _):
        try:
            archive = zipfile.ZipFile(stream)
        except DAMAGE:
            stream.seek(0)
            single = stream.read(len(npy.MAGIC_PREFIX)) == npy.MAGIC_PREFIX
            hint = "write one with numpy.savez(path, X=X, y=y)" + ("; this is a single array" if single else "")
            raise DataError("not a .npz archive", hint=hint, source=source) from None
        with archive:
            members = [member.filename for member in archive.infolist()]
            missing = [f'"{name}"' for name in required if f"{name}.npy" not in members]
            if missing:
                others = first_few(sorted({name.removesuffix(".npy") for name in members})) or "nothing"
                message = f"array {missing[0]} is missing" if len(missing) == 1 else f"no arrays {', '.join(missing)}"
                raise DataError(message, hint=f"found {others}", source=source)
            names = [name for name in (*required, *optional) if f"{name}.npy" in members]
            return {name: _read_array(archive, name, source) for name in names}


def _read_array(archive: zipfile.ZipFile, name: str, source: str) -> NDArray[Any]:
    def refused(reason: str, hint: str | None = None) -> DataError:
        return DataError(f"{name} {reason}", hint=hint, source=source)

    member, *others = [member for member in archive.infolist() if member.filename == f"{name}.npy"]
    if others:
        raise refused("occurs twice")
    if member.flag_bits & 1 or member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise refused("is encrypted or uses an unsupported compression")
    if member.file_size > LARGEST_ARRAY:
        raise refused(f"has {member.file_size} bytes, more than the limit of {LARGEST_ARRAY}")
    try:
        with strictly_opened(archive, member) as stream:
            shape, by_columns, dtype = _read_header(stream)
            if dtype.kind not in "biufU":
                hint = "save it as numbers or text; pickled objects are not read" if dtype.kind == "O" else None
                raise refused(f"must hold numbers or text, got {described_dtype(dtype)}", hint)
            promised, there = prod(shape) * dtype.itemsize, member.file_size - stream.tell()
            if promised != there:
                raise refused(f"is damaged: expected {promised} bytes for shape {shape} of {dtype}, got {there}")
            return np.ndarray(shape, dtype, stream.read(), order="F" if by_columns else "C")
    except DataError:
        raise
    except DAMAGE as error:
        raise refused(f"is damaged: {error}") from None


def _read_header(stream: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Return the shape, Fortran order and dtype of an array; afterwards the stream is at its numbers."""
    version = npy.read_magic(stream)
    try:
        read = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}[version]
        return read(stream, max_header_size=LONGEST_HEADER)
    except Exception:  # parsing a damaged header as Python literals can raise any exception
        raise ValueError("not the header of an array of numbers") from None
