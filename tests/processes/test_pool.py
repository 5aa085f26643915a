"""Processes that end when whoever started them has had enough, whatever they are doing."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import FIRST_COMPLETED, wait
from contextlib import suppress
from multiprocessing import active_children
from pathlib import Path
from queue import SimpleQueue
from threading import Event, Thread
from types import SimpleNamespace
from typing import Any

import pytest

import specnet
from specnet.files.large import Shared
from specnet.processes import ProcessEnded, RemoteTraceback, interruptions, processes, send_event, signals_blocked

ROOT = Path(__file__).parents[2]
MOONS = ROOT / "specs" / "moons.toml"
RESULT = 300_000
"""Bytes, more than a link takes at once: most of a worker's time goes into sending them."""

given: list[Any] = []


def begin(shared: Shared) -> None:
    given.append(shared.value())


def sum_of(*numbers: int) -> int:
    """What is given and the numbers, after telling each of them."""
    for number in numbers:
        send_event(number)
    return int(given[0] + sum(numbers))


def until_stopped(seconds: float) -> float:
    begun = time.monotonic()
    send_event("begun")
    while interruptions.pending is None and time.monotonic() < begun + seconds:
        time.sleep(0.001)
    interruptions.pending = None
    return time.monotonic() - begun


def refuse(word: str | Shared) -> None:
    class LocalError(Exception):
        pass

    raise ValueError(word) if word == "known" else LocalError(type(word).__name__)


@pytest.mark.slow
def test_processes_compute_tell_fail_stop_and_end():
    others = set(active_children())
    told: SimpleQueue[Any] = SimpleQueue()
    with processes(2, begin, 100) as pool:
        assert [pool.submit(sum_of, 1, number, notify=told.put).result() for number in (2, 3)] == [103, 104]
        assert [told.get() for _ in range(6)] == [(1,), (2,), None, (1,), (3,), None]
        stopped = [pool.submit(until_stopped, 60, notify=told.put) for _ in range(3)]
        assert [told.get() for _ in range(2)] == [("begun",), ("begun",)]
        pool.stop()
        assert sum(future.result() for future in stopped) < 30
        for word, kind, text in (("known", ValueError, "known"), ("own", RuntimeError, "LocalError: str")):
            error = pool.submit(refuse, word).exception()
            assert (type(error), str(error)) == (kind, text)
            assert isinstance(error.__cause__, RemoteTraceback)
            assert "raise ValueError(word)" in str(error.__cause__)
        error = pool.submit(signal.raise_signal, signal.SIGKILL).exception()
        assert isinstance(error, ProcessEnded)
        assert error.exit_code == -signal.SIGKILL
    with processes(1, refuse, "given") as pool:
        assert [str(pool.submit(os.getpid).exception()) for _ in range(2)] == ["LocalError: Shared"] * 2
    assert set(active_children()) <= others


@pytest.mark.slow
def test_interrupted_processes_end_also_while_they_send_results():
    others = set(active_children())
    for moment in range(3):
        with suppress(KeyboardInterrupt), processes(2, begin, None) as pool:
            wait([pool.submit(bytes, RESULT) for _ in range(6)], return_when=FIRST_COMPLETED)
            for _ in range(200):
                pool.submit(bytes, RESULT)
            time.sleep(0.02 * moment)
            raise KeyboardInterrupt
    assert set(active_children()) <= others


@pytest.mark.slow
def test_processes_end_with_the_one_that_started_them():
    code = """import os, time
from tests.processes.test_pool import processes
with processes(2, print, None) as pool:
    for _ in range(3):
        pool.submit(time.sleep, 60)
    print(*[process.pid for process, _ in pool._started], flush=True)
    os._exit(0)
"""
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    patience = time.monotonic() + 20
    while time.monotonic() < patience and any(Path(f"/proc/{number}").exists() for number in ended.stdout.split()):
        time.sleep(0.02)
    assert time.monotonic() < patience


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_waits_while_processes_are_started_also_if_another_thread_takes_it(number: signal.Signals):
    come: list[int] = []
    before, done = signal.signal(number, lambda number, _: come.append(number)), Event()
    thread = Thread(target=done.wait)
    thread.start()
    try:
        with signals_blocked():
            os.kill(os.getpid(), number)
            time.sleep(0.01)
            assert not come
        assert come == [number]
    finally:
        done.set()
        thread.join()
        signal.signal(number, before)


def test_on_windows_one_process_computes_all(monkeypatch: pytest.MonkeyPatch):
    windows = SimpleNamespace(name="nt")
    monkeypatch.setattr("specnet.processes.os", windows)
    monkeypatch.setattr("specnet.running.workers.os", windows)
    monkeypatch.delattr(signal, "pthread_sigmask")
    with signals_blocked():
        pass
    assert specnet.run_many(MOONS, folds=2, overrides=["training.epochs=1"]).runs
    with pytest.raises(specnet.TrainingError, match="need Linux or macOS"), processes(2, begin, 1):
        pass
