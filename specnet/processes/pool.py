"""Processes that compute what they are told to, for the one that started them.

Each has a link to a thread of that one: orders go one way, events and answers the other. It ends when its link does.
"""

from __future__ import annotations

import os
import pickle
import signal
import threading
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Future, ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from multiprocessing.resource_tracker import ensure_running
from queue import SimpleQueue
from typing import Any

from specnet.files.interruptions import SIGNALS, Interruptions
from specnet.files.large import Shared

Tell = Callable[[Any], object]
Begin = Callable[[Shared], object]

interruptions = Interruptions()
"""In a process of a pool: what `Processes.stop` requests."""
_links: list[Connection] = []
"""In a process of a pool: the link to the one that started it."""


class ProcessEnded(BrokenExecutor):
    """A process has ended before its answer; `exit_code` is negative if a signal killed it."""

    def __init__(self, exit_code: int) -> None:
        super().__init__(f"a process ended with exit code {exit_code}")
        self.exit_code = exit_code


class RemoteTraceback(Exception):  # noqa: N818 - not raised itself
    """The cause of an error from another process: its traceback there, in words."""


@dataclass(frozen=True)
class _Answer:
    """What a function has returned; or the error that it has raised, and where, in words."""

    value: Any = None
    error: Exception | None = None
    trace: str = ""


class Processes(ThreadPoolExecutor):
    """An executor whose functions run in processes; `processes` starts and ends them."""

    def __init__(self, count: int) -> None:
        super().__init__(count)
        self._idle: SimpleQueue[tuple[SpawnProcess, Connection]] = SimpleQueue()
        self._started: list[tuple[SpawnProcess, Connection]] = []
        self._stop_read, self._stop = get_context("spawn").Pipe(duplex=False)

    def submit(self, function: Callable[..., Any], /, *arguments: Any, tell: Tell | None = None) -> Future[Any]:  # type: ignore[override] # tell is one more
        """Let a process call a function; both must be importable or picklable there, and so must what it returns.

        Parameters
        ----------
        function : callable
        *arguments
        tell : callable, optional
            Called with each event that the function tells by `tell`, and with None before the future is done.
        """
        return super().submit(self._called, function, arguments, tell)

    def stop(self) -> None:
        """Request an interruption in all processes, of what they compute now and of what they will."""
        self._stop.close()

    def _called(self, function: Callable[..., Any], arguments: tuple[Any, ...], tell: Tell | None) -> Any:
        process, link = self._idle.get()
        try:
            # `send` would leave a view of its buffer in the traceback of a broken link, which no collection can free.
            link.send_bytes(pickle.dumps((function, arguments)))
            while not isinstance(answer := link.recv(), _Answer):
                if tell is not None:
                    tell(answer)
        except (EOFError, OSError) as error:
            process.join()
            raise ProcessEnded(process.exitcode or 0) from error
        finally:
            self._idle.put((process, link))
            if tell is not None:
                tell(None)
        if answer.error is not None:
            raise answer.error from RemoteTraceback(answer.trace)
        return answer.value

    def start(self, begin: Begin, given: Shared) -> None:
        """Start a process."""
        context = get_context("spawn")
        link, other_end = context.Pipe()
        with other_end:
            process = context.Process(target=_work, args=(other_end, self._stop_read, begin, given))
            process.start()
        self._started.append((process, link))
        self._idle.put((process, link))

    def end(self) -> None:
        """End all processes at once: they have nothing to tidy up."""
        self.shutdown(wait=False, cancel_futures=True)
        for process, _ in self._started:
            process.kill()
        self.shutdown()
        for process, link in self._started:
            link.close()
            process.join()
            process.close()
        self._stop.close()
        self._stop_read.close()


@contextmanager
def processes(count: int, begin: Begin, given: object) -> Iterator[Processes]:
    """Give processes that end with this context, and with this process, however it ends.

    Parameters
    ----------
    count : int
    begin : callable
        Called in each of them first, with what they share.
    given : object
        What they share; its large arrays are mapped and not copied.

    Raises
    ------
    PicklingError, AttributeError, TypeError
        If it cannot be pickled.
    """
    with closing(Shared.of(given)) as shared:
        pool = Processes(count)
        try:
            with signals_blocked():
                for _ in range(count):
                    pool.start(begin, shared)
            yield pool
        finally:
            pool.end()


@contextmanager
def signals_blocked() -> Iterator[None]:
    """Block what processes that are started here ignore: they are born so, before they can say it themselves.

    A signal that another thread takes, which blocks nothing, waits too: between a process and what is sent to it, an
    error would leave one that waits for its orders, and is waited for.
    """
    with Interruptions(terminates=True) as waiting:
        waiting.hold()
        before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        try:
            # It would start with the first process: it must not end by SIGHUP either, and it may unblock the others.
            ensure_running()
            signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
            yield
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


def tell(*event: Any) -> None:
    """Tell the process that started this one of an event, a tuple."""
    _links[0].send(event)


def _work(link: Connection, stop: Connection, begin: Begin, given: Shared) -> None:
    """Compute what is ordered over a link, until it ends."""
    for number in SIGNALS:  # the process that started this one handles them
        signal.signal(number, signal.SIG_IGN)
    _links.append(link)
    orders: SimpleQueue[bytes] = SimpleQueue()
    stopped = threading.Event()
    threading.Thread(target=_listen, args=(link, stop, orders, stopped), daemon=True).start()
    begun = _answer(begin, given)
    with suppress(OSError):  # nobody is left to tell
        while True:
            function, arguments = pickle.loads(orders.get())
            if stopped.is_set():
                interruptions.request()
            link.send(begun if begun.error else _answer(function, *arguments))


def _listen(link: Connection, stop: Connection, orders: SimpleQueue[bytes], stopped: threading.Event) -> None:
    """Take orders while others are carried out; end the process with the link, however it ends."""
    watched = [link, stop]
    try:
        while True:
            for ready in wait(watched):
                if ready is link:
                    orders.put(link.recv_bytes())
                else:
                    watched.remove(stop)
                    stopped.set()
                    interruptions.request()
    finally:
        os._exit(1)


def _answer(function: Callable[..., Any], *arguments: Any) -> _Answer:
    try:
        return _Answer(function(*arguments))
    except Exception as error:
        trace, picklable = "".join(traceback.format_exception(error)), error
        try:
            pickle.loads(pickle.dumps(error))
        except Exception:  # it is of a custom part
            picklable = RuntimeError(f"{type(error).__name__}: {error}")
        return _Answer(error=picklable, trace=trace)
