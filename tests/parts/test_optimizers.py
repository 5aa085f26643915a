"""Optimizers: the steps of PyTorch and optax, and walks along Rosenbrock's valley and a network's loss."""

from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression

import specnet
from specnet import parts
from specnet.parts.optimizers import Adam, Optimizer, SteppingOptimizer
from specnet.parts.optimizers.adam_variants import NEGLIGIBLE
from specnet.testing.part_checks import Walk
from tests.registry import REGISTRY, figures, find, part

FIGURES = figures("optimizer")
MOONS = Path(__file__).parents[2] / "specs" / "moons.toml"

NAMES = {part.part_name() for part in REGISTRY.of_kind("optimizer")}
WITHOUT_DECAY = {"rprop", "lbfgs"}
FULL_BATCH = {"rprop", "lbfgs"}


make = partial(part, "optimizer")


def walk(optimizer: SteppingOptimizer, theta: np.ndarray, gradients, dtype: type = np.float64) -> np.ndarray:
    """Return theta after each step (steps, coordinates) of the compiled update, by gradients that depend on theta."""
    walked, path = Walk(optimizer, theta.astype(dtype)), []
    for gradient in gradients:
        walked.step(gradient(walked.theta))
        path.append(walked.theta.copy())
    return np.array(path)


def test_each_one_has_a_rate_a_schedule_and_decay_where_it_should():
    for kind in REGISTRY.of_kind("optimizer"):
        fields, name = set(kind.model_fields), kind.part_name()
        assert ("weight_decay" in fields) == (name not in WITHOUT_DECAY)
        assert {"learning_rate", "schedule"} & fields == ({"learning_rate", "schedule"} if name != "lbfgs" else set())
        assert kind.full_batch_only == (name in FULL_BATCH)
        assert kind().decay == (0.01 if name == "adamw" else 0)


STATES: dict[str, dict[str, float]] = {
    "sgd": {},
    **{name: {"sum": 0, "sum_of_squares": 0} for name in ("adam", "adamw")},
    **{name: {"mean": 0, "square": 0} for name in ("nadam", "radam")},
    "adamax": {"mean": 0, "largest": 0},
    "rmsprop": {"square": 0},
    "adagrad": {"sum": 0},
    "adadelta": {"square": 0, "step_square": 0},
    "rprop": {"size": 0.01, "heading": 0},
    "lion": {"mean": 0},
}
FURTHER_STATES: list[tuple[dict[str, Any], dict[str, float]]] = [
    ({"type": "sgd", "momentum": 0.9}, {"velocity": 0}),
    ({"type": "adam", "amsgrad": True}, {"sum": 0, "sum_of_squares": 0, "largest_sum": 0}),
    ({"type": "rmsprop", "centered": True, "momentum": 0.5}, {"square": 0, "mean": 0, "velocity": 0}),
    ({"type": "adagrad", "initial_accumulator_value": 0.5}, {"sum": 0.5}),
    ({"type": "rprop", "learning_rate": 0.3}, {"size": 0.3, "heading": 0}),
]


def test_checkpoints_hold_these_states_of_each():
    for fields, states in [*(({"type": name}, of_defaults) for name, of_defaults in STATES.items()), *FURTHER_STATES]:
        training = {"loss": "mse", "batch_size": "full", "optimizer": fields}
        network = specnet.build({"network": {"layer_sizes": [1, 1]}, "training": training})
        assert network.blueprint.update.states == states
    assert {*STATES, "lbfgs"} == NAMES


class Uneven(Adam):
    """Adam that knows of single steps alone."""

    type: Literal["uneven"] = "uneven"

    def scalars(self, step: int, rate: float) -> dict[str, float]:
        return {**super().scalars(step, rate), "odd": step % 2}


@pytest.mark.parametrize("fields", [*({"type": name} for name in sorted(STATES)), {"type": "uneven"}], ids=str)
def test_numbers_of_several_steps_are_those_of_each(fields: dict[str, Any]):
    optimizer = Uneven() if fields["type"] == "uneven" else make(fields)
    steps = np.arange(5, 9)
    for rate in (0.1, np.array([0.1, 0.2, 0.3, 0.4])):
        each = [optimizer.scalars(int(step), float(r)) for step, r in zip(steps, np.broadcast_to(rate, 4), strict=True)]
        found = optimizer.scalars_of(steps, rate)
        assert found.keys() == each[0].keys()
        for name, numbers in found.items():
            expected = [one[name] for one in each]
            np.testing.assert_allclose(np.broadcast_to(numbers, 4), expected, rtol=1e-13)


