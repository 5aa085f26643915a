"""Locks on files and folders; the system releases them when their process ends, even if it is killed.

The package filelock does not suffice: its lock file stays behind, so that an unused folder cannot be removed; its error
does not name the process with the lock; and if the lock file is removed, a second process gets the lock too.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from specnet.errors import FileError, TakenError
from specnet.files.interruptions import uninterrupted

try:
    from fcntl import LOCK_EX, LOCK_NB, flock
except ImportError:  # a system without such locks
    flock = None  # type: ignore[assignment] # None on this system

LOCK_NAME = ".specnet-lock"
_MAX_HOLDER_LENGTH = 200
_ATTEMPTS = 100
"""Attempts to lock a folder that other processes remove repeatedly; at some paths no folder can be created."""
_NOT_SUPPORTED = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)


def try_lock(descriptor: int) -> bool | None:
    """Lock an open file for this process until it is closed, without waiting.

    Returns
    -------
    bool or None
        Whether the file was free; None if the system or the file system does not support locks.
    """
    if flock is None:
        return None
    try:
        flock(descriptor, LOCK_EX | LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno in _NOT_SUPPORTED:
            return None
        raise
    return True


@contextmanager
def locked_folder(folder: Path) -> Iterator[None]:
    """Lock a folder for one run, and create it if it is missing.

    Raises
    ------
    TakenError
        If another run, of this or another process, has locked the folder; the message names its process.
    FileError
        If no folder can be created at the path, for example below a broken link.
    OSError
        If the folder cannot be written.
    """
    lock = folder / LOCK_NAME
    descriptor: int | None = None
    try:
        with uninterrupted():
            descriptor = _locked(lock)
        yield
    finally:
        if descriptor is not None:
            with uninterrupted():
                # Removed before it is closed: a process that has opened it meanwhile notices and creates a new one.
                lock.unlink(missing_ok=True)
                os.close(descriptor)


def _locked(lock: Path) -> int:
    """Lock the lock file of a folder and return its descriptor."""
    for _ in range(_ATTEMPTS):
        try:
            lock.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o666)
        except (FileNotFoundError, FileExistsError):
            if _is_no_folder(lock.parent):
                raise
            continue  # the previous process with the lock has just removed the folder
        try:
            if try_lock(descriptor) is False:
                holder = os.pread(descriptor, _MAX_HOLDER_LENGTH, 0).decode(errors="replace")
                message = f"another run is writing here{f': {holder}' if holder else ''}"
                hint = "wait for it to end, or choose another --out"
                raise TakenError(message, hint=hint, source=str(lock.parent))
            if is_open_at(lock, descriptor):
                try:
                    _write_holder(descriptor)
                except OSError:
                    lock.unlink(missing_ok=True)
                    raise
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
    raise FileError("the folder cannot be created", hint="choose another --out", source=str(lock.parent))


def _is_no_folder(path: Path) -> bool:
    """Return whether a path exists and is not a folder; a path that another run removes meanwhile does not exist."""
    try:
        mode = os.lstat(path).st_mode
    except OSError:
        return False
    return not stat.S_ISDIR(mode) and not path.is_dir()


def is_open_at(path: str | Path, descriptor: int) -> bool:
    """Return whether a path still leads to an open file, given by its descriptor."""
    try:
        return os.path.samestat(os.stat(path), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _write_holder(descriptor: int) -> None:
    """Write the process, the host and the time into a lock file."""
    import socket

    since = datetime.now().astimezone().isoformat(" ", "seconds")
    os.truncate(descriptor, 0)
    os.write(descriptor, f"process {os.getpid()} on {socket.gethostname()}, since {since}".encode())
