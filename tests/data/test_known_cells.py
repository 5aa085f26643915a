"""What a fitted preparation knows of cells: gaps, texts, and numbers too large for a network."""

from functools import partial

import numpy as np

from specnet import data
from specnet.data import Preparation, StepGroup
from tests.registry import part

step_of = partial(part, "preprocessing")
IMPUTE, ONE_HOT, STANDARDIZE, CALENDAR = map(step_of, ("impute", "one_hot", "standardize", "calendar"))


def test_it_is_known_which_raw_columns_had_gaps_in_training():
    rng = np.random.default_rng(3)
    X = np.column_stack([rng.integers(0, 2, 60), *rng.normal(9000, 400, (4, 60)), rng.integers(0, 2, 60)]).astype(float)
    X[:9, [0, 2, 3]] = np.nan
    texts = (np.array(["a", "b"]), None, None, None, None, np.array(["c", "d"]))
    groups = [
        StepGroup((1, 3), (CALENDAR, IMPUTE, STANDARDIZE)),
        StepGroup((4, 2), (step_of("impute", indicator=True), STANDARDIZE)),
        StepGroup((0, 5), (ONE_HOT,)),
    ]
    preparation = Preparation.fit(groups, X, texts=texts)
    assert data.trained_gaps(preparation, 6).tolist() == [True, False, True, True, False, False]
    assert not data.trained_gaps(Preparation.fit(data.unfitted([STANDARDIZE]), X[10:, 1:3]), 2).any()
    assert not data.trained_gaps(Preparation(), 2).any()


def test_gaps_are_filled_where_the_steps_fill_or_code_them_whatever_training_had():
    X = np.random.default_rng(3).integers(0, 2, (60, 5)).astype(float)
    groups = [
        StepGroup((3, 1), (CALENDAR, IMPUTE, STANDARDIZE)),
        StepGroup((2,), (STANDARDIZE,)),
        StepGroup((4,), (step_of("impute", strategy="error"),)),
        StepGroup((0,), (ONE_HOT,)),
    ]
    preparation = Preparation.fit(groups, X, texts=(np.array(["a", "b"]), None, None, None, None))
    assert data.filled_gaps(preparation, 5).tolist() == [True, True, False, True, False]
    assert not data.filled_gaps(Preparation(), 2).any()
    assert data.known_texts(preparation, 5) == {0: ["a", "b"]}
    assert [data.group_texts(group) for group in preparation.groups] == [[], [], [], [["a", "b"]]]
    assert data.group_texts(StepGroup(None, ())) == []


def test_cells_too_large_are_found_wherever_they_are(numbers_at_once):
    numbers_at_once(6)
    X = np.array([[0.0, 1.0, 2.0]] * 9)
    X[1, 1], X[4, 2], X[5], X[7, 0] = np.nan, -1e200, [1e39, 4e39, np.nan], np.inf
    single, double = np.dtype(np.float32), np.dtype(np.float64)
    assert np.flatnonzero(data.large_rows(Preparation(), X, single)).tolist() == [4, 5, 7]
    assert np.flatnonzero(data.large_rows(Preparation(), X, double)).tolist() == [7]
    assert data.first_large_cell(Preparation(), X, single) == (4, 2, -1e200)
    assert data.first_large_cell(Preparation(), X, double) == (7, 0, np.inf)
    assert data.first_large_cell(Preparation(), X[:4], single) is None
    assert data.first_large_cell(Preparation(), X[5:], single) == (0, 0, 1e39)
    assert data.largest_cell(X[:7], [0, 1]) == (5, 1, 4e39)
    assert data.largest_cell(X[:7], [1, 2]) == (4, 2, -1e200)
    assert data.largest_cell(X[1:2], [1]) == (0, 1, 0.0)

    hot = StepGroup((0,), (step_of("one_hot", minimum_count=1),))
    groups = [hot, StepGroup((2, 1), (step_of("impute", indicator=True), STANDARDIZE))]
    numbers = np.array([[0.0, 1.0, 2.0], [1.0, np.nan, 4.0], [0.0, 2.0, 9.0]])
    preparation = Preparation.fit(groups, numbers, texts=(np.array(["a", "b"]), None, None))
    numbers[2], numbers[1, 0] = [np.nan, 1e3, -1e40], 1e300
    assert data.large_rows(preparation, numbers, single).tolist() == [False, False, True]
    assert data.first_large_cell(preparation, numbers, single) == (2, 2, -1e40)
