"""Networks that the layer `average` joins: each is trained by its own loss, and the prediction is their mean."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from sklearn.metrics import log_loss

import specnet
from specnet import DataError, SpecError
from specnet.network.programs import Blueprint
from tests.compiling import compiles
from tests.networks import dense
from tests.registry import find, names

LOSSES = names("loss")
ROWS = 12


def layers_of(units: int, **fields: Any) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    first = [dense(4, "tanh"), dense(units, name="first", **fields)]
    second = [dense(units, name="second", inputs=["input"], **fields)]
    return first, second


def document(layers: list[dict[str, Any]], loss: Any, **training: Any) -> dict[str, Any]:
    network = {"dtype": "float64", "input_size": 3, "layers": layers}
    return {"network": network, "training": {"loss": loss, **training}}


def averaged(*networks: list[dict[str, Any]], **fields: Any) -> list[dict[str, Any]]:
    inputs = [network[-1]["name"] for network in networks]
    return [*(layer for network in networks for layer in network), {"type": "average", "inputs": inputs, **fields}]


def rows_for(loss: Any, outputs: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    X, shape = rng.normal(size=(ROWS, 3)), (ROWS, outputs // loss.outputs_per_target)
    if loss.target == "classes":
        return X, rng.integers(0, outputs, ROWS)
    if loss.target == "binary":
        return X, rng.integers(0, 2, shape)
    positive = rng.uniform(0.1, 2, shape)
    return X, positive / positive.sum(axis=1, keepdims=True) if loss.domain == "distribution" else positive


@pytest.mark.usefixtures("compiled_quickly")
@pytest.mark.parametrize("engine", ["numpy", pytest.param("compiled", marks=compiles)])
@pytest.mark.parametrize("name", LOSSES)
def test_each_network_has_the_gradient_of_its_own_loss(name: str, engine: str):
    loss = find("loss", name)
    outputs = 2 * loss.outputs_per_target
    has_own = loss.accepted_activations is None and loss.output_activation == "linear"
    activated: dict[str, Any] = {"activation": "sigmoid"} if has_own else {}
    first, second = layers_of(outputs, **activated)
    both = specnet.build(document(averaged(first, second), name), engine=engine)
    theta = np.random.default_rng(1).normal(size=both.parameter_count)
    X, y = rows_for(loss, outputs)
    value, gradient = both.loss_and_gradient(theta, X, y)
    found, given, alone = both.parameters(gradient), both.parameters(theta), []
    for layers in (first, second):
        one = specnet.build(document(layers, name))
        flat = np.empty(one.parameter_count)
        for key, array in one.parameters(flat).items():
            array[...] = given[key]
        loss_of_one, slope = one.loss_and_gradient(flat, X, y)
        for key, expected in one.parameters(slope).items():
            np.testing.assert_allclose(found[key], expected / 2, rtol=1e-9, atol=1e-12)
        alone.append((loss_of_one, one.raw_outputs(flat, X)))
    assert value == pytest.approx(np.mean([each for each, _ in alone]), rel=1e-12)
    assert both.loss(theta, X, y) == pytest.approx(value, rel=1e-12)
    outputs_of_both = both.trained_outputs(theta, X)
    np.testing.assert_allclose(outputs_of_both, [each for _, each in alone], rtol=1e-12, atol=1e-14)
    before_activation = both.layer_outputs(theta, X)["layers.3"].raw
    if loss.accepted_activations is not None or has_own:
        np.testing.assert_allclose(before_activation, outputs_of_both.mean(axis=0), rtol=1e-12, atol=1e-14)


def test_validation_has_the_loss_of_the_mean():
    network = specnet.build(document(averaged(*layers_of(3)), "categorical_crossentropy"))
    theta, (X, y) = network.initial_parameters(), rows_for(find("loss", "categorical_crossentropy"), 3)
    expected = log_loss(y, network.predict(theta, X), labels=range(3))
    assert network.loss(theta, X, y, data_only=True) == pytest.approx(expected, rel=1e-12)
    assert network.loss(theta, X, y) > expected  # because the loss is convex


def test_a_network_without_an_average_has_one_output():
    network = specnet.build(document(layers_of(2)[0], "mse"))
    theta, X = network.initial_parameters(), np.ones((5, 3))
    np.testing.assert_array_equal(network.trained_outputs(theta, X), [network.predict(theta, X)])
    assert len(Blueprint(network.resolved).plan("trained outputs").outputs) == 1


def problem_of(
    layers: list[dict[str, Any]], loss: str = "categorical_crossentropy", **training: Any
) -> tuple[str, str]:
    data = {"type": "iris" if loss != "msle" else "diabetes", "split": {"test_size": 0.2}}
    spec = document(layers, loss, epochs=1, **training)
    del spec["network"]["input_size"]
    with pytest.raises(SpecError) as caught:
        specnet.build({**spec, "data": data})
    (diagnostic,) = caught.value.diagnostics
    return diagnostic.code, ".".join(map(str, diagnostic.path))


def test_what_an_average_cannot_do_is_refused():
    first, second = layers_of(3)
    assert problem_of([*averaged(first, second), dense(3)]) == ("layer-place", "network.layers.3")
    fitted = averaged(first, second, weights="held_out")
    assert problem_of(fitted) == ("no-validation", "network.layers.3.weights")
    assert problem_of(fitted, ensemble={"members": 2, "validation": "none"}) == (
        "no-validation",
        "network.layers.3.weights",
    )
    bent = [dense(3, name="a"), {"type": "scale", "name": "first"}], second
    assert problem_of(averaged(*bent, weights="held_out"), ensemble=3) == ("layer-inputs", "network.layers.3.weights")
    values = averaged(*layers_of(1), weights="held_out")
    assert problem_of(values, loss="msle", ensemble=3) == ("layer-inputs", "network.layers.3.weights")
    named = document(fitted, "categorical_crossentropy", epochs=1)
    with pytest.raises(DataError, match="fitted weights needs validation rows"):
        specnet.fit(named, np.ones((9, 3)), [0, 1, 2] * 3)


# ---------------------------------------------------------------------------------------------------- fitted weights


def flowers(ensemble: Any, loss: Any = "categorical_crossentropy", **split: Any) -> dict[str, Any]:
    layers = averaged(*layers_of(3), weights="held_out")
    data = {"type": "iris", "split": {"test_size": 0.2, **split}}
    training = {"loss": loss, "epochs": 15, "batch_size": 16, "optimizer": {"type": "adam", "learning_rate": 0.03}}
    network = {"dtype": "float64", "preprocessing": ["standardize"], "layers": layers}
    return {
        "data": data,
        "network": network,
        "training": {**training, **({"ensemble": ensemble} if ensemble else {}), "baselines": []},
    }


def least_loss(outputs: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Return the weight of the first of two networks with the least log loss, and that loss."""

    def loss(weight: float) -> float:
        z = weight * outputs[0] + (1 - weight) * outputs[1]
        return log_loss(y, np.exp(z - np.logaddexp.reduce(z, axis=1, keepdims=True)), labels=range(3))

    found = minimize_scalar(loss, bounds=(0, 1), method="bounded", options={"xatol": 1e-6})
    return found.x, found.fun


