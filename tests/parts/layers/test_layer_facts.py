"""What layers say of themselves: sizes, origins, what they learn and keep, defaults, and what they refuse."""

from typing import Any

import numpy as np
import pytest

from specnet import DataError
from specnet.parts.activations import Activation, Linear
from specnet.parts.initializers import Initializer
from specnet.parts.layers import (
    ActivationLayer,
    Add,
    BatchNormalization,
    Block,
    Concatenate,
    Dense,
    Embedding,
    Layer,
    LayerNormalization,
    Multiply,
    PeriodicEmbedding,
    PiecewiseLinearEmbedding,
    Scale,
)
from specnet.parts.layers.base import LearningRules
from specnet.parts.part import described
from tests.registry import find
from tests.texts.pinned import Pinned, Refused


def facts(layer: Layer, sizes: tuple[int, ...]) -> str:
    """Return how many numbers it gives and computes, what each follows from, which are passed on, and what is learned.

    Of each array its name and shape, its block and its rows there, what draws it where, and whether it decays.
    """
    learned = [
        f"{tensor.name}{tensor.shape} in {block.shape}[{tensor.rows[0]}:{tensor.rows[1]}] "
        f"{described(tensor.initializer)} {tensor.place.fan_in}→{tensor.place.fan_out} {tensor.place.activation}"
        + " decays"
        * tensor.decays
        for block in layer.parameters(sizes)
        for tensor in block.tensors
    ]
    counts = f"{layer.output_size(sizes)} of {layer.value_count(sizes)}"
    return "\n".join([f"{counts}, from {layer.origins(sizes)}, passed {layer.passed(sizes)}", *learned])


DENSE = Dense(units=4, activation="glu", weight_initializer="he_normal", bias_initializer="zeros")
LAYERS: list[tuple[Layer, tuple[int, ...]]] = [
    (DENSE, (3,)),
    (DENSE.model_copy(update={"use_bias": False, "activation": None}), (3,)),
    (ActivationLayer(activation={"type": "tanh", "parametric": True}), (3,)),
    (ActivationLayer(activation="glu"), (6,)),
    (Add(), (3, 3)),
    (Concatenate(), (3, 4)),
    (Scale(use_shift=True), (3,)),
    (BatchNormalization(), (2,)),
    (LayerNormalization(), (2,)),
    (Embedding(columns=[2, 0], categories=[5, 6], size=[2, 3]), (4,)),
    (Embedding(categories=5, size=2, keep_others=False), (2,)),
    (PeriodicEmbedding(columns=[1], frequencies=3, size=2, frequency_stddev=0.5), (2,)),
    (PeriodicEmbedding(frequencies=3, size=4, variant="plr_lite"), (2,)),
    (PeriodicEmbedding(columns=[2, 1], frequencies=3, size=4, variant="pbld"), (3,)),
    (PiecewiseLinearEmbedding(columns=[1], bins=3), (3,)),
    (PiecewiseLinearEmbedding(bins=3, size=2, keep_others=False), (2,)),
]


@pytest.mark.parametrize(("layer", "sizes"), LAYERS, ids=lambda item: getattr(item, "type", ""))
def test_sizes_origins_and_what_is_learned(layer: Layer, sizes: tuple[int, ...], pinned: Pinned):
    pinned(facts(layer, sizes))
    assert layer.parameter_count(sizes) == sum(block.size for block in layer.parameters(sizes))
    shapes = {tensor.name: tensor.shape for block in layer.parameters(sizes) for tensor in block.tensors}
    kept = {state.name: state.user_shape for state in layer.states(sizes)}
    assert layer.tensor_shapes(sizes) == shapes | kept


def test_what_is_kept_starts_as_it_should():
    (mean, variance) = BatchNormalization().states((2,))
    assert [(each.name, each.shape, each.user_shape, each.start) for each in (mean, variance)] == [
        ("running_mean", (2, 1), (2,), 0.0),
        ("running_variance", (2, 1), (2,), 1.0),
    ]
    (edges,) = PiecewiseLinearEmbedding(bins=2, columns=[1, 0]).states((3,))
    assert (edges.name, edges.shape, edges.start.tolist()) == ("edges", (6, 1), [-2, -2, 0, 0, 2, 2])
    rows = np.array([[0.0, 1, 9], [2, 1, 9], [4, 3, 9]])
    assert PiecewiseLinearEmbedding(bins=2, columns=[2, 0]).fitted_states(rows)["edges"].tolist() == [9, 0, 9, 2, 9, 4]
    assert Embedding(columns=[2, 0], categories=[5, 6], size=2).category_counts(3) == {2: 5, 0: 6}
    assert Embedding(categories=5, size=2).category_counts(2) == {0: 5, 1: 5}
    assert Dense(units=2).category_counts(2) == {} == Dense(units=2).fitted_states(rows)


REFUSED: list[tuple[Any, Any]] = [
    (Add(), (3, 4)),
    (Multiply(), (3, 4, 5)),
    (ActivationLayer(activation="glu"), (3,)),
    (Dense(units=3, activation="glu"), (2,)),
    (Embedding(columns=[0, 3], categories=5, size=2), (3,)),
    (Embedding(categories=[5, 6], size=2), (3,)),
    (Embedding(categories=5, size=[2, 3]), (3,)),
    (PeriodicEmbedding(columns=[3]), (3,)),
    (Block(layers=[Dense(units=1)]), (3,)),
]


