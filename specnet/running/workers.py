"""Tasks, each a run to compute, and the workers that compute them: this process, a pool of processes, or an executor.

A worker receives bytes and returns a `RunOutcome`; it writes no files. Every run has one thread for BLAS and compiled
functions, so that exact results do not depend on the number of cores or on their load.
"""

from __future__ import annotations

import os
import pickle
import threading
import time
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from itertools import chain, repeat
from pathlib import Path
from typing import Any, Generic, Self, TypeVar, cast

from specnet.compiler.thread_limits import limited_threads
from specnet.errors import DataError, SpecnetError, TrainingError
from specnet.extras import required
from specnet.files.large import Shared
from specnet.parts.blame import part_behind, part_error
from specnet.parts.data import Table
from specnet.parts.part import Part
from specnet.parts.registry import installed_registry
from specnet.processes import processes, signals_blocked
from specnet.running.data_rows import split_data
from specnet.running.training_run import BLAS, CPU_FEATURES, RunOutcome, machine_facts, train_run
from specnet.saved.saved_sweep import State
from specnet.spec import Limits, Spec, parse_spec
from specnet.spec.reading.source_document import Document
from specnet.training import Observer
from specnet.training.observer import Beginning, StopAfter

THREADS = 1
MACHINE = (BLAS, CPU_FEATURES)
"""The facts that must be equal on all machines for exactly equal results."""


@dataclass(frozen=True)
class Task:
    """A run to be computed.

    Attributes
    ----------
    data : mapping
        The document of its spec.
    sha256 : str
        The hash of the table of its rows.
    parts : tuple of part classes
        Custom parts. Built-in and installed parts are omitted, as every worker has them.
    limits : Limits or None
    rows : bool
        Whether the run stores hashes of its training rows.
    folder : Path or None
        The folder that relative paths of the document start from; None for the working directory.
    beginning : Beginning or None
        The part of the training to compute; None for the whole run.
    known : dict
        Cached results from the document, shared by tasks of the same run in this process; not sent to workers.
    """

    data: Mapping[str, Any]
    sha256: str
    parts: tuple[type[Part], ...] = ()
    limits: Limits | None = None
    rows: bool = field(default=True, kw_only=True)
    folder: Path | None = field(default=None, kw_only=True)
    beginning: Beginning | None = field(default=None, kw_only=True)
    known: dict[str, Any] = field(default_factory=dict, kw_only=True, repr=False, compare=False)

    @classmethod
    def of(cls, data: Mapping[str, Any], spec: Spec, sha256: str, **others: Any) -> Self:
        """Return the task of a document with the custom parts and the limits of a spec."""
        installed = set(installed_registry())
        custom = tuple(part for part in spec.registry if part not in installed)
        return cls(data, sha256, custom, spec.origin.limits, **others)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "known": {}}

    def spec(self, table: Table) -> Spec:
        """Return the run's spec.

        Raises
        ------
        SpecError
            If the document is invalid.
        DataError
            If its loss needs another kind of target than the table has.
        """
        if "spec" in self.known:
            return cast(Spec, self.known["spec"])
        spec = parse_spec(Document(self.data, folder=self.folder), parts=self.parts, limits=self.limits)
        if spec.target_kind != table.target:
            message = f"the loss needs {spec.target_kind} as the target, but the rows were read with {table.target}"
            raise DataError(spec.diagnostic("loss-target", message, ("training", "loss")))
        self.known["spec"] = spec
        return spec

    def observer(self) -> Observer:
        """Return the observer of the training, which stops it after `beginning`."""
        return Observer() if self.beginning is None else StopAfter(self.beginning)

    def computed(self, table: Table) -> RunOutcome:
        """Return the outcome of the run, with all of its files.

        Raises
        ------
        SpecnetError
            If the run fails.
        KeyboardInterrupt
        """
        begin, spec = time.perf_counter(), self.spec(table)
        data = split_data(spec, table)
        given: dict[str, Any] = {"begin": begin, "folder": spec.folder, "rows": self.rows}
        outcome, fitted = train_run(spec, data, data.identity(self.sha256), self.observer(), **given)
        fitted.check_whole()
        return replace(outcome, answers={})  # dropped: as large as the rows


def perform(task: Task, table: Table) -> RunOutcome:
    """Return the outcome of a task, computed in this process; an error is an outcome too.

    Raises
    ------
    KeyboardInterrupt
    """
    begin = time.perf_counter()
    with limited_threads(THREADS):
        try:
            outcome = task.computed(table)
        except SpecnetError as error:
            state: State = "diverged" if isinstance(error, TrainingError) else "refused"
            outcome = RunOutcome(state, message=error.diagnostics[0].message)
        except Exception as error:
            part = part_behind(error)
            if part is None:
                raise
            outcome = RunOutcome("refused", message=part_error(part, error).diagnostics[0].message)
    return replace(outcome, seconds=time.perf_counter() - begin, machine=this_machine())


