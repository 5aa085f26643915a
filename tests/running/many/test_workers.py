"""Processes that end when whoever started them has had enough, whatever they are doing."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from concurrent.futures import FIRST_COMPLETED, wait
from pathlib import Path

import pytest

from specnet.running.many.workers import _processes

ROOT = Path(__file__).parents[3]
RESULT = 300_000
"""Bytes, more than a pipe takes at once: most of a worker's time goes into sending them."""


@pytest.mark.slow
def test_interrupted_processes_end_also_while_they_send_results():
    ended = subprocess.run(
        [sys.executable, "-c", "from tests.running.many.test_workers import interrupt; interrupt()"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "10 interrupted\n", "")


def interrupt() -> None:
    moments = random.Random(0)
    interrupted = 0
    for _ in range(10):
        try:
            with _processes(2) as pool:
                wait([pool.submit(bytes, RESULT) for _ in range(6)], return_when=FIRST_COMPLETED)
                for _ in range(200):
                    pool.submit(bytes, RESULT)
                time.sleep(moments.uniform(0, 0.05))
                raise KeyboardInterrupt
        except KeyboardInterrupt:
            interrupted += 1
    print(interrupted, "interrupted")
