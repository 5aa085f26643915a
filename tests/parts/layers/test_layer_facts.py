"""What layers say of themselves: sizes, origins, what they learn and store, and what they refuse."""

from functools import partial
from typing import Any

import numpy as np
import pytest

import specnet
from specnet import DataError
from specnet.parts.part import described
from tests.registry import part
from tests.texts.pinned import Pinned, Refused

layer = partial(part, "layer")
PERIODIC, PIECEWISE = partial(layer, "periodic_embedding"), partial(layer, "piecewise_linear_embedding")


def facts(layer: Any, sizes: tuple[int, ...]) -> str:
    """Return how many numbers it gives and computes, what each follows from, which are passed on, and what is learned.

    Of each array its name and shape, its block and its rows there, what draws it with which fans, whether it decays.
    """
    learned = [
        f"{tensor.name}{tensor.shape} in {block.shape}[{tensor.rows[0]}:{tensor.rows[1]}] "
        f"{described(tensor.initializer)} {tensor.fans.fan_in}→{tensor.fans.fan_out} {tensor.fans.activation}"
        + " decays"
        * tensor.decays
        for block in layer.parameters(sizes)
        for tensor in block.tensors
    ]
    counts = f"{layer.output_size(sizes)} of {layer.value_count(sizes)}"
    return "\n".join([f"{counts}, from {layer.origins(sizes)}, passed {layer.passed(sizes)}", *learned])


DENSE = layer("dense", units=4, activation="glu", weight_initializer="he_normal", bias_initializer="zeros")
LAYERS: list[tuple[Any, tuple[int, ...]]] = [
    (DENSE, (3,)),
    (DENSE.model_copy(update={"use_bias": False, "activation": None}), (3,)),
    (DENSE.model_copy(update={"activation": part("activation", "prelu")}), (3,)),
    (layer("activation", activation={"type": "tanh", "parametric": True}), (3,)),
    (layer("activation", activation="glu"), (6,)),
    (layer("add"), (3, 3)),
    (layer("concatenate"), (3, 4)),
    (layer("scale", use_shift=True), (3,)),
    (layer("batch_normalization"), (2,)),
    (layer("layer_normalization"), (2,)),
    (layer("embedding", columns=[2, 0], categories=[5, 6], size=[2, 3]), (4,)),
    (layer("embedding", categories=5, size=2, keep_others=False), (2,)),
    (PERIODIC(columns=[1], frequencies=3, size=2, frequency_stddev=0.5), (2,)),
    (PERIODIC(frequencies=3, size=4, variant="plr_lite"), (2,)),
    (PERIODIC(columns=[2, 1], frequencies=3, size=4, variant="pbld"), (3,)),
    (PIECEWISE(columns=[1], bins=3), (3,)),
    (PIECEWISE(bins=3, size=2, keep_others=False), (2,)),
]


@pytest.mark.parametrize(("layer", "sizes"), LAYERS, ids=lambda item: getattr(item, "type", ""))
def test_sizes_origins_and_what_is_learned(layer: Any, sizes: tuple[int, ...], pinned: Pinned):
    pinned(facts(layer, sizes))
    assert layer.parameter_count(sizes) == sum(block.size for block in layer.parameters(sizes))
    shapes = {tensor.name: tensor.shape for block in layer.parameters(sizes) for tensor in block.tensors}
    states = {state.name: state.user_shape for state in layer.states(sizes)}
    assert layer.tensor_shapes(sizes) == shapes | states


@pytest.mark.parametrize(
    "layer", [layer for layer, sizes in LAYERS if layer.origins(sizes)], ids=lambda layer: layer.type
)
def test_outputs_follow_from_their_origins_alone(layer: Any):
    layers = [layer.model_dump(exclude_unset=True), {"type": "dense", "units": 1}]
    network = specnet.build({"seed": 2, "network": {"input_size": 4, "layers": layers}, "training": {"loss": "mse"}})
    theta, (node, *_) = network.initial_parameters(), network.nodes
    rows = np.random.default_rng(0).integers(0, 3, (40, 4)).astype(float)
    outputs = network.layer_outputs(theta, rows)[node.key].activated
    origins = np.array(node.layer.origins(node.input_sizes))
    assert len(origins) == node.size
    for column in range(4):
        changed = rows.copy()
        changed[:, column] = (changed[:, column] + 1) % 3
        differs = (network.layer_outputs(theta, changed)[node.key].activated != outputs).any(axis=0)
        # A relu or a bin may be silent; what follows from other columns must not change.
        assert not differs[origins != column].any()
        assert differs[origins == column].any() == (column in origins)


