"""Splitting of rows into training, validation and test sets, and into folds.

Each row is in one fold, so that it is predicted by a network trained on the other folds.
"""

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specnet.data.target_errors import looks_like_numbers, other_kind_hint
from specnet.errors import DataError, Diagnostic
from specnet.number_texts import counted
from specnet.parts.data import Split, Table
from specnet.parts.splits import PARTS, TEST, TRAIN, VALIDATION
from specnet.spec.document import Ensemble

FoldNumbers = NDArray[np.intp]

_FOLDS = 1
"""Number added to a seed, so that folds have a separate random stream."""


def folds_of_classes(labels: NDArray[Any] | None, rows: int, count: int, seed: int) -> FoldNumbers:
    """Return the fold of each row, (rows,): fold sizes, and the rows of a class in each fold, differ by at most 1.

    Parameters
    ----------
    labels : (rows,) or (rows, outputs) or None
        Labels that are distributed equally; rows with several labels are of one class if all labels are equal.
    rows, count : int
        Numbers of rows and folds.
    seed : int

    Raises
    ------
    DataError
        If there are fewer rows than folds, or a single fold.
    """
    _check_count(rows, counted(rows, "training row"), count)
    order = np.random.default_rng([seed, _FOLDS]).permutation(rows)
    if labels is not None:
        _, classes = np.unique(labels, axis=0, return_inverse=True)
        order = order[np.argsort(classes.reshape(-1)[order], kind="stable")]
    folds = np.empty(rows, np.intp)
    folds[order] = np.arange(rows) % count
    return folds


def folds_of_groups(groups: NDArray[Any], count: int, seed: int) -> FoldNumbers:
    """Return the fold of each row, (rows,), equal for all rows of a group.

    Groups are assigned in order of size, the largest first, each to the smallest fold so far.

    Raises
    ------
    DataError
        If there are fewer groups than folds, or a single fold.
    """
    _, numbers, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    shown = counted(len(sizes), "group of training rows", "groups of training rows")
    _check_count(len(sizes), shown, count)
    order = np.random.default_rng([seed, _FOLDS]).permutation(len(sizes))
    filled, folds = np.zeros(count, np.intp), np.empty(len(sizes), np.intp)
    for group in order[np.argsort(-sizes[order], kind="stable")]:
        folds[group] = filled.argmin()
        filled[folds[group]] += sizes[group]
    return folds[numbers]


def folds_of_times(times: NDArray[Any], count: int) -> FoldNumbers:
    """Return the fold of each row, (rows,): blocks of successive times of about equal size, equal times together.

    Rows close to each other in time are then in the same fold, except at the ends of the blocks (blocked
    cross-validation, Bergmeir and Benítez 2012). All blocks but one are for training, later ones too, because each
    member of an ensemble that is trained on earlier rows only would have few rows, and the first member none.

    Raises
    ------
    DataError
        If there are too few distinct times, or a single fold.
    """
    blocks = blocks_of_times(times, count)
    filled, different = len(np.unique(blocks)), "of training rows with different times"
    _check_count(filled, counted(filled, f"block {different}", f"blocks {different}"), count)
    return blocks


def blocks_of_times(times: NDArray[Any], count: int) -> FoldNumbers:
    """Return the block of each row, (rows,), from 0 in the order of times; a frequent time may leave blocks empty."""
    _, numbers, sizes = np.unique(times, return_inverse=True, return_counts=True)
    middles = np.cumsum(sizes) - sizes / 2  # of the rows of each time, in the order of times
    return (middles * count / len(times)).astype(np.intp)[numbers]


def _check_count(units: int, shown: str, count: int) -> None:
    """Refuse a number of folds that leaves a fold empty, or an ensemble member without training rows."""
    if count == 1:
        message, hint = "an ensemble on folds needs at least 2 members", 'use more, or validation = "split" or "none"'
    elif units < count:
        message, hint = f"an ensemble of {count} members on folds has only {shown}", "use fewer members"
    else:
        return
    raise DataError(Diagnostic("ensemble", message, ("training", "ensemble"), hint=hint))


RowNumbers = NDArray[np.intp]
Cut = Callable[[RowNumbers, int, str], tuple[RowNumbers, RowNumbers]]
"""A function of rows, the least number to cut off and the name of the part; returns the remaining and the cut rows."""


