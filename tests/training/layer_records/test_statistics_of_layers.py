"""Each number of a look at a training, against NumPy."""

from collections.abc import Iterator

import numpy as np
import pytest

import specnet
from tests.networks import TrainingRows, batches_of, dense, network_of, rows_of
from tests.registry import find, names
from tests.training.layer_records.looked_at import in_layer, recorded, rms, shares

STILL = {"type": "sgd", "learning_rate": 1e-200}


def first_steps(
    network: specnet.Network, theta: np.ndarray, rows: TrainingRows, size: int, epochs: int, rate: float
) -> Iterator[list[dict[str, np.ndarray]]]:
    """Yield for each epoch of gradient descent the parameters at its end, and before and after its first step.

    The last of the four is the gradient of that step.
    """
    batches = iter(batches_of(len(rows), size, epochs))
    for _ in range(epochs):
        first: list[np.ndarray] = []
        for _ in range(0, len(rows), size):
            batch = next(batches)
            gradient = network.loss_and_gradient(theta, rows.X[batch], rows.target[batch])[1]
            before, theta = theta, theta - rate * gradient
            first = first or [before, theta, gradient]
        yield [network.parameters(vector) for vector in (theta, *first)]


@pytest.mark.parametrize("size", [5, 300])
def test_every_number_of_a_dense_network(size: int):
    layers = [dense(9, "relu", bias_initializer="ones"), dense(6, "tanh", name="middle"), dense(2)]
    network = network_of({"type": "sgd", "learning_rate": 0.02}, *layers, epochs=7, batch_size=size)
    rows, start = rows_of(300), network.initial_parameters()
    views = network.parameters(start)
    views["layers.0.bias"][:2] = -50, -5  # dead, and nearly so
    views["layers.middle.weight"][0] *= 40  # saturated
    views["layers.middle.weight"][3], views["layers.middle.bias"][3] = 0, 9
    looks = {look["epoch"]: look for look in recorded(network, rows, start).layer_records}
    assert list(looks) == [0, 1, 2, 3, 4, 5, 6, 7]
    by_hand = {0: (views, None, None, None)}
    by_hand |= dict(enumerate(first_steps(network, start, rows, size, 7, 0.02), 1))
    X, seen = rows.X[:256], set()
    for epoch, (theta, before, after, gradient) in by_hand.items():
        z1 = X @ theta["layers.0.weight"].T + theta["layers.0.bias"]
        z2 = np.maximum(z1, 0) @ theta["layers.middle.weight"].T + theta["layers.middle.bias"]
        flat = {"layers.0": shares(z1, np.maximum(z1, 0)), "layers.middle": shares(z2, np.tanh(z2)), "layers.2": (0, 0)}
        assert [layer["layer"] for layer in looks[epoch]["layers"]] == list(flat)
        for key, (dead, saturated) in flat.items():
            found, weight = in_layer(looks[epoch], key), f"{key}.weight"
            assert found["weight"] == pytest.approx(rms(theta[weight]), rel=1e-9)
            assert (found["dead"], found["saturated"]) == (dead, saturated)
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


def test_dead_and_saturated_units_of_every_activation():
    """Units see rows near −30, −6, −0.3, 0.3, 1.7, 6, 9 and 30, each of which is anywhere on its curve."""
    parts = {name: find("activation", name)() for name in names("activation")}
    known = {"relu": (3, 5), "tanh": (2, 5), "sigmoid": (0, 5), "hard_tanh": (6, 6), "exponential": (0, 7)}
    layers = [dense(8, name, name=name, inputs=["input"]) for name in parts]
    layers += [{"type": "concatenate", "inputs": list(parts)}, dense(1)]
    network = network_of(STILL, *layers, inputs=1, epochs=1, batch_size="full")
    start, X = network.initial_parameters(), np.random.default_rng(0).uniform(-1, 1, (50, 1))
    views = network.parameters(start)
    for name in parts:
        views[f"layers.{name}.weight"][:, 0] = 0.01
        views[f"layers.{name}.bias"][:] = [-30, -6, -0.3, 0.3, 1.7, 6, 9, 30]
    look, outputs = (
        recorded(network, TrainingRows(X, np.zeros(50)), start).layer_records[0],
        network.layer_outputs(start, X),
    )
    for name, part in parts.items():
        expected: tuple[float | None, float | None] = (None, None)
        if part.is_identity:
            expected = 0, 0
        elif part.elementwise:
            expected = shares(*outputs[f"layers.{name}"])
        found = in_layer(look, f"layers.{name}")
        assert (found["dead"], found["saturated"]) == expected, name
        if name in known:
            assert expected == tuple(count / 8 for count in known[name])


def test_an_activation_that_the_loss_includes_does_not_saturate():
    built = network_of("adam", dense(1), inputs=1, loss="binary_crossentropy", epochs=1)
    start = built.initial_parameters()
    built.parameters(start)["layers.0.weight"][:] = 900
    rows = TrainingRows(np.array([[-1.0], [1.0]]), np.array([0.0, 1.0]))
    found = in_layer(recorded(built, rows, start).layer_records[0], "layers.0")
    assert (found["dead"], found["saturated"]) == (0, 0)


def test_units_that_add_to_a_branch_or_go_two_ways_have_no_activation_of_their_own():
    relu = {"type": "activation", "activation": "relu"}
    layers = [dense(3, name="start"), relu, dense(3, name="branch"), {"type": "add", "inputs": ["start", "branch"]}]
    layers += [relu, dense(3, name="normal"), "layer_normalization", relu, dense(1)]
    network = network_of("adam", *layers, inputs=2, epochs=1)
    start = network.initial_parameters()
    network.parameters(start)["layers.start.bias"][:] = -99
    network.parameters(start)["layers.branch.bias"][:] = 200
    network.parameters(start)["layers.6.shift"][:] = -99
    look = recorded(network, rows_of(10, inputs=2, outputs=1), start).layer_records[0]
    dead = {layer["layer"]: layer["dead"] for layer in look["layers"]}
    assert dead == {"layers.start": 0, "layers.branch": 0, "layers.normal": 1, "layers.8": 0}


def test_parallel_units():
    network = network_of(STILL, sizes=(3, 6, 2), epochs=1)
    start = network.initial_parameters()
    views = network.parameters(start)
    weight, bias = views["layers.0.weight"], views["layers.0.bias"]
    bias[:] = np.arange(6) / 7
    weight[1], bias[1] = 2 * weight[0], 2 * bias[0]
    weight[2], bias[2] = -0.5 * weight[0], -0.5 * bias[0]
    weight[4], bias[4] = weight[3], bias[3] + 0.1  # another cut of the plane
    views["layers.1.weight"][:] = 0
    last = recorded(network, rows_of(5), start).layer_records[-1]
    assert in_layer(last, "layers.0")["parallel"] == 3 / 6
    assert in_layer(last, "layers.1")["parallel"] == 1


def test_weights_that_are_no_matrix_of_units_and_layers_that_do_not_learn():
    layers = ["scale", dense(4, trainable=False), "batch_normalization", dense(1)]
    network = network_of("adam", *layers, inputs=2, dtype="float32", epochs=2, batch_size=4)
    looks = recorded(network, rows_of(8, dtype=np.float32, inputs=2, outputs=1)).layer_records
    assert [layer["layer"] for layer in looks[-1]["layers"]] == ["layers.0", "layers.3"]
    assert [layer["parallel"] for layer in looks[-1]["layers"]] == [None, 0.0]
    assert looks[0]["layers"][0]["weight"] == 1
    assert looks[-1]["layers"][0]["gradient"] > 0
