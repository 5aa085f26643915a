"""Models of every kind with arbitrary numbers in them, as if they had been trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from specnet import FileError, Model, Network, build, load_model
from specnet.data import Preparation, unfitted
from specnet.model import ErrorQuantiles

BINARY, CATEGORICAL, SQUARED = "binary_crossentropy", "categorical_crossentropy", "mean_squared_error"
STANDARDIZED = {"loss": SQUARED, "target_preprocessing": ["standardize"]}
GROWING = np.multiply.outer([1, 10], np.multiply.outer(np.linspace(0.1, 4, 50), [1, 2, 9]))
KNOTS = {"error_knots": [[-60, -50, -44], [-55, -51, -40]], "not_negative": [False, True]}
LIKELY = {"error_quantiles": [np.linspace([0, 0, 0], [1, 0.9, 0.4], 99)], "error_knots": [[0.4, 0.5, 0.9]]}
CLASSES = {"loss": CATEGORICAL, "sizes": [3, 4, 3]}
KINDS: dict[str, dict[str, Any]] = {
    "binary": {"loss": BINARY, "sizes": [3, 4, 1]},
    "binary, text": {"loss": BINARY, "sizes": [3, 4, 1], "labels": ["no", "yes"]},
    "multilabel": {"loss": BINARY, "sizes": [3, 4, 2]},
    "two classes": {"loss": CATEGORICAL, "sizes": [3, 4, 2]},
    "classes": CLASSES,
    "classes, integers": {**CLASSES, "labels": [-7, 0, 2**40], "error_quantiles": [np.linspace(0, 1, 99)]},
    "classes, text": {**CLASSES, "labels": ["", "Zürich", "日本"]},
    "value": {**STANDARDIZED, "sizes": [3, 4, 1]},
    "values": {**STANDARDIZED, "sizes": [3, 4, 2], "error_quantiles": np.outer([1, 10], np.arange(9))},
    "plain values": {
        "loss": SQUARED,
        "sizes": [3, 2],
        "preprocessing": [],
        "error_quantiles": [[0.5] * 3, [1.5, 2.5, 4]],
    },
    "values that errors follow": {**STANDARDIZED, "sizes": [3, 4, 2], "error_quantiles": GROWING, **KNOTS},
    "classes that errors follow": {**CLASSES, **LIKELY},
}


def make_network(kind: str, dtype: str = "float64", **training: Any) -> Network:
    """Return a network of a kind; `training` adds to that section of its spec."""
    described = KINDS[kind]
    steps = {"preprocessing": described.get("preprocessing", ["standardize"])}
    steps["target_preprocessing"] = described.get("target_preprocessing", [])
    network = {"dtype": dtype, "layer_sizes": described["sizes"], **steps}
    return build({"name": "model", "network": network, "training": {"loss": described["loss"], **training}})


def make_model(kind: str, dtype: str = "float64", **training: Any) -> Model:
    """Return a model of a kind, the same on every call."""
    network = make_network(kind, dtype, **training)
    generator = np.random.default_rng(0)
    spec = network.spec.network
    described, quantiles = KINDS[kind], ErrorQuantiles()
    if "error_quantiles" in described:
        values, knots = (np.array(described.get(f"error_{name}", [[]]), np.float64) for name in ("quantiles", "knots"))
        knots = knots if knots.size else np.empty((0, 0))
        quantiles = ErrorQuantiles(values, knots, np.array(described.get("not_negative", []), np.bool_))
    return Model(
        network,
        generator.standard_normal(network.parameter_count),
        preprocessing=Preparation.fit(unfitted(spec.preprocessing), generator.normal(5, 3, (20, network.inputs))),
        target_preprocessing=Preparation.fit(
            unfitted(spec.target_preprocessing), generator.normal(-50, 9, (20, network.outputs))
        ),
        labels=np.array(described["labels"]) if "labels" in described else None,
        error_quantiles=quantiles,
    )


def make_rows(model: Model, count: int = 40) -> tuple[np.ndarray, np.ndarray]:
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
