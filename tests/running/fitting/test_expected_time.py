"""The expected time of a run follows from the time of the first epochs, by arithmetic."""

import pytest

from specnet.compiler.thread_limits import thread_limit
from specnet.running import expected_time
from specnet.running.expected_time import START_AND_REPORT_SECONDS, run_seconds
from specnet.training.steps.engine_choice import Choice, expected_seconds
from tests.made import data_of

EPOCH, ENCODING, READING = 1 / 128, 1 / 16, 0.25
"""Seconds of an epoch and of encoding rows by the clock of these tests, and of reading the table."""
OTHERS = READING + START_AND_REPORT_SECONDS


@pytest.fixture
def clock(monkeypatch):
    """Readings of a thread's clock: before and after encoding, and after each epoch; one is six times longer."""
    read: list[float] = []

    def thread_time() -> float:
        assert thread_limit() == 1, "as in a run of small batches"
        read.append(ENCODING * (len(read) > 0) + EPOCH * (max(0, len(read) - 1) + 5 * (len(read) > 3)))
        return read[-1]

    monkeypatch.setattr(expected_time.time, "thread_time", thread_time)
    return read


def moons(**training: object):
    training = {"loss": "binary_crossentropy", "epochs": 40, "batch_size": 8, "engine": "numpy"} | training
    data = {"type": "make_moons", "n_samples": 60}
    return data_of({"data": data, "network": {"hidden_layer_sizes": [4]}, "training": training})


@pytest.mark.parametrize("members", [1, 3])
def test_the_median_epoch_counts_for_all_epochs_of_all_members(clock, members):
    ensemble = {"ensemble": members} if members > 1 else {}
    assert run_seconds(moons(**ensemble), READING) == pytest.approx(OTHERS + ENCODING + 40 * members * EPOCH)
    assert 0.1 <= clock[-1] - clock[2] < 0.1 + EPOCH, "training ends when enough is known"


def test_members_that_train_at_the_same_time_share_it(clock, monkeypatch):
    monkeypatch.setattr(expected_time, "choose", lambda *_: Choice("compiled", ""))
    for at_once, parallel in ((2, 2), (8, 3)):
        monkeypatch.setattr(expected_time, "members_worth", lambda *_, count=at_once: count)
        clock.clear()
        assert run_seconds(moons(ensemble=3), READING) == pytest.approx(OTHERS + ENCODING + 40 * 3 * EPOCH / parallel)


def test_operations_are_counted_where_no_epoch_can_be_timed(clock, monkeypatch):
    data = moons(epochs=1)
    counted = OTHERS + expected_seconds(data.network, len(data.splits["train"]))
    assert run_seconds(data, READING) == pytest.approx(counted + ENCODING)
    assert len(clock) == 3, "one epoch is trained"
    monkeypatch.setattr(expected_time, "MAX_EPOCH_SECONDS", 0.0)
    assert run_seconds(data, READING) == pytest.approx(counted)
    assert len(clock) == 3, "nothing is trained"
