"""NumPy archives from anyone: arrays of numbers and text are read, and nothing else, above all no pickles."""

import os
import struct
import zipfile
import zlib
from math import prod
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from specnet.errors import DataError
from specnet.files import open_file

LARGEST_ARRAY = 2**31
"""Bytes that an array may have, unpacked."""

REFUSED = {
    "O": "Python objects, which would have to be unpickled",
    "V": "records",
    "S": "bytes",
    "c": "complex numbers",
}
DAMAGE = (
    *(zipfile.BadZipFile, zlib.error, struct.error, EOFError, ValueError),
    *(TypeError, OverflowError, RecursionError, NotImplementedError, MemoryError),
)


def read_arrays(
    path: str | os.PathLike[str], required: tuple[str, ...], optional: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Return arrays of an archive by their names; others that it has are left alone.

    Parameters
    ----------
    path : str or path-like
        An archive as ``numpy.savez`` and ``numpy.savez_compressed`` write it.
    required, optional : tuple of str
        Names of arrays.

    Raises
    ------
    FileError
        If the file cannot be read.
    DataError
        If it is no such archive, lacks an array, or one is damaged, too large, or holds neither numbers nor text.
    """
    source = os.fspath(path)
    with open_file(path) as (stream, _):
        try:
            archive = zipfile.ZipFile(stream)
        except DAMAGE:
            stream.seek(0)
            single = stream.read(6) == npy.MAGIC_PREFIX
            hint = "numpy.savez(path, X=X, y=y) writes one" + (", and this is a single array" if single else "")
            raise DataError("this is no .npz archive", hint=hint, source=source) from None
        with archive:
            members = [member.filename for member in archive.infolist()]
            problems = [f'there is no array "{name}" in it' for name in required if f"{name}.npy" not in members]
            if problems:
                held = ", ".join(sorted({name.removesuffix(".npy") for name in members})[:12]) or "nothing"
                raise DataError(*problems, hint=f"it has {held}", source=source)
            names = [name for name in (*required, *optional) if f"{name}.npy" in members]
            return {name: _read_array(archive, name, source) for name in names}


def _read_array(archive: zipfile.ZipFile, name: str, source: str) -> NDArray[Any]:
    def refused(reason: str) -> DataError:
        return DataError(f"{name} {reason}", source=source)

    members = [member for member in archive.infolist() if member.filename == f"{name}.npy"]
    member = members[0]
    if len(members) > 1:
        raise refused("is there twice")
    if member.flag_bits & 1 or member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise refused("is encrypted, or compressed as numpy does not")
    if member.file_size > LARGEST_ARRAY:
        raise refused(f"has {member.file_size} bytes, and at most {LARGEST_ARRAY} are read")
    try:
        with archive.open(member) as stream:
            shape, dtype = _read_header(stream)
            promised, there = prod(shape) * dtype.itemsize, member.file_size - stream.tell()
        if dtype.hasobject or dtype.kind not in "biufU":
            raise refused(f"holds {REFUSED.get(dtype.kind, dtype)}, and not numbers")
        if promised != there:
            raise refused(f"is damaged: {promised} bytes for shape {shape} of {dtype}, and {there} are there")
        with archive.open(member) as stream:
            return npy.read_array(stream, allow_pickle=False)
    except DataError:
        raise
    except DAMAGE as error:
        raise refused(f"is damaged: {error}") from None


def _read_header(stream: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    version = npy.read_magic(stream)
    read = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}.get(version)
    if read is None:
        raise ValueError(f"its format's version is {version}")
    shape, _, dtype = read(stream)
    return shape, dtype
