"""Bins whose edges are thresholds of scikit-learn's decision trees."""

from typing import Any

import numpy as np
import pytest
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

import specnet
from tests.networks import dense, document
from tests.registry import part

Array = np.ndarray[Any, Any]
RNG = np.random.default_rng(0)
COLUMNS = np.column_stack([RNG.normal(size=90), RNG.integers(0, 6, 90), RNG.exponential(1000, 90)])
VALUES = np.sin(2 * COLUMNS[:, 0]) + COLUMNS[:, 1] ** 2 + RNG.normal(0, 0.3, 90)
CLASSES = np.digitize(VALUES, [1.0, 8.0])
WEIGHT = RNG.integers(1, 9, 90) / 4


def edges_of(column: Array, target: Array, weight: Array | None = None, bins: int = 5) -> list[float]:
    """Return the distinct edges that the layer finds for a column."""
    tree = part("layer", "piecewise_linear_embedding", strategy="tree", bins=bins)
    edges = tree.fitted_states(column.reshape(-1, 1), target, weight)["edges"]
    assert edges.shape == (bins + 1,)
    return np.unique(edges).tolist()


def theirs(kind: Any, column: Array, target: Array, weight: Array | None = None, bins: int = 5) -> list[float]:
    """Return the ends of a column and the thresholds of scikit-learn's tree between them, in ascending order."""
    tree = kind(max_leaf_nodes=bins, min_samples_leaf=4).fit(column.reshape(-1, 1), target, weight).tree_
    return sorted({column.min(), *tree.threshold[tree.children_left != -1], column.max()})


@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["equal", "weighted"])
@pytest.mark.parametrize("column", COLUMNS.T, ids=["normal", "integers", "skewed"])
def test_edges_are_thresholds_of_scikit_learns_trees(column: Array, weight: Array | None):
    for bins in (2, 5, 12):
        expected = theirs(DecisionTreeClassifier, column, CLASSES, weight, bins)
        assert edges_of(column, CLASSES, weight, bins) == pytest.approx(expected, rel=1e-6)
        for target in (VALUES, np.column_stack([VALUES, column**2])):
            expected = theirs(DecisionTreeRegressor, column, target, weight, bins)
            assert edges_of(column, target, weight, bins) == pytest.approx(expected, rel=1e-6)


def test_zeros_and_ones_have_the_edges_of_two_classes():
    for column in COLUMNS.T:
        is_high = VALUES > 4
        as_numbers = edges_of(column, is_high.astype(np.float32).reshape(-1, 1))
        assert as_numbers == pytest.approx(theirs(DecisionTreeClassifier, column, is_high), rel=1e-6)


def test_edges_follow_the_target_where_quantiles_do_not():
    column = np.arange(100.0)
    assert edges_of(column, (column >= 93).astype(int), bins=8) == [0, 92.5, 99]
    assert edges_of(column, np.zeros(100, int), bins=8) == [0, 99]
    assert edges_of(np.full(9, 3.0), np.arange(9), bins=8) == [3]
    assert edges_of(column, column, bins=1) == [0, 99]


def test_leaves_have_an_eighth_of_their_share_of_the_rows():
    column, target = np.arange(800.0), np.zeros(800)
    target[[0, 1, 2, 3, 4]] = 1  # the best split would leave five rows on one side; 800 / (8 · 4) is 25
    assert min(np.diff(edges_of(column, target, bins=4))) >= 24


def test_numbers_beyond_float32_and_nearly_equal_ones_are_told_apart():
    target = np.repeat([0, 1], 10)
    for column in (np.linspace(-1e300, 1e300, 20), 1 + np.arange(20) * 1e-12):
        assert edges_of(column, target, bins=2) == pytest.approx(
            [column[0], column[9:11].mean(), column[-1]], rel=1e-15
        )


def test_rows_without_weight_are_ignored():
    weight = np.where(np.arange(90) % 3 > 0, WEIGHT, 0)
    counted = weight > 0
    for column in COLUMNS.T:
        expected = edges_of(column[counted], VALUES[counted], weight[counted])
        assert edges_of(column, VALUES, weight) == expected
        assert edges_of(column, VALUES, np.zeros(90)) == edges_of(column, VALUES)


def test_members_on_folds_have_trees_of_the_rows_that_they_are_trained_on():
    spec = document(
        {"type": "piecewise_linear_embedding", "bins": 3, "strategy": "tree"}, dense(1), ensemble=3, epochs=1
    )
    spec["network"]["target_preprocessing"] = ["standardize"]
    found = specnet.fit(spec, COLUMNS, VALUES).state["layers.0.edges"].reshape(3, -1)
    changed = []
    for row in range(0, 90, 15):
        # Another target of one row moves the edges of the two networks that are trained on it, and of no other.
        target = VALUES.copy()
        target[row] += 1000
        other = specnet.fit(spec, COLUMNS, target).state["layers.0.edges"].reshape(3, -1)
        changed.append((other != found).any(axis=1).sum())
    assert set(changed) == {2}
