"""Penalties, clipping, averages, class weights, early stopping and what the schedule remembers, against plain NumPy."""

import re

import numpy as np
import pytest

import specnet
from specnet import DataError, Observer, SpecError, TrainingError
from specnet.errors import NotFiniteError
from specnet.parts.averaging import ExponentialAverage, Stochastic
from specnet.parts.watchers import Memory
from specnet.spec.document import EarlyStopping
from specnet.training import TrainingRows, train
from specnet.training.epoch_metrics import not_finite
from specnet.training.steps.stepper import clipping_factor
from tests.registry import REGISTRY
from tests.texts.pinned import Refused
from tests.training.test_loop import batches_of, network_of, rows_of


def steps_by_hand(network, rows, epochs, size, change):
    """Yield theta after each step of plain gradient descent, the gradient being changed by a function."""
    theta = network.initial_parameters()
    for batch in batches_of(len(rows), size, epochs, size < len(rows)):
        gradient = network.loss_and_gradient(theta, rows.X[batch], rows.target[batch])[1]
        theta = theta - 0.01 * change(gradient)
        yield theta


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


def test_clipping_by_norm_and_by_value():
    rows = rows_of(20)

    def by_norm(gradient):
        return gradient * min(1, 0.3 / np.linalg.norm(gradient))

    for fields, change in (
        ({"clip_norm": 0.3}, by_norm),
        ({"clip_value": 0.05}, lambda gradient: np.clip(gradient, -0.05, 0.05)),
        ({"clip_norm": 0.3, "clip_value": 0.05}, lambda gradient: np.clip(by_norm(gradient), -0.05, 0.05)),
        ({"clip_norm": 1e9}, lambda gradient: gradient),
    ):
        network = network_of("sgd", batch_size=5, epochs=3, **fields)
        *_, expected = steps_by_hand(network, rows, 3, 5, change)
        np.testing.assert_allclose(train(network, network.initial_parameters(), rows).theta, expected, rtol=1e-11)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("longest", [1e-3, 1.0, 1e3])
def test_a_gradient_of_any_size_is_clipped(dtype: type, longest: float):
    """Also where its squares are out of range."""
    limits = np.finfo(dtype)
    for size in (limits.tiny, limits.tiny**0.5, longest / 5, longest / 4.999, longest, limits.max**0.5, limits.max / 8):
        given = (np.array([3, 0, -4]) * size).astype(dtype)
        gradient = given.copy()
        with np.errstate(over="ignore"):
            gradient *= clipping_factor(gradient, longest)
        length = np.hypot(*given[::2].astype(np.longdouble))
        expected = given.astype(np.longdouble) * min(1, longest / length)
        np.testing.assert_allclose(gradient, expected, rtol=4 * limits.eps)
    for gradient in (np.zeros(3, dtype), np.zeros(0, dtype)):
        assert clipping_factor(gradient, longest) == 1
    for odd in (np.inf, np.nan):
        gradient = np.array([1, odd], dtype)
        assert clipping_factor(gradient, longest) == 1
        np.testing.assert_array_equal(gradient, [1, odd])


@pytest.mark.parametrize("average", [None, {"type": "exponential", "decay": 0.8}, {"type": "stochastic", "start": 0.5}])
def test_a_batch_without_weight_counts_for_the_schedule_and_the_average_alone(average: dict | None):
    schedule = {"type": "exponential_decay", "decay_rate": 0.5, "every": 1}
    settings = {"batch_size": 5, "epochs": 4, "shuffle": False} | ({"average_weights": average} if average else {})
    network = network_of({"type": "adam", "schedule": schedule}, **settings)
    rows, weight = rows_of(15), np.r_[np.ones(5), np.zeros(5), np.ones(5)]
    theta = network.initial_parameters()
    first = second = np.zeros_like(theta)
    mean, updates, kept = np.zeros_like(theta), 0, 0
    for step in range(12):
        batch = slice(step % 3 * 5, step % 3 * 5 + 5)
        if weight[batch].any():
            gradient, updates = network.loss_and_gradient(theta, rows.X[batch], rows.target[batch])[1], updates + 1
            first, second = 0.9 * first + 0.1 * gradient, 0.999 * second + 0.001 * gradient**2
            scaled = first / (1 - 0.9**updates) / (np.sqrt(second / (1 - 0.999**updates)) + 1e-8)
            theta = theta - 0.001 * 0.5**step * scaled
        if average and average["type"] == "exponential":
            mean = mean + (theta - mean) * max(0.2, 1 / (step + 1))
        elif average and step >= 6 and step % 3 == 2:
            kept += 1
            mean = mean + (theta - mean) / kept
    result = train(network, network.initial_parameters(), TrainingRows(rows.X, rows.target, weight))
    np.testing.assert_allclose(result.theta, mean if average else theta, rtol=1e-9, atol=1e-12)
    assert result.steps == 12


