"""Layers in their networks: what freezes, what learns how fast, what is kept, refused, saved and resumed."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest

import specnet
from specnet import DataError, SpecError
from tests.texts.pinned import Pinned, Refused

Array = np.ndarray[Any, Any]
RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 3))
Y = np.tanh(X @ RNG.normal(size=3))
MIXED = np.column_stack([RNG.integers(0, 4, 40), X[:, 0], RNG.integers(0, 3, 40)]).astype(float)
EMBEDDING = {"type": "embedding", "columns": [0, 2], "categories": [4, 3], "size": 2}


def spec_of(*layers: dict[str, Any], inputs: int = 3, **training: Any) -> dict[str, Any]:
    network = {"dtype": "float64", "input_size": inputs, "layers": [*layers, {"type": "dense", "units": 1}]}
    return {"network": network, "training": {"loss": "mse", "epochs": 3, "batch_size": 16, **training}}


def trained(spec: dict[str, Any], columns: Array = X) -> tuple[dict[str, Array], dict[str, Array], specnet.Model]:
    """Return the parameters by name before and after training, and the model."""
    model = specnet.fit(spec, columns, Y)
    before = model.network.parameters(model.network.initial_parameters())
    return before, model.network.parameters(model.theta), model


# ------------------------------------------------------------------------------------------------------- how they learn

LEARNING = [
    {"type": "dense", "units": 3, "activation": {"type": "tanh", "parametric": True}},
    {"type": "activation", "activation": "prelu"},
    {"type": "scale"},
    {"type": "batch_normalization"},
    {"type": "layer_normalization"},
    {"type": "periodic_embedding", "frequencies": 2, "size": 2},
    {"type": "piecewise_linear_embedding", "bins": 3, "size": 2},
]


@pytest.mark.parametrize("layer", LEARNING, ids=lambda layer: layer["type"])
def test_a_frozen_layer_stays_as_it_was_drawn_and_the_others_learn(layer):
    for trainable in (True, False):
        before, after, model = trained(spec_of({**layer, "trainable": trainable}))
        of_layer = {name for name in before if name.startswith("layers.0.")}
        assert of_layer
        for name in before:
            moved = not np.array_equal(before[name], after[name])
            assert moved == (trainable or name not in of_layer), name
        frozen = 0 if trainable else sum(before[name].size for name in of_layer)
        assert model.network.layout.trainable_size == model.theta.size - frozen


def test_what_is_frozen_lies_behind_what_learns():
    layers = [{"type": "dense", "units": 2, "trainable": False}, {"type": "scale"}]
    network = specnet.build(spec_of(*layers))
    marked = np.arange(network.parameter_count)
    arrays = network.parameters(marked)
    assert sorted(arrays["layers.1.factor"]) == [0, 1]
    assert arrays["layers.2.bias"].tolist() == [4]
    assert min(arrays["layers.0.weight"].min(), arrays["layers.0.bias"].min()) == network.layout.trainable_size == 5
    _, gradient = network.loss_and_gradient(network.initial_parameters(), X, Y)
    assert gradient[network.layout.trainable_size :].any()


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_factors_multiply_the_learning_rate(optimizer):
    optimizer = {"type": optimizer, "learning_rate": 0.01}

    def moved(factor: float) -> tuple[Array, Array]:
        """How far one step moves both layers' weights."""
        layer = {"type": "dense", "units": 3, "activation": "tanh", "learning_rate_factor": factor}
        before, after, _ = trained(spec_of(layer, optimizer=optimizer, epochs=1, batch_size="full"))
        return tuple(after[f"layers.{number}.weight"] - before[f"layers.{number}.weight"] for number in (0, 1))

    plain, doubled, still = moved(1.0), moved(2.0), moved(0.0)
    np.testing.assert_allclose(doubled[0], 2 * plain[0], rtol=1e-10)
    assert not still[0].any()
    assert plain[0].all()
    for other in (doubled, still):
        np.testing.assert_allclose(other[1], plain[1], rtol=1e-10)


