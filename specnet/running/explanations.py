"""Explanations of a model: importance of columns, and responses to each column.

Methods: permutation importance (Breiman 2001); partial dependence (Friedman 2001), with its spread over rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specnet.data import Labels, RawColumns
from specnet.model import Model
from specnet.network.random import stream
from specnet.number_texts import cell_text, day_texts
from specnet.parts.arrays import Array
from specnet.parts.data import Column
from specnet.parts.metrics.statistics import TWO_SIDED_95, weighted_mean
from specnet.parts.preprocessing.categories import MISSING
from specnet.report.svg.axes import Unit, unit_of
from specnet.report.value_charts import Importance, Response
from specnet.running.data_rows import Rows, SpecData

SHUFFLES = 5
MAX_PRODUCTS = 10**10
"""The maximum cost of all shuffles of all columns, in products: about half a second."""
CELL = 100
"""The cost of a cell in products: to copy, shuffle and prepare it, or to read it by a network."""
MIN_ROWS = 50
"""The minimum number of rows; with fewer, chance decides."""

Table = NDArray[Any]


def row_products(model: Model, columns: int) -> int:
    """Return the cost of preparing and predicting a row with this number of columns, in products."""
    cells = columns + sum(len(each.members) * each.network.inputs for each in model.networks)
    return max(sum(each.theta.size for each in model.networks) + CELL * cells, 1)


def affordable_rows(model: Model, columns: int, rows: int) -> int:
    """Return the number of rows for which permutation importance costs at most `MAX_PRODUCTS`."""
    return min(rows, MAX_PRODUCTS // max(SHUFFLES * columns * row_products(model, columns), 1))


def permutation_importance(model: Model, rows: Rows, names: Sequence[str]) -> Importance | None:
    """Return how much worse a model's score is when each raw column is shuffled, or None if rows are too few.

    The score is the accuracy of a classifier, R² of one value if R² is a metric of the spec, otherwise the loss.
    The change has a normal 95 % interval over rows, or groups of rows. A row matters twice: by its own prediction, and
    by its cell in the row that gets it, as the arguments of a U statistic do (Hoeffding 1948). R² is a ratio of
    means, whose error is from the linear approximation (Cochran 1977, *Sampling Techniques*).

    Parameters
    ----------
    model : Model
    rows : Rows
        Test rows. If all cost too much, a random sample is used.
    names : sequence of str
        Names of the raw columns.
    """
    generator = stream(model.spec.seed, "importance")
    count = affordable_rows(model, len(names), len(rows))
    if count < MIN_ROWS:
        return None
    chosen = np.sort(generator.permutation(len(rows))[:count]) if count < len(rows) else slice(None)
    columns, y = np.asarray(rows.columns[chosen]), rows.y[chosen]
    weight = None if rows.weight is None else rows.weight[chosen]
    groups = None if rows.groups is None else np.unique(rows.groups[chosen], return_inverse=True)[1]
    name, unit, errors = _errors(model, rows, y, weight)
    weights = np.ones(count) if weight is None else weight
    own, total = errors(columns), float(weights @ unit)
    mean, chance = np.empty((2, len(names)))
    for index in range(len(names)):
        # All shuffles at once: one product of many rows is faster than several of few.
        shuffled = np.concatenate([columns] * SHUFFLES)
        sources = np.array([generator.permutation(count) for _ in range(SHUFFLES)])
        shuffled[:, index] = columns[sources.ravel(), index]
        change = weights * (errors(shuffled) - own)
        mean[index] = change.mean(axis=0).sum() / total
        deviations = change - mean[index] * weights * unit
        by_source = np.take_along_axis(deviations, np.argsort(sources, axis=1), axis=1)
        influence = (deviations + by_source).mean(axis=0)
        summed = influence if groups is None else np.bincount(groups, influence)
        # Both parts of the influence contain the chance of the shuffles, which their mean has only once.
        twice = np.square(deviations).sum() / SHUFFLES**2
        chance[index] = np.sqrt(max(np.square(summed).sum() - twice, twice)) / total
    half = TWO_SIDED_95 * chance
    return Importance(name, count, SHUFFLES, tuple(names), mean, mean - half, mean + half)


def _errors(
    model: Model, rows: Rows, y: Array, weight: NDArray[np.float64] | None
) -> tuple[str, NDArray[np.float64], Callable[[Table], NDArray[np.float64]]]:
    """Return the name of the score, and a function that computes the error of each row, (repetitions, rows).

    The table of the function repeats the rows. The second of three results is the unit of each row, (rows,): a score is
    worse by the mean of the errors divided by the mean of the units.
    """
    count = len(y)

    def predictions(table: Table) -> NDArray[Any]:
        return model.predict(RawColumns(table, rows.kinds)).reshape(-1, count)

    def losses(table: Table) -> NDArray[np.float64]:
        repeated = np.concatenate([y] * (len(table) // count))
        return model.answers(RawColumns(table, rows.kinds), repeated).losses.reshape(-1, count)

    if model.labels is not None:
        labels = model.labels[Labels(model.labels).encode(y)]
        return "accuracy", np.ones(count), lambda table: (predictions(table) != labels).astype(np.float64)
    if model.network.target_size == 1 and any(metric.type == "r2" for metric in model.spec.training.metrics):
        values = y.reshape(-1).astype(np.float64)
        squares = np.square(values - weighted_mean(values, weight))
        if squares.any():
            return "r2", squares, lambda table: np.square(predictions(table) - values)
    return "loss", np.ones(count), losses


MAX_RESPONSES, RESPONSE_ROWS, MAX_POINTS = 5, 100, 20
"""The maximum numbers of columns with a curve, of test rows that it is averaged over, and of its points."""
MAX_NAMED_CELLS = 12
"""The maximum number of points of a column of texts."""
MAX_CLASSES = 4
"""The maximum number of classes with a curve: the classes that change most with the column."""
BAND = (0.1, 0.9)
MAX_TRAINING_ROWS = 10_000
"""The maximum number of training rows for the values that a column is set to."""


def predicted_rows(model: Model, columns: int, rows: int) -> int:
    """Return the maximum number of rows that a model with these columns predicts for importance and responses."""
    count = affordable_rows(model, columns, rows)
    if count < MIN_ROWS:
        return 0
    return count * (1 + SHUFFLES * columns) + min(columns, MAX_RESPONSES) * min(RESPONSE_ROWS, rows) * MAX_POINTS


MovedCells = tuple[NDArray[np.float64], list[str], Unit | None]
"""The values that a column is set to, their texts, and their unit, as in `Response`."""


def responses_of(model: Model, data: SpecData, importance: Importance) -> list[Response] | None:
    """Return the responses of a model to its most important columns, or None if they cost too much.

    The responses are probabilities, or the first predicted value in its unit. None for a model that predicts neither.
    A column of free text has none: each of its texts is of one row, and says little about other texts.

    Parameters
    ----------
    model : Model
    data : SpecData
        Rows of the run. Quantiles are of training rows, responses are of test rows.
    importance : Importance
        Importance of the columns.
    """
    train, test = data.splits["train"], data.splits["test"]
    most = MAX_PRODUCTS // (row_products(model, len(importance.columns)) * MAX_RESPONSES * MAX_POINTS)
    if min(most, len(test)) < MIN_ROWS or not (model.network.task == "values" or model.gives_probabilities):
        return None
    chosen = np.unique(np.linspace(0, len(test) - 1, min(RESPONSE_ROWS, most)).round().astype(np.intp))
    rows = RawColumns(np.asarray(test.columns[chosen]), test.kinds)
    known = np.asarray(train.columns[:: -(-len(train) // MAX_TRAINING_ROWS)])
    found = []
    for index in np.argsort(-importance.mean, kind="stable")[:MAX_RESPONSES].tolist():
        column = train.kinds[index] if train.kinds else None
        if column is not None and column.kind == "text":
            continue
        cells = _moved_cells(np.asarray(known[:, index], np.float64), column)
        if len(cells[0]) > 1:
            found.append(_response(model, rows, index, cells, importance.columns[index]))
    return found


def _moved_cells(known: NDArray[np.float64], column: Column | None) -> MovedCells:
    """Return the cells that a column is set to: its most frequent texts, or quantiles of its training rows."""
    kind = "numeric" if column is None else column.kind
    values, counts = np.unique(known, return_counts=True)
    if column is not None and column.texts is not None:
        values = values[np.argsort(-counts, kind="stable")[:MAX_NAMED_CELLS]]
        texts = [MISSING if cell != cell else str(column.texts[int(cell)]) for cell in values.tolist()]
        return values, [text or "missing" for text in texts], None
    values = values[~np.isnan(values)]
    unit: Unit | None = "day" if kind == "datetime" else None if kind == "boolean" else unit_of(values)
    if len(values) > MAX_POINTS:
        # Middles of equal parts of the rows, so that an outlier does not extend the axis.
        middles = (np.arange(MAX_POINTS) + 0.5) / MAX_POINTS
        values = np.unique(np.quantile(known[~np.isnan(known)], middles, method="nearest"))
    texts = day_texts(values.tolist()) if unit == "day" else [*map(cell_text, values.tolist())]
    return values, texts, unit


def _response(model: Model, rows: RawColumns, index: int, cells: MovedCells, name: str) -> Response:
    count = len(cells[0])
    table = np.repeat(rows.X, count, axis=0)
    table[:, index] = np.tile(cells[0], len(rows))
    moved = RawColumns(table, rows.kinds)
    given = model.predict(moved) if model.network.task == "values" else model.predict_proba(moved)
    every = np.asarray(given, np.float64).reshape(len(rows), count, -1)
    mean = every.mean(axis=0)
    if model.network.task == "classes":
        outputs = np.argsort(-np.ptp(mean, axis=0), kind="stable")[:MAX_CLASSES].tolist()
    else:
        outputs = [int(model.network.task == "binary")]
    low, high = np.quantile(every[:, :, outputs[0]], BAND, axis=0)
    return Response(len(rows), name, *cells, tuple(outputs), mean[:, outputs].T, low, high)
