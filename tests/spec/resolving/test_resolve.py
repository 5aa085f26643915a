"""What a resolved spec holds: every default, by the rules of the language."""

import pickle
from typing import Any, Literal, Self

import pytest

from specnet import Limits, Network, Spec, SpecError, parse_spec, parts, resolve
from specnet.parts.data import DataSizes
from specnet.spec import outputs_for
from tests.parts.layers.test_own_layer import Squashed
from tests.parts.test_optimizers import Bfgs
from tests.registry import part


def spec(network: dict[str, Any], loss: Any = "mse", **more: Any) -> Spec:
    training = {"loss": loss, **more.pop("training", {})}
    return parse_spec({"network": network, "training": training, **more})


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


def test_a_loss_that_does_not_fit_the_data_hides_mistakes_of_metrics_alone():
    training = {"loss": "mse", "class_weight": "balanced", "metrics": ["accuracy"]}
    with pytest.raises(SpecError) as caught:
        parse_spec({"data": {"type": "iris"}, "network": {"hidden_layer_sizes": [4]}, "training": training})
    assert [problem.code for problem in caught.value.diagnostics] == ["loss-target", "class-weight"]


def test_what_was_learned_by_reading_takes_the_data_s_place():
    csv = {"type": "csv", "path": "x.csv", "target": "y"}
    given = spec({"hidden_layer_sizes": []}, data=csv)
    assert given.data is not None
    learned = given.data.model_copy(update={"features": ("a", "b", "c")})
    resolved = resolve(given, outputs=1, data=learned).spec
    assert resolved.network.input_size == 3
    assert resolved.data is not None
    assert resolved.data.model_dump()["features"] == ("a", "b", "c")


class Mixing(Squashed):
    """Draws as the spec says."""

    type: Literal["mixing"] = "mixing"
    drawn: parts.Initializer | None = None

    def with_defaults(self, context: parts.LayerContext) -> Self:
        usual = context.initializer_before(context.activation_after or part("activation", "linear"))
        return self.model_copy(update={"drawn": context.initializer("weight_initializer", self.drawn, usual)})


MIXING = {"type": "mixing", "width": 3}
RELU = {"type": "activation", "activation": "relu"}


@pytest.mark.parametrize(
    ("layers", "of_all", "expected"),
    [
        ([MIXING], None, ["glorot_uniform"]),
        ([MIXING, RELU], None, ["he_normal"]),
        ([{**MIXING, "drawn": "orthogonal"}, RELU], part("initializer", "ones"), ["orthogonal"]),
        ([MIXING, RELU, {"type": "block", "layers": [MIXING, RELU]}], part("initializer", "ones"), ["ones", "ones"]),
    ],
)
def test_initializers_reach_the_layers_of_a_plugin(
    layers: list[dict[str, Any]], of_all: parts.Initializer | None, expected: list[str]
):
    data = {"network": {"layers": layers}, "training": {"loss": "mse"}}
    given = parse_spec(data, parts=[Mixing])
    network = given.network.model_copy(update={"weight_initializer": of_all})
    resolved = resolve(given.model_copy(update={"network": network}), inputs=2)
    found = [node.layer.drawn for node in resolved.nodes if isinstance(node.layer, Mixing)]
    assert [initializer and initializer.part_name() for initializer in found] == expected
    assert resolve(parse_spec(resolved.spec.to_json(), parts=[Mixing])) == resolved
    Network(resolved).initial_parameters()


def test_the_size_that_a_plugin_s_layer_declares_is_known_without_data():
    text = "[network]\noutput_size = 2\n[[network.layers]]\ntype = 'mixing'\nwidth = 3\n[training]\nloss = 'mse'\n"
    with pytest.raises(SpecError) as caught:
        parse_spec(text, parts=[Mixing])
    (clash,) = caught.value.diagnostics
    assert (clash.code, clash.position) == ("size-clash", (5, 9, 1))


def test_an_optimizer_of_full_batches_gets_them():
    text = "[network]\nlayer_sizes = [2, 1]\n[training]\nloss = 'mse'\noptimizer = 'bfgs'\n"
    assert resolve(parse_spec(text, parts=[Bfgs])).batch_size == "full"
    assert resolve(parse_spec(text + "batch_size = 'full'\n", parts=[Bfgs])).batch_size == "full"
    with pytest.raises(SpecError) as caught:
        parse_spec(text + "batch_size = 32\n", parts=[Bfgs])
    assert [(d.code, d.position) for d in caught.value.diagnostics] == [("batch-size", (6, 14, 2))]


def test_errors_of_the_long_form_stand_at_what_was_written():
    text = "[network]\nlayer_sizes = [2, 3, 1]\nactivations = 'tanh'\n[training]\nloss = 'mse'\n"
    resolved = resolve(parse_spec(text)).spec
    layers = ("network", "layers")
    of_layers = {(0,): (2, 19, 1), (0, "units"): (2, 19, 1), (1, "units"): (2, 22, 1), (1, "activation"): (2, 22, 1)}
    positions = {(*layers, *path): position for path, position in of_layers.items()} | {
        (*layers, 0, "activation"): (3, 15, 6),
        ("training", "loss"): (5, 8, 5),
        ("training", "epochs"): (4, 2, 8),
        ("data", "type"): (1, 1, 1),
    }
    for path, position in positions.items():
        (diagnostic,) = resolved.error("code", "message", path, hint="hint").diagnostics
        assert (diagnostic.position, diagnostic.source, diagnostic.hint) == (position, "<text>", "hint"), path
    ended = "[network]\ninput_size = 2\nlayers = [{ type = 'dense', units = 3 }, 'dropout']\n[training]\nloss = 'bce'\n"
    (diagnostic,) = resolve(parse_spec(ended)).spec.error("code", "message", (*layers, 2)).diagnostics
    assert diagnostic.position == (3, 42, 9)
    again = resolve(resolved).spec.error("code", "message", (*layers, 0, "units")).diagnostics[0]
    assert again.position == (2, 19, 1)


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
    assert first == parse_spec(text + "epochs = 100\n"), "a default that is written changes nothing"
    weights = ({"a": 1, "b": 2}, {"b": 2, "a": 1.0}, {"a": 2, "b": 1}, "balanced")
    specs = [spec({"layer_sizes": [2, 3]}, "categorical_crossentropy", training={"class_weight": w}) for w in weights]
    assert specs[0] == specs[1]
    assert len({*specs}) == len({each.training for each in specs}) == 3


def test_a_spec_can_be_pickled_with_the_places_of_its_errors():
    resolved = resolve(parse_spec("[network]\nlayer_sizes = [2, 1]\n[training]\nloss = 'mse'\n"))
    again = pickle.loads(pickle.dumps(resolved))
    assert again == resolved
    (diagnostic,) = again.spec.error("code", "message", ("network", "layers", 0, "units")).diagnostics
    assert diagnostic.position == (2, 19, 1)


@pytest.mark.slow
def test_the_largest_network_that_may_be_is_read_again_from_its_resolved_form():
    resolved = resolve(spec({"layer_sizes": [1] * 1001, "weight_initializer": {"type": "variance_scaling"}})).spec
    assert resolved.network.layers is not None
    assert len(resolved.network.layers) == 1000
    assert parse_spec(resolved.to_json()) == resolved
