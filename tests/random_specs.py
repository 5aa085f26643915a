"""Random specs of any depth, with branches and blocks, over every activation, layer and loss of the registry."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from specnet.parts.layers import Layer
from tests.registry import find, names

ACTIVATIONS = names("activation")
INPUTS = 3

# How each layer can be written; a layer that is missing here makes the tests fail.
LAYERS: dict[str, dict[str, Any]] = {
    "dense": {"units": 3},
    "activation": {},
    "dropout": {"rate": 0.3},
    "add": {},
    "multiply": {},
    "concatenate": {},
    "average": {},
    "block": {},
    "gaussian_noise": {"stddev": 0.2},
    "batch_normalization": {"epsilon": 0.1},
    "layer_normalization": {"epsilon": 0.1},
    "scale": {"use_shift": True},
    "embedding": {"columns": [2, 0], "categories": [4, 3], "size": [2, 1]},
    "periodic_embedding": {"frequencies": 2, "frequency_stddev": 0.3},
    "piecewise_linear_embedding": {},
}
LOSSES: dict[str, list[dict[str, Any]]] = {
    "mean_squared_error": [{}],
    "mean_absolute_error": [{}],
    "huber": [{}, {"delta": 0.3}],
    "log_cosh": [{}],
    "mean_squared_logarithmic_error": [{}],
    "quantile": [{}, {"quantile": 0.9}],
    "cosine_similarity": [{}],
    "poisson": [{}],
    "gamma": [{}],
    "tweedie": [{}, {"power": 1.2}],
    "gaussian_nll": [{}],
    "kl_divergence": [{}],
    "binary_crossentropy": [{}, {"label_smoothing": 0.1}, {"positive_weight": 2.5}],
    "binary_focal_crossentropy": [{}, {"gamma": 1.5, "alpha": 0.6}],
    "hinge": [{}],
    "squared_hinge": [{}],
    "categorical_crossentropy": [{}, {"label_smoothing": 0.1}],
    "categorical_focal_crossentropy": [{}, {"gamma": 1.5}],
    "categorical_hinge": [{}],
}


def random_spec(rng: np.random.Generator, seed: int) -> dict[str, Any]:
    """Return a spec of depth 1 to 8 as plain data; its arrays come from `random_rows`."""
    name = str(rng.choice(list(LOSSES)))
    loss = _part("loss", name)
    several = loss.target == "classes" or loss.domain == "distribution" or name == "cosine_similarity"
    outputs = int(rng.integers(2, 4) if several else rng.integers(1, 3)) * loss.outputs_per_target
    layers = list(_layers(rng, int(rng.integers(1, 9))))
    layers.append({"type": "dense", "units": outputs})
    if loss.accepted_activations is None:
        layers[-1] |= _activated(rng, outputs, "softmax")  # its derivative by equal ones is 0, and all else rounding
    elif loss.output_activation == "exponential":
        layers[-1] |= {"weight_initializer": {"type": "random_normal", "stddev": 0.1}}
    fields = LOSSES[name][rng.integers(len(LOSSES[name]))]
    if rng.random() < 0.15:
        layers = [*_averaged(layers)]
    return {
        "seed": seed,
        "network": {"dtype": "float64", "input_size": INPUTS, "output_size": outputs, "layers": layers},
        "training": {"loss": {"type": name, **fields}, "optimizer": "sgd"},
    }


def random_rows(rng: np.random.Generator, spec: dict[str, Any], rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Return X and y for a random spec."""
    loss = _part("loss", spec["training"]["loss"]["type"])
    outputs = spec["network"]["output_size"] // loss.outputs_per_target
    X = rng.normal(size=(rows, INPUTS))
    for layer in spec["network"]["layers"]:
        if layer["type"] == "embedding":
            for column, categories in zip(layer["columns"], layer["categories"], strict=True):
                X[:, column] = rng.integers(0, categories, rows)
    if loss.target == "classes":
        return X, rng.integers(0, outputs, rows)
    if loss.target == "binary":
        return X, rng.integers(0, 2, (rows, outputs))
    match loss.domain:
        case "distribution":
            return X, rng.dirichlet(np.ones(outputs), rows)
        case "not negative":
            return X, rng.poisson(1.0, (rows, outputs))
        case "positive":
            return X, rng.gamma(1.0, 1.0, (rows, outputs))
    return X, rng.normal(size=(rows, outputs))


def _part(kind: str, name: str) -> Any:
    return find(kind, name)


