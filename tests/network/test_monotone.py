"""Networks with monotone columns: whatever their parameters, no prediction falls."""

import numpy as np
import pytest

import specnet
from specnet.compiler import BATCH, input_value
from specnet.errors import SpecnetError
from specnet.parts.activations import Activation
from specnet.parts.layers import Layer
from specnet.parts.mirrored import Mirrored, forms_of
from specnet.parts.preprocessing import Preprocessing
from specnet.parts.registry import built_in_registry
from tests.compiling import compiles
from tests.engine import evaluate

REGISTRY = built_in_registry()
LEARNED = {"prelu"}
"""Activations that fall with some learned parameters."""
COLUMNS, DIRECTIONS = 4, {"0": "increasing", "2": "decreasing"}
ENGINES = ["numpy", pytest.param("compiled", marks=compiles)]


def spec_of(layers: list, loss: str = "mean_squared_error", monotone=DIRECTIONS, **training) -> dict:
    network = {"input_size": COLUMNS, "dtype": "float64", "layers": layers, "monotone": monotone}
    return {"network": network, "training": {"loss": loss, **training}}


def dense(units: int, activation: str | dict | None = None, **keys) -> dict:
    return {"type": "dense", "units": units, **keys} | ({"activation": activation} if activation else {})


def moved(rng: np.random.Generator, rows: int = 200) -> tuple[np.ndarray, np.ndarray]:
    """Return rows, and the same with the monotone columns moved in their directions, half of them by very little."""
    low = rng.normal(size=(rows, COLUMNS))
    step = np.abs(rng.normal(size=(rows, 2))) * np.where(rng.random((rows, 1)) < 0.5, 1, 1e-9)
    high = low.copy()
    high[:, 0] += step[:, 0]
    high[:, 2] -= step[:, 1]
    return low, high


def falls(network: specnet.Network, output: int = 0, draws: int = 5) -> float:
    """Return the largest fall of an output for random parameters, in units of rounding of the largest output."""
    rng, worst = np.random.default_rng(0), 0.0
    for _ in range(draws):
        theta = rng.normal(size=network.parameter_count)
        low, high = (network.predict(theta, X)[:, output] for X in moved(rng))
        worst = max(worst, float((low - high).max() / np.spacing(np.abs(low).max())))
    return worst


def activations() -> list[type[Activation]]:
    return [part for part in REGISTRY.of_kind("activation") if part.part_name() not in LEARNED]


@pytest.mark.parametrize("part", activations(), ids=lambda part: part.part_name())
def test_an_activation_keeps_the_order_if_it_says_so(part: type[Activation]):
    activation = part()
    if not activation.elementwise:
        assert not activation.keeps_order
        return
    x = np.linspace(-12, 12, 4001)[np.newaxis]
    (y,) = evaluate([activation.apply(input_value("x", (1, BATCH)))], {"x": x})
    assert activation.keeps_order == bool((np.diff(y[0]) >= -1e-12).all())
    assert not part(parametric=True).keeps_order


@pytest.mark.parametrize(
    "part", [each for each in activations() if each.keeps_last_bit], ids=lambda part: part.part_name()
)
def test_an_activation_that_keeps_the_last_bit_does_so_between_adjacent_numbers(part: type[Activation]):
    x = np.concatenate([np.zeros(1), np.geomspace(1e-30, 20, 1501), [1, 3, 6]]).astype(np.float32)
    x = np.concatenate([-x, x])
    x = np.unique([np.nextafter(x, np.float32(-99)), x, np.nextafter(x, np.float32(99))])
    mirrored = Mirrored(activation=part(), free=part(), forms=(0, 1, 2, 3))
    (y,) = evaluate([mirrored.apply(input_value("x", (4, BATCH)))], {"x": np.tile(x, (4, 1))}, np.float32)
    assert y.dtype == np.float32
    assert np.diff(y).min() >= 0


def test_threshold_falls_if_its_constant_lies_above():
    threshold = REGISTRY.find("activation", "threshold")
    assert not threshold(threshold=0.0, default_value=1.0).keeps_order


