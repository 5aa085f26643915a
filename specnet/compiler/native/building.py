"""From C text to a loaded library, compiled once and then taken from the user's cache.

An entry of the cache is one file, ``<key>-<SHA-256 of its bytes>.so``. The key is made from everything that decides
what the bytes are: the text, the flags, the compiler and the CPU. A library is code that runs with all rights of the
user. So an entry is loaded only if it and the cache's folder belong to the user, nobody else may write them, and its
bytes are those that its name says.

Without a cache that can be trusted and written, a library is compiled in a private folder, loaded and removed.
"""

from __future__ import annotations

import ctypes
import os
import re
import stat
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from hashlib import sha256
from typing import NamedTuple

from specnet.compiler.native.running import BuildError, run_compiler
from specnet.compiler.native.target import Target, cpu_identity, native_target

__all__ = ["BuildError", "compiler_name", "library", "missing", "unusable"]

MOST_ENTRIES = 200
ABANDONED = 3600.0
"""Seconds after which a temporary file can only be that of a killed process."""

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
_COMPILERS = ("cc", "gcc", "clang")
_ENTRY = re.compile(r"[0-9a-f]{64}-[0-9a-f]{64}\.so")
_TEMPORARY_PREFIX, _TEMPORARY_SUFFIX = ".specnet-", ".tmp"
_TEMPORARY = re.compile(r"\.specnet-\w+\.tmp")
_FOLDER_PREFIX = "specnet-build-"
_FOLDER = re.compile(r"specnet-build-\w+")

_loaded: dict[str, ctypes.CDLL] = {}
_failed: dict[str, str] = {}
"""Why a library could not be made: a compiler that hangs costs its time once."""
_locks: dict[str, threading.Lock] = {}
"""A lock for each key, as threads often need the same library at once, and may compile others side by side."""

if hasattr(os, "register_at_fork"):
    # In a new process, the threads that hold locks do not exist.
    os.register_at_fork(after_in_child=_locks.clear)


class _Compiler(NamedTuple):
    """A compiler's name in messages, how it is started, and what changes if another version is installed."""

    name: str
    command: tuple[str, ...]
    version: tuple[str, int, int]


def library(text: str, target: Target | None = None) -> ctypes.CDLL:
    """Return the library of a C text, from this process, from the cache, or compiled.

    Parameters
    ----------
    text : str
        The C source, which includes nothing but standard headers.
    target : Target, optional
        CPU to compile for; default: this machine's.

    Raises
    ------
    BuildError
        If there is no compiler, if it fails or takes longer than 60 s, or if its library cannot be loaded.
    """
    compiler = _compiler()
    flags = (*_FLAGS, *(target or native_target()).flags)
    key = sha256(repr((text, flags, compiler, cpu_identity())).encode()).hexdigest()
    with _locks.setdefault(key, threading.Lock()):
        if key in _failed:
            raise BuildError(_failed[key])
        if key not in _loaded:
            folder = _cache_folder()
            cached = folder and _cached(folder, key)
            try:
                _loaded[key] = cached or _built(text, compiler, flags, folder, key)
            except BuildError as error:
                _failed[key] = str(error)
                raise
        return _loaded[key]


def missing() -> str | None:
    """Return why nothing can be compiled here, None if there is a compiler; starts no process."""
    try:
        _compiler()
    except BuildError as error:
        return str(error)
    return None


def unusable() -> str | None:
    """Return why nothing can be compiled here, None if a small library can."""
    try:
        library("#include <math.h>\n#include <stdint.h>\n#include <string.h>\n")
    except BuildError as error:
        return str(error)
    return None


def compiler_name() -> str | None:
    """Return which compiler is used, such as ``gcc 12.4.0``; None if there is none."""
    try:
        return _described(_compiler())
    except BuildError:
        return None


@cache
def _described(compiler: _Compiler) -> str:
    try:
        with _private_folder() as folder:
            answer = run_compiler(compiler.name, (*compiler.command, "--version"), "", folder)
    except (BuildError, OSError):
        return compiler.name
    # GCC puts its name as it was called first, and a distribution's version into parentheses.
    name = "gcc" if "Free Software Foundation" in answer else "clang" if "clang" in answer else compiler.name
    version = re.search(r"\d+(\.\d+)+", re.sub(r"\(.*?\)", "", answer))
    return f"{name} {version[0]}" if version else name


# ------------------------------------------------------------------------------------------------------- compilers


def _compiler() -> _Compiler:
    """Return the first compiler that is installed."""
    if os.name == "nt":
        raise BuildError("Windows is not supported")
    from shutil import which

    wanted = os.environ.get("CC", "").strip()
    for arguments in ([_split(wanted)] if wanted else []) + [[name] for name in _COMPILERS]:
        if path := which(arguments[0]):
            name = " ".join([os.path.basename(arguments[0]), *arguments[1:]])
            return _Compiler(name, (os.path.abspath(path), *arguments[1:]), _version(path))

    from importlib.util import find_spec

    zig = find_spec("ziglang")
    if zig and zig.origin and sys.executable:
        return _Compiler("zig cc", (sys.executable, "-m", "ziglang", "cc"), _version(zig.origin))
    names = [*([wanted] if wanted else []), *_COMPILERS]
    raise BuildError(f"no C compiler was found: {', '.join(names[:-1])} and {names[-1]} are not on the PATH")


def _split(command: str) -> list[str]:
    from shlex import split

    try:
        return split(command)
    except ValueError as error:
        raise BuildError(f"the environment variable CC is not a valid command: {str(error).lower()}") from error


