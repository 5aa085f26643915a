"""How much each raw column contributes to a prediction: interventional Shapley values against background rows.

A coalition of columns has the cells of the explained row, the other columns have those of a background row; the worth
of the coalition is the prediction for such rows, averaged over the background. A column's contribution is its Shapley
value (Shapley 1953): what it adds to the columns before it, averaged over all orders of the columns. Contributions are
of raw columns, so that a category, a missing cell, a date or a text is one player (Štrumbelj and Kononenko 2014,
Lundberg and Lee 2017).

With up to `EXACT_COLUMNS` columns, all coalitions are predicted. With more, orders are drawn, and each is used forward
and in reverse (antithetic sampling: Mitchell, Cooper, Frank and Holmes 2022). Each background row has orders of its
own: the sum over an order is the difference between two predictions, so that contributions always add up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from math import factorial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from specnet.data import RawColumns
from specnet.data.raw_columns import joined
from specnet.errors import DataError
from specnet.network.random import stream
from specnet.parts.arrays import Array

EXACT_COLUMNS = 8
"""The maximum number of columns whose coalitions are all predicted."""
MIN_PAIRS = 2
"""The minimum number of pairs of orders for a background row: fewer have no standard error."""
CELLS_AT_ONCE, ROWS_AT_ONCE = 2**20, 2**13
"""The maximum number of cells and of rows that are predicted together, unless a single order has more."""

Numbers = NDArray[np.float64]
Progress = Callable[[int, int], None] | None
Predict = Callable[[Array], Numbers]
"""A function that returns the outputs, (rows, outputs), for a table of raw cells, (rows, columns)."""


class Contributions(NamedTuple):
    """The contributions of the raw columns to predictions; they add up to the prediction minus the base.

    Attributes
    ----------
    values : ndarray (rows, columns, outputs)
        Contributions: probabilities, values in the target's units, or margins, as the model predicts.
    base : ndarray (outputs,)
        The mean prediction for the background rows.
    errors : ndarray (rows, columns, outputs) or None
        Standard errors of values that are estimated from random orders of the columns; None if they are exact.
    """

    values: Numbers
    base: Numbers
    errors: Numbers | None


class Background(NamedTuple):
    """Rows to which explained rows are compared.

    Attributes
    ----------
    rows : RawColumns
    weights : ndarray (rows,)
        Weights with a sum of 1.
    """

    rows: RawColumns
    weights: Numbers


def compared_rows(background: Background | None, need: str, other: str = "") -> Background:
    """Return the background of a model.

    Parameters
    ----------
    background : Background or None
    need : str
        What needs it, for the error.
    other : str
        Another solution, before the one in the hint of the error.

    Raises
    ------
    DataError
        If there is none, or it has no rows.
    """
    if background is None or not len(background.weights):
        raise DataError(f"{need}, and the model has none", hint=f"{other}load the folder of a run, which has them")
    return background


def contributions(
    predict: Callable[[RawColumns], Numbers],
    raw: RawColumns,
    background: Background,
    seed: int,
    progress: Progress = None,
) -> Contributions:
    """Return the contributions of the columns to the predictions for rows.

    The result for a row does not depend on the other rows.

    Parameters
    ----------
    predict : callable
        Function that returns the outputs for rows, (rows, outputs).
    raw : RawColumns
        Rows to explain.
    background : Background
    seed : int
        Seed of the random orders.
    progress : callable, optional
        Function that is called with the number of finished predictions and of all, both without those of the base.
    """
    columns, known = raw.X.shape[1], len(background.weights)
    base = background.weights @ predict(background.rows)
    exact = columns <= EXACT_COLUMNS
    at_once = max(1, rows_at_once(columns) // (known * 2**columns)) if exact else 1
    values, errors = (np.empty((len(raw), columns, len(base))) for _ in range(2))
    ranks = None if exact else column_ranks(seed, known, columns)
    total, done = len(raw) * (1 + known * _predictions_against_one(columns)), 0
    for start in range(0, len(raw), at_once):
        some = slice(start, start + at_once)
        both = joined(background.rows, raw.part(some))

        def predicted(table: Array, both: RawColumns = both) -> Numbers:
            nonlocal done
            found = predict(RawColumns(table, both.kinds))
            done += len(table)
            if progress is not None:
                progress(done, total)
            return found

        others, rows = both.X[:known], both.X[known:]
        if ranks is None:
            values[some] = _exact(predicted, rows, others, background.weights, base)
        else:
            values[start], errors[start] = _sampled(predicted, rows, others, background.weights, ranks)
    return Contributions(values, base, None if exact else errors)


def rows_at_once(columns: int) -> int:
    """Return the number of rows that are predicted together."""
    return max(1, min(ROWS_AT_ONCE, CELLS_AT_ONCE // columns))


def pairs_of_orders(columns: int) -> int:
    """Return the number of pairs of orders for each background row.

    A row to explain then costs about as many predictions as it would with `EXACT_COLUMNS` columns.
    """
    return max(MIN_PAIRS, (1 << EXACT_COLUMNS) // (2 * (columns - 1)))


def _predictions_against_one(columns: int) -> int:
    """Return the number of predictions that compare a row with one background row."""
    if columns <= EXACT_COLUMNS:
        return int(2**columns) - 2  # neither the base nor the row itself
    return 1 + 2 * pairs_of_orders(columns) * (columns - 1)


def column_ranks(seed: int, rows: int, columns: int) -> NDArray[np.intp]:
    """Return the position of each column in random orders, and in the reverse of each.

    Returns
    -------
    ndarray (rows, pairs, 2, columns)
        Positions from 0, for each background row.
    """
    pairs = pairs_of_orders(columns)
    every = np.tile(np.arange(columns), (rows * pairs, 1))
    forward = stream(seed, "contributions").permuted(every, axis=1).reshape(rows, pairs, columns)
    return np.stack([forward, columns - 1 - forward], axis=2)


@cache
def _coalitions(columns: int) -> tuple[NDArray[np.bool_], Numbers]:
    """Return all coalitions, (coalitions, columns), the empty one first and the full one last, and Shapley's weights.

    The weights (columns, coalitions) times the worths of the coalitions are the contributions.
    """
    members = (np.arange(2**columns)[:, None] >> np.arange(columns) & 1).astype(np.bool_)
    sizes = members.sum(axis=1)
    added = np.array([factorial(size) * factorial(columns - 1 - size) for size in range(columns)]) / factorial(columns)
    with_column, without = added[sizes - 1], np.append(added, 0)[sizes]  # the full coalition lacks no column
    return members, np.where(members.T, with_column, -without)


def _exact(predict: Predict, rows: Array, others: Array, weights: Numbers, base: Numbers) -> Numbers:
    """Return the contributions (rows, columns, outputs) from the predictions of all coalitions."""
    count, columns = rows.shape
    members, shapley = _coalitions(columns)
    worth = np.empty((count, len(members), len(base)))
    worth[:, 0], worth[:, -1] = base, predict(rows)
    step = max(1, rows_at_once(columns) // (count * len(others)))
    for start in range(1, len(members) - 1, step):
        some = slice(start, min(start + step, len(members) - 1))
        mixed = np.where(members[some][:, None], rows[:, None, None], others)
        outputs = predict(mixed.reshape(-1, columns)).reshape(*mixed.shape[:3], -1)
        worth[:, some] = np.einsum("rcbo,b->rco", outputs, weights)
    values: Numbers = np.einsum("jc,rco->rjo", shapley, worth)
    return values


def _sampled(
    predict: Predict, row: Array, others: Array, weights: Numbers, ranks: NDArray[np.intp]
) -> tuple[Numbers, Numbers]:
    """Return the contributions to the prediction of one row, (columns, outputs), and their standard errors."""
    known, pairs, _, columns = ranks.shape
    walks = ranks.reshape(-1, columns)
    owners = np.repeat(np.arange(known), 2 * pairs)
    before, after = predict(others), predict(row)
    added = np.concatenate(
        [
            _along(predict, row, others[owners[some]], before[owners[some]], after, walks[some])
            for some in _slices(len(walks), max(1, rows_at_once(columns) // (columns - 1)))
        ]
    )
    # The mean of an order and its reverse; the pairs of a background row are independent of each other.
    of_pairs = added.reshape(known, pairs, 2, columns, -1).mean(axis=2)
    values = np.einsum("bjo,b->jo", of_pairs.mean(axis=1), weights)
    variances = of_pairs.var(axis=1, ddof=1) / pairs
    return values, np.sqrt(np.einsum("bjo,b->jo", variances, weights**2))


def _along(
    predict: Predict, row: Array, others: Array, before: Numbers, after: Numbers, ranks: NDArray[np.intp]
) -> Numbers:
    """Return what each column adds, (walks, columns, outputs), as the cells of others become those of a row in order.

    Parameters
    ----------
    predict : callable
    row : ndarray (1, columns)
    others : ndarray (walks, columns)
    before : ndarray (walks, outputs)
        Outputs for `others`.
    after : ndarray (1, outputs)
        Outputs for `row`.
    ranks : ndarray (walks, columns)
        Position of each column in the order of the walk.
    """
    count, columns = ranks.shape
    is_changed = ranks[:, None, :] < np.arange(1, columns)[:, None]
    outputs = predict(np.where(is_changed, row[:, None], others[:, None]).reshape(-1, columns))
    between = outputs.reshape(count, columns - 1, -1)
    last = np.broadcast_to(after, before.shape)
    steps = np.diff(np.concatenate([before[:, None], between, last[:, None]], axis=1), axis=1)
    return np.take_along_axis(steps, ranks[:, :, None], axis=1)


def _slices(count: int, step: int) -> Iterator[slice]:
    return (slice(start, start + step) for start in range(0, count, step))
