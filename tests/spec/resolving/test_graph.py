"""Layers as a graph: order, names of parameters, inputs and sizes."""

import numpy as np
import pytest

from specnet import SpecError, parse_spec, resolve
from specnet.spec.resolving.graph import layer_count
from tests.spec.cases import GOOD


def nodes(text: str, inputs: int | None = None) -> list[tuple[str, tuple[int, ...], int]]:
    return [(node.key, node.inputs, node.size) for node in resolve(parse_spec(text), inputs=inputs).nodes]


def test_a_stack():
    assert nodes(GOOD["activation-for-each"]) == [("layers.0", (-1,), 3), ("layers.1", (0,), 1)]


def test_branches_read_what_they_name():
    assert nodes(GOOD["branches"]) == [
        ("layers.left", (-1,), 3),
        ("layers.right", (-1,), 3),
        ("layers.gate", (0, 1), 3),
        ("layers.3", (2, -1, 0), 10),
        ("layers.4", (3,), 10),
        ("layers.5", (4,), 10),
    ]


def test_blocks_are_unrolled_and_their_input_is_what_goes_into_each_repetition():
    assert nodes(GOOD["blocks"]) == [
        ("layers.0", (-1,), 4),
        ("layers.deep.0.inner", (0,), 4),
        ("layers.deep.0.1", (1, 0), 4),
        ("layers.deep.1.inner", (2,), 4),
        ("layers.deep.1.1", (3, 2), 4),
        ("layers.deep.2.inner", (4,), 4),
        ("layers.deep.2.1", (5, 4), 4),
        ("layers.2", (6,), 1),
    ]


def test_paths_lead_to_the_layers():
    resolved = resolve(parse_spec(GOOD["blocks"]))
    found, layers = resolved.nodes, resolved.spec.network.layers
    assert layers is not None
    assert [node.path for node in found[:3]] == [
        ("network", "layers", 0),
        ("network", "layers", 1, "layers", 0),
        ("network", "layers", 1, "layers", 1),
    ]
    assert layer_count(layers) == len(found) == 8


def test_a_network_without_parameters():
    assert nodes(GOOD["nothing-learned"]) == [("layers.0", (-1,), 2)]


def test_layers_that_read_columns_know_which_of_the_data_s_they_are():
    text = GOOD["columns-that-are-passed-on"]
    resolved, others = resolve(parse_spec(text)), (None, None)
    assert [node.columns for node in resolved.nodes] == [
        (1, 2, 3, *others),
        (2, 3, *others, *others),
        (2, None, *others, *others, *others),
        (),
    ]
    X = np.arange(8.0).reshape(2, 4)
    read = [resolved.columns_read(node, X)[0].tolist() for node in resolved.nodes[:3]]
    assert read == [[0, 1, 2, 3], [1, 2, 3, 0, 0], [2, 3, 0, 0, 0, 0]]
    assert resolved.category_counts == {0: 5}
    without_size = parse_spec(text.replace("input_size = 4\n", ""))
    assert resolve(without_size, inputs=4).nodes == resolved.nodes
    with pytest.raises(SpecError, match="piecewise_linear_embedding reads data columns"):
        resolve(without_size, inputs=1)