@pytest.mark.parametrize(
    "part", [each for each in activations() if each.is_one_sided], ids=lambda part: part.part_name()
)
def test_no_form_of_an_activation_falls_and_they_bend_both_ways(part: type[Activation]):
    forms = forms_of((0, 1, 1, 1), mirrors=True)
    assert forms == (0, 1, 2, 3)
    mirrored = Mirrored(activation=part(), free=part(), forms=forms)
    x = np.tile(np.linspace(-4, 4, 801), (4, 1))
    (y,) = evaluate([mirrored.apply(input_value("x", (4, BATCH)))], {"x": x})
    assert np.diff(y).min() >= -1e-12
    convex, concave, both = (np.diff(row, 2) for row in y[1:])
    assert concave.max() < (0.01 if part.part_name() == "selu" else 1e-9)  # selu is a little steeper below 0
    assert both.max() > 1e-9
    assert both.min() < -1e-9
    np.testing.assert_allclose(y[2], -y[1][::-1], atol=1e-12)
    assert convex.max() > 1e-9


def steps() -> list[Preprocessing]:
    return [part() for part in REGISTRY.of_kind("preprocessing") if "numeric" in part.takes]


@pytest.mark.parametrize("step", steps(), ids=lambda step: step.part_name())
def test_a_preprocessing_step_keeps_the_order_if_it_says_so(step: Preprocessing):
    rng = np.random.default_rng(0)
    fitted, learned = step.fit(rng.normal(size=(60, 2)) * [1, 30])
    line = np.sort(rng.normal(size=(500, 2)) * [2, 60], axis=0)
    made = np.asarray(fitted.apply(line, learned))[:, :2]
    assert fitted.keeps_order == bool((np.diff(made, axis=0) >= 0).all())
    if fitted.invertible:
        assert (
            np.diff(np.asarray(fitted.invert(np.sort(rng.normal(size=(99, 2)), axis=0), learned)), axis=0) >= 0
        ).all()


BODIES: dict[str, list] = {
    "dense": [dense(9, "relu"), dense(9, "tanh", use_bias=False)],
    "activation": [dense(9), {"type": "activation", "activation": "elu"}],
    "ntk": [dense(9, "softplus", parametrization="ntk"), dense(8, "leaky_relu")],
    "scale": [{"type": "scale", "use_shift": True}, dense(9, "relu"), {"type": "scale"}],
    "batch_normalization": [{"type": "batch_normalization"}, dense(9, "relu"), {"type": "batch_normalization"}],
    "dropout": [dense(9, "relu"), {"type": "dropout", "rate": 0.2}],
    "gaussian_noise": [{"type": "gaussian_noise"}, dense(9, "selu")],
    "piecewise_linear_embedding": [{"type": "piecewise_linear_embedding", "bins": 4}, dense(9, "relu")],
    "add": [
        dense(9, "relu", name="a"),
        dense(9, "relu"),
        dense(9, name="b"),
        {"type": "add", "inputs": ["a", "b"]},
    ],
    "average": [
        dense(9, "relu", name="a"),
        dense(1, name="one"),
        dense(1, name="two", inputs=["input"]),
        {"type": "average", "inputs": ["one", "two"]},
    ],
    "concatenate": [dense(9, "relu", name="a"), {"type": "concatenate", "inputs": ["a", "input"]}],
    "block": [{"type": "block", "repeat": 2, "layers": [dense(6, "celu")]}],
    "periodic_embedding": [{"type": "periodic_embedding", "columns": [1, 3]}, dense(9, "relu")],
}
"""Layers in front of the output, by what they try."""


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", BODIES)
def test_no_prediction_falls_whatever_the_parameters(name: str, engine: str):
    last = [] if name == "average" else [dense(1)]
    network = specnet.build(spec_of([*BODIES[name], *last], engine=engine))
    assert falls(network) <= 32
    rng = np.random.default_rng(1)
    low, high = moved(rng)
    theta = network.initial_parameters() + 0.1 * rng.normal(size=network.parameter_count)
    assert (network.predict(theta, high) > network.predict(theta, low)).any()
    other = low.copy()
    other[:, 1] += 1
    change = network.predict(theta, other) - network.predict(theta, low)
    assert change.min() < 0 or change.max() > 0


