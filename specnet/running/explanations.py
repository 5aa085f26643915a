"""How a model uses its columns: importance, responses to one that moves, and the panel of a page that answers a reader.

Permutation importance (Breiman 2001); partial dependence (Friedman 2001), and its spread over the rows.
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
from specnet.number_texts import cell_text, counted, day_text, percent, rounded
from specnet.parts.arrays import Array
from specnet.parts.data import Column
from specnet.parts.metrics.statistics import weighted_mean
from specnet.parts.preprocessing.categories import MISSING
from specnet.report.pages.model_answers import AskColumn, AskPanel, AskRow, Cell, Importance, ModelAnswers, Response
from specnet.running.data_rows import Rows, SpecData

SHUFFLES = 5
MAX_PRODUCTS = 10**10
"""For all shuffles of all columns: about half a second."""
CELL = 100
"""Products that take as long as a cell that is copied, shuffled and prepared, or read by a network."""
MIN_ROWS = 50
"""With fewer rows, chance decides."""

Table = NDArray[Any]


def row_products(model: Model, columns: int) -> int:
    """Return how many products take as long as it takes to prepare and predict a row of so many columns."""
    cells = columns + sum(len(each.members) * each.network.inputs for each in model.networks)
    return max(sum(each.theta.size for each in model.networks) + CELL * cells, 1)


def affordable_rows(model: Model, columns: int, rows: int) -> int:
    """Return how many of the rows can be looked at."""
    return min(rows, MAX_PRODUCTS // max(SHUFFLES * columns * row_products(model, columns), 1))


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
    if count < MIN_ROWS:
        return None
    chosen = np.sort(generator.permutation(len(rows))[:count]) if count < len(rows) else slice(None)
    columns, y = np.asarray(rows.columns[chosen]), rows.y[chosen]
    name, scores = _scores(model, rows, y, None if rows.weight is None else rows.weight[chosen])
    (own,) = scores(columns)
    direction = 1.0 if name == "loss" else -1.0
    suffers = np.empty((len(names), SHUFFLES))
    for index in range(len(names)):
        # All shuffles at once: a product of many rows takes less time than several of few.
        shuffled = np.concatenate([columns] * SHUFFLES)
        for start in range(0, len(shuffled), count):
            shuffled[start : start + count, index] = columns[generator.permutation(count), index]
        suffers[index] = direction * (scores(shuffled) - own)
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


MAX_RESPONSES, RESPONSE_ROWS, MAX_POINTS = 5, 100, 20
"""Columns with a curve, test rows that it is the mean of, and points of it."""
MAX_NAMED_CELLS = 12
"""Cells of a column of texts or dates."""
MAX_CLASSES = 4
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
        The rows of its run: quantiles are those of the training rows, and responses are those of test rows.
    importance : Importance
        Of the columns.
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
        cells = _moved_cells(np.asarray(known[:, index], np.float64), train.kinds[index] if train.kinds else None)
        if len(cells[0]) > 1:
            found.append(_response(model, rows, index, cells, importance.columns[index]))
    return found


def _moved_cells(known: NDArray[np.float64], column: Column | None) -> MovedCells:
    """Return what a column is set to: its most frequent texts, else quantiles of its training rows."""
    kind = "numeric" if column is None else column.kind
    values, counts = np.unique(known, return_counts=True)
    if column is not None and column.texts is not None:
        values = values[np.argsort(-counts, kind="stable")[:MAX_NAMED_CELLS]]
        texts = [MISSING if cell != cell else str(column.texts[int(cell)]) for cell in values.tolist()]
        return values, [text or "missing" for text in texts], False
    values = values[~np.isnan(values)]
    most = MAX_NAMED_CELLS if kind == "datetime" else MAX_POINTS
    if len(values) > most:
        # The middles of as many parts of the rows, so that no outlier makes the axis long.
        middles = (np.arange(most) + 0.5) / most
        values = np.unique(np.quantile(known[~np.isnan(known)], middles, method="nearest"))
    if kind == "datetime":
        return values, [*map(day_text, values.tolist())], False
    return values, [*map(cell_text, values.tolist())], kind != "boolean"


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
"""Parameters of all members of an ensemble; of a larger one the first member answers."""
MAX_BYTES = 400_000
"""Of the parameters in a page."""
MAX_CODE = 640_000
"""Characters of the code."""
MAX_CONTROLS = 60
"""Columns with a control; the others stay as they are in the row."""
MAX_TEST_ROWS, MAX_WORST_ROWS = 50, 5
QUANTILES = np.linspace(0, 1, 21)
MAX_TRAINING_ROWS = 10_000
"""Training rows that quantiles and the typical row are taken of, at most."""
LEVEL = 0.9


def panel_of(shown: ModelAnswers, data: SpecData, *, with_rows: bool) -> AskPanel | None:
    """Return the panel of a model; None where it is too large, or no code can be written of it.

    Parameters
    ----------
    shown : ModelAnswers
        The importance of columns orders their controls.
    data : SpecData
        The rows of its run.
    with_rows : bool
        Whether there are test rows to ask about.
    """
    answering, part = _answering(shown.model)
    if answering.theta.nbytes > MAX_BYTES:
        return None
    try:
        raw, level = columns_of(answering), _level(answering)
        code = inlined(answering, level)
    except ExportError:
        return None
    if len(code) > MAX_CODE:  # many texts have codes
        return None
    train, test = data.splits["train"], data.splits.get("test")
    known = np.asarray(train.columns[:: -(-len(train) // MAX_TRAINING_ROWS)], np.float64)
    importance, answers = shown.importance, shown.answers if with_rows else None
    order = np.arange(len(raw)) if importance is None else np.argsort(-importance.mean, kind="stable")
    gaps = trained_gaps(answering.preprocessing, len(raw))
    columns = [
        _column(int(index), shown.columns[index], raw[index], known[:, index], train, bool(gaps[index]))
        for index in order[:MAX_CONTROLS]
    ]
    rows, worst = ([], []) if test is None or answers is None else _rows(raw, test, answers, shown)
    kind = _kind(answering)
    return AskPanel(
        code,
        columns,
        _typical(raw, known, train),
        kind,
        shown.classes if kind in ("classes", "binary") else shown.outputs,
        rows,
        worst,
        None if level is None else round(100 * level),
        part,
    )


def _answering(model: Model) -> tuple[Model, str]:
    """Return the model that answers, and what part of the whole it is, in words."""
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


def _column(
    index: int, name: str, raw: RawColumn, cells: NDArray[np.float64], train: Rows, has_gaps: bool
) -> AskColumn:
    if raw.codes is not None:
        texts = [text for text in raw.codes if text]
        return AskColumn(index, name, "choice", options=texts, may_be_missing="" in raw.codes)
    known = cells[~np.isnan(cells)]
    if raw.kind == "boolean" or not len(known):
        return AskColumn(index, name, "choice", options=sorted({*known.tolist()}), may_be_missing=has_gaps)
    quantiles = [float(f"{each:.6g}") for each in np.quantile(known, QUANTILES)]
    # Rounding may not leave the range, which decides where curves are dotted.
    quantiles[0], quantiles[-1] = float(known.min()), float(known.max())
    kind: Literal["number", "date"] = "date" if raw.kind == "datetime" else "number"
    return AskColumn(index, name, kind, quantiles, bool((known == np.floor(known)).all()), (), has_gaps)


def _row_cells(raw: Sequence[RawColumn], rows: Rows, chosen: Sequence[int]) -> Iterator[list[Cell]]:
    """Yield the raw cells of some rows."""
    taken = RawColumns(np.asarray(rows.columns[np.asarray(chosen, np.intp)], np.float64), rows.kinds)
    texts = texts_of(raw, taken) if rows.kinds else {}
    for number, cells in enumerate(taken.X.tolist()):
        yield [
            texts[index][number] or None if index in texts else None if cell != cell else cell
            for index, cell in enumerate(cells)
        ]


def _typical(raw: Sequence[RawColumn], known: NDArray[np.float64], train: Rows) -> AskRow:
    """Return the medians of numbers, and the most frequent texts; a column without any cell is missing."""
    cells: list[Cell] = []
    for index, column in enumerate(raw):
        found = known[:, index][~np.isnan(known[:, index])]
        if not len(found):
            cells.append(None)
        elif column.is_text:
            texts = train.texts[index]
            assert texts is not None, "a category"
            numbers, counts = np.unique(found, return_counts=True)
            cells.append(str(texts[int(numbers[counts.argmax()])]) or None)
        else:
            # A number that is there, not one between two.
            cells.append(float(np.quantile(found, 0.5, method="lower")))
    return {"cells": cells, "text": "The typical training row: the median of each number, and the most frequent texts."}


def _rows(
    raw: Sequence[RawColumn], test: Rows, answers: Answers, shown: ModelAnswers
) -> tuple[list[AskRow], list[AskRow]]:
    """Return some test rows, and those with the largest losses."""
    some = np.unique(np.linspace(0, len(test) - 1, MAX_TEST_ROWS).round().astype(np.intp)).tolist()
    worst = np.argsort(-answers.losses, kind="stable")[:MAX_WORST_ROWS].tolist()
    chosen = [*some, *worst]
    made: list[AskRow] = [
        {"cells": cells, "text": f"Test row {row + 1} of {len(test)}. {_truth(answers, row, shown)}"}
        for row, cells in zip(chosen, _row_cells(raw, test, chosen), strict=True)
    ]
    return made[: len(some)], made[len(some) :]


def _truth(answers: Answers, row: int, shown: ModelAnswers) -> str:
    """Return what is true of a test row, in words."""
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
