"""Contexts around the imports of modules, which may load libraries that start threads or never return."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ExtensionFileLoader, ModuleSpec, SourceFileLoader, SourcelessFileLoader
from importlib.util import find_spec
from types import ModuleType


class AroundImports(MetaPathFinder):
    """A finder for `sys.meta_path` that executes each imported module within a context.

    Nested imports run within the context of the outermost import.

    Parameters
    ----------
    context : callable
        Function that returns the context manager for a module's `ModuleSpec`.
    """

    def __init__(self, context: Callable[[ModuleSpec], AbstractContextManager[object]]) -> None:
        self._context = context
        self._thread = threading.local()

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if target is not None or getattr(self._thread, "imports", False):
            return None
        with self._import():
            spec = find_spec(fullname)
        # These loaders belong to one module and can be changed; other loaders may be shared by many modules.
        if spec is None or not isinstance(spec.loader, SourceFileLoader | SourcelessFileLoader | ExtensionFileLoader):
            return spec
        create, execute = spec.loader.create_module, spec.loader.exec_module

        def create_within(spec: ModuleSpec) -> ModuleType | None:
            with self._import(), self._context(spec):
                return create(spec)

        def execute_within(module: ModuleType) -> None:
            with self._import(), self._context(spec):
                execute(module)

        spec.loader.create_module = create_within  # type: ignore[method-assign] # this loader only
        spec.loader.exec_module = execute_within  # type: ignore[method-assign] # as above
        return spec

    @contextmanager
    def _import(self) -> Iterator[None]:
        self._thread.imports = True
        try:
            yield
        finally:
            self._thread.imports = False


@contextmanager
def import_seconds() -> Iterator[list[float]]:
    """Yield a list of the CPU seconds that imports have taken so far within the context."""
    seconds: list[float] = []

    @contextmanager
    def timed(_: ModuleSpec) -> Iterator[None]:
        begun = time.process_time()
        yield
        seconds.append(time.process_time() - begun)

    finder = AroundImports(timed)
    sys.meta_path.insert(0, finder)
    try:
        yield seconds
    finally:
        sys.meta_path.remove(finder)
