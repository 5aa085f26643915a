"""What a resolved spec holds: every default, by the rules of the language."""

import pickle
from collections.abc import Sequence
from typing import Any, ClassVar, Literal, Self

import pytest

from specnet.errors import Position, SpecError
from specnet.network import Network
from specnet.parts import (
    Initializer,
    LayerContext,
    LearningLayer,
    ParameterBlock,
    Place,
    Scope,
    Tensor,
    Value,
    linear_map,
)
from specnet.parts.activations import Linear
from specnet.parts.data import Data, DataSizes
from specnet.parts.initializers import Ones
from specnet.parts.optimizers import Optimizer
from specnet.spec import Limits, Resolved, Spec, outputs_for, parse_spec, resolve
from tests.texts.pinned import Pinned


def spec(network: dict[str, Any], loss: Any = "mse", **more: Any) -> Spec:
    training = {"loss": loss, **more.pop("training", {})}
    return parse_spec({"network": network, "training": training, **more})


def dense(network: dict[str, Any], loss: Any = "mse", **more: Any) -> list[dict[str, Any]]:
    """Return the resolved layers as plain data."""
    resolved = resolve(spec({"input_size": 2, **network}, loss, **more)).spec
    layers = resolved.model_dump(mode="json", exclude_none=True)["network"]["layers"]
    assert isinstance(layers, list)
    return layers


def activations(network: dict[str, Any], loss: Any = "mse") -> list[str]:
    return [layer["activation"]["type"] for layer in dense(network, loss) if "activation" in layer]


def initializers(network: dict[str, Any], loss: Any = "mse") -> list[tuple[str, str]]:
    names = ("weight_initializer", "bias_initializer")
    return [
        (layer[names[0]]["type"], layer.get(names[1], {"type": "none"})["type"])
        for layer in dense(network, loss)
        if layer["type"] == "dense"
    ]


def unit(units: int = 3, **fields: Any) -> dict[str, Any]:
    return {"type": "dense", "units": units, **fields}


def test_the_defaults_of_a_spec():
    resolved = resolve(spec({"layer_sizes": [2, 3, 1]})).spec
    assert (resolved.seed, resolved.random_generator, resolved.name, resolved.data) == (0, "pcg64", None, None)
    network, training = resolved.network, resolved.training
    assert (network.dtype, network.input_size, network.output_size) == ("float32", 2, 1)
    assert (network.layer_sizes, network.hidden_layer_sizes, network.activations) == (None, None, None)
    assert (network.preprocessing, network.target_preprocessing) == ((), ())
    assert training.optimizer.part_name() == "adam"
    assert (training.epochs, training.batch_size, training.shuffle, training.metrics) == (100, 32, True, ())
    assert training.log_every == 1


@pytest.mark.parametrize(("epochs", "every"), [(1, 1), (1000, 1), (1001, 2), (20000, 20), (20001, 21)])
def test_the_history_has_at_most_about_a_thousand_lines(epochs: int, every: int):
    resolved = resolve(spec({"layer_sizes": [2, 1]}, training={"epochs": epochs}))
    assert resolved.log_every == resolved.spec.training.log_every == every
    given = spec({"layer_sizes": [2, 1]}, training={"epochs": epochs, "log_every": 7})
    assert resolve(given).log_every == 7


