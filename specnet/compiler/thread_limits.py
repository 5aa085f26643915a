"""Limits on the threads of BLAS and compiled functions, in the whole process."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from importlib.machinery import ExtensionFileLoader, ModuleSpec
from typing import Any

from specnet.cpus import default_threads
from specnet.imports import AroundImports

_lock = threading.Lock()
_limits: list[int] = []
"""The limits that are in force, in the order in which they were set; the last one counts."""
_before: list[tuple[Any, int]] = []
"""The libraries with their numbers of threads before the first limit."""
_found: dict[tuple[int, str], list[Any]] = {}
"""The libraries that were found last, by the number of modules then and the latest one."""
_share: ContextVar[int | None] = ContextVar("_share", default=None)
"""The share of all threads that a context has."""


def thread_limit() -> int | None:
    """Return the limit on the number of threads, or None if there is none."""
    return _limits[-1] if _limits else None


def available_threads() -> int:
    """Return how many threads are available: the context's share, else the limit, else all usable CPUs."""
    return _share.get() or thread_limit() or default_threads()


def share_threads(among: int) -> None:
    """Give this context one of `among` equal shares of the available threads."""
    _share.set(max(1, available_threads() // among))


def keep_limit(limit: int | None) -> None:
    """Set a limit until the process ends: for one that inherits the limit of the process that started it."""
    if limit is not None:
        _limits.append(limit)


@contextmanager
def limited_threads(count: int | None) -> Iterator[None]:
    """Limit the threads of every BLAS and OpenMP library, also of those loaded later, and of compiled functions.

    With None there is no limit. It applies to the whole process: if several threads of Python set one at once, it lasts
    until all of them are done.
    """
    if count is None:
        yield
        return
    with _lock:
        if not _limits:
            _before[:] = [(controller, controller.num_threads) for controller in _controllers()]
            sys.meta_path.insert(0, _LATER)
        if thread_limit() != count:
            for controller, _ in _before:
                _set(controller, count)
        _limits.append(count)
    try:
        yield
    finally:
        with _lock:
            _limits.remove(count)
            if thread_limit() != count:
                for controller, before in _before:
                    _set(controller, thread_limit() or before)
            if not _limits and _LATER in sys.meta_path:
                sys.meta_path.remove(_LATER)


@contextmanager
def _limiting(spec: ModuleSpec) -> Iterator[None]:
    """Limit the libraries that an import loads while a limit is in force, at the end of the import.

    Which module loads a BLAS or OpenMP library depends on versions, but each is loaded with an extension module.
    """
    before = [*sys.modules]
    try:
        yield
    finally:
        new = (getattr(sys.modules.get(name), "__spec__", None) for name in sys.modules.keys() - before)
        if any(isinstance(getattr(each, "loader", None), ExtensionFileLoader) for each in [spec, *new]):
            _limit_new()


_LATER = AroundImports(_limiting)


def _limit_new() -> None:
    """Limit the libraries that were loaded since the first limit was set."""
    with _lock:
        if (limit := thread_limit()) is None:
            return
        known = {controller.filepath for controller, _ in _before}
        new = [controller for controller in _controllers() if controller.filepath not in known]
        _before.extend((controller, controller.num_threads) for controller in new)
        for controller in new:
            _set(controller, limit)


def _controllers() -> list[Any]:
    """Return the controllers of all loaded libraries.

    A search takes some milliseconds; the last result is returned if no module was imported since.
    """
    from threadpoolctl import ThreadpoolController

    modules = len(sys.modules), next(reversed(sys.modules))
    if modules not in _found:
        _found.clear()
        _found[modules] = ThreadpoolController().lib_controllers
    return _found[modules]


def _set(controller: Any, count: int) -> None:
    """Set a library's number of threads.

    From version 3.8 on, threadpoolctl ignores all threads of Python but the first that has set a limit for OpenBLAS.
    """
    getattr(controller, "_real_set_num_threads", controller.set_num_threads)(count)
