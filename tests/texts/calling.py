"""A command line within this process."""

from __future__ import annotations

import contextlib
import io
import json
import signal
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from specnet.cli import main


@dataclass(frozen=True)
class Ended:
    """How a command ended: its exit status, standard output and standard error."""

    status: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)

    def ok(self) -> Ended:
        """Check that it succeeded."""
        assert self.status == 0, self.err
        return self

    def failed(self, status: int, start: str = "") -> str:
        """Check that it failed without a result, and return its message, which begins so."""
        assert (self.status, self.out) == (status, ""), self.err
        assert self.err.startswith(start), self.err
        return self.err

    def went(self) -> str:
        """Check that it succeeded without any message, and return its result."""
        assert (self.status, self.err) == (0, "")
        return self.out


@contextlib.contextmanager
def own_signals() -> Iterator[None]:
    """Restore this process's handlers of signals, which `main` sets for a process of its own."""
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGALRM), sys.unraisablehook
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before[0])
        signal.signal(signal.SIGALRM, before[1])
        sys.unraisablehook = before[2]


def called(*arguments: str | Path, stdout: IO[Any] | None = None, stderr: IO[Any] | None = None) -> Ended:
    """Run a command, and return how it ended; streams that are given get its output in place of the result."""
    out, err = io.TextIOWrapper(io.BytesIO(), "utf-8"), io.StringIO()
    streams = contextlib.redirect_stdout(stdout or out), contextlib.redirect_stderr(stderr or err)
    with streams[0], streams[1], warnings.catch_warnings(), own_signals():
        warnings.simplefilter("default")
        try:
            main([str(argument) for argument in arguments])
        except SystemExit as ended:
            status = ended.code
    assert isinstance(status, int)
    out.flush()
    return Ended(status, out.buffer.getvalue().decode(), err.getvalue())
