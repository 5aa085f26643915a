"""The order of a teacher's columns: each should predict the class or target at the same position.

Columns in another order are noticed by their names, such as ``p_cat`` and ``p_ant`` for the classes ant and cat, or
because the predictions have much smaller errors in another order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

MIN_STANDARD_ERRORS = 4
"""Standard errors by which the mean error of rows has to be smaller in another order, for this not to be chance."""

Numbers = NDArray[np.float64]
Order = NDArray[np.intp]


def order_of_names(columns: Sequence[str], names: Sequence[str]) -> Order | None:
    """Return the index of the column of each class or target, if columns are named after these.

    All columns have to be these names with the same text before and the same text after them.

    Parameters
    ----------
    columns : sequence of str
        Names of columns.
    names : sequence of str
        As many names of classes or targets, without repetition.

    Returns
    -------
    ndarray (names,) or None
        None if columns have other names.
    """
    first, indices = columns[0], {column: index for index, column in enumerate(columns)}
    for name in names:
        start = first.find(name)
        while start >= 0:
            before, after = first[:start], first[start + len(name) :]
            expected = [f"{before}{each}{after}" for each in names]
            if indices.keys() == set(expected):
                return np.array([indices[each] for each in expected], np.intp)
            start = first.find(name, start + 1)
    return None


def order_of_errors(costs: Numbers, row_errors: Callable[[Order], Numbers]) -> Order:
    """Return the order of columns with the smallest sum of errors, if it is better than the present one beyond chance.

    Parameters
    ----------
    costs : ndarray (columns, names)
        The sum of the errors of each column as a prediction of each class or target.
    row_errors : callable
        Returns the error of each row for an order of the columns.

    Returns
    -------
    ndarray (names,)
        The index of the column of each class or target.
    """
    from scipy.optimize import linear_sum_assignment

    present = np.arange(len(costs))
    _, found = linear_sum_assignment(costs.T)
    if np.array_equal(found, present):
        return present
    gains = row_errors(present) - row_errors(found)
    standard_error = gains.std() / len(gains) ** 0.5
    return found if gains.mean() > MIN_STANDARD_ERRORS * standard_error else present
