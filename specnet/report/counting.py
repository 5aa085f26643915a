"""A bar for work whose length is known, where it takes more than a moment and a terminal shows it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import TYPE_CHECKING, Self, TextIO

from specnet.parts.data import reading_progress
from specnet.report.figures import count
from specnet.report.progress import BAR_WIDTH, SECONDS_BETWEEN_FRAMES
from specnet.report.terminal import console, is_lively

if TYPE_CHECKING:
    from rich.progress import Progress

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
        self._stream = stream if stream is not None and is_lively(stream) else None
        self._things = things
        self._bar: Progress | None = None
        self._next = time.monotonic() + SECONDS_UNSEEN

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def show(self, done: int, total: int) -> None:
        """Show that so many of all are done; the bar goes when all are."""
        now = time.monotonic()
        if self._stream is not None and now >= self._next:
            self._next = now + SECONDS_BETWEEN_FRAMES
            self._draw(self._stream, done, total)
        if done >= total:
            self._close()

    def _draw(self, stream: TextIO, done: int, total: int) -> None:
        with suppress(OSError):
            if self._bar is None:
                self._bar = _opened(stream)
            line = f"{count(done)}/{count(total)} {self._things}"
            self._bar.update(self._bar.task_ids[0], total=total, completed=done, description=line, refresh=True)

    def _close(self) -> None:
        if self._bar is not None:
            with suppress(OSError):
                self._bar.stop()
            self._bar = None


@contextmanager
def reading_shown(stream: TextIO | None) -> Iterator[None]:
    """Show how much is read of a large file that is read within this context."""
    with CountProgress(stream, "bytes read") as progress, reading_progress(progress.show):
        yield


def _opened(stream: TextIO) -> Progress:
    from rich.progress import BarColumn, Progress, TextColumn

    bar = Progress(
        BarColumn(bar_width=BAR_WIDTH),
        TextColumn("{task.description}", markup=False),
        console=console(stream),
        auto_refresh=False,
        transient=True,
    )
    bar.add_task("", total=None)
    bar.start()
    return bar
