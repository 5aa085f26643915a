"""From C code to a loaded library, compiled once and then read from the user's cache.

The key of a cached library is a hash of everything that determines its bytes: the C code, the flags, the compiler and
the CPU. The cache is a folder of the user, with one file ``<key>-<SHA-256 of its bytes>.so`` for each library. A folder
or file that another user owns or may write is not used, since a library is code that runs with all rights of the user.
A private copy of the checked bytes is loaded, so that it stays complete if the cached file is truncated later. Only
libraries that could be loaded are stored.
"""

from __future__ import annotations

import ctypes
import os
import re
import stat
import sys
import threading
import weakref
from collections.abc import MutableMapping
from contextlib import suppress
from functools import cache, lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from specnet.compiler.native.toolchain.compilers import (
    PRIVATE_FOLDER,
    BuildError,
    Compiler,
    find_compiler,
    is_gcc,
    private_folder,
    run_compiler,
)
from specnet.compiler.native.toolchain.processors import Processor, cpu_identity, native_processor

__all__ = ["BuildError", "LoadedLibrary", "library", "unusable"]

MAX_CONTENTS = 64
MAX_ENTRIES = 200
MAX_AGE = 3600.0
"""Seconds after which a private folder must be that of a killed process, and is removed."""
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
_OF_GCC = ("--param=avoid-fma-max-bits=0",)
"""Fused multiply-adds in all loops or in none: gcc avoids some of them on CPUs such as AMD's. The sum of a row would
depend on the loop that adds it, and so on the row's position."""
_ELF_64 = b"\x7fELF\x02\x01"
"""The first bytes of a library for 64-bit little-endian processors on Linux."""
_ENTRY = re.compile(r"[0-9a-f]{64}-[0-9a-f]{64}\.so")
_PRIVATE_FOLDER = re.compile(PRIVATE_FOLDER + r"\w+")


class LoadedLibrary(ctypes.CDLL):
    """A library that is closed when neither it nor any of its functions is in use.

    Functions are returned by `function` or `library[name]`; as attributes, they would leave the library open forever.
    """

    def __init__(self, path: str) -> None:
        from _ctypes import dlclose

        super().__init__(path)
        # Not at the end of the process, when other threads may still run its functions.
        weakref.finalize(self, dlclose, self._handle).atexit = False

    def function(self, name: str, *takes: type[Any], gives: type[Any] | None = None) -> Any:
        """Return a function of the library, given the types of its arguments and of its result."""
        found = self[name]
        found.argtypes, found.restype = takes, gives
        return found


_loaded: MutableMapping[str, LoadedLibrary] = weakref.WeakValueDictionary()
_locks: dict[str, threading.Lock] = {}
"""A lock for each key: threads often need the same library at the same time, and may compile others in parallel."""

if hasattr(os, "register_at_fork"):
    # In a forked process, the threads that have locked them do not exist.
    os.register_at_fork(after_in_child=_locks.clear)


def library(text: str, functions: tuple[str, ...], target: Processor | None = None) -> LoadedLibrary:
    """Return the library of a C text: the loaded one of this process, a cached one, or a newly compiled one.

    Parameters
    ----------
    text : str
        The C code, which includes only standard headers.
    functions : tuple of str
        Names of the functions that the library must have.
    target : Processor, optional
        CPU to compile for; default: the CPU of this machine.

    Raises
    ------
    BuildError
        If there is no compiler, if it fails or takes too long, or if its library cannot be loaded.
    """
    compiler = find_compiler()
    flags = (*_FLAGS, *(_OF_GCC if is_gcc(compiler) else ()), *(target or native_processor()).flags)
    key = sha256(repr((text, flags, compiler.identity, cpu_identity())).encode()).hexdigest()
    with _locks.setdefault(key, threading.Lock()):
        found = _loaded.get(key)
        if found is None:
            found = _loaded[key] = _from_cache(key, functions) or _built(text, compiler, flags, functions, key)
        return found


def unusable() -> BuildError | None:
    """Return the reason why compiling fails on this machine, or None if a small test library compiles."""
    try:
        _trial(find_compiler())
    except BuildError as error:
        return error
    return None


@cache
def _trial(compiler: Compiler) -> LoadedLibrary:
    """Return a small test library; it is cached in the process, but a failure is not."""
    return library("#include <math.h>\n#include <stdint.h>\n#include <string.h>\n", ())


def _from_cache(key: str, functions: tuple[str, ...]) -> LoadedLibrary | None:
    """Return a library loaded from the cache, or None; files that cannot be loaded are removed."""
    folder = cache_folder()
    for path in _entries(folder, key) if folder else []:
        with suppress(OSError, BuildError):
            loaded = _opened(_content(path), functions, folder)
            with suppress(OSError):
                os.utime(path)  # the least recently used files are removed first
            return loaded
        with suppress(OSError):
            os.unlink(path)
    return None


