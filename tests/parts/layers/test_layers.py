"""Each layer alone: against plain NumPy, PyTorch's figures, the complex step, and in both dtypes."""

import math
from functools import partial
from typing import Any

import numpy as np
import pytest

import specnet
from tests.layer_programs import Array, LayerProgram
from tests.parts.test_every_part import rows_for
from tests.registry import figures, part, variants

layer = partial(part, "layer")
FIGURES = figures("layer")
ALONE = variants("layer")
TOLERANCES = {np.float64: 1e-9, np.float32: 1e-5}


def arrays_for(program: LayerProgram, X: Array) -> dict[str, Array]:
    """X, random parameters and weights, the states before training, and noise."""
    rng = np.random.default_rng(1)
    weights = rng.normal(size=(len(X), program.value.shape[0]))
    return {"x": X, "weights": weights, "noise1": rng.uniform(size=X.shape), **program.parameters(), **program.states()}


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("layer", ALONE, ids=lambda layer: layer.type)
def test_float32_is_float64_rounded(layer, training):
    program = LayerProgram(layer, 3, training=training)
    arrays = arrays_for(program, rows_for(layer, 7))
    arrays = {name: array.astype(np.float32).astype(np.float64) for name, array in arrays.items()}
    single, double = program.run(arrays, np.float32), program.run(arrays)
    assert single.value.dtype == np.float32
    np.testing.assert_allclose(single.value, double.value, rtol=2e-5, atol=2e-6)
    for name, gradient in double.gradient.items():
        np.testing.assert_allclose(single.gradient[name], gradient, rtol=1e-4, atol=2e-5 * abs(gradient).max())


@pytest.mark.parametrize(
    "layer", [layer for layer in ALONE if hasattr(layer, "backward")], ids=lambda layer: layer.type
)
@pytest.mark.parametrize("count", [1, 2, 7])
def test_an_own_rule_is_what_the_reverse_pass_finds_unaided(layer, count):
    own, unaided = LayerProgram(layer, 3), LayerProgram(layer, 3, unaided=True)
    assert own.value is not unaided.value
    arrays = arrays_for(own, rows_for(layer, count))
    expected = unaided.run(arrays).gradient
    for name, gradient in own.run(arrays).gradient.items():
        np.testing.assert_allclose(gradient, expected[name], rtol=1e-11, atol=1e-12)


# ------------------------------------------------------------------------------------------------ PyTorch's figures


def engine_form(name: str, array: Any) -> Array:
    """A parameter of the figures as the engine keeps it."""
    array = np.array(array)
    if name.startswith("table"):
        return array.T
    if array.ndim == 3:  # (columns, inputs, outputs)
        return array.transpose(1, 0, 2).reshape(-1, array.shape[2])
    if array.ndim == 1 or name == "weight":
        return array.reshape(len(array), -1)
    return array.T.reshape(-1, 1)  # (columns, numbers)


def check_figure(program: LayerProgram, figure: dict[str, Any], dtype: type, **states: Array) -> dict[str, Array]:
    """Compare value and gradients, and return the states after the step."""
    parameters = {name: engine_form(name, array) for name, array in figure["parameters"].items()}
    given = {"x": np.array(figure["x"], float), "weights": np.array(figure["weights"]), **parameters, **states}
    outcome = program.run(given, dtype)
    tolerance = TOLERANCES[dtype]
    close = {"rtol": tolerance, "atol": tolerance}
    np.testing.assert_allclose(outcome.value, figure["value"], **close)
    for name, expected in figure["gradient"].items():
        wanted = np.array(expected) if name == "x" else engine_form(name, expected)
        scale = abs(wanted).max() if dtype is np.float32 else 1.0
        np.testing.assert_allclose(outcome.gradient[name], wanted, rtol=tolerance, atol=tolerance * scale, err_msg=name)
    return outcome.state


@pytest.mark.parametrize("dtype", TOLERANCES)
def test_batch_normalization_is_pytorchs_step_by_step(dtype):
    figures = FIGURES["batch_normalization"]
    normalization = layer("batch_normalization", momentum=0.8, epsilon=1e-3)
    program = LayerProgram(normalization, 3)
    state = program.states()
    for step in figures["steps"]:
        state = check_figure(program, step, dtype, **state)
        for name, expected in step["state"].items():
            np.testing.assert_allclose(state[name][:, 0], expected, rtol=TOLERANCES[dtype])
    check_figure(LayerProgram(normalization, 3, training=False), figures["evaluation"], dtype, **state)


