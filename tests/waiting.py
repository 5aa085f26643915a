"""Waiting for what another process does."""

import time
from collections.abc import Callable


def wait_until(happened: Callable[[], bool], seconds: float = 60) -> None:
    """Return as soon as something has happened; that it has not after so many seconds is a failure."""
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, f"nothing happened within {seconds:g} s"
        time.sleep(0.01)
