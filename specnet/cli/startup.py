"""Setup of a command before its other imports: the handler of Ctrl-C, and a check of the memory limit."""

from __future__ import annotations

# The C module behind `signal`, whose enumerations take longer to import than everything else before `main`.
import _signal as signal  # type: ignore[import-not-found] # no stubs have it
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType
    from typing import Any

_IMPORT = "<frozen importlib._bootstrap>"
_SECONDS_TO_WAIT = 0.005
_was_interrupted = False


def take_interrupts() -> None:
    """Turn Ctrl-C at any moment into one KeyboardInterrupt, unless the process was started with Ctrl-C ignored.

    An interrupted import may suppress the KeyboardInterrupt or raise another error. Therefore the interrupt waits until
    the import has ended; a second Ctrl-C does not wait. The interrupt also waits during functions in which Python
    cannot raise errors, such as finalizers.
    """
    global _was_interrupted
    _was_interrupted = False
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _interrupt)
        if hasattr(signal, "setitimer"):
            signal.signal(signal.SIGALRM, _interrupt_now)
            sys.unraisablehook = _wait_or_show


def ignore_interrupts() -> None:
    """Ignore Ctrl-C from now on, because the process ends with a known exit status."""
    if signal.getsignal(signal.SIGINT) is _interrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        if hasattr(signal, "setitimer"):
            signal.setitimer(signal.ITIMER_REAL, 0)


def was_interrupted() -> bool:
    """Return whether Ctrl-C was pressed, even if a library raised another error for it."""
    return _was_interrupted


def _interrupt(number: int, frame: FrameType | None) -> None:
    global _was_interrupted
    pressed_again, _was_interrupted = _was_interrupted, True
    if hasattr(signal, "setitimer") and not pressed_again and _imports(frame):
        signal.setitimer(signal.ITIMER_REAL, _SECONDS_TO_WAIT)
    else:
        raise KeyboardInterrupt


def _interrupt_now(number: int, frame: FrameType | None) -> None:
    """Pass the delayed Ctrl-C to its present handler, which may be the handler of a run."""
    handler = signal.getsignal(signal.SIGINT)
    if _imports(frame):
        signal.setitimer(signal.ITIMER_REAL, _SECONDS_TO_WAIT)
    elif callable(handler):
        handler(signal.SIGINT, frame)


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


MIB = 2**20
NEEDED = {"numpy": 100 * MIB, "scipy": 110 * MIB, "sklearn": 300 * MIB}
"""Address space in bytes that loading a library takes, without the other libraries that it loads."""
BUFFER = 32 * MIB
"""Memory of each further thread of OpenBLAS besides its stack; NumPy and SciPy have separate OpenBLAS libraries."""
STACK = 8 * MIB
"""Assumed stack of a thread if its size is not limited."""


def check_imports() -> None:
    """Make imports of large libraries raise ImportError if a memory limit (``ulimit -v``) leaves too little for them.

    If OpenBLAS finds no memory for its threads, it ends the process, sends it Ctrl-C, or never returns.
    """
    if sys.platform == "linux":
        import resource

        limit, _ = resource.getrlimit(resource.RLIMIT_AS)
        stack, _ = resource.getrlimit(resource.RLIMIT_STACK)
        if limit != resource.RLIM_INFINITY:
            sys.meta_path.insert(0, EnoughMemory(limit, STACK if stack == resource.RLIM_INFINITY else stack))


class EnoughMemory:
    """A module finder that finds no modules, but raises ImportError for a library that exceeds the memory limit."""

    def __init__(self, limit: int, stack: int) -> None:
        self._limit, self._thread = limit, BUFFER + stack

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> None:
        if fullname not in NEEDED:
            return
        import resource

        missing = {fullname, "scipy" if fullname == "sklearn" else fullname} - sys.modules.keys()
        threads = (_openblas_threads() - 1) * len(missing & {"numpy", "scipy"})
        with open("/proc/self/statm", encoding="ascii") as file:
            used = int(file.read().split()[0]) * resource.getpagesize()
        if sum(NEEDED[name] for name in missing) + threads * self._thread > self._limit - used:
            raise ImportError(f"cannot allocate memory for {fullname}")


def _openblas_threads() -> int:
    """Return the number of OpenBLAS threads: from its environment variables or OpenMP's, at most one per usable CPU."""
    from specnet.cpus import usable_cpus

    values = (os.environ.get(f"{name}_NUM_THREADS", "") for name in ("OPENBLAS", "GOTO", "OMP"))
    count = next((int(value) for value in values if value.isdigit() and int(value)), usable_cpus())
    return min(count, usable_cpus())
