"""Preprocessing against scikit-learn's own."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.preprocessing import StandardScaler

from specnet.parts.preprocessing import Standardize

TABLES = {
    "normal": np.random.default_rng(0).normal(3, 7, (50, 4)),
    "one row": np.array([[1.0, -2.0]]),
    "constant": np.column_stack([np.full(9, 0.1), np.arange(9.0), np.zeros(9)]),
    "constant but for rounding": np.array([[1e9, 1.0], [1e9, 1.0 + 1e-15], [np.nextafter(1e9, 2e9), 1.0]]),
    "far from zero": 1e8 + np.random.default_rng(1).normal(0, 1e-3, (100, 3)),
    "small": np.random.default_rng(2).normal(0, 1e-150, (20, 2)),
    "large": np.random.default_rng(3).normal(0, 1e150, (20, 2)),
}


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("table", TABLES)
def test_fit_and_apply_agree_with_scikit_learn(table, weighted):
    columns = TABLES[table]
    weight = np.random.default_rng(4).integers(1, 4, len(columns)) if weighted else None
    learned, oracle = Standardize().fit(columns, weight)[1], StandardScaler().fit(columns, sample_weight=weight)
    np.testing.assert_allclose(learned["mean"], oracle.mean_, rtol=1e-14)
    np.testing.assert_allclose(learned["scale"], oracle.scale_, rtol=1e-9 if weighted else 1e-12)
    prepared = Standardize().apply(columns, learned)
    if not weighted:
        np.testing.assert_allclose(prepared, oracle.transform(columns), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(Standardize().invert(prepared, learned), columns, rtol=1e-12)


@pytest.mark.slow
@given(arrays(np.float64, st.tuples(st.integers(1, 20), st.integers(1, 4)), elements=st.floats(-1e6, 1e6)))
@settings(max_examples=150)
def test_constant_columns_are_those_of_scikit_learn(columns):
    learned, oracle = Standardize().fit(columns)[1], StandardScaler().fit(columns)
    np.testing.assert_array_equal(learned["scale"] == 1, oracle.scale_ == 1)
    np.testing.assert_allclose(learned["scale"], oracle.scale_, rtol=1e-9)


@pytest.mark.parametrize("weighted", [False, True])
def test_columns_that_are_fitted_a_few_at_a_time_learn_the_same_bits(weighted: bool, monkeypatch):
    rng = np.random.default_rng(0)
    table, weight = rng.normal(5, 3, (999, 7)), rng.random(999) if weighted else None
    whole = Standardize().fit(table, weight)[1]
    for numbers in (1, 2000):
        monkeypatch.setattr("specnet.parts.preprocessing.base.BLOCK", numbers)
        few = Standardize().fit(table, weight)[1]
        assert {name: bytes(array) for name, array in few.items()} == {
            name: bytes(array) for name, array in whole.items()
        }
