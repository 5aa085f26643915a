"""Members of an ensemble that are trained side by side, in processes, with the same result as one after the other."""

from __future__ import annotations

import pickle
import signal
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from multiprocessing.resource_tracker import ensure_running
from typing import Any

from specnet.compiler.thread_limits import thread_limit
from specnet.errors import TrainingError
from specnet.files.shared import Shared
from specnet.training.checkpoint import Checkpoint
from specnet.training.interruptions import Interruptions
from specnet.training.loop import TrainingResult
from specnet.training.members.ensemble_training import Ensemble
from specnet.training.members.member_worker import (
    SIGNALS,
    STOP,
    Assignment,
    Event,
    Failure,
    Order,
    WorkerError,
    cannot_be_passed,
    work,
)
from specnet.training.observer import Observer

SECONDS_BETWEEN_LOOKS = 0.1
"""A signal does not end a wait for messages."""


def train_side_by_side(
    ensemble: Ensemble,
    first: int,
    current: Checkpoint | None,
    add: Callable[[TrainingResult], None],
    *,
    jobs: int,
    observer: Observer,
    interruptions: Interruptions | None,
) -> TrainingResult:
    """Train the members of an ensemble from `first` on, some of them at once; return the result of the last.

    That is the last of all, or the first that was interrupted. Errors, events and results come in the order of the
    members, whichever is done first: they are the same for any number of jobs.

    Parameters
    ----------
    ensemble : Ensemble
    first : int
    current : Checkpoint, optional
        Where the first one resumes.
    add : callable
        Takes the result of each member before the last.
    jobs : int
        Number of processes.
    observer : Observer
        Is told of everything but `trained`.
    interruptions : Interruptions, optional
        As for `train`.

    Raises
    ------
    DataError
        If the ensemble cannot be passed to another process.
    TrainingError
        If a process ends before it should, or as `train` does.
    """
    with ExitStack() as stack:
        if interruptions is None:
            interruptions = stack.enter_context(Interruptions())
        interruptions.hold()
        workers = stack.enter_context(_started(ensemble, jobs))
        return _SideBySide(workers, len(ensemble), first, current, add, observer, interruptions).run()


@dataclass(eq=False)
class _Worker:
    """A process, the link to it, and the member that it trains, if any."""

    process: SpawnProcess
    link: Connection
    member: int | None = None

    def send(self, content: bytes) -> None:
        try:
            self.link.send_bytes(content)
        except OSError as error:
            raise self._ended() from error

    def receive(self) -> Event | TrainingResult | Failure:
        try:
            message: Event | TrainingResult | Failure = self.link.recv()
        except (EOFError, OSError) as error:
            raise self._ended() from error
        return message

    def end(self) -> None:
        """End the process at once: it has nothing to tidy up."""
        self.link.close()
        self.process.kill()
        self.process.join()
        self.process.close()

    def _ended(self) -> TrainingError:
        self.process.join()
        code, what = self.process.exitcode or 0, "a process that trains members of the ensemble"
        if code < 0:
            hint = "if the system is out of memory, use fewer jobs"
            return TrainingError(f"{what} was killed by {signal.Signals(-code).name}", hint=hint)
        hint = 'in a script, call specnet.run below `if __name__ == "__main__":`'
        return TrainingError(f"{what} ended too early, with exit code {code}", hint=hint)


@contextmanager
def _started(ensemble: Ensemble, count: int) -> Iterator[list[_Worker]]:
    """Give so many processes that have been told all but the member to train; end them afterwards."""
    from threadpoolctl import threadpool_info

    blas = [library for library in threadpool_info() if library["user_api"] == "blas"]
    try:
        assignment = Shared.of(Assignment(ensemble, blas, thread_limit()))
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise cannot_be_passed(error) from error
    context, workers = get_context("spawn"), list[_Worker]()
    try:
        with signals_blocked():
            for _ in range(count):
                link, other_end = context.Pipe()
                process = context.Process(target=work, args=(other_end, assignment), daemon=True)
                process.start()
                other_end.close()
                workers.append(_Worker(process, link))
        yield workers
    finally:
        assignment.close()
        for worker in workers:
            worker.end()


@contextmanager
def signals_blocked() -> Iterator[None]:
    """Block what processes that are started here ignore: they are born so, before they can say it themselves."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        # It would start with the first process: it must not end by SIGHUP either, and it may unblock the others.
        ensure_running()
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class _SideBySide:
    """The course of an ensemble in several processes; the parameters are those of `train_side_by_side`."""

    def __init__(
        self,
        workers: list[_Worker],
        count: int,
        first: int,
        current: Checkpoint | None,
        add: Callable[[TrainingResult], None],
        observer: Observer,
        interruptions: Interruptions,
    ) -> None:
        self._workers, self._count, self._add = workers, count, add
        self._observer, self._interruptions = observer, interruptions
        self._checkpoints = {first: current}
        self._front = self._upcoming = first
        self._events: defaultdict[int, list[Event]] = defaultdict(list)
        self._results: dict[int, TrainingResult | Failure] = {}
        self._interruption: tuple[int, KeyboardInterrupt] | None = None

    def run(self) -> TrainingResult:
        """Train until the result of the last member is there."""
        last = None
        while last is None:
            self._begin()
            self._receive()
            last = self._advance()
            self._stop_if_interrupted()
        if self._interruption is None:
            return last
        number, error = self._interruption
        if last.interruption is None:  # it came too late
            self._interruptions.request(number)
            return last
        return replace(last, interruption=error)

    def _begin(self) -> None:
        """Give members to idle workers; after a failure or an interruption only the first that is not finished."""
        stops = self._interruption is not None
        ends = stops or any(isinstance(result, Failure) for result in self._results.values())
        for worker in self._workers:
            if worker.member is None and self._upcoming < (self._front + 1 if ends else self._count):
                worker.member = self._upcoming
                worker.send(pickle.dumps(Order(worker.member, self._checkpoints.get(worker.member))))
                self._upcoming += 1
                if stops:
                    worker.send(STOP)

    def _receive(self) -> None:
        """Take what has come from the workers."""
        busy: dict[Any, _Worker] = {worker.link: worker for worker in self._workers if worker.member is not None}
        for link in wait(list(busy), SECONDS_BETWEEN_LOOKS):
            worker, message = busy[link], busy[link].receive()
            assert worker.member is not None, "it is busy"
            if isinstance(message, Event):
                self._events[worker.member].append(message)
            else:
                self._results[worker.member], worker.member = message, None

    def _advance(self) -> TrainingResult | None:
        """Pass on what is known of the first member that is not finished, and of those after it; return the last one's.

        Raises
        ------
        Exception
            That of the member.
        """
        while True:
            for event in self._events.pop(self._front, ()):
                self._tell(event)
            result = self._results.pop(self._front, None)
            if result is None:
                return None
            if isinstance(result, Failure):
                raise result.error from WorkerError(result.trace)
            self._front += 1
            if result.interruption is not None or self._front == self._count:
                return result
            self._add(result)

    def _tell(self, event: Event) -> None:
        try:
            getattr(self._observer, event.name)(*event.arguments)
        except KeyboardInterrupt:
            if self._interruption is not None or self._interruptions.pending is not None:  # the second one
                raise
            self._interruptions.request()

    def _stop_if_interrupted(self) -> None:
        """Let all members end after their steps if a signal has come; from here on another one ends them at once."""
        number = self._interruptions.pending
        if number is not None and self._interruption is None:
            try:
                self._interruptions.deliver()
            except KeyboardInterrupt as error:
                self._interruption = number, error
                for worker in self._workers:
                    if worker.member is not None:
                        worker.send(STOP)
