"""What is recorded of a run: each number of a look against NumPy, and no trace of it in what is trained."""

import math
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

import specnet
from specnet.errors import TrainingError
from specnet.parts.registry import built_in_registry
from specnet.training import Checkpoint, Observer, Observers, RunIdentity, Snapshot, TrainingRows, train
from specnet.training.recorder import look_epochs, snapshot_epochs
from tests.parts.test_activations import FORMULAS
from tests.training.test_loop import batches_of, network_of, rows_of
from tests.training.test_resume import names, part_of, spec_of

ELEMENTWISE = sorted(FORMULAS)


def recorded(network: specnet.Network, rows: TrainingRows, theta: np.ndarray | None = None, **options: Any) -> Any:
    start = network.initial_parameters() if theta is None else theta
    return train(network, start, rows, records=True, **options)


def rms(*arrays: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.concatenate([array.reshape(-1) for array in arrays]) ** 2)))


def in_layer(look: dict[str, Any], layer: str) -> dict[str, Any]:
    (found,) = (each for each in look["layers"] if each["layer"] == layer)
    return found


def shares(slopes: np.ndarray, largest: float) -> tuple[float, float]:
    """Dead and saturated units, given slopes (rows, units)."""
    dead = [all(slope == 0 for slope in unit) for unit in slopes.T]
    flat = [sum(abs(slope) < 0.05 * largest for slope in unit) / len(unit) > 0.8999 for unit in slopes.T]
    return float(np.mean(dead)), float(np.mean(flat))


# ------------------------------------------------------------------------------------------------------------- numbers


def dense_by_hand(
    theta: dict[str, np.ndarray], rows: TrainingRows, size: int, epochs: int, rate: float
) -> Iterator[tuple[dict[str, np.ndarray], dict[str, np.ndarray], dict[str, np.ndarray], dict[str, np.ndarray]]]:
    """Yield the parameters after each epoch, and those before and after its first step with the gradient of it.

    The network is 3-relu-tanh-2 with the mean squared error; everything is written out here.
    """
    w1, b1, w2, b2, w3, b3 = theta.values()
    batches = iter(batches_of(len(rows), size, epochs))
    for _ in range(epochs):
        first = None
        for _ in range(0, len(rows), size):
            batch = next(batches)
            x, y = rows.X[batch], rows.target[batch]
            z1 = x @ w1.T + b1
            a1 = np.where(z1 > 0, z1, 0)
            a2 = np.tanh(a1 @ w2.T + b2)
            d3 = 2 * (a2 @ w3.T + b3 - y) / y.size
            d2 = (d3 @ w3) * (1 - a2**2)
            d1 = (d2 @ w2) * (z1 > 0)
            before = (w1, b1, w2, b2, w3, b3)
            gradient = (d1.T @ x, d1.sum(0), d2.T @ a1, d2.sum(0), d3.T @ a2, d3.sum(0))
            w1, b1, w2, b2, w3, b3 = after = tuple(p - rate * g for p, g in zip(before, gradient, strict=True))
            first = first or (before, after, gradient)
        assert first is not None
        yield tuple(dict(zip(theta, arrays, strict=True)) for arrays in ((w1, b1, w2, b2, w3, b3), *first))


