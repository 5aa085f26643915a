"""Progress of a run, or of a series of runs, in a terminal.

A run shows the network in one line, a bar with loss and time, and a summary at the end. A series shows a line for each
finished run, the number of finished runs, and the remaining time.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any, Self, TextIO

from specnet.errors import Diagnostic
from specnet.number_texts import count, counted, duration, figure
from specnet.report.overview import Overview
from specnet.report.terminal.bars import CURVE_WIDTH, SECONDS_BETWEEN_FRAMES, LiveLine, curve, pages_shown
from specnet.training.after_epoch import ALL_EPOCHS, INTERRUPTED, weights_epoch
from specnet.training.checkpoint import MEMBER
from specnet.training.observer import Observer, Observers, PythonWarnings

if TYPE_CHECKING:
    from specnet.network import Network


SECONDS_TO_FIRST_LINE = 1.0
"""Time before the first line if the stream is not a terminal; the time of each further line is twice as long."""
MIN_SECONDS_LEFT = 0.1


def run_header(network: Network, rows: Mapping[str, int]) -> list[str]:
    """Return the parts of a run's first line: name, network, members and parameters, rows of each split."""
    plan = Overview(network.resolved)
    is_usual = [*rows] in (["train"], ["train", "test"])
    counts = [count(number) if is_usual else f"{count(number)} {split}" for split, number in rows.items()]
    return [network.spec.name or "", plan.summary(), plan.parameters(), f"{' + '.join(counts)} rows"]


