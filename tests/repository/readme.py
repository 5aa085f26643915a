"""The README's commands with their output, and how they are run.

A shell block with a text block behind it is a command with its output, as a terminal of 80 columns without colour shows
it: nothing else has to be said anywhere for a new one. ``python -m tests.repository.readme`` writes the outputs that
differ, but for those that need Keras or PyTorch.
"""

import os
import re
import shlex
import shutil
import subprocess
import sysconfig
import tempfile
from itertools import pairwise
from pathlib import Path

from tests.cli.on_terminal import Seen, on_terminal, opened, read_all

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


PLAIN = re.compile(r"specnet [^|&;<>$`*?~(){}\\]*")
"""A command without anything that a shell would do."""
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


def shell(code: str, folder: Path) -> Seen:
    """Run a shell block, its plain commands within this process.

    What installs the package is left out; the tests' own environment has done it.
    """
    code = re.sub(r"pip install \S+ && ", "", code)
    lines = [code] if re.search(r"<<|\bdo\b", code) else code.splitlines()
    seen = [_run(line, folder) for line in lines]
    return Seen(seen[-1].status, "".join(each.text for each in seen).replace("\r\n", "\n"))


def _run(code: str, folder: Path) -> Seen:
    if PLAIN.fullmatch(code) and not PEERS.search(code):  # peers warn of what a process of its own does not show
        return on_terminal(shlex.split(code)[1:], folder, COLUMNS, NO_COLOR="1")
    scripts = sysconfig.get_path("scripts")
    environment = os.environ | {"PATH": scripts + os.pathsep + os.environ["PATH"], "NO_COLOR": "1"}
    environment.pop("COLUMNS", None)
    master, slave = opened(COLUMNS)
    running = subprocess.Popen(
        ["sh", "-c", code], cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=slave, stderr=slave
    )
    os.close(slave)
    printed = read_all(master).decode()
    return Seen(running.wait(), printed)


def main() -> None:
    """Run the commands in their order in a folder with the specs, and write what they print into the README."""
    text = README
    with tempfile.TemporaryDirectory() as name:
        shutil.copytree(ROOT / "specs", Path(name) / "specs")
        for code, shown in commands_and_output():
            if "pytest" in code or PEERS.search(code):
                continue
            printed = PROGRESS.sub("", shell(code, Path(name)).text)
            if shown is not None and without_times(printed) != without_times(shown):
                before = f"```sh\n{code}```\n\n```text\n"
                text = text.replace(f"{before}{shown}", f"{before}{printed}")
    FILE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
