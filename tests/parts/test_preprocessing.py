"""Preprocessing against scikit-learn's own."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.preprocessing import StandardScaler

from specnet.data import Preparation, tensor_shapes
from specnet.errors import DataError
from specnet.parts.preprocessing import Standardize
from specnet.parts.registry import built_in_registry
from tests.texts.pinned import Refused

ORACLES = {"standardize": StandardScaler}
TABLES = {
    "normal": np.random.default_rng(0).normal(3, 7, (50, 4)),
    "one row": np.array([[1.0, -2.0]]),
    "constant": np.column_stack([np.full(9, 0.1), np.arange(9.0), np.zeros(9)]),
    "constant but for rounding": np.array([[1e9, 1.0], [1e9, 1.0 + 1e-15], [np.nextafter(1e9, 2e9), 1.0]]),
    "far from zero": 1e8 + np.random.default_rng(1).normal(0, 1e-3, (100, 3)),
    "small": np.random.default_rng(2).normal(0, 1e-150, (20, 2)),
    "large": np.random.default_rng(3).normal(0, 1e150, (20, 2)),
}


def test_every_part_has_an_oracle():
    assert {part.part_name() for part in built_in_registry().of_kind("preprocessing")} == set(ORACLES)


@pytest.mark.parametrize("name", ORACLES)
@pytest.mark.parametrize("table", TABLES)
def test_fit_and_apply_agree_with_scikit_learn(name, table):
    columns = TABLES[table]
    part = built_in_registry().find("preprocessing", name)()
    learned, oracle = part.fit(columns), ORACLES[name]().fit(columns)
    assert tuple(learned) == part.learned
    for array in learned.values():
        assert array.shape == (columns.shape[1],)
        assert array.dtype == np.float64
    np.testing.assert_allclose(learned["mean"], oracle.mean_, rtol=1e-15)
    np.testing.assert_allclose(learned["scale"], oracle.scale_, rtol=1e-12)
    prepared = part.apply(columns, learned)
    np.testing.assert_allclose(prepared, oracle.transform(columns), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(part.invert(prepared, learned), columns, rtol=1e-12)


@pytest.mark.parametrize("name", ORACLES)
@pytest.mark.parametrize("table", ["normal", "constant", "far from zero"])
def test_weights_agree_with_scikit_learn_and_with_rows_that_are_repeated(name, table):
    columns = TABLES[table]
    weight = np.random.default_rng(4).integers(0, 4, len(columns))
    part = built_in_registry().find("preprocessing", name)()
    weighted, oracle = part.fit(columns, weight), ORACLES[name]().fit(columns, sample_weight=weight)
    repeated = part.fit(columns.repeat(weight, axis=0))
    np.testing.assert_allclose(weighted["mean"], oracle.mean_, rtol=1e-14)
    np.testing.assert_allclose(weighted["scale"], oracle.scale_, rtol=1e-9)
    for learned, same in repeated.items():
        np.testing.assert_allclose(weighted[learned], same, rtol=1e-9)


@pytest.mark.slow
@given(arrays(np.float64, st.tuples(st.integers(1, 20), st.integers(1, 4)), elements=st.floats(-1e6, 1e6)))
@settings(max_examples=150)
def test_constant_columns_are_those_of_scikit_learn(columns):
    learned, oracle = Standardize().fit(columns), StandardScaler().fit(columns)
    np.testing.assert_array_equal(learned["scale"] == 1, oracle.scale_ == 1)
    np.testing.assert_allclose(learned["scale"], oracle.scale_, rtol=1e-9)


class Recorded:
    """Takes an array's place and writes down the operators that are applied to it."""

    def __init__(self, text):
        self.text = text

    def __sub__(self, other):
        return Recorded(f"({self.text} - {other.text})")

    def __add__(self, other):
        return Recorded(f"({self.text} + {other.text})")

    def __mul__(self, other):
        return Recorded(f"({self.text} * {other.text})")

    def __truediv__(self, other):
        return Recorded(f"({self.text} / {other.text})")


