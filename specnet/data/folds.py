"""Folds of rows: each row is in one, so that it is predicted by what was trained on all others."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from specnet.errors import DataError, Diagnostic
from specnet.number_texts import counted

FoldNumbers = NDArray[np.intp]

_FOLDS = 1
"""Beside a seed: folds have a stream of their own."""


def folds_of_classes(labels: NDArray[Any] | None, rows: int, count: int, seed: int) -> FoldNumbers:
    """Return the fold of each row, (rows,): sizes differ by at most one row, and so do those of each class.

    Parameters
    ----------
    labels : (rows,) or (rows, outputs) or None
        What each fold has equally much of; rows of several labels are of one class if all of them are equal.
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
    """Return the fold of each row, (rows,), equal for rows of one group: the largest first go to the smallest folds.

    Raises
    ------
    DataError
        If there are fewer groups than folds, or a single fold.
    """
    _, numbers, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    told = counted(len(sizes), "group of training rows", "groups of training rows")
    _check_count(len(sizes), told, count)
    order = np.random.default_rng([seed, _FOLDS]).permutation(len(sizes))
    filled, folds = np.zeros(count, np.intp), np.empty(len(sizes), np.intp)
    for group in order[np.argsort(-sizes[order], kind="stable")]:
        folds[group] = filled.argmin()
        filled[folds[group]] += sizes[group]
    return folds[numbers]


def _check_count(units: int, told: str, count: int) -> None:
    """Check that each fold has something, and that something is left to train its member on."""
    if count == 1:
        message, hint = "an ensemble on folds needs at least 2 members", 'use more, or validation = "split" or "none"'
    elif units < count:
        message, hint = f"an ensemble of {count} members on folds has only {told}", "use fewer members"
    else:
        return
    raise DataError(Diagnostic("ensemble", message, ("training", "ensemble"), hint=hint))
