"""The commands and snippets of README and documentation with their output, and how they are run.

A shell block with a text block behind it is a command with its output, as a terminal of 80 columns without colour shows
it: nothing else has to be said anywhere for a new one. What a page needs and does not show stands in a comment,
``<!-- sh: specnet run specs/moons.toml --quiet -->``. Each document is run in a folder of its own, with the specs and
nothing else. ``python -m tests.docs.outputs`` writes the outputs that differ, but for those that need Keras or PyTorch.
"""

from __future__ import annotations

import importlib
import os
import re
import shlex
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import chdir, contextmanager, redirect_stdout
from dataclasses import dataclass
from functools import cached_property
from io import StringIO
from itertools import pairwise
from multiprocessing import resource_tracker
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO
from unittest.mock import patch

from specnet.parts.registry import installed_registry
from tests.cli.on_terminal import Seen, on_terminal, opened, read_all

ROOT = Path(__file__).parents[2]
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$|^<!-- (sh): (.*?) -->$", re.MULTILINE | re.DOTALL)
SESSION = re.compile(r"^(?:\$|    to resume:) (.*)$", re.MULTILINE)
"""Commands of a session, and the one that it is told to go on with; nobody presses Ctrl-C here."""
TIME = re.compile(r" *\d+(\.\d+)? (s|ms|µs)\b| +time(?=   )")  # and the title above times, whose width varies
ERROR = re.compile(r"\b\d(\.\d)?e-1\d\b")  # rounding, of gradients and exports
VERSION = re.compile(r"\b(specnet|numpy|scikit-learn|Python) \d+(\.\d+)+")
PROGRESS = re.compile(r"^(?:member \d+ )?epoch (\d+)/(?!\1 )\d+ .*\n", re.MULTILINE)  # a slow machine's
ENDED = re.compile(r"(?:^seed\d+_fold\d+ .*\n)+", re.MULTILINE)  # in the order in which processes end
COLUMNS = 80
COMPARED = re.compile(r"(?<=   )(not compared|compared with)\b.*")  # a last digit, or a tool that is not here

PLAIN = r"specnet (?:'[^']*'|[^'|&;<>$`*?~(){}\\])*"
"""A command without anything that a shell would do."""
COMMAND = re.compile(rf"({PLAIN}?)(?: (2>&1|2>/dev/null)(?= \|))?(?: \| (.*))?")
"""Such a command, where its errors go, and what reads its output."""
INSTALLED = re.compile(rf"PYTHONPATH=(\w+) ({COMMAND.pattern})")
"""Such a command with packages of parts that are installed in a folder."""
LINE = re.compile(r".*<<'(\w+)'\n(?:.*\n)*?\1\n|.+\n?")
"""What a shell reads at once: a line, with the text that is for its command."""
PEERS = re.compile(r"--to (keras|torch)|^import (keras|torch|moons_torch)$", re.MULTILINE)
RUN = {"sh": "command", "python": "snippet", "js": "script"}
"""The languages of blocks that are run, and what they are called."""
STATED = {
    "python": re.compile(r"^ *print\(.*\)  # (.*)$", re.MULTILINE),
    "js": re.compile(r"^console\.log\(.*\); // (.*)$", re.MULTILINE),
}
"""What a line of a snippet prints, in its comment."""
BUILT = (
    "index.md",
    "examples/*.md",
    "tutorials/first_table.md",
    "how_to/distill.md",
    *(f"how_to/{name}.md" for name in ("rare_classes", "read_your_report", "serve", "time_series")),
)
NOT_RUN = re.compile(r"\bpytest\b|python -m tests\.|\.ci/run")
"""What would run the tests from within them, or for minutes."""


@dataclass(frozen=True)
class Document:
    """A page with commands and snippets.

    Attributes
    ----------
    path : Path
    """

    path: Path

    @property
    def name(self) -> str:
        """Its path in the repository."""
        return self.path.relative_to(ROOT).as_posix()

    @cached_property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    @cached_property
    def fences(self) -> list[tuple[str, str]]:
        """The language and the code of each block, in their order."""
        found = [match.groups() for match in FENCE.finditer(self.text)]
        return [(language or hidden, code if hidden is None else f"{told}\n") for language, code, hidden, told in found]

    def blocks(self, language: str) -> list[str]:
        """The code in fences of a language."""
        return [code for found, code in self.fences if found == language]

    def runnable(self) -> list[tuple[str, str]]:
        """The language and the code of each block that is run, and each command of a session, in their order."""
        found: list[tuple[str, str]] = []
        for language, code in self.fences:
            found += (
                [("sh", command) for command in SESSION.findall(code)] if language == "text" else [(language, code)]
            )
        return [(language, code) for language, code in found if language in RUN and not NOT_RUN.search(code)]

    def commands(self) -> list[str]:
        """Each shell block that is run, and each command of a session, in their order."""
        return [code for language, code in self.runnable() if language == "sh"]

    def commands_and_output(self) -> list[tuple[str, str | None]]:
        """Each shell block that is run, with the text block that follows it, if one does."""
        return [
            (code, after if following == "text" else None)
            for (language, code), (following, after) in pairwise([*self.fences, ("", "")])
            if language == "sh" and not NOT_RUN.search(code)
        ]