@pytest.mark.parametrize(
    ("network", "loss", "expected"),
    [
        ({"layer_sizes": [2, 4, 3, 1]}, "mse", ["relu", "relu", "linear"]),
        ({"layer_sizes": [2, 4, 1]}, "bce", ["relu", "sigmoid"]),
        ({"layer_sizes": [2, 4, 3]}, "categorical_crossentropy", ["relu", "softmax"]),
        ({"layer_sizes": [2, 4, 3, 1], "activations": "tanh"}, "bce", ["tanh", "tanh", "sigmoid"]),
        ({"layer_sizes": [2, 4, 1], "activations": ["tanh", "sigmoid"]}, "mse", ["tanh", "sigmoid"]),
        ({"hidden_layer_sizes": [4], "output_size": 2}, "mse", ["relu", "linear"]),
        ({"hidden_layer_sizes": [], "output_size": 1}, "bce", ["sigmoid"]),
        ({"layers": [unit(), unit()]}, "mse", ["linear", "linear"]),
        ({"layers": [unit(), unit()]}, "bce", ["linear", "sigmoid"]),
        ({"layers": [unit(), unit(activation="relu")]}, "mse", ["linear", "relu"]),
        ({"layers": [unit(), "dropout"]}, "bce", ["linear", "sigmoid"]),
        ({"layers": [unit(), {"type": "activation", "activation": "softmax"}]}, "categorical_crossentropy", None),
        ({"layers": []}, "mse", ["linear"]),
    ],
)
def test_activations_where_none_is_named(network: dict[str, Any], loss: str, expected: list[str] | None):
    assert activations(network, loss) == (expected or ["linear", "softmax"])


@pytest.mark.parametrize(
    ("network", "expected"),
    [
        ({"layer_sizes": [2, 4, 1]}, [("he_normal", "zeros"), ("glorot_uniform", "zeros")]),
        ({"layer_sizes": [2, 4, 1], "activations": "selu"}, [("lecun_normal", "zeros"), ("glorot_uniform", "zeros")]),
        ({"layer_sizes": [2, 4, 1], "weight_initializer": "ones"}, [("ones", "zeros")] * 2),
        ({"layer_sizes": [2, 1], "weight_initializer": "sklearn_mlp"}, [("sklearn_mlp", "sklearn_mlp")]),
        (
            {"layer_sizes": [2, 1], "weight_initializer": "pytorch_linear", "bias_initializer": "zeros"},
            [("pytorch_linear", "zeros")],
        ),
        ({"layers": [unit(activation="gelu"), unit()]}, [("he_normal", "zeros"), ("glorot_uniform", "zeros")]),
        (
            {"layers": [unit(), {"type": "activation", "activation": "relu"}, unit()]},
            [("he_normal", "zeros"), ("glorot_uniform", "zeros")],
        ),
        ({"layers": [unit(name="a"), {"type": "activation", "activation": "relu", "inputs": ["input"]}, "add"]}, None),
        ({"layers": [unit(use_bias=False)]}, [("glorot_uniform", "none")]),
        ({"layers": [{"type": "block", "layers": [unit()]}, unit()]}, [("glorot_uniform", "zeros")]),
    ],
)
def test_initializers_where_none_is_named(network: dict[str, Any], expected: list[tuple[str, str]] | None):
    if expected is None:  # the activation does not follow the layer above it
        network["layers"][2] = {"type": "concatenate", "inputs": ["a", "b"]}
        network["layers"][1]["name"] = "b"
        expected = [("glorot_uniform", "zeros")]
    assert initializers(network) == expected


def test_layers_in_a_block_are_filled_too():
    (block, _) = dense({"layers": [{"type": "block", "layers": [unit(activation="relu")]}]})
    assert block["layers"][0]["weight_initializer"] == {"type": "he_normal"}
    assert block["repeat"] == 1


def test_a_part_that_draws_the_bias_does_so_only_where_there_is_one():
    layer = dense({"layers": [unit(use_bias=False, weight_initializer="pytorch_linear")]})[0]
    assert "bias_initializer" not in layer


def test_data_get_the_spec_s_seed_and_stratify_classes():
    moons = spec({"layer_sizes": [2, 1]}, "bce", data={"type": "make_moons"}, seed=7)
    assert moons.data is not None
    data = resolve(moons).spec.data
    assert data is not None
    assert data.model_dump()["random_state"] == 7
    assert (data.split.random_state, data.split.stratify) == (7, True)
    given = {"type": "make_moons", "random_state": 1, "split": {"random_state": 2, "stratify": False}}
    data = resolve(spec({"layer_sizes": [2, 1]}, "bce", data=given, seed=7)).spec.data
    assert data is not None
    assert data.model_dump()["random_state"] == 1
    assert (data.split.random_state, data.split.stratify) == (2, False)
    data = resolve(spec({"layer_sizes": [10, 1]}, data={"type": "diabetes"})).spec.data
    assert data is not None
    assert data.split.stratify is False