@pytest.mark.parametrize("size", [5, 300])
def test_every_number_of_a_dense_network(size: int):
    layers = [
        {"type": "dense", "units": 9, "activation": "relu", "bias_initializer": "ones"},
        {"type": "dense", "units": 6, "activation": "tanh", "name": "middle"},
        {"type": "dense", "units": 2},
    ]
    training = {"loss": "mse", "epochs": 7, "batch_size": size, "optimizer": {"type": "sgd", "learning_rate": 0.02}}
    network = specnet.build({"network": {"dtype": "float64", "input_size": 3, "layers": layers}, "training": training})
    rows, start = rows_of(300), network.initial_parameters()
    views = network.parameters(start)
    views["layers.0.bias"][:2] = -50, -5  # dead, and nearly so
    views["layers.middle.weight"][0] *= 40  # saturated
    views["layers.middle.weight"][3], views["layers.middle.bias"][3] = 0, 9
    looks = {look["epoch"]: look for look in recorded(network, rows, start).looks}
    assert list(looks) == [0, 1, 2, 3, 4, 5, 6, 7]
    by_hand = {0: (views, None, None, None)}
    by_hand |= dict(enumerate(dense_by_hand(dict(views), rows, size, 7, 0.02), 1))
    X, seen = rows.X[:256], set()
    for epoch, (theta, before, after, gradient) in by_hand.items():
        z1 = X @ theta["layers.0.weight"].T + theta["layers.0.bias"]
        z2 = np.tanh(np.maximum(z1, 0) @ theta["layers.middle.weight"].T + theta["layers.middle.bias"])
        slopes = {"layers.0": (z1 > 0) * 1.0, "layers.middle": 1 - z2**2, "layers.2": np.ones((256, 2))}
        assert [layer["layer"] for layer in looks[epoch]["layers"]] == list(slopes)
        for key, slope in slopes.items():
            found, weight = in_layer(looks[epoch], key), f"{key}.weight"
            assert found["weight"] == pytest.approx(rms(theta[weight]), rel=1e-9)
            assert (found["dead"], found["saturated"]) == shares(slope, 1.0)
            seen.add((key, found["dead"], found["saturated"]))
            if before is None:
                assert (found["gradient"], found["step"]) == (None, None)
            else:
                assert found["gradient"] == pytest.approx(rms(gradient[weight]), rel=1e-8)
                ratio = rms(after[weight] - before[weight]) / rms(before[weight])
                assert found["step"] == pytest.approx(ratio, rel=1e-8)
            assert ("parallel" in found) == (epoch == 7)
    assert any(dead for _, dead, _ in seen)
    assert any(key == "layers.middle" and saturated > 0.2 and not dead for key, dead, saturated in seen)


def test_every_number_with_batch_normalization_and_dropout():
    layers = [
        {"type": "dense", "units": 8},
        {"type": "batch_normalization", "momentum": 0.7},
        {"type": "dropout", "rate": 0.4},
        {"type": "activation", "activation": "relu"},
        {"type": "dense", "units": 5, "activation": "sigmoid"},
        {"type": "dense", "units": 1},
    ]
    training = {"loss": "mse", "epochs": 6, "batch_size": 7, "optimizer": {"type": "sgd", "learning_rate": 0.05}}
    network = specnet.build({"network": {"dtype": "float64", "input_size": 3, "layers": layers}, "training": training})
    rows = rows_of(40, outputs=1)
    rows = TrainingRows(rows.X, rows.target[:, 0])
    start = network.initial_parameters()
    network.parameters(start)["layers.1.shift"][:2] = -20, 0.5
    network.parameters(start)["layers.4.bias"][:2] = 8, -60
    looks = recorded(network, rows, start).looks
    assert [look["epoch"] for look in looks] == list(range(7))
    theta, state, batches = start, network.initial_state(), batches_of(40, 7, 6)
    for look in looks:
        first = None
        for _ in range(math.ceil(40 / 7) if look["epoch"] else 0):
            step = 36 - len(batches)
            batch = batches.pop(0)
            arguments = {"state": state, "training": True, "step": step}
            gradient = network.loss_and_gradient(theta, rows.X[batch], rows.target[batch], **arguments)[1]
            first = first or (network.parameters(theta), network.parameters(gradient))
            theta = theta - 0.05 * gradient
        tensors = network.parameters(theta)
        x = rows.X @ tensors["layers.0.weight"].T + tensors["layers.0.bias"]
        x = (x - state["layers.1.running_mean"]) / np.sqrt(state["layers.1.running_variance"] + 1e-5)
        x = np.maximum(x * tensors["layers.1.scale"] + tensors["layers.1.shift"], 0)
        y = 1 / (1 + np.exp(-(x @ tensors["layers.4.weight"].T) - tensors["layers.4.bias"]))
        # The units of the first layer are those of the activation that follows.
        slopes = {"layers.0": ((x > 0) * 1.0, 1.0), "layers.4": (y * (1 - y), 0.25)}
        assert [layer["layer"] for layer in look["layers"]] == ["layers.0", "layers.4", "layers.5"]
        for key, (slope, largest) in slopes.items():
            found, name = in_layer(look, key), f"{key}.weight"
            assert found["weight"] == pytest.approx(rms(tensors[name]), rel=1e-9)
            assert (found["dead"], found["saturated"]) == shares(slope, largest)
            if first is not None:
                before, change = first
                assert found["gradient"] == pytest.approx(rms(change[name]), rel=1e-7)
                assert found["step"] == pytest.approx(0.05 * rms(change[name]) / rms(before[name]), rel=1e-7)
    assert in_layer(looks[0], "layers.0")["dead"] == 1 / 8
    assert in_layer(looks[0], "layers.4")["saturated"] == 2 / 5