def test_fields_of_lbfgs_are_arguments_of_scipy():
    options = {"maxcor": 10, "maxiter": 7, "maxls": 50, "maxfun": 2**31 - 1}
    assert make("lbfgs").minimize_arguments(7) == {"method": "L-BFGS-B", "tol": 1e-9, "options": options}
    arguments = make("lbfgs", history_size=3, tolerance=0.0, max_evaluations=9).minimize_arguments(1)
    assert arguments == {"method": "L-BFGS-B", "tol": 0, "options": options | {"maxcor": 3, "maxiter": 1, "maxfun": 9}}
    assert make("lbfgs").stepping is None
    assert make("sgd", weight_decay=0.5).decay == 0.5


def test_each_one_says_how_it_differs_from_pytorch_and_keras():
    """What differs was read off Keras 3.15's signatures; RAdam is not in Keras, and Lion has no ε."""
    for kind in REGISTRY.of_kind("optimizer"):
        fields, told = kind.model_fields, " ".join((kind.__doc__ or "").split())
        if "epsilon" in fields and kind.part_name() != "radam":
            assert all(words in told for words in ("Keras", "1e-7"))
        if "amsgrad" in fields:
            assert "largest uncorrected v" in told or "amsgrad are those of adam" in told
    assert "Keras has weight_decay 0.004" in find("optimizer", "adamw").__doc__


@pytest.mark.parametrize("name", sorted(NAMES - WITHOUT_DECAY))
def test_weight_decay_shrinks_weights_alone_beside_the_step(name: str):
    layer = {"type": "dense", "units": 1, "bias_initializer": {"type": "random_normal", "stddev": 1.0}}

    def fitted(decay: float) -> specnet.Model:
        optimizer = {"type": name, "learning_rate": 0.01, "weight_decay": decay}
        training = {"loss": "mse", "batch_size": "full", "optimizer": optimizer, "epochs": 1}
        spec = {"network": {"dtype": "float64", "layers": [layer]}, "training": training}
        X = np.random.default_rng(0).normal(size=(20, 3))
        return specnet.fit(spec, X, X.sum(axis=1), observer=specnet.Observer())

    models = fitted(0.0), fitted(0.5)
    network = models[0].network
    start = network.parameters(network.initial_parameters())
    plain, decayed = (network.parameters(model.theta) for model in models)
    bias, weight = sorted(start)
    np.testing.assert_array_equal(decayed[bias], plain[bias])
    assert start[bias] != 0
    np.testing.assert_allclose(decayed[weight] - plain[weight], -0.01 * 0.5 * start[weight], rtol=1e-9)


def test_amsgrad_keeps_the_largest_uncorrected_v():
    optimizer = make("adam", amsgrad=True, beta_1=0.0)
    gradients = np.array([3.0, 0.01, 0.02])
    path = walk(optimizer, np.zeros(1), [lambda _, gradient=gradient: np.array([gradient]) for gradient in gradients])
    v = largest = moved = 0.0
    for step, gradient in enumerate(gradients, 1):
        v = 0.999 * v + 0.001 * gradient**2
        largest = max(largest, v)
        moved -= 0.001 * gradient / (np.sqrt(largest / (1 - 0.999**step)) + 1e-8)
        assert path[step - 1, 0] == pytest.approx(moved, rel=1e-12)
    assert largest > v


@pytest.mark.parametrize("figure", FIGURES["paths"], ids=lambda figure: str(figure["optimizer"]))
def test_twenty_steps_are_those_of_the_library(figure):
    optimizer, expected = make(figure["optimizer"]), np.array(figure["path"])
    curvature, shifts, start = (np.array(FIGURES[name]) for name in ("curvature", "shifts", "start"))
    gradients = [lambda theta, shift=shift: curvature * theta + shift for shift in shifts]
    scale = np.abs(expected).max(0)  # of each coordinate, as it may pass through 0
    found = walk(optimizer, start, gradients)
    assert found.shape == (20, 7)
    assert (np.abs(found - expected) <= 1e-9 * scale).all()
    single = walk(optimizer, start, gradients, np.float32)
    assert single.dtype == np.float32
    assert (np.abs(single - expected) <= 1e-5 * scale).all()
    # One number of float64 among an update's arguments would make it several times as slow.
    calls = Walk(optimizer, np.zeros(3, np.float32)).bound.calls
    arguments = [argument for call in calls for argument in (*call.args, *call.keywords.values())]
    assert {item.dtype for item in arguments if isinstance(item, np.ndarray | np.generic)} == {np.dtype("float32")}


