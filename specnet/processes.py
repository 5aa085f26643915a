"""A pool of processes that call functions, and end with the process that started them.

In: functions with their arguments, and an object that all of them share. Out: futures, and events while functions run.
Start at `processes`, whose `Processes` is an executor like any other of `concurrent.futures`. Each process has a link
to a thread of the one that started it: functions go one way, events and results the other. It ends when its link does.
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
"""In a process of a pool: the interruptions that `Processes.stop` requests."""
_links: list[Connection] = []
"""In a process of a pool: the link to the process that started it."""


class ProcessEnded(BrokenExecutor):
    """A process has ended before its answer; `exit_code` is negative if a signal killed it."""

    def __init__(self, exit_code: int) -> None:
        super().__init__(f"a process ended with exit code {exit_code}")
        self.exit_code = exit_code


class RemoteTraceback(Exception):  # noqa: N818 - not raised itself
    """The cause of an error from another process: its traceback there, as text."""


@dataclass(frozen=True)
class _Answer:
    """The value that a function returned, or the error that it raised with its traceback as text."""

    value: Any = None
    error: Exception | None = None
    trace: str = ""


class Processes(ThreadPoolExecutor):
    """An executor whose functions run in processes, which the function `processes` starts and ends."""

    def __init__(self, count: int) -> None:
        super().__init__(count)
        self._idle: SimpleQueue[tuple[SpawnProcess, Connection]] = SimpleQueue()
        self._started: list[tuple[SpawnProcess, Connection]] = []
        self._stop_read, self._stop = get_context("spawn").Pipe(duplex=False)

    def submit(self, function: Callable[..., Any], /, *arguments: Any, tell: Tell | None = None) -> Future[Any]:  # type: ignore[override] # tell is added
        """Call a function in one of the processes; it, its arguments and its result must be picklable.

        Parameters
        ----------
        function : callable
        *arguments
        tell : callable, optional
            Called with each event that the function sends by `tell`, and with None before the future is done.
        """
        return super().submit(self._called, function, arguments, tell)

    def stop(self) -> None:
        """Request an interruption of the functions that the processes run now and later."""
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
        """Kill all processes: they have nothing to clean up."""
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
    """Start a pool of processes that ends with this context, and with this process even if that is killed.

    Parameters
    ----------
    count : int
    begin : callable
        Called first in each of them, with the shared object.
    given : object
        The shared object; its large arrays are mapped and not copied.

    Raises
    ------
    PicklingError, AttributeError, TypeError
        If the shared object cannot be pickled.
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
    """Block signals while processes are started, which inherit this: they ignore them as soon as they can.

    A signal that another thread receives waits too: an error between the start of a process and what is sent to it
    would leave two processes that wait for each other.
    """
    with Interruptions(terminates=True) as waiting:
        waiting.hold()
        before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        try:
            # Python's resource tracker starts with the first process: it must survive SIGHUP too, and may unblock them.
            ensure_running()
            signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
            yield
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


def tell(*event: Any) -> None:
    """Send an event, a tuple, to the process that started this one."""
    _links[0].send(event)


def _work(link: Connection, stop: Connection, begin: Begin, given: Shared) -> None:
    """Call the functions that come over a link, until it ends."""
    for number in SIGNALS:  # the process that started this one handles them
        signal.signal(number, signal.SIG_IGN)
    _links.append(link)
    calls: SimpleQueue[bytes] = SimpleQueue()
    stopped = threading.Event()
    threading.Thread(target=_listen, args=(link, stop, calls, stopped), daemon=True).start()
    begun = _answer(begin, given)
    with suppress(OSError):  # the link has ended
        while True:
            function, arguments = pickle.loads(calls.get())
            if stopped.is_set():
                interruptions.request()
            link.send(begun if begun.error else _answer(function, *arguments))


def _listen(link: Connection, stop: Connection, calls: SimpleQueue[bytes], stopped: threading.Event) -> None:
    """Receive functions while others run, and end the process with the link, however that ends."""
    watched = [link, stop]
    try:
        while True:
            for ready in wait(watched):
                if ready is link:
                    calls.put(link.recv_bytes())
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
