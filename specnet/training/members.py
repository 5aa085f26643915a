"""Training of ensemble members: one after another, or in parallel by processes or threads."""

from __future__ import annotations

import pickle
import signal
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, suppress
from contextvars import copy_context
from dataclasses import dataclass, replace
from functools import partial
from queue import Empty, SimpleQueue
from threading import RLock
from typing import Any, NamedTuple

import numpy as np

from specnet.compiler.thread_limits import keep_limit, share_threads, thread_limit
from specnet.cpus import usable_cpus
from specnet.errors import DataError, TrainingError
from specnet.files.interruptions import Interruptions
from specnet.files.large import Shared
from specnet.network import Network
from specnet.parts.arrays import Array
from specnet.processes import ProcessEnded, processes, send_event
from specnet.processes import interruptions as requested
from specnet.spec import Spec
from specnet.training.after_epoch import Keeper, Watchers
from specnet.training.checkpoint import FINISHED, Checkpoint, TrainingRecord, history_of
from specnet.training.epoch_metrics import Monitor
from specnet.training.loop import TrainingResult, train
from specnet.training.observer import Observer, Relay
from specnet.training.steps.engine_choice import BEGUN, Choice, choose, members_worth
from specnet.training.training_rows import TrainingRows

Start = tuple[Array, Mapping[str, Array] | None]
"""Parameters and layer states to start from."""
MemberKeeper = Callable[[int, Checkpoint], None]
"""Function that takes the number of a member and its checkpoint, and saves the checkpoint."""
RowsOfMember = Callable[[int], tuple[TrainingRows, Mapping[str, Monitor]]]
"""Function that takes the number of a member and returns its training rows and its monitors."""


@dataclass(frozen=True)
class EnsembleTraining:
    """An ensemble to train.

    Attributes
    ----------
    network : Network
        The network of each member.
    starts : sequence of (theta, state)
        Initial parameters and layer states of each member.
    rows_of : callable
        Takes the number of a member; returns its training rows and its monitors.
    choice : Choice
        The engine that trains all members.
    records : bool
        Whether the layers of the first member are recorded during training.
    """

    network: Network
    starts: Sequence[Start]
    rows_of: RowsOfMember
    choice: Choice
    records: bool = False

    def __len__(self) -> int:
        return len(self.starts)

    @property
    def is_for_threads(self) -> bool:
        """Whether threads of one process can train members at the same time.

        True if the steps are compiled and no metric is monitored: metrics set warning filters, which apply to the
        whole process.
        """
        spec = self.network.spec
        is_bare = all(spec.monitored_metric(who.monitor) is None for _, who in spec.training.watchers())
        return is_bare and self.choice.engine == "compiled"

    def train(
        self,
        member: int,
        observer: Observer,
        checkpoint: Checkpoint | None,
        interruptions: Interruptions | None,
        keep: MemberKeeper | None = None,
    ) -> TrainingResult:
        """Train one member with `specnet.training.train`, and return its result."""
        observer.member_started(member, len(self))
        theta, state = self.starts[member]
        rows, monitors = self.rows_of(member)
        return train(
            self.network,
            theta,
            rows,
            monitors=monitors,
            observer=observer,
            keep_checkpoint=keep and partial(keep, member),
            checkpoint=checkpoint,
            state=state,
            interruptions=interruptions,
            member=member,
            choice=self.choice,
            records=self.records and not member,
        )


Event = tuple[str, tuple[Any, ...]]
"""The name of an observer's method, and its arguments."""
Notify = Callable[[Event | None], object]

_ensembles: list[EnsembleTraining] = []
"""In a worker process: the ensemble whose members it trains, as the only element."""


class Pool(NamedTuple):
    """Threads or processes that train several members in parallel.

    Attributes
    ----------
    train : callable
        Takes the number of a member, its checkpoint, and a function that is called with each event of the member
        except `trained`, and with None at the end. Members begin in the order of the calls.
    stop : callable
        Ends all members after their current step, and begins no further ones.
    """

    train: Callable[[int, Checkpoint | None, Notify], Future[TrainingResult]]
    stop: Callable[[], object]


