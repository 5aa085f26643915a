"""Sizes at the edge of what floats hold, weights of 0, and arguments that are no sizes, met at every door."""

import numpy as np
import pytest

import specnet
from specnet import DataError, TrainingError
from tests.networks import Stepper, TrainingRows, dense, document, network_of, rows_of, trained
from tests.texts.pinned import Refused

SPEC = {"network": {"hidden_layer_sizes": [3]}, "training": {"loss": "mse", "epochs": 5, "batch_size": "full"}}
LARGE = dense(3, weight_initializer={"type": "constant", "value": 1e22})
NORMALIZED = document(LARGE, "batch_normalization", dense(1), dtype="float32", epochs=2)


def arrays(rows: int = 20) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.normal(size=(rows, 3)), rng.normal(size=rows)


@pytest.mark.parametrize("scale", [1e-300, 1e-50, 1e-42, 1e39, 1e300])
def test_only_ratios_of_weights_mean_anything(scale: float):
    X, y = arrays()
    weight = np.random.default_rng(1).uniform(0.5, 2, 20)
    expected, found = (specnet.fit(SPEC, X, y, sample_weight=weight * factor) for factor in (1.0, scale))
    np.testing.assert_allclose(found.theta, expected.theta, rtol=1e-5)
    assert found.history[-1]["loss"] == pytest.approx(expected.history[-1]["loss"], rel=1e-5)
    network, theta = found.network, found.theta
    loss, gradient = network.loss_and_gradient(theta, X, y, weight * scale)
    assert loss == pytest.approx(network.loss_and_gradient(theta, X, y, weight)[0], rel=1e-5)
    assert np.isfinite(gradient).all()
    assert network.loss(theta, X, y, weight * scale) == pytest.approx(loss, rel=1e-5)


@pytest.mark.parametrize("factor", [1e39, 1e300])
def test_numbers_beyond_single_precision_are_named(factor: float, refused: Refused):
    X, y = arrays()
    model = specnet.fit(SPEC, X, y)
    for call in (
        lambda: model.predict(X * factor),
        lambda: model.evaluate(X, y * factor),
        lambda: specnet.fit(SPEC, X * factor, y),
        lambda: specnet.fit(SPEC, X, y * factor),
        lambda: model.network.loss_and_gradient(model.theta, X * factor, y),
    ):
        with refused(DataError):
            call()


def test_a_layers_state_that_is_not_finite_is_no_model(refused: Refused):
    X, y = arrays()
    with refused(TrainingError):
        specnet.fit(NORMALIZED, X, y)


def of_classes(**training) -> dict:
    fields = {"loss": "binary_crossentropy", "epochs": 5, "batch_size": "full", "l2": 0.01} | training
    return {"network": SPEC["network"], "training": fields}


@pytest.mark.slow
@pytest.mark.parametrize(("own", "optimizer"), [(1.0, "adam"), (1.0, "lbfgs"), (1e-200, "lbfgs"), (1e200, "adam")])
@pytest.mark.parametrize("factor", [1e-300, 1e-60, 1e-40, 1e39, 1e300])
def test_only_ratios_of_class_weights_mean_anything(factor: float, own: float, optimizer: str):
    X, y = arrays(40)
    labels = np.where(y > 0, "yes", "no")
    given = None if own == 1 else np.full(40, own)
    expected, found = (
        specnet.fit(of_classes(optimizer=optimizer, class_weight=weights), X, labels, sample_weight=given)
        for weights in ({"yes": 0.5, "no": 2.0}, {"yes": 0.5 * factor, "no": 2.0 * factor})
    )
    np.testing.assert_allclose(found.theta, expected.theta, rtol=1e-5)
    assert found.history[-1]["loss"] == pytest.approx(expected.history[-1]["loss"], rel=1e-5)


@pytest.mark.parametrize("ratio", [1e-28, 1e-40, 1e-44, 1e-300])
def test_a_class_that_weighs_next_to_nothing_hurts_no_batch(ratio: float):
    X, y = arrays(40)
    X, labels = X[np.argsort(y)], np.where(np.sort(y) > 0, "yes", "no")
    spec = of_classes(batch_size=4, shuffle=False, class_weight={"yes": 1.0, "no": ratio})
    assert np.isfinite(specnet.fit(spec, X, labels).theta).all()


def test_class_weights_that_only_rows_of_weight_0_have_are_an_error(refused: Refused):
    X, y = arrays(40)
    labels = np.where(y > 0, "yes", "no")
    spec = of_classes(class_weight={"yes": 0.0, "no": 1e300})
    with refused(DataError, code="class-weight", at="training.class_weight"):
        specnet.fit(spec, X, labels, sample_weight=1.0 * (labels == "yes"))


def one_step(network: specnet.Network, rows: TrainingRows) -> np.ndarray:
    """Return the weights that one step from zeros reaches."""
    theta = np.zeros(network.parameter_count, network.dtype)
    with np.errstate(all="ignore"):
        Stepper(network, theta, rows.feed(network), {}).make(None, np.array([False]))
    return theta


SINGLE = [(1e12, 1e12, 1e-3), (1e15, 1e12, 1e-25), (1.0, 1e-25, 1e-27)]
DOUBLE = [(1e90, 1e90, 1e-3), (1e100, 1e90, 1e-250), (1.0, 1e-170, 1e-175)]