def test_sizes_come_from_the_spec_the_data_or_the_call():
    def sizes(resolved: Resolved) -> tuple[int, int]:
        network = resolved.spec.network
        assert (network.input_size, network.output_size) == (resolved.inputs, resolved.outputs)
        assert resolved.columns == resolved.inputs
        return resolved.inputs, resolved.outputs

    hidden = {"hidden_layer_sizes": [3]}
    assert sizes(resolve(spec(hidden), inputs=4, outputs=2)) == (4, 2)
    assert sizes(resolve(spec({**hidden, "input_size": 4, "output_size": 2}))) == (4, 2)
    assert sizes(resolve(spec(hidden, "categorical_crossentropy", data={"type": "iris"}))) == (4, 3)
    assert sizes(resolve(spec(hidden, "bce", data={"type": "breast_cancer"}))) == (30, 1)
    assert sizes(resolve(spec(hidden, data={"type": "make_regression", "n_targets": 5}))) == (100, 5)
    csv = {"type": "csv", "path": "x.csv", "target": "y", "features": ["a", "b"]}
    assert sizes(resolve(spec(hidden, data=csv), outputs=1)) == (2, 1)
    assert sizes(resolve(spec({"layers": [unit(4), "dropout"]}), inputs=9)) == (9, 4)


def test_an_argument_that_disagrees_stands_at_the_network_s_key():
    given = parse_spec("[network]\nlayer_sizes = [2, 1]\n[training]\nloss = 'mse'\n")
    with pytest.raises(SpecError) as caught:
        resolve(given, inputs=3, outputs=4)
    (clash,) = caught.value.diagnostics
    assert (clash.code, clash.position) == ("size-clash", Position(2, 16))
    assert "the argument inputs is 3" in clash.message
    (note,) = clash.notes
    assert note.position == Position(2, 19)
    assert "the argument outputs is 4" in note.message


def test_a_clash_has_a_note_at_the_other_place():
    with pytest.raises(SpecError) as caught:
        parse_spec("[data]\ntype = 'iris'\n[network]\nlayer_sizes = [3, 1]\n[training]\nloss = 'mse'\n")
    clash = next(d for d in caught.value.diagnostics if d.code == "size-clash")
    (note,) = clash.notes
    assert note.position == Position(1, 2, 4)
    assert "iris" in note.message
    assert f"<text>:1:2: note: {note.message}\n" in str(caught.value)


@pytest.mark.parametrize(
    ("loss", "sizes", "outputs"),
    [
        ("categorical_crossentropy", DataSizes(classes=3), 3),
        ("categorical_crossentropy", DataSizes(), None),
        ("binary_crossentropy", DataSizes(classes=2), 1),
        ("binary_crossentropy", DataSizes(outputs=4), 4),
        ("binary_crossentropy", DataSizes(classes=3), None),
        ("mean_squared_error", DataSizes(outputs=2), 2),
        ("mean_squared_error", DataSizes(classes=2), 1),
    ],
)
def test_outputs_that_a_loss_needs(loss: str, sizes: DataSizes, outputs: int | None):
    assert outputs_for(spec({"layer_sizes": [1, 2]}, loss).training.loss, sizes) == outputs


def test_what_was_learned_by_reading_takes_the_data_s_place():
    csv = {"type": "csv", "path": "x.csv", "target": "y"}
    given = spec({"hidden_layer_sizes": []}, data=csv)
    assert given.data is not None
    learned = given.data.model_copy(update={"features": ("a", "b", "c")})
    resolved = resolve(given, outputs=1, data=learned).spec
    assert resolved.network.input_size == 3
    assert resolved.data is not None
    assert resolved.data.model_dump()["features"] == ("a", "b", "c")


