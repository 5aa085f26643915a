"""Limits on the number of threads of BLAS and of compiled functions, for the whole process."""

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
"""The current limits in the order in which they were set; only the last one applies."""
_before: list[tuple[Any, int]] = []
"""The libraries, with their numbers of threads before the first limit."""
_found: dict[tuple[int, str], list[Any]] = {}
"""The libraries of the last search, by the number of imported modules and the last module at that time."""
_share: ContextVar[int | None] = ContextVar("_share", default=None)
"""The number of threads that a context may use; None for all available threads."""


def thread_limit() -> int | None:
    """Return the limit on the number of threads, or None if there is none."""
    return _limits[-1] if _limits else None


def available_threads() -> int:
    """Return the number of available threads: the context's share, else the limit, else the number of usable CPUs."""
    return _share.get() or thread_limit() or default_threads()


def share_threads(among: int) -> None:
    """Limit this context to one of `among` equal shares of the available threads."""
    _share.set(max(1, available_threads() // among))


def keep_limit(limit: int | None) -> None:
    """Set a limit until the process ends; for a worker process, which inherits the limit of its parent."""
    if limit is not None:
        _limits.append(limit)


@contextmanager
def limited_threads(count: int | None) -> Iterator[None]:
    """Limit the threads of all BLAS and OpenMP libraries, including later ones, and of compiled functions.

    With None there is no limit. A limit applies to the whole process: if several Python threads set one at the same
    time, a limit is in force until all of these contexts have ended.
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
    """Apply the current limit, at the end of an import, to the libraries that the import has loaded.

    The module that loads a BLAS or OpenMP library depends on versions, but it is always an extension module.
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
    """Apply the current limit to libraries that were loaded after the first limit was set."""
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
    """Set the number of threads of a library.

    From version 3.8 on, threadpoolctl's public method works only in the first Python thread that sets OpenBLAS.
    """
    getattr(controller, "_real_set_num_threads", controller.set_num_threads)(count)
