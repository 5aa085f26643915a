"""`run --jobs` as a process of its own, with its workers."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import COMMAND, Specnet, environment, take_interrupts

SETTINGS = ("--set", "training.ensemble=3", "--set", "training.epochs=1000000")
WORKERS = 2


def started(folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*COMMAND, "run", "moons.toml", "--out", "here", *SETTINGS, "--jobs", str(WORKERS)],
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        preexec_fn=take_interrupts,
        start_new_session=True,
    )


def workers(process: int) -> list[Path]:
    """Return the folders of the processes that train members for another."""
    children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    folders = [Path("/proc", child) for child in children]
    return [folder for folder in folders if b"spawn_main" in (folder / "cmdline").read_bytes()]


def wait_until(happened: Callable[[], bool], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.02)


def is_alive(process: Path) -> bool:
    try:
        return "\nState:\tZ" not in (process / "status").read_text()
    except OSError:
        return False


@pytest.mark.slow
def test_ctrl_c_in_a_terminal_reaches_all_processes_and_saves_the_run(specnet: Specnet, folder: Path) -> None:
    """Even while they start: only the first one handles it."""
    running = started(folder)
    wait_until(lambda: len(workers(running.pid)) == WORKERS, 60)
    os.killpg(running.pid, signal.SIGINT)
    out, err = running.communicate(timeout=120)
    assert (running.returncode, out) == (130, "")
    assert "Traceback" not in err
    assert f"specnet run moons.toml --out here {' '.join(SETTINGS)} --jobs {WORKERS} --resume" in err
    assert "member 0" in err
    assert (folder / "here/checkpoint.safetensors").exists()


@pytest.mark.slow
def test_workers_end_when_the_run_is_killed(folder: Path) -> None:
    running = started(folder)
    wait_until(lambda: len(workers(running.pid)) == WORKERS, 60)
    found = workers(running.pid)
    wait_until(lambda: all("\nThreads:\t1\n" not in (each / "status").read_text() for each in found), 60)
    running.kill()
    running.communicate(timeout=120)
    wait_until(lambda: not any(map(is_alive, found)), 10)


def test_help_shows_an_example_of_jobs(specnet: Specnet) -> None:
    assert "--set training.ensemble=5 --jobs 2" in specnet("run", "--help").out
