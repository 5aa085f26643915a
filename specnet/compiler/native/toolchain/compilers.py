"""Which compiler there is, what tells its version from others, and how it runs.

It is a process that reads a text, is ended when it takes too long, and does not outlive its caller.
"""

from __future__ import annotations

import os
import re
import signal
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from specnet.compiler.backend import UnavailableError
from specnet.compiler.native.toolchain.library_cache import private_folder

if TYPE_CHECKING:
    import subprocess

__all__ = ["Compiler", "compiler_name", "find_compiler", "missing"]


CPU_LIMIT = 60
"""Seconds of a processor's time after which a compiler is ended: a busy machine does not make it fail."""
WAITING_LIMIT = 600.0
"""Seconds after which one is ended that hangs without computing."""

_POLL = 0.002
_LONGEST_MESSAGE = 200
_NOT_STARTED = (126, 127)
"""Exit statuses of a shell whose command is not found or cannot be executed."""
_SIGNALLED = 128
"""What a shell adds to the number of the signal that has ended its command."""
_OUT_OF_TIME = re.compile("cpu ?time limit exceeded", re.IGNORECASE)
"""What compilers say, in the words of the system, of a process of theirs that has reached the limit."""

# The compiler's processes are a group. The group is killed as soon as nobody holds the other end of standard input:
# that is this process alone, however it ends.
_SCRIPT = """
ulimit -S -t "$1" 2>/dev/null
source=$2
shift 2
exec 3<&0
{ read -r _ <&3; kill -9 0; } &
"$@" <"$source" 3<&-
code=$?
kill -9 $!
wait $! 2>/dev/null
exit $code
"""

_links: set[int] = set()
"""The ends that this process holds of running compilers' standard input."""


def _release(link: int) -> None:
    if link in _links:
        _links.remove(link)
        os.close(link)


def _release_all() -> None:
    for link in [*_links]:
        _release(link)


if hasattr(os, "register_at_fork"):
    # A new process would keep the compilers of its parent alive.
    os.register_at_fork(after_in_child=_release_all)


class BuildError(UnavailableError):
    """No library could be made: there is no compiler, it failed, or it took too long."""


class NoCompilerError(BuildError):
    """There is no compiler."""


def run_compiler(name: str, command: tuple[str, ...], text: str, folder: str) -> str:
    """Run a compiler that reads a text from standard input, and return what it prints.

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
        If it does not start, fails, computes for longer than `CPU_LIMIT`, or hangs.
    """
    import subprocess

    # Files instead of pipes: a process that another thread forks meanwhile would keep a pipe open.
    source, messages = (os.path.join(folder, name) for name in ("source", "messages"))
    with open(source, "wb") as written:
        written.write(text.encode())
    process = None
    with open(messages, "w+b") as printed:
        theirs, ours = os.pipe()
        _links.add(ours)
        try:
            process = subprocess.Popen(
                ["/bin/sh", "-c", _SCRIPT, "sh", str(CPU_LIMIT), source, *command],
                stdin=theirs,
                stdout=printed,
                stderr=printed,
                env=os.environ | {"LC_ALL": "C", "TMPDIR": folder},
                start_new_session=True,  # a process group of its own, which can be killed as a whole
            )
            _wait(name, process)
        except OSError as error:
            raise BuildError(f"{name} does not start: {error.strerror}") from error
        finally:
            os.close(theirs)
            if process is not None and process.poll() is None:
                with suppress(ProcessLookupError, PermissionError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
            _release(ours)
        printed.seek(0)
        answer = printed.read(2**20).decode(errors="replace")
    code = process.returncode
    if code and (code == _SIGNALLED + signal.SIGXCPU or _OUT_OF_TIME.search(answer)):
        raise BuildError(f"{name} was ended after {CPU_LIMIT} s of CPU time")
    if code in _NOT_STARTED:
        raise BuildError(f"{name} does not start: {_first_error(answer, code)}")
    if code:
        raise BuildError(f"{name} failed: {_first_error(answer, code)}")
    return answer


def _wait(name: str, process: subprocess.Popen[bytes]) -> None:
    """Wait for the end of a process.

    Raises
    ------
    BuildError
        If it hangs.
    """
    import time

    end = time.monotonic() + WAITING_LIMIT
    while process.poll() is None:
        if time.monotonic() > end:
            raise BuildError(f"{name} did not end within {WAITING_LIMIT:g} s")
        time.sleep(_POLL)


def _first_error(answer: str, code: int) -> str:
    """Return the first line that tells what is wrong, without the place in a text that nobody sees."""
    number = -code if code < 0 else code - _SIGNALLED
    if number > 0:
        return f"it was ended by signal {number}"
    lines = [line.strip() for line in answer.splitlines() if line.strip()]
    # The last step's failure is reported after its reason.
    errors = (
        line for line in lines if "error: " in line and "ld returned" not in line and "linker command" not in line
    )
    first = next(errors, lines[0] if lines else f"exit status {code}")
    found = re.search(r"(fatal )?error: .*", first)
    return (found[0] if found else first)[:_LONGEST_MESSAGE]


_NAMES = ("cc", "gcc", "clang")


class Compiler(NamedTuple):
    """A compiler's name in messages, how it is started, and its file: path, size and time of change."""

    name: str
    command: tuple[str, ...]
    file: tuple[str, int, int]

    @property
    def identity(self) -> tuple[object, ...]:
        """What changes if another version is installed, also behind a wrapper whose file stays the same."""
        return self.command, self.file, _said(self)

    @property
    def described(self) -> str:
        """The compiler with its version, such as ``gcc 12.4.0``."""
        said = _said(self)
        # GCC puts its name as it was called first, and a distribution's version into parentheses.
        name = "gcc" if "Free Software Foundation" in said else "clang" if "clang" in said else self.name
        version = re.search(r"\d+(\.\d+)+", re.sub(r"\(.*?\)", "", said))
        return f"{name} {version[0]}" if version else name


def find_compiler() -> Compiler:
    """Return the first compiler that is installed; starts no process.

    Raises
    ------
    NoCompilerError
    """
    if os.name == "nt":
        raise NoCompilerError("Windows is not supported")
    from shutil import which

    wanted = os.environ.get("CC", "").strip()
    for arguments in ([_split(wanted)] if wanted else []) + [[name] for name in _NAMES]:
        if path := which(arguments[0]):
            name = " ".join([os.path.basename(arguments[0]), *arguments[1:]])
            return Compiler(name, (os.path.abspath(path), *arguments[1:]), _file(path))

    from importlib.util import find_spec

    # Not `python -m ziglang`, which would look for modules in the working folder first.
    package = find_spec("ziglang")
    zig = which(os.path.join(os.path.dirname(package.origin), "zig")) if package and package.origin else None
    if zig:
        return Compiler("zig cc", (os.path.abspath(zig), "cc"), _file(zig))
    names = [*([wanted] if wanted else []), *_NAMES]
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
        return find_compiler().described
    except NoCompilerError:
        return None


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
def _said(compiler: Compiler) -> str:
    """Return what a compiler says of its version, nothing if it says nothing; asked once by a process."""
    try:
        with private_folder() as folder:
            return run_compiler(compiler.name, (*compiler.command, "--version"), "", folder)
    except (BuildError, OSError):
        return ""
