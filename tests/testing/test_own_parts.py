"""The public checks with plain functions, over some parts of every kind."""

from typing import Any

import numpy as np
import pytest

from specnet.testing import check_layer, check_part
from tests.exporting.at_home import javascript_at_home, node, numpy_at_home
from tests.registry import find

__all__ = ["javascript_at_home", "node", "numpy_at_home"]


def prelu(x, parameters):
    return np.where(x > 0, x, parameters["negative_slope"] * x)


def glu(x):
    return x[:, : x.shape[1] // 2] / (1 + np.exp(-x[:, x.shape[1] // 2 :]))


def huber(output, target, delta=1.0):
    size = abs(output - target)
    return np.where(size < delta, size**2 / 2, delta * (size - delta / 2)).mean(1)


def crossentropy(output, target, label_smoothing=0.0):
    logs = output - output.max(1, keepdims=True)
    logs -= np.log(np.exp(logs).sum(1, keepdims=True))
    picked = logs[np.arange(len(target)), target]
    return -(1 - label_smoothing) * picked - label_smoothing * logs.mean(1)


def sgd(theta, gradients, learning_rate=0.01, momentum=0.0, weight_decay=0.0):
    velocity = np.zeros_like(theta)
    for gradient in gradients:
        velocity = momentum * velocity + gradient
        theta = theta * (1 - learning_rate * weight_decay) - learning_rate * velocity
    return theta


PLAIN: dict[str, tuple[Any, list[dict[str, Any]]]] = {
    "activation relu": (lambda x: x * (x > 0), [{}]),
    "activation prelu": (prelu, [{}]),
    "activation glu": (glu, [{}]),
    "loss huber": (huber, [{}, {"delta": 0.2}]),
    "loss categorical_crossentropy": (crossentropy, [{}, {"label_smoothing": 0.2}]),
    "optimizer sgd": (sgd, [{}, {"learning_rate": 0.1, "momentum": 0.9, "weight_decay": 0.01}]),
    "schedule step_decay": (lambda n, length, factor, every: factor ** (n // every), [{"factor": 0.5, "every": 7}]),
    "initializer he_uniform": (lambda fan_in, fan_out: (0, np.sqrt(2 / fan_in)), [{}]),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", PLAIN)
def test_a_part_is_what_plain_numpy_says(name: str):
    kind, part_name = name.split()
    part = find(kind, part_name)
    assert part is not None
    forward, settings = PLAIN[name]
    check_part(part, forward, settings=settings)


@pytest.mark.slow
def test_layers_are_what_plain_numpy_says():
    check_layer(find("layer", "scale"), lambda x, parameters: x * parameters["factor"], settings=[{}])
    check_layer(find("layer", "add"), lambda a, b: a + b)
    check_layer(find("layer", "dropout"), lambda x: x)
