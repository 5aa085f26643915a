"""Processes that end when whoever started them has had enough, whatever they are doing."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from concurrent.futures import FIRST_COMPLETED, wait
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from specnet.files.shared import Shared
from specnet.parts.data import Column, Table
from specnet.running.data_rows import data_hash
from specnet.running.many import workers as many_workers
from specnet.running.many.run_tasks import Common, Outcome, Task
from specnet.running.many.workers import Workers, _processes

ROOT = Path(__file__).parents[3]
RESULT = 300_000
"""Bytes, more than a pipe takes at once: most of a worker's time goes into sending them."""

LARGE = 2**18
"""Rows of a table whose columns have 2 MiB each."""


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
            with closing(Shared.of(("", None))) as rows, _processes(2, rows) as pool:
                wait([pool.submit(bytes, RESULT) for _ in range(6)], return_when=FIRST_COMPLETED)
                for _ in range(200):
                    pool.submit(bytes, RESULT)
                time.sleep(moments.uniform(0, 0.05))
                raise KeyboardInterrupt
        except KeyboardInterrupt:
            interrupted += 1
    print(interrupted, "interrupted")


@dataclass(frozen=True)
class Looking(Task):
    """Tells of the memory of the process that has the table."""

    seconds: float = 0.0

    def computed(self, table: Table) -> Outcome:
        time.sleep(self.seconds)
        sums = [float(table.X.sum()), float(table.y.sum()), table.columns[0].texts[1]]
        owned = table.X.flags.owndata or table.y.flags.owndata
        return Outcome("finished", metrics={"process": {"id": os.getpid(), "owned": owned}}, message=json.dumps(sums))


def looked(count: int, seconds: float, jobs: int) -> list[Outcome]:
    """Return what so many of these tasks tell, computed with so many jobs."""
    texts = np.array(["a", "b"])
    columns = (Column("kind", "category", texts),)
    table = Table(np.arange(LARGE, dtype=np.float64)[:, np.newaxis], np.arange(LARGE), "classes", columns=columns)
    common = Common(data_hash(table))
    with Workers(table, jobs=jobs) as workers:
        answers = [workers.submit(Looking(common, {}, seconds)) for _ in range(count)]
        while left := sum(not answer.done() for answer in answers):
            workers.advance(left)
    return [answer.result() for answer in answers]


@pytest.mark.slow
def test_other_tasks_do_not_wait_for_a_first_one_that_takes_long(monkeypatch: pytest.MonkeyPatch):
    """Whoever computes them maps the rows and copies none."""
    monkeypatch.setattr(many_workers, "SECONDS_WORTH_WORKERS", 1.0)
    monkeypatch.setattr(many_workers, "LEAST_SECONDS_TO_WAIT", 0.1)
    monkeypatch.delattr(Workers, "_rows")
    here, there = looked(2, 3.0, jobs=2)
    assert here.message == there.message
    assert here.metrics["process"] == {"id": os.getpid(), "owned": True}
    assert not there.metrics["process"]["owned"]
    assert there.metrics["process"]["id"] != os.getpid()
