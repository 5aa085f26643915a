"""The README's commands with their output, and how they are run.

A shell block with a text block behind it is a command with its output, as a terminal of 80 columns without colour shows
it: nothing else has to be said anywhere for a new one. ``python -m tests.repository.readme`` writes the outputs that
differ, but for those that need Keras or PyTorch.
"""

import os
import pty
import re
import shutil
import struct
import subprocess
import sysconfig
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from fcntl import ioctl
from itertools import pairwise
from pathlib import Path
from termios import TIOCSWINSZ

ROOT = Path(__file__).parents[2]
FILE = ROOT / "README.md"
README = FILE.read_text(encoding="utf-8")
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SESSION = re.compile(r"^(?:\$|    to resume:) (.*)$", re.MULTILINE)
"""Commands of a session, and the one that it is told to go on with; nobody presses Ctrl-C here."""
TIME = re.compile(r" *\d+(\.\d+)? (s|ms|µs)\b| +time(?=   )")  # and the title above times, whose width varies
ERROR = re.compile(r"\b\d(\.\d)?e-1\d\b")  # rounding, of gradients and exports
VERSION = re.compile(r"\b(specnet|numpy|scikit-learn|Python) \d+(\.\d+)+")
PROGRESS = re.compile(r"^epoch (\d+)/(?!\1 )\d+ .*\n", re.MULTILINE)  # a slow machine's, before the last epoch
COLUMNS = 80
COMPARED = re.compile(r"(?<=   )(not compared|compared with)\b.*")  # a last digit, or a tool that is not here


PEERS = re.compile(r"--to (keras|torch)|^import (keras|torch|moons_torch)$", re.MULTILINE)


def blocks(language: str) -> list[str]:
    """The code in fences of a language."""
    return [code for found, code in FENCE.findall(README) if found == language]


def commands() -> list[str]:
    """Each shell block, and each command of a session, in their order."""
    found: list[str] = []
    for language, code in FENCE.findall(README):
        found += [code] if language == "sh" else SESSION.findall(code) if language == "text" else []
    return found


def commands_and_output() -> list[tuple[str, str | None]]:
    """Each shell block with the text block that follows it, if one does."""
    fences = [*FENCE.findall(README), ("", "")]
    return [
        (code, after if following == "text" else None)
        for (language, code), (following, after) in pairwise(fences)
        if language == "sh"
    ]


def without_times(text: str) -> str:
    """What commands print without what differs from one machine to another."""
    for pattern, word in ((PROGRESS, ""), (TIME, " TIME"), (ERROR, "ERROR"), (VERSION, r"\1"), (COMPARED, "COMPARED")):
        text = pattern.sub(word, text)
    return text.strip()


@dataclass(frozen=True)
class Ended:
    """How a shell block ended, and what a terminal shows of it."""

    status: int
    shown: str


def shell(code: str, folder: Path) -> Ended:
    """Run a shell block, without what installs the package, which the tests' own environment has done."""
    scripts = sysconfig.get_path("scripts")
    environment = os.environ | {"PATH": scripts + os.pathsep + os.environ["PATH"], "NO_COLOR": "1"}
    environment.pop("COLUMNS", None)
    code = re.sub(r"pip install \S+ && ", "", code)
    terminal, commands = pty.openpty()
    ioctl(commands, TIOCSWINSZ, struct.pack("HHHH", 24, COLUMNS, 0, 0))
    running = subprocess.Popen(
        ["sh", "-c", code], cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=commands, stderr=commands
    )
    os.close(commands)
    printed = b""
    with suppress(OSError):  # the last process that had the terminal ended
        while piece := os.read(terminal, 65536):
            printed += piece
    os.close(terminal)
    return Ended(running.wait(), printed.decode().replace("\r\n", "\n"))


def main() -> None:
    """Run the commands in their order in a folder with the specs, and write what they print into the README."""
    text = README
    with tempfile.TemporaryDirectory() as name:
        shutil.copytree(ROOT / "specs", Path(name) / "specs")
        for code, shown in commands_and_output():
            if "pytest" in code or PEERS.search(code):
                continue
            printed = PROGRESS.sub("", shell(code, Path(name)).shown)
            if shown is not None and without_times(printed) != without_times(shown):
                before = f"```sh\n{code}```\n\n```text\n"
                text = text.replace(f"{before}{shown}", f"{before}{printed}")
    FILE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
