"""The loop and its steps against plain NumPy: batches, schedules, penalties, clipping, averages, noise."""

import numpy as np
import pytest

import specnet
from specnet import Observer
from specnet.training.steps.stepper import DENORMAL_INTERVAL, clipping_factor
from tests.networks import Stepper, TrainingRows, batches_of, dense, network_of, rows_of, trained
from tests.registry import find, names

EXPONENTIAL = {"type": "exponential", "decay": 0.8}


def by_hand(network, rows, size, epochs, rate=lambda step: 0.01, change=lambda gradient: gradient, **options):
    """Yield theta after each step of plain gradient descent, with the loss and the rows of its batch."""
    theta, shuffle = network.initial_parameters(), options.pop("shuffle", size < len(rows))
    for step, batch in enumerate(batches_of(len(rows), size, epochs, shuffle)):
        loss, gradient = network.loss_and_gradient(theta, rows.X[batch], rows.target[batch], step=step, **options)
        theta = theta - rate(step) * change(gradient)
        yield theta, loss, len(batch)


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize(("count", "size"), [(20, 5), (23, 5), (7, 7), (5, 32), (9, 1)])
def test_batches_and_history(shuffle: bool, count: int, size: int):
    network, rows = network_of("sgd", batch_size=size, epochs=3, shuffle=shuffle), rows_of(count)
    result = trained(network, rows)
    thetas, losses, sizes = zip(*by_hand(network, rows, size, 3, shuffle=shuffle and size < count), strict=True)
    np.testing.assert_allclose(result.theta, thetas[-1], rtol=1e-12)
    expected = [
        np.average(each[0], weights=each[1]) for each in np.array([losses, sizes]).reshape(2, 3, -1).swapaxes(0, 1)
    ]
    assert [record["loss"] for record in result.history] == pytest.approx(expected, rel=1e-12)
    assert (result.epochs, result.steps) == (3, len(losses))
    assert result.engine.reason == "the test says so"


def cosine_after_warmup(step):
    return 0.01 * ((step + 1) / 4 if step < 4 else (1 + np.cos(np.pi * (step - 4) / 12)) / 2)


def by_norm(gradient):
    return gradient * min(1, 0.3 / np.linalg.norm(gradient))


WARMUP = {"type": "sgd", "schedule": {"type": "warmup", "length": 4, "then": "cosine_decay"}}


@pytest.mark.parametrize(
    ("fields", "changes"),
    [
        ({"optimizer": WARMUP}, {"rate": cosine_after_warmup}),
        ({"clip_norm": 0.3}, {"change": by_norm}),
        ({"clip_value": 0.05}, {"change": lambda gradient: np.clip(gradient, -0.05, 0.05)}),
        ({"clip_norm": 0.3, "clip_value": 0.05}, {"change": lambda gradient: np.clip(by_norm(gradient), -0.05, 0.05)}),
        ({"clip_norm": 1e9}, {}),
    ],
    ids=["schedule", "norm", "value", "norm and value", "large norm"],
)
def test_schedules_and_clipping_see_every_step(fields, changes):
    network, rows = network_of(**{"optimizer": "sgd", "batch_size": 5, "epochs": 4, **fields}), rows_of(20)
    *_, (expected, *_) = by_hand(network, rows, 5, 4, **changes)
    np.testing.assert_allclose(trained(network, rows).theta, expected, rtol=1e-11 if "clip" in str(fields) else 1e-12)


@pytest.mark.parametrize("odd", [[0, 0, 0], [], [1, np.inf], [1, np.nan]], ids=str)
def test_a_gradient_that_cannot_be_clipped_stays_as_it_is(odd: list[float]):
    gradient = np.array(odd, np.float32)
    assert clipping_factor(gradient, 1.0) == 1
    np.testing.assert_array_equal(gradient, np.array(odd, np.float32))