def _version(path: str) -> tuple[str, int, int]:
    try:
        status = os.stat(path)
    except OSError as error:
        raise BuildError(f"{path} cannot be read: {error.strerror}") from error
    return os.path.abspath(path), status.st_size, status.st_mtime_ns


@contextmanager
def _private_folder() -> Iterator[str]:
    """Make a folder that nobody else may enter, and remove it.

    Not a `TemporaryDirectory`: a process that another thread forks meanwhile would remove it when it ends.
    """
    from shutil import rmtree
    from tempfile import mkdtemp

    folder = mkdtemp(prefix=_FOLDER_PREFIX)
    try:
        yield folder
    finally:
        rmtree(folder, ignore_errors=True)


def _compiled(text: str, compiler: _Compiler, flags: tuple[str, ...], folder: str) -> str:
    """Compile a text in a private folder, and return the library's path."""
    path = os.path.join(folder, "library.so")
    run_compiler(compiler.name, (*compiler.command, *flags, "-x", "c", "-", "-o", path, "-lm"), text, folder)
    if not os.path.isfile(path):
        raise BuildError(f"{compiler.name} wrote no library")
    return path


# ----------------------------------------------------------------------------------------------------------- cache


def _built(text: str, compiler: _Compiler, flags: tuple[str, ...], cache_folder: str | None, key: str) -> ctypes.CDLL:
    """Compile and load a library, from the cache if it can be put there."""
    try:
        with _private_folder() as folder:
            path = _compiled(text, compiler, flags, folder)
            if cache_folder:
                with suppress(OSError):  # read-only, or full
                    _store(path, cache_folder, key)
                    _tidy(cache_folder)
                if cached := _cached(cache_folder, key):
                    return cached
            return ctypes.CDLL(path)
    except OSError as error:
        raise BuildError(f"the compiled library cannot be written or loaded: {error}") from error


def _cache_folder() -> str | None:
    """Return the cache's folder, made if it is missing; None if it cannot be made, or others could write there."""
    folder = os.environ.get("SPECNET_CACHE")
    if not folder:
        base = os.environ.get("XDG_CACHE_HOME", "")
        if not os.path.isabs(base):  # the XDG specification has relative ones ignored
            home = os.path.expanduser("~")
            if not (os.path.isabs(home) and os.path.isdir(home)):
                return None
            base = os.path.join(home, "Library/Caches" if sys.platform == "darwin" else ".cache")
        folder = os.path.join(base, "specnet")
    folder = os.path.abspath(folder)
    try:
        os.makedirs(folder, 0o700, exist_ok=True)
        status = os.lstat(folder)
    except OSError:
        return None
    return folder if stat.S_ISDIR(status.st_mode) and _belongs_to_user(status) else None


def _belongs_to_user(status: os.stat_result) -> bool:
    """Return whether the user owns a file or folder that nobody else may write."""
    return status.st_uid == os.geteuid() and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _cached(folder: str, key: str) -> ctypes.CDLL | None:
    """Load an entry of the cache, or remove it if it is not what was written."""
    try:
        names = sorted(name for name in os.listdir(folder) if name.startswith(key) and _ENTRY.fullmatch(name))
    except OSError:
        return None
    for path in (os.path.join(folder, name) for name in names):
        with suppress(OSError):
            if _is_whole(path):
                found = ctypes.CDLL(path)
                with suppress(OSError):
                    os.utime(path)  # it was used: others are removed first
                return found
        with suppress(OSError):
            os.unlink(path)
    return None


def _is_whole(path: str) -> bool:
    """Return whether an entry is a file of the user with the bytes that its name says."""
    # A pipe would wait for a writer.
    with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
        status = os.fstat(file.fileno())
        if not (stat.S_ISREG(status.st_mode) and _belongs_to_user(status)):
            return False
        return path.endswith(f"-{sha256(file.read()).hexdigest()}.so")


def _store(library_path: str, folder: str, key: str) -> None:
    """Put a library into the cache, whole or not at all."""
    from tempfile import mkstemp

    with open(library_path, "rb") as file:
        content = file.read()
    descriptor, temporary = mkstemp(_TEMPORARY_SUFFIX, _TEMPORARY_PREFIX, folder)
    try:
        with open(descriptor, "wb") as file:
            file.write(content)
        os.replace(temporary, os.path.join(folder, f"{key}-{sha256(content).hexdigest()}.so"))
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise


def _tidy(folder: str) -> None:
    """Remove the least recently used entries, and what killed processes have left."""
    import time
    from shutil import rmtree
    from tempfile import gettempdir

    for _, path in _by_age(folder, _ENTRY)[:-MOST_ENTRIES]:
        with suppress(OSError):
            os.unlink(path)
    newest = time.time() - ABANDONED
    for changed, path in _by_age(folder, _TEMPORARY):
        if changed < newest:
            with suppress(OSError):
                os.unlink(path)
    for changed, path in _by_age(gettempdir(), _FOLDER):
        if changed < newest:
            rmtree(path, ignore_errors=True)


def _by_age(folder: str, pattern: re.Pattern[str]) -> list[tuple[float, str]]:
    """Return the user's files or folders with such names, and when each was changed; oldest first."""
    found = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if pattern.fullmatch(entry.name):
                with suppress(FileNotFoundError):
                    status = entry.stat(follow_symlinks=False)
                    if status.st_uid == os.geteuid():
                        found.append((status.st_mtime, entry.path))
    return sorted(found)