class Mixing(LearningLayer):
    """W·x, from somebody else's package."""

    size_field = "units"
    type: Literal["mixing"] = "mixing"
    units: int
    weight_initializer: Initializer | None = None

    def with_defaults(self, context: LayerContext) -> Self:
        usual = context.initializer_before(context.activation_after or Linear())
        chosen = context.initializer("weight_initializer", self.weight_initializer, usual)
        return self.model_copy(update={"weight_initializer": chosen})

    def declared_size(self) -> int:
        return self.units

    def output_size(self, input_sizes: tuple[int, ...]) -> int:
        return self.units

    def parameters(self, input_sizes: tuple[int, ...]) -> tuple[ParameterBlock, ...]:
        (inputs,) = input_sizes
        assert self.weight_initializer is not None
        place = Place(inputs, self.units)
        weight = Tensor("weight", (self.units, inputs), (0, inputs), self.weight_initializer, place, decays=True)
        return (ParameterBlock((inputs, self.units), (weight,)),)

    def apply(self, scope: Scope, inputs: Sequence[Value], parameters: Sequence[Value]) -> Value:
        return linear_map(parameters[0], inputs[0])


MIXING = {"type": "mixing", "units": 3}
RELU = {"type": "activation", "activation": "relu"}


@pytest.mark.parametrize(
    ("layers", "of_all", "expected"),
    [
        ([MIXING], None, ["glorot_uniform"]),
        ([MIXING, RELU], None, ["he_normal"]),
        ([{**MIXING, "weight_initializer": "orthogonal"}, RELU], Ones(), ["orthogonal"]),
        ([MIXING, RELU, {"type": "block", "layers": [MIXING, RELU]}], Ones(), ["ones", "ones"]),
    ],
)
def test_initializers_reach_the_layers_of_a_plugin(
    layers: list[dict[str, Any]], of_all: Initializer | None, expected: list[str]
):
    data = {"network": {"layers": layers}, "training": {"loss": "mse"}}
    given = parse_spec(data, parts=[Mixing])
    network = given.network.model_copy(update={"weight_initializer": of_all})
    resolved = resolve(given.model_copy(update={"network": network}), inputs=2)
    found = [node.layer.weight_initializer for node in resolved.nodes if isinstance(node.layer, Mixing)]
    assert [initializer and initializer.part_name() for initializer in found] == expected
    assert resolve(parse_spec(resolved.spec.to_json(), parts=[Mixing])) == resolved
    Network(resolved).initial_parameters()


def test_the_size_that_a_plugin_s_layer_declares_is_known_without_data():
    text = "[network]\noutput_size = 2\n[[network.layers]]\ntype = 'mixing'\nunits = 3\n[training]\nloss = 'mse'\n"
    with pytest.raises(SpecError) as caught:
        parse_spec(text, parts=[Mixing])
    (clash,) = caught.value.diagnostics
    assert (clash.code, clash.position) == ("size-clash", Position(5, 9, 1))


class Whole(Optimizer):
    """Needs every row at once."""

    full_batch_only: ClassVar[bool] = True
    type: Literal["whole"] = "whole"
    learning_rate: float = 1.0


def test_an_optimizer_of_full_batches_gets_them():
    text = "[network]\nlayer_sizes = [2, 1]\n[training]\nloss = 'mse'\noptimizer = 'whole'\n"
    assert resolve(parse_spec(text, parts=[Whole])).batch_size == "full"
    assert resolve(parse_spec(text + "batch_size = 'full'\n", parts=[Whole])).batch_size == "full"
    with pytest.raises(SpecError) as caught:
        parse_spec(text + "batch_size = 32\n", parts=[Whole])
    assert [(d.code, d.position) for d in caught.value.diagnostics] == [("batch-size", Position(6, 14, 2))]


