"""What moves on a terminal: a bar, the curve of a loss in block characters, and the line in which they stand.

`CountProgress` is a bar for work whose length is known, shown where it takes more than a moment.
"""

from __future__ import annotations

import io
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
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
"""A frame costs as much as several steps of a small network."""

_DONE, _LEFT = "━", "─"
_LEVELS = "▁▂▃▄▅▆▇"
MIN_CHANGE = 0.05
"""Of a loss, as a fraction of its largest value, that is drawn as high as the curve: noise stays low."""

_HIDE, _SHOW, _CLEAR = "\x1b[?25l", "\x1b[?25h", "\r\x1b[2K"


def curve(stream: TextIO, values: Sequence[float], width: int = CURVE_WIDTH) -> str:
    """Return the curve of finite values from first to last, if the stream can show its characters; otherwise nothing.

    Each character is the mean of as many values as any other.
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
    """Return a bar that is full to a fraction, in colour where that may be shown."""
    done, left = (_DONE, _LEFT) if can_show(stream, _DONE + _LEFT) else ("#", "-")
    full = round(width * min(max(fraction, 0.0), 1.0))
    return painted(stream, done * full, CYAN) + painted(stream, left * (width - full), DIM)


class LiveLine:
    """The last line of a terminal, which is drawn anew as work proceeds, and the lines above it.

    Elsewhere, and with NO_COLOR, nothing is drawn. Nothing is raised where the stream can no longer be written.

    Parameters
    ----------
    stream : TextIO or None
        None for one that shows nothing.
    """

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream or io.StringIO()
        self.is_lively = is_lively(self._stream)
        self._is_open = False
        self._bar_width = BAR_WIDTH

    @property
    def width(self) -> int:
        """The number of characters that fit; the last column stays free, as a full line moves some cursors on."""
        return (terminal_width(self._stream) or USUAL_WIDTH) - 1

    def draw(self, fraction: float, *choices: Sequence[str]) -> None:
        """Draw a bar and texts behind it: the first choice of texts beside which a bar fits, else the last."""
        if not self.is_lively:
            return
        for parts in choices:
            texts = [shown(self._stream, part) for part in parts if part]
            space = self.width - sum(3 + text_width(text) for text in texts)
            if space >= MIN_BAR_WIDTH:
                self._bar_width = min(space, self._bar_width)  # which does not grow again: a bar stands still
                texts.insert(0, bar(self._stream, fraction, self._bar_width))
                break
        self._put(_CLEAR + "   ".join(texts))

    def write(self, *parts: str) -> None:
        """Write texts beside each other as a line that stays, an empty one without texts."""
        self.close()
        with suppress(OSError):
            if parts:
                write_parts(self._stream, *parts)
            else:
                write_line(self._stream)
            self._stream.flush()

    def warn(self, diagnostics: Iterable[Diagnostic]) -> None:
        """Write warnings that stay."""
        self.close()
        with suppress(OSError):
            write_mistakes(self._stream, "\n".join(rendered(diagnostics)))

    def close(self) -> None:
        """Take the line away, and show the cursor again."""
        if self._is_open:
            self._put(_CLEAR + _SHOW)
            self._is_open, self._bar_width = False, BAR_WIDTH

    def _put(self, text: str) -> None:
        with suppress(OSError):
            self._stream.write(text if self._is_open else _HIDE + text)
            self._stream.flush()
        self._is_open = True


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
        """Show the number that is done of all; remove the bar when all are."""
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
