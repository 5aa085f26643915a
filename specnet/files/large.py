"""Large arrays that are mapped from an unnamed temporary file instead of using the memory of the process.

The system retains as many pages of the file in memory as fit. The file disappears with its last array, even if the
process is killed.

`Shared` passes an object to several processes, which map its large arrays from a temporary file and do not copy them.
They get the file from the process that starts them.
"""

from __future__ import annotations

import errno
import math
import mmap
import os
import pickle
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from tempfile import TemporaryFile, gettempdir
from typing import IO, Any, Self

import numpy as np
from numpy.typing import DTypeLike, NDArray

from specnet.errors import FileError
from specnet.files.atomic import file_errors, write_all

LARGEST_IN_MEMORY = 2**28
"""Largest array in memory, in bytes."""
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_MORE_SPACE = "set TMPDIR to a folder with more free space"


def is_large(shape: Sequence[int], dtype: DTypeLike = np.float64) -> bool:
    """Return whether an array of this shape and dtype is stored in a file."""
    return math.prod(shape) * np.dtype(dtype).itemsize > LARGEST_IN_MEMORY


def new_array(shape: tuple[int, ...], dtype: DTypeLike = np.float64) -> NDArray[Any]:
    """Return an uninitialized C-contiguous array, in memory or, if it is large, in a file.

    Raises
    ------
    FileError
        If the folder for temporary files has no space for a large array.
    """
    if not is_large(shape, dtype):
        return np.empty(shape, dtype)
    size = math.prod(shape) * np.dtype(dtype).itemsize
    with file_errors(gettempdir(), _MORE_SPACE), TemporaryFile(prefix="specnet-") as file:
        if hasattr(os, "posix_fallocate"):  # otherwise a page without space on the disk would kill the process later
            os.posix_fallocate(file.fileno(), 0, size)
        else:
            file.truncate(size)
        return np.ndarray(shape, dtype, buffer=mmap.mmap(file.fileno(), size))


class GrowingTable:
    """A table of float64 numbers to which rows are added; the context manager closes the file of a large table.

    Parameters
    ----------
    columns : int
        Number of columns.
    """

    def __init__(self, columns: int) -> None:
        self._columns, self._rows = columns, 0
        self._blocks: list[NDArray[np.float64]] = []
        self._file: IO[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        if self._file is not None:
            self._file.close()

    def append(self, block: NDArray[np.float64]) -> None:
        """Add a C-contiguous block of rows, (rows, columns).

        Raises
        ------
        FileError
            If the folder for temporary files has no space for the rows.
        """
        self._rows += len(block)
        self._blocks.append(block)
        if self._file is not None or is_large((self._rows, self._columns)):
            with space_needed():
                if self._file is None:
                    self._file = TemporaryFile(prefix="specnet-", buffering=0)  # noqa: SIM115 - __exit__ closes it
                for one in self._blocks:
                    write_all(self._file, one.reshape(-1).view(np.uint8).data)
            self._blocks.clear()

    def array(self) -> NDArray[np.float64]:
        """Return all rows, (rows, columns); no more rows can be added afterwards."""
        shape = (self._rows, self._columns)
        if self._file is not None:
            return np.ndarray(shape, buffer=mmap.mmap(self._file.fileno(), self._rows * self._columns * 8))
        if len(self._blocks) == 1:
            return self._blocks[0]
        return np.concatenate([np.empty((0, self._columns)), *self._blocks])


def no_space() -> FileError:
    """Return the error for a temporary file that does not fit on the disk."""
    return FileError("no space left on the device", source=gettempdir(), hint=_MORE_SPACE)


@contextmanager
def space_needed() -> Iterator[None]:
    """Turn a lack of space into an error about the folder for temporary files, not about the file being read.

    Raises
    ------
    FileError
        If the folder for temporary files has no space.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _NO_SPACE:
            raise no_space() from error
        raise


MIN_MAPPED = 2**20
"""Smallest array that is mapped, in bytes."""
_ALIGNMENT = 64

Extent = tuple[int, int]
"""Start of a byte range in a file, and its size in bytes."""


class Shared:
    """An object that is pickled once and sent to processes started by multiprocessing's ``spawn``.

    Parameters
    ----------
    file : binary file or None
        File with the large arrays, followed by the object pickled without them; None if there is no file.
    extents : sequence of (begin, size)
        Byte ranges of the arrays and of the pickled object in the file.
    content : bytes
        The whole pickled object if there is no file.
    """

    def __init__(self, file: IO[bytes] | None, extents: tuple[Extent, ...] = (), content: bytes = b"") -> None:
        self._file, self._extents, self._content = file, extents, content

    @classmethod
    def of(cls, value: object) -> Self:
        """Return a `Shared` of a value; each process gets a copy if the temporary file does not fit on the disk.

        Raises
        ------
        PicklingError, AttributeError, TypeError
            If the value cannot be pickled.
        """
        apart: list[memoryview] = []

        def stays(buffer: pickle.PickleBuffer) -> bool:
            is_small = buffer.raw().nbytes < MIN_MAPPED
            if not is_small:
                apart.append(buffer.raw())
            return is_small

        content = memoryview(pickle.dumps(value, protocol=5, buffer_callback=stays))
        extents = list[Extent]()
        try:
            file = TemporaryFile(prefix="specnet-", buffering=0)  # noqa: SIM115 - it stays open
        except OSError:
            return cls._copied(value)
        try:
            for part in (*apart, content):
                begin = file.seek(-(-file.tell() // _ALIGNMENT) * _ALIGNMENT)
                write_all(file, part)
                extents.append((begin, part.nbytes))
        except OSError:
            file.close()
            return cls._copied(value)
        return cls(file, tuple(extents))

    @classmethod
    def _copied(cls, value: object) -> Self:
        return cls(None, content=pickle.dumps(value, protocol=5))

    def value(self) -> Any:
        """Return the object; changes of its arrays are visible in this process only.

        Raises
        ------
        AttributeError, ImportError
            If a class or function that the object refers to cannot be imported in this process.
        """
        if self._file is None:
            return pickle.loads(self._content)
        mapped = memoryview(mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_COPY))
        *apart, content = (mapped[begin : begin + size] for begin, size in self._extents)
        return pickle.loads(content, buffers=apart)

    def close(self) -> None:
        """Close the file, so that no more processes can get the object; processes that have it can still use it."""
        if self._file is not None:
            self._file.close()

    def __reduce__(self) -> tuple[Any, ...]:
        from multiprocessing.reduction import DupFd

        return _received, (self._file and DupFd(self._file.fileno()), self._extents, self._content)


def _received(file: Any, extents: tuple[Extent, ...], content: bytes) -> Shared:
    return Shared(file and open(file.detach(), "rb"), extents, content)
