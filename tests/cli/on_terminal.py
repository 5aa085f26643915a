"""The command line within the tests' process, on a terminal of its own."""

from __future__ import annotations

import os
import pty
import re
import struct
from collections.abc import Sequence
from contextlib import ExitStack, chdir, suppress
from dataclasses import dataclass
from fcntl import ioctl
from pathlib import Path
from termios import TIOCSWINSZ
from threading import Thread
from typing import IO
from unittest.mock import patch

from tests.texts.calling import called

CODES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
END = b"\0end\0"


@dataclass(frozen=True)
class Seen:
    """What a terminal got from a command, codes and all, and the command's exit status."""

    status: int
    text: str

    @property
    def plain(self) -> str:
        return CODES.sub("", self.text).replace("\r\n", "\n")


def opened(columns: int) -> tuple[int, int]:
    """Open a terminal of so many columns: return its end for who looks at it, and that for who writes."""
    master, slave = pty.openpty()
    ioctl(slave, TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    return master, slave


def read_until(master: int, last: bytes) -> bytes:
    """Return what is written up to these bytes, with what was read behind them."""
    printed = b""
    while last not in printed:
        printed += os.read(master, 65536)
    return printed


def read_all(master: int) -> bytes:
    """Return what is written until the last process that has the terminal lets it go."""
    printed = b""
    with suppress(OSError):
        while piece := os.read(master, 65536):
            printed += piece
    os.close(master)
    return printed


def on_terminal(
    arguments: Sequence[str | Path],
    folder: Path,
    columns: int = 100,
    encoding: str = "utf-8",
    stdout: IO[str] | None = None,
    stderr: IO[str] | None = None,
    **changes: str,
) -> Seen:
    """Run a command in a folder, with a terminal as both of its streams, or one of them, and some other environment.

    What is written to a terminal just before its last descriptor is closed may be lost, so that the terminal is closed
    only after the bytes that end it are read.
    """
    master, slave = opened(columns)
    printed: list[bytes] = []
    reader = Thread(target=lambda: printed.append(read_until(master, END)))
    reader.start()
    with chdir(folder), patch.dict(os.environ), ExitStack() as streams:
        for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS"):
            os.environ.pop(name, None)
        os.environ.update({"TERM": "xterm-256color", **changes})
        ends = [streams.enter_context(open(os.dup(slave), "w", 1, encoding)) for _ in range(2)]
        try:
            status = called(*arguments, stdout=stdout or ends[0], stderr=stderr or ends[1]).status
        finally:
            os.write(slave, END)
            reader.join()
            os.close(slave)
            os.close(master)
    return Seen(status, printed[0].removesuffix(END).decode())
