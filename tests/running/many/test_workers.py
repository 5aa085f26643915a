"""Processes that are started while the first task is computed, when it takes long."""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass

import numpy as np
import pytest

from specnet.parts.data import Column, Table
from specnet.running.data_rows import data_hash
from specnet.running.many import workers as many_workers
from specnet.running.many.run_tasks import Task
from specnet.running.many.workers import TaskGroup, Workers
from specnet.running.training_run import RunOutcome
from specnet.saved.metrics_file import Evaluation

LARGE = 2**18
"""Rows of a table whose columns have 2 MiB each."""


@dataclass(frozen=True)
class Looking(Task):
    """Tells of the memory of the process that has the table."""

    seconds: float = 0.0

    def computed(self, table: Table) -> RunOutcome:
        time.sleep(self.seconds)
        sums = [float(table.X.sum()), float(table.y.sum()), table.columns[0].texts[1]]
        owned = table.X.flags.owndata or table.y.flags.owndata
        return RunOutcome(
            "finished",
            evaluation=Evaluation({}, {"process": {"id": os.getpid(), "owned": owned}}),
            message=json.dumps(sums),
        )


def looked(count: int, seconds: float, jobs: int) -> list[RunOutcome]:
    """Return what so many of these tasks tell, computed with so many jobs."""
    texts = np.array(["a", "b"])
    columns = (Column("kind", "category", texts),)
    table = Table(np.arange(LARGE, dtype=np.float64)[:, np.newaxis], np.arange(LARGE), "classes", columns=columns)
    sha256 = data_hash(table)
    with Workers(table, jobs=jobs) as workers:
        (group,) = workers.computed([TaskGroup(None, (Looking({}, sha256, seconds=seconds) for _ in range(count)))])
    return group.outcomes


@pytest.mark.slow
@pytest.mark.usefixtures("born_loaded")
def test_other_tasks_do_not_wait_for_a_first_one_that_takes_long(monkeypatch: pytest.MonkeyPatch):
    """Whoever computes them maps the rows and copies none."""
    monkeypatch.setattr(many_workers, "SECONDS_WORTH_WORKERS", 0.2)
    monkeypatch.setattr(many_workers, "LEAST_SECONDS_TO_WAIT", 0.1)
    monkeypatch.delattr(Workers, "_rows")
    here, there = looked(2, 1.0, jobs=2)
    assert here.message == there.message
    assert here.metrics["process"] == {"id": os.getpid(), "owned": True}
    assert not there.metrics["process"]["owned"]
    assert there.metrics["process"]["id"] != os.getpid()