def slope_network(activation: dict[str, Any], units: int, **layer: Any) -> specnet.Network:
    layers = [{"type": "dense", "units": units, "activation": activation, **layer}, {"type": "dense", "units": 1}]
    training = {"loss": "mse", "epochs": 1, "optimizer": {"type": "sgd", "learning_rate": 1e-200}, "batch_size": "full"}
    return specnet.build({"network": {"dtype": "float64", "input_size": 1, "layers": layers}, "training": training})


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_dead_and_saturated_units_of_every_activation(name: str):
    """Units see rows near −800, −6, −0.3, 0.3, 1.7, 6, 40 and 800, each of which is anywhere on its curve."""
    centres = np.array([-800, -6, -0.3, 0.3, 1.7, 6, 40, 800.0])
    if name == "exponential":
        centres = np.minimum(centres, 40)
    network = slope_network({"type": name}, len(centres))
    start = network.initial_parameters()
    network.parameters(start)["layers.0.weight"][:, 0] = 0.01 * np.ones(len(centres))
    network.parameters(start)["layers.0.bias"][:] = centres
    X = np.random.default_rng(0).uniform(-1, 1, (50, 1))
    rows = TrainingRows(X, np.zeros(50))
    part = built_in_registry().find("activation", name)()
    raw = X * 0.01 + centres
    slopes = np.abs(FORMULAS[name](part, raw)[1])
    line = np.linspace(-30, 30, 600_001)
    largest = np.abs(FORMULAS[name](part, line)[1]).max()
    if name in ("sigmoid", "tanh"):  # their slopes are told from outputs, which round to 1
        slopes[slopes < 1e-16 * largest] = 0
    dead, saturated = shares(slopes, largest)
    found = in_layer(recorded(network, rows, start).looks[0], "layers.0")
    assert found["dead"] == dead
    assert found["saturated"] == (None if name == "exponential" else saturated)
    if name in ("relu", "tanh", "sigmoid", "hard_tanh", "softsign", "gelu", "mish", "selu", "threshold"):
        assert saturated > 0
        assert saturated < 1


def test_every_elementwise_activation_is_tried():
    assert {part.part_name() for part in built_in_registry().of_kind("activation") if part.elementwise} == {
        *ELEMENTWISE
    }


@pytest.mark.parametrize("name", ["softmax", "log_softmax", "glu"])
def test_units_whose_outputs_depend_on_each_other(name: str):
    network = slope_network({"type": name}, 4)
    start, X = network.initial_parameters(), np.random.default_rng(0).uniform(-1, 1, (50, 1))
    views = network.parameters(start)
    views["layers.0.weight"][:, 0], views["layers.0.bias"][:] = 0.1, (0, -2000, 0.5, -2000)
    found = in_layer(recorded(network, TrainingRows(X, np.zeros(50)), start).looks[0], "layers.0")
    # softmax of −2000 is 0; the second number is let through by the gate of the fourth, which is shut and stays so.
    assert found["dead"] == {"softmax": 0.5, "log_softmax": 0.0, "glu": 0.5}[name]
    assert found["saturated"] is None


def test_slopes_count_what_the_activation_has_learned():
    X, rows = np.linspace(-1, 1, 20)[:, None], 20
    network = slope_network({"type": "prelu"}, 3)
    start = network.initial_parameters()
    views = network.parameters(start)
    views["layers.0.weight"][:, 0], views["layers.0.bias"][:] = 0.1, -5
    views["layers.0.negative_slope"][:] = 0, 0.01, 0.25
    found = in_layer(recorded(network, TrainingRows(X, np.zeros(rows)), start).looks[0], "layers.0")
    assert (found["dead"], found["saturated"]) == (1 / 3, 2 / 3)
    network = slope_network({"type": "tanh", "parametric": True}, 3)
    start = network.initial_parameters()
    views = network.parameters(start)
    views["layers.0.weight"][:, 0], views["layers.0.bias"][:] = 0.1, 9
    views["layers.0.mixture"][:] = 1, 0.99, 0.5  # slopes 0, 0.01 and 0.5 of 1
    found = in_layer(recorded(network, TrainingRows(X, np.zeros(rows)), start).looks[0], "layers.0")
    assert (found["dead"], found["saturated"]) == (0, 2 / 3)


