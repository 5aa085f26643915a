"""The folds of an ensemble: every row in one, as even as they can be, whole groups where the split has them.

Folds of a split by time: tested rows are later than training rows, and rows near in time stay together.
"""

from typing import Any

import numpy as np
import pytest
from sklearn.model_selection import GroupKFold, StratifiedKFold, TimeSeriesSplit

from specnet import DataError
from specnet.data import split_rows
from specnet.parts.data import Split, Table
from specnet.spec.document import Ensemble
from tests.data.splits import table
from tests.texts.pinned import Refused

FIVE = Ensemble(members=5)


def folds_of(y: Any, ensemble: Ensemble = FIVE, by: Any = None, seed: int = 0, **split: Any) -> np.ndarray:
    y = np.asarray(y)
    table = Table(np.zeros((len(y), 1)), y, "values" if y.dtype.kind == "f" else "classes", split_by=by)
    found = split_rows(table, Split(**split).without_test(), seed, ensemble).folds
    assert found is not None
    return found


def counts(numbers: np.ndarray, by: np.ndarray) -> np.ndarray:
    """Return how many of each (rows) there are in each fold (columns)."""
    return np.array([np.bincount(by[numbers == each], minlength=by.max() + 1) for each in np.unique(numbers)])


@pytest.mark.parametrize("rows", [5, 23, 100])
def test_folds_of_values_differ_by_one_row_at_most(rows: int):
    sizes = np.bincount(folds_of(np.zeros(rows)))
    assert len(sizes) == 5
    assert sizes.sum() == rows
    assert sizes.max() - sizes.min() <= 1


@pytest.mark.parametrize("shares", [(60, 40), (97, 11, 3), (50, 1, 1)])
def test_classes_are_spread_at_least_as_evenly_as_scikit_learn_does(shares: tuple[int, ...], recwarn):
    y = np.random.default_rng(0).permutation(np.repeat(np.arange(len(shares)), shares))
    mine = folds_of(y)
    theirs = np.empty_like(mine)
    for number, (_, fold) in enumerate(StratifiedKFold(5, shuffle=True, random_state=0).split(y, y)):
        theirs[fold] = number
    uneven, allowed = (np.ptp(counts(y, folds), axis=1) for folds in (mine, theirs))
    assert (uneven <= 1).all()
    assert (uneven <= allowed).all()
    assert np.ptp(np.bincount(mine)) <= 1


def test_several_labels_count_as_one_class():
    y = np.random.default_rng(0).integers(0, 2, (80, 3))
    _, combination = np.unique(y, axis=0, return_inverse=True)
    assert (np.ptp(counts(combination.reshape(-1), folds_of(y)), axis=1) <= 1).all()


def test_without_stratify_classes_fall_as_they_do():
    y = np.repeat([0, 1], 50)
    found = counts(y, folds_of(y, stratify=False))
    assert np.ptp(found) > 1
    assert (found.sum(0) == 20).all()


def test_groups_are_whole_and_folds_as_even_as_scikit_learns():
    generator = np.random.default_rng(0)
    groups = np.repeat(np.array([f"g{number}" for number in range(30)]), generator.integers(1, 12, 30))
    generator.shuffle(groups)
    mine = folds_of(np.arange(len(groups)) % 2, by=groups, group="patient")
    theirs = np.empty_like(mine)
    for number, (_, fold) in enumerate(GroupKFold(5).split(groups, groups=groups)):
        theirs[fold] = number
    assert all(len(np.unique(mine[groups == group])) == 1 for group in groups)
    assert sorted(np.bincount(mine)) == sorted(np.bincount(theirs))


def test_folds_are_dealt_out_in_an_order_of_their_own_stream():
    """By class, and the largest groups first, each to the smallest fold; ties stay in the order."""
    labels, expected = np.arange(60) % 4, np.empty(60, int)
    order = np.random.default_rng([3, 1]).permutation(60)
    for place, row in enumerate(sorted(order, key=lambda row: labels[row])):
        expected[row] = place % 5
    np.testing.assert_array_equal(folds_of(labels, seed=3), expected)
    sizes = np.repeat([1, 3, 2], 20)
    groups, fold, filled = np.repeat(np.arange(60), sizes), np.empty(60, int), [0] * 5
    for group in sorted(np.random.default_rng([3, 1]).permutation(60), key=lambda group: -sizes[group]):
        fold[group] = filled.index(min(filled))
        filled[fold[group]] += sizes[group]
    np.testing.assert_array_equal(folds_of(np.zeros(len(groups)), by=groups, group="g", seed=3), fold[groups])


def test_folds_depend_on_the_random_state_alone():
    y = np.arange(60) % 3
    np.testing.assert_array_equal(folds_of(y, seed=1, random_state=7), folds_of(y, seed=2, random_state=7))
    np.testing.assert_array_equal(folds_of(y, seed=7), folds_of(y, random_state=7))
    assert (folds_of(y, seed=1) != folds_of(y, seed=2)).any()