PIECEWISE = FIGURES["piecewise_linear_embedding"]
FIGURED = {
    "layer_normalization": (layer("layer_normalization", epsilon=1e-3), FIGURES["layer_normalization"]),
    "embedding": (layer("embedding", categories=(4, 5), size=(2, 3)), FIGURES["embedding"]),
    **{
        variant: (layer("periodic_embedding", variant=variant, frequencies=4, size=3), figure)
        for variant, figure in FIGURES["periodic_embedding"].items()
    },
    **{
        form: (layer("piecewise_linear_embedding", bins=4, **size), PIECEWISE[form.split()[0]])
        for form, size in (("encoding", {}), ("embedding of bins", {"size": 2}))
    },
}


@pytest.mark.parametrize("dtype", TOLERANCES)
@pytest.mark.parametrize("name", FIGURED)
def test_layers_are_those_of_pytorch_and_of_their_authors(name, dtype):
    figured, figure = FIGURED[name]
    states = {}
    if figured.type == "piecewise_linear_embedding":
        training = np.array(PIECEWISE["training"])
        states["edges"] = figured.fitted_states(training, np.zeros(len(training)))["edges"].reshape(-1, 1)
        np.testing.assert_allclose(states["edges"], np.reshape(PIECEWISE["edges"], (-1, 1)), rtol=1e-14)
    check_figure(LayerProgram(figured, len(figure["x"][0])), figure, dtype, **states)


NORMALIZATIONS = {"layer": (layer("layer_normalization"), 1), "batch": (layer("batch_normalization"), 0)}


def normalized(name: str, X: Array, dtype: type) -> Array:
    """Return rows as a normalization leaves them while training."""
    program = LayerProgram(NORMALIZATIONS[name][0], X.shape[1])
    parameters = {"scale": np.ones((X.shape[1], 1)), "shift": np.zeros((X.shape[1], 1))}
    return program.run({"x": X, **parameters, **program.states()}, dtype).value


@pytest.mark.parametrize("name", NORMALIZATIONS)
@pytest.mark.parametrize("dtype", TOLERANCES)
@pytest.mark.parametrize("count", [3, 7, 32, 37])
@pytest.mark.parametrize("number", [0.1, 1.1e3, -3.3e5, 1.1e6])
def test_equal_numbers_are_normalized_to_0(number, count, dtype, name):
    """PyTorch's batch normalization gives up to 0.05 for 1.1e6 in float32."""
    assert abs(normalized(name, np.full((count, count), number), dtype)).max() < 0.01


@pytest.mark.parametrize("name", NORMALIZATIONS)
@pytest.mark.parametrize("far", [0.0, 1e3, 1e6])
def test_numbers_far_from_0_are_normalized_by_what_tells_them_apart(far, name):
    X = far + np.random.default_rng(0).integers(0, 8, (37, 37))
    axis = NORMALIZATIONS[name][1]
    expected = (X - X.mean(axis, keepdims=True)) / np.sqrt(X.var(axis, keepdims=True) + 1e-5)
    np.testing.assert_allclose(normalized(name, X, np.float32), expected, rtol=1e-5, atol=1e-5)


# ------------------------------------------------------------------------------------------------- plain NumPy


def output_of(layer: dict[str, Any], X: Array, **changes: Array) -> tuple[Array, dict[str, Array]]:
    """What a network of this layer alone predicts, and its parameters; `changes` are set first."""
    network = alone(layer, X.shape[1])
    theta = network.initial_parameters()
    parameters = network.parameters(theta)
    for name, array in changes.items():
        parameters[f"layers.0.{name}"][...] = array
    return network.predict(theta, X), {name.removeprefix("layers.0."): array for name, array in parameters.items()}


def network_of(layers: list[dict[str, Any]], inputs: int) -> specnet.Network:
    network = {"dtype": "float64", "input_size": inputs, "layers": layers}
    return specnet.build({"network": network, "training": {"loss": "mse"}})


def alone(layer: dict[str, Any], inputs: int) -> specnet.Network:
    return network_of([layer], inputs)


X = np.random.default_rng(0).normal(size=(6, 4))


def test_scale_by_hand():
    output, parameters = output_of({"type": "scale"}, X)
    np.testing.assert_array_equal(output, X)
    assert {name: array.tolist() for name, array in parameters.items()} == {"factor": [1, 1, 1, 1]}
    factor, shift = np.arange(4.0), np.array([1.0, -1, 0, 2])
    moved, parameters = output_of({"type": "scale", "use_shift": True}, X, factor=factor, shift=shift)
    np.testing.assert_array_equal(moved, X * factor + shift)
    assert list(parameters) == ["factor", "shift"]