@pytest.mark.parametrize("beta_1", [0.0, 0.3, 0.9, 0.9999])
@pytest.mark.parametrize("momentum_decay", [0.0, 0.004, 1.0, 100.0])
def test_nadams_product_of_momenta(beta_1: float, momentum_decay: float):
    optimizer, product = make("nadam", beta_1=beta_1, momentum_decay=momentum_decay), 1.0
    for step in range(1, 1001):
        product *= beta_1 * (1 - 0.5 * 0.96 ** (step * momentum_decay))
        assert optimizer._momentum_product(step) == pytest.approx(product, rel=1e-12, abs=NEGLIGIBLE)


def test_rprop_sees_signs_that_would_underflow():
    """In float32 the product of these gradients is 0, and the size would never grow."""
    path = walk(make("rprop"), np.zeros(1), [lambda theta: np.full(1, 1e-30)] * 3, np.float32)
    np.testing.assert_allclose(np.diff(path[:, 0]), [-0.012, -0.0144], rtol=1e-5)


def test_rprops_schedule_multiplies_steps_and_not_sizes():
    optimizer = make("rprop", learning_rate=0.25)
    assert [optimizer.scalars(step, 0.25 * factor)["rate"] for step, factor in ((1, 1.0), (2, 0.5))] == [1.0, 0.5]


def test_the_plateau_is_found_behind_a_warmup():
    assert not [plateau for name in ("adam", "lbfgs") for plateau in make(name).plateaus()]
    plateau = part("schedule", "reduce_on_plateau", patience=3)
    warming = make("sgd", schedule=part("schedule", "warmup", length=5, then=plateau))
    assert list(warming.plateaus()) == [(("schedule", "then"), plateau)]


class Rosenbrock(parts.Loss):
    """(target_a − a)² + 100·(b − target_b·a²)²: a bent, narrow valley (Rosenbrock 1960)."""

    target: ClassVar[str] = "values"
    output_activation: ClassVar[str] = "linear"
    type: Literal["rosenbrock"] = "rosenbrock"

    def expression(self, output: parts.Value, target: parts.Value) -> parts.Value:
        a, b = parts.rows(output, 0, 1), parts.rows(output, 1, 2)
        return (parts.rows(target, 0, 1) - a) ** 2 + (b - parts.rows(target, 1, 2) * a * a) ** 2 * 100


# For each optimizer: fields, and the loss that it must come below, in Rosenbrock's valley from (−1, −1) to (1, 1), and
# on the moons.
WALKS = {
    "sgd": (({"learning_rate": 0.0003, "momentum": 0.9}, 4e-5), ({"learning_rate": 0.3}, 0.28)),
    "adam": (({"learning_rate": 0.1}, 1e-20), ({"learning_rate": 0.01}, 0.26)),
    "adamw": (({"learning_rate": 0.1}, 1e-20), ({"learning_rate": 0.01}, 0.26)),
    "nadam": (({"learning_rate": 0.03}, 1e-5), ({"learning_rate": 0.01}, 0.26)),
    # its first steps in the valley are the bare gradient, which is steep there
    "radam": (({"learning_rate": 0.002}, 0.02), ({"learning_rate": 0.01}, 0.27)),
    "adamax": (({"learning_rate": 0.1}, 1e-11), ({"learning_rate": 0.01}, 0.27)),
    "rmsprop": (({"learning_rate": 0.001}, 5e-4), ({"learning_rate": 0.003}, 0.26)),
    "adagrad": (({"learning_rate": 1.0}, 5e-5), ({"learning_rate": 0.1}, 0.26)),
    "adadelta": (({"learning_rate": 0.1}, 0.006), ({}, 0.26)),
    "rprop": (({}, 1e-6), ({}, 0.28)),
    "lion": (({"learning_rate": 0.001}, 1e-5), ({"learning_rate": 0.001}, 0.28)),
    # which of many minima it finds on the moons, at 0.055 to 0.065, is decided by rounding
    "lbfgs": (({}, 1e-12), ({}, 0.26)),
}


