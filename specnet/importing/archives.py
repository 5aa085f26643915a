"""Archives that other tools keep networks in, Keras's and skops's, opened with distrust."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO

from specnet.errors import FileError
from specnet.exporting.archive import MEMBER
from specnet.exporting.facts import FACTS
from specnet.files.tensors import shown
from specnet.importing.facts import FACTS_LIMIT, labels_of, read_facts
from specnet.parts.arrays import Array
from specnet.parts.data.npz_reading import strictly_opened

_MOST_MEMBERS = 1000
_HIGHEST_COMPRESSION = 100
"""How many bytes of a member may come from one that is stored; weights compress to a half at best."""


@dataclass(frozen=True, slots=True, eq=False)
class Said:
    """What an archive says beside its network.

    Attributes
    ----------
    labels : ndarray (classes,) or None
    facts : dict or None
        Of the spec, where the archive is one of `specnet.exporting`'s.
    """

    labels: Array | None = None
    facts: dict[str, Any] | None = None


class Archive:
    """An archive that is open.

    Parameters
    ----------
    archive : ZipFile
    """

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        if len(archive.infolist()) > _MOST_MEMBERS:
            raise FileError(f"this archive has more than {_MOST_MEMBERS} members")

    def __contains__(self, name: str) -> bool:
        return name in self._archive.namelist()

    def check_sizes(self, limit: int) -> None:
        """Refuse an archive whose members have more bytes than `limit` together, or more than they can come from."""
        members = self._archive.infolist()
        if sum(member.file_size for member in members) > limit:
            raise FileError(f"this archive has more than {limit} bytes")
        for member in members:
            _check_size(member, limit)

    def read(self, name: str, limit: int) -> bytes:
        """Return a member that has at most so many bytes."""
        member = self._archive.getinfo(name)
        _check_size(member, limit)
        try:
            with strictly_opened(self._archive, member) as stream:
                content = stream.read(member.file_size + 1)
        except (zlib.error, zipfile.BadZipFile, OSError) as error:
            raise FileError(f"{name} is damaged: {error}") from error
        if len(content) != member.file_size:
            raise FileError(f"{name} has another size than the archive says")
        return content

    def said(self) -> Said:
        """Return what the archive says beside its network."""
        if MEMBER not in self:
            return Said()
        found = read_facts(self.read(MEMBER, FACTS_LIMIT), MEMBER)
        facts = found.get(FACTS)
        if facts is not None and not isinstance(facts, dict):
            raise FileError(f"{MEMBER}: expected a table for the spec")
        return Said(labels_of(found.get("labels"), MEMBER), facts)


@contextmanager
def opened(stream: BinaryIO) -> Iterator[Archive]:
    """Open an archive.

    Raises
    ------
    FileError
        If it is none, or a damaged one.
    """
    try:
        with zipfile.ZipFile(stream) as archive:
            yield Archive(archive)
    except (zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise FileError(f"not a valid archive: {error}") from error


def _check_size(member: zipfile.ZipInfo, limit: int) -> None:
    most = min(limit, _HIGHEST_COMPRESSION * (member.compress_size + 1000))
    if member.file_size > most:
        raise FileError(f"{shown(member.filename)} has {member.file_size} bytes, of which at most {most} can be read")
