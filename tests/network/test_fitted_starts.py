"""Initial parameters that depend on training rows, computed again layer by layer with NumPy."""

from typing import Any

import numpy as np
import pytest

import specnet
from specnet import SpecError
from specnet.network.network import MAX_ROWS_OF_START
from tests.compiling import compiles
from tests.networks import TrainingRows, document, trained

FITTED = {"weight_initializer": "unit_deviation", "bias_initializer": "he_plus"}


def layer(units: int, **fields: Any) -> dict[str, Any]:
    return {"type": "dense", "units": units, **fields}


def network_of(*, dtype: str = "float64", engine: str = "numpy", **fields: Any) -> specnet.Network:
    hidden = [layer(7, activation="tanh", **FITTED | fields), {"type": "dropout", "rate": 0.5}]
    return specnet.build(document(*hidden, layer(2, **FITTED | fields), dtype=dtype, engine=engine, epochs=3))


def skewed(rows: int = 200) -> np.ndarray:
    """Rows of columns that differ in mean and size."""
    return np.random.default_rng(1).normal(size=(rows, 3)) * [0.1, 1, 100] + [5, 0, -20]


@pytest.mark.parametrize("parametrization", ["standard", "ntk"])
def test_each_output_has_unit_deviation_and_its_bias_is_within_the_rows(parametrization: str):
    network, X = network_of(parametrization=parametrization), skewed()
    found, drawn = (network.parameters(network.initial_parameters(rows=rows)) for rows in (X, None))
    seen = X
    for key, activated in (("layers.0", np.tanh), ("layers.2", np.array)):
        weight, bias = found[f"{key}.weight"], found[f"{key}.bias"]
        z = seen @ weight.T / (np.sqrt(seen.shape[1]) if parametrization == "ntk" else 1)
        np.testing.assert_allclose(z.std(axis=0), 1, rtol=1e-12)
        ratio = weight / drawn[f"{key}.weight"]  # one factor for each output
        np.testing.assert_allclose(ratio, np.broadcast_to(ratio[:, :1], ratio.shape), rtol=1e-12)
        assert ((z.min(axis=0) < -bias) & (-bias < z.max(axis=0))).all()
        assert not np.allclose(-bias, z.mean(axis=0))
        assert not drawn[f"{key}.bias"].any()
        seen = activated(z + bias)


def test_a_mean_of_one_row_is_this_row():
    network, X = network_of(bias_initializer={"type": "he_plus", "rows": 1}), skewed()
    found = network.parameters(network.initial_parameters(rows=X))
    z = X @ found["layers.0.weight"].T
    apart = np.abs(z + found["layers.0.bias"]).min(axis=0)
    assert (apart < 1e-12).all()


def test_a_mean_of_many_rows_is_near_the_mean():
    network, X = network_of(bias_initializer={"type": "he_plus", "rows": 20_000}), skewed()
    found = network.parameters(network.initial_parameters(rows=X))
    np.testing.assert_allclose(-found["layers.0.bias"], (X @ found["layers.0.weight"].T).mean(axis=0), atol=0.05)


def test_constant_columns_keep_what_is_drawn():
    network, X = network_of(), np.full((20, 3), 0.1)
    found, drawn = (network.parameters(network.initial_parameters(rows=rows))["layers.0.weight"] for rows in (X, None))
    np.testing.assert_array_equal(found, drawn)


def test_members_begin_differently_and_many_rows_are_a_sample():
    network, X = network_of(dtype="float32"), skewed(3 * MAX_ROWS_OF_START).astype(np.float32)
    first, again, other = (network.initial_parameters(member, X) for member in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.isclose(first, other).any()
    z = X @ network.parameters(first)["layers.0.weight"].T
    np.testing.assert_allclose(z.std(axis=0), 1, rtol=0.1)


@compiles
def test_both_engines_begin_alike():
    X = skewed(50)
    starts = [network_of(engine=engine).initial_parameters(rows=X) for engine in ("numpy", "compiled")]
    np.testing.assert_array_equal(*starts)


def test_fit_begins_with_its_training_rows():
    """One epoch at a rate of nearly nothing leaves the start; rows with a weight of 0 are not part of it."""
    spec = document(layer(7, activation="tanh", **FITTED), layer(1))
    spec["training"] |= {"epochs": 1, "optimizer": {"type": "sgd", "learning_rate": 1e-300}}
    X, y = skewed(60), np.arange(60.0)
    weight = np.repeat([1.0, 0.0], 30)
    model = specnet.fit(spec, np.concatenate([X[:30], 1e3 * X[30:]]), y, sample_weight=weight)
    expected = specnet.build(spec, outputs=1).initial_parameters(rows=X[:30])
    np.testing.assert_allclose(model.theta, expected, atol=1e-290)
    assert not np.allclose(model.theta, trained(specnet.build(spec), TrainingRows(X, y)).theta)


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ([layer(2, weight_initializer="he_plus")], "he_plus is for biases and cannot initialize weights"),
        ([layer(2, bias_initializer="unit_deviation")], "unit_deviation needs a matrix and cannot initialize a bias"),
        (
            [{"type": "embedding", "categories": 3, "size": 2, "weight_initializer": "unit_deviation"}, layer(2)],
            "unit_deviation is for dense layers only",
        ),
    ],
)
def test_arrays_that_cannot_be_fitted_are_refused(layers: list[Any], message: str):
    with pytest.raises(SpecError, match=message):
        specnet.build(document(*layers))
