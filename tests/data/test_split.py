"""Splits against scikit-learn's own, and folds as the test or the validation part."""

import numpy as np
import pytest
from sklearn.model_selection import GroupKFold, KFold, StratifiedKFold, train_test_split

from specnet import DataError
from specnet.data import split_rows
from specnet.data.target_errors import looks_like_numbers
from specnet.parts.data import Split
from tests.data.splits import assert_parts, table
from tests.texts.pinned import Refused


@pytest.mark.parametrize("rows", [7, 10, 33, 100, 101])
@pytest.mark.parametrize("test_size", [0.07, 0.25, 0.3])
def test_any_split_is_scikit_learns(rows, test_size):
    y = np.arange(rows) % 2
    numbers = np.arange(rows)
    plain = split_rows(table(y), Split(test_size=test_size, stratify=False), seed=3)
    train, test = train_test_split(numbers, test_size=test_size, random_state=3)
    assert_parts(plain, train=train, test=test)
    if np.ceil(test_size * rows) >= 2:
        train, test = train_test_split(numbers, test_size=test_size, random_state=3, stratify=y)
        assert_parts(split_rows(table(y), Split(test_size=test_size), seed=3), train=train, test=test)


def labels_of(rng: np.random.Generator, rows: int):
    """Return numbers, texts or rows of both as labels: in equal shares, or with rare classes."""
    numbers = rng.integers(0, 12, rows) if rng.integers(2) else rng.geometric(0.4, rows)
    texts = np.array([*"cbaZ_ ä"])[numbers % 7]
    return [numbers, numbers / 2, texts, np.stack([numbers % 2, numbers // 2], 1), np.stack([texts, texts[::-1]], 1)]


def test_random_rows_are_scikit_learns_whatever_the_classes():
    rng, cases = np.random.default_rng(0), 0
    for _ in range(40):
        rows, seed = int(rng.integers(4, 90)), int(rng.integers(2**32))
        for labels in labels_of(rng, rows):
            _, classes, sizes = np.unique(labels, axis=0, return_inverse=True, return_counts=True)
            numbers = np.flatnonzero((sizes > 1)[classes.reshape(-1)])
            alone, classes = np.setdiff1d(np.arange(rows), numbers), np.count_nonzero(sizes > 1)
            if not 0 < classes <= len(numbers) - classes or looks_like_numbers(labels):
                continue
            count = int(rng.integers(classes, len(numbers) - classes + 1))
            split = Split(test_size=(count - 0.5) / rows, random_state=seed)
            kept, taken = train_test_split(numbers, test_size=count, random_state=seed, stratify=labels[numbers])
            assert_parts(split_rows(table(labels), split, seed=0), train=[*kept, *alone], test=taken)
            cases += 1
    assert cases > 100


def test_validation_is_cut_from_the_rest_as_a_share_of_all_rows():
    y = np.repeat([0, 1, 2], 40)
    split = split_rows(table(y), Split(test_size=0.25, validation_size=0.25, random_state=1), seed=0)
    assert {name: len(rows) for name, rows in split.parts().items()} == {"train": 60, "validation": 30, "test": 30}
    assert sorted(np.concatenate(list(split.parts().values()))) == list(range(120))
    for rows in split.parts().values():
        assert len(set(np.bincount(y[rows]))) == 1
    without = split_rows(table(y), Split(test_size=0.25, random_state=1), seed=0)
    np.testing.assert_array_equal(split.test, without.test)


def test_no_split_keeps_every_row_in_order():
    split = split_rows(table([0, 1, 0, 1]), Split(test_size=0), seed=0)
    assert_parts(split, train=range(4))


def test_seed_fills_a_missing_random_state():
    y = np.arange(50) % 2
    by_seed = split_rows(table(y), Split(), seed=4)
    np.testing.assert_array_equal(by_seed.test, split_rows(table(y), Split(random_state=4), seed=9).test)
    assert list(by_seed.test) != list(split_rows(table(y), Split(), seed=5).test)


def test_classes_of_two_rows_are_split_in_halves():
    labels = np.repeat([0, 1, 2, 3], 2)
    split = split_rows(table(labels), Split(test_size=0.5), seed=0)
    assert sorted(labels[split.train]) == sorted(labels[split.test]) == [0, 1, 2, 3]


def test_the_only_row_of_a_class_trains_and_the_others_are_split_as_without_it():
    y = np.array(["b", "a"] * 20 + ["c", "b", "a", "d"])
    alone = [40, 43]
    others = np.setdiff1d(np.arange(len(y)), alone)
    split = split_rows(table(y), Split(test_size=0.25, validation_size=0.25, random_state=3), seed=0)
    left, test = train_test_split(others, test_size=11, random_state=3, stratify=y[others])
    train, validation = train_test_split(left, test_size=11, random_state=3, stratify=y[left])
    assert_parts(split, train=[*train, *alone], validation=validation, test=test)


def test_the_last_row_of_a_class_is_not_taken_for_validation():
    y = np.array(["a"] * 20 + ["b"] * 20 + ["c"] * 2)
    split = split_rows(table(y), Split(test_size=0.5, validation_size=0.2, random_state=0), seed=0)
    assert [list(y[rows]).count("c") for rows in (split.train, split.validation, split.test)] == [1, 0, 1]


@pytest.mark.parametrize(
    ("y", "target", "split", "key"),
    [
        ([0, 1, 2], "classes", Split(), "stratify"),
        (["a", "b", "b", "b"], "classes", Split(test_size=0.9), "test_size"),
        ([0, 1, 2] * 5, "classes", Split(test_size=0.1), "stratify"),
        ([0.5, 1.5, 2.5], "values", Split(stratify=True), "stratify"),
        ([1.0], "values", Split(), "test_size"),
        ([1.0, 2.0], "values", Split(validation_size=0.1), "validation_size"),
    ],
)
def test_impossible_splits_say_why(y, target, split, key, refused: Refused):
    with refused(DataError, code="split") as caught:
        split_rows(table(y, target), split, seed=0)
    assert caught.value.diagnostics[0].path == ("data", "split", key)
    assert ("stratify = false" in str(caught.value)) == (key == "stratify")


CLASSES = np.repeat([0, 1, 2], [50, 30, 23])


def folds_of(rows, **split):
    return [split_rows(rows, Split(folds=5, fold=fold, **split), seed=4) for fold in range(5)]


@pytest.mark.parametrize(("stratify", "theirs"), [(None, StratifiedKFold), (False, KFold)])
def test_test_folds_are_scikit_learns(stratify, theirs):
    expected = theirs(5, shuffle=True, random_state=4).split(CLASSES, CLASSES)
    for split, (train, test) in zip(folds_of(table(CLASSES), stratify=stratify), expected, strict=True):
        assert_parts(split, train=train, test=test)


def test_validation_rows_are_cut_from_what_a_test_fold_leaves():
    train, test = next(StratifiedKFold(5, shuffle=True, random_state=4).split(CLASSES, CLASSES))
    split = folds_of(table(CLASSES), validation_size=0.1)[0]
    kept, taken = train_test_split(train, test_size=11, random_state=4, stratify=CLASSES[train])
    assert_parts(split, train=kept, validation=taken, test=test)


def test_validation_folds_are_of_the_rows_that_are_not_for_testing():
    rows = np.arange(len(CLASSES))
    left, test = train_test_split(rows, test_size=26, random_state=4, stratify=CLASSES)
    expected = StratifiedKFold(5, shuffle=True, random_state=4).split(left, CLASSES[left])
    splits = folds_of(table(CLASSES), fold_part="validation")
    for split, (train, validation) in zip(splits, expected, strict=True):
        assert_parts(split, train=left[train], validation=left[validation], test=test)
    np.testing.assert_array_equal(np.sort(np.concatenate([split.validation for split in splits])), np.sort(left))


def test_groups_stay_whole():
    groups = np.arange(len(CLASSES)) // 7
    expected = GroupKFold(5, shuffle=True, random_state=4).split(CLASSES, groups=groups)
    for split, (train, test) in zip(folds_of(table(CLASSES, split_by=groups), group="patient"), expected, strict=True):
        assert_parts(split, train=train, test=test)
        assert not set(groups[split.train]) & set(groups[split.test])


def test_the_only_row_of_a_class_trains_in_every_fold():
    labels = np.concatenate([CLASSES[:10], [7], CLASSES[10:]])
    rows = np.arange(len(labels))
    for split, same in zip(folds_of(table(labels)), folds_of(table(CLASSES)), strict=True):
        assert 10 in split.train
        np.testing.assert_array_equal(split.test, np.delete(rows, 10)[same.test])
        np.testing.assert_array_equal(np.sort([*split.train, *split.test]), rows)


def test_a_class_with_fewer_rows_than_folds_is_in_as_many_of_them():
    labels = np.array(["a"] * 20 + ["b"] * 2)
    splits = folds_of(table(labels))
    assert sorted(list(labels[split.test]).count("b") for split in splits) == [0, 0, 0, 1, 1]
    assert all("b" in labels[split.train] for split in splits)


def test_labels_of_several_columns_are_stratified_by_their_combinations():
    labels = np.stack([CLASSES > 0, CLASSES > 1], axis=1).astype(int)
    for split, same in zip(folds_of(table(labels)), folds_of(table(CLASSES)), strict=True):
        np.testing.assert_array_equal(split.test, same.test)


def test_too_few_rows(refused: Refused):
    grouped = table(CLASSES, split_by=CLASSES)
    for rows, split in (
        (table([0] * 4 + [1] * 3), {}),
        (table([0] * 4), {"stratify": False}),
        (grouped, {"group": "g"}),
    ):
        with refused(DataError, code="split"):
            split_rows(rows, Split(folds=5, fold=0, **split), seed=0)


def test_a_resolved_spec_says_what_the_fold_is():
    split = Split(folds=5, fold=1).with_defaults(seed=7, target="classes")
    assert (split.fold_part, split.test_size, split.random_state) == ("test", 0.0, 7)
    split = Split(folds=5, fold=1, fold_part="validation").with_defaults(seed=7, target="classes")
    assert (split.test_size, split.validation_size) == (0.25, 0.0)
    assert split.held_out_fraction == pytest.approx(0.25 + 0.75 / 5)
    assert split.without_test().validation_fraction == pytest.approx(1 / 5)
    assert Split(folds=5, fold=1).without_test().folds is None
