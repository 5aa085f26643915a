"""Delayed handling of Ctrl-C, SIGTERM and SIGHUP: a signal waits until a training step or a file is complete."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Self

from specnet.errors import Terminated
from specnet.imports import AroundImports

Handler = Callable[[int, FrameType | None], Any] | int | None

HANG_UP = getattr(signal, "SIGHUP", None)
"""The signal that the terminal was closed; None on systems without it."""
TERMINATING = (signal.SIGTERM,) if HANG_UP is None else (signal.SIGTERM, HANG_UP)
"""The signals, other than Ctrl-C, that ask a process to end."""
SIGNALS = (signal.SIGINT, *TERMINATING)


class Interruptions:
    """A context manager that receives signals instead of the current handlers and passes them on later.

    It has an effect in the main thread only, because other threads receive no signals. The first signal after `hold`
    waits for `deliver` or the end of the context; a second one is passed on immediately. A second SIGHUP is dropped,
    because a shell and the system both send one. Ignored signals stay ignored.

    Parameters
    ----------
    terminates : bool
        Also handle SIGTERM and SIGHUP if they would end the process: they raise `Terminated`. During an import before
        training begins they still end the process directly, since the import of a library may never return.

    Attributes
    ----------
    pending : int or None
        Number of the waiting signal; None if no signal waits.
    begun : bool
        Whether `hold` has been called; it is first called when training begins.
    """

    def __init__(self, *, terminates: bool = False) -> None:
        self.pending: int | None = None
        self.begun = False
        self._numbers = SIGNALS if terminates else (signal.SIGINT,)
        self._handlers: dict[int, Handler] = {}
        self._holds = self._hung_up = False
        self._imports = AroundImports(lambda spec: self._unhandled())

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in self._numbers:
                handler = signal.getsignal(number)
                if callable(handler) or (handler is signal.SIG_DFL and number in TERMINATING):
                    self._handlers[number] = handler
                    signal.signal(number, self._take)
            if self._handlers.keys() & TERMINATING:
                sys.meta_path.insert(0, self._imports)
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if self._imports in sys.meta_path:
            sys.meta_path.remove(self._imports)
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        if error is None:
            self.deliver()

    def hold(self) -> None:
        """Let the next signal wait for `deliver`; a signal after one that already waits is passed on immediately."""
        self.begun = True
        self._holds = self.pending is None

    def request(self, number: int = signal.SIGINT) -> None:
        """Record a signal that was not sent to this process as waiting for `deliver`."""
        self.pending = number

    def deliver(self) -> None:
        """Pass on the waiting signal, if any.

        Raises
        ------
        KeyboardInterrupt
            For Ctrl-C; `Terminated` for SIGTERM and SIGHUP.
        """
        number, self.pending = self.pending, None
        if number is not None:
            self._hand_on(number)

    def _take(self, number: int, frame: FrameType | None) -> None:
        if number == HANG_UP:
            if self._hung_up:
                return
            self._hung_up = True
        if self._holds:
            self._holds, self.pending = False, number
        else:
            self._hand_on(number)

    @contextmanager
    def _unhandled(self) -> Iterator[None]:
        """Restore the default action of SIGTERM and SIGHUP, unless training has begun and has results to save."""
        handled = set[int]()
        if not self.begun and threading.current_thread() is threading.main_thread():
            handled = {number for number in TERMINATING if signal.getsignal(number) == self._take}
        try:
            for number in handled:
                signal.signal(number, signal.SIG_DFL)
            yield
        finally:
            for number in handled:
                signal.signal(number, self._take)

    def _hand_on(self, number: int) -> None:
        handler = self._handlers.get(number, signal.default_int_handler)
        if not callable(handler):
            raise Terminated(signal.Signals(number).name)
        handler(number, None)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Delay Ctrl-C during system calls, so that the code that cleans up knows each created or removed file."""
    with Interruptions() as interruptions:
        interruptions.hold()
        yield
