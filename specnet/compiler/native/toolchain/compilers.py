"""Find the C compiler and its version, and run it, in a process group that is ended when it takes too long."""

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
"""Seconds after which a compiler is ended: a hundred times what a long program takes, as machines may be busy."""
POLL_INTERVAL = 0.002
MAX_MESSAGE_LENGTH = 200
PRIVATE_FOLDER = "specnet-build-"
"""The beginning of a private folder's name."""


class BuildError(UnavailableError):
    """No library could be made: there is no compiler, it failed, or it took too long."""


class NoCompilerError(BuildError):
    """There is no compiler."""


@contextmanager
def private_folder(parent: str | None = None) -> Iterator[str]:
    """Make a folder that only the user may enter, for temporary files by default, and remove it afterwards.

    Not a `TemporaryDirectory`: a process that another thread forks meanwhile would remove it when it ends.
    """
    from shutil import rmtree
    from tempfile import mkdtemp

    folder = mkdtemp(prefix=PRIVATE_FOLDER, dir=parent)
    try:
        yield folder
    finally:
        rmtree(folder, ignore_errors=True)


def run_compiler(name: str, command: tuple[str, ...], text: str, folder: str) -> str:
    """Run a compiler that reads a text from standard input, and return what it prints.

    However this function ends, the compiler's process group ends with it.

    Parameters
    ----------
    name
        Of the compiler in messages.
    command
    text
    folder
        Where it may leave files.

    Raises
    ------
    BuildError
        If it does not start, fails, or takes longer than `TIME_LIMIT`.
    """
    import subprocess

    # Files instead of pipes: a process that another thread forks meanwhile would keep a pipe open.
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
    """Return the first error among a compiler's messages, without its location in a text that users do not see."""
    if code < 0:
        return f"it was ended by signal {-code}"
    lines = [line.strip() for line in answer.splitlines() if line.strip()]
    # The last step's failure is reported after its reason.
    errors = (
        line for line in lines if "error: " in line and "ld returned" not in line and "linker command" not in line
    )
    first = next(errors, lines[0] if lines else f"exit status {code}")
    found = re.search(r"(fatal )?error: .*", first)
    return (found[0] if found else first)[:MAX_MESSAGE_LENGTH]


_NAMES = ("cc", "gcc", "clang")


class Compiler(NamedTuple):
    """A compiler's name in messages, how it is started, and its file: path, size and time of change."""

    name: str
    command: tuple[str, ...]
    file: tuple[str, int, int]

    @property
    def identity(self) -> tuple[object, ...]:
        """A key that changes if another version is installed, also behind a wrapper whose file stays the same."""
        return self.command, self.file, _version_text(self)


def find_compiler() -> Compiler:
    """Return the first compiler that is installed; starts no process.

    Raises
    ------
    NoCompilerError
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
    """Return why nothing can be compiled here, None if there is a compiler; starts no process."""
    try:
        find_compiler()
    except NoCompilerError as error:
        return error
    return None


def compiler_name() -> str | None:
    """Return which compiler is used, such as ``gcc 12.4.0``; None if there is none."""
    try:
        compiler = find_compiler()
    except NoCompilerError:
        return None
    text = _version_text(compiler)
    # GCC begins with the name of its command, and has a distribution's version in parentheses.
    name = "gcc" if "Free Software Foundation" in text else "clang" if "clang" in text else compiler.name
    version = re.search(r"\d+(\.\d+)+", re.sub(r"\(.*?\)", "", text))
    return f"{name} {version[0]}" if version else name


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
    """Return what a compiler prints about its version, or nothing if it fails; it runs once in a process."""
    try:
        with private_folder() as folder:
            return run_compiler(compiler.name, (*compiler.command, "--version"), "", folder)
    except (BuildError, OSError):
        return ""
