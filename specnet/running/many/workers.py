"""Who computes many runs: the calling process, processes of its own, or any executor of `concurrent.futures`."""

from __future__ import annotations

import os
import pickle
import signal
import threading
import warnings
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, ProcessPoolExecutor, wait
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, suppress
from functools import cached_property
from multiprocessing import get_context
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any, Self, TypeVar

from specnet.compiler.thread_limits import limited_threads
from specnet.errors import SpecnetError, TrainingError
from specnet.extras import required
from specnet.files.shared import Shared
from specnet.parts.data import Table
from specnet.running.many.run_tasks import THREADS, Outcome, RowsNeeded, Task, cannot_be_sent, keep_rows, perform, work
from specnet.training.members.member_worker import SIGNALS
from specnet.training.members.side_by_side import signals_blocked

Key = TypeVar("Key", bound=Hashable)

SECONDS_WORTH_WORKERS = 10.0
"""Seconds of runs that are left from which on processes are started: each takes about one until it is ready."""
LEAST_SECONDS_TO_WAIT = 1.0
"""How long the first run goes on alone at least: it may take long only because everything is new."""
SECONDS_TO_ANSWER = 10
"""How long a scheduler of dask is waited for."""
SECONDS_TO_SEND = 2.0
"""How long a worker that has to end may go on sending a result: the pool would wait for the rest of it forever."""
_between_tasks = threading.Lock()
"""Held in a worker that does not compute: it may be sending a result."""


class Workers(AbstractContextManager["Workers"]):
    """Computes tasks, each with the same result wherever it is computed.

    The first tasks are computed in the calling process; processes are started when it is worth it, also while the first
    one is computed.

    Parameters
    ----------
    table : Table
        The rows of all tasks.
    jobs : int
        Number of processes.
    executor : Executor, optional
        Computes all of them, in place of processes of its own; it is not shut down.

    Attributes
    ----------
    jobs : int or None
        Number of processes; None if only the executor knows.
    """

    def __init__(self, table: Table, *, jobs: int, executor: Executor | None = None) -> None:
        self._table, self._jobs, self._executor = table, jobs, executor
        self.jobs = jobs if executor is None else None
        self._is_own = executor is None
        self._waiting: deque[tuple[Task, Future[Outcome]]] = deque()
        self._sent: dict[Future[Outcome | RowsNeeded], tuple[Task, Future[Outcome]]] = {}
        self._seconds = 0.0
        self._done = 0
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self._stack.enter_context(limited_threads(THREADS))  # once, and not anew for each task
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for future in self._sent:
            future.cancel()
        self._stack.__exit__(kind, error, trace)

    def submit(self, task: Task) -> Future[Outcome]:
        """Take a task; `advance` computes it, or looks who has."""
        answer: Future[Outcome] = Future()
        if self._executor is None:
            self._waiting.append((task, answer))
        else:
            self._send(task, answer, rows=None)
        return answer

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
        if self._executor is None and self._jobs > 1 and left * self._mean > SECONDS_WORTH_WORKERS:
            self._start_processes()
        if self._executor is None:
            task, answer = self._waiting.popleft()
            with self._others_if_it_takes_long(left):
                outcome = perform(task, self._table)
            self._seconds, self._done = self._seconds + outcome.seconds, self._done + 1
            answer.set_result(outcome)
            return
        for future in wait(self._sent, return_when=FIRST_COMPLETED).done:
            self._take(future)

    @property
    def _mean(self) -> float:
        return self._seconds / self._done if self._done else 0.0

    def _start_processes(self) -> None:
        rows = self._stack.enter_context(closing(Shared.of((self._waiting[0][0].common.sha256, self._table))))
        self._executor = self._stack.enter_context(_processes(self._jobs, rows))
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
        if self._jobs == 1 or not self._waiting:
            yield
            return
        started = Future[None]()

        def start() -> None:
            try:
                self._start_processes()
                started.set_result(None)
            except Exception as error:
                started.set_exception(error)

        timer = threading.Timer(max(LEAST_SECONDS_TO_WAIT, SECONDS_WORTH_WORKERS / left), start)
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            timer.join()
        if started.done():
            started.result()

    def _take(self, future: Future[Outcome | RowsNeeded]) -> None:
        task, answer = self._sent.pop(future)
        with self._failures():
            outcome = future.result()
        if isinstance(outcome, RowsNeeded):
            self._send(task, answer, rows=self._rows)
        else:
            answer.set_result(outcome)

    def _send(self, task: Task, answer: Future[Outcome], *, rows: bytes | None) -> None:
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
            if self._is_own:
                raise
            message = f"a worker failed: {type(error).__name__}: {error}"
            raise TrainingError(message, hint="go on with --resume (or resume=True)") from error

    @cached_property
    def _rows(self) -> bytes:
        """The table for executors whose workers may be anywhere."""
        return pickle.dumps(self._table, protocol=pickle.HIGHEST_PROTOCOL)


class _Processes(ProcessPoolExecutor):
    """Processes that `_begin_worker` begins."""

    def submit(self, function: Callable[..., Any], /, *arguments: Any, **named: Any) -> Future[Any]:
        return super().submit(_computed, function, *arguments, **named)


@contextmanager
def _processes(count: int, rows: Shared) -> Iterator[Executor]:
    """Give processes that have a table and its hash; all end with this context or this process, however it ends."""
    context = get_context("spawn")
    theirs, ours = context.Pipe(duplex=False)
    with theirs, ours:
        with signals_blocked():  # its locks have a process that looks after them
            pool = _Processes(count, context, initializer=_begin_worker, initargs=(theirs, rows))
        try:
            yield pool
        except BaseException:
            ours.close()
            raise
        finally:
            pool.shutdown(cancel_futures=True)


def _begin_worker(link: Connection, rows: Shared) -> None:
    """Leave signals to the process that has started this one, and end when its end of a link is closed."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    _between_tasks.acquire()
    threading.Thread(target=_end_with, args=(link,), daemon=True).start()
    keep_rows(*rows.value())


def _end_with(link: Connection) -> None:
    with suppress(EOFError, OSError):
        link.recv_bytes()
    _between_tasks.acquire(timeout=SECONDS_TO_SEND)
    os._exit(1)


def _computed(function: Callable[..., Any], /, *arguments: Any, **named: Any) -> Any:
    """Call a function in a worker, which may end meanwhile."""
    _between_tasks.release()
    try:
        return function(*arguments, **named)
    finally:
        _between_tasks.acquire()


def ended(workers: Workers, tasks: Mapping[Key, Iterable[Task]]) -> Iterator[tuple[Key, list[Outcome]]]:
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


def physical_cores() -> int:
    """Return the number of physical cores that this process may use."""
    from joblib import cpu_count  # scikit-learn's

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # where it cannot tell them from logical ones
        return int(cpu_count(only_physical_cores=True))