def test_layers_learn_and_decay_at_rates_of_their_own():
    rules = {"learning_rate_factor": 3, "weight_decay_factor": 0.5}
    layers = [{"type": "dense", "units": 4, "activation": "tanh", **rules}, {"type": "dense", "units": 2}]
    training = {"loss": "mse", "epochs": 3, "batch_size": "full", "optimizer": {"type": "sgd", "weight_decay": 0.1}}
    network = specnet.build({"network": {"dtype": "float64", "input_size": 3, "layers": layers}, "training": training})
    rows, theta = rows_of(8), network.initial_parameters()
    rate, decay = np.full_like(theta, 0.01), np.zeros_like(theta)
    network.parameters(rate)["layers.0.weight"][:] = network.parameters(rate)["layers.0.bias"][:] = 0.03
    network.parameters(decay)["layers.0.weight"][:], network.parameters(decay)["layers.1.weight"][:] = 0.05, 0.1
    for _ in range(3):
        gradient = network.loss_and_gradient(theta, rows.X, rows.target)[1]
        theta = theta - rate * gradient - rate * decay * theta
    np.testing.assert_allclose(train(network, network.initial_parameters(), rows).theta, theta, rtol=1e-11)


def test_exponential_average():
    average = {"type": "exponential", "decay": 0.8}
    network, rows = network_of("sgd", batch_size=5, epochs=4, average_weights=average), rows_of(20)
    average = np.zeros(network.parameter_count)
    for step, theta in enumerate(steps_by_hand(network, rows, 4, 5, lambda gradient: gradient)):
        share = max(0.2, 1 / (step + 1))
        average = average + (theta - average) * share
    np.testing.assert_allclose(train(network, network.initial_parameters(), rows).theta, average, rtol=1e-11)


class States(Observer):
    """Keeps what layers keep after each epoch."""

    def __init__(self) -> None:
        self.seen: list[dict[str, np.ndarray]] = []

    def trained(self, epoch, snapshot):
        self.seen.append(snapshot.layer_state())


def test_what_layers_keep_is_averaged_as_the_parameters_are():
    layers = [{"type": "dense", "units": 3}, {"type": "batch_normalization"}, {"type": "dense", "units": 2}]
    training = {"loss": "mse", "epochs": 6, "batch_size": "full", "optimizer": "sgd"}
    training["average_weights"] = {"type": "exponential", "decay": 0.7}
    network = specnet.build({"network": {"dtype": "float64", "input_size": 3, "layers": layers}, "training": training})
    states = States()
    result = train(network, network.initial_parameters(), rows_of(20), observer=states)
    assert len(result.state) == 2
    for name, average in result.state.items():
        expected = np.zeros_like(average)
        for step, state in enumerate(states.seen[1:]):
            expected = expected + (state[name] - expected) * max(0.3, 1 / (step + 1))
        np.testing.assert_allclose(average, expected, rtol=1e-11)
        assert not np.allclose(average, states.seen[-1][name], rtol=1e-6)


@pytest.mark.parametrize("start", [0.0, 0.5, 0.9])
def test_stochastic_average(start: float):
    average = {"type": "stochastic", "start": start}
    network, rows = network_of("sgd", batch_size=5, epochs=4, average_weights=average), rows_of(20)
    ends = list(steps_by_hand(network, rows, 4, 5, lambda gradient: gradient))[3::4]
    expected = np.mean(ends[int(start * 4) :], axis=0)
    np.testing.assert_allclose(train(network, network.initial_parameters(), rows).theta, expected, rtol=1e-11)


def test_every_averaging_is_tried_here():
    assert set(REGISTRY.of_kind("averaging")) == {ExponentialAverage, Stochastic}


def two_classes() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    y = np.array(["no"] * 90 + ["yes"] * 10)
    return rng.normal(size=(100, 2)) + (y == "yes")[:, None], y


