"""What findings advise: settings of the spec as it was written."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from specnet.findings import Evidence
from tests.findings.made import (
    FLAT,
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
    rare,
    scaled,
    spec_facts,
    starting,
    vanishing,
)

NO_HIDDEN = {"network": {"layer_sizes": [3, 1], "activations": ["sigmoid"]}}
DRAWN = {"initializer": "random_normal"}
GLOROT = {"initializer": "glorot_uniform", "usual_initializer": "glorot_uniform"}
LEGACY = {"type": "variance_scaling", "scale": 2.0, "distribution": "untruncated_normal"}
NEGATIVE = {"network": {"bias_initializer": {"type": "constant", "value": -5.0}}}
STOPPED = {"training": {"early_stopping": True}}
PENALIZED = {"training": {"early_stopping": True, "l2": 0.03}, "network": {"hidden_layer_sizes": [10]}}

REMEDIES = [
    ("underfitting", behind(0.6, 0.6, 0.95, losses=FLAT), {"network.hidden_layer_sizes": [32]}),
    (
        "underfitting",
        behind(0.6, 0.6, 0.95, looks=looks(step=5e-4)),
        {"network.hidden_layer_sizes": [32], "training.optimizer.learning_rate": 1.0},
    ),
    (
        "underfitting",
        behind(0.6, 0.6, 0.95, spec=spec_facts(0, written=NO_HIDDEN), looks=looks(0)),
        {"network.layer_sizes": [3, 16, 1], "network.activations": ["relu", "sigmoid"]},
    ),
    (
        "underfitting",
        behind(0.6, 0.6, 0.95, spec=spec_facts(of_layer={"paths": {"units": ("network", "layers", 0, "units")}})),
        {"network.layers.0.units": 32},
    ),
    ("rate-too-low", crawling(1e-6), {"training.optimizer.learning_rate": 0.3}),
    ("rate-too-low", crawling(1e-6, learning_rate=None), {}),
    ("rate-too-high", ending(9.0), {"training.optimizer.learning_rate": 0.001}),
    ("rate-too-high", ending(9.0, learning_rate=10.0), {"training.optimizer.learning_rate": 1.0}),
    ("rate-too-high", ending(9.0, learning_rate=11.0), {"training.optimizer.learning_rate": 0.01}),
    ("rate-too-high", ending(9.0, learning_rate=1e3, default_rate=1e-3), {"training.optimizer.learning_rate": 0.001}),
    ("rate-too-high", failed(learning_rate=1000.0), {"training.optimizer.learning_rate": 0.01}),
    ("rate-too-high", failed(learning_rate=10.0), {"training.optimizer.learning_rate": 0.1}),
    ("rate-too-high", ending(9.0, learning_rate=None, default_rate=None), {}),
    ("too-few-epochs", falling(0.1), {"training.epochs": 500}),
    ("class-imbalance", rare(10, 0), {"training.class_weight": "balanced"}),
    ("class-imbalance", rare(10, 0, spec=spec_facts(written={"training": {"class_weight": "balanced"}})), {}),
    ("large-first-weights", starting(99.0), {"network.weight_initializer": "lecun_normal"}),
    (
        "large-first-weights",
        starting(99.0, spec=spec_facts(of_layer=DRAWN)),
        {"network.weight_initializer": "he_normal"},
    ),
    (
        "large-first-weights",
        starting(99.0, spec=spec_facts(of_layer=DRAWN, has_legacy_generator=True)),
        {"network.weight_initializer": LEGACY},
    ),
    (
        "large-first-weights",
        starting(99.0, spec=spec_facts(of_layer=GLOROT)),
        {"training.clip_norm": 1.0},
    ),
    ("dead-units", evidence(looks=looks(last={"dead": 0.9})), {"training.optimizer.learning_rate": 0.001}),
    (
        "dead-units",
        evidence(looks=looks(dead=0.9), spec=spec_facts(written=NEGATIVE)),
        {"network.bias_initializer": "zeros"},
    ),
    ("vanishing-gradients", vanishing(1e-5), {}),
    (
        "vanishing-gradients",
        replace(vanishing(1e-5), spec=spec_facts(4, {"is_rectifier": False, "activation": "tanh"})),
        {"network.activations": "relu"},
    ),
    ("overfitting", gapped(1.0, 0.6), {"training.early_stopping": True}),
    ("overfitting", gapped(1.0, 0.6, spec=spec_facts(written=STOPPED)), {"training.l2": 0.003}),
    (
        "overfitting",
        gapped(1.0, 0.6, spec=spec_facts(written=PENALIZED)),
        {"network.hidden_layer_sizes": [5]},
    ),
    ("unscaled-columns", scaled(1.0, 1.0, 1e6), {"network.preprocessing": ["standardize"]}),
    (
        "unscaled-columns",
        replace(scaled(1.0, 1.0, 1e6), spec=spec_facts(written={"network": {"preprocessing": ["log"]}})),
        {"network.preprocessing": ["log", "standardize"]},
    ),
    ("constant-column", replace(constant(1.0, 1.0), spec=spec_facts(has_table=True)), {"data.columns.b": "ignore"}),
    ("constant-column", constant(1.0, 1.0), {}),
    (
        "constant-column",
        replace(constant(1.0, 1.0), spec=spec_facts(has_table=True, written={"data": {"features": ["a", "b", "c"]}})),
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
