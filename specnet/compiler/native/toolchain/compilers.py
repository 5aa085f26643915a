"""Functions that find the C compiler and its version, and run it in a process group with a time limit."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from typing import NamedTuple

from specnet.compiler.lowering import UnavailableError

__all__ = ["Compiler", "compiler_name", "find_compiler", "missing"]


TIME_LIMIT = 300.0
"""Seconds after which a compiler is ended: a hundred times the time of a long program, since machines may be busy."""
POLL_INTERVAL = 0.002
MAX_MESSAGE_LENGTH = 200
PRIVATE_FOLDER = "specnet-build-"
"""The beginning of a private folder's name."""


class BuildError(UnavailableError):
    """Raised if no library can be made: there is no compiler, it fails, or it takes too long."""


class NoCompilerError(BuildError):
    """Raised if there is no compiler."""


@contextmanager
def private_folder(parent: str | None = None) -> Iterator[str]:
    """Yield the path of a new folder that only the user may enter, and remove it afterwards.

    It is in `parent`; default: the folder for temporary files. A `TemporaryDirectory` does not work here: a process
    that another thread forks in the meantime would remove it at its end.
    """
    from shutil import rmtree
    from tempfile import mkdtemp

    folder = mkdtemp(prefix=PRIVATE_FOLDER, dir=parent)
    try:
        yield folder
    finally:
        rmtree(folder, ignore_errors=True)


def run_compiler(name: str, command: tuple[str, ...], text: str, folder: str) -> str:
    """Run a compiler with a text as its standard input, and return its output.

    The compiler's process group ends with this function, also after an error.

    Parameters
    ----------
    name
        Name of the compiler for messages.
    command
        Command line of the compiler.
    text
        Standard input.
    folder
        Folder for its temporary files.

    Raises
    ------
    BuildError
        If it does not start, fails, or takes longer than `TIME_LIMIT`.
    """
    import subprocess

    # Files instead of pipes: a process that another thread forks in the meantime would leave a pipe open.
    source, messages = (os.path.join(folder, each) for each in ("source", "messages"))
    with open(source, "w+b") as given, open(messages, "w+b") as printed:
        given.write(text.encode())
        given.seek(0)
        variables = os.environ | {"LC_ALL": "C", "TMPDIR": folder}
        process, begin = None, time.monotonic()
        try:
            process = subprocess.Popen(
                command, stdin=given, stdout=printed, stderr=printed, env=variables, start_new_session=True
            )
            while process.poll() is None:
                if time.monotonic() - begin > TIME_LIMIT:
                    raise BuildError(f"{name} did not end within {TIME_LIMIT:g} s")
                time.sleep(POLL_INTERVAL)
        except OSError as error:
            raise BuildError(f"{name} does not start: {error.strerror}") from error
        finally:
            if process is not None and process.poll() is None:
                with suppress(ProcessLookupError, PermissionError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        printed.seek(0)
        answer = printed.read(2**20).decode(errors="replace")
    if process.returncode:
        raise BuildError(f"{name} failed: {_first_error(answer, process.returncode)}")
    return answer


def _first_error(answer: str, code: int) -> str:
    """Return the first error in a compiler's output, without its location, since users do not see the C code."""
    if code < 0:
        return f"it was ended by signal {-code}"
    lines = [line.strip() for line in answer.splitlines() if line.strip()]
    # Messages of the linker about its own failure follow the reason.
    errors = (
        line for line in lines if "error: " in line and "ld returned" not in line and "linker command" not in line
    )
    first = next(errors, lines[0] if lines else f"exit status {code}")
    found = re.search(r"(fatal )?error: .*", first)
    return (found[0] if found else first)[:MAX_MESSAGE_LENGTH]


_NAMES = ("cc", "gcc", "clang")


class Compiler(NamedTuple):
    """A compiler: its name in messages, its command, and its file as path, size and time of last change."""

    name: str
    command: tuple[str, ...]
    file: tuple[str, int, int]

    @property
    def identity(self) -> tuple[object, ...]:
        """A key that changes if another version is installed, even if the file is a wrapper that does not change."""
        return self.command, self.file, _version_text(self)


def find_compiler() -> Compiler:
    """Return the first installed compiler; starts no process.

    Raises
    ------
    NoCompilerError
        If no compiler is installed, or the environment variable CC is invalid.
    """
    if os.name == "nt":
        raise NoCompilerError("Windows is not supported")
    from shutil import which

    requested = os.environ.get("CC", "").strip()
    for arguments in ([_split(requested)] if requested else []) + [[name] for name in _NAMES]:
        if path := which(arguments[0]):
            name = " ".join([os.path.basename(arguments[0]), *arguments[1:]])
            return Compiler(name, (os.path.abspath(path), *arguments[1:]), _file(path))

    from importlib.util import find_spec

    # Not `python -m ziglang`, which would look for modules in the working folder first.
    package = find_spec("ziglang")
    zig = which(os.path.join(os.path.dirname(package.origin), "zig")) if package and package.origin else None
    if zig:
        return Compiler("zig cc", (os.path.abspath(zig), "cc"), _file(zig))
    names = [*([requested] if requested else []), *_NAMES]
    raise NoCompilerError(f"no C compiler was found: {', '.join(names[:-1])} and {names[-1]} are not on the PATH")


def missing() -> NoCompilerError | None:
    """Return the error of `find_compiler`, or None if there is a compiler; starts no process."""
    try:
        find_compiler()
    except NoCompilerError as error:
        return error
    return None


def compiler_name() -> str | None:
    """Return the name and version of the compiler, such as ``gcc 12.4.0``; None if there is no compiler."""
    try:
        compiler = find_compiler()
    except NoCompilerError:
        return None
    text = _version_text(compiler)
    # GCC has a distribution's version in parentheses.
    name = "gcc" if is_gcc(compiler) else "clang" if "clang" in text else compiler.name
    version = re.search(r"\d+(\.\d+)+", re.sub(r"\(.*?\)", "", text))
    return f"{name} {version[0]}" if version else name


def is_gcc(compiler: Compiler) -> bool:
    """Return whether a compiler is GCC, whose version begins with the name of its command, such as cc."""
    return "Free Software Foundation" in _version_text(compiler)


def _split(command: str) -> list[str]:
    from shlex import split

    try:
        return split(command)
    except ValueError as error:
        message = f"the environment variable CC is not a valid command: {str(error).lower()}"
        raise NoCompilerError(message) from error


def _file(path: str) -> tuple[str, int, int]:
    try:
        status = os.stat(path)
    except OSError as error:
        raise NoCompilerError(f"{path} cannot be read: {error.strerror}") from error
    return os.path.abspath(path), status.st_size, status.st_mtime_ns


@cache
def _version_text(compiler: Compiler) -> str:
    """Return the output of a compiler's ``--version``, or an empty text if it fails; cached in the process."""
    try:
        with private_folder() as folder:
            return run_compiler(compiler.name, (*compiler.command, "--version"), "", folder)
    except (BuildError, OSError):
        return ""
