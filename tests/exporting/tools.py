"""What runs exports on this machine, and the tests that need it."""

from __future__ import annotations

import contextlib
import io
import os
import runpy
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

COMPILER = next((found for name in ("cc", "gcc", "clang") if (found := shutil.which(name))), None)
NODE = shutil.which("node")
needs_compiler = pytest.mark.skipif(COMPILER is None, reason="there is no C compiler")
needs_node = pytest.mark.skipif(NODE is None, reason="there is no node")
PLAIN = {name: value for name, value in os.environ.items() if name != "FORCE_COLOR"} | {"NO_COLOR": "1"}
"""An environment in which node prints without colours."""

PEER = (pytest.mark.peers, pytest.mark.filterwarnings("ignore::DeprecationWarning"))
"""Marks of what needs Keras and PyTorch, whose own warnings are theirs."""


def peers(test: Any) -> Any:
    for mark in PEER:
        test = mark(test)
    return test


LIBRARIES = {"sklearn": ".skops", "torch": ".py", "keras": ".keras"}
SUFFIXES = {"numpy": ".py", "c": ".c", "javascript": ".js", "onnx": ".onnx"}
"""Of the targets that say any network."""
RUNNABLE = ["numpy", pytest.param("c", marks=needs_compiler), pytest.param("javascript", marks=needs_node), "onnx"]


def as_program(path: Path, *arguments: Path, given: bytes = b"") -> tuple[str, str]:
    """What a Python file prints and what it ends with, run as a program in this process, with a standard input."""
    printed, refusal, kept = io.StringIO(), "", os.dup(0)
    with tempfile.TemporaryFile() as file, pytest.MonkeyPatch.context() as patch:
        file.write(given)
        file.seek(0)
        os.dup2(file.fileno(), 0)
        patch.setattr(sys, "argv", list(map(str, [path, *arguments])))
        try:
            with contextlib.redirect_stdout(printed):
                runpy.run_path(str(path), run_name="__main__")
        except SystemExit as end:
            refusal = str(end)
        finally:
            os.dup2(kept, 0)
            os.close(kept)
    return printed.getvalue(), refusal