def test_every_layer_keeps_orders_or_is_refused():
    refused = {"multiply", "layer_normalization", "embedding", "periodic_embedding"}
    kept = {part.part_name() for part in REGISTRY.of_kind("layer") if issubclass(part, Layer) and part.keeps_order}
    names = {part.part_name() for part in REGISTRY.of_kind("layer")}
    assert names == kept | refused | {"dense", "block"}
    assert kept <= BODIES.keys()


@pytest.mark.parametrize(
    ("layers", "path"),
    [
        ([dense(4, "mish"), dense(1)], "network.layers.0.activation"),
        ([dense(4, {"type": "relu", "parametric": True}), dense(1)], "network.layers.0.activation"),
        ([dense(4, "prelu"), dense(1)], "network.layers.0.activation"),
        (
            [dense(4), {"type": "activation", "activation": "relu", "monotone": "mish"}, dense(1)],
            "network.layers.1.monotone",
        ),
        ([{"type": "periodic_embedding", "columns": [1]}, dense(4, "silu"), dense(1)], "network.layers.1.activation"),
        ([dense(4, "relu"), {"type": "layer_normalization"}, dense(1)], "network.layers.1"),
        ([{"type": "periodic_embedding"}, dense(1)], "network.layers.0"),
        ([{"type": "piecewise_linear_embedding", "size": 3}, dense(1)], "network.layers.0"),
        ([dense(4, name="a"), {"type": "multiply", "inputs": ["a", "input"]}, dense(1)], "network.layers.1"),
    ],
)
@pytest.mark.parametrize("is_known", [True, False])
def test_a_layer_that_breaks_an_order_is_refused_where_it_stands(layers: list, path: str, is_known: bool):
    spec = spec_of(layers)
    if not is_known:
        del spec["network"]["input_size"]
    with pytest.raises(specnet.SpecError) as caught:
        specnet.parse_spec(spec)
    (found,) = [each for each in caught.value.diagnostics if each.code == "monotone"]
    assert ".".join(map(str, found.path)) == path


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"monotone": {"7": "increasing"}}, 'no input column "7"'),
        ({"monotone": {"0": "up"}}, "increasing"),
        ({"monotone": {"0": {"direction": "increasing", "of": "yes"}}}, "no classes"),
    ],
)
def test_a_wrong_column_or_direction_is_an_error(changes: dict, words: str):
    spec = spec_of([dense(1)])
    spec["network"] |= changes
    with pytest.raises(specnet.SpecError, match=words):
        specnet.parse_spec(spec)


def test_an_unclear_label_is_an_error():
    with pytest.raises(specnet.SpecError, match="must be named"):
        specnet.parse_spec(spec_of([dense(3)], "categorical_crossentropy"))


