"""The beginning of a training: what is of it, and where training stops."""

import pytest

from specnet import Observer, run
from specnet.training import Observers
from specnet.training.beginning import Beginning, StopAfter, Stopped
from tests.running.moons import MOONS


class Seen(Observer):
    def __init__(self):
        self.epochs, self.ends = [], []

    def member_started(self, member, members):
        self.member = member

    def logged(self, epoch, record):
        self.epochs.append((record.get("member", 0), epoch))

    def ended(self, epochs, steps, seconds, end):
        self.ends.append((epochs, end))


def stopped(beginning, *overrides):
    seen = Seen()
    with pytest.raises(Stopped):
        run(MOONS, observer=Observers(seen, StopAfter(beginning)), overrides=overrides)
    return seen


def test_it_covers_the_members_before_and_one_up_to_an_epoch():
    beginning = Beginning(1, 5)
    assert beginning.covers({"epoch": 99})
    assert beginning.covers({"member": 1, "epoch": 5})
    assert not beginning.covers({"member": 1, "epoch": 6})
    assert not beginning.covers({"member": 2, "epoch": 1})
    assert not Beginning(0, 5).covers({"epoch": 6})


def test_training_stops_with_its_last_epoch():
    seen = stopped(Beginning(0, 4))
    assert seen.epochs == [(0, epoch) for epoch in range(1, 5)]
    assert seen.ends == [(4, "interrupted after epoch 4")]


def test_it_also_ends_with_an_epoch_that_is_not_logged():
    seen = stopped(Beginning(0, 4), "training.log_every=5", "training.batch_size=full")
    assert seen.ends == [(4, "interrupted after epoch 4")]
    assert seen.epochs == [(0, 1)]


def test_members_before_are_whole():
    seen = stopped(Beginning(1, 2), "training.ensemble=3")
    assert seen.epochs == [*((0, epoch) for epoch in range(1, 13)), (1, 1), (1, 2)]
    assert [epochs for epochs, _ in seen.ends] == [12, 2]
    assert stopped(Beginning(1, 0), "training.ensemble=3").ends == [(12, "all epochs"), (0, "interrupted in epoch 1")]