@dataclass(frozen=True, slots=True, eq=False)
class RowSplit:
    """Row indices of each part of a table, in order of use; None for a part that does not exist.

    Attributes
    ----------
    train, validation, test : (rows,) or None
    folds : (training rows,) or None
        For each training row, the ensemble member for which it is a validation row.
    """

    train: RowNumbers
    validation: RowNumbers | None
    test: RowNumbers | None
    folds: FoldNumbers | None = None

    def parts(self) -> dict[str, RowNumbers]:
        """Return the existing parts by name."""
        parts = zip(PARTS, (self.train, self.validation, self.test), strict=True)
        return {name: rows for name, rows in parts if rows is not None}


def split_rows(table: Table, split: Split, seed: int, ensemble: Ensemble | None = None) -> RowSplit:
    """Split a table's rows into training, validation and test rows.

    The ⌈test_size·n⌉ test rows of all n rows are chosen first, equal to those of scikit-learn's ``train_test_split(X,
    y, test_size, random_state, stratify)``. With `group`, whole groups are taken in an order that depends on
    `random_state` until there are enough rows; with `time`, the latest rows and all rows of the same time. The
    validation rows, also a share of all rows, are then taken from the remaining rows in the same way.

    With `folds`, one of several equal parts replaces the test rows or the validation rows: a fold of scikit-learn's
    StratifiedKFold, KFold, or GroupKFold with `group`, shuffled by `random_state`. With `time` it is a fold of
    TimeSeriesSplit: rows after the fold are in no part, and validation rows are a share of those up to its end. A
    `column` or separate files specify the set of each row. If a file has the test rows, validation rows are a share of
    the others, and vice versa.

    The folds of an ensemble consist of training rows: of whole groups with `group`, of successive times with `time`,
    otherwise with equal class proportions with `stratify`. With `stratify`, a row that is the only one of its class is
    always a training row.

    Parameters
    ----------
    table : Table
    split : Split
    seed : int
        Seed of a split without a random_state.
    ensemble : Ensemble, optional
        The ensemble that is trained on the rows.

    Raises
    ------
    DataError
        If the table or a class has too few rows for the split, or if there are validation rows that the ensemble
        would not use.
    """
    split = split.with_defaults(seed, table.target)
    if split.stratify and table.target == "values":
        raise _error("stratify", "stratify needs classes, but the target is numeric")
    parts = _parts(table, split)
    if ensemble is None or ensemble.validation == "split":
        return parts
    if parts.validation is not None:
        message = f'rows for validation have no effect with training.ensemble.validation = "{ensemble.validation}"'
        key = "column" if split.column is not None else "validation_size"
        raise DataError(Diagnostic("ensemble", message, ("data", "split", key), hint=ensemble.validated_together()))
    return replace(parts, folds=_folds(table, split, parts.train, ensemble.members) if ensemble.folds else None)


def _folds(table: Table, split: Split, rows: RowNumbers, count: int) -> FoldNumbers:
    """Return the fold of each training row."""
    assert split.random_state is not None, "the defaults are filled in"
    if split.group is not None:
        return folds_of_groups(_known(table.split_by, "group")[rows], count, split.random_state)
    if split.time is not None:
        return folds_of_times(_known(table.split_by, "time")[rows], count)
    return folds_of_classes(table.y[rows] if split.stratify else None, len(rows), count, split.random_state)


def _parts(table: Table, split: Split) -> RowSplit:
    """Return the split without folds of an ensemble."""
    by, rows, parts = table.split_by, np.arange(len(table.X)), dict[str, RowNumbers]()
    if split.says_parts:
        rows, parts = _as_given(table, split)
    if split.group is not None:
        cut = _by_group(_known(by, "group"), split)
    elif split.time is not None:
        cut = _by_time(_known(by, "time"))
    else:
        cut = _at_random(table, split)
    total = len(rows)
    for part in (TEST, VALIDATION):
        if size := getattr(split, f"{part}_size"):
            count = math.ceil(size * total)
            if count >= len(rows):
                message = f"{part}_size takes {count} of {len(rows)} rows and leaves none for training"
                raise _error(f"{part}_size", message)
            rows, parts[part] = cut(rows, count, part)
        elif split.folded_part == part:
            rows, parts[part] = _fold_rows(table, split, rows)
            if split.time is not None:
                total = len(rows) + len(parts[part])
    return RowSplit(rows, parts.get(VALIDATION), parts.get(TEST))


