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
STARTED = b"started\n"
REPORTING = f"exec 9>{{fifo.path}}; echo {STARTED.decode().strip()} >&9; "
"""A compiler's commands by which a `Fifo` knows that it runs."""


def library(text: str, target: Processor | None = None) -> libraries.LoadedLibrary:
    return libraries.library(text, ("answer",), target)


class Workbench:
    """A cache, a folder for temporary files and compilers of a test's own."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.cache, self.temporary, self.programs = (folder / name for name in ("above/cache", "temporary", "programs"))
        self.temporary.mkdir()
        self.programs.mkdir()
        self.log = folder / "log"
        path = f"{self.programs}{os.pathsep}{os.environ['PATH']}"
        variables = {"SPECNET_CACHE": self.cache, "TMPDIR": self.temporary, "PYTHONPATH": ROOT, "PATH": path}
        for name, value in variables.items():
            monkeypatch.setenv(name, str(value))
        monkeypatch.delenv("CC", raising=False)
        monkeypatch.setattr(tempfile, "tempdir", str(self.temporary))
        monkeypatch.setattr(libraries, "_loaded", {})
        self.forget()

    def install(self, script: str, name: str = "cc", version: str = "echo 1.0") -> Path:
        """Put a compiler first on the PATH; "real" stands for the machine's. To print its version is no run."""
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
        with pytest.raises(libraries.BuildError, match=match) as caught:
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
        compilers._version_text.cache_clear()

    def answer(self, text: str = TEXT) -> int:
        """Return a text's answer as in a new process."""
        self.forget()
        return int(library(text).answer())

    def expect_no_cache(self) -> None:
        """Check that a library is made all the same, and that nothing stays of it."""
        before = self.runs
        assert self.answer() == 42
        assert self.runs == before + 1
        assert library(TEXT) is library(TEXT)
        libraries._loaded.clear()
        assert library(TEXT).answer() == 42
        assert self.runs == before + 1, "a process compiles once"
        assert self.is_clean()

    def install_meeting(self, count: int, flags: str = "") -> Path:
        """Put a compiler first that waits until it is called so many times at once; return where each call is seen."""
        folder = self.programs / "met"
        folder.mkdir()
        met = f"[ $(ls {folder} | wc -l) = {count} ]"
        waiting = f"for i in $(seq 120); do {met} && break; sleep 0.1; done"
        self.install(f'touch {folder}/$$; {waiting}; {met} && exec real {flags} "$@"')
        return folder


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workbench:
    return Workbench(tmp_path, monkeypatch)


@pytest.fixture
def compiling(bench: Workbench) -> Workbench:
    """A workbench whose compiler is the machine's."""
    if COMPILER is None:
        pytest.skip("there is no C compiler")
    bench.install('exec real "$@"')
    return bench


class Fifo:
    """Tells from outside whether processes that hold it open are alive."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path)
        self.path = path
        self.descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)

    def wait_for_start(self) -> None:
        wait_until(lambda: self._read() == STARTED)

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