def _built(
    text: str, compiler: Compiler, flags: tuple[str, ...], functions: tuple[str, ...], key: str
) -> LoadedLibrary:
    """Compile and load a library, and store it in the cache if that is possible."""
    content, folder = _compiled(text, compiler, flags), cache_folder()
    made = _opened(content, functions, folder)
    if folder:
        with suppress(OSError):  # read-only, or full
            _store(folder, f"{key}-{sha256(content).hexdigest()}.so", content)
    return made


@lru_cache(MAX_CONTENTS)
def _compiled(text: str, compiler: Compiler, flags: tuple[str, ...]) -> bytes:
    """Return the bytes of a compiled library; cached in the process, since there may be no cache folder."""
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
    if _is_cut_off(content):  # reading the missing part would end the process
        raise BuildError(f"{compiler.name} did not write the whole library")
    return content


def _is_cut_off(content: bytes) -> bool:
    """Return whether a library is truncated: it ends before the end of its section table, which comes last."""
    start, size, count = (int.from_bytes(content[slice(*span)], "little") for span in ((40, 48), (58, 60), (60, 62)))
    return content.startswith(_ELF_64) and start + size * count > len(content)


def _opened(content: bytes, functions: tuple[str, ...], cache: str | None) -> LoadedLibrary:
    """Load a library with its functions from a private copy of its bytes.

    The copy is a temporary file, or in the cache if temporary files may not be executed and nobody else can exchange
    the cache's folder between writing and loading; it is removed after loading.
    """
    failure: Any = None
    for parent in (None, os.path.realpath(cache)) if cache else (None,):
        try:
            if parent and not _is_fixed(parent):
                continue
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


def cache_folder() -> str | None:
    """Return the path of the cache folder, created if missing; None if it cannot be created, or others may write it.

    Its parents are not checked: another user who may rename it can replace it after this check, but each file is
    checked again when it is read.
    """
    folder = os.environ.get("SPECNET_CACHE")
    if not folder:
        base = os.environ.get("XDG_CACHE_HOME", "")
        if not os.path.isabs(base):  # the XDG specification requires that relative paths are ignored
            home = os.path.expanduser("~")
            if not (os.path.isabs(home) and os.path.isdir(home)):
                return None
            base = os.path.join(home, "Library/Caches" if sys.platform == "darwin" else ".cache")
        folder = os.path.join(base, "specnet")
    path = Path(os.path.abspath(folder))
    try:
        for each in (*reversed(path.parents), path):
            each.mkdir(0o700, exist_ok=True)
        status = path.lstat()
    except OSError:
        return None
    return str(path) if stat.S_ISDIR(status.st_mode) and _is_private(status) else None


def _is_private(status: os.stat_result) -> bool:
    """Return whether the user owns a file or folder and nobody else may write it."""
    return status.st_uid == os.geteuid() and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _is_fixed(folder: str) -> bool:
    """Return whether no other user can exchange the files in a folder, given its real path: all parents are checked."""
    found = [each.lstat() for each in (Path(folder), *Path(folder).parents)]
    return all(
        status.st_uid in (0, os.geteuid())
        and (status.st_mode & stat.S_ISVTX or not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH))
        for status in found
    )


def _entries(folder: str, key: str) -> list[str]:
    """Return the paths of a library's files in the cache; several if the compiler's output is not deterministic."""
    try:
        names = sorted(name for name in os.listdir(folder) if name.startswith(key) and _ENTRY.fullmatch(name))
    except OSError:
        return []
    return [os.path.join(folder, name) for name in names]


def _content(path: str) -> bytes:
    """Return the bytes of a file of the cache.

    Raises
    ------
    BuildError
        If others may write the file, or its bytes do not match the hash in its name.
    """
    with open(path, "rb") as file:
        is_private, content = _is_private(os.fstat(file.fileno())), file.read()
    if not is_private or not path.endswith(f"-{sha256(content).hexdigest()}.so"):
        raise BuildError(f"{path} is not a file that specnet has written")
    return content


def _store(folder: str, name: str, content: bytes) -> None:
    """Write a file into the cache, completely or not at all, and remove the oldest files beyond `MAX_ENTRIES`."""
    import time
    from shutil import rmtree
    from tempfile import gettempdir

    with private_folder(folder) as temporary:
        path = os.path.join(temporary, name)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
        os.replace(path, os.path.join(folder, name))
    for _, path in _by_age(folder, _ENTRY)[:-MAX_ENTRIES]:
        with suppress(OSError):
            os.unlink(path)
    for changed, path in _by_age(folder, _PRIVATE_FOLDER) + _by_age(gettempdir(), _PRIVATE_FOLDER):
        if changed < time.time() - MAX_AGE:
            rmtree(path, ignore_errors=True)


def _by_age(folder: str, pattern: re.Pattern[str]) -> list[tuple[float, str]]:
    """Return the time of change and the path of each of the user's files or folders with such names, oldest first."""
    found = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if pattern.fullmatch(entry.name):
                with suppress(FileNotFoundError):
                    status = entry.stat(follow_symlinks=False)
                    if status.st_uid == os.geteuid():
                        found.append((status.st_mtime, entry.path))
    return sorted(found)
