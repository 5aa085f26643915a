"""What is seen of many runs while they go on: each as it ends, how many are left, how long they will take."""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import TextIO

from specnet.errors import Diagnostic, SpecnetWarning, render
from specnet.number_texts import count, duration
from specnet.report.terminal.bars import LiveLine
from specnet.report.terminal.run_progress import LEAST_SECONDS_LEFT
from specnet.report.terminal.terminal_output import is_lively, write_line, write_mistakes, write_parts
from specnet.training.observer import Observer


class SeriesProgress:
    """Takes what happens in a series of runs; what looks wrong with their rows is told of once.

    Parameters
    ----------
    observer : Observer, optional
        Whom to tell; without one there are Python warnings.
    before : SeriesProgress, optional
        Another series on the same rows: what it has told of is not told again.
    """

    def __init__(self, observer: Observer | None = None, before: SeriesProgress | None = None) -> None:
        self._observer = observer
        self._told: set[tuple[str, str]] = set() if before is None else before._told

    def warned(self, diagnostics: Iterable[Diagnostic]) -> None:
        """Tell of what looks wrong, unless an earlier run has."""
        for diagnostic in diagnostics:
            if (told := (diagnostic.code, diagnostic.message)) not in self._told:
                self._told.add(told)
                self._warn(diagnostic)
                if self._observer is not None:
                    self._observer.warned([diagnostic])

    def kept(self, runs: int) -> None:
        """So many runs have been done before."""

    def ended(self, *parts: str, best: str = "") -> None:
        """A run has ended: its name and what it came to, and the best of all so far."""

    def _warn(self, diagnostic: Diagnostic) -> None:
        if self._observer is None:
            warnings.warn(render(diagnostic, "warning"), SpecnetWarning, stacklevel=2)


class ShownSeries(SeriesProgress):
    """Shows a series of runs on a stream: a line for each, and on a terminal a last line that moves.

    Parameters
    ----------
    stream : TextIO
    total : int
        Number of runs.
    noun : str
        What a run is called.
    name : str
        What all of them are called, if it has to be told.
    observer : Observer, optional
        Is told of what looks wrong too.
    before : SeriesProgress, optional
        Another series on the same rows.
    """

    def __init__(
        self,
        stream: TextIO,
        total: int,
        noun: str,
        name: str = "",
        observer: Observer | None = None,
        before: SeriesProgress | None = None,
    ) -> None:
        super().__init__(observer, before)
        self._stream, self._total, self._noun = stream, total, noun
        self._live = LiveLine(stream) if is_lively(stream) else None
        self._begin = time.monotonic()
        self._done = self._kept = 0
        self._best = ""
        if name:
            self._write(name)
        self._draw()

    def kept(self, runs: int) -> None:
        self._done = self._kept = runs
        if runs:
            self._write(f"resumed after {count(runs)} of {self._total_told()}")
        self._draw()

    def ended(self, *parts: str, best: str = "") -> None:
        self._done += 1
        self._best = best
        self._write(*parts)
        if self._done < self._total:
            self._draw()

    def close(self) -> None:
        """Take the moving line away."""
        if self._live is not None:
            self._live.close()

    def _warn(self, diagnostic: Diagnostic) -> None:
        self.close()
        with suppress(OSError):
            write_mistakes(self._stream, render(diagnostic, "warning"))

    def _write(self, *parts: str) -> None:
        self.close()
        with suppress(OSError):
            write_parts(self._stream, *parts)
            self._stream.flush()

    def _draw(self) -> None:
        if self._live is None:
            return
        place, left = f"{count(self._done)}/{self._total_told()}", ""
        new = self._done - self._kept
        if new:
            seconds = (time.monotonic() - self._begin) / new * (self._total - self._done)
            left = f"{duration(max(seconds, LEAST_SECONDS_LEFT))} left"
        self._live.draw(self._done / self._total, [place, self._best, left], [place, self._best], [place])

    def _total_told(self) -> str:
        return f"{count(self._total)} {self._noun}s"


@contextmanager
def shown_series(
    verbose: bool,
    total: int,
    noun: str,
    name: str = "",
    observer: Observer | None = None,
    before: SeriesProgress | None = None,
) -> Iterator[SeriesProgress]:
    """Give what takes the events of a series of runs; it shows them on standard error, under a name, if `verbose`."""
    if not verbose:
        yield SeriesProgress(observer, before)
        return
    shown = ShownSeries(sys.stderr, total, noun, name, observer, before)
    try:
        yield shown
    finally:
        shown.close()
        with suppress(OSError):
            write_line(sys.stderr)
