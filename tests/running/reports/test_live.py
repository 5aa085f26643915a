"""What a page's script computes against what the model does."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import specnet
from specnet.running.data_rows import Rows
from specnet.running.reports.two_columns import live_network

RNG = np.random.default_rng(0)
X = RNG.normal([1.0, 50.0], [1.0, 20.0], (200, 2))
TARGETS = {
    "binary_crossentropy": (X[:, 0] > 1).astype(int),
    "categorical_crossentropy": np.digitize(X[:, 1], [40, 60]),
    "mean_squared_error": 100 + 30 * X[:, 0],
    "hinge": (X[:, 0] > 1).astype(int),
}
SCALED = [
    {"type": "dense", "units": 4, "activation": "relu", "parametrization": "ntk"},
    {"type": "dense", "units": 1},
]


def trained(loss: str, network: dict[str, Any]) -> specnet.Model:
    target = {"target_preprocessing": ["standardize"]} if loss == "mean_squared_error" else {}
    network = {"hidden_layer_sizes": [4], "preprocessing": ["standardize"], **target, **network}
    network = {key: value for key, value in network.items() if value is not None}
    return specnet.fit({"network": network, "training": {"loss": loss, "epochs": 3}}, X, TARGETS[loss])


@pytest.mark.parametrize("loss", ["binary_crossentropy", "categorical_crossentropy", "mean_squared_error"])
@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid"])
def test_script_computes_what_the_model_does(loss: str, activation: str) -> None:
    model = trained(loss, {"activations": activation})
    live = live_network(model, Rows(X, TARGETS[loss]))
    assert live is not None
    asked = RNG.uniform(X.min(axis=0), X.max(axis=0), (50, 2))
    expected = model.predict(asked) if loss == "mean_squared_error" else model.predict_proba(asked)
    expected = expected[:, 1:] if loss == "binary_crossentropy" else expected.reshape(50, -1)
    np.testing.assert_allclose(live.answers(asked), expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())
    np.testing.assert_array_equal(live.low, X.min(axis=0))


@pytest.mark.parametrize(
    ("loss", "network"),
    [
        ("binary_crossentropy", {"hidden_layer_sizes": [4, 4]}),
        ("binary_crossentropy", {"activations": "gelu"}),
        ("binary_crossentropy", {"preprocessing": ["quantile"]}),
        ("hinge", {}),
        ("binary_crossentropy", {"hidden_layer_sizes": None, "layers": SCALED}),
    ],
)
def test_other_networks_have_no_script(loss: str, network: dict[str, Any]) -> None:
    assert live_network(trained(loss, network), Rows(X, TARGETS[loss])) is None