def test_layers_of_other_sizes_have_learned_other_slopes():
    layers = [
        *({"type": "dense", "units": units, "activation": "prelu"} for units in (1, 3, 3, 1)),
        {"type": "dense", "units": 1, "activation": "tanh"},
        {"type": "dense", "units": 1},
    ]
    training = {"loss": "mse", "epochs": 1, "optimizer": {"type": "sgd", "learning_rate": 1e-200}}
    network = specnet.build({"network": {"dtype": "float64", "input_size": 1, "layers": layers}, "training": training})
    start = network.initial_parameters()
    views = network.parameters(start)
    for layer, slopes in enumerate([[30], [0.25, 0, 90], [0, 0, 0.25], [0.04]]):
        views[f"layers.{layer}.weight"][:], views[f"layers.{layer}.bias"][:] = 1e-3, -1
        views[f"layers.{layer}.negative_slope"][:] = slopes
    looks = recorded(network, TrainingRows(np.linspace(-1, 1, 20)[:, None], np.zeros(20)), start).looks
    dead = [layer["dead"] for layer in looks[0]["layers"]]
    assert dead == [0, 1 / 3, 2 / 3, 0, 0, 0]
    assert [layer["saturated"] for layer in looks[0]["layers"]] == [0, 1 / 3, 2 / 3, 1, 0, 0]


def test_an_activation_that_the_loss_includes_does_not_saturate():
    network = {"dtype": "float64", "input_size": 1, "layers": [{"type": "dense", "units": 1}]}
    built = specnet.build({"network": network, "training": {"loss": "binary_crossentropy", "epochs": 1}})
    start = built.initial_parameters()
    built.parameters(start)["layers.0.weight"][:] = 900
    rows = TrainingRows(np.array([[-1.0], [1.0]]), np.array([0.0, 1.0]))
    found = in_layer(recorded(built, rows, start).looks[0], "layers.0")
    assert (found["dead"], found["saturated"]) == (0, 0)


def test_units_that_add_to_a_branch_or_go_two_ways_have_no_activation_of_their_own():
    layers = [
        {"type": "dense", "units": 3, "name": "start"},
        {"type": "activation", "activation": "relu"},
        {"type": "dense", "units": 3, "name": "branch"},
        {"type": "add", "inputs": ["start", "branch"]},
        {"type": "activation", "activation": "relu"},
        {"type": "dense", "units": 3, "name": "normal"},
        {"type": "layer_normalization"},
        {"type": "activation", "activation": "relu"},
        {"type": "dense", "units": 1},
    ]
    network = specnet.build(
        {"network": {"dtype": "float64", "input_size": 2, "layers": layers}, "training": {"loss": "mse", "epochs": 1}}
    )
    start = network.initial_parameters()
    network.parameters(start)["layers.start.bias"][:] = -99
    network.parameters(start)["layers.branch.bias"][:] = 0
    network.parameters(start)["layers.6.shift"][:] = -99
    rows = rows_of(10, inputs=2, outputs=1)
    look = recorded(network, TrainingRows(rows.X, rows.target[:, 0]), start).looks[0]
    dead = {layer["layer"]: layer["dead"] for layer in look["layers"]}
    assert dead == {"layers.start": 0, "layers.branch": 1, "layers.normal": 0, "layers.8": 0}


def test_parallel_units():
    network = network_of({"type": "sgd", "learning_rate": 1e-200}, sizes=(3, 6, 2), epochs=1)
    start = network.initial_parameters()
    views = network.parameters(start)
    weight, bias = views["layers.0.weight"], views["layers.0.bias"]
    bias[:] = np.arange(6) / 7
    weight[1], bias[1] = 2 * weight[0], 2 * bias[0]
    weight[2], bias[2] = -0.5 * weight[0], -0.5 * bias[0]
    weight[4], bias[4] = weight[3], bias[3] + 0.1  # another cut of the plane
    views["layers.1.weight"][:] = 0
    last = recorded(network, rows_of(5), start).looks[-1]
    assert in_layer(last, "layers.0")["parallel"] == 3 / 6
    assert in_layer(last, "layers.1")["parallel"] == 1


