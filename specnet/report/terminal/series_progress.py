"""What is seen of many runs while they go on: each as it ends, how many are left, how long they will take."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from contextlib import AbstractContextManager, closing
from typing import TextIO

from specnet.errors import Diagnostic
from specnet.number_texts import count, duration
from specnet.report.terminal.bars import LiveLine
from specnet.report.terminal.run_progress import LEAST_SECONDS_LEFT
from specnet.training.observer import Observer, PythonWarnings


class SeriesProgress:
    """Takes what happens in a series of runs; what looks wrong with their rows is told of once.

    A line for each run is shown on a stream, and on a terminal a last line that moves. Without a stream warnings are
    Python's, unless there is an observer.

    Parameters
    ----------
    observer : Observer, optional
        Whom to tell too.
    before : SeriesProgress, optional
        Another series on the same rows: what it has told of is not told again.
    stream : TextIO, optional
    total : int
        Number of runs.
    noun, name : str
        What a run is called, and all of them, if it has to be told.
    """

    def __init__(
        self,
        observer: Observer | None = None,
        before: SeriesProgress | None = None,
        stream: TextIO | None = None,
        total: int = 0,
        noun: str = "run",
        name: str = "",
    ) -> None:
        self._observer, self._line, self._is_shown = observer, LiveLine(stream), stream is not None
        self._told: set[tuple[str, str]] = set() if before is None else before._told
        self._total, self._total_told = total, f"{count(total)} {noun}s"
        self._begin = time.monotonic()
        self._done = self._kept = 0
        self._best = ""
        if name:
            self._line.write(name)
        self._draw()

    def warned(self, diagnostics: Iterable[Diagnostic]) -> None:
        """Tell of what looks wrong, unless an earlier run has."""
        found = {(each.code, each.message): each for each in diagnostics}
        new = [each for told, each in found.items() if told not in self._told]
        self._told |= found.keys()
        if not new:
            return
        self._line.warn(new)
        if self._observer is not None:
            self._observer.warned(new)
        elif not self._is_shown:
            PythonWarnings(1).warned(new)

    def kept(self, runs: int) -> None:
        """So many runs have been done before."""
        self._done = self._kept = runs
        if runs:
            self._line.write(f"resumed after {count(runs)} of {self._total_told}")
        self._draw()

    def ended(self, *parts: str, best: str = "") -> None:
        """A run has ended: its name and what it came to, and the best of all so far."""
        self._done += 1
        self._best = best
        self._line.write(*parts)
        if self._done < self._total:
            self._draw()

    def close(self) -> None:
        """Leave the stream in order, with an empty line at the end."""
        self._line.write()

    def _draw(self) -> None:
        place, left = f"{count(self._done)}/{self._total_told}", ""
        new = self._done - self._kept
        if new:
            seconds = (time.monotonic() - self._begin) / new * (self._total - self._done)
            left = f"{duration(max(seconds, LEAST_SECONDS_LEFT))} left"
        self._line.draw(self._done / max(self._total, 1), [place, self._best, left], [place, self._best], [place])


def shown_series(
    verbose: bool,
    total: int,
    noun: str,
    name: str = "",
    observer: Observer | None = None,
    before: SeriesProgress | None = None,
) -> AbstractContextManager[SeriesProgress]:
    """Give what takes the events of a series of runs; it shows them on standard error, under a name, if `verbose`."""
    return closing(SeriesProgress(observer, before, sys.stderr if verbose else None, total, noun, name))