def test_folds_are_of_training_rows():
    table = Table(np.zeros((50, 1)), np.arange(50) % 2, "classes")
    parts = split_rows(table, Split(test_size=0.2), 0, FIVE)
    assert parts.folds is not None
    assert len(parts.folds) == len(parts.train) == 40
    assert parts.validation is None
    assert split_rows(table, Split(), 0, Ensemble(members=5, validation="none")).folds is None
    shared = split_rows(table, Split(validation_size=0.2), 0, Ensemble(members=5, validation="split"))
    assert (len(shared.validation), shared.folds) == (10, None)


NINE, PARTS = np.zeros(9), np.repeat(["train", "validation", "test"], 3)
IMPOSSIBLE: list[dict[str, Any]] = [
    {"y": np.zeros(4)},
    {"y": NINE, "by": np.arange(9) // 3, "group": "patient"},
    {"y": np.zeros(1)},
    {"y": NINE, "by": NINE, "group": "patient"},
    {"y": NINE, "ensemble": Ensemble(members=1)},
    {"y": NINE, "validation_size": 0.2},
    {"y": NINE, "by": PARTS, "column": "part"},
]


def test_what_cannot_be_cut(refused: Refused):
    for arguments in IMPOSSIBLE:
        with refused(DataError, code="ensemble"):
            folds_of(**arguments)
    with refused(DataError, code="split"):
        folds_of(NINE, group="patient")


def fold(times: np.ndarray, number: int, folds: int = 4, **split: Any) -> Any:
    rows = table(np.zeros(len(times)), "values", times)
    return split_rows(rows, Split(time="day", folds=folds, fold=number, **split), seed=0)


@pytest.mark.parametrize("rows", [5, 23, 100])
def test_folds_are_those_of_scikit_learn_for_rows_in_the_order_of_time(rows: int):
    times = np.random.default_rng(rows).permutation(rows)
    order = np.argsort(times)
    for number, (train, test) in enumerate(TimeSeriesSplit(4).split(order)):
        found = fold(times, number).parts()
        assert found.keys() == {"train", "test"}
        assert sorted(found["train"]) == sorted(order[train])
        assert sorted(found["test"]) == sorted(order[test])
        assert (np.diff(found["train"]) > 0).all(), "rows keep their order"


def test_rows_of_the_same_time_are_in_one_fold_and_each_but_the_first_is_tested_once():
    times = np.random.default_rng(0).integers(0, 30, 200).astype(float)
    tested = []
    for number in range(4):
        parts = fold(times, number).parts()
        assert times[parts["train"]].max() < times[parts["test"]].min()
        tested.append(parts["test"])
    first = times < times[tested[0]].min()
    assert sorted(np.concatenate(tested)) == np.flatnonzero(~first).tolist()


def test_validation_rows_are_the_latest_before_the_fold_and_a_share_of_the_rows_up_to_its_end():
    times = np.random.default_rng(0).permutation(100).astype(float)
    parts = fold(times, 1, validation_size=0.1).parts()
    assert sorted(times[parts["test"]]) == list(range(40, 60))
    assert sorted(times[parts["validation"]]) == list(range(34, 40))
    assert sorted(times[parts["train"]]) == list(range(34))


def test_folds_for_validation_are_of_the_rows_before_the_test_rows():
    times = np.random.default_rng(0).permutation(100).astype(float)
    parts = fold(times, 3, fold_part="validation", test_size=0.2).parts()
    assert sorted(times[parts["test"]]) == list(range(80, 100))
    assert sorted(times[parts["validation"]]) == list(range(64, 80))
    assert sorted(times[parts["train"]]) == list(range(64))


@pytest.mark.parametrize("times", [np.zeros(20), np.repeat([0.0, 1.0, 2.0], 10), np.arange(4.0)])
def test_too_few_times_for_folds_are_refused(times: np.ndarray, refused: Refused):
    with refused(DataError, code="split", at="data.split.folds"):
        fold(times, 0)


def test_members_are_validated_on_blocks_of_time():
    """The blocks are equal parts of the rows in the order of time, as NumPy cuts them."""
    times = np.random.default_rng(0).permutation(100).astype(float)
    rows = table(np.zeros(100), "values", times)
    found = split_rows(rows, Split(time="day", test_size=0.2), 0, Ensemble(members=5))
    assert found.folds is not None
    for member, block in enumerate(np.array_split(np.arange(80), 5)):
        assert sorted(times[found.train[found.folds == member]]) == block.tolist()


def test_equal_times_are_in_one_block_and_blocks_are_even():
    times = np.random.default_rng(1).integers(0, 60, 600).astype(float)
    found = split_rows(table(np.zeros(600), "values", times), Split(time="t", test_size=0), 0, Ensemble(members=5))
    assert found.folds is not None
    of_time = [set(found.folds[times[found.train] == time]) for time in np.unique(times)]
    assert all(len(folds) == 1 for folds in of_time)
    assert np.abs(np.bincount(found.folds) - 120).max() <= np.bincount(times.astype(int)).max()


def test_too_few_times_for_members_are_refused(refused: Refused):
    rows = table(np.zeros(40), "values", np.repeat([0.0, 1.0, 2.0], [14, 13, 13]))
    with refused(DataError, code="ensemble", at="training.ensemble"):
        split_rows(rows, Split(time="t", test_size=0.2), 0, Ensemble(members=5))