def test_penalties_are_over_weights_and_whatever_the_batch_size():
    network, plain, rows = network_of("sgd", l1=0.3, l2=0.7), network_of("sgd"), rows_of(6)
    theta = np.random.default_rng(0).normal(size=network.parameter_count)
    weights = np.concatenate([v.ravel() for name, v in network.parameters(theta).items() if name.endswith("weight")])
    penalty = 0.3 * abs(weights).sum() + 0.7 * (weights**2).sum()
    for count in (2, 6):
        arguments = theta, rows.X[:count], rows.target[:count]
        loss, gradient = network.loss_and_gradient(*arguments)
        expected, data_gradient = plain.loss_and_gradient(*arguments)
        assert loss == pytest.approx(expected + penalty, rel=1e-13)
        assert network.loss(*arguments) == pytest.approx(loss, rel=1e-13)
        assert network.loss(*arguments, data_only=True) == pytest.approx(expected, rel=1e-13)
        for name, view in network.parameters(gradient - data_gradient).items():
            weight = network.parameters(theta)[name]
            slope = 0.3 * np.sign(weight) + 1.4 * weight if name.endswith("weight") else 0 * weight
            np.testing.assert_allclose(view, slope, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("average", [None, EXPONENTIAL, {"type": "stochastic", "start": 0.5}])
def test_a_batch_without_weight_counts_for_the_schedule_and_the_average_alone(average: dict | None):
    schedule = {"type": "exponential_decay", "decay_rate": 0.5, "every": 1}
    settings = {"batch_size": 5, "epochs": 4, "shuffle": False} | ({"average_weights": average} if average else {})
    network = network_of({"type": "adam", "schedule": schedule}, **settings)
    rows, weight = rows_of(15), np.r_[np.ones(5), np.zeros(5), np.ones(5)]
    theta = network.initial_parameters()
    first = second = mean = np.zeros_like(theta)
    updates = averaged = 0
    for step in range(12):
        batch = slice(step % 3 * 5, step % 3 * 5 + 5)
        if weight[batch].any():
            gradient, updates = network.loss_and_gradient(theta, rows.X[batch], rows.target[batch])[1], updates + 1
            first, second = 0.9 * first + 0.1 * gradient, 0.999 * second + 0.001 * gradient**2
            scaled = first / (1 - 0.9**updates) / (np.sqrt(second / (1 - 0.999**updates)) + 1e-8)
            theta = theta - 0.001 * 0.5**step * scaled
        if average is EXPONENTIAL:
            mean = mean + (theta - mean) * max(0.2, 1 / (step + 1))
        elif average and step >= 6 and step % 3 == 2:
            averaged += 1
            mean = mean + (theta - mean) / averaged
    result = trained(network, TrainingRows(rows.X, rows.target, weight))
    np.testing.assert_allclose(result.theta, mean if average else theta, rtol=1e-9, atol=1e-12)
    assert result.steps == 12


def test_layers_learn_and_decay_at_rates_of_their_own():
    layers = [dense(4, "tanh", learning_rate_factor=3, weight_decay_factor=0.5), dense(2)]
    network = network_of({"type": "sgd", "weight_decay": 0.1}, *layers, epochs=3, batch_size="full")
    rows, theta = rows_of(8), network.initial_parameters()
    rate, decay = np.full_like(theta, 0.01), np.zeros_like(theta)
    network.parameters(rate)["layers.0.weight"][:] = network.parameters(rate)["layers.0.bias"][:] = 0.03
    network.parameters(decay)["layers.0.weight"][:], network.parameters(decay)["layers.1.weight"][:] = 0.05, 0.1
    for _ in range(3):
        theta = theta - rate * (network.loss_and_gradient(theta, rows.X, rows.target)[1] + decay * theta)
    np.testing.assert_allclose(trained(network, rows).theta, theta, rtol=1e-11)


@pytest.mark.parametrize("start", [None, 0.0, 0.5, 0.9])
def test_averages_of_weights(start: float | None):
    average = EXPONENTIAL if start is None else {"type": "stochastic", "start": start}
    network, rows = network_of("sgd", batch_size=5, epochs=4, average_weights=average), rows_of(20)
    thetas = [theta for theta, *_ in by_hand(network, rows, 5, 4)]
    if start is None:
        expected = np.zeros(network.parameter_count)
        for step, theta in enumerate(thetas):
            expected = expected + (theta - expected) * max(0.2, 1 / (step + 1))
    else:
        expected = np.mean(thetas[3::4][int(start * 4) :], axis=0)
    np.testing.assert_allclose(trained(network, rows).theta, expected, rtol=1e-11)
    assert set(names("averaging")) == {"exponential", "stochastic"}


class States(Observer):
    """Collects the arrays of layers after each epoch."""

    def __init__(self) -> None:
        self.seen: list[dict[str, np.ndarray]] = []

    def trained(self, epoch, snapshot):
        self.seen.append(snapshot.layer_state())


@pytest.mark.parametrize("kind", ["exponential", "stochastic"])
def test_running_statistics_are_averaged_as_the_parameters_are(kind: str):
    fields = {"decay": 0.7} if kind == "exponential" else {"start": 0.5}
    settings = {"epochs": 6, "batch_size": "full", "average_weights": {"type": kind, **fields}}
    network, states = network_of("sgd", dense(3), "batch_normalization", dense(2), **settings), States()
    result = trained(network, rows_of(20), observer=states)
    assert len(result.state) == 2
    for name, average in result.state.items():
        seen, expected = [state[name] for state in states.seen[1:]], np.zeros_like(average)
        for step, state in enumerate(seen):
            expected = expected + (state - expected) * max(0.3, 1 / (step + 1))
        expected = expected if kind == "exponential" else np.mean(seen[3:], axis=0)
        np.testing.assert_allclose(average, expected, rtol=1e-11)
        assert not np.allclose(average, states.seen[-1][name], rtol=1e-6)


@pytest.mark.parametrize("fields", [{"type": "exponential"}, {"type": "stochastic", "start": 0.5}], ids=str)
def test_each_average_says_whether_a_longer_run_begins_differently(fields):
    average = find("averaging", fields["type"]).model_validate(fields)
    shares = {tuple(average.share(step, 4 * epochs, 4) for step in range(16)) for epochs in (4, 5, 9, 40)}
    assert average.depends_on_length() == (len(shares) > 1)


@pytest.mark.parametrize("name", ["sgd", "adam", "adamw"])
def test_weight_decay_shrinks_weights_and_leaves_biases(name: str):
    def parameters_after(decay):
        optimizer = {"type": name, "learning_rate": 0.1, "weight_decay": decay}
        network = network_of(optimizer, batch_size="full", epochs=1)
        return network.parameters(trained(network, rows_of(8)).theta), network.parameters(network.initial_parameters())

    (decayed, before), (plain, _) = parameters_after(0.5), parameters_after(0.0)
    for key in decayed:
        share = 0.1 * 0.5 if key.endswith("weight") else 0
        np.testing.assert_allclose(decayed[key], plain[key] - share * before[key], rtol=1e-12, atol=1e-15)
    assert {each: network_of(each).spec.training.optimizer.weight_decay for each in ("adamw", "adam")} == {
        "adamw": 0.01,
        "adam": 0,
    }


def test_many_parameters_make_the_same_step_in_blocks():
    network, rows = network_of({"type": "adam", "beta_2": 0.99}, sizes=(3, 40_000, 2), epochs=1), rows_of(16)
    theta = network.initial_parameters()
    gradient = network.loss_and_gradient(theta, rows.X, rows.target)[1]
    expected = theta - 0.001 * gradient / (abs(gradient) + 1e-8)
    np.testing.assert_allclose(trained(network, rows).theta, expected, rtol=1e-9, atol=1e-12)


def test_tiny_numbers_of_the_optimizer_become_0():
    rows = TrainingRows(np.zeros((4, 3), np.float32), np.zeros((4, 2), np.float32))
    network = network_of({"type": "adam", "beta_2": 0.9}, dtype="float32")
    made = Stepper(network, network.initial_parameters(), rows.feed(network), {})
    for state in made.states.values():
        state[:] = 1
    for _ in range(2 * DENORMAL_INTERVAL):
        made.make(None, np.array([False]))
    tiny = [(abs(state) > 0) & (abs(state) < np.finfo(np.float32).tiny) for state in made.states.values()]
    assert not np.any(tiny)


def test_masks_of_dropout_follow_the_step():
    layers, rows = [{"type": "dropout", "rate": 0.5}, dense(1)], rows_of(6, outputs=1)
    network = network_of("sgd", *layers, epochs=3, batch_size="full")
    result = trained(network, rows)
    *_, (theta, *_) = by_hand(network, rows, 6, 3, training=True)
    np.testing.assert_allclose(result.theta, theta, rtol=1e-12)
    assert (trained(network, rows, member=1).theta != result.theta).any()
    network = network_of("lbfgs", *layers, epochs=3, batch_size="full")
    loss = network.loss_and_gradient(network.initial_parameters(), rows.X, rows.target, training=True, step=0)[0]
    for member in (None, 1):
        first = trained(network, rows, member=member).history[0]["loss"]
        assert (first == pytest.approx(loss, rel=1e-12)) == (member is None)


def test_log_every_and_the_last_epoch():
    result = trained(network_of("sgd", batch_size="full", epochs=11, log_every=4), rows_of(5))
    assert [record["epoch"] for record in result.history] == [1, 5, 9, 11]
    assert network_of("sgd", batch_size="full", epochs=2500).spec.training.log_every == 3


@pytest.mark.parametrize(
    ("class_weight", "factors"),
    [("balanced", {"no": 100 / (2 * 90), "yes": 100 / (2 * 10)}), ({"yes": 9.0}, {"no": 1.0, "yes": 9.0})],
)
def test_class_weights_are_row_weights(class_weight, factors):
    y = np.array(["no"] * 90 + ["yes"] * 10)
    X = np.random.default_rng(0).normal(size=(100, 2)) + (y == "yes")[:, None]
    own = np.random.default_rng(1).uniform(0.5, 2, 100)

    def fitted(weight, **training):
        fields = {"loss": "binary_crossentropy", "optimizer": "sgd", "epochs": 20, "batch_size": "full"} | training
        spec = {"network": {"dtype": "float64", "hidden_layer_sizes": [3]}, "training": fields}
        return specnet.fit(spec, X, y, sample_weight=weight)

    found, expected = fitted(own, class_weight=class_weight), fitted(own * np.vectorize(factors.get)(y))
    np.testing.assert_allclose(found.theta, expected.theta, rtol=1e-10)
    assert found.history[-1]["loss"] == pytest.approx(expected.history[-1]["loss"], rel=1e-12)


def test_lbfgs_solves_least_squares():
    rows, optimizer = rows_of(40, outputs=1), {"type": "lbfgs", "tolerance": 1e-14}
    network = network_of(optimizer, dense(1), epochs=100, log_every=7)
    assert network.spec.training.batch_size == "full"
    result = trained(network, rows)
    expected = np.linalg.lstsq(np.c_[rows.X, np.ones(40)], rows.target, rcond=None)[0]
    np.testing.assert_allclose(result.theta, expected, rtol=1e-5)
    assert result.epochs < 100
    first = pytest.approx(network.loss(network.initial_parameters(), rows.X, rows.target))
    assert result.history[0] == {"epoch": 1, "loss": first}
    assert result.history[-1]["epoch"] == result.epochs
    assert network.loss(result.theta, rows.X, rows.target) <= result.history[-1]["loss"]
