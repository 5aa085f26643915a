"""Processes that are started while the first task is computed, when it takes long."""

from __future__ import annotations

import inspect
import json
import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event, Timer
from typing import Any

import numpy as np
import pytest

import specnet
from specnet.parts.data import Column, Table
from specnet.running.data_rows import data_hash
from specnet.running.many import workers as many_workers
from specnet.running.many.run_tasks import Common, Task, TaskOutcome
from specnet.running.many.workers import Workers

LARGE = 2**18
"""Rows of a table whose columns have 2 MiB each."""


@dataclass(frozen=True)
class Looking(Task):
    """Tells of the memory of the process that has the table."""

    seconds: float = 0.0

    def computed(self, table: Table) -> TaskOutcome:
        time.sleep(self.seconds)
        sums = [float(table.X.sum()), float(table.y.sum()), table.columns[0].texts[1]]
        owned = table.X.flags.owndata or table.y.flags.owndata
        return TaskOutcome(
            "finished", metrics={"process": {"id": os.getpid(), "owned": owned}}, message=json.dumps(sums)
        )


def looked(count: int, seconds: float, jobs: int) -> list[TaskOutcome]:
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


BEGUN = Event()


@dataclass(frozen=True)
class Interrupted(Task):
    """Is interrupted when other processes are being started, and whoever waits for them is interrupted twice."""

    def computed(self, table: Table) -> TaskOutcome:
        assert BEGUN.wait(10)
        for seconds in (0.1, 0.2):
            Timer(seconds, os.kill, (os.getpid(), signal.SIGINT)).start()
        raise KeyboardInterrupt


class Idle(Executor):
    """Never computes anything."""

    def submit(self, function: Any, /, *_: Any, **__: Any) -> Future[Any]:
        return Future()


@pytest.mark.slow
def test_ctrl_c_twice_leaves_no_workers(monkeypatch: pytest.MonkeyPatch):
    entered, left = [], []

    @contextmanager
    def started(*_: object) -> Iterator[Executor]:
        BEGUN.set()
        time.sleep(0.4)
        entered.append(True)
        try:
            yield Idle()
        finally:
            left.append(True)

    def compute() -> None:
        with Workers(table, jobs=2) as workers:
            for _ in range(2):
                workers.submit(Interrupted(Common(data_hash(table)), {}))
            workers.advance(2)

    monkeypatch.setattr(many_workers, "LEAST_SECONDS_TO_WAIT", 0.0)
    monkeypatch.setattr(many_workers, "SECONDS_WORTH_WORKERS", 0.1)
    monkeypatch.setattr(many_workers, "processes", started)
    table = Table(np.zeros((2, 1)), np.zeros(2), "values")
    with pytest.raises(KeyboardInterrupt):
        compute()
    assert entered == left == [True]


def test_without_a_number_there_are_as_many_workers_as_cores(monkeypatch: pytest.MonkeyPatch):
    """For folds and seeds, sweeps, and runs that are verified alike."""
    monkeypatch.setattr(many_workers, "_physical_cores", lambda: 7)
    table = Table(np.zeros((2, 1)), np.zeros(2), "values")
    for jobs, executor, expected in ((None, None, 7), (1, None, 1), (None, ThreadPoolExecutor(1), None)):
        assert Workers(table, jobs=jobs, executor=executor).jobs == expected
    for call in (specnet.run_many, specnet.sweep, specnet.verify, specnet.run):
        assert inspect.signature(call).parameters["jobs"].default is None
