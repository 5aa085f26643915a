"""Preprocessing against scikit-learn's own."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.preprocessing import StandardScaler

from specnet.parts.preprocessing import Standardize
from specnet.parts.registry import built_in_registry

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


@pytest.mark.parametrize("name", ORACLES)
@pytest.mark.parametrize("table", TABLES)
def test_fit_and_apply_agree_with_scikit_learn(name, table):
    columns = TABLES[table]
    part = built_in_registry().find("preprocessing", name)()
    learned, oracle = part.fit(columns)[1], ORACLES[name]().fit(columns)
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
    weighted, oracle = part.fit(columns, weight)[1], ORACLES[name]().fit(columns, sample_weight=weight)
    repeated = part.fit(columns.repeat(weight, axis=0))[1]
    np.testing.assert_allclose(weighted["mean"], oracle.mean_, rtol=1e-14)
    np.testing.assert_allclose(weighted["scale"], oracle.scale_, rtol=1e-9)
    for learned, same in repeated.items():
        np.testing.assert_allclose(weighted[learned], same, rtol=1e-9)


@pytest.mark.slow
@given(arrays(np.float64, st.tuples(st.integers(1, 20), st.integers(1, 4)), elements=st.floats(-1e6, 1e6)))
@settings(max_examples=150)
def test_constant_columns_are_those_of_scikit_learn(columns):
    learned, oracle = Standardize().fit(columns)[1], StandardScaler().fit(columns)
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


@pytest.mark.parametrize("columns", [1, 2, 3, 7])
@pytest.mark.parametrize("weighted", [False, True])
def test_columns_that_are_fitted_a_few_at_a_time_learn_the_same(columns: int, weighted: bool, monkeypatch):
    rng = np.random.default_rng(0)
    table = rng.normal(5, 3, (999, columns))
    weight = rng.random(999) if weighted else None
    whole = Standardize().fit(table, weight)[1]
    monkeypatch.setattr("specnet.parts.preprocessing.base.BLOCK", 1)
    few = Standardize().fit(table, weight)[1]
    assert {name: array.tobytes() for name, array in few.items()} == {
        name: array.tobytes() for name, array in whole.items()
    }