def test_weights_that_are_no_matrix_of_units_and_layers_that_do_not_learn():
    layers = [
        {"type": "scale"},
        {"type": "dense", "units": 4, "trainable": False},
        {"type": "batch_normalization"},
        {"type": "dense", "units": 1},
    ]
    network = specnet.build(
        {"network": {"input_size": 2, "layers": layers}, "training": {"loss": "mse", "epochs": 2, "batch_size": 4}}
    )
    rows = rows_of(8, dtype=np.float32, inputs=2, outputs=1)
    looks = recorded(network, TrainingRows(rows.X, rows.target[:, 0])).looks
    assert [layer["layer"] for layer in looks[-1]["layers"]] == ["layers.0", "layers.3"]
    assert [layer["parallel"] for layer in looks[-1]["layers"]] == [None, 0.0]
    assert looks[0]["layers"][0]["weight"] == 1
    assert looks[-1]["layers"][0]["gradient"] > 0


# -------------------------------------------------------------------------------------------------------------- epochs


@pytest.mark.parametrize("epochs", [1, 2, 3, 20, 60, 1000, 20_000, 10**6])
def test_when_it_is_looked(epochs: int):
    looks, moments = look_epochs(epochs), snapshot_epochs(epochs)
    even = [round(1 + k * (epochs - 1) / 9) for k in range(10)]
    geometric = [round(epochs ** (k / 9)) for k in range(10)]
    assert looks == sorted({0, *even, *geometric})
    assert len(looks) <= 21
    assert {0, 1, epochs} <= set(looks)
    assert moments == sorted({0, *(max(1, round(epochs * share)) for share in (0.01, 0.05, 0.2)), epochs})


def test_parameters_and_layer_states_are_kept_at_five_moments():
    layers = [{"type": "dense", "units": 4}, {"type": "batch_normalization"}, {"type": "dense", "units": 1}]
    training = {"loss": "mse", "epochs": 40, "batch_size": 4}
    network = specnet.build({"network": {"dtype": "float64", "input_size": 2, "layers": layers}, "training": training})
    rows = rows_of(10, inputs=2, outputs=1)
    rows, seen = TrainingRows(rows.X, rows.target[:, 0]), {}

    class Keeping(Observer):
        def trained(self, epoch: int, snapshot: Snapshot) -> None:
            seen[epoch] = {**snapshot.parameters(), **snapshot.layer_state()}

    result = recorded(network, rows, observer=Keeping())
    assert list(result.snapshots) == [0, 1, 2, 8, 40]
    assert {"layers.0.weight", "layers.1.scale", "layers.1.running_variance"} <= result.snapshots[0].keys()
    for epoch, arrays in result.snapshots.items():
        assert arrays.keys() == seen[epoch].keys()
        for name, array in arrays.items():
            np.testing.assert_array_equal(array, seen[epoch][name])
    np.testing.assert_array_equal(result.snapshots[40]["layers.1.running_mean"], result.state["layers.1.running_mean"])


@pytest.mark.parametrize(("sizes", "kept"), [((2, 4, 1), True), ((3, 4, 1), False), ((2, 2500, 1), False)])
def test_parameters_are_kept_of_small_networks_of_two_inputs(sizes: tuple[int, ...], kept: bool):
    rows = rows_of(6, inputs=sizes[0], outputs=1)
    result = recorded(network_of("sgd", sizes=sizes, epochs=1), TrainingRows(rows.X, rows.target[:, 0]))
    assert bool(result.snapshots) == kept
    assert len(result.looks) == 2


def test_one_epoch_and_early_ends():
    one = recorded(network_of("adam", epochs=1), rows_of(10))
    assert [look["epoch"] for look in one.looks] == [0, 1]
    assert "parallel" in one.looks[-1]["layers"][0]
    stopping = {"monitor": "loss", "patience": 2, "min_delta": 9.0}
    stopped = recorded(network_of("adam", epochs=90, early_stopping=stopping, sizes=(2, 4, 2)), rows_of(10, inputs=2))
    assert stopped.epochs == 3
    assert [look["epoch"] for look in stopped.looks] == [0, 1, 2, 3]
    assert list(stopped.snapshots) == [0, 1, 3]
    assert all(layer["step"] > 0 and layer["parallel"] == 0 for layer in stopped.looks[-1]["layers"])


