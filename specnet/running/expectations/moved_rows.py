"""Expectations about predictions of changed rows, which chance does not affect: directions and exchanged cells."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specnet.data import RawColumns
from specnet.errors import DataError
from specnet.findings.slices import cell_in_words
from specnet.model import Model
from specnet.model.directions import MOVED_ROWS, moved_answers, outputs_of
from specnet.network.random import stream
from specnet.parts.data import Column
from specnet.running.expectations.named_cells import column_index, label_index, row_in_words
from specnet.saved.expectations_file import BrokenRow
from specnet.spec.expectations import Expectation

QUANTILES = 17
EXCHANGED_ROWS = 2_048
EXCHANGES = 5
WORST = 3
ROUNDING = 16
"""Differences up to this number of units in the last digit of the largest prediction are rounding."""


Predict = Callable[[RawColumns], NDArray[Any]]
"""A function from raw rows to values, or to the probabilities of all classes, (rows, outputs)."""


def predictions(model: Model, raw: RawColumns) -> NDArray[Any]:
    """Return the predicted values, or the probabilities of classes, (rows, outputs)."""
    if model.network.task != "values" and not model.gives_probabilities:
        raise DataError("expectations about predictions need values or probabilities; this model outputs margins")
    return outputs_of(model, raw).reshape(len(raw), -1)


def output_index(model: Model, of: Any) -> int:
    """Return the index of the output or of the class that an expectation is about.

    Raises
    ------
    DataError
        If there is none, or if there are several and the expectation names none.
    """
    labels = None if model.labels is None else model.labels.tolist()
    names = [*(model.target_names if labels is None else labels)]
    if of is None:
        if labels is not None and len(labels) == 2:
            return 1
        if len(names) <= 1 and model.network.outputs == 1:
            return 0
        raise DataError("the expectation needs of", hint=f"choose from {', '.join(map(str, names))}")
    if (index := label_index(of, names)) is None:
        raise DataError(f'no class or output "{of}"', hint=f"choose from {', '.join(map(str, names))}")
    return index


def rounding_of(model: Model, values: NDArray[Any]) -> float:
    """Return the largest difference between predictions that is only rounding, in the less precise of two types."""
    eps = max(np.finfo(model.network.dtype).eps, np.finfo(values.dtype).eps)
    return float(ROUNDING * eps * np.abs(values).max(initial=0.0))


def largest_wrong_move(
    expectation: Expectation, model: Model, raw: RawColumns, predict: Predict
) -> tuple[float, int, list[BrokenRow]]:
    """Move a column over its range in up to 256 rows, all else as it is.

    The range are the quantiles of the rows with both ends, and the middles between them.

    Parameters
    ----------
    expectation : Expectation
        Its tolerance is accepted.
    model : Model
    raw : RawColumns
    predict : callable
        The model, or a program that is exported from it.

    Returns
    -------
    tuple
        The largest fall of a prediction beyond rounding (for a decreasing column, the largest rise), the number of
        rows, and the worst rows.
    """
    rises = expectation.increasing is not None
    name = expectation.increasing or expectation.decreasing or ""
    index, output = column_index(model, name), output_index(model, expectation.of)
    column = raw.kinds[index] if raw.kinds else None
    if column is not None and column.texts is not None:
        raise DataError(f'texts of column "{name}" have no order')
    chosen = np.unique(np.linspace(0, len(raw) - 1, min(MOVED_ROWS, len(raw))).round().astype(np.intp))
    rows, grid = RawColumns(raw.X[chosen], raw.kinds), _grid(raw.X[:, index], column)
    if len(grid) < 2:
        raise DataError(f'column "{name}" has only one value in these rows')
    given = moved_answers(rows, index, grid[:, np.newaxis], predict)[:, :, output]
    every = given.astype(np.float64)
    signed = (every if rises else -every).T
    falls = np.maximum.accumulate(signed, axis=1) - signed
    lows = falls.argmax(axis=1)
    found = falls[np.arange(len(rows)), lows]
    margin = expectation.tolerance + rounding_of(model, given)
    worst: list[BrokenRow] = []
    for row in np.argsort(-found, kind="stable")[:WORST].tolist():
        if found[row] > margin:
            low = int(lows[row])
            high = int(signed[row, : low + 1].argmax())
            worst.append(
                {
                    "row": int(chosen[row]),
                    "cells": row_in_words(model, rows, row),
                    "changed": [cell_in_words(column, float(grid[at])) for at in (high, low)],
                    "predictions": [float(every[at, row]) for at in (high, low)],
                }
            )
    return float(found.max(initial=0.0)), len(rows), worst


def _grid(cells: NDArray[Any], column: Column | None) -> NDArray[np.float64]:
    known = np.asarray(cells, np.float64)
    known = known[~np.isnan(known)]
    if not len(known):
        return known
    if column is not None and column.kind == "boolean":
        return np.unique(known)
    ends = np.unique(np.quantile(known, np.linspace(0, 1, QUANTILES), method="nearest"))
    return np.unique(np.concatenate([ends, (ends[1:] + ends[:-1]) / 2]))


def largest_change(
    expectation: Expectation, model: Model, raw: RawColumns, predict: Predict
) -> tuple[float, int, list[BrokenRow]]:
    """Exchange the cells of a column between rows; return the largest change, as `largest_wrong_move` does.

    Up to 2 048 rows are drawn, and each has the cells of five others: an order of the rows hides nothing.
    """
    index = column_index(model, expectation.unchanged_by or "")
    generator = stream(model.spec.seed, "exchanges")
    chosen = np.sort(generator.choice(len(raw), min(EXCHANGED_ROWS, len(raw)), replace=False))
    rows = RawColumns(raw.X[chosen], raw.kinds)
    if len(rows) < 2:
        raise DataError("cells are exchanged between at least 2 rows")
    column, given_before = (raw.kinds[index] if raw.kinds else None), predict(rows)
    before = given_before.astype(np.float64)
    largest, given, after = np.zeros(len(rows)), np.zeros(len(rows)), before.copy()
    for _ in range(EXCHANGES):
        table, order = rows.X.copy(), generator.permutation(len(rows))
        table[order, index] = rows.X[np.roll(order, 1), index]  # one circle, so that no row has its own cell again
        moved = predict(RawColumns(table, raw.kinds)).astype(np.float64)
        change = np.abs(moved - before).max(axis=1)
        larger = change > largest
        largest[larger], given[larger], after[larger] = change[larger], table[larger, index], moved[larger]
    margin = (expectation.within or 0.0) + rounding_of(model, given_before)
    worst: list[BrokenRow] = []
    for row in np.argsort(-largest, kind="stable")[:WORST].tolist():
        if largest[row] > margin:
            output = int(np.abs(after[row] - before[row]).argmax())
            worst.append(
                {
                    "row": int(chosen[row]),
                    "cells": row_in_words(model, rows, row),
                    "changed": [cell_in_words(column, float(cell)) for cell in (rows.X[row, index], given[row])],
                    "predictions": [float(each[row, output]) for each in (before, after)],
                }
            )
    return float(largest.max(initial=0.0)), len(rows), worst
