"""Permutation importance: how much a score suffers when a column is shuffled (Breiman 2001)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specnet.data import Labels, RawColumns
from specnet.model import Model
from specnet.network.random import stream
from specnet.parts.arrays import Array
from specnet.parts.metrics.statistics import weighted_mean
from specnet.report.pages.model_answers import Importance
from specnet.running.data_rows import Rows

SHUFFLES = 5
MOST_PRODUCTS = 10**10
"""For all shuffles of all columns: about half a second."""
CELL = 100
"""Products that take as long as a cell that is copied, shuffled and prepared, or read by a network."""
FEWEST_ROWS = 50
"""With fewer rows, chance decides."""

Table = NDArray[Any]


def row_products(model: Model, columns: int) -> int:
    """Return how many products take as long as it takes to prepare and predict a row of so many columns."""
    cells = columns + sum(len(each.members) * each.network.inputs for each in model.networks)
    return max(sum(each.theta.size for each in model.networks) + CELL * cells, 1)


def affordable_rows(model: Model, columns: int, rows: int) -> int:
    """Return how many of the rows can be looked at."""
    return min(rows, MOST_PRODUCTS // max(SHUFFLES * columns * row_products(model, columns), 1))


def permutation_importance(model: Model, rows: Rows, names: Sequence[str]) -> Importance | None:
    """Return how much the score of a model suffers when each raw column is shuffled; None where rows are too few.

    The score is the accuracy of a classifier, R² of one value where that is one of the spec's metrics, else the loss.

    Parameters
    ----------
    model : Model
    rows : Rows
        Test rows. Of more than can be afforded, some are drawn.
    names : sequence of str
        Of the raw columns.
    """
    generator = stream(model.spec.seed, "importance")
    count = affordable_rows(model, len(names), len(rows))
    if count < FEWEST_ROWS:
        return None
    chosen = np.sort(generator.permutation(len(rows))[:count]) if count < len(rows) else slice(None)
    columns, y = np.asarray(rows.columns[chosen]), rows.y[chosen]
    name, scores = _scores(model, rows, y, None if rows.weight is None else rows.weight[chosen])
    (own,) = scores(columns)
    sign = 1.0 if name == "loss" else -1.0
    suffers = np.empty((len(names), SHUFFLES))
    for place in range(len(names)):
        # All shuffles at once: a product of many rows takes less time than several of few.
        shuffled = np.concatenate([columns] * SHUFFLES)
        for start in range(0, len(shuffled), count):
            shuffled[start : start + count, place] = columns[generator.permutation(count), place]
        suffers[place] = sign * (scores(shuffled) - own)
    return Importance(name, count, SHUFFLES, tuple(names), suffers.mean(axis=1), suffers.std(axis=1))


def _scores(
    model: Model, rows: Rows, y: Array, weight: NDArray[np.float64] | None
) -> tuple[str, Callable[[Table], NDArray[np.float64]]]:
    """Return the name of the score, and what computes it for each repetition of the rows in a table."""
    count = len(y)

    def predictions(table: Table) -> NDArray[Any]:
        return model.predict(RawColumns(table, rows.kinds)).reshape(-1, count)

    def accuracy(table: Table) -> NDArray[np.float64]:
        return np.array([weighted_mean((each == labels).astype(np.float64), weight) for each in predictions(table)])

    def loss(table: Table) -> NDArray[np.float64]:
        repeated = np.concatenate([y] * (len(table) // count))
        losses = model.answers(RawColumns(table, rows.kinds), repeated).losses
        return np.array([weighted_mean(each, weight) for each in losses.reshape(-1, count)])

    if model.labels is not None:
        labels = model.labels[Labels(model.labels).encode(y)]
        return "accuracy", accuracy
    r2 = next((metric for metric in model.spec.training.metrics if metric.type == "r2"), None)
    if r2 is not None and model.network.target_size == 1:
        values, score = y.reshape(-1).astype(np.float64), r2.score
        return "r2", lambda table: np.array([score(values, each, None, weight) for each in predictions(table)])
    return "loss", loss