def kinds_of(layer: Layer) -> Iterator[str]:
    """Yield the type of a layer, and those of the layers inside it."""
    yield layer.type
    for inner in getattr(layer, "layers", ()):
        yield from kinds_of(inner)


def _activation(rng: np.random.Generator, *others: str) -> dict[str, Any]:
    """Return an activation, none of those others, and sometimes one that is mixed with its input."""
    name = str(rng.choice([name for name in ACTIVATIONS if name not in others]))
    return {"type": name, "parametric": bool(_part("activation", name).elementwise and rng.random() < 0.15)}


def _activated(rng: np.random.Generator, outputs: int, *others: str) -> dict[str, Any]:
    """Return the fields of a dense layer of so many outputs with an activation, none of those others."""
    activation = _activation(rng, *others)
    return {"units": outputs * 2 if activation["type"] == "glu" else outputs, "activation": activation}


def _dense(rng: np.random.Generator, outputs: int, **fields: Any) -> dict[str, Any]:
    activated = _activated(rng, outputs)
    # Small weights before an exponential: the complex step's own sigmoid is NaN at numbers beyond 700.
    stddev = 0.1 if activated["activation"]["type"] == "exponential" else 0.6
    fields |= {"weight_initializer": {"type": "random_normal", "stddev": stddev}}
    bias = {"bias_initializer": {"type": "random_normal", "stddev": 0.3}} if rng.random() < 0.8 else {"use_bias": False}
    form = str(rng.choice(["standard", "standard", "ntk"]))
    fields |= {"parametrization": form, "trainable": bool(rng.random() < 0.9)}
    return {"type": "dense", **activated, **bias, **fields}


def _embedding(rng: np.random.Generator, kind: str, size: int, **fields: Any) -> tuple[dict[str, Any], int]:
    """Return an embedding of what has so many features, and how many it makes of them."""
    layer = {"type": kind, **LAYERS[kind], "keep_others": bool(rng.random() < 0.7), **fields}
    made = 3
    if kind == "piecewise_linear_embedding":
        layer |= {"columns": [int(rng.integers(0, size))], "bins": int(rng.integers(1, 4))}
        made = layer["bins"]
        if rng.random() < 0.5:
            made = layer["size"] = 2
    elif kind == "periodic_embedding":
        columns = rng.permutation(size)[: rng.integers(1, 3)].tolist()
        layer |= {"columns": columns, "size": 2, "variant": str(rng.choice(["plr", "plr_lite", "pbld"]))}
        made = 2 * len(columns)
    return layer, made + (size - len(layer["columns"])) * layer["keep_others"]


def _averaged(layers: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield the layers of a network, and of a second one of one layer that is averaged with it."""
    last = layers[-1]
    yield from [*layers[:-1], {**last, "name": "first"}, {**last, "name": "second", "inputs": ["input"]}]
    yield {"type": "average", "inputs": ["first", "second"]}


def _layers(rng: np.random.Generator, depth: int) -> Iterator[dict[str, Any]]:
    size, previous = INPUTS, "input"
    for number in range(depth):
        kind = str(rng.choice([kind for kind in LAYERS if kind != "average"]))  # which is the last layer
        name = f"step{number}"
        if kind == "dense":
            size = int(rng.integers(1, 5))
            yield _dense(rng, size, name=name)
        elif kind == "activation":
            yield {"type": kind, "activation": _activation(rng, "glu"), "name": name}
        elif kind == "block":
            inner = [_dense(rng, size), {"type": "dropout", "rate": 0.2}]
            yield {"type": kind, "layers": inner, "repeat": int(rng.integers(1, 3)), "name": name}
        elif kind in ("add", "multiply", "concatenate"):
            branch = f"branch{number}"
            yield _dense(rng, size, name=branch, inputs=[previous])
            yield {"type": kind, "inputs": [branch, previous], "name": name}
            size *= 2 if kind == "concatenate" else 1
        elif kind == "periodic_embedding":
            layer, size = _embedding(rng, kind, size, name=name)
            yield layer
        elif kind in ("embedding", "piecewise_linear_embedding"):
            branch = f"branch{number}"
            layer, made = _embedding(rng, kind, INPUTS, name=branch, inputs=["input"])
            yield layer
            yield {"type": "concatenate", "inputs": [branch, previous], "name": name}
            size += made
        else:
            yield {"type": kind, "name": name, **LAYERS[kind]}
        previous = name
