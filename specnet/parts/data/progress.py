"""Progress of reading files, reported to a callback in a context variable, so that `load` needs no argument for it."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

Progress = Callable[[int, int], None]
"""A callback that takes the number of bytes read and the total; both are equal in the last call."""

_current: ContextVar[Progress | None] = ContextVar("reading", default=None)


@contextmanager
def reading_progress(progress: Progress) -> Iterator[None]:
    """Call a function with the progress of reading large files within this context."""
    token = _current.set(progress)
    try:
        yield
    finally:
        _current.reset(token)


def current_progress() -> Progress:
    """Return the callback of the current context, or a function that does nothing."""
    return _current.get() or (lambda done, total: None)


def of_parts(progress: Progress, sizes: Sequence[int]) -> Progress:
    """Return a callback for consecutive parts, of the given sizes, that reports the progress of the whole."""
    whole, before, latest = sum(sizes), 0, 0

    def shown(done: int, total: int) -> None:
        nonlocal before, latest
        before, latest = before + (latest if done < latest else 0), done
        progress(min(before + done, whole), whole)

    return shown
