"""NumPy's exports are run in the process of the tests, where a process is not what is tested."""

from __future__ import annotations

import contextlib
import sys
import threading
import traceback
from collections.abc import Sequence
from subprocess import CompletedProcess
from types import SimpleNamespace
from typing import Any

import pytest

_TURN = threading.Lock()
"""Threads of a test wait for each other: arguments and output are those of the whole process."""


def _run(command: Sequence[str], **_: Any) -> CompletedProcess[str]:
    """Do what a Python of its own does with ``-c``, a script and its arguments."""
    script, *arguments = command[command.index("-c") + 1 :]
    try:
        with _TURN, pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(None):
            patch.setattr(sys, "argv", ["-c", *arguments])
            exec(script, {"__name__": "__main__"})
    except Exception:  # of any kind, as the process would end
        return CompletedProcess(command, 1, "", traceback.format_exc())
    return CompletedProcess(command, 0, "", "")


@pytest.fixture(autouse=True)
def numpy_at_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("specnet.exporting.targets.numpy.subprocess", SimpleNamespace(run=_run))
