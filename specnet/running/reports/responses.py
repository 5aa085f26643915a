"""What a model predicts as one column moves: partial dependence (Friedman 2001), and its spread over the rows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from specnet.data import RawColumns
from specnet.model import Model
from specnet.number_texts import cell_text, day_text
from specnet.parts.data import Column
from specnet.parts.preprocessing.categories import MISSING
from specnet.report.pages.model_answers import Importance, Response
from specnet.running.data_rows import SpecData
from specnet.running.reports.asking import ROWS_LOOKED_AT
from specnet.running.reports.importance import FEWEST_ROWS, MOST_PRODUCTS, row_products

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
