"""How many threads BLAS and compiled functions may use: for a while, in the whole process."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_lock = threading.Lock()
_wanted: list[int] = []
"""The limits that hold, in the order in which they were set; the last one counts."""
_before: Any = None
"""What gives BLAS the threads back that it had before the first of them."""


def thread_limit() -> int | None:
    """Return the number of threads that work may have; None if nobody limits it."""
    return _wanted[-1] if _wanted else None


@contextmanager
def limited_threads(count: int | None) -> Iterator[None]:
    """Limit the threads of every BLAS and OpenMP library that is loaded, and of compiled functions.

    None limits nothing. The limit is the process's: where several threads of Python set one at once, it lasts until all
    of them are done.
    """
    global _before
    if count is None:
        yield
        return
    from threadpoolctl import threadpool_limits

    with _lock:
        if not _wanted:
            _before = threadpool_limits(count)
        elif _wanted[-1] != count:
            threadpool_limits(count)
        _wanted.append(count)
    try:
        yield
    finally:
        with _lock:
            _wanted.remove(count)
            if not _wanted:
                _before.restore_original_limits()
            elif _wanted[-1] != count:
                threadpool_limits(_wanted[-1])