def _fold_rows(table: Table, split: Split, rows: RowNumbers) -> tuple[RowNumbers, RowNumbers]:
    """Return the rows outside and inside the split's fold of the given rows, both in the order of the table."""
    from sklearn.model_selection import GroupKFold, KFold, StratifiedKFold

    assert split.folds is not None and split.fold is not None, "a split has both or neither"
    if split.time is not None:
        return _fold_in_time(_known(table.split_by, "time")[rows], rows, split.folds, split.fold)
    shuffled = {"n_splits": split.folds, "shuffle": True, "random_state": split.random_state}
    indices = np.arange(len(rows))
    if split.group is not None:
        groups = _known(table.split_by, "group")[rows]
        _enough_for_folds(len(np.unique(groups)), "groups", split.folds)
        folds = GroupKFold(**shuffled).split(rows, groups=groups)
    elif split.stratify:
        indices = np.flatnonzero(~_alone(table.y[rows]))
        _, classes, sizes = np.unique(table.y[rows[indices]], axis=0, return_inverse=True, return_counts=True)
        if sizes.max() < split.folds:
            raise _error("stratify", f"stratified split: no class has a row for each of {split.folds} folds")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # about a class with fewer rows than folds
            folds = list(StratifiedKFold(**shuffled).split(indices, classes.reshape(-1)))
    else:
        _enough_for_folds(len(rows), "rows", split.folds)
        folds = KFold(**shuffled).split(rows)
    _, chosen = next(islice(folds, split.fold, None))
    is_chosen = np.zeros(len(rows), np.bool_)
    is_chosen[indices[chosen]] = True
    return rows[~is_chosen], rows[is_chosen]


def _fold_in_time(times: NDArray[Any], rows: RowNumbers, folds: int, fold: int) -> tuple[RowNumbers, RowNumbers]:
    """Return the rows before a fold and those in it; rows of the same time are in the later fold."""
    from sklearn.model_selection import TimeSeriesSplit

    _enough_for_folds(len(rows) - 1, "rows after the first", folds)
    ordered = np.sort(times)
    begins = [ordered[chosen[0]] for _, chosen in TimeSeriesSplit(folds).split(ordered)]
    if len(np.unique([ordered[0], *begins])) <= folds:
        raise _error("folds", f"{folds} folds need {folds + 1} blocks of rows with different times; too many are equal")
    is_earlier, is_later = times < begins[fold], np.zeros(len(times), np.bool_)
    if fold + 1 < folds:
        is_later = times >= begins[fold + 1]
    return rows[is_earlier], rows[~is_earlier & ~is_later]


def _enough_for_folds(count: int, what: str, folds: int) -> None:
    if count < folds:
        raise _error("folds", f"{folds} folds need at least as many {what}, but there are only {count}")


def _as_given(table: Table, split: Split) -> tuple[RowNumbers, dict[str, RowNumbers]]:
    """Return the training rows, and the rows of other sets by name, as specified by a column or by files."""
    key = next(key for key in ("column", "test", "validation") if getattr(split, key) is not None)
    given = _known(table.split_by, key)
    rows = {part: np.flatnonzero(given == part) for part in PARTS}
    if not rows[TRAIN].size:
        raise _error(key, "no rows are left for training")
    return rows.pop(TRAIN), {part: those for part, those in rows.items() if those.size}


def _at_random(table: Table, split: Split) -> Cut:
    def cut(rows: RowNumbers, count: int, part: str) -> tuple[RowNumbers, RowNumbers]:
        generator = np.random.RandomState(split.random_state)
        if not split.stratify:
            shuffled = generator.permutation(rows)
            return shuffled[count:], shuffled[:count]
        labels = table.y[rows]
        alone = _alone(labels)
        _check_classes(labels[~alone], count, part)
        left, taken = _in_proportion(labels[~alone], count, generator)
        return np.concatenate([rows[~alone][left], rows[alone]]), rows[~alone][taken]

    return cut


