"""Who is told how far reading is. A part's `load` is the same whether somebody watches or not."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

Progress = Callable[[int, int], None]
"""Takes bytes that are read, and bytes that there are; these are equal in the last call."""

_current: ContextVar[Progress | None] = ContextVar("reading", default=None)


@contextmanager
def reading_progress(progress: Progress) -> Iterator[None]:
    """Have a function told of large files that are read within this context."""
    token = _current.set(progress)
    try:
        yield
    finally:
        _current.reset(token)


def current_progress() -> Progress:
    """Return the function to tell, which may do nothing."""
    return _current.get() or (lambda done, total: None)
