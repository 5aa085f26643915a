"""Twenty steps of each optimizer against its equations in plain NumPy, and their walk down a bowl."""

import math

import numpy as np
import pytest

from specnet.compiler import FLAT, bind, input_value, plan, state_value
from specnet.parts.optimizers import Adam, AdamW, Optimizer, Sgd
from specnet.parts.registry import built_in_registry

VARIANTS = [
    Sgd(learning_rate=0.1),
    Sgd(learning_rate=0.1, momentum=0.9),
    Sgd(learning_rate=0.1, momentum=0.9, nesterov=True),
    Adam(learning_rate=0.1),
    Adam(learning_rate=0.1, beta_1=0.8, beta_2=0.95, epsilon=1e-3),
    Adam(learning_rate=0.1, amsgrad=True),
    AdamW(learning_rate=0.1),
]


def walk(optimizer: Optimizer, theta: np.ndarray, gradients, dtype: type = np.float64) -> list[np.ndarray]:
    """Return theta after each step of the compiled update, by gradients that depend on theta."""
    leaves: dict[str, object] = {}
    symbols = [state_value(name, (FLAT,)) for name in ("theta", "gradient")]
    commits = optimizer.update(
        *symbols,
        lambda name: leaves.setdefault(name, state_value(name, (FLAT,))),
        lambda name: leaves.setdefault(name, input_value(name, ())),
    )
    arrays = {name: np.zeros(theta.shape if leaf.shape else (), dtype) for name, leaf in leaves.items()}
    arrays |= {"theta": theta.astype(dtype), "gradient": np.zeros(theta.shape, dtype)}
    bound = bind(plan([], commits), dtype, {FLAT: theta.size}, arrays, check=True)
    path = []
    for step, gradient in enumerate(gradients, 1):
        arrays["gradient"][:] = gradient(arrays["theta"])
        for name, number in optimizer.scalars(step, optimizer.learning_rate).items():
            arrays[name][()] = number
        for call in bound.calls:
            call()
        path.append(arrays["theta"].copy())
    return path


def sgd_by_hand(optimizer, theta, gradients):
    velocity = np.zeros_like(theta)
    for gradient in gradients:
        velocity = optimizer.momentum * velocity + gradient(theta)
        direction = gradient(theta) + optimizer.momentum * velocity if optimizer.nesterov else velocity
        theta = theta - optimizer.learning_rate * direction
        yield theta


def adam_by_hand(optimizer, theta, gradients):
    mean, square, largest = np.zeros_like(theta), np.zeros_like(theta), np.zeros_like(theta)
    for step, gradient in enumerate(gradients, 1):
        g = gradient(theta)
        mean = optimizer.beta_1 * mean + (1 - optimizer.beta_1) * g
        square = optimizer.beta_2 * square + (1 - optimizer.beta_2) * g * g
        largest = np.maximum(largest, square)
        corrected = (largest if optimizer.amsgrad else square) / (1 - optimizer.beta_2**step)
        moved = mean / (1 - optimizer.beta_1**step) / (np.sqrt(corrected) + optimizer.epsilon)
        theta = theta - optimizer.learning_rate * moved
        yield theta


BY_HAND = {"sgd": sgd_by_hand, "adam": adam_by_hand, "adamw": adam_by_hand}


def test_every_optimizer_is_tried_here():
    assert {type(optimizer) for optimizer in VARIANTS} == set(built_in_registry().of_kind("optimizer"))


@pytest.mark.parametrize("optimizer", VARIANTS, ids=str)
def test_twenty_steps(optimizer: Optimizer):
    rng = np.random.default_rng(0)
    curvature, noise = rng.uniform(0.1, 2, 7), rng.normal(size=(20, 7))
    gradients = [lambda theta, shift=shift: curvature * theta + shift for shift in noise]
    start = rng.normal(size=7)
    expected = list(BY_HAND[optimizer.type](optimizer, start, gradients))
    np.testing.assert_allclose(walk(optimizer, start, gradients), expected, rtol=1e-11, atol=1e-13)
    single = walk(optimizer, start, gradients, np.float32)
    assert single[0].dtype == np.float32
    np.testing.assert_allclose(single, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("optimizer", VARIANTS, ids=str)
def test_walks_down_a_bowl(optimizer: Optimizer):
    path = walk(optimizer, np.array([2.0, -3.0]), [lambda theta: theta * [1.0, 0.3]] * 400)
    assert math.hypot(*path[-1]) < 0.05
