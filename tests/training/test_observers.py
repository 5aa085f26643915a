"""Observers see the epochs that they want, with the steps of these."""

from collections.abc import Mapping
from typing import Any

import pytest

from specnet import Observer, StopTraining, run
from specnet.training import Observers
from specnet.training.observer import EVENTS, Beginning, Relay, StopAfter, Stopped, closing
from tests.networks import Snapshot, Stepper, network_of, rows_of, trained
from tests.running.moons import MOONS


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
    trained(network, rows, observer=both)
    assert (some.seen, others.seen, none.seen) == ([0, 3, 57, 100], [4, 57], [])
    assert Observer().next_epoch(-1) is None
    reached = trained(network, rows, epochs=56).reached
    late = Some(0, 3, 57, 100)
    trained(network, rows, observer=late, checkpoint=reached)
    assert late.seen == [57, 100]


def test_steps_are_told_of_in_the_epochs_that_are_seen():
    network, rows, found = network_of("sgd", epochs=5, batch_size=4), rows_of(10), {}

    class Measuring(Some):
        def trained(self, epoch: int, snapshot: Snapshot) -> None:
            found[epoch] = snapshot.step_sizes(epoch)
            assert snapshot.step_sizes(epoch - 1) is None

    trained(network, rows, observer=Measuring(0, 2, 4))
    assert list(found) == [0, 2, 4]
    assert found[0] is None
    assert found[2].keys() == {"layers.0", "layers.1"}
    assert all(size.gradient > 0 and size.step > 0 for size in found[4].values())


class Patient(Observer):
    """Can wait for what is logged; breaks a run off at an epoch."""

    follows_log = False

    def __init__(self, last: int = 0) -> None:
        self.last, self.heard = last, list[tuple[int, Any]]()

    def logged(self, epoch: int, record: Mapping[str, Any]) -> None:
        self.heard.append((epoch, record))
        if epoch == self.last:
            raise KeyboardInterrupt


@pytest.mark.parametrize("training", [{"batch_size": "full", "log_every": 3}, {"batch_size": 4}])
def test_an_observer_that_can_wait_is_told_the_same_after_fewer_calls(
    training: dict[str, Any], monkeypatch: pytest.MonkeyPatch
):
    network, rows, calls, go_on = network_of("sgd", epochs=100, **training), rows_of(10), list[int](), Stepper._go_on

    def counted(stepper: Stepper, span: Any) -> list[float]:
        calls.append(span.epochs)
        return go_on(stepper, span)

    monkeypatch.setattr(Stepper, "_go_on", counted)
    patient = Patient()
    result = trained(network, rows, observer=patient)
    assert patient.heard == [(record["epoch"], record) for record in result.history]
    assert len(patient.heard) > 30
    assert len(calls) < 4
    whole = result.theta
    broken = trained(network, rows, observer=Patient(7))
    assert isinstance(broken.interruption, KeyboardInterrupt)
    assert broken.history == result.history[: len(broken.history)]
    assert broken.epochs >= 7
    again = trained(network, rows, checkpoint=broken.reached)
    assert (again.theta.tobytes(), again.history) == (whole.tobytes(), result.history)


def test_all_events_are_passed_on_in_order():
    arguments = {name: (number, name) for number, name in enumerate(EVENTS)}
    events = {
        name for name in vars(Observer) if name.isascii() and name[0] != "_" and callable(getattr(Observer, name))
    }
    assert events == {*EVENTS, "trained", "next_epoch"}
    told: list[Any] = []
    both = Observers(Relay(lambda *event: told.append(("first", *event))), Relay(lambda *event: told.append(event)))
    for name, given in arguments.items():
        getattr(both, name)(*given)
    assert told[1::2] == list(arguments.items())
    assert told[::2] == [("first", *event) for event in arguments.items()]
    assert not both.takes_snapshots
    assert both.follows_log
    assert not Observers(Observer(), Some(1), Patient()).follows_log
    assert Observers(both, Some(1)).takes_snapshots


def test_an_observer_is_closed_with_the_error():
    told: list[Any] = []
    observer = Relay(lambda *event: told.append(event))
    with closing(observer):
        assert told == []
    error = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt), closing(observer):
        raise error
    assert told == [("closed", (error,))]
    assert str(StopTraining(7)) == "stopped by an observer after epoch 7"


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


def test_a_beginning_covers_the_members_before_and_one_up_to_an_epoch():
    assert all(map(Beginning(1, 5).covers, ({"epoch": 99}, {"member": 1, "epoch": 5})))
    assert not any(map(Beginning(1, 5).covers, ({"member": 1, "epoch": 6}, {"member": 2, "epoch": 1})))
    assert not Beginning(0, 5).covers({"epoch": 6})


MEMBERS = "training.ensemble=3"
FIRST, TWO = [(0, epoch) for epoch in range(1, 13)], [(1, 1), (1, 2)]


@pytest.mark.parametrize(
    ("beginning", "overrides", "epochs", "ends"),
    [
        ((0, 4), (), FIRST[:4], [(4, "interrupted after epoch 4")]),
        ((0, 4), ("training.log_every=5", "training.batch_size=full"), FIRST[:1], [(4, "interrupted after epoch 4")]),
        ((1, 2), (MEMBERS,), [*FIRST, *TWO], [(12, "all epochs"), (2, "interrupted after epoch 2")]),
        ((1, 0), (MEMBERS,), FIRST, [(12, "all epochs"), (0, "interrupted in epoch 1")]),
    ],
    ids=["last epoch", "last epoch is not logged", "members before are whole", "before the first epoch"],
)
def test_training_stops_with_its_beginning(beginning, overrides, epochs, ends):
    assert stopped(Beginning(*beginning), *overrides) == (epochs, ends)
