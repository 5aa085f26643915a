"""Which input each output of a layer follows from."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from specnet import Network
from tests.report.networks import dense, network

LAYERS: list[dict[str, Any]] = [
    {"type": "embedding", "columns": [2, 0], "categories": [3, 4], "size": [2, 3]},
    {"type": "embedding", "columns": [1], "categories": 3, "size": 2, "keep_others": False},
    {"type": "periodic_embedding", "columns": [3, 1], "size": 4, "frequency_stddev": 1.0, "variant": "pbld"},
    {"type": "periodic_embedding", "size": 3, "frequency_stddev": 1.0, "variant": "plr"},
    {"type": "piecewise_linear_embedding", "columns": [0, 2], "bins": 3},
    {"type": "piecewise_linear_embedding", "columns": [3], "bins": 4, "size": 5},
]


@pytest.mark.parametrize("layer", LAYERS)
def test_outputs_follow_from_their_origins_alone(layer: dict[str, Any]) -> None:
    resolved = network(layer, dense(1), inputs=4)
    node = resolved.nodes[0]
    origins = node.layer.origins(node.input_sizes)
    assert origins is not None
    assert len(origins) == node.size
    made = Network(resolved)
    theta = made.initial_parameters()
    rows = np.random.default_rng(0).integers(0, 3, (40, 4)).astype(float)
    outputs = made.layer_outputs(theta, rows)[node.key].activated
    for column in range(4):
        changed = rows.copy()
        changed[:, column] = (changed[:, column] + 1) % 3
        differs = (made.layer_outputs(theta, changed)[node.key].activated != outputs).any(axis=0)
        # A relu or a bin may be silent; what follows from other columns must not change.
        assert not differs[np.array(origins) != column].any()
        assert differs[np.array(origins) == column].any() == (column in origins)


def test_layers_that_mix_their_inputs_have_no_origins() -> None:
    node = network(dense(3), dense(1)).nodes[0]
    assert node.layer.origins(node.input_sizes) is None