def test_factors_multiply_the_weight_decay_of_weights_alone():
    def shrunk(factor: float, kind: str = "dense") -> dict[str, Array]:
        """By what a step without a gradient multiplies each parameter."""
        optimizer = {"type": "sgd", "learning_rate": 0.1, "weight_decay": 0.5}
        given = {"units": 3, "bias_initializer": "ones"} if kind == "dense" else {}
        layer = {"type": kind, "weight_decay_factor": factor, **given}
        spec = spec_of(layer, optimizer=optimizer, epochs=1, batch_size="full")
        spec["network"]["layers"][-1]["weight_initializer"] = "zeros"
        model = specnet.fit(spec, X, np.zeros(len(X)))
        before = model.network.parameters(model.network.initial_parameters())
        after = model.network.parameters(model.theta)
        return {
            name: after[name] / before[name] for name in before if name.startswith("layers.0.") and before[name].all()
        }

    for factor in (0.0, 1.0, 2.0):
        found = shrunk(factor)
        np.testing.assert_allclose(found["layers.0.weight"], 1 - 0.1 * 0.5 * factor, rtol=1e-14)
        np.testing.assert_array_equal(found["layers.0.bias"], 1)
        np.testing.assert_allclose(shrunk(factor, "scale")["layers.0.factor"], 1 - 0.05 * factor, rtol=1e-14)
    np.testing.assert_array_equal(shrunk(2.0, "batch_normalization")["layers.0.scale"], 1)


def test_an_l1_penalty_chooses_columns_by_a_scale_layer():
    y = X[:, 0]
    optimizer = {"type": "adam", "learning_rate": 0.02}
    spec = spec_of({"type": "scale"}, l1=0.02, epochs=300, batch_size="full", optimizer=optimizer)
    model = specnet.fit(spec, X, y)
    factor = abs(model.network.parameters(model.theta)["layers.0.factor"])
    assert factor[0] > 0.3
    assert factor[1:].max() < 0.03


# ------------------------------------------------------------------------------------------------------- what they keep


def test_running_averages_are_saved_with_the_model(tmp_path: Path):
    _, _, model = trained(spec_of({"type": "dense", "units": 4}, {"type": "batch_normalization"}))
    assert model.state.keys() == {"layers.1.running_mean", "layers.1.running_variance"}
    fresh = model.network.initial_state()
    assert not any(np.array_equal(model.state[name], fresh[name]) for name in fresh)
    model.save(tmp_path / "model.safetensors")
    loaded = specnet.load_model(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))
    for name, array in model.state.items():
        np.testing.assert_array_equal(loaded.state[name], array)
    again = loaded.network.predict(loaded.theta, X)
    assert not np.allclose(again[:, 0], model.predict(X))  # what is kept is no part of the network


def test_bins_are_saved_with_the_model(tmp_path: Path):
    _, _, model = trained(spec_of({"type": "piecewise_linear_embedding", "bins": 5}))
    expected = np.quantile(X, np.linspace(0, 1, 6), axis=0).reshape(-1)
    np.testing.assert_allclose(model.state["layers.0.edges"], expected, rtol=1e-14)
    model.save(tmp_path / "model.safetensors")
    loaded = specnet.load_model(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))


def test_bins_are_of_prepared_columns():
    spec = spec_of({"type": "piecewise_linear_embedding", "bins": 1})
    spec["network"]["preprocessing"] = ["standardize"]
    _, _, model = trained(spec, 100 * X + 7)
    standardized = (X - X.mean(0)) / X.std(0)
    np.testing.assert_allclose(model.state["layers.0.edges"], [*standardized.min(0), *standardized.max(0)], rtol=1e-10)


