"""What runs exports on this machine, and the tests that need it."""

from __future__ import annotations

import contextlib
import io
import json
import os
import runpy
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from specnet import Model
from specnet.exporting import find_target
from specnet.exporting.export_proof import answers_of, probe_rows

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


FLAGS = ("-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Werror")
STRICT = ("-Wconversion", "-Wdouble-promotion", "-Wfloat-conversion", "-Wshadow")
SANITIZERS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")


def compiled(folder: Path, *flags: str) -> Path:
    """Compile all C files of a folder into one program, with the sanitizers that the compiler has."""
    for extra in (SANITIZERS, ()):
        sources = map(str, folder.glob("*.c"))
        command = [str(COMPILER), *FLAGS, *STRICT, *extra, *flags, *sources, "-o", str(folder / "run"), "-lm"]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        if not ended.returncode:
            return folder / "run"
        assert "san" in ended.stderr, ended.stderr
    raise AssertionError(ended.stderr)


def answers_of_c(folder: Path, main: str, given: bytes = b"") -> bytes:
    """Return what a program prints that is compiled of a folder's C files and a main one."""
    (folder / "main.c").write_text(main, encoding="utf-8")
    ended = subprocess.run([compiled(folder)], input=given, capture_output=True, check=False)
    assert not ended.returncode, ended.stderr.decode()
    return ended.stdout


def printed_by_node(script: str, folder: Path) -> Any:
    """Return the JSON that a module in a folder prints."""
    (folder / "run.mjs").write_text(script)
    ended = subprocess.run(
        [str(NODE), "run.mjs"], cwd=folder, env=PLAIN, capture_output=True, text=True, check=False, timeout=60
    )
    assert not ended.returncode, ended.stderr
    return json.loads(ended.stdout)


def probe(model: Model, target: str = "c") -> tuple[Any, int, np.ndarray]:
    """Return the rows on which an export is compared, how many of them are ordinary, and the model's outputs."""
    program = find_target(target).program(model, model.network.dtype)
    rows, ordinary = probe_rows(program)
    return rows, ordinary, answers_of(program, rows).outputs


def run_export(target: str, model: Model, path: Path, rows: Any) -> Any:
    """Return what a file that a model was exported to answers about raw rows."""
    kind = find_target(target)
    return kind.run(kind.program(model, model.network.dtype), path, rows)


def render(model: Model, path: Path, target: str = "c") -> dict[str, str]:
    """Write an export that is compared with its model elsewhere, and return its files' texts by name."""
    kind = find_target(target)
    files = kind.render(kind.program(model, model.network.dtype), path)
    for each, content in files.items():
        each.write_bytes(content)
    return {each.name: content.decode(errors="replace") for each, content in files.items()}


@pytest.fixture
def change(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return a function that changes what a method of a target returns, seeing that and the method's arguments."""

    def change(target: str, method: str, changed: Callable[..., Any]) -> None:
        kind = type(find_target(target))
        right = getattr(kind, method)
        monkeypatch.setattr(kind, method, lambda self, *given: changed(right(self, *given), *given))

    return change


def each_target(test: Any) -> Any:
    """Run a test, which takes long, with each target that expresses any network and can be run here."""
    return pytest.mark.slow(pytest.mark.parametrize("target", RUNNABLE)(test))


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
