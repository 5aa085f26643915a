"""The loop and its steps against plain NumPy: batches, schedules, weight decay, blocks of parameters, tiny numbers."""

import numpy as np
import pytest

import specnet
from specnet.network.random import stream
from specnet.training import Stepper, TrainingRows, train
from specnet.training.steps import stepper


def network_of(optimizer, *, sizes=(3, 4, 2), dtype="float64", **training) -> specnet.Network:
    network = {"dtype": dtype, "layer_sizes": list(sizes), "activations": "tanh"}
    return specnet.build({"network": network, "training": {"loss": "mse", "optimizer": optimizer, **training}})


def rows_of(count: int, seed: int = 0, dtype: type = np.float64, inputs: int = 3, outputs: int = 2) -> TrainingRows:
    rng = np.random.default_rng(seed)
    return TrainingRows(rng.normal(size=(count, inputs)).astype(dtype), rng.normal(size=(count, outputs)).astype(dtype))


def batches_of(rows: int, size: int, epochs: int, shuffle: bool = True) -> list[np.ndarray]:
    orders = [
        stream(0, "shuffling", epoch).permutation(rows) if shuffle else np.arange(rows) for epoch in range(epochs)
    ]
    return [order[start : start + size] for order in orders for start in range(0, rows, size)]


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize(("count", "size"), [(20, 5), (23, 5), (7, 7), (5, 32), (9, 1)])
def test_batches_and_history(shuffle: bool, count: int, size: int):
    network, rows = network_of("sgd", batch_size=size, epochs=3, shuffle=shuffle), rows_of(count)
    result = train(network, network.initial_parameters(), rows)
    theta, losses = network.initial_parameters(), []
    batches = batches_of(count, size, 3, shuffle and size < count)
    for batch in batches:
        loss, gradient = network.loss_and_gradient(theta, rows.X[batch], rows.target[batch])
        theta = theta - 0.01 * gradient
        losses.append((loss * len(batch), len(batch)))
    np.testing.assert_allclose(result.theta, theta, rtol=1e-12)
    per_epoch = np.array(losses).reshape(3, -1, 2).sum(1)
    assert [record["loss"] for record in result.history] == pytest.approx(per_epoch[:, 0] / per_epoch[:, 1], rel=1e-12)
    assert (result.epochs, result.steps) == (3, len(batches))
    assert result.engine.reason == "the test says so"


def test_the_schedule_sees_every_step():
    schedule = {"type": "warmup", "length": 4, "then": "cosine_decay"}
    network, rows = network_of({"type": "sgd", "schedule": schedule}, batch_size=5, epochs=4), rows_of(20)
    result = train(network, network.initial_parameters(), rows)
    theta = network.initial_parameters()
    for step, batch in enumerate(batches_of(20, 5, 4)):
        factor = (step + 1) / 4 if step < 4 else (1 + np.cos(np.pi * (step - 4) / 12)) / 2
        theta = theta - 0.01 * factor * network.loss_and_gradient(theta, rows.X[batch], rows.target[batch])[1]
    np.testing.assert_allclose(result.theta, theta, rtol=1e-12)


@pytest.mark.parametrize("name", ["sgd", "adam", "adamw"])
def test_weight_decay_shrinks_weights_and_leaves_biases(name: str):
    optimizer = {"type": name, "learning_rate": 0.1, "weight_decay": 0.5}
    network, rows = network_of(optimizer, batch_size="full", epochs=1), rows_of(8)
    start = network.initial_parameters()
    decayed = network.parameters(train(network, start, rows).theta)
    plain = network_of(optimizer | {"weight_decay": 0.0}, batch_size="full", epochs=1)
    expected, before = network.parameters(train(plain, start, rows).theta), network.parameters(start)
    for key in decayed:
        share = 0.1 * 0.5 if key.endswith("weight") else 0
        np.testing.assert_allclose(decayed[key], expected[key] - share * before[key], rtol=1e-12, atol=1e-15)


def test_adamw_decays_by_default():
    assert network_of("adamw").spec.training.optimizer.weight_decay == 0.01
    assert network_of("adam").spec.training.optimizer.weight_decay == 0


def test_parameters_in_blocks_make_the_same_step(monkeypatch: pytest.MonkeyPatch):
    network, rows = network_of("adamw", sizes=(3, 40, 2)), rows_of(16)
    whole = train(network, network.initial_parameters(), rows).theta
    monkeypatch.setattr(stepper, "BLOCKED_ABOVE", 100)
    monkeypatch.setattr(stepper, "UPDATE_BLOCK", 7)
    np.testing.assert_array_equal(train(network, network.initial_parameters(), rows).theta, whole)


def test_tiny_numbers_of_the_optimizer_become_0():
    rows = TrainingRows(np.zeros((4, 3), np.float32), np.zeros((4, 2), np.float32))
    network = network_of({"type": "adam", "beta_2": 0.9}, dtype="float32")
    theta = network.initial_parameters()
    made = Stepper(network, theta, rows.feed(network), {})
    for state in made.states.values():
        state[:] = 1
    for _ in range(2 * stepper.DENORMAL_INTERVAL):
        made.make(None, np.array([False]))
    tiny = [(abs(state) > 0) & (abs(state) < np.finfo(np.float32).tiny) for state in made.states.values()]
    assert not np.any(tiny)


def test_masks_of_dropout_follow_the_step():
    layers = [{"type": "dropout", "rate": 0.5}, {"type": "dense", "units": 1}]
    training = {"loss": "mse", "epochs": 3, "optimizer": "sgd", "batch_size": "full"}
    inputs = {"dtype": "float64", "input_size": 3, "layers": layers}
    network = specnet.build({"network": inputs, "training": training})
    rows = rows_of(6, outputs=1)
    rows = TrainingRows(rows.X, rows.target[:, 0])
    result = train(network, network.initial_parameters(), rows)
    theta = network.initial_parameters()
    for step in range(3):
        theta = theta - 0.01 * network.loss_and_gradient(theta, rows.X, rows.target, training=True, step=step)[1]
    np.testing.assert_allclose(result.theta, theta, rtol=1e-12)
    assert (train(network, network.initial_parameters(), rows, member=1).theta != result.theta).any()
    network = specnet.build({"network": inputs, "training": training | {"optimizer": "lbfgs"}})
    for member in (None, 1):
        result = train(network, network.initial_parameters(), rows, member=member)
        loss = network.loss_and_gradient(network.initial_parameters(), rows.X, rows.target, training=True, step=0)[0]
        assert (result.history[0]["loss"] == pytest.approx(loss, rel=1e-12)) == (member is None)


def test_log_every_and_the_last_epoch():
    network = network_of("sgd", batch_size="full", epochs=11, log_every=4)
    result = train(network, network.initial_parameters(), rows_of(5))
    assert [record["epoch"] for record in result.history] == [1, 5, 9, 11]
    long = network_of("sgd", batch_size="full", epochs=2500)
    assert long.spec.training.log_every == 3