@cache
def this_machine() -> dict[str, Any]:
    """Return the facts about this machine that must be equal on all machines for exactly equal results."""
    facts = machine_facts()
    return {name: facts[name] for name in MACHINE}


_tables: dict[str, Table] = {}
"""The last table that this process has received, by its hash."""


def work(content: bytes, rows: bytes | None) -> RunOutcome | None:
    """Perform a pickled task in a worker, and return its outcome, or None if the worker does not have its rows yet.

    Parameters
    ----------
    content : bytes
        The task.
    rows : bytes or None
        Its table; None if the worker may have it already.

    Raises
    ------
    DataError
        If the task has parts that this process cannot import.
    """
    try:
        task: Task = pickle.loads(content)
    except (AttributeError, ImportError) as error:
        raise cannot_be_sent(error) from error
    if rows is not None:
        keep_rows(task.sha256, pickle.loads(rows))
    table = _tables.get(task.sha256)
    return None if table is None else perform(task, table)


def begin_tasks(rows: Shared) -> None:
    """Prepare a worker process for tasks: cache the shared table under its hash."""
    keep_rows(*rows.value())


def keep_rows(sha256: str, table: Table) -> None:
    """Cache a table for further tasks in this process, replacing the previous one."""
    _tables.clear()
    _tables[sha256] = table


def cannot_be_sent(error: Exception) -> DataError:
    """Return the error for a task that cannot be pickled, or cannot be read by a worker."""
    hint = "use one job, or define custom parts at the top level of a module that workers can import"
    return DataError(f"the run cannot be sent to a worker: {error}", hint=hint)


Key = TypeVar("Key")

SECONDS_WORTH_WORKERS = 10.0
"""The estimated time of the remaining runs above which processes are started; each needs about a second to start."""
MIN_SECONDS_TO_WAIT = 1.0
"""The minimum time before processes are started during the first run, which is slower than the following runs."""
SECONDS_TO_ANSWER = 10
"""The maximum number of seconds to wait for a dask scheduler."""


class TaskGroup(Generic[Key]):
    """Tasks whose outcomes belong together, such as the runs of a trial.

    Parameters
    ----------
    key : object
        Key of the group, such as the number of a trial.
    tasks : iterable of Task

    Attributes
    ----------
    done : dict of int to RunOutcome
        The outcomes so far, by the index of the task.
    """

    def __init__(self, key: Key, tasks: Iterable[Task]) -> None:
        self.key, self.tasks = key, [*tasks]
        self.done: dict[int, RunOutcome] = {}

    @property
    def left(self) -> int:
        """The number of tasks without an outcome."""
        return len(self.tasks) - len(self.done)

    @property
    def outcomes(self) -> list[RunOutcome]:
        """The outcomes so far, in the order of the tasks."""
        return [self.done[index] for index in sorted(self.done)]

    def keep_first(self, count: int) -> None:
        """Remove all tasks except the first `count`, and their outcomes."""
        del self.tasks[count:]
        self.done = {index: outcome for index, outcome in self.done.items() if index < count}


Group = TypeVar("Group", bound=TaskGroup[Any])
_Entry = tuple[TaskGroup[Any], int]
"""A task, given by its group and its index in the group."""


