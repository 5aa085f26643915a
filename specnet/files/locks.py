"""Locks on files and folders, which the system releases when their process ends, however it ends.

The package filelock does less here: its file stays behind, so that an unused folder cannot be removed again; its error
does not say who has the lock; and where the file was removed, a second process gets the lock too.
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
    flock = None  # type: ignore[assignment] # there is nothing to call

LOCK_NAME = ".specnet-lock"
_MAX_HOLDER_LENGTH = 200
_ATTEMPTS = 100
"""To lock a folder that others remove again and again: at some paths none can ever be made."""
_NOT_SUPPORTED = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)


def try_lock(descriptor: int) -> bool | None:
    """Lock an open file for this process until it is closed, without waiting.

    Returns
    -------
    bool or None
        Whether it was free; None where the system or the file system has no locks.
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
    """Lock a folder, made if it is missing, for one run of this or any other process.

    Raises
    ------
    TakenError
        If a run that is still alive has locked it; the message says which.
    FileError
        If its path allows no folder, as below a link that leads nowhere.
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
                # Removed first: a process that has opened it meanwhile sees that it is gone, and makes another one.
                lock.unlink(missing_ok=True)
                os.close(descriptor)


def _locked(lock: Path) -> int:
    """Return the descriptor of a folder's lock, which is taken."""
    for _ in range(_ATTEMPTS):
        try:
            lock.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o666)
        except (FileNotFoundError, FileExistsError):
            if _is_no_folder(lock.parent):
                raise
            continue  # an earlier holder took the folder away at this very moment
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
    """Return whether something else stands at a path: one look decides, as another run may take it away meanwhile."""
    try:
        mode = os.lstat(path).st_mode
    except OSError:
        return False
    return not stat.S_ISDIR(mode) and not path.is_dir()


def is_open_at(path: str | Path, descriptor: int) -> bool:
    """Return whether the open file is still what stands at a path."""
    try:
        return os.path.samestat(os.stat(path), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _write_holder(descriptor: int) -> None:
    """Write into a lock who holds it."""
    import socket

    since = datetime.now().astimezone().isoformat(" ", "seconds")
    os.truncate(descriptor, 0)
    os.write(descriptor, f"process {os.getpid()} on {socket.gethostname()}, since {since}".encode())
