"""Who computes many runs: the calling process, processes of its own, or any executor of `concurrent.futures`."""

from __future__ import annotations

import pickle
import threading
import warnings
from collections import deque
from collections.abc import Hashable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait
from contextlib import ExitStack, contextmanager
from functools import cached_property
from typing import Self, TypeVar

from specnet.compiler.thread_limits import limited_threads
from specnet.errors import SpecnetError, TrainingError
from specnet.extras import required
from specnet.parts.data import Table
from specnet.processes.pool import processes, signals_blocked
from specnet.running.many.run_tasks import THREADS, RowsNeeded, Task, begin_tasks, cannot_be_sent, perform, work
from specnet.running.training_run import RunOutcome

Key = TypeVar("Key", bound=Hashable)

SECONDS_WORTH_WORKERS = 10.0
"""Seconds of runs that are left from which on processes are started: each takes about one until it is ready."""
LEAST_SECONDS_TO_WAIT = 1.0
"""How long the first run goes on alone at least: it may take long only because everything is new."""
SECONDS_TO_ANSWER = 10
"""How long a scheduler of dask is waited for."""


class Workers(ExitStack):
    """Computes tasks, each with the same result wherever it is computed.

    The first tasks are computed in the calling process; processes are started when it is worth it, also while the first
    one is computed.

    Parameters
    ----------
    table : Table
        The rows of all tasks.
    jobs : int, optional
        Number of processes. Default: the number of physical cores.
    executor : Executor, optional
        Computes all of them, in place of processes of its own; it is not shut down.

    Attributes
    ----------
    jobs : int or None
        Number of processes; None if only the executor knows.
    """

    def __init__(self, table: Table, *, jobs: int | None, executor: Executor | None = None) -> None:
        super().__init__()
        self._table, self._executor = table, executor
        self.jobs = (jobs or _physical_cores()) if executor is None else None
        self._waiting: deque[tuple[Task, Future[RunOutcome]]] = deque()
        self._sent: dict[Future[RunOutcome | RowsNeeded], tuple[Task, Future[RunOutcome]]] = {}
        self._seconds, self._done = 0.0, 0

    def __enter__(self) -> Self:
        self.enter_context(limited_threads(THREADS))  # once, and not anew for each task
        self.callback(self._cancel)
        return self

    def _cancel(self) -> None:
        for future in self._sent:
            future.cancel()

    def submit(self, task: Task) -> Future[RunOutcome]:
        """Take a task; `advance` computes it, or looks who has."""
        answer: Future[RunOutcome] = Future()
        if self._executor is None:
            self._waiting.append((task, answer))
        else:
            self._send(task, answer, rows=None)
        return answer

    def drop(self, answers: Iterable[Future[RunOutcome]]) -> None:
        """Leave tasks uncomputed that nobody has begun yet; nobody waits for the answers of any of them."""
        for answer in answers:
            answer.cancel()
        self._waiting = deque(each for each in self._waiting if not each[1].cancelled())
        for future in [future for future, (_, answer) in self._sent.items() if answer.cancelled()]:
            if future.cancel():
                del self._sent[future]

    def advance(self, left: int) -> None:
        """Compute a task, or wait until a worker has computed one.

        Parameters
        ----------
        left : int
            Number of tasks to be computed from here on, which decides whether processes are started.

        Raises
        ------
        DataError
            If a task cannot be sent to a worker.
        TrainingError
            If a worker was killed.
        KeyboardInterrupt
        """
        if self._executor is None and self.jobs != 1 and left * self._seconds > SECONDS_WORTH_WORKERS * self._done:
            self._start_processes(left)
        if self._executor is None:
            task, answer = self._waiting.popleft()
            with self._others_if_it_takes_long(left):
                outcome = perform(task, self._table)
            self._seconds, self._done = self._seconds + outcome.seconds, self._done + 1
            answer.set_result(outcome)
            return
        for future in wait(self._sent, return_when=FIRST_COMPLETED).done:
            self._take(future)

    def _start_processes(self, left: int) -> None:
        assert self.jobs is not None, "nobody else computes"
        rows = self._waiting[0][0].sha256, self._table
        self._executor = self.enter_context(processes(min(self.jobs, left), begin_tasks, rows))
        while self._waiting:
            self._send(*self._waiting.popleft(), rows=None)

    @contextmanager
    def _others_if_it_takes_long(self, left: int) -> Iterator[None]:
        """Start processes for the tasks that wait while one of so many is computed here, as soon as they are worth it.

        Raises
        ------
        DataError
            If a task cannot be sent to a worker.
        """
        if self.jobs == 1 or not self._waiting:
            yield
            return
        started = Future[None]()

        def start() -> None:
            if not started.set_running_or_notify_cancel():
                return
            try:
                self._start_processes(left - 1)
                started.set_result(None)
            except Exception as error:
                started.set_exception(error)

        timer = threading.Timer(max(LEAST_SECONDS_TO_WAIT, SECONDS_WORTH_WORKERS / left), start)
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            _end(started)
        if not started.cancelled():
            started.result()

    def _take(self, future: Future[RunOutcome | RowsNeeded]) -> None:
        task, answer = self._sent.pop(future)
        with self._failures():
            outcome = future.result()
        if answer.cancelled():
            return
        if isinstance(outcome, RowsNeeded):
            self._send(task, answer, rows=self._rows)
        else:
            answer.set_result(outcome)

    def _send(self, task: Task, answer: Future[RunOutcome], *, rows: bytes | None) -> None:
        assert self._executor is not None, "there is somebody to send it to"
        try:
            content = pickle.dumps(task)
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            raise cannot_be_sent(error) from error
        with self._failures(), signals_blocked():  # a process may be started
            self._sent[self._executor.submit(work, content, rows)] = task, answer

    @contextmanager
    def _failures(self) -> Iterator[None]:
        """Tell of workers that were killed, and of executors that fail."""
        try:
            yield
        except SpecnetError:
            raise
        except BrokenExecutor as error:
            hint = "go on with --resume (or resume=True); if the system is out of memory, use fewer jobs"
            raise TrainingError("a worker process was killed", hint=hint) from error
        except Exception as error:
            if self.jobs is not None:
                raise
            message = f"a worker failed: {type(error).__name__}: {error}"
            raise TrainingError(message, hint="go on with --resume (or resume=True)") from error

    @cached_property
    def _rows(self) -> bytes:
        """The table for executors whose workers may be anywhere."""
        return pickle.dumps(self._table, protocol=pickle.HIGHEST_PROTOCOL)


