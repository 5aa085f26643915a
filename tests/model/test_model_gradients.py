"""Derivatives of predictions by raw columns, against differences of predictions: over all parts of a model."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pandas as pd
import pytest

from specnet import DataError, Model, build, fit
from specnet.data import Preparation, RawColumns, unfitted
from tests.compiling import compiles
from tests.exporting.models import ensemble_of, random_model, team_of
from tests.model.differences import compare, numbers_of
from tests.model.models import KINDS, make_model
from tests.random_specs import LOSSES
from tests.registry import find, names

TOLERANCE = 1e-6
"""Of the largest entry of a column."""
COUNT = 40
RNG = np.random.default_rng(0)


def check(model: Model, rows: RawColumns, share: float = 0.9) -> None:
    """Compare with differences; at least this share of the coordinates are not at kinks."""
    found = compare(model, rows)
    assert found.error < TOLERANCE, found
    assert found.compared >= share * (found.compared + found.left_out), found
    assert found.compared


def rows_for(model: Model, count: int = COUNT) -> RawColumns:
    """Return rows around those that the preprocessing of `make_model` was fitted to."""
    return RawColumns(np.random.default_rng(1).normal(5, 3, (count, model.network.resolved.columns)))


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_answer(kind: str) -> None:
    model = make_model(kind)
    check(model, rows_for(model))
    shape = numbers_of(model, rows_for(model)).shape
    assert model.gradient(rows_for(model)).shape == (*shape, model.network.resolved.columns)


@pytest.mark.parametrize("kind", ["binary", "classes", "values"])
@pytest.mark.parametrize("make", [lambda kind: ensemble_of(make_model(kind)), lambda kind: team_of(kind, "float64")])
def test_of_ensembles_and_teams_they_are_of_the_mean(kind: str, make: Callable[[str], Model]) -> None:
    check(make(kind), rows_for(make(kind)))


def test_a_model_that_is_no_longer_used_is_freed() -> None:
    model = make_model("values")
    model.gradient(rows_for(model))
    network = weakref.ref(model.networks[0])
    del model
    gc.collect()
    assert network() is None


def test_threads_and_numbers_of_rows_do_not_mix() -> None:
    """Programs are bound once: each thread has its own, with the parameters of the member that is computed."""
    model = ensemble_of(make_model("values"))
    rows = rows_for(model, 400)
    parts = [rows.part(slice(start, start + size)) for start in range(0, 100, 10) for size in (1, 20, 300)]
    expected = [ensemble_of(make_model("values")).gradient(part) for part in parts]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(model.gradient, parts))
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("seed", range(40))
def test_random_networks(seed: int) -> None:
    model = random_model(seed, "float64")
    X = np.random.default_rng(seed).normal(size=(COUNT, model.network.inputs))
    embedded = model.network.resolved.category_counts
    for column, count in embedded.items():
        X[:, column] = RNG.integers(0, count, COUNT)
    gradient = model.gradient(X)
    assert np.isnan(gradient[:, :, list(embedded)]).all()
    if len(embedded) < model.network.inputs:
        check(model, RawColumns(X), 0.5)
    if not embedded:
        check_jacobian(model, X, gradient)


def check_jacobian(model: Model, X: np.ndarray, gradient: np.ndarray) -> None:
    """Compare with the derivatives of the network's outputs, of which a loss may use some."""
    (theta, state), count = model.members[0], gradient.shape[1]
    found = model.network.jacobian(theta, X, state)[:, -count:] if model.network.task != "values" else None
    if found is not None and not model.decoder.gives_both_classes:
        np.testing.assert_allclose(found, gradient, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", names("activation"))
def test_each_activation(name: str) -> None:
    layers: list[dict[str, Any]] = [{"type": "dense", "units": 6, "activation": name}, {"type": "dense", "units": 2}]
    spec = {"network": {"dtype": "float64", "input_size": 3, "layers": layers}, "training": {"loss": "huber"}}
    network = build(spec)
    model = Model(network, np.random.default_rng(2).normal(size=network.parameter_count))
    check(model, RawColumns(RNG.normal(size=(COUNT, 3))))


@pytest.mark.parametrize("name", LOSSES)
def test_each_loss(name: str) -> None:
    loss: Any = find("loss", name)
    outputs = 3 * loss.outputs_per_target if name != "binary_crossentropy" else 1
    network = {"dtype": "float64", "layer_sizes": [3, 4, outputs], "preprocessing": ["standardize"]}
    made = build({"network": network, "training": {"loss": name}})
    prepared = Preparation.fit(unfitted(made.spec.network.preprocessing), RNG.normal(5, 3, (20, 3)))
    model = Model(made, RNG.normal(0, 0.5, made.parameter_count), preprocessing=prepared)
    check(model, rows_for(model))


def prepared_model(steps: list[Any], target: list[Any], engine: str = "numpy") -> Model:
    """Return a tanh network of these steps, fitted to random rows; nothing of it is trained."""
    generator = np.random.default_rng(7)
    inputs = 6 if "impute" in str(steps) else 3
    network = {"dtype": "float64", "layer_sizes": [inputs, 5, 2], "activations": "tanh"}
    network |= {"preprocessing": steps, "target_preprocessing": target}
    made = build({"network": network, "training": {"loss": "mean_squared_error"}}, engine=engine)
    columns, values = generator.normal(2, 4, (60, 3)), generator.normal(2, 40, (60, 2))
    return Model(
        made,
        generator.normal(size=made.parameter_count),
        preprocessing=Preparation.fit(unfitted(made.spec.network.preprocessing or ()), columns),
        target_preprocessing=Preparation.fit(unfitted(made.spec.network.target_preprocessing or ()), values),
    )


STEPS: list[list[Any]] = [
    ["standardize"],
    ["robust", "smooth_clip"],
    ["minmax"],
    ["clip", "standardize"],
    ["log", "standardize"],
    ["quantile"],
    [{"type": "quantile", "points": 4}],
    [{"type": "impute", "strategy": "mean", "indicator": True}, "standardize"],
]


@pytest.mark.parametrize("steps", STEPS, ids=str)
def test_each_step_of_columns(steps: list[Any]) -> None:
    check(prepared_model(steps, []), RawColumns(np.random.default_rng(8).normal(2, 4, (COUNT, 3))))


@pytest.mark.parametrize("step", ["standardize", "robust", "minmax", "log", "clip"])
def test_each_step_of_the_target(step: str) -> None:
    check(prepared_model([], [step]), RawColumns(np.random.default_rng(8).normal(size=(COUNT, 3))), 0.8)


@compiles
@pytest.mark.parametrize("steps", [["quantile"], ["log", "standardize"]], ids=str)
def test_both_engines_give_the_same(steps: list[Any]) -> None:
    X = np.random.default_rng(8).normal(2, 4, (COUNT, 3))
    found = [prepared_model(steps, ["log"], engine) for engine in ("numpy", "compiled")]
    expected, compiled = (model.gradient(X) for model in found)
    np.testing.assert_allclose(compiled, expected, rtol=1e-12, atol=1e-14)
    jacobians = [model.network.jacobian(model.theta, X) for model in found]
    np.testing.assert_allclose(jacobians[1], jacobians[0], rtol=1e-12, atol=1e-14)


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    generator, count = np.random.default_rng(0), 60
    area = generator.normal(100, 20, count)
    return pd.DataFrame(
        {
            "area": np.where(generator.random(count) < 0.2, np.nan, area),
            "city": generator.choice(["Bonn", "Rome", "Oslo", ""], count),
            "since": pd.Timestamp("2020-01-01") + pd.to_timedelta(generator.integers(0, 999, count), "D"),
            "open": generator.choice([True, False], count),
            "rooms": generator.integers(1, 9, count).astype(float),
            "price": 3000 * area + generator.normal(0, 1, count),
        }
    )


@pytest.mark.parametrize("embedded", [False, True])
def test_a_table_of_all_kinds(table: pd.DataFrame, embedded: bool) -> None:
    """Numbers and dates have derivatives; categories, booleans and missing cells have none."""
    groups = [{"columns": ["city"], "steps": ["embedding"]}] if embedded else None
    network: dict[str, Any] = {"hidden_layer_sizes": [4], "dtype": "float64", "activations": "tanh"}
    network |= {"target_preprocessing": ["standardize"], **({"preprocessing": groups} if groups else {})}
    spec = {"network": network, "training": {"loss": "mean_squared_error", "epochs": 2, "ensemble": 2}}
    model = fit(spec, table.drop(columns="price"), table["price"])
    raw = model._raw_columns(table.drop(columns="price"))
    gradient = model.gradient(raw)
    names = list(model.feature_names or ())
    missing = table["area"].isna().to_numpy()
    for name in ("city", "open"):
        assert np.isnan(gradient[:, :, names.index(name)]).all()
    np.testing.assert_array_equal(np.isnan(gradient[:, 0, names.index("area")]), missing)
    assert np.isfinite(gradient[:, :, [names.index("since"), names.index("rooms")]]).all()
    check(model, raw, 0.5)


def test_a_derivative_has_the_units_of_the_table(table: pd.DataFrame) -> None:
    """A line through standardized columns and prices has the slope of its weight in their units."""
    known = table[["area", "price"]].dropna()
    spec = {
        "network": {
            "layer_sizes": [1, 1],
            "dtype": "float64",
            "preprocessing": ["standardize"],
            "target_preprocessing": ["standardize"],
        },
        "training": {"loss": "mean_squared_error", "optimizer": "lbfgs", "epochs": 5, "batch_size": "full"},
    }
    model = fit(spec, known[["area"]].to_numpy(), known["price"].to_numpy())
    np.testing.assert_allclose(model.gradient(known[["area"]].to_numpy()), 3000, rtol=1e-3)


def test_dates_count_by_the_day(table: pd.DataFrame) -> None:
    days = (table["since"] - pd.Timestamp("1970-01-01")).dt.days.to_numpy(float)
    steps = [{"columns": ["since"], "steps": ["standardize"]}]
    spec = {
        "network": {"hidden_layer_sizes": [3], "activations": "tanh", "dtype": "float64", "preprocessing": steps},
        "training": {"loss": "mean_squared_error", "epochs": 3},
    }
    model = fit(spec, table[["since"]], (days - days.mean()) / 100)
    tomorrow = table[["since"]] + pd.Timedelta(hours=1)
    yesterday = table[["since"]] - pd.Timedelta(hours=1)
    slope = (model.predict(tomorrow) - model.predict(yesterday)) * 12
    np.testing.assert_allclose(model.gradient(table[["since"]])[:, 0, 0], slope, rtol=1e-5)


def test_at_a_kink_a_derivative_is_one_sided() -> None:
    """The engine's convention: relu has 0 at 0; a step of ranks has that of the part above a knot."""
    network = build(
        {
            "network": {"dtype": "float64", "layer_sizes": [1, 2, 1], "activations": "relu"},
            "training": {"loss": "mean_squared_error"},
        }
    )
    weight = np.zeros(network.parameter_count)
    arrays = network.parameters(weight)
    arrays["layers.0.weight"][:], arrays["layers.1.weight"][:] = [[1], [-1]], [[2, 3]]
    found = Model(network, weight).gradient([[-1.0], [0.0], [1.0]])
    np.testing.assert_array_equal(found[:, 0, 0], [-3, 0, 2])
    np.testing.assert_array_equal(network.jacobian(weight, [[-1.0], [0.0], [1.0]])[:, 0, 0], [-3, 0, 2])
    ranks = prepared_model([{"type": "quantile", "points": 4}], [])
    knots = ranks.preprocessing.fitted[0]["knots"]
    at, above = (ranks.gradient(knots + apart) for apart in (0, 1e-9))
    np.testing.assert_allclose(at, above, rtol=1e-6)


def test_the_logarithm_has_no_kink_at_0() -> None:
    for model in (prepared_model(["log"], []), prepared_model([], ["log"])):
        at, beside = (model.gradient(np.full((1, 3), number)) for number in (0.0, 1e-9))
        np.testing.assert_allclose(at, beside, rtol=1e-6)


def test_many_rows_are_computed_in_parts() -> None:
    model = make_model("classes")
    X = np.random.default_rng(3).normal(5, 3, (9001, 3))
    whole, some = model.gradient(X), np.concatenate([model.gradient(X[:17]), model.gradient(X[17:])])
    np.testing.assert_allclose(whole, some, rtol=1e-12, atol=1e-15)


def test_a_float32_model_has_derivatives_in_float64() -> None:
    narrow = make_model("classes", "float32")
    found = narrow.gradient(rows_for(narrow))
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, narrow.astype("float64").gradient(rows_for(narrow)), rtol=1e-12, atol=1e-15)


def test_of_wrong_rows_there_is_one_error() -> None:
    model = make_model("value")
    for wrong, message in (([[1.0, 2.0]], "shape"), ([[1.0, np.nan, 0.0]], "finite"), ([[np.inf, 0, 0]], "finite")):
        with pytest.raises(DataError, match=message):
            model.gradient(wrong)
    with pytest.raises(DataError, match="shape"):
        model.network.jacobian(model.theta, [[1.0, 2.0]])