def test_lbfgs_ends_when_it_has_converged():
    network = network_of("lbfgs", epochs=500, batch_size="full", sizes=(2, 3, 2))
    seen = []

    class Counting(Observer):
        def trained(self, epoch: int, snapshot: Snapshot) -> None:
            seen.append((epoch, {name: array.copy() for name, array in snapshot.parameters().items()}))

    result = recorded(network, rows_of(5, inputs=2), observer=Counting())
    assert result.epochs < 500
    assert [epoch for epoch, _ in seen] == list(range(result.epochs + 1))
    expected = [epoch for epoch in look_epochs(500) if epoch < result.epochs]
    assert [look["epoch"] for look in result.looks] == [*expected, result.epochs]
    assert list(result.snapshots)[-1] == result.epochs
    for (_, before), (epoch, after) in pairwise(seen):
        for look in result.looks:
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
    assert error.looks[0]["layers"][0]["weight"] == pytest.approx(
        rms(network.parameters(network.initial_parameters())["layers.0.weight"])
    )
    last = error.looks[-1]
    assert last["epoch"] == error.history[-1]["epoch"] + 1
    assert last["layers"][-1]["weight"] is None
    assert error.looks[1]["layers"][0]["step"] > 0.3
    with pytest.raises(TrainingError) as caught:
        train(network, network.initial_parameters(), rows_of(20))
    assert caught.value.looks == []
    assert caught.value.history == error.history


def test_parameters_that_are_nan_are_null():
    network = network_of("sgd", epochs=1)
    start = network.initial_parameters()
    network.parameters(start)["layers.0.weight"][0, 0] = np.nan
    with pytest.raises(TrainingError) as caught:
        recorded(network, rows_of(10), start)
    for look in caught.value.looks:
        layer = in_layer(look, "layers.0")
        assert {layer[name] for name in ("weight", "gradient", "step", "dead", "saturated")} == {None}
    assert caught.value.looks[-1]["layers"][0]["parallel"] is None


# --------------------------------------------------------------------------------------------------- the same training

TRAININGS: list[dict[str, Any]] = [
    {"batch_size": "full", "log_every": 4},
    {"batch_size": 4},
    {"batch_size": 4, "average_weights": {"type": "exponential", "decay": 0.9}, "clip_norm": 0.1},
    {"batch_size": 4, "early_stopping": {"monitor": "loss", "patience": 1, "min_delta": 1.0}},
    {"batch_size": "full", "optimizer": "lbfgs"},
]


@pytest.mark.parametrize("training", TRAININGS)
def test_a_record_changes_no_bit(training: dict[str, Any]):
    network, rows = specnet.build(spec_of(**{"epochs": 30, "checkpoint_every": 7, **training})), rows_of(10)
    kept: dict[bool, list[dict[str, np.ndarray]]] = {True: [], False: []}
    results = {}
    for records, tensors in kept.items():

        def keep(reached: Checkpoint, tensors: list[dict[str, np.ndarray]] = tensors) -> None:
            tensors.append({name: array.copy() for name, array in reached.tensors.items()})

        results[records] = train(network, network.initial_parameters(), rows, records=records, keep_checkpoint=keep)
    one, other = results[True], results[False]
    assert one.theta.tobytes() == other.theta.tobytes()
    assert (one.history, one.steps, one.end) == (other.history, other.steps, other.end)
    assert one.state.keys() == other.state.keys()
    for before, after in zip(kept[False], kept[True], strict=True):
        for name, array in before.items():
            assert after[name].tobytes() == array.tobytes()
    assert one.looks
    assert not other.looks
    assert not other.snapshots


def again(reached: Checkpoint) -> Checkpoint:
    """A checkpoint that was written and read."""
    return Checkpoint.from_bytes(replace(reached, run=RunIdentity("{}", "0")).to_bytes())


def same(one: Any, other: Any) -> None:
    assert one.looks == other.looks
    assert list(one.snapshots) == list(other.snapshots)
    for epoch, arrays in one.snapshots.items():
        assert arrays.keys() == other.snapshots[epoch].keys()
        for name, array in arrays.items():
            assert array.tobytes() == other.snapshots[epoch][name].tobytes()


