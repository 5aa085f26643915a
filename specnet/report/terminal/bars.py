"""Progress in a terminal: a bar, a loss curve in block characters, and the line that shows them.

`CountProgress` is a progress bar for work of known length; it appears if the work takes longer than a second.
"""

from __future__ import annotations

import io
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from itertools import pairwise
from typing import Self, TextIO

from specnet.errors import Diagnostic, rendered
from specnet.number_texts import count
from specnet.parts.data import reading_progress
from specnet.report.terminal.terminal_output import (
    CYAN,
    DIM,
    USUAL_WIDTH,
    can_show,
    is_lively,
    painted,
    shown,
    terminal_width,
    text_width,
    write_line,
    write_mistakes,
    write_parts,
)

BAR_WIDTH = 20
MIN_BAR_WIDTH = 8
CURVE_WIDTH = 12
SECONDS_BETWEEN_FRAMES = 0.1
"""Minimum time between updates, since an update takes as long as several steps of a small network."""

_DONE, _LEFT = "━", "─"
_LEVELS = "▁▂▃▄▅▆▇"
MIN_CHANGE = 0.05
"""Smallest change, as a fraction of the largest value, that is drawn at full height; noise is therefore drawn low."""

_HIDE, _SHOW, _CLEAR = "\x1b[?25l", "\x1b[?25h", "\r\x1b[2K"


def curve(stream: TextIO, values: Sequence[float], width: int = CURVE_WIDTH) -> str:
    """Return a curve of finite values in block characters; empty if the stream's encoding does not have them.

    Each character is the mean of equally many values; the outer characters are the first and the last value.
    """
    if not values or not can_show(stream, _LEVELS):
        return ""
    width = min(width, len(values))
    edges = [len(values) * index // width for index in range(width + 1)]
    means = [sum(values[start:end]) / (end - start) for start, end in pairwise(edges)]
    means[0], means[-1] = values[0], values[-1]
    low, high = min(means), max(means)
    height = max(high - low, MIN_CHANGE * max(abs(low), abs(high))) or 1.0
    top = len(_LEVELS) - 1
    return "".join(_LEVELS[round(top * ((mean - low) / height))] for mean in means)


def bar(stream: TextIO, fraction: float, width: int = BAR_WIDTH) -> str:
    """Return a bar that is filled to a fraction, in colour if the stream shows colours."""
    done, left = (_DONE, _LEFT) if can_show(stream, _DONE + _LEFT) else ("#", "-")
    full = round(width * min(max(fraction, 0.0), 1.0))
    return painted(stream, done * full, CYAN) + painted(stream, left * (width - full), DIM)


def signed_bar(stream: TextIO, fraction: float, width: int = BAR_WIDTH) -> str:
    """Return a bar for a number from -1 to 1, to the left or the right of the middle of a field."""
    done = _DONE if can_show(stream, _DONE) else "#"
    length = min(round(abs(fraction) * width), width)
    return " " * (width - length) + done * length + " " * width if fraction < 0 else " " * width + done * length


class LiveLine:
    """The last line of a terminal, which is redrawn during work, and permanent lines above it.

    If the stream is not a terminal, or with NO_COLOR, the line is not drawn. Errors of writing the stream are ignored.

    Parameters
    ----------
    stream : TextIO or None
        Stream to write to; None to show nothing.
    """

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream or io.StringIO()
        self.is_lively = is_lively(self._stream)
        self._is_open = False
        self._bar_width = BAR_WIDTH

    @property
    def width(self) -> int:
        """The number of columns without the last one, since a full line moves the cursor of some terminals."""
        return (terminal_width(self._stream) or USUAL_WIDTH) - 1

    def draw(self, fraction: float, *choices: Sequence[str]) -> None:
        """Draw a bar and texts: the first choice of texts with which a bar fits, else the last choice without a bar."""
        if not self.is_lively:
            return
        for parts in choices:
            texts = [shown(self._stream, part) for part in parts if part]
            space = self.width - sum(3 + text_width(text) for text in texts)
            if space >= MIN_BAR_WIDTH:
                self._bar_width = min(space, self._bar_width)  # never wider again, so that the texts do not move
                texts.insert(0, bar(self._stream, fraction, self._bar_width))
                break
        self._put(_CLEAR + "   ".join(texts))

    def write(self, *parts: str) -> None:
        """Write texts as a permanent line; without texts, an empty line."""
        self.close()
        with suppress(OSError):
            if parts:
                write_parts(self._stream, *parts)
            else:
                write_line(self._stream)
            self._stream.flush()

    def warn(self, diagnostics: Iterable[Diagnostic]) -> None:
        """Write warnings as permanent lines."""
        self.close()
        with suppress(OSError):
            write_mistakes(self._stream, "\n".join(rendered(diagnostics)))

    def close(self) -> None:
        """Remove the line and show the cursor again."""
        if self._is_open:
            self._put(_CLEAR + _SHOW)
            self._is_open, self._bar_width = False, BAR_WIDTH

    def _put(self, text: str) -> None:
        with suppress(OSError):
            self._stream.write(text if self._is_open else _HIDE + text)
            self._stream.flush()
        self._is_open = True


SECONDS_UNSEEN = 1.0
"""Time before the first update; shorter work shows no bar."""


class CountProgress:
    """A bar with the number of finished things; a context manager that removes the bar at the end.

    Parameters
    ----------
    stream : TextIO or None
        Stream to write to; if it is None or not a terminal, nothing is shown.
    things : str
        Plural noun for the counted things.
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
        """Show the number of finished things; remove the bar if all are finished."""
        now = time.monotonic()
        if now >= self._next:
            self._next = now + SECONDS_BETWEEN_FRAMES
            self._line.draw(done / max(total, 1), [f"{count(done)}/{count(total)} {self._things}"])
        if done >= total:
            self._line.close()


@contextmanager
def reading_shown(stream: TextIO | None) -> Iterator[None]:
    """Show the progress of reading a large file within this context."""
    with CountProgress(stream, "bytes read") as progress, reading_progress(progress.show):
        yield


_pages: ContextVar[TextIO | None] = ContextVar("pages", default=None)


@contextmanager
def pages_shown(stream: TextIO | None) -> Iterator[None]:
    """Show the progress of long tasks for a page within this context."""
    token = _pages.set(stream)
    try:
        yield
    finally:
        _pages.reset(token)


def page_progress(things: str) -> CountProgress:
    """Return a bar for a task of a page, on the stream of `pages_shown`; parameters as for `CountProgress`."""
    return CountProgress(_pages.get(), things)
