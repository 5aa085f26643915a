"""Layers as a graph: order, names of parameters, inputs and sizes."""

import pytest

from specnet.spec import parse_spec, resolve
from specnet.spec.resolving.graph import layer_count, walk
from tests.spec.cases import GOOD


def nodes(text: str, inputs: int | None = None) -> list[tuple[str, tuple[int, ...], int]]:
    network = resolve(parse_spec(text), inputs=inputs).network
    assert network.layers is not None
    assert network.input_size is not None
    return [(node.key, node.inputs, node.size) for node in walk(network.layers, network.input_size)]


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
    spec = resolve(parse_spec(GOOD["blocks"]))
    assert spec.network.layers is not None
    found = walk(spec.network.layers, 2)
    assert [node.path for node in found[:3]] == [
        ("network", "layers", 0),
        ("network", "layers", 1, "layers", 0),
        ("network", "layers", 1, "layers", 1),
    ]
    assert layer_count(spec.network.layers) == len(found) == 8


def test_a_network_without_parameters():
    assert nodes(GOOD["nothing-learned"]) == [("layers.0", (-1,), 2)]


def test_layers_that_do_not_fit_are_refused_by_the_walk_too():
    layers = resolve(parse_spec(GOOD["branches"])).network.layers
    assert layers is not None
    with pytest.raises(ValueError, match="above this one"):
        walk(layers[1:], 4)