@contextmanager
def in_threads(
    ensemble: EnsembleTraining, first: int, jobs: int, keep: MemberKeeper, *, follows_log: bool
) -> Iterator[Pool]:
    """Yield a pool of threads of this process that train the members from `first` on; they end with this context.

    If `jobs` is at least the number of processors, the last members begin early and share the processors, so that no
    processor is idle while another one still has a whole member to train.
    """
    most = 2 * jobs - 1 if jobs >= usable_cpus() else jobs
    executor, stops = ThreadPoolExecutor(most), list[Interruptions]()
    changed, finished, is_over = threading.Condition(), set[int](), threading.Event()

    def trained(member: int, checkpoint: Checkpoint | None, notify: Notify, stop: Interruptions) -> TrainingResult:
        needed = min(member - first - jobs + 1, len(ensemble) - first - most)
        observer = Relay(lambda *event: notify(event), follows_log=follows_log)
        share_threads(jobs)
        try:
            with changed:
                changed.wait_for(lambda: len(finished) >= needed or is_over.is_set())
            if is_over.is_set():
                raise CancelledError
            result = ensemble.train(member, observer, checkpoint, stop, keep)
            if result.interruption is None:  # no member begins after an interrupted one
                with changed:
                    finished.add(member)
                    changed.notify_all()
            return result
        finally:
            notify(None)

    def train(member: int, checkpoint: Checkpoint | None, notify: Notify) -> Future[TrainingResult]:
        stops.append(Interruptions())
        # Settings of this thread, such as NumPy's error handling, apply to the pool's threads too.
        return executor.submit(copy_context().run, trained, member, checkpoint, notify, stops[-1])

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
    """Yield a pool of processes that train members; they end with this context.

    Raises
    ------
    DataError
        If the ensemble cannot be passed to another process.
    TrainingError
        If a process ends unexpectedly.
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
                lambda member, checkpoint, notify: pool.submit(_train, member, checkpoint, follows_log, notify=notify),
                pool.stop,
            )
        except ProcessEnded as error:
            raise _ended(error) from error


def _begin(shared: Shared) -> None:
    """Prepare a worker process: set the ensemble, and the thread limits on which results depend."""
    from threadpoolctl import threadpool_limits

    try:
        ensemble, blas, limit = shared.value()
    except (AttributeError, ImportError) as error:
        raise _cannot_be_passed(error) from error
    threadpool_limits(blas)
    keep_limit(limit)
    _ensembles.append(ensemble)


def _train(member: int, checkpoint: Checkpoint | None, follows_log: bool) -> TrainingResult:
    """Train a member of the ensemble that `_begin` has set in this worker process, and return its result."""
    return _ensembles[0].train(member, Relay(send_event, follows_log=follows_log), checkpoint, requested)


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


POLLING_SECONDS = 0.02
"""Seconds between checks for signals while waiting for events, since a signal does not end the wait."""


def trained_in_parallel(
    pool: AbstractContextManager[Pool],
    members: range,
    current: Checkpoint | None,
    *,
    observer: Observer,
    interruptions: Interruptions | None,
) -> Generator[TrainingResult, None, None]:
    """Train members of an ensemble in parallel, and yield their results in order.

    After an interruption, the result of the first interrupted member is the last. Errors and events also come in the
    order of the members, even if a later member ends first: they are the same for any number of jobs.

    Parameters
    ----------
    pool : context manager
        Context of the pool that trains the members.
    members : range
        Numbers of the members.
    current : Checkpoint, optional
        Checkpoint of the first member.
    observer : Observer
        Notified of all events except `trained`.
    interruptions : Interruptions, optional
        Handler of signals, as for `train`.

    Raises
    ------
    TrainingError
        If `train` or the pool raises it.
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
    """The members that a pool trains, with the observer of their events and the signals that stop them."""

    def __init__(self, pool: Pool, observer: Observer, interruptions: Interruptions) -> None:
        self._pool, self._observer, self._interruptions = pool, observer, interruptions
        self._begun = deque[tuple[Future[TrainingResult], SimpleQueue[Event | None]]]()
        self._interruption: tuple[int, KeyboardInterrupt] | None = None

    def begin(self, member: int, checkpoint: Checkpoint | None) -> None:
        """Submit a member to the pool."""
        events: SimpleQueue[Event | None] = SimpleQueue()
        self._begun.append((self._pool.train(member, checkpoint, events.put), events))

    def results(self) -> Generator[TrainingResult, None, None]:
        """Yield the results of the members in order; the observer is notified of a member's events before its result.

        Raises
        ------
        Exception
            If a member has failed: its error.
        ProcessEnded
            As soon as a process has ended unexpectedly.
        """
        while self._begun:
            future, events = self._begun[0]
            while (event := self._next(events)) is not None:
                self._pass_on(*event)
            result = future.result()
            self._begun.popleft()  # its states are no longer needed
            if self._interruption is not None:
                number, error = self._interruption
                if result.interruption is not None:
                    result = replace(result, interruption=error)
                elif not self._begun:  # the signal came too late to interrupt a member
                    self._interruptions.request(number)
            yield result

    def _next(self, events: SimpleQueue[Event | None]) -> Event | None:
        """Wait for the next event and return it; meanwhile handle signals and failures."""
        while True:
            self._stop_if_interrupted()
            self._stop_if_failed()
            with suppress(Empty):
                return events.get(timeout=POLLING_SECONDS)

    def _pass_on(self, name: str, arguments: tuple[Any, ...]) -> None:
        try:
            getattr(self._observer, name)(*arguments)
        except KeyboardInterrupt:
            if self._interruption is not None or self._interruptions.pending is not None:  # the second interruption
                raise
            self._interruptions.request()

    def _stop_if_interrupted(self) -> None:
        """End all members after their current step if a signal has arrived; a second signal then ends them at once."""
        number = self._interruptions.pending
        if number is not None and self._interruption is None:
            try:
                self._interruptions.deliver()
            except KeyboardInterrupt as error:
                self._interruption = number, error
                self._pool.stop()

    def _stop_if_failed(self) -> None:
        """Cancel the members after one that has failed; raise the error at once only if a process has ended."""
        futures = iter([future for future, _ in self._begun])
        for future in futures:
            if future.done() and not future.cancelled() and (error := future.exception()):
                for later in futures:
                    later.cancel()
                if isinstance(error, ProcessEnded):
                    raise error


