"""Untrusted zip archives: the number and the sizes of their members are checked before anything is unpacked."""

from __future__ import annotations

import struct
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, BinaryIO

from specnet.errors import FileError
from specnet.files.tensors import shown

DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    ValueError,
    OverflowError,
    NotImplementedError,
    OSError,  # a position before the file's beginning is an invalid argument
)
"""The exceptions that Python raises for a damaged archive or a damaged member."""

_LIMIT = 2**31
"""Largest total size of all members, in bytes."""
_MAX_MEMBERS = 1000
_MAX_COMPRESSION = 100
"""Largest ratio of a member's size to its compressed size; weights compress to half their size at best."""


class Archive:
    """A zip archive in an open file; `FileError` if it has too many members or bytes."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        try:
            self._archive = zipfile.ZipFile(stream)
        except DAMAGE as error:
            raise FileError(f"not a valid archive: {error}") from error
        members = self._archive.infolist()
        if len(members) > _MAX_MEMBERS:
            raise FileError(f"this archive has more than {_MAX_MEMBERS} members")
        for member in members:
            _check_size(member, _MAX_COMPRESSION * (member.compress_size + 1000))
        if sum(member.file_size for member in members) > _LIMIT:
            raise FileError(f"this archive has more than {_LIMIT} bytes")

    def __contains__(self, name: str) -> bool:
        return name in self._archive.namelist()

    def content(self) -> bytes:
        """Return the bytes of the archive itself."""
        self._stream.seek(0)
        return self._stream.read()

    def read(self, name: str, limit: int = _LIMIT) -> bytes:
        """Return the bytes of a member that has at most `limit` bytes."""
        member = self._archive.getinfo(name)
        _check_size(member, limit)
        try:
            with strictly_opened(self._archive, member) as stream:
                content = stream.read(member.file_size + 1)
        except (*DAMAGE, RuntimeError) as error:  # RuntimeError: the member needs a password
            raise FileError(f"{name} is damaged: {error}") from error
        if len(content) != member.file_size:
            raise FileError(f"{name} has another size than the archive says")
        return content


def _check_size(member: zipfile.ZipInfo, most: int) -> None:
    if member.file_size > most:
        raise FileError(f"{shown(member.filename)} has {member.file_size} bytes, of which at most {most} can be read")


@contextmanager
def strictly_opened(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Iterator[IO[bytes]]:
    """Open a member of an archive.

    Raises
    ------
    BadZipFile
        If the member is damaged or overlaps another one; Python 3.13 and newer only warn about overlaps.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "Overlapped entries", UserWarning)
        try:
            stream = archive.open(member)
        except UserWarning as warning:
            raise zipfile.BadZipFile(str(warning)) from None
    with stream:
        yield stream
