"""How a model uses its columns: how much a score suffers when one is shuffled, and what it predicts as one moves.

Permutation importance (Breiman 2001); partial dependence (Friedman 2001), and its spread over the rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specnet.data import Labels, RawColumns
from specnet.model import Model
from specnet.network.random import stream
from specnet.number_texts import cell_text, day_text
from specnet.parts.arrays import Array
from specnet.parts.data import Column
from specnet.parts.metrics.statistics import weighted_mean
from specnet.parts.preprocessing.categories import MISSING
from specnet.report.pages.model_answers import Importance, Response
from specnet.running.data_rows import Rows, SpecData
from specnet.running.reports.asking import ROWS_LOOKED_AT

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


MOST_COLUMNS, MOST_ROWS, MOST_POINTS = 5, 100, 20
MOST_NAMED = 12
"""Cells of a column of texts or dates."""
MOST_CLASSES = 4
"""Of more than two, those that a column moves most."""
BAND = (0.1, 0.9)


MovedCells = tuple[NDArray[np.float64], list[str], bool]
"""What a column is set to, what these cells are called, and whether they are numbers, as `Response` has it."""


def responses_of(model: Model, data: SpecData, importance: Importance) -> list[Response] | None:
    """Return how a model responds to its most important columns; None where that takes too long, or it says no more.

    What it predicts is a value in its unit, or probabilities; of several values the first one.

    Parameters
    ----------
    model : Model
    data : SpecData
        The rows of its run: quantiles are those of the training rows, and test rows are asked about.
    importance : Importance
        Of the columns.
    """
    train, test = data.splits["train"], data.splits["test"]
    most = MOST_PRODUCTS // (row_products(model, len(importance.columns)) * MOST_COLUMNS * MOST_POINTS)
    if min(most, len(test)) < FEWEST_ROWS or not (model.network.task == "values" or model.gives_probabilities):
        return None
    chosen = np.unique(np.linspace(0, len(test) - 1, min(MOST_ROWS, most)).round().astype(np.intp))
    rows = RawColumns(np.asarray(test.columns[chosen]), test.kinds)
    known = np.asarray(train.columns[:: -(-len(train) // ROWS_LOOKED_AT)])
    found = []
    for place in np.argsort(-importance.mean, kind="stable")[:MOST_COLUMNS].tolist():
        cells = _cells(np.asarray(known[:, place], np.float64), train.kinds[place] if train.kinds else None)
        if len(cells[0]) > 1:
            found.append(_response(model, rows, place, cells, importance.columns[place]))
    return found


def _cells(known: NDArray[np.float64], column: Column | None) -> MovedCells:
    """Return what a column is set to: its most frequent texts, else quantiles of its training rows."""
    kind = "numeric" if column is None else column.kind
    values, counts = np.unique(known, return_counts=True)
    if column is not None and column.texts is not None:
        values = values[np.argsort(-counts, kind="stable")[:MOST_NAMED]]
        texts = [MISSING if cell != cell else str(column.texts[int(cell)]) for cell in values.tolist()]
        return values, [text or "missing" for text in texts], False
    values = values[~np.isnan(values)]
    most = MOST_NAMED if kind == "datetime" else MOST_POINTS
    if len(values) > most:
        # The middles of as many parts of the rows, so that no outlier makes the axis long.
        middles = (np.arange(most) + 0.5) / most
        values = np.unique(np.quantile(known[~np.isnan(known)], middles, method="nearest"))
    if kind == "datetime":
        return values, [*map(day_text, values.tolist())], False
    return values, [*map(cell_text, values.tolist())], kind != "boolean"


def _response(model: Model, rows: RawColumns, place: int, cells: MovedCells, name: str) -> Response:
    count = len(cells[0])
    table = np.repeat(rows.X, count, axis=0)
    table[:, place] = np.tile(cells[0], len(rows))
    moved = RawColumns(table, rows.kinds)
    given = model.predict(moved) if model.network.task == "values" else model.predict_proba(moved)
    every = np.asarray(given, np.float64).reshape(len(rows), count, -1)
    mean = every.mean(axis=0)
    if model.network.task == "classes":
        outputs = np.argsort(-np.ptp(mean, axis=0), kind="stable")[:MOST_CLASSES].tolist()
    else:
        outputs = [int(model.network.task == "binary")]
    low, high = np.quantile(every[:, :, outputs[0]], BAND, axis=0)
    return Response(len(rows), name, *cells, tuple(outputs), mean[:, outputs].T, low, high)
