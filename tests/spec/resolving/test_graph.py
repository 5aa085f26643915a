"""Layers as a graph: order, names of parameters, inputs and sizes."""

import numpy as np
import pytest

from specnet import SpecError, parse_spec, resolve
from specnet.spec.resolving.graph import layer_count
from tests.spec.cases import GOOD

NODES = {
    "activation-for-each": "0 -1 3, 1 0 1",
    "nothing-learned": "0 -1 2",
    "branches": "left -1 3, right -1 3, gate 0,1 3, 3 2,-1,0 10, 4 3 10, 5 4 10",
    "blocks": "0 -1 4, deep.0.inner 0 4, deep.0.1 1,0 4, deep.1.inner 2 4, deep.1.1 3,2 4, deep.2.inner 4 4, "
    "deep.2.1 5,4 4, 2 6 1",
}
"""Of each layer its key below "layers", those that it reads, −1 for the inputs, and its size. Blocks are unrolled, and
their input goes into each repetition."""


@pytest.mark.parametrize("name", NODES)
def test_layers_read_what_they_name_or_the_one_before(name: str):
    nodes = resolve(parse_spec(GOOD[name])).nodes
    found = [f"{node.key.removeprefix('layers.')} {','.join(map(str, node.inputs))} {node.size}" for node in nodes]
    assert ", ".join(found) == NODES[name]


def test_paths_lead_to_the_layers():
    resolved = resolve(parse_spec(GOOD["blocks"]))
    found, layers = resolved.nodes, resolved.spec.network.layers
    assert layers is not None
    assert [node.path[2:] for node in found[:3]] == [(0,), (1, "layers", 0), (1, "layers", 1)]
    assert {node.path[:2] for node in found} == {("network", "layers")}
    assert layer_count(layers) == len(found) == 8


def test_layers_that_read_columns_know_which_of_the_data_s_they_are():
    text = GOOD["columns-that-are-passed-on"]
    resolved, others = resolve(parse_spec(text)), (None, None)
    columns = [(1, 2, 3, *others), (2, 3, *others * 2), (2, None, *others * 3), ()]
    assert [node.columns for node in resolved.nodes] == columns
    X = np.arange(8.0).reshape(2, 4)
    read = [resolved.columns_read(node, X)[0].tolist() for node in resolved.nodes[:3]]
    assert read == [[0, 1, 2, 3], [1, 2, 3, 0, 0], [2, 3, 0, 0, 0, 0]]
    assert resolved.category_counts == {0: 5}
    without_size = parse_spec(text.replace("input_size = 4\n", ""))
    assert resolve(without_size, inputs=4).nodes == resolved.nodes
    with pytest.raises(SpecError, match="piecewise_linear_embedding reads data columns"):
        resolve(without_size, inputs=1)
