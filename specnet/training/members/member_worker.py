"""A process that trains members of an ensemble for the one that started it.

The link between them is all that it has: orders and results go that way, and the process ends when the link does.
"""

from __future__ import annotations

import os
import pickle
import signal
import threading
import traceback
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from queue import SimpleQueue
from typing import Any

from specnet.compiler.thread_limits import keep_limit
from specnet.errors import DataError
from specnet.files.shared import Shared
from specnet.training.checkpoint import Checkpoint
from specnet.training.interruptions import TERMINATING, Interruptions
from specnet.training.members.ensemble_training import Ensemble
from specnet.training.observer import Observer

STOP = b""
"""The order to end the member that is being trained after its step, or the next one."""
SIGNALS = (signal.SIGINT, *TERMINATING)
"""What only the process that started the others handles."""


@dataclass(frozen=True)
class Assignment:
    """What a worker is given first.

    Attributes
    ----------
    ensemble : Ensemble
    blas : list of dict
        The BLAS libraries with their numbers of threads, as threadpoolctl tells them: results depend on these.
    limit : int or None
        The number of threads that compiled functions may have.
    """

    ensemble: Ensemble
    blas: list[dict[str, Any]]
    limit: int | None


@dataclass(frozen=True)
class Order:
    """A member to train, from a checkpoint on if there is one."""

    member: int
    checkpoint: Checkpoint | None


@dataclass(frozen=True)
class Event:
    """What an observer is to be told: the name of its method, and the arguments."""

    name: str
    arguments: tuple[Any, ...]


@dataclass(frozen=True)
class Failure:
    """The error that ended the training of a member, and where it was raised, in words."""

    error: Exception
    trace: str


class WorkerError(Exception):
    """The cause of an error from another process: its traceback there, in words."""


class Sender(Observer):
    """Sends all events over a link, but for `trained`: a network is not sent after each epoch."""

    def __init__(self, link: Connection) -> None:
        self._link = link

    def member_started(self, member: int, members: int) -> None:
        self._send("member_started", member, members)

    def resumed(self, epochs: int, seconds: float) -> None:
        self._send("resumed", epochs, seconds)

    def engine_chosen(self, engine: str, reason: str) -> None:
        self._send("engine_chosen", engine, reason)

    def logged(self, epoch: int, record: Mapping[str, Any]) -> None:
        self._send("logged", epoch, record)

    def ended(self, epochs: int, steps: int, seconds: float, end: str) -> None:
        self._send("ended", epochs, steps, seconds, end)

    def _send(self, name: str, *arguments: Any) -> None:
        self._link.send(Event(name, arguments))


def work(link: Connection, assignment: Shared) -> None:
    """Train the members of an `Assignment` that are ordered over a link by an `Order` each, pickled.

    It sends an `Event` for whatever an observer is told, and the `TrainingResult` of each; a `Failure` is the last.
    """
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    orders: SimpleQueue[bytes] = SimpleQueue()
    interruptions = Interruptions()
    threading.Thread(target=_listen, args=(link, orders, interruptions), daemon=True).start()
    try:
        _train_all(link, assignment, orders, interruptions)
    except Exception as error:
        with suppress(OSError):  # nobody is left to tell
            link.send(_failure(error))


def _listen(link: Connection, orders: SimpleQueue[bytes], interruptions: Interruptions) -> None:
    """Take orders while others are carried out; end the process with the link, however it ends."""
    try:
        while True:
            content = link.recv_bytes()
            if content == STOP:
                interruptions.request()
            else:
                orders.put(content)
    finally:
        os._exit(1)


def _train_all(link: Connection, shared: Shared, orders: SimpleQueue[bytes], interruptions: Interruptions) -> None:
    from threadpoolctl import threadpool_limits

    assignment = _loaded(shared)
    threadpool_limits(assignment.blas)
    keep_limit(assignment.limit)
    observer = Sender(link)
    while True:
        order: Order = pickle.loads(orders.get())
        link.send(assignment.ensemble.train(order.member, observer, order.checkpoint, interruptions))


def _loaded(shared: Shared) -> Assignment:
    try:
        assignment: Assignment = shared.value()
    except (AttributeError, ImportError) as error:
        raise cannot_be_passed(error) from error
    return assignment


def cannot_be_passed(error: Exception) -> DataError:
    """Return the error for what cannot be pickled, or cannot be read by another process."""
    hint = "use jobs=1, or define custom parts at the top level of a module that can be imported"
    return DataError(f"with jobs, the network cannot be passed to another process: {error}", hint=hint)


def _failure(error: Exception) -> Failure:
    """Return what tells of an error in another process."""
    trace = "".join(traceback.format_exception(error))
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:  # it is of a custom part
        error = RuntimeError(f"{type(error).__name__}: {error}")
    return Failure(error, trace)