class Workers(ExitStack):
    """Workers that compute a plan of tasks; a task has the same result in any process.

    The first tasks are computed in the calling process. Processes are started if the remaining tasks would take long,
    even while the first task is running.

    Parameters
    ----------
    table : Table
        The rows of all tasks.
    jobs : int, optional
        Number of processes. Default: the number of physical cores, and 1 on Windows.
    executor : Executor, optional
        Computes all tasks, instead of processes that are started here; it is not shut down.

    Attributes
    ----------
    jobs : int or None
        Number of processes; None if only the executor knows.
    """

    def __init__(self, table: Table, *, jobs: int | None, executor: Executor | None = None) -> None:
        super().__init__()
        self._table, self._executor = table, executor
        self.jobs = (jobs or _physical_cores()) if executor is None else None
        self._waiting: deque[_Entry] = deque()
        self._sent: dict[Future[RunOutcome | None], _Entry] = {}
        self._seconds, self._done = 0.0, 0

    def __enter__(self) -> Self:
        self.enter_context(limited_threads(THREADS))  # once, instead of for each task
        self.callback(self._cancel)
        return self

    def _cancel(self) -> None:
        for future in self._sent:
            future.cancel()

    def computed(
        self,
        plan: Iterable[Group | None],
        *,
        later: Callable[[], int] = lambda: 0,
        enough: Callable[[Group], bool] = lambda group: False,
    ) -> Iterator[Group]:
        """Compute a plan; yield each group as soon as all of its tasks have an outcome.

        Parameters
        ----------
        plan : iterable of TaskGroup or None
            Groups of tasks. The plan yields None to wait for more outcomes; yielded groups are processed before it
            continues.
        later : callable
            Returns about how many tasks the plan has not yielded yet, to decide whether to start processes.
        enough : callable
            Called for each group under way after new outcomes; returns whether it has removed tasks from the group.

        Raises
        ------
        DataError
            If a task cannot be sent to a worker.
        TrainingError
            If a worker was killed.
        KeyboardInterrupt
        """
        under_way: list[Group] = []
        for group in chain(plan, repeat(None)):
            if group is not None:
                under_way.append(group)
                self._submit(group)
                continue
            if not under_way:
                return
            self._advance(sum(each.left for each in under_way) + later())
            for each in under_way:
                if enough(each):
                    self._drop_left_out()
            for each in [each for each in under_way if not each.left]:
                under_way.remove(each)
                yield each

    def _submit(self, group: TaskGroup[Any]) -> None:
        for index in range(len(group.tasks)):
            if self._executor is None:
                self._waiting.append((group, index))
            else:
                self._send((group, index), rows=None)

    def _drop_left_out(self) -> None:
        """Cancel the tasks that were removed from their groups, unless a worker has begun them."""
        self._waiting = deque(each for each in self._waiting if not _is_left_out(each))
        for future in [future for future, each in self._sent.items() if _is_left_out(each)]:
            if future.cancel():
                del self._sent[future]

    def _advance(self, left: int) -> None:
        """Compute a task, or wait until a worker has computed one; `left` is the number of remaining tasks."""
        if self._executor is None and self.jobs != 1 and left * self._seconds > SECONDS_WORTH_WORKERS * self._done:
            self._start_processes(left)
        if self._executor is None:
            group, index = self._waiting.popleft()
            with self._others_if_it_takes_long(left):
                outcome = perform(group.tasks[index], self._table)
            self._seconds, self._done = self._seconds + outcome.seconds, self._done + 1
            group.done[index] = outcome
            return
        for future in wait(self._sent, return_when=FIRST_COMPLETED).done:
            self._take(future)

    def _start_processes(self, left: int) -> None:
        assert self.jobs is not None, "nobody else computes"
        rows = self._waiting[0][0].tasks[0].sha256, self._table
        self._executor = self.enter_context(processes(min(self.jobs, left), begin_tasks, rows))
        while self._waiting:
            self._send(self._waiting.popleft(), rows=None)

    @contextmanager
    def _others_if_it_takes_long(self, left: int) -> Iterator[None]:
        """Start processes for the waiting tasks if the task that this process computes takes long.

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

        timer = threading.Timer(max(MIN_SECONDS_TO_WAIT, SECONDS_WORTH_WORKERS / left), start)
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            _end(started)
        if not started.cancelled():
            started.result()

    def _take(self, future: Future[RunOutcome | None]) -> None:
        entry = group, index = self._sent.pop(future)
        with self._failures():
            outcome = future.result()
        if _is_left_out(entry):
            return
        if outcome is None:
            self._send(entry, rows=self._rows)
        else:
            group.done[index] = outcome

    def _send(self, entry: _Entry, *, rows: bytes | None) -> None:
        assert self._executor is not None, "there is somebody to send it to"
        group, index = entry
        try:
            content = pickle.dumps(group.tasks[index])
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            raise cannot_be_sent(error) from error
        with self._failures(), signals_blocked():  # submitting may start a process
            self._sent[self._executor.submit(work, content, rows)] = entry

    @contextmanager
    def _failures(self) -> Iterator[None]:
        """Turn errors of killed workers and failing executors into TrainingError."""
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
        """The pickled table, for workers of an executor that may be on other machines."""
        return pickle.dumps(self._table, protocol=pickle.HIGHEST_PROTOCOL)


def _is_left_out(entry: _Entry) -> bool:
    group, index = entry
    return index >= len(group.tasks)


@contextmanager
def dask_executor(address: str) -> Iterator[Executor]:
    """Yield the executor of a dask cluster, given the address of its scheduler.

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
    """Cancel a future or wait for its end if it has begun, even if Ctrl-C is pressed repeatedly.

    Joining the thread does not suffice: after a Ctrl-C, Python 3.11 regards a thread that is being joined as ended.
    """
    try:
        if not begun.cancel():
            begun.exception()
    except BaseException:
        _end(begun)
        raise


def _physical_cores() -> int:
    """Return the number of physical cores that this process may use; 1 where there cannot be several processes."""
    if os.name == "nt":
        return 1
    from joblib import cpu_count  # scikit-learn's

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns if it cannot distinguish physical from logical cores
        return int(cpu_count(only_physical_cores=True))
