"""The progress of reading, reported to a callback in the context; the `load` of a part does not change."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

Progress = Callable[[int, int], None]
"""Takes the number of bytes read and their total; these are equal in the last call."""

_current: ContextVar[Progress | None] = ContextVar("reading", default=None)


@contextmanager
def reading_progress(progress: Progress) -> Iterator[None]:
    """Report the reading of large files within this context to a function."""
    token = _current.set(progress)
    try:
        yield
    finally:
        _current.reset(token)


def current_progress() -> Progress:
    """Return the current function, which may do nothing."""
    return _current.get() or (lambda done, total: None)
