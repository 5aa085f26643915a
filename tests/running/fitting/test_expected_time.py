"""The expected time of a run follows from the times of its parts, by arithmetic."""

import importlib
import itertools
import sys

import pytest

from specnet.compiler.thread_limits import thread_limit
from specnet.imports import import_seconds
from specnet.model import Model
from specnet.running import expected_time
from specnet.running.expected_time import PREDICTED_ROWS, START_AND_REPORT_SECONDS, run_seconds
from specnet.training.steps.engine_choice import Choice, expected_seconds
from tests.made import data_of

EPOCH, ENCODING, EVALUATION, FIRST_BINS, BINS, READING = 1 / 128, 1 / 16, 1 / 4, 1 / 2, 1 / 32, 0.25
"""Seconds of an epoch, of encoding rows, of evaluating, and of fitting bins by the clock of these tests; of reading."""
PREDICTING = PREDICTED_ROWS / 2**14
"""Seconds of predicting rows, of which each takes 2⁻¹⁴ s."""
TRAIN, TEST, COLUMNS = 300, 100, 2
PAGE = (TEST * (1 + 5 * COLUMNS) + COLUMNS * TEST * 20) / 2**14
"""Seconds of predictions for a page: all test rows, once and five times for each column, and 20 points of its curve."""
OTHERS = READING + START_AND_REPORT_SECONDS + PAGE


class Clock:
    """A clock that only advances in the parts of a run; the fourth epoch is six times as long as the others."""

    def __init__(self) -> None:
        self.now, self.epochs, self.evaluated = 0.0, 0, []

    def read(self) -> float:
        assert thread_limit() == 1, "as in a run of small batches"
        return self.now

    def encode(self) -> None:
        self.now += ENCODING

    def train(self) -> None:
        self.epochs += 1
        self.now += EPOCH * (6 if self.epochs == 4 else 1)

    def evaluate(self, fitted) -> None:
        self.evaluated.append(
            (len(fitted.model.members), {name: len(each) for name, each in fitted.data.splits.items()})
        )
        self.now += EVALUATION

    def predict(self, rows) -> None:
        assert len(rows) == PREDICTED_ROWS
        self.now += PREDICTING


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    started, logged = expected_time._EpochClock.started, expected_time._EpochClock.logged
    monkeypatch.setattr(expected_time._EpochClock, "started", lambda *given: (clock.encode(), started(*given)))
    monkeypatch.setattr(expected_time._EpochClock, "logged", lambda *given: (clock.train(), logged(*given)))
    monkeypatch.setattr(expected_time, "evaluate_run", clock.evaluate)
    monkeypatch.setattr(Model, "predict", lambda _, rows: clock.predict(rows))
    monkeypatch.setattr(expected_time.time, "thread_time", clock.read)
    bins = itertools.cycle((0.0, FIRST_BINS, FIRST_BINS + BINS))
    monkeypatch.setattr(expected_time.time, "process_time", lambda: next(bins))
    return clock


def moons(**training: object):
    training = {"loss": "binary_crossentropy", "epochs": 40, "batch_size": 8, "engine": "numpy"} | training
    data = {"type": "make_moons", "n_samples": TRAIN + TEST, "split": {"test_size": TEST / (TRAIN + TEST)}}
    return data_of({"data": data, "network": {"hidden_layer_sizes": [4]}, "training": training})


@pytest.mark.parametrize(("members", "epochs"), [(1, 40), (1, 80), (3, 40)])
def test_every_part_of_a_run_counts(clock, members, epochs):
    ensemble = {"ensemble": members} if members > 1 else {}
    fitting = FIRST_BINS + (members - 1) * BINS if ensemble else 0.0
    training = members * epochs * EPOCH
    expected = OTHERS + ENCODING + fitting + training + EVALUATION
    assert run_seconds(moons(epochs=epochs, **ensemble), READING) == pytest.approx(expected)
    assert clock.epochs == 9, "training ends after a tenth of a second: enough is known"
    assert clock.evaluated == [(members, {"train": TRAIN, "test": TEST})]


def test_members_that_train_at_the_same_time_share_it(clock, monkeypatch):
    monkeypatch.setattr(expected_time, "choose", lambda *_: Choice("compiled", ""))
    for at_once, parallel in ((2, 2), (8, 3)):
        monkeypatch.setattr(expected_time, "members_worth", lambda *_, count=at_once: count)
        clock.epochs = 0
        expected = OTHERS + ENCODING + FIRST_BINS + 2 * BINS + 3 * 40 * EPOCH / parallel + EVALUATION
        assert run_seconds(moons(ensemble=3), READING) == pytest.approx(expected)


def test_of_many_rows_some_are_timed(clock, monkeypatch):
    """All but the page is as many times as long as there are more rows."""
    monkeypatch.setattr(expected_time, "MAX_EPOCH_SECONDS", 0.0)
    monkeypatch.setattr(expected_time, "MIN_TIMED_ROWS", TRAIN // 3)
    fitting = FIRST_BINS + 2 * BINS
    expected = OTHERS + 3 * (ENCODING + fitting + 3 * 40 * EPOCH + EVALUATION)
    assert run_seconds(moons(ensemble=3), READING) == pytest.approx(expected)
    assert clock.evaluated == [(3, {"train": TRAIN // 3, "test": TEST // 3 + 1})]


def test_operations_are_counted_where_no_epoch_can_be_timed(clock):
    data = moons(epochs=1)
    counted = expected_seconds(data.network, TRAIN)
    assert run_seconds(data, READING) == pytest.approx(OTHERS + ENCODING + counted + EVALUATION)
    assert clock.epochs == 1


def test_imports_of_a_context_count(tmp_path, monkeypatch):
    for name, imported in (("outer", "import inner_of_new"), ("inner", ""), ("later", "")):
        wait = "import time; end = time.process_time() + 0.01\nwhile time.process_time() < end: pass\n"
        (tmp_path / f"{name}_of_new.py").write_text(f"{wait}{imported}\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    before = [*sys.meta_path]
    with import_seconds() as seconds:
        importlib.import_module("outer_of_new")
        counted = sum(seconds)
    assert counted >= 0.02, "an import within an import counts"
    assert sys.meta_path == before
    importlib.import_module("later_of_new")
    assert sum(seconds) == counted