class RunProgress(Observer):
    """An observer that shows a run on a stream: as a bar on a terminal, else as lines at increasing intervals.

    As a context manager it restores the terminal, even after errors. Errors of writing the stream are ignored, and the
    run continues without output.
    """

    follows_log = False

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._line = stream, LiveLine(stream)
        self._record: Mapping[str, Any] = {}
        self._losses: list[float] = []
        self._summaries: list[list[str]] = []
        self._best_epochs: list[int] = []
        self._is_restored = False
        self._member, self._members = 0, 1
        self._name: list[str] = []
        self._epochs = self._written = 0
        self._begun = self._started = self._drawn = 0.0
        self._next_line = SECONDS_TO_FIRST_LINE
        self._is_resumed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._line.close()
        if self._members > 1 and self._is_restored:
            epochs = ", ".join(map(count, self._best_epochs))
            self._summaries.append([f"weights of the best epochs restored: {epochs}"])
        for parts in ([], *self._summaries) if self._summaries else ():
            self._line.write(*parts)

    def warned(self, diagnostics: Sequence[Diagnostic]) -> None:
        self._line.warn(diagnostics)

    def started(self, network: Network, rows: Mapping[str, int], epochs: int) -> None:
        self._epochs = epochs
        self._begun = self._started = time.monotonic()
        self._line.write(*run_header(network, rows))
        self._draw_start()

    def member_started(self, member: int, members: int) -> None:
        self._member, self._members = member, members
        self._name = [f"member {member}"] if members > 1 else []
        self._record, self._losses, self._is_resumed, self._written = {}, [], False, 0
        self._started, self._next_line = time.monotonic(), SECONDS_TO_FIRST_LINE
        self._draw_start()

    def resumed(self, epochs: int, seconds: float) -> None:
        self._begun -= seconds
        self._started -= seconds
        self._is_resumed = True
        self._line.write(f"resumed after epoch {count(epochs)}")

    def logged(self, epoch: int, record: Mapping[str, Any]) -> None:
        self._record = record
        if math.isfinite(record["loss"]):
            self._losses.append(record["loss"])
        now = time.monotonic()
        if not self._line.is_lively:
            if now - self._started >= self._next_line:
                self._write_epoch(epoch)
            while now - self._started >= self._next_line:
                self._next_line *= 2
        elif now - self._drawn >= SECONDS_BETWEEN_FRAMES:
            self._drawn = now
            self._draw(epoch, now - self._begun)

    def ended(self, epochs: int, steps: int, seconds: float, end: str) -> None:
        self._line.close()
        if not self._line.is_lively and epochs != self._written:
            self._write_epoch(epochs)
        self._summaries.append(self._summary(epochs, seconds))
        best = weights_epoch(end, epochs)
        self._best_epochs.append(best)
        self._is_restored |= best < epochs
        is_in_summary = self._members > 1 and best < epochs  # in one line for all members
        if end != ALL_EPOCHS and not is_in_summary and not end.startswith(INTERRUPTED):  # whose error has this message
            self._summaries.append([end])

    def _write_epoch(self, epoch: int) -> None:
        self._written = epoch
        texts = [f"{name} {figure(number)}" for name, number in self._numbers()]
        self._line.write(" ".join([*self._name, f"epoch {epoch}/{self._epochs}", *texts]))

    def _draw_start(self) -> None:
        if self._line.is_lively:
            self._drawn = time.monotonic()
        self._line.draw(0.0, [self._position(0)])

    def _draw(self, epoch: int, seconds: float) -> None:
        share = epoch / self._epochs
        whole = (self._member + share) / self._members
        left = f"{duration(max(seconds * (1 - whole) / whole, MIN_SECONDS_LEFT))} left"
        position = self._position(epoch)
        loss, *others = self._figures()
        curves = (curve(self._stream, self._losses, width) for width in (CURVE_WIDTH, CURVE_WIDTH // 2))
        long, short = (f"{loss} {each}".rstrip() for each in curves)
        wide = ([position, first, *others, left] for first in (long, short, loss))
        self._line.draw(share, *wide, [position, long, left], [position, loss, left], [position, loss], [position])

    def _summary(self, epochs: int, seconds: float) -> list[str]:
        """Return the number of epochs, the time, and the loss from the first logged epoch to the last."""
        spent = f"{counted(epochs, 'epoch')} in {duration(seconds)}"
        figures = self._figures()
        if len(self._losses) > 1 and not self._is_resumed:  # the first losses of a resumed run are not in memory
            first, last = figure(self._losses[0]), figure(self._losses[-1])
            figures[0] = " ".join(filter(None, ["loss", first, curve(self._stream, self._losses) or "to", last]))
        return [*self._name, spent, *figures]

    def _position(self, epoch: int) -> str:
        total = count(self._epochs)
        return " ".join([*self._name, f"{count(epoch):>{len(total)}}/{total}"])

    def _figures(self) -> list[str]:
        return [f"{name.removesuffix('_loss')} {figure(number)}" for name, number in self._numbers()]

    def _numbers(self) -> list[tuple[str, float]]:
        """Return the figures of the last logged epoch, its loss first."""
        return [(name, number) for name, number in self._record.items() if name not in (MEMBER, "epoch")]


@contextmanager
def shown_progress(observer: Observer | None, verbose: bool, *, calls: int) -> Iterator[Observer]:
    """Yield an observer that shows progress on standard error if `verbose`, and passes events to `observer` if given.

    If neither, warnings about rows become Python warnings that point to the caller `calls` levels above `fit_rows`.
    """
    if not verbose:
        yield observer or PythonWarnings(calls)
        return
    with RunProgress(sys.stderr) as progress, pages_shown(sys.stderr):
        yield progress if observer is None else Observers(progress, observer)


class SeriesProgress:
    """Progress of a series of runs; each warning about their rows is shown once.

    The stream shows a line for each finished run and, if it is a terminal, a bar. Without a stream and an observer,
    warnings become Python warnings.

    Parameters
    ----------
    observer : Observer, optional
        Observer that receives the warnings too.
    before : SeriesProgress, optional
        Earlier series on the same rows, whose warnings are not shown again.
    stream : TextIO, optional
    total : int
        Number of runs.
    noun, name : str
        Noun for a run, and name of the series, which is shown first unless it is empty.
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
        self._reported: set[tuple[str, str]] = set() if before is None else before._reported
        self._total, self._total_text = total, f"{count(total)} {noun}s"
        self._begin = time.monotonic()
        self._done = self._resumed = 0
        self._best = ""
        if name:
            self._line.write(name)
        self._draw()

    def warned(self, diagnostics: Iterable[Diagnostic]) -> None:
        """Show the warnings that no earlier run has shown."""
        found = {(each.code, each.message): each for each in diagnostics}
        new = [each for key, each in found.items() if key not in self._reported]
        self._reported |= found.keys()
        if not new:
            return
        self._line.warn(new)
        if self._observer is not None:
            self._observer.warned(new)
        elif not self._is_shown:
            PythonWarnings(1).warned(new)

    def resumed(self, runs: int) -> None:
        """Count the runs that were finished before resuming."""
        self._done = self._resumed = runs
        if runs:
            self._line.write(f"resumed after {count(runs)} of {self._total_text}")
        self._draw()

    def ended(self, *parts: str, best: str = "") -> None:
        """Show the name and results of a finished run, and the best run so far."""
        self._done += 1
        self._best = best
        self._line.write(*parts)
        if self._done < self._total:
            self._draw()

    def close(self) -> None:
        """Remove the bar and write an empty line."""
        self._line.write()

    def _draw(self) -> None:
        position, left = f"{count(self._done)}/{self._total_text}", ""
        new = self._done - self._resumed
        if new:
            seconds = (time.monotonic() - self._begin) / new * (self._total - self._done)
            left = f"{duration(max(seconds, MIN_SECONDS_LEFT))} left"
        self._line.draw(
            self._done / max(self._total, 1), [position, self._best, left], [position, self._best], [position]
        )


@contextmanager
def shown_series(
    verbose: bool,
    total: int,
    noun: str,
    name: str = "",
    observer: Observer | None = None,
    before: SeriesProgress | None = None,
) -> Iterator[SeriesProgress]:
    """Yield the progress of a series; if `verbose`, it is shown on standard error."""
    stream = sys.stderr if verbose else None
    progress = SeriesProgress(observer, before, stream, total, noun, name)
    with closing(progress), pages_shown(stream):
        yield progress
