"""A compiler as a process: it reads a text, is ended when it takes too long, and does not outlive its caller."""

from __future__ import annotations

import os
import re
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from specnet.compiler.backend import UnavailableError

TIME_LIMIT = 60.0
"""Seconds after which a compiler is ended."""

_POLL = 0.002
_LONGEST_MESSAGE = 200


class BuildError(UnavailableError):
    """No library could be made: there is no compiler, it failed, or it took too long."""


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
        If it does not start, fails, or takes longer than `TIME_LIMIT`.
    """
    import subprocess
    import time

    # Files instead of pipes: a process that another thread forks meanwhile would keep a pipe open.
    source, messages = (os.path.join(folder, name) for name in ("source", "messages"))
    process = None
    with open(source, "w+b") as read, open(messages, "w+b") as printed:
        read.write(text.encode())
        read.seek(0)
        try:
            with _uninterrupted():
                process = subprocess.Popen(
                    command,
                    stdin=read,
                    stdout=printed,
                    stderr=printed,
                    env=os.environ | {"LC_ALL": "C", "TMPDIR": folder},
                    start_new_session=True,  # a process group of its own, which can be killed as a whole
                )
            end = time.monotonic() + TIME_LIMIT
            while process.poll() is None:
                if time.monotonic() > end:
                    raise BuildError(f"{name} did not end within {TIME_LIMIT:g} s")
                time.sleep(_POLL)
        except OSError as error:
            raise BuildError(f"{name} does not start: {error.strerror}") from error
        finally:
            if process is not None and process.poll() is None:
                _kill(process.pid)
                process.wait()
        printed.seek(0)
        answer = printed.read(2**20).decode(errors="replace")
    if process.returncode:
        raise BuildError(f"{name} failed: {_first_error(answer, process.returncode)}")
    return answer


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Let Ctrl-C wait: one that came while a process starts would leave it without anybody who knows it."""
    handler = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(handler):
        yield
        return
    waiting: list[tuple[int, FrameType | None]] = []
    signal.signal(signal.SIGINT, lambda *arguments: waiting.append(arguments))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
        if waiting:
            handler(*waiting[0])


def _kill(group: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


def _first_error(answer: str, code: int) -> str:
    """Return the first line that tells what is wrong, without the place in a text that nobody sees."""
    if code < 0:
        return f"it was ended by signal {-code}"
    lines = [line.strip() for line in answer.splitlines() if line.strip()]
    # The last step's failure is reported after its reason.
    errors = (
        line for line in lines if "error: " in line and "ld returned" not in line and "linker command" not in line
    )
    first = next(errors, lines[0] if lines else f"exit status {code}")
    found = re.search(r"(fatal )?error: .*", first)
    return (found[0] if found else first)[:_LONGEST_MESSAGE]