CROSS_FITTED = "cross_fitted"
"""Part of the name of a finished member's tensor of cross-fitted outputs."""


def joined_result(members: Sequence[TrainingResult]) -> TrainingResult:
    """Return the results of all members as a single result of the ensemble.

    Numbers of epochs, steps and seconds are sums. Parameters and layer states have the members as their first axis.
    """
    last = members[-1]
    ends = [member.end for member in members]
    end = ends[0] if len(set(ends)) == 1 else "; ".join(f"member {number}: {end}" for number, end in enumerate(ends))
    if last.interruption is not None:
        end = f"{last.end} of member {len(members) - 1}"
    return TrainingResult(
        np.stack([member.theta for member in members]),
        {name: np.stack([member.state[name] for member in members]) for name in last.state},
        [record for member in members for record in member.history],
        sum(member.epochs for member in members),
        sum(member.steps for member in members),
        sum(member.seconds for member in members),
        end,
        members[0].record,
        last.engine,
        last.interruption,
        within_member(members[:-1], last.reached),
    )


def train_members(
    network: Network,
    starts: Sequence[Start],
    rows_of: RowsOfMember,
    *,
    jobs: int | None = None,
    cores: int | None = None,
    observer: Observer,
    keep_checkpoint: Keeper | None = None,
    checkpoint: Checkpoint | None = None,
    interruptions: Interruptions | None = None,
    records: bool = False,
) -> list[TrainingResult]:
    """Train the members of an ensemble, each with `train`, and return their results.

    After an interruption, these are the results of the finished members and of the first unfinished one.

    Parameters
    ----------
    network : Network
        The network of each member.
    starts : sequence of (theta, state)
        Initial parameters and layer states of each member.
    rows_of : callable
        Takes the number of a member; returns its training rows and its monitors.
    jobs : int, optional
        Number of members to train in parallel: by threads if `EnsembleTraining.is_for_threads`, else by processes. The
        result is the same, bit for bit. Default: the result of `members_worth` for threads, otherwise 1.
    cores : int, optional
        Maximum for the default of `jobs`; default: the number of available threads.
    observer, keep_checkpoint, checkpoint, interruptions
        As for `train`; with `checkpoint_every`, a checkpoint is also saved after each member; with processes, only
        after each member.
    records : bool
        Record the layers of the first member at some epochs, as `train` does.
    """
    # One engine for all members, although folds differ in their numbers of rows; a resumed run has the same engine.
    begun = None if checkpoint is None else checkpoint.facts["engine"]
    choice = choose(network, len(rows_of(0)[0]), network.spec.training.epochs, begun)
    ensemble = EnsembleTraining(network, starts, rows_of, choice, records)
    members = [] if checkpoint is None else finished_members(checkpoint, network)
    current = None if checkpoint is None else current_member(checkpoint)
    keeping = RLock()

    def keep(member: int, reached: Checkpoint) -> None:
        with keeping:  # a run resumes in the first unfinished member, so only its checkpoints are saved
            if keep_checkpoint is not None and member == len(members):
                keep_checkpoint(within_member(members, reached))

    def add(result: TrainingResult) -> None:
        following = before_member(network.spec, result.engine.engine)
        with keeping:  # checkpoints of the next member are saved after this one
            members.append(replace(result, reached=following))
            if network.spec.training.checkpoint_every is not None:
                keep(len(members), following)

    first, follows_log = len(members), observer.follows_log
    jobs = min(_default_jobs(ensemble, observer, cores) if jobs is None else jobs, len(starts) - first)
    numbers = range(first, len(starts))
    if jobs == 1:
        results = (
            ensemble.train(member, observer, current if member == first else None, interruptions, keep)
            for member in numbers
        )
    else:
        pool = (
            in_threads(ensemble, first, jobs, keep, follows_log=follows_log)
            if ensemble.is_for_threads
            else in_processes(ensemble, jobs, follows_log=follows_log)
        )
        results = trained_in_parallel(pool, numbers, current, observer=observer, interruptions=interruptions)
    with closing(results):
        for result in results:
            if result.interruption is not None:
                return [*members, result]
            if len(members) + 1 == len(starts):
                next(results, None)  # delivers an interruption that came too late for a member
                return [*members, result]
            add(result)
    raise AssertionError("a checkpoint is never of all members")


