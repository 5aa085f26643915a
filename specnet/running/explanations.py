"""Explanations of a model: importance of columns, responses to each column, and the interactive panel of a page.

Methods: permutation importance (Breiman 2001); partial dependence (Friedman 2001), with its spread over rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from specnet.data import Labels, RawColumns, trained_gaps
from specnet.errors import DataError, ExportError
from specnet.exporting.export_columns import RawColumn, columns_of, texts_of
from specnet.exporting.targets.javascript import inlined
from specnet.model import Answers, Model
from specnet.network.random import stream
from specnet.number_texts import cell_text, counted, day_texts, percent, rounded
from specnet.parts.arrays import Array
from specnet.parts.data import Column
from specnet.parts.metrics.statistics import TWO_SIDED_95, weighted_mean
from specnet.parts.preprocessing.categories import MISSING
from specnet.report.pages.model_answers import AskColumn, AskPanel, AskRow, Cell, ModelAnswers
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


MAX_ENSEMBLE_SIZE = 30_000
"""The maximum number of parameters of an ensemble; a larger ensemble is represented by its first member."""
MAX_BYTES = 400_000
"""The maximum number of bytes of the parameters in a page."""
MAX_CODE, MAX_CODE_OF_TEXTS = 640_000, 6_000_000
"""The maximum number of characters of the code, without and with tables of words."""
MAX_CONTROLS = 60
"""The maximum number of columns with a control; all other cells of the row cannot be changed."""
MAX_TEST_ROWS, MAX_WORST_ROWS = 50, 5
QUANTILES = np.linspace(0, 1, 21)
MAX_TRAINING_ROWS = 10_000
"""The maximum number of training rows for quantiles and the typical row."""
LEVEL = 0.9


def panel_of(shown: ModelAnswers, data: SpecData, *, with_rows: bool) -> AskPanel | None:
    """Return the interactive panel of a model, or None if it is too large or cannot be exported as code.

    Parameters
    ----------
    shown : ModelAnswers
        The answers on the page; controls are in order of importance.
    data : SpecData
        Rows of the run.
    with_rows : bool
        Whether the panel has test rows to choose.
    """
    answering, part = _answering(shown.model)
    if answering.theta.nbytes > MAX_BYTES:
        return None
    try:
        raw, level = columns_of(answering), _level(answering)
        code = inlined(answering, level)
    except ExportError:
        return None
    limit = MAX_CODE_OF_TEXTS if any(column.has_words for column in raw) else MAX_CODE
    if len(code) > limit:  # many texts make long code
        return None
    train, test = data.splits["train"], data.splits.get("test")
    known = np.asarray(train.columns[:: -(-len(train) // MAX_TRAINING_ROWS)], np.float64)
    importance, answers = shown.importance, shown.answers if with_rows else None
    order = np.arange(len(raw)) if importance is None else np.argsort(-importance.mean, kind="stable")
    gaps = trained_gaps(answering.preprocessing, len(raw))
    columns = [
        _column(int(index), shown.columns[index], raw[index], known[:, index], bool(gaps[index]))
        for index in order[:MAX_CONTROLS]
    ]
    rows, worst = ([], []) if test is None or answers is None else _rows(raw, test, answers, shown)
    kind = _kind(answering)
    return AskPanel(
        code,
        columns,
        _typical(raw, known, train, with_rows=with_rows),
        kind,
        shown.classes if kind in ("classes", "binary") else shown.outputs,
        rows,
        worst,
        None if level is None else round(100 * level),
        part,
    )


def _answering(model: Model) -> tuple[Model, str]:
    """Return the model of the panel, and a notice if it is only the first member of an ensemble."""
    if not model.is_ensemble or model.theta.size <= MAX_ENSEMBLE_SIZE:
        return model, ""
    theta, state = model.members[0]
    first = Model(model.network, theta, state, model.preprocessing, model.target_preprocessing, model.labels)
    return first, f"The first of {counted(len(model.members), 'network')} answers here."


def _level(model: Model) -> float | None:
    try:
        model.interval_quantiles(LEVEL)
    except DataError:
        return None
    return LEVEL


def _kind(model: Model) -> Literal["classes", "binary", "values", "outputs"]:
    task = model.network.task
    if task == "values":
        return "values"
    return task if model.gives_probabilities and task in ("classes", "binary") else "outputs"


def _column(index: int, name: str, raw: RawColumn, cells: NDArray[np.float64], has_gaps: bool) -> AskColumn:
    if raw.codes is not None:
        texts = [text for text in raw.codes if text]
        return AskColumn(index, name, "choice", options=texts, may_be_missing="" in raw.codes)
    if raw.has_words:
        return AskColumn(index, name, "words")  # an empty field is a missing cell
    known = cells[~np.isnan(cells)]
    if raw.kind == "boolean" or not len(known):
        return AskColumn(index, name, "choice", options=sorted({*known.tolist()}), may_be_missing=has_gaps)
    quantiles = [float(f"{each:.6g}") for each in np.quantile(known, QUANTILES)]
    # The ends are not rounded: they decide where curves are dotted.
    quantiles[0], quantiles[-1] = float(known.min()), float(known.max())
    kind: Literal["number", "date"] = "date" if raw.kind == "datetime" else "number"
    return AskColumn(index, name, kind, quantiles, bool((known == np.floor(known)).all()), (), has_gaps)


def _row_cells(raw: Sequence[RawColumn], rows: Rows, chosen: Sequence[int]) -> Iterator[list[Cell]]:
    """Yield the raw cells of each chosen row."""
    taken = RawColumns(np.asarray(rows.columns[np.asarray(chosen, np.intp)], np.float64), rows.kinds)
    texts = texts_of(raw, taken) if rows.kinds else {}
    for number, cells in enumerate(taken.X.tolist()):
        yield [
            texts[index][number] or None if index in texts else None if cell != cell else cell
            for index, cell in enumerate(cells)
        ]


def _typical(raw: Sequence[RawColumn], known: NDArray[np.float64], train: Rows, *, with_rows: bool) -> AskRow:
    """Return the typical row: medians of numbers and most frequent texts; None for a column without cells.

    A text of words belongs to a single row, so it is None too in a page without rows.
    """
    cells: list[Cell] = []
    for index, column in enumerate(raw):
        found = known[:, index][~np.isnan(known[:, index])]
        if not len(found) or (column.has_words and not with_rows):
            cells.append(None)
        elif column.is_text or column.has_words:
            texts = train.texts[index]
            assert texts is not None, "a column of texts"
            numbers, counts = np.unique(found, return_counts=True)
            cells.append(str(texts[int(numbers[counts.argmax()])]) or None)
        else:
            # A number that occurs, not a mean of two.
            cells.append(float(np.quantile(found, 0.5, method="lower")))
    return {"cells": cells, "text": "The typical training row: the median of each number, and the most frequent texts."}


def _rows(
    raw: Sequence[RawColumn], test: Rows, answers: Answers, shown: ModelAnswers
) -> tuple[list[AskRow], list[AskRow]]:
    """Return a selection of test rows, and the test rows with the largest losses."""
    some = np.unique(np.linspace(0, len(test) - 1, MAX_TEST_ROWS).round().astype(np.intp)).tolist()
    worst = np.argsort(-answers.losses, kind="stable")[:MAX_WORST_ROWS].tolist()
    chosen = [*some, *worst]
    made: list[AskRow] = [
        {"cells": cells, "text": f"Test row {row + 1} of {len(test)}. {_truth(answers, row, shown)}"}
        for row, cells in zip(chosen, _row_cells(raw, test, chosen), strict=True)
    ]
    return made[: len(some)], made[len(some) :]


def _truth(answers: Answers, row: int, shown: ModelAnswers) -> str:
    """Return a sentence with the true target of a test row, and the prediction or the target's probability."""
    target = answers.target[row]
    if shown.classes and np.ndim(target) == 0:
        given = "" if answers.probability is None else _given(answers, row, int(target))
        return f"It is {shown.classes[int(target)]}{given}."
    values = np.atleast_1d(target).tolist()
    if len(values) == 1:
        return f"It is {rounded(values[0])}; the model said {rounded(float(np.ravel(answers.prediction[row])[0]))}."
    listed = ", ".join(f"{name} {rounded(value)}" for name, value in zip(shown.outputs, values, strict=True))
    return f"The true values are {listed}."


def _given(answers: Answers, row: int, target: int) -> str:
    assert answers.probability is not None, "it was looked for"
    probabilities = answers.probability[row]
    if len(probabilities) == 1:
        probability = float(probabilities[0] if target else 1 - probabilities[0])
    else:
        probability = float(probabilities[target])
    return f"; the model gave it {percent(probability)}"
