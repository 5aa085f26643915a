"""Results forced over others by processes that are killed at one operation on files after the other."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

OPERATIONS = ("os.rename", "os.remove", "os.rmdir")


def killed_at(number: int, call: Callable[[], object]) -> None:
    """Make a call in a process of its own, which is killed at its operation of this number, if it has so many."""
    process = os.fork()
    if process == 0:
        left = [number]

        def watch(event: str, _: object) -> None:
            if event in OPERATIONS:
                left[0] -= 1
                if left[0] < 0:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(watch)
        call()
        os._exit(0)
    _, status = os.waitpid(process, 0)
    assert status in (0, signal.SIGKILL), status


def force_all(folder: Path, swept: Path) -> None:
    """Force results over copies of others, in processes that are killed.

    Parameters
    ----------
    folder : Path
        Each folder in it is called `<old>-<new>-<number of an operation>`; the copies are forced in place.
    swept : Path
        As in `test_forced`.
    """
    os.fsync = lambda descriptor: None
    from tests.running.test_forced import MAKE

    for out in sorted(folder.iterdir()):
        _, new, number = out.name.split("-")
        killed_at(int(number), lambda out=out, new=new: MAKE[new](out, True, swept))  # type: ignore[misc]
