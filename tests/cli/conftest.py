"""The command line, called within the tests' process or as one of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from specnet.cli import main

COMMAND = [sys.executable, "-c", "from specnet.cli import main; main()"]

MOONS = """\
name = "moons"
[data]
type = "make_moons"
n_samples = 60
noise = 0.2
[network]
layer_sizes = [2, 5, 1]
[training]
loss = "binary_crossentropy"
epochs = 20
metrics = ["accuracy"]
"""


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    status: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)


Specnet = Callable[..., Ended]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with a small spec in it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    (tmp_path / "moons.toml").write_text(MOONS, encoding="utf-8")
    return tmp_path


@contextmanager
def own_signals() -> Iterator[None]:
    """Give this process back how it took signals: `main` is the last thing in a process otherwise."""
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGALRM), sys.unraisablehook
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before[0])
        signal.signal(signal.SIGALRM, before[1])
        sys.unraisablehook = before[2]


@pytest.fixture
def specnet(folder: Path, capsys: pytest.CaptureFixture[str]) -> Specnet:
    """Run a command within this process."""

    def run(*arguments: str | Path) -> Ended:
        with own_signals(), pytest.raises(SystemExit) as ending:
            main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        assert isinstance(ending.value.code, int)
        return Ended(ending.value.code, out, err)

    return run


def environment(**changes: str) -> dict[str, str]:
    """Return this process's environment without what decides on colour, and with the changes."""
    kept = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR", "COLUMNS")}
    return {**kept, "TERM": "xterm-256color", **changes}


def take_interrupts() -> None:
    """In a child before its program starts: let it see Ctrl-C, which a shell hides from what runs behind it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def process(*arguments: str | Path, folder: Path, **changes: str) -> Ended:
    """Run a command as a process of its own."""
    ended = subprocess.run(
        [*COMMAND, *map(str, arguments)],
        cwd=folder,
        env=environment(**changes),
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )
    return Ended(ended.returncode, ended.stdout, ended.stderr)