@pytest.mark.parametrize(
    ("text", "limits", "option"),
    [
        ("layer_sizes = [2, 3, 4, 1]", {"layers": 2}, "layers=3"),
        ("layer_sizes = [2, 3, 4, 1]", {"parameters": 29}, "parameters=30"),
        ("layer_sizes = [2, 1000, 1]", {"memory": 1000}, "memory="),
        ("dtype = 'float64'\nlayer_sizes = [2, 1000, 1]", {"memory": 1000}, "memory="),
    ],
)
def test_limits_are_named_in_the_error_and_can_be_raised(
    text: str, limits: dict[str, int], option: str, pinned: Pinned
):
    source = f"[network]\n{text}\n[training]\nloss = 'mse'\n"
    with pytest.raises(SpecError) as caught:
        parse_spec(source, limits=Limits(**limits))
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.hint is not None
    assert option in diagnostic.hint
    pinned(caught.value)
    given = parse_spec(source, limits=Limits(**dict.fromkeys(limits, 10**6)))
    assert resolve(given) == resolve(parse_spec(source))


def test_errors_of_the_long_form_stand_at_what_was_written():
    text = "[network]\nlayer_sizes = [2, 3, 1]\nactivations = 'tanh'\n[training]\nloss = 'mse'\n"
    resolved = resolve(parse_spec(text)).spec
    layers = ("network", "layers")
    for path, place in [
        ((*layers, 0), Position(2, 19)),
        ((*layers, 0, "units"), Position(2, 19)),
        ((*layers, 1, "units"), Position(2, 22)),
        ((*layers, 0, "activation"), Position(3, 15, 6)),
        ((*layers, 1, "activation"), Position(2, 22)),
        (("training", "loss"), Position(5, 8, 5)),
        (("training", "epochs"), Position(4, 2, 8)),
        (("data", "type"), Position(1, 1)),
    ]:
        (diagnostic,) = resolved.error("code", "message", path, hint="hint").diagnostics
        assert (diagnostic.position, diagnostic.source, diagnostic.hint) == (place, "<text>", "hint"), path
    ended = "[network]\ninput_size = 2\nlayers = [{ type = 'dense', units = 3 }, 'dropout']\n[training]\nloss = 'bce'\n"
    (diagnostic,) = resolve(parse_spec(ended)).spec.error("code", "message", (*layers, 2)).diagnostics
    assert diagnostic.position == Position(3, 42, 9)
    again = resolve(resolved).spec.error("code", "message", (*layers, 0, "units")).diagnostics[0]
    assert again.position == Position(2, 19)


def test_a_spec_is_its_own_source():
    given = parse_spec("[network]\nlayer_sizes = [2, 1]\n[training]\nloss = 'mse'\n")
    assert parse_spec(given) is given
    assert parse_spec(given, overrides=["training.epochs=3"]).training.epochs == 3
    assert parse_spec(given, limits=Limits(layers=5)).origin.limits == Limits(layers=5)


def test_specs_are_equal_if_they_say_the_same():
    text = "[network]\nlayer_sizes = [2, 1]\n[training]\nloss = 'mse'\n"
    first, second = parse_spec(text), parse_spec({"network": {"layer_sizes": [2, 1]}, "training": {"loss": "mse"}})
    assert first == second
    assert hash(first) == hash(second)
    assert first != parse_spec(text + "epochs = 3\n")
    assert isinstance(first.data, Data | None)


def test_a_spec_can_be_pickled_with_the_places_of_its_errors():
    resolved = resolve(parse_spec("[network]\nlayer_sizes = [2, 1]\n[training]\nloss = 'mse'\n"))
    again = pickle.loads(pickle.dumps(resolved))
    assert again == resolved
    (diagnostic,) = again.spec.error("code", "message", ("network", "layers", 0, "units")).diagnostics
    assert diagnostic.position == Position(2, 19)


@pytest.mark.slow
def test_the_largest_network_that_may_be_is_read_again_from_its_resolved_form():
    resolved = resolve(spec({"layer_sizes": [1] * 1001, "weight_initializer": {"type": "variance_scaling"}})).spec
    assert resolved.network.layers is not None
    assert len(resolved.network.layers) == 1000
    assert parse_spec(resolved.to_json()) == resolved