def test_batch_normalization_by_hand_in_training_and_evaluation():
    network = alone({"type": "batch_normalization", "momentum": 0.9}, 4)
    theta, state, y = network.initial_parameters(), network.initial_state(), np.zeros((6, 4))
    np.testing.assert_allclose(network.predict(theta, X), X / np.sqrt(1 + 1e-5), rtol=1e-14)
    loss, _ = network.loss_and_gradient(theta, X, y, state=state, training=True)
    normal = (X - X.mean(0)) / np.sqrt(X.var(0) + 1e-5)
    assert loss == pytest.approx((normal**2).mean(), rel=1e-12)
    mean, variance = 0.1 * X.mean(0), 0.9 + 0.1 * X.var(0, ddof=1)
    np.testing.assert_allclose(state["layers.0.running_mean"], mean, rtol=1e-13)
    np.testing.assert_allclose(state["layers.0.running_variance"], variance, rtol=1e-13)
    np.testing.assert_allclose(
        network.predict(theta, X, state), (X - mean) / np.sqrt(variance + 1e-5), rtol=1e-13, atol=1e-14
    )
    assert network.initial_state()["layers.0.running_mean"].tolist() == [0, 0, 0, 0]


def test_a_batch_of_one_row_says_nothing_of_a_variance():
    network = alone({"type": "batch_normalization", "momentum": 0.5}, 4)
    state = network.initial_state()
    network.loss_and_gradient(network.initial_parameters(), X[:1], np.zeros((1, 4)), state=state, training=True)
    assert state["layers.0.running_variance"].tolist() == [1, 1, 1, 1]
    np.testing.assert_allclose(state["layers.0.running_mean"], X[0] / 2, rtol=1e-14)


def test_gaussian_noise_disturbs_training_only():
    network = alone({"type": "gaussian_noise", "stddev": 0.5}, 4)
    theta, many = network.initial_parameters(), np.zeros((20_000, 4))
    np.testing.assert_array_equal(network.predict(theta, X), X)
    loss, _ = network.loss_and_gradient(theta, many, many, training=True)
    assert loss == pytest.approx(0.25, rel=0.02)
    assert loss != network.loss_and_gradient(theta, many, many, training=True, step=1)[0]


def test_dropout_sets_a_fraction_to_0_and_scales_up_the_rest():
    program = LayerProgram(layer("dropout", rate=0.25), 4)
    drawn = np.array([[0.0, 0.5, 0.74, 0.76], [0.9, 0.1, 0.75, 0.2]])
    outcome = program.run({"x": X[:2], "noise1": drawn, "weights": np.ones((2, 4))})
    np.testing.assert_allclose(outcome.value, np.where(drawn < 0.75, X[:2] / 0.75, 0), rtol=1e-15)
    np.testing.assert_allclose(outcome.gradient["x"], np.where(drawn < 0.75, 1 / 0.75, 0), rtol=1e-15)


@pytest.mark.parametrize(("name", "strength"), [("dropout", "rate"), ("gaussian_noise", "stddev")])
def test_what_disturbs_is_nothing_in_evaluation_and_without_strength(name, strength):
    for disturbing, training in ((layer(name), False), (layer(name, **{strength: 0.0}), True)):
        program = LayerProgram(disturbing, 4, training=training)
        assert program.value is program.wanted["x"]


def test_branches_are_joined_by_hand():
    dense = {"type": "dense", "units": 4, "weight_initializer": {"type": "random_normal", "stddev": 1.0}}
    first = [{**dense, "name": "a", "activation": "prelu"}, {**dense, "name": "b", "inputs": ["input"]}]
    last = [
        {"type": "add", "name": "sum", "inputs": ["a", "b", "input"]},
        {"type": "multiply", "name": "product", "inputs": ["sum", "a"]},
        {"type": "concatenate", "name": "all", "inputs": ["product", "b"]},
        {"type": "activation", "activation": {"type": "tanh", "parametric": True}},
    ]
    made = network_of(first + last, 4)
    theta = made.initial_parameters()
    p = made.parameters(theta)
    p["layers.a.negative_slope"][...] = [0.1, 0.2, 0.3, 0.4]
    p["layers.5.mixture"][...] = np.arange(8) / 4
    z, b = X @ p["layers.a.weight"].T + p["layers.a.bias"], X @ p["layers.b.weight"].T + p["layers.b.bias"]
    a = np.where(z > 0, z, p["layers.a.negative_slope"] * z)
    joined = np.hstack([(a + b + X) * a, b])
    expected = joined + p["layers.5.mixture"] * (np.tanh(joined) - joined)
    np.testing.assert_allclose(made.predict(theta, X), expected, rtol=1e-12)