def test_bins_are_of_numbers_that_embedded_categories_leave_as_they_are(tmp_path: Path, refused: Refused):
    rng = np.random.default_rng(0)
    table = pandas.DataFrame({"a": rng.normal(size=90), "city": [f"city {row % 12}" for row in range(90)]})
    table["b"] = rng.normal(3, 2, 90)
    piecewise, last = {"type": "piecewise_linear_embedding", "bins": 4}, {"type": "dense", "units": 1}
    spec = {"network": {"preprocessing": [{"columns": ["a", "b"], "steps": []}]}}
    spec["training"] = {"loss": "mse", "epochs": 1}
    spec["network"]["layers"] = [piecewise, last]
    with refused(SpecError, code="layer-place") as caught:
        specnet.fit(spec, table, table.a)
    hint = caught.value.diagnostics[0].hint
    assert hint.startswith("set columns = ")
    spec["network"]["layers"] = [piecewise | {"columns": json.loads(hint.partition(" = ")[2])}, last]
    model = specnet.fit(spec, table, table.a)
    assert [node.layer.type for node in model.network.nodes] == ["embedding", "piecewise_linear_embedding", "dense"]
    expected = np.quantile(table[["a", "b"]], np.linspace(0, 1, 5), axis=0).reshape(-1)
    (edges,) = model.state.values()
    np.testing.assert_allclose(edges, expected, rtol=1e-6)
    model.save(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(
        specnet.load_model(tmp_path / "model.safetensors").predict(table), model.predict(table)
    )


@pytest.mark.parametrize("optimizer", ["sgd", "lbfgs"])
def test_every_optimizer_trains_on_fitted_bins(optimizer):
    spec = spec_of({"type": "piecewise_linear_embedding"}, optimizer=optimizer, batch_size="full")
    assert trained(spec)[2].state["layers.0.edges"][0] == X[:, 0].min()


@pytest.mark.parametrize("kind", ["exponential", "stochastic"])
def test_running_averages_are_averaged_as_weights_are(kind):
    layers = [{"type": "dense", "units": 4}, {"type": "batch_normalization"}]
    averaged = trained(spec_of(*layers, average_weights=kind, epochs=6))[2]
    plain = trained(spec_of(*layers, epochs=6))[2]
    for name in plain.state:
        assert not np.array_equal(averaged.state[name], plain.state[name])
        assert abs(averaged.state[name] - plain.state[name]).max() < 0.2


def test_a_run_with_running_averages_and_bins_resumes_to_the_same_bytes(tmp_path: Path, monkeypatch):
    document = """
name = "kept"
[data]
type = "make_moons"
n_samples = 60
split = { test_size = 0.2 }
[network]
layers = [
    { type = "piecewise_linear_embedding", bins = 4 },
    { type = "dense", units = 6, activation = "relu" },
    { type = "batch_normalization" },
    { type = "dropout", rate = 0.2 },
    { type = "dense", units = 1 },
]
[training]
loss = "binary_crossentropy"
epochs = 6
batch_size = 16
checkpoint_every = 2
average_weights = { type = "exponential", decay = 0.9 }
"""
    path = tmp_path / "kept.toml"
    path.write_text(document)
    specnet.run(path, tmp_path / "whole")

    class Stop(specnet.training.Observer):
        def logged(self, epoch: int, record: dict[str, Any]) -> None:
            if epoch == 5:
                raise RuntimeError("the machine stopped")

    with pytest.raises(RuntimeError):
        specnet.run(path, tmp_path / "broken", observer=Stop())
    specnet.run(path, tmp_path / "broken", resume=True)
    for name in ("model.safetensors", "history.jsonl", "metrics.json", "layers.jsonl"):
        assert (tmp_path / "broken" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


# ----------------------------------------------------------------------------------------------------- what they refuse


@pytest.mark.parametrize(
    ("row", "column", "number"), [(3, 0, 4.0), (5, 2, -1.0), (0, 0, 1.5), (39, 2, 3.0), (7, 0, 2.0000001)]
)
def test_other_numbers_than_categories_are_refused_before_anything_is_computed(row, column, number, refused: Refused):
    model = specnet.fit(spec_of(EMBEDDING), MIXED, Y)
    wrong = MIXED.copy()
    wrong[row, column] = number
    network = model.network
    for attempt in (
        lambda: specnet.fit(spec_of(EMBEDDING), wrong, Y),
        lambda: specnet.fit(spec_of(EMBEDDING), MIXED, Y, (wrong, Y)),
        lambda: model.predict(wrong),
        lambda: model.evaluate(wrong, Y),
        lambda: network.predict(model.theta, wrong),
        lambda: network.loss(model.theta, wrong, Y),
        lambda: network.loss_and_gradient(model.theta, wrong, Y),
        lambda: network.input_gradient(model.theta, wrong, Y),
    ):
        with refused(DataError):
            attempt()
    with refused(DataError):
        specnet.fit(spec_of(EMBEDDING), MIXED, Y, (wrong, Y))


def test_categories_that_were_standardized_are_refused(refused: Refused):
    spec = spec_of(EMBEDDING)
    spec["network"]["preprocessing"] = ["standardize"]
    with refused(DataError, varying=r"-0\.\d+"):
        specnet.fit(spec, MIXED, Y)


PIECEWISE = {"type": "piecewise_linear_embedding"}
PERIODIC = {"type": "periodic_embedding"}


@pytest.mark.parametrize(
    ("layers", "code", "words"),
    [
        ([{"type": "scale"}, EMBEDDING], "layer-place", "embedding"),
        ([{"type": "scale"}, PIECEWISE], "layer-place", "piecewise_linear_embedding"),
        ([{**EMBEDDING, "columns": [0, 3]}], "layer-sizes", "column 3"),
        ([{**EMBEDDING, "columns": [0, 0]}], "duplicate-column", "column 0"),
        ([{**EMBEDDING, "categories": [4, 3, 2]}], "column-count", "3 numbers for 2 columns"),
        ([{**EMBEDDING, "size": [4, 3, 2]}], "column-count", "3 numbers for 2 columns"),
        ([{"type": "embedding", "categories": [4, 3], "size": 1}], "layer-sizes", "categories has 2 numbers"),
        ([{"type": "embedding", "categories": 4}], "missing-key", "size"),
        ([{"type": "embedding", "categories": 0, "size": 1}], "out-of-bounds", "categories"),
        ([{"type": "embedding", "categories": [3, 0, 2], "size": 1}], "out-of-bounds", "categories"),
        ([{"type": "embedding", "categories": "many", "size": 1}], "wrong-type", "categories"),
        ([{**PERIODIC, "variant": "pbld", "size": 1}], "embedding-size", "pbld"),
        ([{**PERIODIC, "columns": [5]}], "layer-sizes", "column 5"),
        ([{**PERIODIC, "columns": []}], "length", "columns"),
        ([{"type": "batch_normalization", "momentum": 1.0}], "out-of-bounds", "1.0"),
        ([{"type": "layer_normalization", "epsilon": 0}], "out-of-bounds", "0"),
        ([EMBEDDING, {**PIECEWISE, "columns": [0, 1]}], "layer-place", "piecewise_linear_embedding"),
    ],
)
def test_mistakes_in_a_spec_are_told(layers, code, words, pinned: Pinned):
    with pytest.raises(SpecError) as caught:
        specnet.build(spec_of(*layers))
    assert code in [diagnostic.code for diagnostic in caught.value.diagnostics]
    pinned(caught.value)


@pytest.mark.parametrize("layer", [{**PERIODIC, "frequencies": 500_000}, {**PIECEWISE, "bins": 30_000_000}])
def test_what_an_embedding_computes_inside_counts_as_memory(layer, refused: Refused):
    layer = {**layer, "columns": [0], "size": 2, "keep_others": False}
    with refused(SpecError, code="too-much-memory", at="training.batch_size"):
        specnet.build(spec_of(layer, batch_size=4096))


def test_a_branch_reads_the_networks_columns_by_name():
    layers = [
        {"type": "scale", "name": "scaled"},
        {**EMBEDDING, "name": "categories", "inputs": ["input"], "keep_others": False},
        {**PIECEWISE, "columns": [1], "bins": 2, "keep_others": False, "name": "number", "inputs": ["input"]},
        {"type": "concatenate", "inputs": ["scaled", "categories", "number"]},
    ]
    network = specnet.build(spec_of(*layers))
    assert [node.size for node in network.nodes] == [3, 4, 2, 9, 1]


def test_one_number_stands_for_all_columns_and_resolving_again_changes_nothing():
    layer = {"type": "embedding", "categories": 4, "size": 3}
    network = specnet.build(spec_of(layer))
    assert {
        array.shape for name, array in network.parameters(network.initial_parameters()).items() if "table" in name
    } == {(4, 3)}
    assert network.nodes[0].size == 9
    assert specnet.build(network.spec.to_json()).spec == network.spec