def _default_jobs(ensemble: EnsembleTraining, observer: Observer, cores: int | None) -> int:
    """Return the default number of members to train in parallel."""
    if observer.takes_snapshots or not ensemble.is_for_threads:
        return 1
    return members_worth(ensemble.network, ensemble.rows_of(0)[0], cores)


def train_member(
    member: int,
    network: Network,
    starts: Sequence[Start],
    rows_of: RowsOfMember,
    *,
    observer: Observer,
    interruptions: Interruptions | None = None,
) -> TrainingResult:
    """Train a single member of an ensemble; its result is the same, bit for bit, as by `train_members`."""
    choice = choose(network, len(rows_of(0)[0]), network.spec.training.epochs, None)
    ensemble = EnsembleTraining(network, starts, rows_of, choice)
    result = ensemble.train(member, observer, None, interruptions)
    return replace(result, reached=before_member(network.spec, result.engine.engine))


def finished_members(checkpoint: Checkpoint, network: Network) -> list[TrainingResult]:
    """Return the results of the finished members in a checkpoint.

    Raises
    ------
    FileError
        If their arrays do not fit the network.
    """
    found = []
    rest: dict[str, Any] = {
        "engine": Choice(checkpoint.facts["engine"], BEGUN),
        "interruption": None,
        "reached": checkpoint,
    }
    for number, facts in enumerate(checkpoint.facts.get(FINISHED, [])):
        theta, state = np.zeros(network.parameter_count, network.dtype), network.initial_state()
        checkpoint.restore(_tensors(number, theta, state))
        cross_fitted = checkpoint.tensors.get(f"{FINISHED}.{number}.{CROSS_FITTED}")
        record = TrainingRecord() if number else checkpoint.record
        history = history_of(checkpoint.history, number)
        found.append(TrainingResult(theta, state, history, **facts, **rest, record=record, cross_fitted=cross_fitted))
    return found


def current_member(checkpoint: Checkpoint) -> Checkpoint | None:
    """Return the checkpoint of the first unfinished member; None if it has not begun."""
    if not checkpoint.facts["steps"]:
        return None
    number = len(checkpoint.facts.get(FINISHED, []))
    return replace(checkpoint, history=history_of(checkpoint.history, number))


def before_member(spec: Spec, engine: str) -> Checkpoint:
    """Return the checkpoint of a member that has not begun, given the engine of the ensemble."""
    numbers = {"epochs": 0, "steps": 0, "updates": 0, "so_far": [0, 0.0, 0.0], "measured": None, "seconds": 0.0}
    facts = {"engine": engine, **numbers}
    return Checkpoint({}, facts | {"watchers": Watchers(spec).as_dict()}, [])


def within_member(finished: Sequence[TrainingResult], reached: Checkpoint) -> Checkpoint:
    """Return a checkpoint of an ensemble, given its finished members and the checkpoint of the current member."""
    tensors: dict[str, Array] = {}
    for number, member in enumerate(finished):
        tensors |= _tensors(number, member.theta, member.state)
        if member.cross_fitted is not None:
            tensors[f"{FINISHED}.{number}.{CROSS_FITTED}"] = member.cross_fitted
    facts_of = [{name: getattr(each, name) for name in ("epochs", "steps", "seconds", "end")} for each in finished]
    records = [record for member in finished for record in member.history]
    facts = {**reached.facts, FINISHED: facts_of} if facts_of else reached.facts
    record = finished[0].record if finished else reached.record
    return Checkpoint({**tensors, **reached.tensors}, facts, [*records, *reached.history], record=record)


def _tensors(number: int, theta: Array, state: Mapping[str, Array]) -> dict[str, Array]:
    """Return the arrays of a finished member by their names in checkpoints."""
    prefix = f"{FINISHED}.{number}"
    return {f"{prefix}.theta": theta, **{f"{prefix}.state.{name}": array for name, array in state.items()}}