def fitted(X, y, sample_weight=None, **training) -> specnet.Model:
    fields = {"loss": "binary_crossentropy", "optimizer": "sgd", "epochs": 20, "batch_size": "full"} | training
    spec = {"network": {"dtype": "float64", "hidden_layer_sizes": [3]}, "training": fields}
    return specnet.fit(spec, X, y, sample_weight=sample_weight)


@pytest.mark.parametrize(
    ("class_weight", "factors"),
    [("balanced", {"no": 100 / (2 * 90), "yes": 100 / (2 * 10)}), ({"yes": 9.0}, {"no": 1.0, "yes": 9.0})],
)
def test_class_weights_are_row_weights(class_weight, factors):
    X, y = two_classes()
    own = np.random.default_rng(1).uniform(0.5, 2, 100)
    weights = own * np.vectorize(factors.get)(y)
    found, expected = fitted(X, y, own, class_weight=class_weight), fitted(X, y, weights)
    np.testing.assert_allclose(found.theta, expected.theta, rtol=1e-10)
    assert found.history[-1]["loss"] == pytest.approx(expected.history[-1]["loss"], rel=1e-12)


def test_class_weights_of_no_label_are_an_error(refused: Refused):
    X, y = two_classes()
    with refused(DataError, code="class-weight", at="training.class_weight.maybe"):
        fitted(X, y, class_weight={"maybe": 2.0})
    with refused(DataError, code="class-weight", at="training.class_weight"):
        fitted(X, y, class_weight={"yes": 0.0, "no": 0.0})


def test_what_is_not_finite_says_what_may_help(refused: Refused):
    for settings in ({}, {"preprocessing": ["standardize"]}):
        for optimizer in ({"type": "adam", "learning_rate": 0.5}, "lbfgs"):
            spec = {"network": {"layer_sizes": [3, 2], **settings}, "training": {"loss": "mse", "optimizer": optimizer}}
            with refused(NotFiniteError):
                raise not_finite(specnet.build(spec), "the loss is nan")
    network, rows = network_of("sgd", epochs=3), rows_of(8)
    for name, error in (("validation_loss", NotFiniteError), ("validation_r2", TrainingError)):
        with refused(error):
            train(network, network.initial_parameters(), rows, monitors={name: Figures(1.0, np.nan)})
    with refused(NotFiniteError):
        train(network, network.initial_parameters(), TrainingRows(rows.X, rows.target * np.inf))
    network = network_of({"type": "sgd", "learning_rate": 1e300}, batch_size="full", epochs=1)
    with refused(NotFiniteError):
        train(network, network.initial_parameters(), TrainingRows(rows.X, rows.target * 1e10))


def test_patience():
    stopping, waited, ends = EarlyStopping(patience=3, min_delta=0.1), [], []
    memory = Memory()
    for figure in (3.0, 2.0, 2.0, 1.95, 2.5, 1.8):
        memory = Memory(**stopping.after(memory, figure).as_dict())  # as from a checkpoint
        waited.append(memory.waited)
        ends.append(memory.ends)
    assert waited == [0, 0, 1, 2, 3, 0]
    assert ends == [False] * 4 + [True, False]
    assert memory.best == 1.8


class Figures:
    """Monitors that give a validation loss from a list, and remember theta after each epoch."""

    def __init__(self, *figures: float) -> None:
        self.figures, self.thetas = list(figures), []

    def __call__(self, theta, state):
        self.thetas.append(theta.copy())
        return self.figures[len(self.thetas) - 1]


@pytest.mark.parametrize(
    ("figures", "fields", "kept", "end"),
    [
        ((5, 4, 3, 3.5, 3.2), {}, 3, "early stopping after epoch 5, weights of epoch 3 restored"),
        ((5, 4, 3, 4, 5), {"restore_best": False}, 5, "early stopping after epoch 5"),
        ((5, 4, 3, 2), {}, 4, "all epochs"),
        ((5, 4, 3, 2, 1, 2), {}, 5, "all epochs, weights of epoch 5 restored"),
    ],
)
def test_early_stopping_keeps_the_best_weights_and_says_why_it_ends(figures, fields, kept, end):
    stopping, epochs = {"patience": 2, **fields}, len(figures) + 4 * end.startswith("early")
    network, rows = network_of("sgd", batch_size=5, epochs=epochs, log_every=3, early_stopping=stopping), rows_of(20)
    told = Figures(*figures)
    result = train(network, network.initial_parameters(), rows, monitors={"validation_loss": told})
    assert (result.epochs, result.end) == (len(figures), end)
    logged = [epoch for epoch in range(1, len(figures) + 1) if epoch % 3 == 1 or epoch == len(figures)]
    assert [record["epoch"] for record in result.history] == logged
    assert [record["validation_loss"] for record in result.history] == [figures[epoch - 1] for epoch in logged]
    np.testing.assert_array_equal(result.theta, told.thetas[kept - 1])


