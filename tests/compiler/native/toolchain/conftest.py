"""A cache and compilers of a test's own."""

import hashlib
import os
import re
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from specnet.compiler.native.toolchain import compilers, libraries
from specnet.compiler.native.toolchain.libraries import BuildError, LoadedLibrary
from tests.compiling import Processor
from tests.exporting.tools import COMPILER
from tests.waiting import wait_until

ROOT = Path(__file__).parents[4]
TEXT = "int answer(void) { return 42; }"
OTHER = "int answer(void) { return 17; }"
CHILD = """
import sys
from specnet.compiler.native.toolchain.libraries import library
print(library(sys.argv[1], ("answer",))["answer"]())
"""


def library(text: str, target: Processor | None = None) -> LoadedLibrary:
    return libraries.library(text, ("answer",), target)


class Workplace:
    """A cache, a folder for temporary files and compilers of a test's own."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.cache, self.temporary, self.programs = (folder / name for name in ("cache", "temporary", "programs"))
        self.temporary.mkdir()
        self.programs.mkdir()
        self.log = folder / "log"
        monkeypatch.setenv("SPECNET_CACHE", str(self.cache))
        monkeypatch.setenv("TMPDIR", str(self.temporary))
        monkeypatch.setenv("PYTHONPATH", str(ROOT))
        monkeypatch.delenv("CC", raising=False)
        monkeypatch.setattr(tempfile, "tempdir", str(self.temporary))
        monkeypatch.setenv("PATH", f"{self.programs}{os.pathsep}{os.environ['PATH']}")
        monkeypatch.setattr(libraries, "_loaded", {})
        self.forget()

    def install(self, script: str, name: str = "cc", version: str = "echo 1.0") -> Path:
        """Put a compiler first on the PATH; "real" stands for the machine's. What it says of its version is no run."""
        path = self.programs / name
        script = script.replace("real", str(COMPILER))
        asked = f'for last; do :; done\nif [ "$last" = --version ]; then {version}; exit; fi\n'
        path.write_text(f"#!/bin/sh\n{asked}echo run >> {self.log}\n{script}\n")
        path.chmod(0o755)
        return path

    @property
    def runs(self) -> int:
        return len(self.log.read_text().splitlines()) if self.log.exists() else 0

    @property
    def entries(self) -> list[Path]:
        """The cache's entries, each of which is what its name says, and nothing else."""
        found = sorted(self.cache.glob("*"))
        for path in found:
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            assert re.fullmatch(rf"[0-9a-f]{{64}}-{digest}\.so", path.name)
            assert not stat.S_IMODE(path.stat().st_mode) & 0o022
        return found

    def is_clean(self) -> bool:
        """Return whether no temporary file is left."""
        return not any(self.temporary.iterdir())

    def expect_failure(self, match: str | None = None, text: str = TEXT) -> str:
        """Check that no library is made and nothing stays of it, and return why."""
        with pytest.raises(BuildError, match=match) as caught:
            library(text)
        assert not self.entries
        assert self.is_clean()
        return str(caught.value)

    def start(self, text: str = TEXT) -> "subprocess.Popen[str]":
        """Start a process that prints a text's answer."""
        command = [sys.executable, "-c", CHILD, text]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def forget(self) -> None:
        """Forget what this process has loaded, compiled and asked for, as a new one has not."""
        libraries._loaded.clear()
        libraries._compiled.cache_clear()
        compilers._said.cache_clear()

    def answer(self, text: str = TEXT) -> int:
        """Return a text's answer as in a new process."""
        self.forget()
        return int(library(text).answer())

    def install_meeting(self, count: int, flags: str = "") -> Path:
        """Put a compiler first that waits until it is called so many times at once; return where each call is seen."""
        folder = self.programs / "met"
        folder.mkdir()
        met = f"[ $(ls {folder} | wc -l) = {count} ]"
        waiting = f"for i in $(seq 120); do {met} && break; sleep 0.1; done"
        self.install(f'touch {folder}/$$; {waiting}; {met} && exec real {flags} "$@"')
        return folder


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workplace:
    return Workplace(tmp_path, monkeypatch)


class Fifo:
    """Tells from outside whether processes that hold it open are alive."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path)
        self.path = path
        self.descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)

    def wait_for_start(self) -> None:
        wait_until(lambda: self._read() == b"started\n")

    def wait_for_end(self) -> None:
        wait_until(lambda: self._read() == b"")

    def _read(self) -> bytes | None:
        try:
            return os.read(self.descriptor, 100)
        except BlockingIOError:  # nothing was written, and somebody could
            return None


@pytest.fixture
def fifo(tmp_path: Path) -> Iterator[Fifo]:
    made = Fifo(tmp_path / "fifo")
    yield made
    os.close(made.descriptor)


def replace_content(path: Path, content: bytes) -> None:
    """Change a file as another process would see it, not the library that this one may have loaded from it."""
    new = path.with_name("new")
    new.write_bytes(content)
    new.replace(path)
    path.chmod(0o600)


def expect_no_cache(place: Workplace) -> None:
    """Check that a library is made all the same, and that nothing stays of it."""
    assert place.answer() == 42
    assert library(TEXT) is library(TEXT)
    assert place.is_clean()
