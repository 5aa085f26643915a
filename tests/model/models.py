"""Models of every kind with arbitrary numbers in them, as if they had been trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from specnet import FileError, Model, Network, load_model, parse_spec, resolve
from specnet.data import Preparation, unfitted
from specnet.model import ErrorQuantiles
from specnet.parts.arrays import Array

KINDS: dict[str, dict[str, Any]] = {
    "binary": {"loss": "binary_crossentropy", "sizes": [3, 4, 1]},
    "binary, text": {"loss": "binary_crossentropy", "sizes": [3, 4, 1], "labels": ["no", "yes"]},
    "multilabel": {"loss": "binary_crossentropy", "sizes": [3, 4, 2]},
    "two classes": {"loss": "categorical_crossentropy", "sizes": [3, 4, 2]},
    "classes": {"loss": "categorical_crossentropy", "sizes": [3, 4, 3]},
    "classes, integers": {
        "loss": "categorical_crossentropy",
        "sizes": [3, 4, 3],
        "labels": [-7, 0, 2**40],
        "error_quantiles": [np.linspace(0, 1, 99)],
    },
    "classes, text": {"loss": "categorical_crossentropy", "sizes": [3, 4, 3], "labels": ["", "Zürich", "日本"]},
    "value": {"loss": "mean_squared_error", "sizes": [3, 4, 1], "target_preprocessing": ["standardize"]},
    "values": {
        "loss": "mean_squared_error",
        "sizes": [3, 4, 2],
        "target_preprocessing": ["standardize"],
        "error_quantiles": np.outer([1, 10], np.arange(9)),
    },
    "plain values": {
        "loss": "mean_squared_error",
        "sizes": [3, 2],
        "preprocessing": [],
        "error_quantiles": [[0.5] * 3, [1.5, 2.5, 4]],
    },
    "values that errors follow": {
        "loss": "mean_squared_error",
        "sizes": [3, 4, 2],
        "target_preprocessing": ["standardize"],
        "error_quantiles": np.multiply.outer([1, 10], np.multiply.outer(np.linspace(0.1, 4, 50), [1, 2, 9])),
        "error_knots": [[-60, -50, -44], [-55, -51, -40]],
        "not_negative": [False, True],
    },
    "classes that errors follow": {
        "loss": "categorical_crossentropy",
        "sizes": [3, 4, 3],
        "error_quantiles": [np.linspace([0, 0, 0], [1, 0.9, 0.4], 99)],
        "error_knots": [[0.4, 0.5, 0.9]],
    },
}


def make_network(kind: str, dtype: str = "float64", **training: Any) -> Network:
    """Return a network of a kind; `training` adds to that section of its spec."""
    described = KINDS[kind]
    spec = {
        "name": "model",
        "network": {
            "dtype": dtype,
            "layer_sizes": described["sizes"],
            "preprocessing": described.get("preprocessing", ["standardize"]),
            "target_preprocessing": described.get("target_preprocessing", []),
        },
        "training": {"loss": described["loss"], **training},
    }
    return Network(resolve(parse_spec(spec)))


def make_model(kind: str, dtype: str = "float64", **training: Any) -> Model:
    """Return a model of a kind, the same on every call."""
    network = make_network(kind, dtype, **training)
    generator = np.random.default_rng(0)
    spec = network.spec.network
    labels, quantiles = KINDS[kind].get("labels"), ErrorQuantiles()
    if "error_quantiles" in KINDS[kind]:
        knots, low = KINDS[kind].get("error_knots", np.empty((0, 0))), KINDS[kind].get("not_negative", [])
        values = np.array(KINDS[kind]["error_quantiles"], np.float64)
        quantiles = ErrorQuantiles(values, np.array(knots, np.float64), np.array(low, np.bool_))
    return Model(
        network,
        generator.standard_normal(network.parameter_count),
        preprocessing=Preparation.fit(unfitted(spec.preprocessing), generator.normal(5, 3, (20, network.inputs))),
        target_preprocessing=Preparation.fit(
            unfitted(spec.target_preprocessing), generator.normal(-50, 9, (20, network.outputs))
        ),
        labels=None if labels is None else np.array(labels),
        error_quantiles=quantiles,
    )


def make_rows(model: Model, count: int = 40) -> tuple[Array, Array]:
    """Return raw columns, and a target of all classes that is partly what the model answers."""
    generator = np.random.default_rng(1)
    X = generator.normal(5, 3, (count, model.network.inputs))
    y = model.predict(X)
    y = np.where(generator.random(y.shape) < 0.3, np.roll(y, 1, axis=0), y)
    if model.labels is not None:
        y = np.concatenate([model.labels, y])[:count]
    return X, y


def saved(model: Model, path: Path) -> bytes:
    model.save(path)
    return path.read_bytes()


def refusal(path: Path) -> str:
    """Return the only mistake that loading a file reports, which names it."""
    with pytest.raises(FileError) as error:
        load_model(path)
    (diagnostic,) = error.value.diagnostics
    assert diagnostic.source == str(path)
    return diagnostic.message
