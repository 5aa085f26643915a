"""Schedules of dropout and weight decay, and the rate of biases: steps of gradient descent, written out with NumPy."""

from copy import deepcopy
from typing import Any

import numpy as np
import pytest

import specnet
from specnet import SpecError
from specnet.network.random import StepNoise
from specnet.training import Checkpoint
from tests.compiling import compiles
from tests.networks import document, rows_of, trained

ENGINES = ["numpy", pytest.param("compiled", marks=compiles)]
EPOCHS, ROWS, INPUTS = 8, 12, 3
SCHEDULES = [
    ({"type": "piecewise_constant", "boundaries": [2, 5], "factors": [0.5, 1.0, 0.0]}, [0.5] * 2 + [1.0] * 3 + [0] * 3),
    ("flat_cosine", [1.0] * 5 + [0.5 * (1 + np.cos(np.pi * k / 4)) for k in (1, 2, 3)]),
    ({"type": "piecewise_constant", "boundaries": [4], "factors": [1.0, 3.0]}, [1.0] * 4 + [3.0] * 4),
]
RATE, DECAY, STEP, OF_BIAS = 0.4, 0.3, 0.05, 0.1


def layers(**dropout: Any) -> list[dict[str, Any]]:
    return [
        {"type": "dropout", "rate": RATE, **dropout},
        {"type": "dense", "units": 1, "bias_learning_rate_factor": OF_BIAS},
    ]


def spec_of(schedule: Any, engine: str = "numpy", **training: Any) -> dict[str, Any]:
    optimizer = {"type": "sgd", "learning_rate": STEP, "weight_decay": DECAY, "weight_decay_schedule": schedule}
    settings = {"optimizer": optimizer, "epochs": EPOCHS, "batch_size": "full", "engine": engine, **training}
    return document(*layers(schedule=schedule), inputs=INPUTS, loss="mse", **settings)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("schedule", "factors"), SCHEDULES, ids=["steps", "flat cosine", "above 1"])
def test_steps_are_those_of_numpy(schedule: Any, factors: list[float], engine: str):
    """θ ← θ·(1 − lr·wd·f) − lr·g, with a dropout rate of min(f, 1)·rate, and a tenth of the rate for the bias."""
    network, rows = specnet.build(spec_of(schedule, engine)), rows_of(ROWS, outputs=1)
    theta, noise = network.initial_parameters(), StepNoise(0)
    start = network.parameters(theta)
    w, b = start["layers.1.weight"][0].copy(), 0.0
    drawn = np.empty((INPUTS, ROWS))
    for step, factor in enumerate(factors):
        noise.fill({"uniform.1": drawn}, step)
        remaining = 1 - RATE * min(factor, 1)
        x = rows.X * (remaining > drawn.T) / remaining
        error = x @ w + b - rows.target
        w, b = w * (1 - STEP * DECAY * factor) - STEP * 2 * x.T @ error / ROWS, b - OF_BIAS * STEP * 2 * error.mean()
    found = network.parameters(trained(network, rows, theta).theta)
    np.testing.assert_allclose(found["layers.1.weight"][0], w, rtol=1e-12)
    np.testing.assert_allclose(found["layers.1.bias"], b, rtol=1e-12)


def test_a_constant_schedule_changes_nothing():
    rows = rows_of(ROWS, outputs=1)
    constant = spec_of("constant")
    without = spec_of("constant")
    del without["network"]["layers"][0]["schedule"], without["training"]["optimizer"]["weight_decay_schedule"]
    found = [trained(specnet.build(spec), rows).theta for spec in (constant, without)]
    np.testing.assert_allclose(*found, rtol=1e-13)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_resumed_run_continues_its_schedules(engine: str):
    network = specnet.build(spec_of("flat_cosine", engine, checkpoint_every=1) | {"seed": 3})
    rows, checkpoints = rows_of(ROWS, outputs=1), list[Checkpoint]()
    whole = trained(network, rows, keep_checkpoint=lambda reached: checkpoints.append(deepcopy(reached)))
    for checkpoint in checkpoints:
        np.testing.assert_array_equal(trained(network, rows, checkpoint=checkpoint).theta, whole.theta)


def test_a_gradient_outside_of_a_run_has_the_rate_of_the_layer():
    rows, spec = rows_of(ROWS, outputs=1), spec_of("flat_cosine")
    plain = spec_of("flat_cosine")
    del plain["network"]["layers"][0]["schedule"]
    networks = [specnet.build(each) for each in (spec, plain)]
    theta = networks[0].initial_parameters()
    found = [each.loss_and_gradient(theta, rows.X, rows.target, training=True)[1] for each in networks]
    np.testing.assert_allclose(*found, rtol=1e-13)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"network": {"layers": layers(schedule="reduce_on_plateau")}}, "reduce_on_plateau is for learning rates only"),
        ({"training": {"optimizer": "lbfgs"}}, "bias_learning_rate_factor has no effect with lbfgs"),
        (
            {"network": {"layers": [{**layers()[1], "use_bias": False}]}},
            "bias_learning_rate_factor has no effect with use_bias = false",
        ),
    ],
    ids=["plateau", "lbfgs", "no bias"],
)
def test_settings_that_do_not_fit_are_refused(change: dict[str, Any], message: str):
    spec = spec_of("flat_cosine")
    for section, fields in change.items():
        spec[section] |= fields
    with pytest.raises(SpecError, match=message):
        specnet.build(spec)
