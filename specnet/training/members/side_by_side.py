"""Members of an ensemble that are trained side by side, with the same result as one after the other."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator
from concurrent.futures import Future
from contextlib import AbstractContextManager, ExitStack, suppress
from dataclasses import replace
from queue import Empty, SimpleQueue
from typing import Any

from specnet.files.interruptions import Interruptions
from specnet.processes.pool import ProcessEnded
from specnet.training.checkpoint import Checkpoint
from specnet.training.loop import TrainingResult
from specnet.training.members.pools import Event, Pool
from specnet.training.observer import Observer

SECONDS_BETWEEN_LOOKS = 0.02
"""A signal does not end a wait for events."""


def trained_side_by_side(
    pool: AbstractContextManager[Pool],
    members: range,
    current: Checkpoint | None,
    *,
    observer: Observer,
    interruptions: Interruptions | None,
) -> Generator[TrainingResult, None, None]:
    """Train members of an ensemble, some of them at once, and yield what each reaches.

    After an interruption the first that was interrupted is the last. Errors, events and results come in the order of
    the members, whichever is done first: they are the same for any number of jobs.

    Parameters
    ----------
    pool : context manager
        Gives what trains them.
    members : range
        Their numbers.
    current : Checkpoint, optional
        Where the first one resumes.
    observer : Observer
        Is told of everything but `trained`.
    interruptions : Interruptions, optional
        As for `train`.

    Raises
    ------
    TrainingError
        As `train` and the pool do.
    """
    with ExitStack() as stack:
        if interruptions is None:
            interruptions = stack.enter_context(Interruptions())
        interruptions.hold()
        begun = _Members(stack.enter_context(pool), observer, interruptions)
        for number in members:
            begun.begin(number, current if number == members[0] else None)
        yield from begun.results()


class _Members:
    """Members that a pool trains, with who is told of it, and the signals that may stop it."""

    def __init__(self, pool: Pool, observer: Observer, interruptions: Interruptions) -> None:
        self._pool, self._observer, self._interruptions = pool, observer, interruptions
        self._begun = deque[tuple[Future[TrainingResult], SimpleQueue[Event | None]]]()
        self._interruption: tuple[int, KeyboardInterrupt] | None = None

    def begin(self, member: int, checkpoint: Checkpoint | None) -> None:
        """Let a member be trained as soon as it is its turn."""
        told: SimpleQueue[Event | None] = SimpleQueue()
        self._begun.append((self._pool.train(member, checkpoint, told.put), told))

    def results(self) -> Generator[TrainingResult, None, None]:
        """Yield what the members reach, in their order, and pass on what they tell until then.

        Raises
        ------
        Exception
            That of the member.
        ProcessEnded
            As soon as one has.
        """
        while self._begun:
            future, told = self._begun[0]
            while (event := self._next(told)) is not None:
                self._pass_on(*event)
            result = future.result()
            self._begun.popleft()  # its states are no longer needed
            if self._interruption is not None:
                number, error = self._interruption
                if result.interruption is not None:
                    result = replace(result, interruption=error)
                elif not self._begun:  # it came too late
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
