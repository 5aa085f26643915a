"""The members of an ensemble: trained one after another, in processes, or several at once by one function in C."""

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
from specnet.processes import ProcessEnded, processes, tell
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
"""Saves a checkpoint of a member, given its number."""
RowsOfMember = Callable[[int], tuple[TrainingRows, Mapping[str, Monitor]]]
"""Takes the number of a member; returns the rows that it is trained on, and its monitors."""


@dataclass(frozen=True)
class EnsembleTraining:
    """An ensemble that is to be trained.

    Attributes
    ----------
    network : Network
        Of each member.
    starts : sequence of (theta, state)
        One for each member.
    rows_of : callable
        Returns the rows and the monitors of a member.
    choice : Choice
        The engine that trains them all.
    records : bool
        Whether the training of the first one is recorded.
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

        They can if the steps are compiled and no metric is monitored: metrics set filters of warnings, which belong to
        the whole process.
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
        """Train a member, as `train` does a network."""
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
"""The name of a method of observers, and its arguments."""
Tell = Callable[[Event | None], object]

_ensembles: list[EnsembleTraining] = []
"""In a process of a pool: the ensemble whose members it trains."""


class Pool(NamedTuple):
    """Threads or processes that train members, several at once.

    Attributes
    ----------
    train : callable
        Takes the number of a member, its checkpoint, and a function that is called with all its events but `trained`,
        and with None at its end. Members begin in the order of the calls.
    stop : callable
        Ends all members after their present step, and does not begin others.
    """

    train: Callable[[int, Checkpoint | None, Tell], Future[TrainingResult]]
    stop: Callable[[], object]


@contextmanager
def in_threads(
    ensemble: EnsembleTraining, first: int, jobs: int, keep: MemberKeeper, *, follows_log: bool
) -> Iterator[Pool]:
    """Return threads of this process, which train the members from `first` on and end with this context.

    If the jobs use all processors, the last members begin early and share them, so that no processor is idle while
    another one still has a whole member to train.
    """
    most = 2 * jobs - 1 if jobs >= usable_cpus() else jobs
    executor, stops = ThreadPoolExecutor(most), list[Interruptions]()
    changed, finished, is_over = threading.Condition(), set[int](), threading.Event()

    def trained(member: int, checkpoint: Checkpoint | None, notify: Tell, stop: Interruptions) -> TrainingResult:
        needed = min(member - first - jobs + 1, len(ensemble) - first - most)
        observer = Relay(lambda *event: notify(event), follows_log=follows_log)
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
            notify(None)

    def train(member: int, checkpoint: Checkpoint | None, notify: Tell) -> Future[TrainingResult]:
        stops.append(Interruptions())
        # Settings of this thread, such as how NumPy warns, apply to the others too.
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
    """Return processes that train members and end with this context.

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
                lambda member, checkpoint, notify: pool.submit(_train, member, checkpoint, follows_log, tell=notify),
                pool.stop,
            )
        except ProcessEnded as error:
            raise _ended(error) from error


def _begin(shared: Shared) -> None:
    """Prepare a process of a pool: with the ensemble, and the numbers of threads on which results depend."""
    from threadpoolctl import threadpool_limits

    try:
        ensemble, blas, limit = shared.value()
    except (AttributeError, ImportError) as error:
        raise _cannot_be_passed(error) from error
    threadpool_limits(blas)
    keep_limit(limit)
    _ensembles.append(ensemble)


def _train(member: int, checkpoint: Checkpoint | None, follows_log: bool) -> TrainingResult:
    """Train a member in a process of a pool, which has got the ensemble once."""
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


POLLING_SECONDS = 0.02
"""A signal does not end a wait for events."""


