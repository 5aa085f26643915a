"""The user's cache of libraries, and private folders.

An entry of the cache is one file, ``<key>-<SHA-256 of its bytes>.so``. A library is code that runs with all rights of
the user. So an entry is read only if it and the cache's folder belong to the user, nobody else may write them or put
others in their place, and its bytes are those that its name says.
"""

from __future__ import annotations

import os
import re
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from itertools import chain
from pathlib import Path

MOST_ENTRIES = 200
ABANDONED = 3600.0
"""Seconds after which a temporary file can only be that of a killed process."""

_ENTRY = re.compile(r"[0-9a-f]{64}-[0-9a-f]{64}\.so")
_TEMPORARY_PREFIX, _TEMPORARY_SUFFIX = ".specnet-", ".tmp"
_TEMPORARY = re.compile(r"\.specnet-\w+\.tmp")
_FOLDER_PREFIX = "specnet-build-"
_FOLDER = re.compile(r"specnet-build-\w+")


@contextmanager
def private_folder(parent: str | None = None) -> Iterator[str]:
    """Make a folder that nobody else may enter, for temporary files as a rule, and remove it.

    Not a `TemporaryDirectory`: a process that another thread forks meanwhile would remove it when it ends.
    """
    from shutil import rmtree
    from tempfile import mkdtemp

    folder = mkdtemp(prefix=_FOLDER_PREFIX, dir=parent)
    try:
        yield folder
    finally:
        rmtree(folder, ignore_errors=True)


def cache_folder() -> str | None:
    """Return the cache's folder, made if it is missing; None if it cannot be made, or others could change it."""
    folder = os.environ.get("SPECNET_CACHE")
    if not folder:
        base = os.environ.get("XDG_CACHE_HOME", "")
        if not os.path.isabs(base):  # the XDG specification has relative ones ignored
            home = os.path.expanduser("~")
            if not (os.path.isabs(home) and os.path.isdir(home)):
                return None
            base = os.path.join(home, "Library/Caches" if sys.platform == "darwin" else ".cache")
        folder = os.path.join(base, "specnet")
    parent, name = os.path.split(os.path.abspath(folder))
    folder = os.path.join(os.path.realpath(parent), name)
    above = Path(folder).parents
    try:
        for path in (*reversed(above), Path(folder)):
            path.mkdir(0o700, exist_ok=True)
        status = os.lstat(folder)
        is_safe = stat.S_ISDIR(status.st_mode) and _belongs_to_user(status)
        return folder if is_safe and all(_keeps_names(path.lstat()) for path in above) else None
    except OSError:
        return None


def read_entry(folder: str, key: str) -> bytes | None:
    """Return the bytes of an entry of the cache, None if there is none; one that is not as written is removed."""
    for path in _paths(folder, key):
        with suppress(OSError):
            content = _content(path)
            if content is not None:
                with suppress(OSError):
                    os.utime(path)  # it was used: others are removed first
                return content
        with suppress(OSError):
            os.unlink(path)
    return None


def drop_entry(folder: str, key: str) -> None:
    """Remove an entry of the cache."""
    for path in _paths(folder, key):
        with suppress(OSError):
            os.unlink(path)


def store_entry(folder: str, key: str, content: bytes) -> bool:
    """Put a library into the cache, whole or not at all, and remove what is too old; return whether it is there."""
    from tempfile import mkstemp

    try:
        descriptor, temporary = mkstemp(_TEMPORARY_SUFFIX, _TEMPORARY_PREFIX, folder)
    except OSError:  # read-only, or full
        return False
    try:
        with open(descriptor, "wb") as file:
            file.write(content)
        os.replace(temporary, os.path.join(folder, f"{key}-{sha256(content).hexdigest()}.so"))
    except BaseException as error:
        with suppress(OSError):
            os.unlink(temporary)
        if isinstance(error, OSError):
            return False
        raise
    with suppress(OSError):
        _tidy(folder)
    return True


def _paths(folder: str, key: str) -> list[str]:
    """Return the files of an entry; there may be several, since not every compiler repeats its bytes."""
    try:
        names = sorted(name for name in os.listdir(folder) if name.startswith(key) and _ENTRY.fullmatch(name))
    except OSError:
        return []
    return [os.path.join(folder, name) for name in names]


def _belongs_to_user(status: os.stat_result) -> bool:
    """Return whether the user owns a file or folder that nobody else may write."""
    return status.st_uid == os.geteuid() and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _keeps_names(status: os.stat_result) -> bool:
    """Return whether nobody but the user and root may rename what others own in a folder."""
    is_closed = not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH) or status.st_mode & stat.S_ISVTX
    return status.st_uid in (0, os.geteuid()) and bool(is_closed)


def _content(path: str) -> bytes | None:
    """Return the bytes of a file of the user, None if they are not those that its name says."""
    # A pipe would wait for a writer.
    with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
        status = os.fstat(file.fileno())
        if not (stat.S_ISREG(status.st_mode) and _belongs_to_user(status)):
            return None
        content = file.read()
    return content if path.endswith(f"-{sha256(content).hexdigest()}.so") else None


def _tidy(folder: str) -> None:
    """Remove the least recently used entries, and what killed processes have left."""
    import time
    from shutil import rmtree
    from tempfile import gettempdir

    for _, path in _by_age(folder, _ENTRY)[:-MOST_ENTRIES]:
        with suppress(OSError):
            os.unlink(path)
    newest = time.time() - ABANDONED
    for changed, path in _by_age(folder, _TEMPORARY):
        if changed < newest:
            with suppress(OSError):
                os.unlink(path)
    for changed, path in chain(_by_age(folder, _FOLDER), _by_age(gettempdir(), _FOLDER)):
        if changed < newest:
            rmtree(path, ignore_errors=True)


def _by_age(folder: str, pattern: re.Pattern[str]) -> list[tuple[float, str]]:
    """Return the user's files or folders with such names, and when each was changed; oldest first."""
    found = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if pattern.fullmatch(entry.name):
                with suppress(FileNotFoundError):
                    status = entry.stat(follow_symlinks=False)
                    if status.st_uid == os.geteuid():
                        found.append((status.st_mtime, entry.path))
    return sorted(found)
