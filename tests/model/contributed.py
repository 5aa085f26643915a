"""Models whose contributions of columns are compared with those of another package, and the rows."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from specnet import Model, build
from tests.model.models import make_model


def wide_model(columns: int, loss: str = "mean_squared_error", outputs: int = 1) -> Model:
    """Return a model of many columns with random weights, the same on every call."""
    network = build({"network": {"layer_sizes": [columns, 6, outputs], "dtype": "float64"}, "training": {"loss": loss}})
    return Model(network, np.random.default_rng(columns).standard_normal(network.parameter_count))


def linear(weights: np.ndarray) -> Model:
    """Return a model that predicts a weighted sum of its columns."""
    document = {"network": {"layer_sizes": [len(weights), 1], "dtype": "float64"}, "training": {"loss": "mse"}}
    return Model(build(document), np.append(weights, 0.0))


def explained_cases() -> Iterator[tuple[str, Model, np.ndarray, np.ndarray]]:
    """Yield a name, a model, rows to explain, and the background."""
    models = {
        "classes": make_model("classes"),
        "binary": make_model("binary"),
        "value": make_model("value"),
        "wide value": wide_model(10),
        "wide classes": wide_model(10, "categorical_crossentropy", 3),
    }
    for name, model in models.items():
        generator, columns = np.random.default_rng(7), model.network.inputs
        center, spread = (0, 1) if name.startswith("wide") else (5, 3)
        rows = generator.normal(center, spread, (2, columns))
        yield name, model, rows, generator.normal(center, spread, (12, columns))
