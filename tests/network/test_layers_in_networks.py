"""Layers in their networks: what freezes, what learns how fast, what is kept, refused, saved and resumed."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest

import specnet
from specnet import DataError, SpecError
from tests.networks import dense, document
from tests.running.moons import Interrupting
from tests.texts.pinned import Refused

Array = np.ndarray[Any, Any]
RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 3))
Y = np.tanh(X @ RNG.normal(size=3))
MIXED = np.column_stack([RNG.integers(0, 4, 40), X[:, 0], RNG.integers(0, 3, 40)]).astype(float)
PIECEWISE = {"type": "piecewise_linear_embedding"}
EMBEDDING = {"type": "embedding", "columns": [0, 2], "categories": [4, 3], "size": 2}


def spec_of(*layers: Any, **training: Any) -> dict[str, Any]:
    return document(*layers, dense(1), **{"epochs": 3, "batch_size": 16} | training)


def trained(
    spec: dict[str, Any], X: Array = X, y: Array = Y
) -> tuple[dict[str, Array], dict[str, Array], specnet.Model]:
    """Return the parameters by name before and after training, and the model."""
    model = specnet.fit(spec, X, y)
    before = model.network.parameters(model.network.initial_parameters())
    return before, model.network.parameters(model.theta), model


# ------------------------------------------------------------------------------------------------------- how they learn

LEARNING = [
    dense(3, {"type": "tanh", "parametric": True}),
    {"type": "activation", "activation": "prelu"},
    *({"type": name} for name in ("scale", "batch_normalization", "layer_normalization")),
    {"type": "periodic_embedding", "frequencies": 2, "size": 2},
    {**PIECEWISE, "bins": 3, "size": 2},
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
    network = specnet.build(spec_of(dense(2, trainable=False), "scale"))
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
        layer = dense(3, "tanh", learning_rate_factor=factor)
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
        before, after, _ = trained(spec, y=np.zeros(len(X)))
        return {name: after[name] / before[name] for name in before if name[:9] == "layers.0." and before[name].all()}

    for factor in (0.0, 1.0, 2.0):
        found = shrunk(factor)
        np.testing.assert_allclose(found["layers.0.weight"], 1 - 0.1 * 0.5 * factor, rtol=1e-14)
        np.testing.assert_array_equal(found["layers.0.bias"], 1)
        np.testing.assert_allclose(shrunk(factor, "scale")["layers.0.factor"], 1 - 0.05 * factor, rtol=1e-14)
    np.testing.assert_array_equal(shrunk(2.0, "batch_normalization")["layers.0.scale"], 1)


def test_an_l1_penalty_chooses_columns_by_a_scale_layer():
    optimizer = {"type": "adam", "learning_rate": 0.02}
    spec = spec_of("scale", l1=0.02, epochs=300, batch_size="full", optimizer=optimizer)
    factor = abs(trained(spec, y=X[:, 0])[1]["layers.0.factor"])
    assert factor[0] > 0.3
    assert factor[1:].max() < 0.03


# ------------------------------------------------------------------------------------------------------- what they keep


def saved_and_loaded(model: specnet.Model, columns: Any, path: Path) -> specnet.Model:
    """Return a model from its file, which answers the same."""
    model.save(path)
    loaded = specnet.load_model(path)
    np.testing.assert_array_equal(loaded.predict(columns), model.predict(columns))
    np.testing.assert_equal(loaded.state, model.state)
    return loaded


def test_running_averages_are_saved_with_the_model(tmp_path: Path):
    _, _, model = trained(spec_of(dense(4), "batch_normalization"))
    assert model.state.keys() == {"layers.1.running_mean", "layers.1.running_variance"}
    fresh = model.network.initial_state()
    assert not any(np.array_equal(model.state[name], fresh[name]) for name in fresh)
    loaded = saved_and_loaded(model, X, tmp_path / "model.safetensors")
    again = loaded.network.predict(loaded.theta, X)
    assert not np.allclose(again[:, 0], model.predict(X))  # what is averaged is no part of the network


@pytest.mark.parametrize("optimizer", ["adam", "sgd", "lbfgs"])
def test_bins_are_saved_with_the_model(optimizer: str, tmp_path: Path):
    _, _, model = trained(spec_of({**PIECEWISE, "bins": 5}, optimizer=optimizer, batch_size="full"))
    expected = np.quantile(X, np.linspace(0, 1, 6), axis=0).reshape(-1)
    np.testing.assert_allclose(model.state["layers.0.edges"], expected, rtol=1e-14)
    saved_and_loaded(model, X, tmp_path / "model.safetensors")


def test_bins_are_of_prepared_columns():
    spec = spec_of({**PIECEWISE, "bins": 1})
    spec["network"]["preprocessing"] = ["standardize"]
    _, _, model = trained(spec, 100 * X + 7)
    standardized = (X - X.mean(0)) / X.std(0)
    np.testing.assert_allclose(model.state["layers.0.edges"], [*standardized.min(0), *standardized.max(0)], rtol=1e-10)


def test_bins_are_of_numbers_that_embedded_categories_leave_as_they_are(tmp_path: Path, refused: Refused):
    rng = np.random.default_rng(0)
    table = pandas.DataFrame({"a": rng.normal(size=90), "city": [f"city {row % 12}" for row in range(90)]})
    table["b"] = rng.normal(3, 2, 90)
    piecewise = {**PIECEWISE, "bins": 4}
    network: dict[str, Any] = {"preprocessing": [{"columns": ["a", "b"], "steps": []}], "layers": [piecewise, dense(1)]}
    spec = {"network": network, "training": {"loss": "mse", "epochs": 1}}
    with refused(SpecError, code="layer-place") as caught:
        specnet.fit(spec, table, table.a)
    hint = caught.value.diagnostics[0].hint
    assert hint.startswith("set columns = ")
    network["layers"][0] = piecewise | {"columns": json.loads(hint.partition(" = ")[2])}
    model = specnet.fit(spec, table, table.a)
    assert [node.layer.type for node in model.network.nodes] == ["embedding", "piecewise_linear_embedding", "dense"]
    expected = np.quantile(table[["a", "b"]], np.linspace(0, 1, 5), axis=0).reshape(-1)
    (edges,) = model.state.values()
    np.testing.assert_allclose(edges, expected, rtol=1e-6)
    saved_and_loaded(model, table, tmp_path / "model.safetensors")


def test_a_run_with_running_averages_and_bins_resumes_to_the_same_bytes(tmp_path: Path):
    layers = [
        {**PIECEWISE, "bins": 4},
        dense(6, "relu"),
        "batch_normalization",
        {"type": "dropout", "rate": 0.2},
        dense(1),
    ]
    training = {"loss": "binary_crossentropy", "epochs": 6, "batch_size": 16, "checkpoint_every": 2}
    training["average_weights"] = {"type": "exponential", "decay": 0.9}
    data = {"type": "make_moons", "n_samples": 60, "split": {"test_size": 0.2}}
    spec = {"data": data, "network": {"layers": layers}, "training": training}
    specnet.run(spec, tmp_path / "whole")
    with pytest.raises(RuntimeError):
        specnet.run(spec, tmp_path / "broken", observer=Interrupting(5, error=RuntimeError))
    specnet.run(spec, tmp_path / "broken", resume=True)
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


def test_categories_that_were_standardized_are_refused(refused: Refused):
    spec = spec_of(EMBEDDING)
    spec["network"]["preprocessing"] = ["standardize"]
    with refused(DataError, varying=r"-0\.\d+"):
        specnet.fit(spec, MIXED, Y)


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
    network = specnet.build(spec_of({"type": "embedding", "categories": 4, "size": 3}))
    arrays = network.parameters(network.initial_parameters())
    assert {array.shape for name, array in arrays.items() if "table" in name} == {(4, 3)}
    assert network.nodes[0].size == 9
    assert specnet.build(network.spec.to_json()).spec == network.spec