def test_early_stopping_without_validation_rows_is_an_error(refused: Refused):
    X, y = two_classes()
    with refused(DataError):
        fitted(X, y, early_stopping={})
    with refused(SpecError, code="no-validation", at="training.early_stopping"):
        specnet.parse_spec(
            "[data]\ntype='iris'\n[network]\nhidden_layer_sizes=[3]\n"
            "[training]\nloss='categorical_crossentropy'\nearly_stopping={}\n"
        )


def test_lbfgs_solves_least_squares():
    rng = np.random.default_rng(0)
    X, target = rng.normal(size=(40, 3)), rng.normal(size=40)
    layers, optimizer = [{"type": "dense", "units": 1}], {"type": "lbfgs", "tolerance": 1e-14}
    spec = {
        "network": {"dtype": "float64", "input_size": 3, "layers": layers},
        "training": {"loss": "mse", "optimizer": optimizer, "epochs": 100, "log_every": 7},
    }
    network = specnet.build(spec)
    assert network.spec.training.batch_size == "full"
    result = train(network, network.initial_parameters(), TrainingRows(X, target))
    design = np.c_[X, np.ones(40)]
    expected = np.linalg.lstsq(design, target, rcond=None)[0]
    np.testing.assert_allclose(result.theta, expected, rtol=1e-5)
    assert result.epochs < 100
    assert result.history[0] == {
        "epoch": 1,
        "loss": pytest.approx(network.loss(network.initial_parameters(), X, target)),
    }
    assert result.history[-1]["epoch"] == result.epochs
    assert network.loss(result.theta, X, target) <= result.history[-1]["loss"]


@pytest.mark.parametrize("average", [ExponentialAverage(), Stochastic(start=0.5)], ids=lambda average: average.type)
def test_each_average_says_whether_a_longer_run_begins_differently(average):
    courses = {tuple(average.share(step, 4 * epochs, 4) for step in range(16)) for epochs in (4, 5, 9, 40)}
    assert average.depends_on_length() == (len(courses) > 1)


def asked_for(**training) -> tuple[int, list[dict]]:
    """Return how often the validation loss is asked for in twelve epochs, and the history."""
    network, rows = network_of("sgd", batch_size=5, epochs=12, log_every=4, **training), rows_of(20)
    asked = []

    def validation_loss(theta, state):
        asked.append(len(asked))
        return 1.0 / len(asked)

    result = train(network, network.initial_parameters(), rows, monitors={"validation_loss": validation_loss})
    return len(asked), result.history


def test_the_validation_loss_is_computed_where_it_is_logged_or_watched():
    assert asked_for()[0] == 4
    assert asked_for(early_stopping={"monitor": "loss", "patience": 12})[0] == 4
    assert asked_for(early_stopping={"patience": 12})[0] == 12
    assert all(set(record) == {"epoch", "loss", "validation_loss"} for record in asked_for()[1])


def test_an_end_before_its_time_has_all_figures():
    stopping = {"monitor": "loss", "patience": 1, "min_delta": 1e9}
    asked, history = asked_for(early_stopping=stopping)
    assert [record["epoch"] for record in history] == [1, 2]
    assert asked == 2
    assert set(history[-1]) == {"epoch", "loss", "validation_loss"}


@pytest.mark.parametrize(
    ("optimizer", "end"),
    [
        ({"type": "lbfgs", "tolerance": 1e3}, "converged after epoch 1"),
        ({"type": "lbfgs", "max_evaluations": 3}, r"max_evaluations reached after epoch \d"),
        ("lbfgs", "all epochs"),
    ],
)
def test_lbfgs_says_why_it_ends(optimizer, end):
    network, rows = network_of(optimizer, epochs=4), rows_of(20)
    assert re.fullmatch(end, train(network, network.initial_parameters(), rows).end)
