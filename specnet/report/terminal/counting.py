"""A bar for work whose length is known, where it takes more than a moment and a terminal shows it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self, TextIO

from specnet.number_texts import count
from specnet.parts.data import reading_progress
from specnet.report.terminal.bars import SECONDS_BETWEEN_FRAMES, LiveLine

SECONDS_UNSEEN = 1.0
"""Work that is done sooner shows nothing."""


class CountProgress:
    """Shows how much of a number of things is done; as a context it takes the bar away at the end.

    Parameters
    ----------
    stream : TextIO or None
        Nothing is shown where it is None or no terminal.
    things : str
        What is counted.
    """

    def __init__(self, stream: TextIO | None, things: str) -> None:
        self._line = LiveLine(stream)
        self._things = things
        self._next = time.monotonic() + SECONDS_UNSEEN

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._line.close()

    def show(self, done: int, total: int) -> None:
        """Show that so many of all are done; the bar goes when all are."""
        now = time.monotonic()
        if now >= self._next:
            self._next = now + SECONDS_BETWEEN_FRAMES
            self._line.draw(done / max(total, 1), [f"{count(done)}/{count(total)} {self._things}"])
        if done >= total:
            self._line.close()


@contextmanager
def reading_shown(stream: TextIO | None) -> Iterator[None]:
    """Show how much is read of a large file that is read within this context."""
    with CountProgress(stream, "bytes read") as progress, reading_progress(progress.show):
        yield
