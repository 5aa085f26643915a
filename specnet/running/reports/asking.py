"""What a page's panel is made of: a model as code, the controls of its columns, and rows to ask about."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from specnet.data import RawColumns, trained_gaps
from specnet.errors import DataError, ExportError
from specnet.exporting.export_columns import RawColumn, columns_of, texts_of
from specnet.exporting.targets.javascript import inlined
from specnet.model import Answers, Model
from specnet.number_texts import counted, percent, rounded
from specnet.report.pages.model_answers import AskColumn, AskPanel, AskRow, Cell, ModelAnswers
from specnet.running.data_rows import Rows, SpecData

MOST_TOGETHER = 30_000
"""Parameters of all members of an ensemble; of a larger one the first member answers."""
MOST_BYTES = 400_000
"""Of the parameters in a page."""
MOST_CODE = 640_000
"""Signs of the code."""
MOST_COLUMNS = 60
"""Columns with a control; the others stay as they are in the row."""
MOST_ROWS, MOST_WORST = 50, 5
QUANTILES = np.linspace(0, 1, 21)
ROWS_LOOKED_AT = 10_000
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
    asked, said = _answering(shown.model)
    if asked.theta.nbytes > MOST_BYTES:
        return None
    try:
        raw, level = columns_of(asked), _level(asked)
        code = inlined(asked, level)
    except ExportError:
        return None
    if len(code) > MOST_CODE:  # many texts have codes
        return None
    train, test = data.splits["train"], data.splits.get("test")
    known = np.asarray(train.columns[:: -(-len(train) // ROWS_LOOKED_AT)], np.float64)
    importance, answers = shown.importance, shown.answers if with_rows else None
    places = np.arange(len(raw)) if importance is None else np.argsort(-importance.mean, kind="stable")
    gaps = trained_gaps(asked.preprocessing, len(raw))
    columns = [
        _column(int(place), shown.columns[place], raw[place], known[:, place], train, bool(gaps[place]))
        for place in places[:MOST_COLUMNS]
    ]
    rows, worst = ([], []) if test is None or answers is None else _rows(raw, test, answers, shown)
    kind = _kind(asked)
    return AskPanel(
        code,
        columns,
        _typical(raw, known, train),
        kind,
        shown.classes if kind in ("classes", "binary") else shown.outputs,
        rows,
        worst,
        None if level is None else round(100 * level),
        said,
    )


def _answering(model: Model) -> tuple[Model, str]:
    """Return the model that answers, and what part of the whole it is, in words."""
    if not model.is_ensemble or model.theta.size <= MOST_TOGETHER:
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
    place: int, name: str, raw: RawColumn, cells: NDArray[np.float64], train: Rows, has_gaps: bool
) -> AskColumn:
    if raw.codes is not None:
        texts = [text for text in raw.codes if text]
        return AskColumn(place, name, "choice", options=texts, may_be_missing="" in raw.codes)
    known = cells[~np.isnan(cells)]
    if raw.kind == "boolean" or not len(known):
        return AskColumn(place, name, "choice", options=sorted({*known.tolist()}), may_be_missing=has_gaps)
    quantiles = [float(f"{each:.6g}") for each in np.quantile(known, QUANTILES)]
    # Rounding may not leave the range, which decides where curves are dotted.
    quantiles[0], quantiles[-1] = float(known.min()), float(known.max())
    kind: Literal["number", "date"] = "date" if raw.kind == "datetime" else "number"
    return AskColumn(place, name, kind, quantiles, bool((known == np.floor(known)).all()), (), has_gaps)


def _cells(raw: Sequence[RawColumn], rows: Rows, chosen: Sequence[int]) -> Iterator[list[Cell]]:
    """Yield the raw cells of some rows."""
    taken = RawColumns(np.asarray(rows.columns[np.asarray(chosen, np.intp)], np.float64), rows.kinds)
    texts = texts_of(raw, taken) if rows.kinds else {}
    for number, cells in enumerate(taken.X.tolist()):
        yield [
            texts[place][number] or None if place in texts else None if cell != cell else cell
            for place, cell in enumerate(cells)
        ]


def _typical(raw: Sequence[RawColumn], known: NDArray[np.float64], train: Rows) -> AskRow:
    """Return the medians of numbers, and the most frequent texts; a column without any cell is missing."""
    cells: list[Cell] = []
    for place, column in enumerate(raw):
        found = known[:, place][~np.isnan(known[:, place])]
        if not len(found):
            cells.append(None)
        elif column.is_text:
            texts = train.texts[place]
            assert texts is not None, "a category"
            numbers, counts = np.unique(found, return_counts=True)
            cells.append(str(texts[int(numbers[counts.argmax()])]) or None)
        else:
            # A number that is there, not one between two.
            cells.append(float(np.quantile(found, 0.5, method="lower")))
    return {"cells": cells, "told": "The typical training row: the median of each number, and the most frequent texts."}


def _rows(
    raw: Sequence[RawColumn], test: Rows, answers: Answers, shown: ModelAnswers
) -> tuple[list[AskRow], list[AskRow]]:
    """Return some test rows, and those with the largest losses."""
    some = np.unique(np.linspace(0, len(test) - 1, MOST_ROWS).round().astype(np.intp)).tolist()
    worst = np.argsort(-answers.losses, kind="stable")[:MOST_WORST].tolist()
    chosen = [*some, *worst]
    made: list[AskRow] = [
        {"cells": cells, "told": f"Test row {row + 1} of {len(test)}. {_truth(answers, row, shown)}"}
        for row, cells in zip(chosen, _cells(raw, test, chosen), strict=True)
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
    told = ", ".join(f"{name} {rounded(value)}" for name, value in zip(shown.outputs, values, strict=True))
    return f"The true values are {told}."


def _given(answers: Answers, row: int, target: int) -> str:
    assert answers.probability is not None, "it was looked for"
    probabilities = answers.probability[row]
    if len(probabilities) == 1:
        probability = float(probabilities[0] if target else 1 - probabilities[0])
    else:
        probability = float(probabilities[target])
    return f"; the model gave it {percent(probability)}"
