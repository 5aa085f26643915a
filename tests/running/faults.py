"""What befalls a process at one of its operations on files: it is killed, told to end, or the disk is full."""

from __future__ import annotations

import errno
import os
import resource
import signal
import struct
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

FULL_DISK = "full disk"
FAULTS = {
    FULL_DISK: None,
    "kill": signal.SIGKILL,
    "Ctrl-C": signal.SIGINT,
    "SIGTERM": signal.SIGTERM,
    "SIGHUP": signal.SIGHUP,
}
CHANGES = {"os.link", "os.mkdir", "os.remove", "os.rename", "os.rmdir"}


def suffer(call: Callable[[], object], folder: Path, fault: str = "", number: int = 0) -> int:
    """Make a call in a process of its own.

    Parameters
    ----------
    call : callable
    folder : Path
        Operations are counted that change something below it, or force it to the disk.
    fault : str
        One of `FAULTS`. A disk that is full stays so.
    number : int
        The operation, counted from 1, at which it comes. Default: never.

    Returns
    -------
    int
        The number of operations; 0 if the process was killed.
    """
    receiving, sending = os.pipe()
    process = os.fork()
    if process == 0:
        made = [0]

        def operation(grows: bool) -> None:
            made[0] += 1
            if fault == FULL_DISK and made[0] >= number and grows:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            if made[0] == number and FAULTS[fault] is not None:
                signal.raise_signal(FAULTS[fault])

        def watch(event: str, arguments: tuple[object, ...]) -> None:
            is_open = event == "open" and bool(int(arguments[2] or 0) & (os.O_WRONLY | os.O_RDWR))
            if (is_open or event in CHANGES) and str(arguments[0]).startswith(str(folder)):
                operation(is_open or event == "os.mkdir")

        os.fsync = lambda descriptor: operation(True)
        sys.addaudithook(watch)
        with suppress(BaseException):  # what it comes to is seen in the files
            call()
        os.write(sending, struct.pack("i", made[0]))
        os._exit(0)
    os.close(sending)
    with open(receiving, "rb") as stream:
        told = stream.read()
    os.waitpid(process, 0)
    return struct.unpack("i", told)[0] if told else 0


def spread(cases: int, total: int) -> list[int]:
    """Return so many numbers of operations, evenly spread over all of them."""
    return [1 + total * (2 * case + 1) // (2 * cases) for case in range(cases)]


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """Let this process write no file beyond a number of bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
