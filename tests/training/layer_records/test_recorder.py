"""What is recorded of a run and when, whatever ends it."""

from itertools import pairwise

import numpy as np
import pytest

from specnet import Observer, TrainingError
from specnet.training.layer_recorder import record_epochs, snapshot_epochs
from specnet.training.steps.trainer import StepMeter
from tests.networks import dense, network_of, rows_of, trained
from tests.training.layer_records.looked_at import in_layer, recorded, rms

TEN = [(1, 1), (2, 9), (10, 3), (320, 10), (20, 4096), (20_000, 60), (10**6, 10**7)]
FIVE = [(11, 3), (20, 256), (128, 341), (175, 10)]
"""Epochs and rows for which at most so many epochs are spread evenly, and as many geometrically.

In 128 epochs 341 rows are passed 43 648 times; 16 × 256 × 10 are 40 960. 384 rows are passed 49 152 times; as many are
16 × 256 × 12.
"""


@pytest.mark.parametrize(
    ("epochs", "rows", "half"), [*((*each, 10) for each in TEN), *((*each, 5) for each in FIVE), (128, 384, 6)]
)
def test_when_it_is_looked(epochs: int, rows: int, half: int):
    looks, moments = record_epochs(epochs, rows), snapshot_epochs(epochs)
    even = [round(1 + k * (epochs - 1) / (half - 1)) for k in range(half)]
    geometric = [round(epochs ** (k / (half - 1))) for k in range(half)]
    assert looks == sorted({0, *even, *geometric})
    assert {0, 1, epochs} <= set(looks)
    assert moments == sorted({0, *(max(1, round(epochs * share)) for share in (0.01, 0.05, 0.2)), epochs})


class Seeing(Observer):
    """Copies all parameters and layer states after each epoch."""

    def __init__(self) -> None:
        self.seen: dict[int, dict[str, np.ndarray]] = {}

    def trained(self, epoch, snapshot):
        arrays = {**snapshot.parameters(), **snapshot.layer_state()}
        self.seen[epoch] = {name: array.copy() for name, array in arrays.items()}


def test_parameters_and_layer_states_are_saved_at_five_moments():
    network = network_of("adam", dense(4), "batch_normalization", dense(1), inputs=2, epochs=40, batch_size=4)
    seeing = Seeing()
    result, seen = recorded(network, rows_of(10, inputs=2, outputs=1), observer=seeing), seeing.seen
    assert list(result.snapshots) == [0, 1, 2, 8, 40]
    assert {"layers.0.weight", "layers.1.scale", "layers.1.running_variance"} <= result.snapshots[0].keys()
    np.testing.assert_equal(result.snapshots, {epoch: seen[epoch] for epoch in result.snapshots})
    np.testing.assert_array_equal(result.snapshots[40]["layers.1.running_mean"], result.state["layers.1.running_mean"])


@pytest.mark.parametrize(("sizes", "kept"), [((2, 4, 1), True), ((3, 4, 1), False), ((2, 2500, 1), False)])
def test_parameters_are_kept_of_small_networks_of_two_inputs(sizes: tuple[int, ...], kept: bool):
    rows = rows_of(6, inputs=sizes[0], outputs=1)
    result = recorded(network_of("sgd", sizes=sizes, epochs=1), rows)
    assert bool(result.snapshots) == kept
    assert len(result.layer_records) == 2


def test_one_epoch_and_early_ends(monkeypatch: pytest.MonkeyPatch):
    measured, after_step = [], StepMeter.after_step

    def counted(meter: StepMeter, epoch: int, *vectors: np.ndarray) -> None:
        measured.append(epoch)
        after_step(meter, epoch, *vectors)

    one = recorded(network_of("adam", epochs=1), rows_of(10))
    assert [look["epoch"] for look in one.layer_records] == [0, 1]
    assert "parallel" in one.layer_records[-1]["layers"][0]
    stopping = {"monitor": "loss", "patience": 4, "min_delta": 9.0}
    monkeypatch.setattr(StepMeter, "after_step", counted)
    stopped = recorded(network_of("adam", epochs=90, early_stopping=stopping, sizes=(2, 4, 2)), rows_of(10, inputs=2))
    assert stopped.epochs == 5
    assert [look["epoch"] for look in stopped.layer_records] == [0, 1, 3, 5]
    assert measured == [1, 3, 4, 5]  # those after which nothing looks cost nothing
    assert list(stopped.snapshots) == [0, 1, 4, 5]
    assert all(layer["step"] > 0 and layer["parallel"] == 0 for layer in stopped.layer_records[-1]["layers"])


@pytest.mark.slow
def test_lbfgs_ends_when_it_has_converged():
    network, seeing = network_of("lbfgs", epochs=500, batch_size="full", sizes=(2, 3, 2)), Seeing()
    result = recorded(network, rows_of(5, inputs=2), observer=seeing)
    assert result.epochs < 500
    assert list(seeing.seen) == list(range(result.epochs + 1))
    expected = [epoch for epoch in record_epochs(500, rows=5) if epoch < result.epochs]
    assert [look["epoch"] for look in result.layer_records] == [*expected, result.epochs]
    assert list(result.snapshots)[-1] == result.epochs
    for (_, before), (epoch, after) in pairwise(seeing.seen.items()):
        for look in result.layer_records:
            if look["epoch"] == epoch:
                for layer in look["layers"]:
                    weight = f"{layer['layer']}.weight"
                    ratio = rms(after[weight] - before[weight]) / rms(before[weight])
                    assert layer["step"] == pytest.approx(ratio, rel=1e-9)
                    assert (layer["parallel"] == 0) if epoch == result.epochs else ("parallel" not in layer)


def test_a_loss_that_is_not_finite_tells_what_was_seen_until_then():
    network = network_of({"type": "sgd", "learning_rate": 1e3}, epochs=1000, batch_size=5, sizes=(3, 4, 4, 2))
    with pytest.raises(TrainingError, match=r"is nan|is inf|not all finite") as caught:
        recorded(network, rows_of(20))
    error = caught.value
    assert error.history
    assert error.history[-1]["epoch"] == len(error.history)
    weight = network.parameters(network.initial_parameters())["layers.0.weight"]
    assert error.layer_records[0]["layers"][0]["weight"] == pytest.approx(rms(weight))
    last = error.layer_records[-1]
    assert last["epoch"] == error.history[-1]["epoch"] + 1
    assert last["layers"][-1]["weight"] is None
    assert error.layer_records[1]["layers"][0]["step"] > 0.3
    with pytest.raises(TrainingError) as caught:
        trained(network, rows_of(20))
    assert caught.value.layer_records == []
    assert caught.value.history == error.history


def test_parameters_that_are_nan_are_null():
    network = network_of("sgd", epochs=1)
    start = network.initial_parameters()
    network.parameters(start)["layers.0.weight"][0, 0] = np.nan
    with pytest.raises(TrainingError) as caught:
        recorded(network, rows_of(10), start)
    for look in caught.value.layer_records:
        layer = in_layer(look, "layers.0")
        assert {layer[name] for name in ("weight", "gradient", "step", "dead", "saturated")} == {None}
    assert caught.value.layer_records[-1]["layers"][0]["parallel"] is None
