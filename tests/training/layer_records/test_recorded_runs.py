"""A record leaves no trace in what is trained, and runs that go on record what whole ones do."""

from typing import Any

import numpy as np
import pytest

import specnet
from specnet import Observer
from tests.networks import Snapshot, rows_of, trained
from tests.training.layer_records.looked_at import recorded, same
from tests.training.test_resume import OPTIMIZERS, again, spec_of

TRAININGS: list[dict[str, Any]] = [
    {"batch_size": "full", "log_every": 4},
    {"batch_size": 4},
    {"batch_size": 4, "average_weights": {"type": "exponential", "decay": 0.9}, "clip_norm": 0.1},
    {"batch_size": 4, "early_stopping": {"monitor": "loss", "patience": 1, "min_delta": 1.0}},
    {"batch_size": "full", "optimizer": "lbfgs"},
]


class Seeing(Observer):
    """Asks for all that there is to see after each epoch."""

    def __init__(self, X: np.ndarray) -> None:
        self.X = X

    def trained(self, epoch: int, snapshot: Snapshot) -> None:
        snapshot.parameters(), snapshot.gradient(), snapshot.layer_outputs(self.X), snapshot.step_sizes(epoch)


@pytest.mark.parametrize("sees", [False, True])
@pytest.mark.parametrize("training", TRAININGS)
def test_a_record_and_an_observer_who_sees_everything_change_no_bit(training: dict[str, Any], sees: bool):
    network, rows = specnet.build(spec_of(**{"epochs": 30, "checkpoint_every": 7, **training})), rows_of(10)

    def result(**options: Any) -> tuple[Any, list[bytes]]:
        kept: list[bytes] = []
        options["keep_checkpoint"] = lambda reached: kept.append(
            b"".join(a.tobytes() for a in reached.tensors.values())
        )
        return trained(network, rows, **options), kept

    (one, kept), (other, before) = result(**{"observer": Seeing(rows.X)} if sees else {"records": True}), result()
    assert one.theta.tobytes() == other.theta.tobytes()
    assert (one.history, one.steps, one.end) == (other.history, other.steps, other.end)
    np.testing.assert_equal(one.state, other.state)
    assert kept == before
    assert bool(one.layer_records) != sees
    assert not other.layer_records
    assert not other.snapshots


@pytest.mark.slow
@pytest.mark.parametrize("name", ["sgd", "adam", "rprop", "lbfgs"])
def test_what_goes_on_from_any_checkpoint_records_the_same(name: str):
    spec = spec_of(epochs=30, **next(each for each in OPTIMIZERS if each["optimizer"]["type"] == name))
    spec["network"]["input_size"] = 2
    network, rows, kept = specnet.build(spec), rows_of(10, inputs=2), []
    whole = recorded(network, rows, keep_checkpoint=lambda reached: kept.append(again(reached)))
    assert len(whole.snapshots) == 5 or name == "lbfgs"
    for checkpoint in kept[::3]:
        same(recorded(network, rows, checkpoint=checkpoint), whole)


def breaking(event: str, last: int) -> Observer:
    """Return what breaks off in one of the events of an epoch."""

    def tell(_: Observer, epoch: int, *more: Any) -> None:
        if epoch == last:
            raise KeyboardInterrupt

    return type("Breaking", (Observer,), {event: tell})()


@pytest.mark.parametrize(("event", "epoch"), [("trained", 0), ("logged", 1), ("trained", 1), ("logged", 4)])
def test_a_look_is_not_lost_where_an_observer_is_broken_off(event: str, epoch: int):
    spec = spec_of(batch_size=4)
    network, rows = specnet.build(spec), rows_of(10)
    broken = recorded(network, rows, observer=breaking(event, epoch))
    assert broken.interruption is not None
    assert [look["epoch"] for look in broken.layer_records] == [*range(epoch + 1)]
    assert not any("parallel" in layer for look in broken.layer_records for layer in look["layers"])
    same(recorded(network, rows, checkpoint=again(broken.reached)), recorded(network, rows))


class Broken:
    """Calls a function, but is broken off at its nth call."""

    def __init__(self, function: Any, last: int) -> None:
        self.function, self.left = function, last

    def __call__(self, *arguments: Any) -> Any:
        self.left -= 1
        if not self.left:
            raise KeyboardInterrupt
        return self.function(*arguments)


def test_a_look_is_not_lost_where_it_is_broken_off_itself(monkeypatch: pytest.MonkeyPatch):
    network, rows = specnet.build(spec_of(batch_size=4)), rows_of(10)
    whole, broken = recorded(network, rows), Broken(Snapshot.layer_outputs, 3)
    monkeypatch.setattr(Snapshot, "layer_outputs", lambda *arguments: broken(*arguments))
    part = recorded(network, rows)
    assert part.interruption is not None
    same(recorded(network, rows, checkpoint=again(part.reached)), whole)


def test_an_epoch_that_is_told_its_figures_again_has_the_same_look():
    """A monitor is broken off when all steps of an epoch have been made, and the epoch does not count yet."""
    network, rows = specnet.build(spec_of(batch_size=4)), rows_of(10)

    def size(theta: np.ndarray, state: Any) -> float:
        return float(np.abs(theta).sum())

    whole = recorded(network, rows, monitors={"size": size})
    part = recorded(network, rows, monitors={"size": Broken(size, 2)})
    assert part.end == "interrupted in epoch 2"
    assert part.reached.facts["so_far"][0] == 3
    same(recorded(network, rows, checkpoint=again(part.reached), monitors={"size": size}), whole)


def test_a_run_that_goes_on_for_longer_keeps_the_looks_that_it_would_have():
    short, long = (specnet.build(spec_of(batch_size=4, epochs=epochs)) for epochs in (10, 100))
    rows = rows_of(10)
    reached = recorded(short, rows, epochs=6).reached
    result, whole = recorded(long, rows, checkpoint=again(reached)), recorded(long, rows)
    assert [look for look in whole.layer_records if look["epoch"] > 6] == [
        look for look in result.layer_records if look["epoch"] > 6
    ]
    assert all(look in whole.layer_records for look in result.layer_records)
    assert result.layer_records[0]["epoch"] == 0