def trained_in_parallel(
    pool: AbstractContextManager[Pool],
    members: range,
    current: Checkpoint | None,
    *,
    observer: Observer,
    interruptions: Interruptions | None,
) -> Generator[TrainingResult, None, None]:
    """Train members of an ensemble, several at once, and yield their results.

    After an interruption the first interrupted one is the last. Errors, events and results come in the order of the
    members, whichever ends first: they are the same for any number of jobs.

    Parameters
    ----------
    pool : context manager
        Of the pool that trains them.
    members : range
        Their numbers.
    current : Checkpoint, optional
        That of the first one.
    observer : Observer
        Notified of everything but `trained`.
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
    """Members that a pool trains, with the observer that is notified, and the signals that may stop it."""

    def __init__(self, pool: Pool, observer: Observer, interruptions: Interruptions) -> None:
        self._pool, self._observer, self._interruptions = pool, observer, interruptions
        self._begun = deque[tuple[Future[TrainingResult], SimpleQueue[Event | None]]]()
        self._interruption: tuple[int, KeyboardInterrupt] | None = None

    def begin(self, member: int, checkpoint: Checkpoint | None) -> None:
        """Add a member to those that the pool trains."""
        events: SimpleQueue[Event | None] = SimpleQueue()
        self._begun.append((self._pool.train(member, checkpoint, events.put), events))

    def results(self) -> Generator[TrainingResult, None, None]:
        """Yield the results of the members, in their order, and pass on their events before each.

        Raises
        ------
        Exception
            That of the member.
        ProcessEnded
            As soon as one has.
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
                elif not self._begun:  # it came too late
                    self._interruptions.request(number)
            yield result

    def _next(self, events: SimpleQueue[Event | None]) -> Event | None:
        """Return the next event; meanwhile handle signals and failures."""
        while True:
            self._stop_if_interrupted()
            self._stop_if_failed()
            with suppress(Empty):
                return events.get(timeout=POLLING_SECONDS)

    def _pass_on(self, name: str, arguments: tuple[Any, ...]) -> None:
        try:
            getattr(self._observer, name)(*arguments)
        except KeyboardInterrupt:
            if self._interruption is not None or self._interruptions.pending is not None:  # the second one
                raise
            self._interruptions.request()

    def _stop_if_interrupted(self) -> None:
        """End all members after their present step if a signal has come; from here on another one ends them at once."""
        number = self._interruptions.pending
        if number is not None and self._interruption is None:
            try:
                self._interruptions.deliver()
            except KeyboardInterrupt as error:
                self._interruption = number, error
                self._pool.stop()

    def _stop_if_failed(self) -> None:
        """Cancel the members after one that has failed; those before it still count, unless a process has ended."""
        futures = iter([future for future, _ in self._begun])
        for future in futures:
            if future.done() and not future.cancelled() and (error := future.exception()):
                for later in futures:
                    later.cancel()
                if isinstance(error, ProcessEnded):
                    raise error


CROSS_FITTED = "cross_fitted"
"""In the names of a finished member's tensors."""


def joined_result(members: Sequence[TrainingResult]) -> TrainingResult:
    """Return the results of `train_members` as one.

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
    """Train the members of an ensemble, as `train` does each.

    Returns their results; after an interruption those of the finished ones and of the first that is not.

    Parameters
    ----------
    network : Network
        Of each member.
    starts : sequence of (theta, state)
        One for each member.
    rows_of : callable
    jobs : int, optional
        How many are trained at once: by threads if they are compiled, else each in a process of its own; the result is
        the same, bit for bit. Default: as many as `members_worth` finds by threads, one of the others.
    cores : int, optional
        How many are trained at once by default, at most; default: as many as work may have threads.
    observer, keep_checkpoint, checkpoint, interruptions
        As for `train`; with `checkpoint_every`, a checkpoint is also saved after each member, and with processes only
        then.
    records : bool
        Record the training of the first member, as `train` does.
    """
    # One engine for all, although folds differ in their numbers of rows; a resumed run keeps its engine.
    begun = None if checkpoint is None else checkpoint.facts["engine"]
    choice = choose(network, len(rows_of(0)[0]), network.spec.training.epochs, begun)
    ensemble = EnsembleTraining(network, starts, rows_of, choice, records)
    members = [] if checkpoint is None else finished_members(checkpoint, network)
    current = None if checkpoint is None else current_member(checkpoint)
    keeping = RLock()

    def keep(member: int, reached: Checkpoint) -> None:
        with keeping:  # a run resumes in the first member that is not finished
            if keep_checkpoint is not None and member == len(members):
                keep_checkpoint(within_member(members, reached))

    def add(result: TrainingResult) -> None:
        following = before_member(network.spec, result.engine.engine)
        with keeping:  # what the next member keeps comes later
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
                next(results, None)  # an interruption that came too late for a member is delivered
                return [*members, result]
            add(result)
    raise AssertionError("a checkpoint is never of all members")


def _default_jobs(ensemble: EnsembleTraining, observer: Observer, cores: int | None) -> int:
    """Return how many members are trained at once by default."""
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
    """Train a single member of an ensemble, with the bits that `train_members` gives it."""
    choice = choose(network, len(rows_of(0)[0]), network.spec.training.epochs, None)
    ensemble = EnsembleTraining(network, starts, rows_of, choice)
    result = ensemble.train(member, observer, None, interruptions)
    return replace(result, reached=before_member(network.spec, result.engine.engine))


def finished_members(checkpoint: Checkpoint, network: Network) -> list[TrainingResult]:
    """Return the results of the finished members in a checkpoint.

    Raises
    ------
    FileError
        If they are not of this network.
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
    """Return the checkpoint of the first member that is not finished; None if it had not begun."""
    if not checkpoint.facts["steps"]:
        return None
    number = len(checkpoint.facts.get(FINISHED, []))
    return replace(checkpoint, history=history_of(checkpoint.history, number))


def before_member(spec: Spec, engine: str) -> Checkpoint:
    """Return the checkpoint of a member that has not begun, after others that an engine has trained."""
    numbers = {"epochs": 0, "steps": 0, "updates": 0, "so_far": [0, 0.0, 0.0], "measured": None, "seconds": 0.0}
    facts = {"engine": engine, **numbers}
    return Checkpoint({}, facts | {"watchers": Watchers(spec).as_dict()}, [])


def within_member(finished: Sequence[TrainingResult], reached: Checkpoint) -> Checkpoint:
    """Return a checkpoint from which a member resumes, given its own, with all members before it."""
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