@pytest.mark.parametrize(
    ("dtype", "columns", "target", "clip_norm"),
    [*(("float32", *each) for each in SINGLE), *(("float64", *each) for each in DOUBLE)],
)
def test_a_gradient_is_clipped_whatever_its_size(dtype: str, columns: float, target: float, clip_norm: float):
    network, rows = network_of("sgd", sizes=(3, 2), dtype=dtype, clip_norm=clip_norm), rows_of(6, dtype=dtype)
    rows = TrainingRows(rows.X * np.asarray(columns, dtype), rows.target * np.asarray(target, dtype))
    _, gradient = network.loss_and_gradient(np.zeros(network.parameter_count, dtype), rows.X, rows.target)
    direction = (gradient / np.abs(gradient).max()).astype(np.float64)
    expected = -network.spec.training.optimizer.learning_rate * clip_norm * direction / np.linalg.norm(direction)
    np.testing.assert_allclose(one_step(network, rows), expected, rtol=1e-5, atol=1e-6 * abs(expected).max())


def test_a_gradient_within_the_norm_is_not_changed_where_its_squares_vanish():
    rows = rows_of(6, dtype="float32")
    rows = TrainingRows(rows.X, rows.target * np.float32(1e-25))
    sizes = {"sizes": (3, 2), "dtype": "float32"}
    plain, clipped = (one_step(network_of("sgd", **sizes, **each), rows) for each in ({}, {"clip_norm": 1.0}))
    assert plain.any()
    np.testing.assert_array_equal(plain, clipped)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_clipping_hides_no_gradient_that_is_not_finite(dtype: str, refused: Refused):
    network = network_of("sgd", sizes=(3, 2), dtype=dtype, clip_norm=1.0, epochs=3, batch_size="full")
    rows = rows_of(6, dtype=dtype)
    largest = np.finfo(dtype).max
    rows = TrainingRows(rows.X, np.full_like(rows.target, np.sqrt(largest)))
    with refused(TrainingError):
        trained(network, rows, np.full(network.parameter_count, largest, dtype))


HALVED = {"type": "step_decay", "factor": 0.5, "every": 2, "unit": "epoch"}
AVERAGED = {"average_weights": {"type": "stochastic", "start": 0.5}}


@pytest.mark.parametrize(
    ("optimizer", "settings", "count"), [({"type": "adam", "schedule": HALVED}, {}, 40), ("sgd", AVERAGED, 20)]
)
def test_epochs_end_in_batches_of_weight_0_too(optimizer, settings, count):
    network = network_of(optimizer, batch_size=10, epochs=6, shuffle=False, **settings)
    rows = rows_of(count)
    weighted = TrainingRows(rows.X, rows.target, np.r_[np.ones(10), np.zeros(count - 10)])
    alone = TrainingRows(rows.X[:10], rows.target[:10])
    np.testing.assert_allclose(trained(network, weighted).theta, trained(network, alone).theta, rtol=1e-12)


def test_a_step_that_is_passed_over_is_one_for_the_schedule_and_none_for_adam():
    network = network_of("adam", batch_size=2)
    rows = rows_of(4)
    weighted = TrainingRows(rows.X, rows.target, np.array([0, 0, 1, 1.0]))
    stepper = Stepper(network, network.initial_parameters(), weighted.feed(network), {})
    before = stepper.theta.copy()
    losses, weights = stepper.make(np.arange(2), np.array([True]))
    assert losses.tolist() == weights.tolist() == [0.0]
    np.testing.assert_array_equal(stepper.theta, before)
    assert stepper.step_number == 1
    stepper.make(np.arange(2, 4), np.array([True]))
    np.testing.assert_allclose(abs(stepper.theta - before).max(), 0.001, rtol=1e-3)


@pytest.mark.parametrize("size", [-1, 0, 2.5, True, "3"])
@pytest.mark.parametrize("name", ["inputs", "outputs"])
def test_sizes_are_whole_numbers(name: str, size, refused: Refused):
    with refused(DataError):
        specnet.build(SPEC, **({"inputs": 3, "outputs": 1} | {name: size}))


def test_arguments_of_a_gradient_that_are_none(refused: Refused):
    network = specnet.build(NORMALIZED)
    theta, (X, y) = network.initial_parameters(), arrays()
    for step in (1.5, "a", -1, 2**70, True):
        with refused(DataError):
            network.loss_and_gradient(theta, X, y, training=True, step=step)
    frozen = network.initial_state()
    for array in frozen.values():
        array.flags.writeable = False
    integers = {name: array.astype(int) for name, array in frozen.items()}
    for call in (
        lambda: network.predict([[1], [1, 2]], X),
        lambda: network.predict(theta, X, [1]),
        lambda: network.loss_and_gradient(theta, X, y, state=integers, training=True),
        lambda: network.loss_and_gradient(theta, X, y, state=frozen, training=True),
    ):
        with refused(DataError):
            call()


def test_nothing_to_gain_is_an_epoch_too():
    model = specnet.fit(document(dense(1, trainable=False), dtype="float32", optimizer="lbfgs"), *arrays())
    assert [record["epoch"] for record in model.history] == [1]
    assert model.history[0]["loss"] == pytest.approx(model.evaluate(*arrays())["loss"], rel=1e-6)


def test_a_factor_on_the_rate_is_one_on_the_decay():
    optimizer = {"type": "adamw", "weight_decay": 1, "learning_rate": 0.01}
    model = specnet.fit(document(dense(4, learning_rate_factor=0), dense(1), optimizer=optimizer), *arrays())
    before = model.network.parameters(model.network.initial_parameters())["layers.0.weight"]
    np.testing.assert_array_equal(model.network.parameters(model.theta)["layers.0.weight"], before)