def test_symbolic_values_can_take_the_arrays_place():
    fitted = {"mean": Recorded("m"), "scale": Recorded("s")}
    assert Standardize().apply(Recorded("x"), fitted).text == "((x - m) / s)"
    assert Standardize().invert(Recorded("x"), fitted).text == "((x * s) + m)"


def test_a_chain_fits_each_step_to_what_the_ones_before_make_and_comes_back_from_its_tensors():
    columns = TABLES["normal"]
    steps = (Standardize(), Standardize())
    preparation, prepared = Preparation.fit(steps, columns.astype(np.float32))
    np.testing.assert_array_equal(prepared, preparation.apply(columns.astype(np.float32)))
    np.testing.assert_array_equal(preparation.prepare(columns), preparation.apply(columns))
    np.testing.assert_allclose(preparation.fitted[1]["mean"], 0, atol=1e-14)
    np.testing.assert_allclose(preparation.fitted[1]["scale"], 1, rtol=1e-14)
    np.testing.assert_allclose(preparation.invert(preparation.apply(columns)), columns, rtol=1e-12)

    tensors = preparation.tensors()
    assert {name: array.shape for name, array in tensors.items()} == tensor_shapes(steps, 4)
    assert list(tensors) == ["0.0.mean", "0.0.scale", "0.1.mean", "0.1.scale"]
    again = Preparation.from_tensors(steps, tensors)
    np.testing.assert_array_equal(again.apply(columns), preparation.apply(columns))


def test_fitting_computes_in_float64():
    columns = (1e4 + np.arange(1000.0)).astype(np.float32).reshape(-1, 1)
    learned = Preparation.fit([Standardize()], columns)[0].fitted[0]
    assert learned["mean"] == 1e4 + 499.5
    np.testing.assert_allclose(learned["scale"], np.arange(1000.0).std(), rtol=1e-15)


def test_no_steps_change_nothing():
    columns = TABLES["normal"]
    preparation, prepared = Preparation.fit((), columns)
    assert preparation.apply(columns) is preparation.prepare(columns) is prepared is columns
    assert preparation.tensors() == {}


@pytest.mark.parametrize("order", ["C", "F"])
def test_columns_are_written_over_only_where_they_may_be(order: str):
    columns = np.array(TABLES["normal"], order=order)
    given = columns.copy(order="K")
    preparation, prepared = Preparation.fit([Standardize()], columns)
    np.testing.assert_array_equal(columns, given)
    assert not np.shares_memory(preparation.prepare(columns), columns)
    again, in_place = Preparation.fit([Standardize()], columns, overwrite=True)
    assert in_place is columns
    np.testing.assert_array_equal(in_place, prepared)
    np.testing.assert_array_equal(again.fitted[0]["mean"], preparation.fitted[0]["mean"])
    given.flags.writeable = False
    np.testing.assert_array_equal(preparation.prepare(given, overwrite=True), prepared)


@pytest.mark.parametrize("columns", [1, 2, 3, 7])
@pytest.mark.parametrize("weighted", [False, True])
def test_columns_that_are_fitted_a_few_at_a_time_learn_the_same(columns: int, weighted: bool, monkeypatch):
    rng = np.random.default_rng(0)
    table = rng.normal(5, 3, (999, columns))
    weight = rng.random(999) if weighted else None
    whole = Standardize().fit(table, weight)
    monkeypatch.setattr("specnet.parts.preprocessing.BLOCK", 1)
    few = Standardize().fit(table, weight)
    assert {name: array.tobytes() for name, array in few.items()} == {
        name: array.tobytes() for name, array in whole.items()
    }


def test_numbers_too_large_are_refused_with_their_column(refused: Refused):
    with refused(DataError):
        Preparation.fit([Standardize()], np.array([[0.0, 1e300], [1.0, -1e300]]))
