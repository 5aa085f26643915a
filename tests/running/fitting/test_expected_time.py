"""The expected time of a run follows from the time of the first epochs, by arithmetic."""

import itertools

import pytest

from specnet.compiler.thread_limits import thread_limit
from specnet.running import expected_time
from specnet.running.expected_time import EPOCHS_OF_EVALUATION, START_AND_REPORT_SECONDS, run_seconds
from specnet.training.steps.engine_choice import Choice, expected_seconds
from tests.made import data_of

EPOCH, ENCODING, FIRST_BINS, BINS, READING = 1 / 128, 1 / 16, 1 / 2, 1 / 32, 0.25
"""Seconds of an epoch, of encoding rows and of fitting bins by the clocks of these tests, and of reading the table."""
OTHERS = READING + START_AND_REPORT_SECONDS
EVALUATION = 2 * EPOCHS_OF_EVALUATION
"""Epochs in whose time a network that reads two columns is evaluated."""


@pytest.fixture
def clock(monkeypatch):
    """Readings of a thread's clock: before and after encoding, and after each epoch; one is six times longer."""
    read: list[float] = []

    def thread_time() -> float:
        assert thread_limit() == 1, "as in a run of small batches"
        read.append(ENCODING * (len(read) > 0) + EPOCH * (max(0, len(read) - 1) + 5 * (len(read) > 3)))
        return read[-1]

    monkeypatch.setattr(expected_time.time, "thread_time", thread_time)
    bins = itertools.cycle((0.0, FIRST_BINS, FIRST_BINS + BINS))
    monkeypatch.setattr(expected_time.time, "process_time", lambda: next(bins))
    return read


def moons(**training: object):
    training = {"loss": "binary_crossentropy", "epochs": 40, "batch_size": 8, "engine": "numpy"} | training
    data = {"type": "make_moons", "n_samples": 60}
    return data_of({"data": data, "network": {"hidden_layer_sizes": [4]}, "training": training})


@pytest.mark.parametrize("members", [1, 3])
def test_the_median_epoch_counts_for_all_epochs_of_all_members(clock, members):
    ensemble = {"ensemble": members} if members > 1 else {}
    fitting = FIRST_BINS + (members - 1) * BINS if ensemble else 0.0
    epochs = members * (40 + EVALUATION)
    assert run_seconds(moons(**ensemble), READING) == pytest.approx(OTHERS + ENCODING + fitting + epochs * EPOCH)
    assert 0.1 <= clock[-1] - clock[2] < 0.1 + EPOCH, "training ends when enough is known"


def test_members_that_train_at_the_same_time_share_it(clock, monkeypatch):
    monkeypatch.setattr(expected_time, "choose", lambda *_: Choice("compiled", ""))
    for at_once, parallel in ((2, 2), (8, 3)):
        monkeypatch.setattr(expected_time, "members_worth", lambda *_, count=at_once: count)
        clock.clear()
        fitting, epochs = FIRST_BINS + 2 * BINS, 3 * (40 / parallel + EVALUATION)
        expected = OTHERS + ENCODING + fitting + epochs * EPOCH
        assert run_seconds(moons(ensemble=3), READING) == pytest.approx(expected)


def test_operations_are_counted_where_no_epoch_can_be_timed(clock, monkeypatch):
    data = moons(epochs=1)
    counted = OTHERS + expected_seconds(data.network, len(data.splits["train"])) * (1 + EVALUATION)
    assert run_seconds(data, READING) == pytest.approx(counted + ENCODING)
    assert len(clock) == 3, "one epoch is trained"
    monkeypatch.setattr(expected_time, "MAX_EPOCH_SECONDS", 0.0)
    assert run_seconds(data, READING) == pytest.approx(counted)
    assert len(clock) == 3, "nothing is trained"
