"""A pool of processes that call functions and end with the process that started them.

In: functions with their arguments, and an object that all processes share. Out: futures, and events while functions
run. Start at `processes`, which yields `Processes`, an executor as in `concurrent.futures`. Each process has a link (a
pipe) to a thread of the main process: the process receives functions and sends events and results. If the link closes,
the process ends.
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

from specnet.errors import TrainingError
from specnet.files.interruptions import SIGNALS, Interruptions
from specnet.files.large import Shared

Notify = Callable[[Any], object]
Begin = Callable[[Shared], object]

interruptions = Interruptions()
"""In a process of the pool: the interruptions that `Processes.stop` requests."""
_links: list[Connection] = []
"""In a process of the pool: a list with the link to the main process."""


class ProcessEnded(BrokenExecutor):
    """A process has ended without returning a result; `exit_code` is negative if a signal killed it."""

    def __init__(self, exit_code: int) -> None:
        super().__init__(f"a process ended with exit code {exit_code}")
        self.exit_code = exit_code


class RemoteTraceback(Exception):  # noqa: N818 - never raised, only a cause
    """The cause of an error from another process: its traceback as text."""


@dataclass(frozen=True)
class _Answer:
    """The value that a function returned, or the error that it raised with its traceback as text."""

    value: Any = None
    error: Exception | None = None
    trace: str = ""


class Processes(ThreadPoolExecutor):
    """An executor that calls functions in processes, which the function `processes` starts and ends."""

    def __init__(self, count: int) -> None:
        super().__init__(count)
        self._idle: SimpleQueue[tuple[SpawnProcess, Connection]] = SimpleQueue()
        self._started: list[tuple[SpawnProcess, Connection]] = []
        self._stop_read, self._stop = get_context("spawn").Pipe(duplex=False)

    def submit(self, function: Callable[..., Any], /, *arguments: Any, notify: Notify | None = None) -> Future[Any]:  # type: ignore[override] # notify is added
        """Call a function in one of the processes and return a future of its result.

        Parameters
        ----------
        function : callable
            Function to call; it, its arguments and its result must be picklable.
        *arguments
            Arguments of the function.
        notify : callable, optional
            Called with each event that the function sends by `send_event`, and with None before the future is done.
        """
        return super().submit(self._called, function, arguments, notify)

    def stop(self) -> None:
        """Request an interruption of running and later functions in all processes."""
        self._stop.close()

    def _called(self, function: Callable[..., Any], arguments: tuple[Any, ...], notify: Notify | None) -> Any:
        process, link = self._idle.get()
        try:
            # With `link.send`, the traceback of a broken link would hold a view of its buffer that is never freed.
            link.send_bytes(pickle.dumps((function, arguments)))
            while not isinstance(answer := link.recv(), _Answer):
                if notify is not None:
                    notify(answer)
        except (EOFError, OSError) as error:
            process.join()
            raise ProcessEnded(process.exitcode or 0) from error
        finally:
            self._idle.put((process, link))
            if notify is not None:
                notify(None)
        if answer.error is not None:
            raise answer.error from RemoteTraceback(answer.trace)
        return answer.value

    def start(self, begin: Begin, given: Shared) -> None:
        """Start a process, which first calls `begin` with the shared object."""
        context = get_context("spawn")
        link, other_end = context.Pipe()
        with other_end:
            process = context.Process(target=_work, args=(other_end, self._stop_read, begin, given))
            process.start()
        self._started.append((process, link))
        self._idle.put((process, link))

    def end(self) -> None:
        """Kill all processes, which have nothing to clean up."""
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
    """Yield a pool of processes that ends with this context, or with this process even if it is killed.

    Parameters
    ----------
    count : int
        Number of processes.
    begin : callable
        Function that each process first calls with the shared object.
    given : object
        The shared object; its large arrays are mapped and not copied.

    Raises
    ------
    PicklingError, AttributeError, TypeError
        If the shared object cannot be pickled.
    TrainingError
        On Windows, where processes inherit neither open files nor blocked signals.
    """
    if os.name == "nt":
        raise TrainingError("several processes need Linux or macOS", hint="use --jobs 1 (jobs=1)")
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
    """Block signals while processes are started; these inherit the block until they ignore the signals themselves.

    A signal that another thread receives waits too: an error between the start of a process and sending its arguments
    would leave two processes that wait for each other. Windows has no masks of signals.
    """
    if os.name == "nt":
        yield
        return
    with Interruptions(terminates=True) as waiting:
        waiting.hold()
        before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        try:
            # The first process also starts Python's resource tracker, which must survive SIGHUP too. Starting it may
            # unblock the signals, so they are blocked again.
            ensure_running()
            signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
            yield
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


def send_event(*event: Any) -> None:
    """Send an event, a tuple, to the process that started this one."""
    _links[0].send(event)


def _work(link: Connection, stop: Connection, begin: Begin, given: Shared) -> None:
    """Call the functions received over a link until the link closes."""
    for number in SIGNALS:  # the main process handles them
        signal.signal(number, signal.SIG_IGN)
    _links.append(link)
    calls: SimpleQueue[bytes] = SimpleQueue()
    stopped = threading.Event()
    threading.Thread(target=_listen, args=(link, stop, calls, stopped), daemon=True).start()
    begun = _answer(begin, given)
    with suppress(OSError):  # the link is closed
        while True:
            function, arguments = pickle.loads(calls.get())
            if stopped.is_set():
                interruptions.request()
            link.send(begun if begun.error else _answer(function, *arguments))


def _listen(link: Connection, stop: Connection, calls: SimpleQueue[bytes], stopped: threading.Event) -> None:
    """Receive functions and requests to stop while a function runs; end the process if the link closes or fails."""
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
        except Exception:  # an error class of a custom part
            picklable = RuntimeError(f"{type(error).__name__}: {error}")
        return _Answer(error=picklable, trace=trace)