@pytest.mark.parametrize("name", names("optimizer"))
def test_what_goes_on_from_any_checkpoint_records_the_same(name: str):
    part = built_in_registry().find("optimizer", name)
    fields = {"optimizer": part_of("optimizer", name), "batch_size": "full" if part.full_batch_only else 4}
    spec = spec_of(epochs=30, **fields)
    spec["network"]["input_size"] = 2
    network, rows, kept = specnet.build(spec), rows_of(10, inputs=2), []
    whole = recorded(network, rows, keep_checkpoint=lambda reached: kept.append(again(reached)))
    assert len(whole.snapshots) == 5 or name == "lbfgs"
    for checkpoint in kept[::3]:
        same(recorded(network, rows, checkpoint=checkpoint), whole)


class Breaking(Observer):
    """Breaks off in one of the events of an epoch."""

    def __init__(self, event: str, epoch: int) -> None:
        self.event, self.epoch = event, epoch

    def logged(self, epoch: int, record: Any) -> None:
        self._break("logged", epoch)

    def trained(self, epoch: int, snapshot: Snapshot) -> None:
        self._break("trained", epoch)

    def _break(self, event: str, epoch: int) -> None:
        if (event, epoch) == (self.event, self.epoch):
            raise KeyboardInterrupt


@pytest.mark.parametrize(("event", "epoch"), [("trained", 0), ("logged", 1), ("trained", 1), ("logged", 4)])
def test_a_look_is_not_lost_where_an_observer_is_broken_off(event: str, epoch: int):
    spec = spec_of(batch_size=4)
    network, rows = specnet.build(spec), rows_of(10)
    broken = recorded(network, rows, observer=Breaking(event, epoch))
    assert broken.interruption is not None
    assert [look["epoch"] for look in broken.looks] == [each for each in look_epochs(6) if each <= epoch]
    assert not any("parallel" in layer for look in broken.looks for layer in look["layers"])
    same(recorded(network, rows, checkpoint=again(broken.reached)), recorded(network, rows))


def test_a_look_is_not_lost_where_it_is_broken_off_itself(monkeypatch: pytest.MonkeyPatch):
    network, rows = specnet.build(spec_of(batch_size=4)), rows_of(10)
    whole, slopes, calls = recorded(network, rows), Snapshot.slopes, [0]

    def broken(snapshot: Snapshot, X: np.ndarray) -> Any:
        calls[0] += 1
        if calls[0] == 3:
            raise KeyboardInterrupt
        return slopes(snapshot, X)

    monkeypatch.setattr(Snapshot, "slopes", broken)
    part = recorded(network, rows)
    assert part.interruption is not None
    same(recorded(network, rows, checkpoint=again(part.reached)), whole)


def test_an_epoch_that_is_told_its_figures_again_has_the_same_look():
    """A monitor is broken off when all steps of an epoch have been made, and the epoch does not count yet."""
    network, rows = specnet.build(spec_of(batch_size=4)), rows_of(10)

    def told(theta: np.ndarray, state: Any) -> float:
        return float(np.abs(theta).sum())

    class Broken:
        calls = 0

        def __call__(self, theta: np.ndarray, state: Any) -> float:
            self.calls += 1
            if self.calls == 2:
                raise KeyboardInterrupt
            return told(theta, state)

    whole = recorded(network, rows, monitors={"size": told})
    part = recorded(network, rows, monitors={"size": Broken()})
    assert part.end == "interrupted in epoch 2"
    assert part.reached.facts["so_far"][0] == 3
    same(recorded(network, rows, checkpoint=again(part.reached), monitors={"size": told}), whole)


def test_a_run_that_goes_on_for_longer_keeps_the_looks_that_it_would_have():
    short, long = (specnet.build(spec_of(batch_size=4, epochs=epochs)) for epochs in (10, 100))
    rows = rows_of(10)
    reached = recorded(short, rows, epochs=6).reached
    result, whole = recorded(long, rows, checkpoint=again(reached)), recorded(long, rows)
    assert [look for look in whole.looks if look["epoch"] > 6] == [look for look in result.looks if look["epoch"] > 6]
    assert all(look in whole.looks for look in result.looks)
    assert result.looks[0]["epoch"] == 0


# ----------------------------------------------------------------------------------------------------------- observers


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
