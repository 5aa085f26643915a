"""From C text to a loaded library, compiled once and then taken from the user's cache.

The key of a cached library is made from everything that decides what its bytes are: the text, the flags, the compiler
and the CPU. What is loaded is a private copy of the bytes that were checked: nobody can change it, or cut it off, while
it is in use. Only what could be loaded is kept.
"""

from __future__ import annotations

import ctypes
import os
import threading
import weakref
from collections.abc import MutableMapping
from functools import cache, lru_cache
from hashlib import sha256
from typing import Any

from specnet.compiler.native.toolchain.compilers import BuildError, Compiler, find_compiler, run_compiler
from specnet.compiler.native.toolchain.library_cache import (
    cache_folder,
    drop_entry,
    private_folder,
    read_entry,
    store_entry,
)
from specnet.compiler.native.toolchain.processors import Processor, cpu_identity, native_processor

__all__ = ["BuildError", "LoadedLibrary", "library", "unusable"]

MOST_CONTENTS = 64
_FLAGS = (
    "-std=gnu11",
    "-O1",
    "-ftree-vectorize",
    "-fexpensive-optimizations",
    "-fopenmp-simd",
    "-fno-math-errno",
    "-fno-trapping-math",
    "-fPIC",
    "-shared",
    "-pthread",
)
_ELF_64 = b"\x7fELF\x02\x01"
"""The beginning of a library for 64-bit processors with the low byte first, on Linux."""


class LoadedLibrary(ctypes.CDLL):
    """A library that is closed when neither it nor a function of it is in use any more.

    Functions are had by `function`, or `library[name]`: an attribute would keep the library forever.
    """

    def __init__(self, path: str) -> None:
        from _ctypes import dlclose

        super().__init__(path)
        # When the process ends, other threads may still be in it.
        weakref.finalize(self, dlclose, self._handle).atexit = False

    def function(self, name: str, *takes: type[Any], gives: type[Any] | None = None) -> Any:
        """Return a function of some types of arguments and of its result."""
        found = self[name]
        found.argtypes, found.restype = takes, gives
        return found


_loaded: MutableMapping[str, LoadedLibrary] = weakref.WeakValueDictionary()
_locks: dict[str, threading.Lock] = {}
"""A lock for each key, as threads often need the same library at once, and may compile others side by side."""

if hasattr(os, "register_at_fork"):
    # In a new process, the threads that hold locks do not exist.
    os.register_at_fork(after_in_child=_locks.clear)


def library(text: str, functions: tuple[str, ...], target: Processor | None = None) -> LoadedLibrary:
    """Return the library of a C text, from this process, from the cache, or compiled.

    Parameters
    ----------
    text : str
        The C source, which includes nothing but standard headers.
    functions : tuple of str
        The functions that it must have.
    target : Processor, optional
        CPU to compile for; default: this machine's.

    Raises
    ------
    BuildError
        If there is no compiler, if it fails or takes too long, or if its library cannot be loaded.
    """
    compiler = find_compiler()
    flags = (*_FLAGS, *(target or native_processor()).flags)
    key = sha256(repr((text, flags, compiler.identity, cpu_identity())).encode()).hexdigest()
    with _locks.setdefault(key, threading.Lock()):
        found = _loaded.get(key)
        if found is None:
            found = _loaded[key] = _from_cache(key, functions) or _built(text, compiler, flags, functions, key)
        return found


def unusable() -> BuildError | None:
    """Return why nothing can be compiled here, None if a small library can."""
    try:
        _trial(find_compiler())
    except BuildError as error:
        return error
    return None


@cache
def _trial(compiler: Compiler) -> LoadedLibrary:
    """Return a library, which is loaded once; a failure is not remembered."""
    return library("#include <math.h>\n#include <stdint.h>\n#include <string.h>\n", ())


def _from_cache(key: str, functions: tuple[str, ...]) -> LoadedLibrary | None:
    folder = cache_folder()
    content = read_entry(folder, key) if folder else None
    if folder is None or content is None:
        return None
    try:
        return _opened(content, functions, folder)
    except BuildError:
        drop_entry(folder, key)
        return None


def _built(
    text: str, compiler: Compiler, flags: tuple[str, ...], functions: tuple[str, ...], key: str
) -> LoadedLibrary:
    """Compile and load a library, and keep it: in the cache if that is possible."""
    content, folder = _compiled(text, compiler, flags), cache_folder()
    made = _opened(content, functions, folder)
    if folder:
        store_entry(folder, key, content)
    return made


@lru_cache(MOST_CONTENTS)
def _compiled(text: str, compiler: Compiler, flags: tuple[str, ...]) -> bytes:
    """Return the bytes of a compiled library; no cache may be able to keep them, and a process compiles once."""
    try:
        with private_folder() as folder:
            path = os.path.join(folder, "library.so")
            run_compiler(compiler.name, (*compiler.command, *flags, "-x", "c", "-", "-o", path, "-lm"), text, folder)
            if not os.path.isfile(path):
                raise BuildError(f"{compiler.name} wrote no library")
            with open(path, "rb") as file:
                content = file.read()
    except OSError as error:
        raise _not_opened(error) from error
    if _is_cut_off(content):  # to touch what is missing would end the process
        raise BuildError(f"{compiler.name} did not write the whole library")
    return content


def _is_cut_off(content: bytes) -> bool:
    """Return whether a library ends before its table of sections, which is its end, does."""
    start, size, count = (int.from_bytes(content[slice(*place)], "little") for place in ((40, 48), (58, 60), (60, 62)))
    return content.startswith(_ELF_64) and start + size * count > len(content)


def _opened(content: bytes, functions: tuple[str, ...], cache: str | None) -> LoadedLibrary:
    """Load a library with its functions from a private copy of its bytes.

    The copy lies among temporary files, or in the cache if these may not be executed; it has no name afterwards.
    """
    failure: Any = None
    for parent in (None, cache) if cache else (None,):
        try:
            with private_folder(parent) as folder:
                path = os.path.join(folder, "library.so")
                with open(path, "wb") as file:
                    file.write(content)
                made = LoadedLibrary(path)
            for name in functions:
                made[name]
        except (OSError, AttributeError) as error:
            failure = failure or error
        else:
            return made
    raise _not_opened(failure) from failure


def _not_opened(error: Exception) -> BuildError:
    return BuildError(f"the compiled library cannot be written or loaded: {error}")