def training_rows(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    X = rng.normal(size=(120, COLUMNS))
    return X, np.exp(X[:, 0] / 2) - np.abs(X[:, 2]) + np.sin(3 * X[:, 1])


@pytest.mark.parametrize(("label", "labels"), [("no", "no yes"), ("b", "a b c"), (None, "no yes")])
def test_the_probability_of_the_named_label_never_falls(label: str | None, labels: str):
    rng, names = np.random.default_rng(0), np.array(labels.split())
    X, y = training_rows(rng)
    monotone = {key: {"direction": way} | ({"of": label} if label else {}) for key, way in DIRECTIONS.items()}
    loss, units = ("binary_crossentropy", 1) if len(names) == 2 else ("categorical_crossentropy", len(names))
    spec = spec_of([dense(8, "relu"), dense(units)], loss, monotone, epochs=3)
    spec["network"]["preprocessing"] = ["quantile", "standardize"]
    codes = np.digitize(y, np.quantile(y, np.linspace(0, 1, len(names) + 1)[1:-1]))
    model = specnet.fit(spec, X, names[codes])
    low, high = moved(rng)
    at = list(names).index(label) if label else 1
    before, after = (model.predict_proba(rows)[:, at] for rows in (low, high))
    assert (before - after).max() <= 4e-16
    assert (after - before).max() > 1e-3
    wrong = spec_of([dense(units)], loss, {"0": {"direction": "increasing", "of": "maybe"}}, epochs=1)
    with pytest.raises(SpecnetError, match="no label"):
        specnet.fit(wrong, X, names[codes])


def test_a_linear_calibration_has_coefficients_of_the_right_signs():
    rng = np.random.default_rng(0)
    X, _ = training_rows(rng)
    layers = [dense(4, "tanh"), dense(1, name="network"), dense(1, name="linear", inputs=["input"], trainable=False)]
    layers += [{"type": "add", "inputs": ["network", "linear"]}]
    spec = spec_of(layers, monotone={**DIRECTIONS, "3": "increasing"}, epochs=1, ensemble=2, calibration="linear")
    spec["network"]["layers"][2]["weight_initializer"] = "zeros"
    model = specnet.fit(spec, X, 2 * X[:, 0] - X[:, 1] + X[:, 2])
    low, high = moved(rng)
    assert (model.predict(low) - model.predict(high)).max() <= 1e-14
    slopes = model.gradient(low)[:, 0]
    assert slopes[:, 0].min() > 0.5  # of a column in its direction; one whose slope has the other sign has none
    assert slopes[:, 2].max() <= 0
    assert slopes[:, 3].min() >= 0
    assert -1.5 < slopes[:, 1].mean() < -0.3


def test_free_units_may_have_an_activation_that_falls(tmp_path):
    hidden = {"type": "activation", "activation": {"type": "mish", "parametric": True}}
    layers = [dense(8), {**hidden, "monotone": "elu"}, dense(8), {**hidden, "monotone": "tanh"}, dense(1)]
    network = specnet.build(spec_of(layers))
    assert network.nodes[1].forms == (0, 0, 0, 0, 1, 1, 2, 3)
    assert network.nodes[3].forms == (0, 0, 0, 0, 1, 1, 1, 1)
    assert falls(network) <= 16
    X, y = training_rows(np.random.default_rng(0))
    model = specnet.fit(spec_of(layers, epochs=2), X, y)
    assert specnet.export(model, "numpy", tmp_path / "net.py").proof.difference < 1e-12
    with pytest.raises(specnet.SpecError, match="no effect"):
        specnet.build(spec_of(layers, monotone={}))


def test_outputs_begin_at_the_scale_of_a_free_network():
    spec = spec_of([dense(64, "relu"), dense(64, "relu"), dense(64, "relu"), dense(1)])
    free = {**spec, "network": {key: value for key, value in spec["network"].items() if key != "monotone"}}
    X = np.random.default_rng(0).normal(size=(500, COLUMNS))
    sizes = []
    for each in (spec, free):
        seeds = (specnet.build({**each, "seed": seed}) for seed in range(5))
        sizes.append(np.mean([network.predict(network.initial_parameters(), X).std() for network in seeds]))
    assert 0.4 < sizes[0] / sizes[1] < 2.5


def test_a_network_without_monotone_columns_is_as_before():
    spec = spec_of([dense(4, "relu"), dense(1)])
    del spec["network"]["monotone"]
    assert all(node.orders == node.input_orders == node.forms == () for node in specnet.build(spec).nodes)


def test_predictions_stay_within_the_range_of_the_target(tmp_path):
    rng = np.random.default_rng(0)
    X, y = training_rows(rng)
    spec = spec_of([dense(8, "relu"), dense(1)], epochs=30)
    del spec["network"]["monotone"]
    spec["network"] |= {"target_range": [-0.5, 2], "target_preprocessing": ["standardize"]}
    model = specnet.fit(spec, X, y)
    predicted = model.predict(100 * X)
    assert (predicted.min(), predicted.max()) == (-0.5, 2.0)
    specnet.export(model, "numpy", tmp_path / "net.py")
    assert specnet.parse_spec(model.spec.to_json()).network.target_range is None
    for wrong, words in (([2, 2], "a larger one"), ([0], "target_range")):
        with pytest.raises(specnet.SpecError, match=words):
            specnet.parse_spec({**spec, "network": {**spec["network"], "target_range": wrong}})
    labels = {**spec, "training": {"loss": "binary_crossentropy"}}
    labels["network"] = {key: value for key, value in spec["network"].items() if key != "target_preprocessing"}
    with pytest.raises(specnet.SpecError, match="needs a numeric target"):
        specnet.parse_spec(labels)
