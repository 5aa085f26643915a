"""Kills a sweep again and again, resumes it until it is done, and compares what it wrote with one that nobody killed.

By hand, with a number of kills: ``python -m tests.running.sweeps.kills --kills 20``; with ``--whom terminal`` each
time its terminal is closed, which tells all processes.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import specnet
from tests.running.sweeps.searches import PRUNED, fingerprint
from tests.waiting import MARK, processes_of, wait_until

PROGRAM = """
import sys
import specnet
from specnet.running import workers

if __name__ == "__main__":
    workers.SECONDS_WORTH_WORKERS = 0
    spec, out = sys.argv[1:]
    specnet.sweep(spec, out, jobs=2, resume=True, report=False)
"""
WHOM = ("worker", "coordinator", "terminal")
SECONDS_UNTIL_GONE = 10
SPEC = PRUNED.replace("epochs = 20", "epochs = 300").replace("trials = 14", "trials = 40")


def workers_of(mark: str) -> set[int]:
    """Return those of them that compute trials."""
    found = set()
    for number in processes_of(mark):
        with suppress(OSError):
            if b"spawn_main" in Path(f"/proc/{number}/cmdline").read_bytes():
                found.add(number)
    return found


@dataclass
class Killer:
    """Kills a sweep in a folder.

    Attributes
    ----------
    folder : Path
    chance : random.Random
        Decides when.
    whom : tuple of str
        Who is killed, in turn.
    spec : str
    killed : dict
        How many of them were killed.
    slowest : float
        Seconds until the last worker of a killed coordinator was gone.
    """

    folder: Path
    chance: random.Random
    whom: tuple[str, ...] = WHOM
    spec: str = SPEC
    killed: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0
    starts: int = 0

    def run(self, kills: int, seconds: float) -> None:
        """Kill so often, each time within so many seconds of the start of work, and let the sweep end then."""
        program, spec = self.folder / "program.py", self.folder / "spec.toml"
        program.write_text(PROGRAM)
        spec.write_text(self.spec)
        while self.killed.total() < kills:
            self._start(program, spec, seconds)
        specnet.sweep(spec, self.folder / "sweep", jobs=1, resume=True, report=False)

    def _start(self, program: Path, spec: Path, seconds: float) -> None:
        self.starts += 1
        mark, before = f"{os.getpid()}-{self.starts}", self._facts_written()
        running = subprocess.Popen(
            [sys.executable, program, spec, self.folder / "sweep"],
            env={**os.environ, MARK: mark},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert running.stderr is not None
        with running:
            try:
                whom = self.whom[(self.starts - 1) % len(self.whom)]
                wait_until(lambda: self._has_begun(running, mark, whom, before))
                time.sleep(self.chance.uniform(0, seconds))
                workers = sorted(workers_of(mark))
                if running.poll() is not None:
                    raise AssertionError(f"the sweep was done too early: {running.stderr.read()}")
                if whom == "coordinator":
                    self._kill_coordinator(running, mark)
                elif whom == "terminal":
                    self._close_terminal(running, mark)
                elif workers:
                    os.kill(self.chance.choice(workers), signal.SIGKILL)
                    told = running.stderr.read()
                    assert running.wait(60) == 1, told
                    assert "a worker process was killed" in told, told
                    assert not processes_of(mark)
                    self.killed["worker"] += 1
            finally:
                running.kill()

    def _has_begun(self, running: subprocess.Popen[str], mark: str, whom: str, before: int) -> bool:
        if running.poll() is not None:
            return True
        return len(workers_of(mark)) == 2 or (whom != "worker" and self._facts_written() != before)

    def _facts_written(self) -> int:
        """Return when the sweep has last written that it goes on, or that it was interrupted."""
        with suppress(FileNotFoundError):
            return (self.folder / "sweep/sweep.json").stat().st_mtime_ns
        return 0

    def _close_terminal(self, running: subprocess.Popen[str], mark: str) -> None:
        assert running.stderr is not None
        os.killpg(running.pid, signal.SIGHUP)
        told = running.stderr.read()
        assert running.wait(60) in (1, -signal.SIGHUP), told
        assert "resource_tracker" not in told, told
        if "RunInterrupted" in told:
            self.killed["terminal"] += 1
        else:  # it had not begun yet
            assert not told or "specnet.errors.Terminated" in told, told
        assert not processes_of(mark)

    def _kill_coordinator(self, running: subprocess.Popen[str], mark: str) -> None:
        running.kill()
        begin = time.monotonic()
        running.wait()
        wait_until(lambda: not processes_of(mark), SECONDS_UNTIL_GONE)
        self.slowest = max(self.slowest, time.monotonic() - begin)
        self.killed["coordinator"] += 1


def compare(folder: Path, spec: str = SPEC) -> int:
    """Return how many files a killed sweep shares with one that nobody killed; another one is an error."""
    specnet.sweep(spec, folder / "alone", jobs=1, report=False)
    killed, alone = fingerprint(folder / "sweep"), fingerprint(folder / "alone")
    killed.pop("spec.toml"), alone.pop("spec.toml")
    differing = sorted(name for name in killed.keys() | alone.keys() if killed.get(name) != alone.get(name))
    assert not differing, differing
    return len(alone)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=0.2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--whom", nargs="+", choices=WHOM, default=WHOM)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        killer = Killer(Path(name), random.Random(arguments.seed), tuple(arguments.whom))
        killer.run(arguments.kills, arguments.seconds)
        files = compare(Path(name))
    told = " and ".join(f"{count} {whom}s" for whom, count in killer.killed.items())
    print(f"{told} killed in {killer.starts} starts; {files} files the same; workers gone after {killer.slowest:.1f} s")


if __name__ == "__main__":
    main()
