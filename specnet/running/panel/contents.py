"""The panel of a model: its code within the page's limit of size, its controls, and its rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from specnet.data import RawColumns, StepGroup, trained_gaps
from specnet.errors import DataError, ExportError
from specnet.exporting.export_columns import RawColumn, columns_of, texts_of
from specnet.findings.data_findings import image_width
from specnet.model import Answers, Model
from specnet.model.contributions import EXACT_COLUMNS, column_ranks
from specnet.number_texts import fixed
from specnet.parts.splits import TEST, TRAIN
from specnet.report.pages.model_answers import AskColumn, AskPanel, AskRow, Cell, ModelAnswers
from specnet.running.data_rows import Rows, SpecData
from specnet.running.panel.model_code import code_of
from specnet.running.panel.row_names import names_of_rows
from specnet.running.panel.words import boolean_words, date_format, decimals_of, decimals_of_targets

MAX_CONTROLS = 60
"""The maximum number of columns with a control; all other cells of the row cannot be changed."""
MAX_TEST_ROWS, MAX_MISTAKES, MAX_CELLS = 50, 5, 6_000
"""The maximum numbers of rows at random, of mistakes, and of cells of all of them."""
QUANTILES = np.linspace(0, 1, 21)
MAX_TRAINING_ROWS = 10_000
"""The maximum number of training rows for quantiles and the typical row."""
MAX_PREPARED = 4_000_000
"""The maximum number of prepared cells in which the row nearest the centre is searched."""
LEVEL = 0.9
WHY_ROWS = 20
"""The number of training rows to which the panel compares."""


def panel_of(shown: ModelAnswers, data: SpecData, *, with_rows: bool, trials: Sequence[str] = ()) -> AskPanel | str:
    """Return the interactive panel of a model, or a sentence with the reason why the page has none.

    Parameters
    ----------
    shown : ModelAnswers
        The answers on the page; controls are in order of importance.
    data : SpecData
        Rows of the run.
    with_rows : bool
        Whether the panel may have rows: the typical one, and test rows to choose.
    trials : sequence of str
        The names of a team's trials, if it has several. The model has equally many consecutive networks of each. They
        have no answers of their own where a small network answers.
    """
    model, train = shown.model, data.splits[TRAIN]
    level = _level(model)
    try:
        raw = columns_of(model)
        code, note, answering = code_of(model, data, level)
    except ExportError as error:
        return f"{error.diagnostics[0].message[:1].upper()}{error.diagnostics[0].message[1:]}."
    known = np.asarray(train.columns[:: -(-len(train) // MAX_TRAINING_ROWS)], np.float64)
    width = image_width(train.columns)
    order = np.arange(len(raw)) if shown.importance is None else np.argsort(-shown.importance.mean, kind="stable")
    gaps = np.any([trained_gaps(each, len(raw)) for each in model.preparations], axis=0)
    words = boolean_words(data)
    columns = [
        _column(int(index), shown.columns[index], raw[index], known[:, index], bool(gaps[index]), train, words)
        for index in order[: MAX_CONTROLS if width is None else 0]
    ]
    decimals = decimals_of_targets(train) if model.network.task == "values" else None
    rows, mistakes = _rows(raw, data, shown, decimals) if with_rows else ([], [])
    kind, runs = _kind(model), len(model.networks) // max(len(trials), 1)
    return AskPanel(
        code,
        columns,
        _central(raw, data, model, known) if with_rows else _medians(raw, known, train),
        kind,
        shown.classes if kind in ("classes", "binary") else shown.outputs,
        rows,
        mistakes,
        None if level is None else round(100 * level),
        note,
        float(np.nextafter(model.boundary, 0) if model.decoder.includes_boundary else model.boundary),
        decimals,
        None if width is None else (width, float(known.max(initial=1))),
        _why(raw, data, shown) if with_rows and width is None else None,
        [
            (name, sum(len(each.members) for each in model.networks[runs * number : runs * (number + 1)]))
            for number, name in enumerate(trials if len(answering.networks) == len(model.networks) else ())
        ],
    )


def _why(raw: Sequence[RawColumn], data: SpecData, shown: ModelAnswers) -> dict[str, Any]:
    """Return the rows to which the panel compares, and the orders in which it changes the columns."""
    background = data.splits[TRAIN].background(WHY_ROWS)
    rows, seed, exact = len(background.weights), shown.model.spec.seed, len(raw) <= EXACT_COLUMNS
    return {
        "names": list(shown.columns),
        "rows": list(_cells(raw, background.rows)),
        "weights": background.weights.tolist(),
        "ranks": None if exact else column_ranks(seed, rows, len(raw))[:, :, 0].tolist(),
    }


def _level(model: Model) -> float | None:
    try:
        model.interval_quantiles(LEVEL)
    except DataError:
        return None
    return LEVEL


def _kind(model: Model) -> Literal["classes", "binary", "multilabel", "values", "outputs"]:
    return model.network.task if model.network.task == "values" or model.gives_probabilities else "outputs"


def _column(
    index: int,
    name: str,
    raw: RawColumn,
    cells: NDArray[np.float64],
    has_gaps: bool,
    train: Rows,
    words: dict[str, tuple[str, str]],
) -> AskColumn:
    if raw.codes is not None:
        texts = [text for text in raw.codes if text]
        return AskColumn(index, name, "choice", options=texts, may_be_missing="" in raw.codes)
    if raw.has_words:
        return AskColumn(index, name, "words")  # an empty field is a missing cell
    known = cells[~np.isnan(cells)]
    if raw.kind == "boolean" or not len(known):
        options = sorted({*known.tolist()})
        return AskColumn(
            index,
            name,
            "choice",
            options=options,
            may_be_missing=has_gaps,
            words=words.get(name) if raw.kind == "boolean" else None,
        )
    quantiles = [float(f"{each:.6g}") for each in np.quantile(known, QUANTILES)]
    # The ends are not rounded: they decide where curves are dotted.
    quantiles[0], quantiles[-1] = float(known.min()), float(known.max())
    if raw.kind == "datetime":
        form = date_format(train.kinds[index], known)
        return AskColumn(index, name, "date", quantiles, may_be_missing=has_gaps, format=form)
    return AskColumn(index, name, "number", quantiles, decimals_of(known), may_be_missing=has_gaps)


def _row_cells(raw: Sequence[RawColumn], rows: Rows, chosen: Sequence[int]) -> Iterator[list[Cell]]:
    """Return an iterator of the raw cells of each chosen row."""
    return _cells(raw, RawColumns(np.asarray(rows.columns[np.asarray(chosen, np.intp)], np.float64), rows.kinds))


def _cells(raw: Sequence[RawColumn], taken: RawColumns) -> Iterator[list[Cell]]:
    texts = texts_of(raw, taken) if taken.kinds else {}
    for number, cells in enumerate(taken.X.tolist()):
        yield [
            texts[index][number] or None if index in texts else None if cell != cell else cell
            for index, cell in enumerate(cells)
        ]


def _central(raw: Sequence[RawColumn], data: SpecData, model: Model, known: NDArray[np.float64]) -> AskRow:
    """Return the training row that is nearest the mean of the rows in the columns that the network reads.

    Columns with a standard deviation above 1 are divided by it, and the columns of a text count as one. A missing cell
    counts as much as a cell at the average distance does, in proportion to the cells of its column that are known, so
    that a row with many gaps, which preprocessing fills with typical values, is not the nearest.
    """
    train = data.splits[TRAIN]
    network, preparation = model.networks[0].network, model.networks[0].preprocessing
    step = -(-len(train) // min(MAX_TRAINING_ROWS, max(MAX_PREPARED // max(network.inputs, 1), 1)))
    chosen = np.arange(0, len(train), step)
    raw_rows = RawColumns(np.asarray(train.columns[chosen]), train.kinds)
    prepared = np.asarray(preparation.prepare(raw_rows.X, texts=raw_rows.texts, reader=network), np.float64)
    shares = np.concatenate([_shares(group, train, len(raw)) for group in preparation.groups] or [np.ones(len(raw))])
    with np.errstate(all="ignore"):
        distances = np.square((prepared - prepared.mean(axis=0)) / np.maximum(prepared.std(axis=0), 1)) @ shares
    missing = np.isnan(np.asarray(raw_rows.X, np.float64))
    distances += missing @ (1 - missing.mean(axis=0))
    nearest = int(chosen[np.argmin(np.nan_to_num(distances, nan=np.inf))])
    (name,) = names_of_rows(data, train, [nearest])
    (cells,) = _row_cells(raw, train, [nearest])
    return {"cells": cells, "text": f"The most typical training row, nearest to the centre of the data: {name}."}


def _shares(group: StepGroup, train: Rows, columns: int) -> NDArray[np.float64]:
    """Return the share of each prepared column of a group; those of a text together count as one column."""
    own, size = group.among(columns), group.output_size(columns) or 0
    are_texts = any(train.kinds[index].kind == "text" for index in own if train.kinds)
    return np.full(size, len(own) / size if are_texts else 1.0) if size else np.zeros(0)


def _medians(raw: Sequence[RawColumn], known: NDArray[np.float64], train: Rows) -> AskRow:
    """Return medians of numbers and most frequent texts; None for a column without cells.

    A text of words belongs to a single row, so it is None too.
    """
    cells: list[Cell] = []
    for index, column in enumerate(raw):
        found = known[:, index][~np.isnan(known[:, index])]
        if not len(found) or column.has_words:
            cells.append(None)
        elif column.is_text:
            texts = train.texts[index]
            assert texts is not None, "a column of texts"
            numbers, counts = np.unique(found, return_counts=True)
            cells.append(str(texts[int(numbers[counts.argmax()])]) or None)
        else:
            # A number that occurs, not a mean of two.
            cells.append(float(np.quantile(found, 0.5, method="lower")))
    return {"cells": cells, "text": "Typical values: the median of each number, and the most frequent texts."}


def _rows(
    raw: Sequence[RawColumn], data: SpecData, shown: ModelAnswers, decimals: Sequence[int | None] | None
) -> tuple[list[AskRow], list[AskRow]]:
    """Return a selection of test rows, and the test rows that are wrong or have the largest errors."""
    test, answers = data.splits.get(TEST), shown.answers
    if test is None or answers is None:
        return [], []
    most = max(min(MAX_TEST_ROWS, MAX_CELLS // max(len(raw), 1)), 1)
    some = np.unique(np.linspace(0, len(test) - 1, most).round().astype(np.intp)).tolist()
    order = np.argsort(-answers.losses, kind="stable")
    if shown.model.network.task != "values":
        order = order[np.not_equal(answers.target, answers.prediction).reshape(len(test), -1).any(axis=1)[order]]
    chosen = [*some, *order[:MAX_MISTAKES].tolist()]
    names = names_of_rows(data, test, chosen)
    made: list[AskRow] = [
        {"cells": cells, "text": f"Test row, {name}: {_truth(answers, row, shown, decimals)}."}
        for row, name, cells in zip(chosen, names, _row_cells(raw, test, chosen), strict=True)
    ]
    return made[: len(some)], made[len(some) :]


def _truth(answers: Answers, row: int, shown: ModelAnswers, decimals: Sequence[int | None] | None) -> str:
    """Return the true target of a test row, and the prediction, in words."""
    target, given = answers.target[row], answers.prediction[row]
    if shown.classes and np.ndim(target) == 0:
        return f"true {shown.classes[int(target)]}, predicted {shown.classes[int(given)]}"
    both = [np.atleast_1d(each).tolist() for each in (target, given)]
    digits = decimals or [0] * len(both[0])
    texts = [[fixed(value, shown_digits) for value, shown_digits in zip(each, digits, strict=True)] for each in both]
    names = [f"{name}: " if len(digits) > 1 else "" for name in shown.outputs]
    return "; ".join(f"{name}true {true}, predicted {made}" for name, true, made in zip(names, *texts, strict=True))
