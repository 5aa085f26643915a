"""Writes initializers.json: moments, quantiles and bounds of what Keras, PyTorch and scikit-learn draw.

To be run by hand, where those are installed: ``KERAS_BACKEND=jax python tests/figures/make_initializers.py`` (of the
four numbers that Keras draws through PyTorch for a truncated one, now and then all lie outside). Each figure describes
one large draw for a layer of 400 inputs and 300 outputs, or its bias.
"""

import json
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path

import jax
import keras
import numpy as np
import torch
from keras import initializers
from sklearn.neural_network import MLPRegressor
from torch.nn import init

INPUTS, OUTPUTS = 400, 300
QUANTILES = [0.05, 0.25, 0.5, 0.75, 0.95]

SCALING = {"type": "variance_scaling"}
BY_KERAS = [
    ({"type": "zeros"}, initializers.Zeros()),
    ({"type": "ones"}, initializers.Ones()),
    ({"type": "constant", "value": 0.25}, initializers.Constant(0.25)),
    ({"type": "random_normal"}, initializers.RandomNormal(seed=0)),
    ({"type": "random_normal", "mean": 1.0, "stddev": 0.5}, initializers.RandomNormal(1.0, 0.5, seed=0)),
    ({"type": "random_uniform"}, initializers.RandomUniform(seed=0)),
    ({"type": "random_uniform", "minval": -1.0, "maxval": 3.0}, initializers.RandomUniform(-1.0, 3.0, seed=0)),
    ({"type": "truncated_normal"}, initializers.TruncatedNormal(seed=0)),
    ({"type": "truncated_normal", "mean": 1.0, "stddev": 0.5}, initializers.TruncatedNormal(1.0, 0.5, seed=0)),
    (SCALING, initializers.VarianceScaling(seed=0)),
    *(
        (
            SCALING | {"scale": 2.5, "mode": mode, "distribution": name},
            initializers.VarianceScaling(2.5, mode, name, seed=0),
        )
        for mode in ("fan_in", "fan_out", "fan_avg")
        for name in ("truncated_normal", "untruncated_normal", "uniform")
    ),
    *(
        ({"type": f"{name}_{shape}"}, getattr(initializers, f"{name.title()}{shape.title()}")(seed=0))
        for name in ("glorot", "he", "lecun")
        for shape in ("uniform", "normal")
    ),
    ({"type": "orthogonal"}, initializers.Orthogonal(seed=0)),
    ({"type": "identity"}, initializers.Identity()),
]

UNTRUNCATED = SCALING | {"distribution": "untruncated_normal"}
BY_TORCH = [
    ({"type": "xavier_uniform"}, init.xavier_uniform_),
    (UNTRUNCATED | {"mode": "fan_avg"}, init.xavier_normal_),
    ({"type": "kaiming_uniform"}, lambda weight: init.kaiming_uniform_(weight, nonlinearity="relu")),
    (UNTRUNCATED | {"scale": 2.0}, lambda weight: init.kaiming_normal_(weight, nonlinearity="relu")),
    ({"type": "orthogonal", "gain": 2.0}, lambda weight: init.orthogonal_(weight, gain=2.0)),
    ({"type": "identity"}, init.eye_),
]


def described(fields: dict, library: str, drawn: np.ndarray, **place: str) -> dict:
    """Return what a draw looks like."""
    moments = {"mean": float(drawn.mean()), "deviation": float(drawn.std())}
    bounds = {"smallest": float(drawn.min()), "largest": float(drawn.max())}
    quantiles = np.quantile(drawn, QUANTILES).tolist()
    return {"initializer": fields, "library": library, **place, **moments, "quantiles": quantiles, **bounds}


def by_torch(initialize: Callable[[torch.Tensor], torch.Tensor]) -> np.ndarray:
    """Return a weight (outputs, inputs) as PyTorch draws it."""
    torch.manual_seed(0)
    return initialize(torch.empty(OUTPUTS, INPUTS, dtype=torch.float64)).numpy()


def by_sklearn(activation: str) -> tuple[np.ndarray, np.ndarray]:
    """Return a weight (inputs, outputs) and a bias as a scikit-learn network begins with them."""
    model = MLPRegressor(activation=activation)
    model._random_state = np.random.RandomState(0)
    return model._init_coef(INPUTS, OUTPUTS, np.dtype("float64"))


def figures() -> Iterator[dict]:
    """Yield the description of each draw."""
    for fields, initializer in BY_KERAS:
        yield described(fields, "keras", np.asarray(initializer((INPUTS, OUTPUTS), dtype="float64")))
    for fields, initialize in BY_TORCH:
        yield described(fields, "torch", by_torch(initialize))
    torch.manual_seed(0)
    linear = torch.nn.Linear(INPUTS, OUTPUTS, dtype=torch.float64)
    yield described({"type": "pytorch_linear"}, "torch", linear.weight.detach().numpy(), of="weight")
    yield described({"type": "pytorch_linear"}, "torch", linear.bias.detach().numpy(), of="bias")
    for theirs, ours in (("relu", "relu"), ("logistic", "sigmoid")):
        weight, bias = by_sklearn(theirs)
        yield described({"type": "sklearn_mlp"}, "sklearn", weight, of="weight", activation=ours)
        yield described({"type": "sklearn_mlp"}, "sklearn", bias, of="bias", activation=ours)


def main() -> None:
    """Write the figures beside this script."""
    jax.config.update("jax_enable_x64", True)
    keras.config.set_floatx("float64")
    assert keras.backend.backend() == "jax", "see above"
    versions = {name: version(name) for name in ("keras", "jax", "torch", "scikit-learn")}
    content = {"versions": versions, "inputs": INPUTS, "outputs": OUTPUTS, "levels": QUANTILES, "draws": [*figures()]}
    Path(__file__).with_name("initializers.json").write_text(json.dumps(content) + "\n")


if __name__ == "__main__":
    main()