@pytest.mark.parametrize("use_bias", [True, False])
def test_ntk_divides_by_the_root_of_the_inputs(use_bias):
    layer = {"type": "dense", "units": 3, "parametrization": "ntk", "use_bias": use_bias}
    output, parameters = output_of(layer, X)
    bias = parameters.get("bias", np.zeros(3))
    np.testing.assert_allclose(output, X @ parameters["weight"].T / 2 + bias, rtol=1e-13, atol=1e-14)
    assert ("bias" in parameters) == use_bias


def test_ntk_draws_from_the_standard_normal_distribution_and_says_so():
    ntk = {"type": "dense", "units": 500, "activation": "relu", "parametrization": "ntk"}
    network, own = alone(ntk, 300), alone({**ntk, "weight_initializer": "zeros"}, 3).nodes[0].layer
    drawn_by = part("initializer", "random_normal", mean=0.0, stddev=1.0)
    found = network.nodes[0].layer
    assert found.weight_initializer == found.bias_initializer == drawn_by
    drawn = network.parameters(network.initial_parameters())["layers.0.weight"]
    assert drawn.std() == pytest.approx(1, abs=0.01)
    assert (own.weight_initializer.type, own.bias_initializer.type) == ("zeros", "random_normal")


def test_embedding_by_hand():
    table = np.array([[1, 0.5, 0, 2], [0, -1, 2, 3], [1, 7, 1, 4]])
    layer = {"type": "embedding", "columns": [2, 0], "categories": [4, 3], "size": 2}
    output, parameters = output_of(layer, table)
    expected = [table[:, [1, 3]], parameters["table_2"][[0, 2, 1]], parameters["table_0"][[1, 0, 1]]]
    np.testing.assert_array_equal(output, np.hstack(expected))
    alone, _ = output_of({**layer, "keep_others": False}, table)
    np.testing.assert_array_equal(alone, output[:, 2:])


def test_periodic_embedding_by_hand():
    layer = {"type": "periodic_embedding", "columns": [1, 3], "variant": "pbld", "frequencies": 5, "size": 3}
    output, p = output_of({**layer, "frequency_stddev": 0.5}, X)
    shapes = {name: array.shape for name, array in p.items()}
    assert shapes == {"frequency": (5, 2), "phase": (5, 2), "weight": (2, 5, 2), "bias": (2, 2)}
    picked = X[:, [1, 3]]
    waves = np.cos(2 * math.pi * np.einsum("rc,kc->rkc", picked, p["frequency"]) + p["phase"])
    mapped = np.einsum("okc,rkc->roc", p["weight"], waves) + p["bias"]
    np.testing.assert_allclose(output, np.hstack([X[:, [0, 2]], mapped.reshape(6, 4), picked]), rtol=1e-12)


def test_bins_are_quantiles_of_the_training_rows_and_belong_to_the_state():
    network = alone({"type": "piecewise_linear_embedding", "bins": 2, "columns": [1]}, 4)
    assert network.initial_state()["layers.0.edges"].tolist() == [-2, 0, 2]
    rows = np.column_stack([np.arange(5.0)] * 4)
    state = network.fitted_state(rows, np.zeros(len(rows)))
    assert state["layers.0.edges"].tolist() == [0, 2, 4]
    output = network.predict(network.initial_parameters(), [[0, -1, 0, 0], [0, 3, 0, 0], [0, 6, 0, 0]], state)
    np.testing.assert_array_equal(output[:, 3:], [[-0.5, 0], [1, 0.5], [1, 2]])
    assert network.initial_state()["layers.0.edges"].tolist() == [-2, 0, 2]


EDGES = [
    ([0] * 7 + [1, 2, 9], [0, 1, 2, 9]),
    ([0] * 92 + [1, 2, 3, 4, 5, 6, 7, 8], [0, 1, 1 + 7 / 3, 1 + 14 / 3, 8]),
    ([0] * 3 + [1] * 4 + [2] * 3, [0, 1, 1, 2]),
    ([0] * 9 + [1, 1, 1, 5], [0, 1, 1, 1, 5]),
    ([0] * 5 + [1] * 5, [0, 0, 0, 1]),
    ([3] * 4, [3, 3, 3, 3]),
]


@pytest.mark.parametrize(("column", "edges"), EDGES)
def test_a_frequent_number_is_one_edge_and_bins_that_coincide_are_empty(column, edges):
    network = alone({"type": "piecewise_linear_embedding", "bins": len(edges) - 1}, 1)
    rows = np.array(column, float)[:, None]
    state = network.fitted_state(rows, np.zeros(len(rows)))
    found = state["layers.0.edges"]
    assert found == pytest.approx(edges, rel=1e-14)
    output = network.predict(network.initial_parameters(), np.array([[-5.0], [0.25], [3], [20]]), state)
    assert np.isfinite(output).all()
    assert not output[:, np.flatnonzero(np.diff(found) == 0)].any()
