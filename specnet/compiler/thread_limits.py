"""How many threads BLAS and compiled functions may use: for a while, in the whole process."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

LIBRARIES = ("scipy.linalg", "sklearn.utils")
"""Modules that load BLAS and OpenMP libraries beside NumPy's: what is loaded later has no limit."""
_lock = threading.Lock()
_wanted: list[int] = []
"""The limits that hold, in the order in which they were set; the last one counts."""
_before: list[tuple[Any, int]] = []
"""The libraries with the numbers of threads that they had before the first of them."""


def thread_limit() -> int | None:
    """Return the number of threads that work may have; None if nobody limits it."""
    return _wanted[-1] if _wanted else None


def keep_limit(limit: int | None) -> None:
    """Limit compiled functions for good: in a process whose libraries get the limits of the one that started it."""
    if limit is not None:
        _wanted.append(limit)


@contextmanager
def limited_threads(count: int | None) -> Iterator[None]:
    """Limit the threads of every BLAS and OpenMP library that is loaded, and of compiled functions.

    None limits nothing. The limit is the process's: where several threads of Python set one at once, it lasts until all
    of them are done.
    """
    if count is None:
        yield
        return
    with _lock:
        if not _wanted:
            _before[:] = [(controller, controller.num_threads) for controller in _controllers()]
        if thread_limit() != count:
            for controller, _ in _before:
                _set(controller, count)
        _wanted.append(count)
    try:
        yield
    finally:
        with _lock:
            _wanted.remove(count)
            if thread_limit() != count:
                for controller, before in _before:
                    _set(controller, thread_limit() or before)


def _controllers() -> list[Any]:
    from threadpoolctl import ThreadpoolController

    for name in LIBRARIES:
        import_module(name)
    controllers: list[Any] = ThreadpoolController().lib_controllers
    return controllers


def _set(controller: Any, count: int) -> None:
    """Set a library's number of threads, whoever has set it before.

    From version 3.8 on, threadpoolctl ignores all threads of Python but the first that has set a limit for OpenBLAS.
    """
    getattr(controller, "_real_set_num_threads", controller.set_num_threads)(count)
