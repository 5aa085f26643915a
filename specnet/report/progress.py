"""What is seen of a run while it goes on: the network in one line, then a bar with epochs, loss and time."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TextIO

from specnet.errors import Diagnostic, render
from specnet.report.figures import count, duration, figure
from specnet.report.overview import Overview
from specnet.report.terminal import console, is_lively, write_line, write_mistakes
from specnet.training.checkpoint import MEMBER
from specnet.training.course import ALL_EPOCHS, INTERRUPTED
from specnet.training.observer import Observer, Observers, PythonWarnings

if TYPE_CHECKING:
    from rich.progress import Progress

    from specnet.network import Network

BAR_WIDTH = 30
SECONDS_BETWEEN_FRAMES = 0.1
"""Drawing costs about a millisecond, which is a hundred steps of a small network."""
SECONDS_TO_FIRST_LINE = 5.0
"""Where nothing is drawn, as in a notebook or a log file: each further line comes after twice the time."""


def run_header(network: Network, rows: Mapping[str, int]) -> str:
    """Return a run's first line: name, network, members and parameters, number format and rows of each split."""
    plan = Overview(network.resolved)
    parts = [
        network.spec.name or "",
        plan.summary(),
        plan.parameters(),
        network.spec.network.dtype,
        ", ".join(f"{count(number)} {split}" for split, number in rows.items()) + " rows",
    ]
    return "   ".join(part for part in parts if part)


class RunProgress(Observer):
    """Shows a run on a stream: live on a terminal, line by line and ever more rarely elsewhere.

    As a context it leaves the terminal in order however the run ends. A stream that can no longer be written ends
    nothing: the run goes on unseen.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._bar: Progress | None = None
        self._record: Mapping[str, Any] = {}
        self._member = self._engine = ""
        self._epochs = 0
        self._started = self._drawn = 0.0
        self._next_line = SECONDS_TO_FIRST_LINE

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def warned(self, diagnostics: Sequence[Diagnostic]) -> None:
        with suppress(OSError):
            write_mistakes(self._stream, "\n".join(render(diagnostic, "warning") for diagnostic in diagnostics))

    def started(self, network: Network, rows: Mapping[str, int], epochs: int) -> None:
        self._epochs = epochs
        self._started = time.monotonic()
        with suppress(OSError):
            write_line(self._stream, run_header(network, rows))
            self._stream.flush()
            self._open()

    def member_started(self, member: int, members: int) -> None:
        self._member, self._record = f"member {member}", {}
        self._started, self._next_line = time.monotonic(), SECONDS_TO_FIRST_LINE
        with suppress(OSError):
            self._open()

    def resumed(self, epochs: int, seconds: float) -> None:
        self._started -= seconds
        self._next_line += seconds
        self._write(f"resumed after epoch {count(epochs)}")

    def engine_chosen(self, engine: str, reason: str) -> None:
        self._engine = engine

    def logged(self, epoch: int, record: Mapping[str, Any]) -> None:
        self._record = record
        now = time.monotonic()
        if self._bar is None:
            if now - self._started >= self._next_line:
                self._next_line = 2 * (now - self._started)
                self._write(self._line(epoch, record, duration(now - self._started)))
        elif now - self._drawn >= SECONDS_BETWEEN_FRAMES:
            self._drawn = now
            self._draw(epoch, self._line(epoch, record, duration(now - self._started)))

    def ended(self, epochs: int, steps: int, seconds: float, end: str) -> None:
        each = f", {duration(seconds / steps)} a step" if steps else ""
        line = self._line(epochs, self._record, f"{duration(seconds)}{each}, {self._engine}")
        if self._bar is not None:
            self._draw(epochs, line)
            self._close()
        else:
            self._write(line)
        if end != ALL_EPOCHS and not end.startswith(INTERRUPTED):  # which the interruption says itself
            self._write(end)

    def _write(self, line: str) -> None:
        with suppress(OSError):
            write_line(self._stream, line)
            self._stream.flush()

    def _line(self, epoch: int, record: Mapping[str, Any], spent: str) -> str:
        told = [f"{name} {figure(number)}" for name, number in record.items() if name not in (MEMBER, "epoch")]
        parts = [self._member, f"{count(epoch)}/{count(self._epochs)} epochs", *told, spent]
        return "   ".join(part for part in parts if part)

    def _open(self) -> None:
        """Begin to draw, where the stream is a terminal and nothing is drawn yet."""
        if self._bar is not None or not is_lively(self._stream):
            return
        from rich.progress import BarColumn, Progress, TextColumn

        self._bar = Progress(
            BarColumn(bar_width=BAR_WIDTH),
            TextColumn("{task.description}", markup=False),
            console=console(self._stream),
            auto_refresh=False,
        )
        self._bar.add_task("", total=self._epochs)
        self._bar.start()

    def _draw(self, epoch: int, line: str) -> None:
        if self._bar is not None:
            with suppress(OSError):
                self._bar.update(self._bar.task_ids[0], completed=epoch, description=line, refresh=True)

    def _close(self) -> None:
        if self._bar is not None:
            with suppress(OSError):
                self._bar.stop()
            self._bar = None


@contextmanager
def shown_progress(observer: Observer | None, verbose: bool, *, calls: int) -> Iterator[Observer]:
    """Give an observer which shows the progress on standard error where `verbose`, and tells another one too.

    Without either, suspicious rows are warnings of Python's about the caller so many `calls` above `fit_rows`.
    """
    if not verbose:
        yield observer or PythonWarnings(calls)
        return
    with RunProgress(sys.stderr) as progress:
        yield progress if observer is None else Observers(progress, observer)
