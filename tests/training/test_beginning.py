"""The beginning of a training: what is of it, and where training stops."""

import pytest

from specnet import run
from specnet.training import Observers
from specnet.training.observer import Beginning, Relay, StopAfter, Stopped
from tests.running.moons import MOONS


def stopped(beginning, *overrides):
    """Return the epochs that a run logs, with their members, and how these end."""
    epochs, ends = [], []

    def tell(event, arguments):
        if event == "logged":
            epochs.append((arguments[1].get("member", 0), arguments[0]))
        elif event == "ended":
            ends.append((arguments[0], arguments[-1]))

    with pytest.raises(Stopped):
        run(MOONS, observer=Observers(Relay(tell), StopAfter(beginning)), overrides=overrides)
    return epochs, ends


def test_it_covers_the_members_before_and_one_up_to_an_epoch():
    beginning = Beginning(1, 5)
    assert beginning.covers({"epoch": 99})
    assert beginning.covers({"member": 1, "epoch": 5})
    assert not beginning.covers({"member": 1, "epoch": 6})
    assert not beginning.covers({"member": 2, "epoch": 1})
    assert not Beginning(0, 5).covers({"epoch": 6})


def test_training_stops_with_its_last_epoch():
    epochs = [(0, epoch) for epoch in range(1, 5)]
    assert stopped(Beginning(0, 4)) == (epochs, [(4, "interrupted after epoch 4")])


def test_it_also_ends_with_an_epoch_that_is_not_logged():
    found = stopped(Beginning(0, 4), "training.log_every=5", "training.batch_size=full")
    assert found == ([(0, 1)], [(4, "interrupted after epoch 4")])


def test_members_before_are_whole():
    epochs, ends = stopped(Beginning(1, 2), "training.ensemble=3")
    assert epochs == [*((0, epoch) for epoch in range(1, 13)), (1, 1), (1, 2)]
    assert [epochs for epochs, _ in ends] == [12, 2]
    assert stopped(Beginning(1, 0), "training.ensemble=3")[1] == [(12, "all epochs"), (0, "interrupted in epoch 1")]
