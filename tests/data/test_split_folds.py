"""Folds as the test or the validation part, against scikit-learn's own."""

import numpy as np
import pytest
from sklearn.model_selection import GroupKFold, KFold, StratifiedKFold, train_test_split

from specnet import DataError
from specnet.data import split_rows
from specnet.parts.data import Split
from tests.data.splits import assert_parts, table
from tests.texts.pinned import Refused

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


@pytest.mark.parametrize(
    ("rows", "split"),
    [
        (table([0] * 4 + [1] * 3), {}),
        (table([0, 0, 0, 0]), {"stratify": False}),
        (table(CLASSES, split_by=CLASSES), {"group": "patient"}),
    ],
    ids=["class", "rows", "groups"],
)
def test_too_few_rows(rows, split, refused: Refused):
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
