"""Slopes of logits that are lost beside others are 0: small numbers that layers would make denormal ones of."""

from typing import Any, Literal

import numpy as np
import pytest
from scipy.special import softmax

import specnet
from specnet import Observer
from specnet.compiler import Value, exp, log, max_over, one_hot, stop_gradient, sum_over
from specnet.parts import Loss
from tests.compiling import compiles
from tests.networks import document

ENGINES = ["numpy", pytest.param("compiled", marks=compiles)]
FAR = [-60.0, -75.0, -200.0]
"""How far logits are below the largest one."""


class Plain(Loss):
    """−ln pₜ, whose slopes are as small as they are."""

    type: Literal["plain"] = "plain"
    target = "classes"
    output_activation = "softmax"
    accepted_activations = frozenset({"softmax"})

    def expression(self, output: Value, target: Value) -> Value:
        shifted = output - stop_gradient(max_over(output, "features"))
        picked = sum_over(one_hot(target, int(output.shape[0])) * shifted, "features")
        return log(sum_over(exp(shifted), "features")) - picked


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_slopes_are_softmax_less_the_target_but_for_those_that_are_lost(dtype: str, engine: str):
    layers, loss = [{"type": "activation", "activation": "softmax"}], "categorical_crossentropy"
    network = specnet.build(document(*layers, inputs=4, dtype=dtype, loss=loss, engine=engine))
    logits = np.array([[0.0, *FAR], [0.0, *FAR], [0.5, 0.0, -1.0, -90.0]], dtype)
    y = np.array([0, 3, 1])
    expected = softmax(logits.astype(np.float64), axis=1) - np.eye(4)[y]
    expected[[0, 0, 1, 2], [2, 3, 2, 3]] = 0  # 3e-33 and less
    expected[1, 3] = -1.0  # a row that is so wrong is learned from all the same
    found = network.input_gradient([], logits, y) * len(logits)
    np.testing.assert_allclose(found, expected, rtol=1e-6 if dtype == "float32" else 1e-14)
    assert network.row_losses([], logits, y)[1] == pytest.approx(200)


@pytest.mark.parametrize("engine", ENGINES)
def test_networks_learn_the_same_without_them(engine: str):
    """Bit for bit, on rows that are learned until a third of all slopes are that small."""
    rng = np.random.default_rng(2)
    y = np.arange(96) % 4
    X = 60 * np.eye(4)[y] + rng.normal(size=(96, 4))
    spec: dict[str, Any] = {"network": {"hidden_layer_sizes": [16, 16], "output_size": 4}}
    training = {"epochs": 60, "batch_size": 32, "optimizer": {"type": "adam", "learning_rate": 0.03}, "engine": engine}
    plain, own = (
        specnet.fit({**spec, "training": {"loss": loss, **training}}, X, y, parts=(Plain,), observer=Observer())
        for loss in ("plain", "categorical_crossentropy")
    )
    probabilities = own.predict_proba(X)
    assert np.mean(probabilities < 1e-30) > 0.3
    np.testing.assert_array_equal(own.theta, plain.theta)
    assert own.history == plain.history
