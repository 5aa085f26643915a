"""Sources of rows that are made or come with scikit-learn: what they say of themselves, give and refuse."""

import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from sklearn import datasets

from tests.registry import REGISTRY, part

FROM_FILES = {"csv", "jsonl", "npz", "parquet"}
PARTS = [each for each in REGISTRY.of_kind("data") if each.part_name() not in FROM_FILES]
VARIANTS = json.loads("""{
    "make_moons": {"n_samples": 31, "noise": 0.3, "shuffle": false},
    "make_circles": {"n_samples": 40, "noise": 0.1, "factor": 0.3},
    "make_blobs": {"n_samples": 33, "n_features": 5, "centers": 4, "cluster_std": 2.0},
    "make_classification": {
        "n_samples": 60, "n_features": 9, "n_informative": 4, "n_redundant": 1, "n_repeated": 2, "n_classes": 3,
        "weights": [0.5, 0.3], "flip_y": 0.0, "class_sep": 2.0, "hypercube": false, "shift": 1.0, "scale": 3.0
    },
    "make_regression": {
        "n_samples": 20, "n_features": 6, "n_informative": 3, "n_targets": 2, "bias": 4.0, "noise": 1.0,
        "effective_rank": 2, "tail_strength": 0.1
    },
    "digits": {"n_class": 3},
    "diabetes": {"scaled": false}
}""")
VARIANTS["make_blobs"]["center_box"] = (-1.0, 2.0)  # which scikit-learn takes as a tuple alone
made = partial(part, "data")


@pytest.mark.parametrize("fields", [False, True], ids=["defaults", "fields"])
@pytest.mark.parametrize("name", [each.part_name() for each in PARTS])
def test_rows_are_scikit_learns(name, fields):
    """The fields' names and defaults are scikit-learn's, and a part says its sizes before it has any rows."""
    fields = VARIANTS.get(name, {}) if fields else {}
    source = made(name, **fields)
    sizes = source.sizes()
    table = source.with_defaults(7, sizes.target).load(Path(), sizes.target)
    if name.startswith("make_"):
        X, y = getattr(datasets, name)(**fields, random_state=7)
    else:
        X, y = getattr(datasets, f"load_{name}")(**fields, return_X_y=True)
        assert len(table.feature_names) == X.shape[1]
    np.testing.assert_array_equal(table.X, X)
    np.testing.assert_array_equal(table.y, y)
    assert table.X.shape[1] == sizes.inputs
    if sizes.target == "classes":
        assert sorted(set(table.y.tolist())) == list(range(sizes.classes))
        assert sizes.outputs is None
    else:
        assert (1 if table.y.ndim == 1 else table.y.shape[1]) == sizes.outputs
        assert sizes.classes is None


@pytest.mark.parametrize("name", ["make_moons", "make_circles"])
def test_curves_are_scikit_learns_in_every_bit(name):
    rng = np.random.default_rng(3)
    for rows in range(1, 100):
        fields = {"n_samples": rows, "noise": rows % 3 * 0.2, "shuffle": rows % 2 == 0}
        fields |= {"factor": rng.random()} if name == "make_circles" else {}
        fields["random_state"] = int(rng.integers(2**32))
        table = made(name, **fields).load(Path(), "classes")
        X, y = getattr(datasets, name)(**fields)
        np.testing.assert_array_equal(table.X, X)
        np.testing.assert_array_equal(table.y, y)
        assert (table.y.dtype, table.X.strides) == (y.dtype, X.strides)  # sums depend on the order in memory


@pytest.mark.parametrize("name", [each.part_name() for each in PARTS])
def test_classes_can_be_had_as_numbers(name):
    source = made(name).with_defaults(0, "values")
    assert source.load(Path(), "values").y.dtype == np.float64


def test_weights_may_be_those_of_all_classes_or_of_all_but_one():
    for weights in ([0.3, 0.7], [0.3]):
        table = made("make_classification", weights=weights).with_defaults(4, "classes").load(Path(), "classes")
        X, y = datasets.make_classification(weights=weights, random_state=4)
        np.testing.assert_array_equal(table.X, X)
        np.testing.assert_array_equal(table.y, y)


def test_defaults_that_follow_from_the_spec():
    filled = made("make_moons", split={"random_state": 5}).with_defaults(3, "classes")
    assert (filled.random_state, filled.split.random_state, filled.split.stratify) == (3, 5, True)
    filled = made("diabetes").with_defaults(3, "values")
    assert (filled.split.random_state, filled.split.stratify) == (3, False)
    assert filled.with_defaults(9, "classes") == filled
    assert made("make_moons", random_state=2).with_defaults(3, "classes").random_state == 2


@pytest.mark.parametrize("shape", [(1000, 100_000), (10_000_000, 10)])
def test_a_table_may_be_as_large_as_memory(shape):
    assert made("make_blobs", n_samples=shape[0], n_features=shape[1]).row_count == shape[0]


@pytest.mark.slow
@given(
    st.fixed_dictionaries(
        {"n_features": st.integers(1, 6), "n_informative": st.integers(1, 4), "n_redundant": st.integers(0, 3)},
        optional={"n_classes": st.integers(2, 5), "n_clusters_per_class": st.integers(1, 4)},
    )
)
@settings(max_examples=100)
def test_make_classification_refuses_what_scikit_learn_refuses(fields):
    try:
        source = made("make_classification", **fields)
    except ValidationError:
        with pytest.raises(ValueError, match="must"):
            datasets.make_classification(**fields)
    else:
        source.with_defaults(0, "classes").load(Path(), "classes")
