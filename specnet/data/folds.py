"""Folds of rows: each row is in one, so that it is predicted by what was trained on all others."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from specnet.errors import DataError, Diagnostic

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
        If there are fewer rows than folds.
    """
    if rows < count:
        raise _too_few(f"{rows} training rows", count)
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
        If there are fewer groups than folds.
    """
    _, numbers, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    if len(sizes) < count:
        raise _too_few(f"{len(sizes)} groups of training rows", count)
    order = np.random.default_rng([seed, _FOLDS]).permutation(len(sizes))
    filled, folds = np.zeros(count, np.intp), np.empty(len(sizes), np.intp)
    for group in order[np.argsort(-sizes[order], kind="stable")]:
        folds[group] = filled.argmin()
        filled[folds[group]] += sizes[group]
    return folds[numbers]


def _too_few(what: str, count: int) -> DataError:
    message = f"an ensemble of {count} members on folds has only {what}"
    return DataError(Diagnostic("ensemble", message, ("training", "ensemble"), hint="use fewer members"))
