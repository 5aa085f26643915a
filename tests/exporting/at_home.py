"""Exports run without a process for each, where it is not what is tested: NumPy's in this one, JavaScript's in one."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
import traceback
from base64 import b64decode, b64encode
from collections.abc import Iterator, Sequence
from subprocess import CompletedProcess
from types import SimpleNamespace
from typing import Any

import pytest

_TURN = threading.Lock()
"""Threads of a test wait for each other: arguments and output are those of the whole process."""


def _run_python(command: Sequence[str], **_: Any) -> CompletedProcess[str]:
    """Do what a Python of its own does with ``-c``, a script and its arguments."""
    script, *arguments = command[command.index("-c") + 1 :]
    try:
        with _TURN, pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(None):
            patch.setattr(sys, "argv", ["-c", *arguments])
            exec(script, {"__name__": "__main__"})
    except Exception:  # of any kind, as the process would end
        return CompletedProcess(command, 1, "", traceback.format_exc())
    return CompletedProcess(command, 0, "", "")


_SERVER = """
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const { readFileSync, writeFileSync } = fs;
let given, told;
fs.readFileSync = (file) => (file === 0 ? given : readFileSync(file));
fs.writeFileSync = (file, content) => (told[file] = Buffer.from(content).toString("base64"));
syncBuiltinESMExports();
for await (const line of createInterface({ input: process.stdin })) {
  const [command, input] = JSON.parse(line);
  [process.argv, given, told] = [command, Buffer.from(input, "base64"), ["", "", ""]];
  let status = 0;
  try {
    await import(pathToFileURL(command[1]));
  } catch (error) {
    status = 1;
    fs.writeFileSync(2, error.stack);
  }
  console.log(JSON.stringify([status, told[1], told[2]]));
}
"""


class Node:
    """A node that runs one script after the other; it starts with the first."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def run(self, command: Sequence[str], *, input: bytes, **_: Any) -> CompletedProcess[bytes]:
        """Do what a node of its own does with a script, its arguments and an input; of each path, only once."""
        with _TURN:
            if self._process is None:
                server = [command[0], "--input-type=module", "-e", _SERVER]
                self._process = subprocess.Popen(server, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            process = self._process
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(json.dumps([command, b64encode(input).decode()]) + "\n")
            process.stdin.flush()
            status, *told = json.loads(process.stdout.readline())
        return CompletedProcess(command, status, *map(b64decode, told))

    def end(self) -> None:
        if self._process is not None:
            with self._process as process:
                process.kill()


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    node = Node()
    yield node
    node.end()


@pytest.fixture(autouse=True)
def numpy_at_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("specnet.exporting.targets.numpy.subprocess", SimpleNamespace(run=_run_python))


@pytest.fixture(autouse=True)
def javascript_at_home(monkeypatch: pytest.MonkeyPatch, node: Node) -> None:
    monkeypatch.setattr("specnet.exporting.targets.javascript.subprocess", SimpleNamespace(run=node.run))