def _in_proportion(
    labels: NDArray[np.generic], count: int, generator: np.random.RandomState
) -> tuple[RowNumbers, RowNumbers]:
    """Return the indices of the remaining labels and of `count` cut ones, as in scikit-learn's train_test_split.

    Classes are processed in ascending order; those of several labels in the order of their texts.
    """
    if labels.ndim == 2:
        labels = np.array([" ".join(row) for row in labels.astype(np.str_)])
    _, classes, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    left_sizes = _apportioned(len(labels) - count, sizes, generator)
    taken_sizes = _apportioned(count, sizes - left_sizes, generator)
    left, taken = list[RowNumbers](), list[RowNumbers]()
    for members in np.split(np.argsort(classes, kind="stable"), np.cumsum(sizes)[:-1]):
        size, shuffled = left_sizes[len(left)], generator.permutation(members)
        taken.append(shuffled[size : size + taken_sizes[len(left)]])
        left.append(shuffled[:size])
    return generator.permutation(np.concatenate(left)), generator.permutation(np.concatenate(taken))


def _apportioned(count: int, sizes: NDArray[np.intp], generator: np.random.RandomState) -> NDArray[np.intp]:
    """Distribute a number of rows among classes in proportion to their sizes; the largest fractions are rounded up."""
    exact = sizes / sizes.sum() * count
    whole = np.floor(exact)
    fractions, left = exact - whole, int(count - whole.sum())
    for fraction in np.unique(fractions)[::-1]:
        if left == 0:
            break
        equal = np.flatnonzero(fractions == fraction)
        chosen = generator.choice(equal, min(left, len(equal)), replace=False)
        whole[chosen] += 1
        left -= len(chosen)
    return whole.astype(np.intp)


def _alone(labels: NDArray[np.generic]) -> NDArray[np.bool_]:
    """Return a mask of rows that are the only ones of their class; they remain training rows.

    Raises
    ------
    DataError
        If every class has a single row, or if most classes do and so look like numbers.
    """
    if looks_like_numbers(labels):
        message = f"most of the {len(np.unique(labels, axis=0))} classes of the target have a single row"
        raise DataError(Diagnostic("loss-target", message, ("training", "loss"), hint=other_kind_hint(labels)))
    _, classes, sizes = np.unique(labels, axis=0, return_inverse=True, return_counts=True)
    if sizes.max() < 2:
        raise _error("stratify", "stratified split: every class has only one row")
    return np.isin(classes.reshape(-1), np.flatnonzero(sizes == 1))


def _by_group(groups: NDArray[np.generic], split: Split) -> Cut:
    """Return a function that cuts off whole groups in random order, with one random stream for all parts."""
    generator = np.random.default_rng(split.random_state)

    def cut(rows: RowNumbers, count: int, part: str) -> tuple[RowNumbers, RowNumbers]:
        _, numbers, sizes = np.unique(groups[rows], return_inverse=True, return_counts=True)
        order = generator.permutation(len(sizes))
        needed = int(np.searchsorted(np.cumsum(sizes[order]), count)) + 1
        if needed == len(sizes):
            message = f"{part}_size takes all {len(sizes)} groups and leaves none for training"
            raise _error(f"{part}_size", message)
        taken = np.isin(numbers, order[:needed])
        return rows[~taken], rows[taken]

    return cut


def _by_time(times: NDArray[np.generic]) -> Cut:
    def cut(rows: RowNumbers, count: int, part: str) -> tuple[RowNumbers, RowNumbers]:
        first = np.sort(times[rows])[-count]
        taken = times[rows] >= first
        if taken.all():
            raise _error(f"{part}_size", f"all rows have the latest times, and none is left before the {part} rows")
        return rows[~taken], rows[taken]

    return cut


def _known(by: NDArray[np.generic] | None, key: str) -> NDArray[np.generic]:
    if by is None:
        raise _error(key, f"{key} needs rows from a table with named columns")
    return by


def _check_classes(labels: NDArray[np.generic], count: int, part: str) -> None:
    """Refuse stratification if there are more classes than rows to cut off, or than remaining rows."""
    distinct = np.unique(labels, axis=0)
    if min(count, len(labels) - count) < len(distinct):
        message = f"stratified split: {count} of {len(labels)} rows for {part} cannot cover all {len(distinct)} classes"
        raise _error("stratify", message)


def _error(key: str, message: str) -> DataError:
    hint = "set split.stratify = false to ignore the classes" if key == "stratify" else None
    return DataError(Diagnostic("split", message, ("data", "split", key), hint=hint))
