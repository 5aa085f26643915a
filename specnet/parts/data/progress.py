"""The progress of reading, reported to a callback in the context; the `load` of a part does not change."""

from collections.abc import Callable, Iterator, Sequence
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


def of_parts(progress: Progress, sizes: Sequence[int]) -> Progress:
    """Return what tells of the parts of files, one after the other, as of one whole."""
    whole, before, latest = sum(sizes), 0, 0

    def shown(done: int, total: int) -> None:
        nonlocal before, latest
        before, latest = before + (latest if done < latest else 0), done
        progress(min(before + done, whole), whole)

    return shown
