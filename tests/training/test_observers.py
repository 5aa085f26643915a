"""Observers see the epochs that they want, with the steps of these."""

from typing import Any

import pytest

from specnet.training import Observer, Observers, Snapshot, train
from tests.training.test_loop import network_of, rows_of


class Some(Observer):
    """Wants some epochs."""

    def __init__(self, *epochs: int) -> None:
        self.epochs, self.seen = epochs, list[int]()

    def next_epoch(self, epoch: int) -> int | None:
        return min((wanted for wanted in self.epochs if wanted > epoch), default=None)

    def trained(self, epoch: int, snapshot: Snapshot) -> None:
        self.seen.append(epoch)


@pytest.mark.parametrize("training", [{"batch_size": "full", "log_every": 50}, {"batch_size": 4}])
def test_an_observer_is_called_with_the_epochs_that_it_wants(training: dict[str, Any]):
    network, rows = network_of("sgd", epochs=100, **training), rows_of(10)
    some, others, none = Some(0, 3, 57, 100), Some(4, 57), Some()
    both = Observers(some, Observer(), others, none)
    assert [both.next_epoch(epoch) for epoch in (-1, 0, 3, 4, 56, 57, 100)] == [0, 3, 4, 57, 57, 100, None]
    train(network, network.initial_parameters(), rows, observer=both)
    assert (some.seen, others.seen, none.seen) == ([0, 3, 57, 100], [4, 57], [])
    assert Observer().next_epoch(-1) is None
    reached = train(network, network.initial_parameters(), rows, epochs=56).reached
    late = Some(0, 3, 57, 100)
    train(network, network.initial_parameters(), rows, observer=late, checkpoint=reached)
    assert late.seen == [57, 100]


def test_steps_are_told_of_in_the_epochs_that_are_seen():
    network, rows, found = network_of("sgd", epochs=5, batch_size=4), rows_of(10), {}

    class Measuring(Some):
        def trained(self, epoch: int, snapshot: Snapshot) -> None:
            found[epoch] = snapshot.step_sizes(epoch)
            assert snapshot.step_sizes(epoch - 1) is None

    train(network, network.initial_parameters(), rows, observer=Measuring(0, 2, 4))
    assert list(found) == [0, 2, 4]
    assert found[0] is None
    assert found[2].keys() == {"layers.0", "layers.1"}
    assert all(size.gradient > 0 and size.step > 0 for size in found[4].values())
