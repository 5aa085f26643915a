"""Ctrl-C, at whatever moment: it ends a command as one KeyboardInterrupt, and leaves no traceback."""

from __future__ import annotations

# What `signal` wraps: its enumerations take longer to import than all else before `main`.
import _signal as signal  # type: ignore[import-not-found] # no stubs have it
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType
    from typing import Any

_IMPORT = "<frozen importlib._bootstrap>"
_SECONDS_TO_WAIT = 0.005

_asked = False


def install() -> None:
    """Take Ctrl-C, unless whoever started the process has it ignored.

    An import that is cut off may swallow the interrupt or make another error of it; so it waits for the import's end,
    and a second one waits no longer. The same holds for what Python calls where no error can be raised.
    """
    global _asked
    _asked = False
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _interrupt)
        if hasattr(signal, "setitimer"):
            signal.signal(signal.SIGALRM, _interrupt_now)
            sys.unraisablehook = _wait_or_show


def ignore() -> None:
    """Ignore Ctrl-C from here on: the process ends, and its exit status is known."""
    if signal.getsignal(signal.SIGINT) is _interrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        if hasattr(signal, "setitimer"):
            signal.setitimer(signal.ITIMER_REAL, 0)


def asked() -> bool:
    """Return whether Ctrl-C was pressed, whatever library turned it into another error."""
    return _asked


def _interrupt(number: int, frame: FrameType | None) -> None:
    global _asked
    pressed_again, _asked = _asked, True
    if hasattr(signal, "setitimer") and not pressed_again and _imports(frame):
        signal.setitimer(signal.ITIMER_REAL, _SECONDS_TO_WAIT)
    else:
        raise KeyboardInterrupt


def _interrupt_now(number: int, frame: FrameType | None) -> None:
    """Hand on the Ctrl-C that waited to whoever takes it by now, which may be a run."""
    taker = signal.getsignal(signal.SIGINT)
    if _imports(frame):
        signal.setitimer(signal.ITIMER_REAL, _SECONDS_TO_WAIT)
    elif callable(taker):
        taker(signal.SIGINT, frame)


def _imports(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename == _IMPORT:
            return True
        frame = frame.f_back
    return False


def _wait_or_show(unraisable: Any) -> None:
    if issubclass(unraisable.exc_type, KeyboardInterrupt):
        signal.setitimer(signal.ITIMER_REAL, _SECONDS_TO_WAIT)
    else:
        sys.__unraisablehook__(unraisable)