def documents() -> list[Document]:
    """README, CONTRIBUTING and every page of the documentation that is written by hand, in their order.

    Those that the build of the site runs are left out.
    """
    pages = sorted({*(ROOT / "docs").glob("*/*.md")} - {document.path for document in built_documents()})
    return [Document(path) for path in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *pages]]


def built_documents() -> list[Document]:
    """Pages whose commands the build of the site runs, since it shows the reports that they write."""
    paths = sorted(path for pattern in BUILT for path in (ROOT / "docs").glob(pattern))
    return [document for document in map(Document, paths) if document.commands()]


def without_times(text: str) -> str:
    """What commands print without what differs from one machine to another."""
    for pattern, word in ((PROGRESS, ""), (TIME, " TIME"), (ERROR, "ERROR"), (VERSION, r"\1"), (COMPARED, "COMPARED")):
        text = pattern.sub(word, text)
    return ENDED.sub(lambda found: "".join(sorted(found[0].splitlines(keepends=True))), text).strip()


def snippet(language: str, code: str, folder: Path, name: str = "snippet") -> list[str]:
    """Run a snippet of Python within this process, or of JavaScript with Node, and return the lines that it prints."""
    if language == "js":
        (folder / "script.mjs").write_text(code, encoding="utf-8")
        environment = {key: value for key, value in os.environ.items() if key != "FORCE_COLOR"} | {"NO_COLOR": "1"}
        node = {"cwd": folder, "env": environment, "capture_output": True, "text": True, "check": True}
        return subprocess.run(["node", "script.mjs"], **node).stdout.splitlines()
    with chdir(folder), redirect_stdout(StringIO()) as printed, patch.object(sys, "path", [str(folder), *sys.path]):
        importlib.invalidate_caches()
        exec(compile(code, name, "exec", dont_inherit=True), {"__name__": "__main__"})
    return printed.getvalue().splitlines()


def shell(code: str, folder: Path) -> Seen:
    """Run a shell block, its plain commands within this process.

    The tracker of shared memory, which runs of several processes start, must not have a command's terminal: it lasts.
    What installs the package is left out; the tests' own environment has done it.
    """
    resource_tracker.ensure_running()
    code = re.sub(r"pip install \S+ && ", "", code).replace("\\\n", "")
    seen = [_run(line[0].rstrip(), folder) for line in LINE.finditer(code)]
    return Seen(seen[-1].status, "".join(each.text for each in seen).replace("\r\n", "\n"))


def _run(code: str, folder: Path) -> Seen:
    if found := INSTALLED.fullmatch(code):
        with _installed(folder / found[1]):
            return _run(found[2], folder)
    found = COMMAND.fullmatch(code)
    if found is None or PEERS.search(code):  # peers warn of what a process of its own does not show
        return _run_by_shell(code, folder)
    command, errors, reader = found.groups()
    arguments = shlex.split(command)[1:]
    if not reader:
        return on_terminal(arguments, folder, COLUMNS, NO_COLOR="1")
    with TemporaryFile("w+", buffering=1) as piped, open(os.devnull, "w") as nobody:
        stderr = {"2>&1": piped, "2>/dev/null": nobody, None: None}[errors]
        seen = on_terminal(arguments, folder, COLUMNS, stdout=piped, stderr=stderr, NO_COLOR="1")
        piped.seek(0)
        read = _run_by_shell(reader, folder, piped)
    return Seen(read.status, seen.text + read.text)


@contextmanager
def _installed(folder: Path) -> Iterator[None]:
    """Let commands within this process find the packages of parts that are installed in a folder."""
    with patch.dict(os.environ, PYTHONPATH=str(folder)), patch.object(sys, "path", [str(folder), *sys.path]):
        importlib.invalidate_caches()
        installed_registry.cache_clear()
        yield
    for name, module in [*sys.modules.items()]:
        if (getattr(module, "__file__", None) or "").startswith(f"{folder}{os.sep}"):
            del sys.modules[name]
    installed_registry.cache_clear()


def _run_by_shell(code: str, folder: Path, stdin: IO[str] | int = subprocess.DEVNULL) -> Seen:
    scripts = sysconfig.get_path("scripts")
    environment = os.environ | {"PATH": scripts + os.pathsep + os.environ["PATH"], "NO_COLOR": "1"}
    environment.pop("COLUMNS", None)
    master, slave = opened(COLUMNS)
    running = subprocess.Popen(["sh", "-c", code], cwd=folder, env=environment, stdin=stdin, stdout=slave, stderr=slave)
    os.close(slave)
    printed = read_all(master).decode()
    return Seen(running.wait(), printed)