def reached(optimizer: dict, epochs: int) -> float:
    """Return the loss that a network reaches whose outputs are its biases: the coordinates of a walk."""
    start = {"type": "constant", "value": -1.0}
    layer = {"type": "dense", "units": 2, "bias_initializer": start}
    training = {"loss": "rosenbrock", "optimizer": optimizer, "batch_size": "full"} | dict.fromkeys(
        ("epochs", "log_every"), epochs
    )
    text = {"network": {"dtype": "float64", "layers": [layer]}, "training": training}
    X, y = np.zeros((1, 1)), np.ones((1, 2))
    model = specnet.fit(specnet.parse_spec(text, parts=[Rosenbrock]), X, y)
    return model.network.loss(model.theta, X, y)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(NAMES))
def test_five_thousand_steps_along_rosenbrocks_valley(name: str):
    """Which begins at a loss of 404 and is left at less than the table says."""
    fields, loss = WALKS[name][0]
    assert reached({"type": name, **fields}, 5000) < loss


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(NAMES))
def test_two_thousand_epochs_on_the_moons(name: str):
    """Gradient descent with the spec's own rate needs 20 000 to come from 0.844 to 0.299."""
    fields, loss = WALKS[name][1]
    settings = [f"training.optimizer.{key}={value}" for key, value in fields.items()]
    settings = [f"training.optimizer={{ type = '{name}' }}", *settings, "training.epochs=2000"]
    assert specnet.run(MOONS, overrides=settings).metrics["train"]["loss"] < loss


def test_lbfgs_finds_the_one_minimum_that_scikit_learns_newton_finds():
    X, y = load_breast_cancer(return_X_y=True)
    X, l2 = (X - X.mean(0)) / X.std(0), 0.01
    training = {"loss": "binary_crossentropy", "optimizer": {"type": "lbfgs", "tolerance": 1e-12}, "l2": l2}
    spec = {"network": {"dtype": "float64", "hidden_layer_sizes": []}, "training": {**training, "epochs": 2000}}
    model = specnet.fit(spec, X, y)
    newton = LogisticRegression(C=1 / (2 * l2 * len(X)), solver="newton-cholesky", tol=1e-12).fit(X, y)
    lowest = model.network.loss(np.r_[newton.coef_[0], newton.intercept_], X, y)
    assert model.network.loss(model.theta, X, y) == pytest.approx(lowest, abs=1e-10)
    assert model.history[-1]["epoch"] < 2000


@pytest.mark.parametrize("name", sorted(NAMES - {"lbfgs", "rprop"}))
def test_a_layers_factor_on_the_rate_is_a_factor_on_its_steps(name: str):
    """Half the rate by the layers' factor is half the rate by the optimizer's field."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(20, 3)), rng.normal(size=(20, 2))

    def trained(learning_rate: float, factor: float) -> np.ndarray:
        layers = [{"type": "dense", "units": units, "learning_rate_factor": factor} for units in (4, 2)]
        fields = {"weight_decay": 0.0, "learning_rate": learning_rate}
        training = {"loss": "mse", "optimizer": {"type": name, **fields}, "epochs": 10, "batch_size": 5}
        return specnet.fit({"network": {"dtype": "float64", "layers": layers}, "training": training}, X, y).theta

    np.testing.assert_allclose(trained(0.02, 0.5), trained(0.01, 1.0), rtol=1e-9, atol=1e-12)
    assert np.abs(trained(0.02, 0.5) - trained(0.02, 1.0)).max() > 1e-4


class Bfgs(Optimizer):
    """BFGS without limits on memory, from another package."""

    full_batch_only = True
    type: Literal["bfgs"] = "bfgs"

    def minimize_arguments(self, epochs: int) -> dict[str, Any]:
        return {"method": "BFGS", "tol": 1e-10, "options": {"maxiter": epochs}}


def test_any_method_of_scipy_s_minimize_can_be_an_optimizer():
    X = np.random.default_rng(0).standard_normal((50, 3))
    y = X @ [1.0, -2.0, 3.0] + np.random.default_rng(1).standard_normal(50)
    spec = {"network": {"layer_sizes": [3, 1], "dtype": "float64"}, "training": {"loss": "mse", "optimizer": "bfgs"}}
    model = specnet.fit(spec, X, y, parts=[Bfgs])
    expected, *_ = np.linalg.lstsq(np.column_stack([X, np.ones(50)]), y, rcond=None)
    np.testing.assert_allclose(model.theta, expected, rtol=1e-6)
