"""What findings advise: settings of the spec as it was written."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from specnet.findings import Evidence
from specnet.network import Network
from tests.findings.made import (
    FLAT,
    adam,
    behind,
    constant,
    crawling,
    ending,
    evidence,
    failed,
    falling,
    found_by,
    gapped,
    looks,
    network,
    rare,
    scaled,
    sgd,
    starting,
    vanishing,
)

NO_HIDDEN = {"hidden_layer_sizes": None, "layer_sizes": [3, 1], "activations": ["sigmoid"]}
LAYERS = [{"type": "dense", "units": 10, "activation": "relu"}, {"type": "dense", "units": 1}]
DRAWN: dict[str, Any] = {"network": {"weight_initializer": "random_normal"}}
LEGACY = {"type": "variance_scaling", "scale": 2.0, "distribution": "untruncated_normal"}
NEGATIVE = {"bias_initializer": {"type": "constant", "value": -5.0}}
STOPPED = {"early_stopping": True}
BALANCED = network(training={"class_weight": "balanced"})
TABLE = {"data": {"type": "csv", "path": "rows.csv", "target": "y"}}


def at_rate(optimizer: dict[str, Any] | str) -> Network:
    return network(training={"optimizer": optimizer})


REMEDIES = [
    ("underfitting", behind(0.6, 0.6, 0.95, losses=FLAT), {"network.hidden_layer_sizes": [32]}),
    (
        "underfitting",
        behind(0.6, 0.6, 0.95, looks=looks(step=5e-4)),
        {"network.hidden_layer_sizes": [32], "training.optimizer.learning_rate": 1.0},
    ),
    (
        "underfitting",
        behind(0.6, 0.6, 0.95, network=network(network=NO_HIDDEN), looks=looks(0)),
        {"network.layer_sizes": [3, 16, 1], "network.activations": ["relu", "sigmoid"]},
    ),
    (
        "underfitting",
        behind(0.6, 0.6, 0.95, network=network(network={"hidden_layer_sizes": None, "layers": LAYERS})),
        {"network.layers.0.units": 32},
    ),
    ("rate-too-low", crawling(1e-6), {"training.optimizer.learning_rate": 0.3}),
    ("rate-too-low", crawling(1e-6, network=at_rate("lbfgs")), {}),
    ("rate-too-high", ending(9.0), {"training.optimizer.learning_rate": 0.001}),
    ("rate-too-high", ending(9.0, network=at_rate(sgd(10.0))), {"training.optimizer.learning_rate": 1.0}),
    ("rate-too-high", ending(9.0, network=at_rate(sgd(11.0))), {"training.optimizer.learning_rate": 0.01}),
    ("rate-too-high", ending(9.0, network=at_rate(adam(1e3))), {"training.optimizer.learning_rate": 0.001}),
    ("rate-too-high", failed(network=at_rate(sgd(1000.0))), {"training.optimizer.learning_rate": 0.01}),
    ("rate-too-high", failed(network=at_rate(sgd(10.0))), {"training.optimizer.learning_rate": 0.1}),
    ("rate-too-high", ending(9.0, network=at_rate("lbfgs")), {}),
    ("too-few-epochs", falling(0.1), {"training.epochs": 500}),
    ("class-imbalance", rare(10, 0), {"training.class_weight": "balanced"}),
    ("class-imbalance", rare(10, 0, network=BALANCED), {}),
    ("large-first-weights", starting(99.0), {"network.weight_initializer": "lecun_normal"}),
    (
        "large-first-weights",
        starting(99.0, network=network(**DRAWN)),
        {"network.weight_initializer": "he_normal"},
    ),
    (
        "large-first-weights",
        starting(99.0, network=network(**DRAWN, random_generator="legacy")),
        {"network.weight_initializer": LEGACY},
    ),
    (
        "large-first-weights",
        starting(99.0, network=network(network={"activations": "tanh"})),
        {"training.clip_norm": 1.0},
    ),
    ("dead-units", evidence(looks=looks(last={"dead": 0.9})), {"training.optimizer.learning_rate": 0.001}),
    (
        "dead-units",
        evidence(looks=looks(dead=0.9), network=network(network=NEGATIVE)),
        {"network.bias_initializer": "zeros"},
    ),
    ("vanishing-gradients", vanishing(1e-5), {}),
    (
        "vanishing-gradients",
        vanishing(1e-5, network=network(4, network={"activations": "tanh"})),
        {"network.activations": "relu"},
    ),
    ("overfitting", gapped(1.0, 0.6), {"training.early_stopping": True}),
    ("overfitting", gapped(1.0, 0.6, network=network(training=STOPPED)), {"training.l2": 0.003}),
    (
        "overfitting",
        gapped(1.0, 0.6, network=network(training={**STOPPED, "l2": 0.03})),
        {"network.hidden_layer_sizes": [5]},
    ),
    ("unscaled-columns", scaled(1.0, 1.0, 1e6), {"network.preprocessing": ["standardize"]}),
    (
        "unscaled-columns",
        replace(scaled(1.0, 1.0, 1e6), network=network(network={"preprocessing": ["log"]})),
        {"network.preprocessing": ["log", "standardize"]},
    ),
    ("constant-column", replace(constant(1.0, 1.0), network=network(**TABLE)), {"data.columns.b": "ignore"}),
    ("constant-column", constant(1.0, 1.0), {}),
    (
        "constant-column",
        replace(constant(1.0, 1.0), network=network(data={**TABLE["data"], "features": ["a", "b", "c"]})),
        {"data.features": ["a", "c"]},
    ),
]  # fmt: skip


@pytest.mark.parametrize(("code", "given", "changes"), REMEDIES, ids=range(len(REMEDIES)))
def test_a_remedy_is_settings_of_the_spec_as_it_was_written(code: str, given: Evidence, changes: dict[str, Any]):
    (found,) = found_by(code, given)
    assert found.changes == changes
    assert found.remedy
    for path in changes:
        assert f"{path} = " in found.remedy
