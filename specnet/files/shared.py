"""An object that processes share: its large arrays lie in a private file, which each of them maps and none copies.

Processes get the file from the one that starts them. It has no name, and is gone with the last of them, however they
end.
"""

from __future__ import annotations

import mmap
import pickle
from multiprocessing.reduction import DupFd
from tempfile import TemporaryFile
from typing import IO, Any, Self

from specnet.files.atomic import write_all

LEAST_APART = 2**20
"""Bytes of an array that is worth mapping."""
_ALIGNMENT = 64

Extent = tuple[int, int]
"""Where bytes begin in a file, and their number."""


class Shared:
    """An object that is pickled once, for processes that are started by multiprocessing's ``spawn``.

    Parameters
    ----------
    file : binary file or None
        Has its large arrays, and then the object, pickled without them.
    extents : sequence of (begin, size)
        Where they are.
    content : bytes
        All of it, pickled, where there is no file.
    """

    def __init__(self, file: IO[bytes] | None, extents: tuple[Extent, ...] = (), content: bytes = b"") -> None:
        self._file, self._extents, self._content = file, extents, content

    @classmethod
    def of(cls, value: object) -> Self:
        """Return an object to be shared; each process gets a copy if no folder takes a temporary file as large.

        Raises
        ------
        PicklingError, AttributeError, TypeError
            If it cannot be pickled.
        """
        apart: list[memoryview] = []

        def stays(buffer: pickle.PickleBuffer) -> bool:
            is_small = buffer.raw().nbytes < LEAST_APART
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
        """Return the object; what is written into its arrays is this process's own.

        Raises
        ------
        AttributeError, ImportError
            If something of it cannot be imported here.
        """
        if self._file is None:
            return pickle.loads(self._content)
        mapped = memoryview(mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_COPY))
        *apart, content = (mapped[begin : begin + size] for begin, size in self._extents)
        return pickle.loads(content, buffers=apart)

    def close(self) -> None:
        """Let no more processes have it; those that have it keep it."""
        if self._file is not None:
            self._file.close()

    def __reduce__(self) -> tuple[Any, ...]:
        return _received, (self._file and DupFd(self._file.fileno()), self._extents, self._content)


def _received(file: Any, extents: tuple[Extent, ...], content: bytes) -> Shared:
    return Shared(file and open(file.detach(), "rb"), extents, content)
