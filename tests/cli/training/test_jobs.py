"""`run --jobs` as a process of its own, with its workers."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.cli.conftest import Specnet, started
from tests.waiting import wait_until

SETTINGS = ("--set", "training.ensemble=3", "--set", "training.epochs=1000000", "--set", "training.engine=numpy")
WORKERS = 2
ARGUMENTS = ["run", "moons.toml", "--out", "here", *SETTINGS, "--jobs", str(WORKERS)]


def workers(process: int) -> list[Path]:
    """Return the folders of the processes that train members for another."""
    children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    folders = [Path("/proc", child) for child in children]
    return [folder for folder in folders if b"spawn_main" in (folder / "cmdline").read_bytes()]


def is_alive(process: Path) -> bool:
    try:
        return "\nState:\tZ" not in (process / "status").read_text()
    except OSError:
        return False


@pytest.mark.slow
def test_ctrl_c_in_a_terminal_reaches_all_processes_and_saves_the_run(specnet: Specnet, folder: Path) -> None:
    """Even while they start: only the first one handles it."""
    with started(*ARGUMENTS, folder=folder, start_new_session=True) as running:
        wait_until(lambda: len(workers(running.pid)) == WORKERS)
        os.killpg(running.pid, signal.SIGINT)
        out, err = running.communicate(timeout=120)
    assert (running.returncode, out) == (130, "")
    assert "Traceback" not in err
    assert f"specnet run moons.toml --out here {' '.join(SETTINGS)} --jobs {WORKERS} --resume" in err
    assert "member 0" in err
    assert (folder / "here/checkpoint.safetensors").exists()


@pytest.mark.slow
def test_workers_end_when_the_run_is_killed(folder: Path) -> None:
    with started(*ARGUMENTS, folder=folder, start_new_session=True) as running:
        wait_until(lambda: len(workers(running.pid)) == WORKERS)
        found = workers(running.pid)
        wait_until(lambda: all("\nThreads:\t1\n" not in (each / "status").read_text() for each in found))
        running.kill()
        running.communicate(timeout=120)
    wait_until(lambda: not any(map(is_alive, found)), 10)
