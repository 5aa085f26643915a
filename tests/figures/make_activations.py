"""Values and derivatives of activations from PyTorch, and from Keras where PyTorch has none, both in float64.

`python tests/figures/make_activations.py`, in an environment with the `peers` extra, writes `activations.json` beside
this file. A figure that is not finite is written as null.
"""

import json
import os
from pathlib import Path

os.environ["KERAS_BACKEND"] = "torch"

import keras
import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - as everyone calls it

KINKS = [0.0, 0.5, -0.5, 1.0, -1.0, 3.0, -3.0, 6.0]
POINTS = [*KINKS, 1e-8, -1e-8, 20.0, -20.0, 1000.0, -1000.0]
ORDINARY = np.round(np.random.default_rng(0).normal(0, 2, 24) * 64) / 64  # exact in float32 too
SLOPE = torch.tensor([0.25], dtype=torch.float64)

ELEMENTWISE = [
    ({"type": "linear"}, lambda x: x * 1),
    *(({"type": name}, getattr(F, name)) for name in ("relu", "relu6", "leaky_relu", "elu", "celu", "selu", "gelu")),
    *(({"type": name}, getattr(F, name)) for name in ("silu", "mish", "softsign", "softplus")),
    ({"type": "leaky_relu", "negative_slope": 0.3}, lambda x: F.leaky_relu(x, 0.3)),
    ({"type": "prelu"}, lambda x: F.prelu(x, SLOPE)),
    ({"type": "elu", "alpha": 0.7}, lambda x: F.elu(x, 0.7)),
    ({"type": "celu", "alpha": 0.75}, lambda x: F.celu(x, 0.75)),  # its kernel rounds alpha to float32
    ({"type": "threshold"}, lambda x: F.threshold(x, 1.0, 0.0)),
    ({"type": "threshold", "threshold": -0.5, "default_value": 2.0}, lambda x: F.threshold(x, -0.5, 2.0)),
    ({"type": "gelu", "approximate": True}, lambda x: F.gelu(x, approximate="tanh")),
    ({"type": "hard_swish"}, F.hardswish),
    ({"type": "sigmoid"}, torch.sigmoid),
    ({"type": "hard_sigmoid"}, lambda x: F.relu6(x + 3) / 6),  # its own derivative has 1/6 rounded to float32
    ({"type": "log_sigmoid"}, F.logsigmoid),
    ({"type": "tanh"}, torch.tanh),
    ({"type": "hard_tanh"}, F.hardtanh),
    ({"type": "clip"}, lambda x: F.hardtanh(x, 0.0, 1.0)),
    ({"type": "clip", "minimum": -0.5, "maximum": 3.0}, lambda x: F.hardtanh(x, -0.5, 3.0)),
    ({"type": "tanh_shrink"}, F.tanhshrink),
    ({"type": "soft_shrink"}, F.softshrink),
    ({"type": "soft_shrink", "threshold": 1.0}, lambda x: F.softshrink(x, 1.0)),
    ({"type": "hard_shrink"}, F.hardshrink),
    ({"type": "hard_shrink", "threshold": 1.0}, lambda x: F.hardshrink(x, 1.0)),
    ({"type": "squareplus"}, keras.activations.squareplus),
    ({"type": "squareplus", "b": 0.5}, lambda x: keras.activations.squareplus(x, b=0.5)),
    ({"type": "exponential"}, torch.exp),
]
ACROSS = [
    ({"type": "softmax"}, lambda x: F.softmax(x, 0)),
    ({"type": "log_softmax"}, lambda x: F.log_softmax(x, 0)),
    ({"type": "glu"}, lambda x: F.glu(x, 0)),
]


def listed(array: torch.Tensor) -> list:
    """The numbers, null for those that are not finite."""
    return np.where(np.isfinite(array.detach().numpy()), array.detach().numpy(), None).tolist()


def elementwise() -> list[dict]:
    """Value and derivative at each point."""
    figures = []
    for spec, function in ELEMENTWISE:
        x = torch.tensor([*POINTS, *ORDINARY], dtype=torch.float64, requires_grad=True)
        y = function(x)
        (slope,) = torch.autograd.grad(y.sum(), x)
        figures.append({"activation": spec, "value": listed(y), "slope": listed(slope)})
    return figures


def across() -> list[dict]:
    """For columns of four features: the value, and the derivative of a weighted sum of it."""
    rng = np.random.default_rng(1)
    extreme = np.array([[0.0, 20, 1000, -1000, 3], [0, -20, 1000, -1000, -3], [0, 3, -1000, 1000, 1], [0, 0, 0, 0, 1]])
    columns = np.concatenate([extreme, np.round(rng.normal(0, 2, (4, 8)) * 64) / 64], axis=1)
    figures = []
    for spec, function in ACROSS:
        x = torch.tensor(columns, requires_grad=True)
        y = function(x)
        weights = torch.tensor(np.round(rng.normal(size=y.shape) * 64) / 64)
        (gradient,) = torch.autograd.grad((y * weights).sum(), x)
        given = {"activation": spec, "x": columns.tolist(), "weights": weights.tolist()}
        figures.append({**given, "value": listed(y), "gradient": listed(gradient)})
    return figures


def main() -> None:
    versions = {"torch": torch.__version__, "keras": keras.__version__, "numpy": np.__version__}
    figures = {"versions": versions, "points": [*POINTS, *ORDINARY], "elementwise": elementwise(), "across": across()}
    Path(__file__).with_name("activations.json").write_text(json.dumps(figures) + "\n")


if __name__ == "__main__":
    main()