def test_states_start_as_they_should():
    (mean, variance) = layer("batch_normalization").states((2,))
    assert [(each.name, each.shape, each.user_shape, each.start) for each in (mean, variance)] == [
        ("running_mean", (2, 1), (2,), 0.0),
        ("running_variance", (2, 1), (2,), 1.0),
    ]
    (edges,) = PIECEWISE(bins=2, columns=[1, 0]).states((3,))
    assert (edges.name, edges.shape, edges.start.tolist()) == ("edges", (6, 1), [-2, -2, 0, 0, 2, 2])
    rows = np.array([[0.0, 1, 9], [2, 1, 9], [4, 3, 9]])
    assert PIECEWISE(bins=2, columns=[2, 0]).fitted_states(rows, rows[:, 0])["edges"].tolist() == [9, 0, 9, 2, 9, 4]
    assert layer("embedding", columns=[2, 0], categories=[5, 6], size=2).category_counts(3) == {2: 5, 0: 6}
    assert layer("embedding", categories=5, size=2).category_counts(2) == {0: 5, 1: 5}
    assert DENSE.category_counts(2) == {} == DENSE.fitted_states(rows, rows[:, 0])


REFUSED: list[tuple[Any, tuple[int, ...]]] = [
    (layer("add"), (3, 4)),
    (layer("multiply"), (3, 4, 5)),
    (layer("average"), (3, 4)),
    (layer("activation", activation="glu"), (3,)),
    (layer("dense", units=3, activation="glu"), (2,)),
    (layer("embedding", columns=[0, 3], categories=5, size=2), (3,)),
    (layer("embedding", categories=[5, 6], size=2), (3,)),
    (layer("embedding", categories=5, size=[2, 3]), (3,)),
    (PERIODIC(columns=[3]), (3,)),
    (layer("block", layers=[DENSE]), (3,)),
]


def test_inputs_that_do_not_fit_are_refused(refused: Refused):
    for each, sizes in REFUSED:
        with refused((ValueError, NotImplementedError)):
            each.output_size(sizes)
    codes = layer("embedding", columns=[2, 0], categories=[3, 4], size=2)
    codes.check_columns(np.array([[3.0, 9, 2], [0, 9, 0]]), "X", 0)
    for wrong in (0.5, -1.0, 4.0):
        with refused(DataError):
            codes.check_columns(np.array([[0.0, 9, 0], [wrong, 9, 2]]), "rows", 10)
    assert PIECEWISE().check_columns(np.zeros((1, 1)), "X", 0) is None


def test_activations_are_split_and_added():
    relu, selu = part("activation", "relu"), part("activation", "selu")
    plain, alone, scale = layer("dense", units=2), layer("activation", activation="relu"), layer("scale")
    activated = layer("dense", units=2, activation="relu")
    assert [each.with_activation(selu) for each in (activated, alone, scale)] == [activated, alone, None]
    assert plain.with_activation(relu) == activated
    split = [each.split_activation() for each in (activated, plain, alone, scale)]
    assert split == [(plain, relu), (plain, None), (None, relu), (scale, None)]
    assert [each.activation_field for each in (activated, plain, alone, scale)] == ["activation", None] * 2
    assert [each.declared_size() for each in (plain, DENSE, scale)] == [2, 2, None]


def test_summaries_leave_out_what_is_shown_elsewhere():
    fields = {"name": "a", "inputs": ["b"], "parametrization": "ntk", "weight_initializer": "he_normal"}
    dense = layer("dense", units=2, activation="relu", learning_rate_factor=0.5, **fields)
    assert dense.summary() == "dense(learning_rate_factor=0.5, parametrization=ntk)"
    assert dense.summary(training=False) == "dense(parametrization=ntk)"
    assert layer("activation", activation="relu").summary() == "activation"
    assert layer("add").rules == (True, 1.0, 1.0), "what layers that learn nothing have, too"