def test_inputs_that_do_not_fit_are_refused(refused: Refused):
    for layer, sizes in REFUSED:
        with refused((ValueError, NotImplementedError)):
            layer.output_size(sizes)
    codes = Embedding(columns=[2, 0], categories=[3, 4], size=2)
    codes.check_columns(np.array([[3.0, 9, 2], [0, 9, 0]]), "X", 0)
    for wrong in (0.5, -1.0, 4.0):
        with refused(DataError):
            codes.check_columns(np.array([[0.0, 9, 0], [wrong, 9, 2]]), "rows", 10)
    assert PiecewiseLinearEmbedding().check_columns(np.zeros((1, 1)), "X", 0) is None


class Context:
    """A spec that names no initializers, and an activation behind the layer."""

    def __init__(self, activation_after: Activation | None = None, **named: Initializer) -> None:
        self.activation_after, self.named = activation_after, named

    def initializer(self, field: str, own: Initializer | None, default: Initializer) -> Initializer:
        return own or self.named.get(field, default)

    def initializer_before(self, activation: Activation) -> Initializer:
        return find("initializer", activation.default_initializer)()


HE, LECUN, GLOROT, SKLEARN = (
    find("initializer", f"{name}")() for name in ("he_normal", "lecun_normal", "glorot_uniform", "sklearn_mlp")
)
ONES, ZEROS = find("initializer", "ones")(), find("initializer", "zeros")()
RELU, SELU = find("activation", "relu")(), find("activation", "selu")()


@pytest.mark.parametrize(
    ("fields", "context", "activation", "weight", "bias"),
    [
        ({}, Context(), Linear(), GLOROT, ZEROS),
        ({}, Context(RELU), Linear(), HE, ZEROS),
        ({"activation": "selu"}, Context(RELU), SELU, LECUN, ZEROS),
        ({"use_bias": False}, Context(), Linear(), GLOROT, None),
        ({"weight_initializer": "sklearn_mlp"}, Context(), Linear(), SKLEARN, SKLEARN),
        ({}, Context(weight_initializer=SKLEARN), Linear(), SKLEARN, SKLEARN),
        ({}, Context(bias_initializer=ONES), Linear(), GLOROT, ONES),
        ({"bias_initializer": "ones"}, Context(weight_initializer=SKLEARN), Linear(), SKLEARN, ONES),
        ({"activation": "relu"}, Context(weight_initializer=ONES), RELU, ONES, ZEROS),
    ],
)
def test_dense_fills_in_what_it_leaves_out(fields, context, activation, weight, bias):
    layer = Dense(units=2, **fields)
    filled = layer.with_defaults(context)
    assert (filled.activation, filled.weight_initializer, filled.bias_initializer) == (activation, weight, bias)
    expected = {"activation": activation, "weight_initializer": weight, "bias_initializer": bias}
    assert filled == layer.model_copy(update=expected)
    assert filled.initializers_by_field == {
        key: value for key, value in expected.items() if isinstance(value, Initializer)
    }
    assert filled.activation_field == "activation"


def test_activations_are_split_and_added():
    plain = Dense(units=2)
    assert plain.with_activation(RELU) == Dense(units=2, activation="relu")
    assert Dense(units=2, activation="relu").with_activation(SELU).activation == RELU
    assert Dense(units=2, activation="relu").split_activation() == (plain, RELU)
    assert plain.split_activation() == (plain, None)
    assert plain.activation_field is None is Scale().activation_field
    alone = ActivationLayer(activation="relu")
    assert alone.split_activation() == (None, RELU)
    assert alone.with_activation(SELU) is alone
    assert alone.activation_field == "activation"
    assert Scale().with_activation(RELU) is None
    assert Scale().split_activation() == (Scale(), None)
    assert (plain.declared_size(), Dense(units=4, activation="glu").declared_size(), Scale().declared_size()) == (
        2,
        2,
        None,
    )


def test_groups_hold_layers_and_others_none():
    inner = (Dense(units=2), Scale())
    group = Block(layers=inner, repeat=3)
    assert (group.inner_layers, group.repetitions) == (inner, 3)
    assert group.with_inner_layers(inner[1:]) == Block(layers=inner[1:], repeat=3)
    assert (Scale().inner_layers, Scale().repetitions, Scale().with_inner_layers(inner)) == ((), 1, Scale())


def test_summaries_leave_out_what_is_shown_elsewhere():
    layer = Dense(units=2, activation="relu", name="a", inputs=["b"], parametrization="ntk", learning_rate_factor=0.5)
    assert layer.summary() == "dense(learning_rate_factor=0.5, parametrization=ntk)"
    assert layer.summary(training=False) == "dense(parametrization=ntk)"
    assert layer.model_copy(update={"weight_initializer": HE}).summary(training=False) == "dense(parametrization=ntk)"
    assert ActivationLayer(activation="relu").summary() == "activation"
    assert Dense(units=1, trainable=False, weight_decay_factor=2.0).rules == LearningRules(False, 1.0, 2.0)
    assert Dense(units=1, learning_rate_factor=3.0).rules == LearningRules(True, 3.0, 1.0)
    assert Add().rules == LearningRules()