def ended(workers: Workers, tasks: Mapping[Key, Iterable[Task]]) -> Iterator[tuple[Key, list[RunOutcome]]]:
    """Have tasks computed, and yield the outcomes of all those of a key as soon as they are there."""
    under_way = {key: [workers.submit(task) for task in each] for key, each in tasks.items()}
    while under_way:
        workers.advance(sum(not future.done() for futures in under_way.values() for future in futures))
        for key in [key for key, futures in under_way.items() if all(future.done() for future in futures)]:
            yield key, [future.result() for future in under_way.pop(key)]


@contextmanager
def dask_executor(address: str) -> Iterator[Executor]:
    """Give the executor of a dask cluster by the address of its scheduler.

    Raises
    ------
    TrainingError
        If dask is missing, or no scheduler answers.
    """
    distributed = required("distributed", "dask", TrainingError)
    try:
        client = distributed.Client(address, timeout=SECONDS_TO_ANSWER)
    except (OSError, ValueError) as error:
        message = f"no dask scheduler answers: {error}"
        raise TrainingError(message, source=address, hint="start one with `dask scheduler`") from error
    with client:
        yield client.get_executor()


def _end(begun: Future[None]) -> None:
    """Cancel what may have begun or wait for it, however often Ctrl-C is pressed: nothing else would end it.

    After a Ctrl-C, Python 3.11 takes a thread that is being joined for one that has ended.
    """
    try:
        if not begun.cancel():
            begun.exception()
    except BaseException:
        _end(begun)
        raise


def _physical_cores() -> int:
    """Return the number of physical cores that this process may use."""
    from joblib import cpu_count  # scikit-learn's

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # where it cannot tell them from logical ones
        return int(cpu_count(only_physical_cores=True))
