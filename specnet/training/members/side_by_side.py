"""Members of an ensemble that are trained side by side, in processes, with the same result as one after the other."""

from __future__ import annotations

import pickle
import signal
from collections.abc import Generator
from concurrent.futures import Future
from contextlib import ExitStack, suppress
from dataclasses import replace
from queue import Empty, SimpleQueue
from typing import Any

from specnet.compiler.thread_limits import keep_limit, thread_limit
from specnet.errors import DataError, TrainingError
from specnet.files.interruptions import Interruptions
from specnet.files.shared import Shared
from specnet.processes.pool import ProcessEnded, Processes, processes, tell
from specnet.processes.pool import interruptions as requested
from specnet.training.checkpoint import Checkpoint
from specnet.training.loop import TrainingResult
from specnet.training.members.ensemble_training import EnsembleTraining
from specnet.training.observer import Observer, Relay

SECONDS_BETWEEN_LOOKS = 0.1
"""A signal does not end a wait for events."""
_ensembles: list[EnsembleTraining] = []
"""In a process of a pool: whose members it trains."""

Event = tuple[str, tuple[Any, ...]]
"""The name of a method of observers, and its arguments."""


def trained_side_by_side(
    ensemble: EnsembleTraining,
    first: int,
    current: Checkpoint | None,
    *,
    jobs: int,
    observer: Observer,
    interruptions: Interruptions | None,
) -> Generator[TrainingResult, None, None]:
    """Train the members of an ensemble from `first` on, some of them at once, and yield what each reaches.

    After an interruption the first that was interrupted is the last. Errors, events and results come in the order of
    the members, whichever is done first: they are the same for any number of jobs.

    Parameters
    ----------
    ensemble : EnsembleTraining
    first : int
    current : Checkpoint, optional
        Where the first one resumes.
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
    from threadpoolctl import threadpool_info

    blas = [library for library in threadpool_info() if library["user_api"] == "blas"]
    with ExitStack() as stack:
        if interruptions is None:
            interruptions = stack.enter_context(Interruptions())
        interruptions.hold()
        try:
            pool = stack.enter_context(processes(jobs, _begin, (ensemble, blas, thread_limit())))
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            raise _cannot_be_passed(error) from error
        members = _Members(pool, observer, interruptions)
        for number in range(first, len(ensemble)):
            members.begin(number, current if number == first else None)
        try:
            yield from members.results()
        except ProcessEnded as error:
            raise _ended(error) from error


class _Members:
    """Members that a pool trains, with who is told of it, and the signals that may stop it."""

    def __init__(self, pool: Processes, observer: Observer, interruptions: Interruptions) -> None:
        self._pool, self._observer, self._interruptions = pool, observer, interruptions
        self._begun: list[tuple[Future[TrainingResult], SimpleQueue[Event | None]]] = []
        self._interruption: tuple[int, KeyboardInterrupt] | None = None

    def begin(self, member: int, checkpoint: Checkpoint | None) -> None:
        """Let a process train a member as soon as one is idle."""
        told: SimpleQueue[Event | None] = SimpleQueue()
        self._begun.append((self._pool.submit(_train, member, checkpoint, tell=told.put), told))

    def results(self) -> Generator[TrainingResult, None, None]:
        """Yield what the members reach, in their order, and pass on what they tell until then.

        Raises
        ------
        Exception
            That of the member.
        ProcessEnded
            As soon as one has.
        """
        for future, told in self._begun:
            while (event := self._next(told)) is not None:
                self._pass_on(*event)
            result = future.result()
            if self._interruption is not None:
                number, error = self._interruption
                if result.interruption is not None:
                    result = replace(result, interruption=error)
                elif future is self._begun[-1][0]:  # it came too late
                    self._interruptions.request(number)
            yield result

    def _next(self, told: SimpleQueue[Event | None]) -> Event | None:
        """Wait for an event, and look for signals and failures meanwhile."""
        while True:
            self._stop_if_interrupted()
            self._stop_if_failed()
            with suppress(Empty):
                return told.get(timeout=SECONDS_BETWEEN_LOOKS)

    def _pass_on(self, name: str, arguments: tuple[Any, ...]) -> None:
        try:
            getattr(self._observer, name)(*arguments)
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
                self._pool.stop()

    def _stop_if_failed(self) -> None:
        """Begin no more members once one has failed: those before it are still of interest, unless a process ended."""
        done = [future for future, _ in self._begun if future.done() and not future.cancelled()]
        if failures := [error for future in done if (error := future.exception())]:
            for future, _ in self._begun:
                future.cancel()
            if isinstance(failures[0], ProcessEnded):
                raise failures[0]


def _begin(shared: Shared) -> None:
    """Prepare a process for the members of an ensemble; results depend on its numbers of threads."""
    from threadpoolctl import threadpool_limits

    try:
        ensemble, blas, limit = shared.value()
    except (AttributeError, ImportError) as error:
        raise _cannot_be_passed(error) from error
    threadpool_limits(blas)
    keep_limit(limit)
    _ensembles.append(ensemble)


def _train(member: int, checkpoint: Checkpoint | None) -> TrainingResult:
    """Train a member in a process of a pool, and tell of all events but `trained`: a network is not sent each time."""
    return _ensembles[0].train(member, Relay(tell), checkpoint, requested)


def _cannot_be_passed(error: Exception) -> DataError:
    hint = "use jobs=1, or define custom parts at the top level of a module that can be imported"
    return DataError(f"with jobs, the network cannot be passed to another process: {error}", hint=hint)


def _ended(error: ProcessEnded) -> TrainingError:
    what = "a process that trains members of the ensemble"
    if error.exit_code < 0:
        hint = "if the system is out of memory, use fewer jobs"
        return TrainingError(f"{what} was killed by {signal.Signals(-error.exit_code).name}", hint=hint)
    hint = 'in a script, call specnet.run below `if __name__ == "__main__":`'
    return TrainingError(f"{what} ended too early, with exit code {error.exit_code}", hint=hint)
