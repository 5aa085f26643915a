"""What trains several members of an ensemble at once: threads of this process, or processes."""

from __future__ import annotations

import pickle
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from contextvars import copy_context
from typing import Any, NamedTuple

from specnet.compiler.thread_limits import keep_limit, share_threads, thread_limit
from specnet.cpus import usable_cpus
from specnet.errors import DataError, TrainingError
from specnet.files.interruptions import Interruptions
from specnet.files.shared import Shared
from specnet.processes.pool import ProcessEnded, processes, tell
from specnet.processes.pool import interruptions as requested
from specnet.training.checkpoint import Checkpoint
from specnet.training.loop import TrainingResult
from specnet.training.members.ensemble_training import EnsembleTraining, MemberKeeper
from specnet.training.observer import Relay

Event = tuple[str, tuple[Any, ...]]
"""The name of a method of observers, and its arguments."""
Tell = Callable[[Event | None], object]

_ensembles: list[EnsembleTraining] = []
"""In a process of a pool: whose members it trains."""


class Pool(NamedTuple):
    """What trains the members that it is given, some of them at once.

    Attributes
    ----------
    train : callable
        Takes the number of a member, where it resumes, and what is told of all its events but `trained`, and of None at
        its end. Members begin in the order in which they are given.
    stop : callable
        Lets all members end after their steps, also those that have not begun.
    """

    train: Callable[[int, Checkpoint | None, Tell], Future[TrainingResult]]
    stop: Callable[[], object]


@contextmanager
def in_threads(
    ensemble: EnsembleTraining, first: int, jobs: int, keep: MemberKeeper, *, follows_log: bool
) -> Iterator[Pool]:
    """Give threads of this process, which train the members from `first` on and end with this context.

    If the jobs keep all processors busy, the last members begin early, and the system lets all of them take turns: no
    processor is idle while another has a whole member before it.
    """
    most = 2 * jobs - 1 if jobs >= usable_cpus() else jobs
    executor, stops = ThreadPoolExecutor(most), list[Interruptions]()
    changed, finished, is_over = threading.Condition(), set[int](), threading.Event()

    def trained(member: int, checkpoint: Checkpoint | None, told: Tell, stop: Interruptions) -> TrainingResult:
        needed = min(member - first - jobs + 1, len(ensemble) - first - most)
        observer = Relay(lambda *event: told(event), follows_log=follows_log)
        share_threads(jobs)
        try:
            with changed:
                changed.wait_for(lambda: len(finished) >= needed or is_over.is_set())
            if is_over.is_set():
                raise CancelledError
            result = ensemble.train(member, observer, checkpoint, stop, keep)
            if result.interruption is None:  # nothing comes after one that was interrupted
                with changed:
                    finished.add(member)
                    changed.notify_all()
            return result
        finally:
            told(None)

    def train(member: int, checkpoint: Checkpoint | None, told: Tell) -> Future[TrainingResult]:
        stops.append(Interruptions())
        # What is set in this thread, such as how NumPy warns, holds in the others too.
        return executor.submit(copy_context().run, trained, member, checkpoint, told, stops[-1])

    def stop() -> None:
        for each in stops:
            each.request()

    try:
        yield Pool(train, stop)
    finally:
        stop()
        with changed:
            is_over.set()
            changed.notify_all()
        executor.shutdown(cancel_futures=True)


@contextmanager
def in_processes(ensemble: EnsembleTraining, jobs: int, *, follows_log: bool) -> Iterator[Pool]:
    """Give so many processes, which end with this context.

    Raises
    ------
    DataError
        If the ensemble cannot be passed to another process.
    TrainingError
        If a process ends before it should.
    """
    from threadpoolctl import threadpool_info

    blas = [library for library in threadpool_info() if library["user_api"] == "blas"]
    with ExitStack() as stack:
        try:
            pool = stack.enter_context(processes(jobs, _begin, (ensemble, blas, thread_limit())))
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            raise _cannot_be_passed(error) from error
        try:
            yield Pool(
                lambda member, checkpoint, told: pool.submit(_train, member, checkpoint, follows_log, tell=told),
                pool.stop,
            )
        except ProcessEnded as error:
            raise _ended(error) from error


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


def _train(member: int, checkpoint: Checkpoint | None, follows_log: bool) -> TrainingResult:
    """Train a member in a process of a pool: a network is not sent each time."""
    return _ensembles[0].train(member, Relay(tell, follows_log=follows_log), checkpoint, requested)


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