@pytest.mark.parametrize("ensemble", [3, None], ids=["folds", "validation"])
def test_weights_have_the_least_loss_of_held_out_rows(ensemble: Any):
    spec = flowers(ensemble, **({} if ensemble else {"validation_size": 0.3}))
    fitted = specnet.run(spec)
    equal = {**spec, "network": {**spec["network"], "layers": averaged(*layers_of(3))}}
    before = specnet.run(equal).model
    data = specnet.running.data_rows.read_data(specnet.parse_spec(spec))
    rows = data.splits["train" if ensemble else "validation"]
    X, y = before.preprocessing.prepare(rows.columns), data.labels.encode(rows.y)
    outputs, target = [], []
    for member, (theta, state) in enumerate(before.members):
        mine = rows.folds == member if ensemble else np.full(len(rows), True)
        outputs.append(before.network.trained_outputs(theta, X[mine], state))
        target.append(y[mine])
    weight, loss = least_loss(np.concatenate(outputs, axis=1), np.concatenate(target))
    calibration = fitted.evaluation["calibration"]
    found = calibration["weights"]
    assert list(found) == ["layers.first", "layers.second"]
    assert found["layers.first"] == pytest.approx(weight, abs=2e-3)
    assert sum(found.values()) == pytest.approx(1)
    assert calibration["loss"]["after"] == pytest.approx(loss, rel=1e-5)
    assert calibration["loss"]["before"] > loss
    # Built into the weights of the dense layers, and nothing else changes.
    for (theta, _), (plain, _) in zip(fitted.model.members, before.members, strict=True):
        after, now = before.network.parameters(theta), before.network.parameters(plain)
        for key in now:
            factor = next((2 * share for layer, share in found.items() if key.startswith(layer)), 1.0)
            np.testing.assert_allclose(after[key], now[key] * factor, rtol=1e-12)


def test_weights_of_values_and_a_temperature_come_together():
    """The temperature is fitted to the weighted mean, and values have the weights of the least squared error."""
    spec = flowers(3)
    spec["training"]["calibration"] = "temperature"
    calibration = specnet.run(spec).evaluation["calibration"]
    assert calibration["loss"]["after"] == pytest.approx(calibration["log_loss"]["before"], rel=1e-9)
    rng = np.random.default_rng(0)
    X = rng.normal(size=(120, 3))
    y = X @ [1.0, -2.0, 0.5] + rng.normal(size=120) / 10
    layers = averaged([dense(4, "tanh"), dense(1, name="first")], [dense(1, name="second", inputs=["input"])])
    layers[-1]["weights"] = "held_out"
    spec = document(layers, "mse", epochs=60, ensemble=4, optimizer={"type": "adam", "learning_rate": 0.05})
    model = specnet.fit(spec, X, y)
    scales = [np.abs(model.network.parameters(theta)["layers.first.weight"]).max() for theta, _ in model.members]
    assert max(scales) < 0.3  # the linear network alone fits the target
