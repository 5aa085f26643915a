"""Waiting for what other processes do, and finding them."""

import time
from collections.abc import Callable
from pathlib import Path

MARK = "SPECNET_TESTS_MARK"
"""The variable of the environment by which processes are found, whichever process started them."""


def processes_of(mark: str) -> set[int]:
    """Return the processes that were started with this mark, all those that they started with them."""
    found = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                variables = (entry / "environ").read_bytes().split(b"\0")
                state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
            except OSError:  # it has ended, or is another user's
                continue
            if f"{MARK}={mark}".encode() in variables and state != "Z":
                found.add(int(entry.name))
    return found


def wait_until(happened: Callable[[], bool], seconds: float = 60) -> None:
    """Return as soon as something has happened; that it has not after so many seconds is a failure."""
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, f"nothing happened within {seconds:g} s"
        time.sleep(0.01)
