"""Tables of the test rows on which a model fails, and of those of which it is the least sure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specnet.model import Answers
from specnet.number_texts import fixed, percent
from specnet.parts.splits import TEST, TRAIN
from specnet.report.pages.model_answers import ModelAnswers
from specnet.report.terminal.terminal_output import TextTable
from specnet.running.data_rows import SpecData
from specnet.running.evaluation.failures import columns_of_rows, errors_of
from specnet.running.panel.row_names import names_of_rows
from specnet.running.panel.words import boolean_words, cell_text_of, decimals_of, decimals_of_targets

MAX_MISTAKES, MAX_LEAST_SURE = 10, 5
MAX_COLUMNS, MAX_OUTPUTS = 6, 3
"""Most columns and outputs that are shown of a row."""

TextColumns = list[tuple[str, list[str]]]
"""Columns of a table, each with its title and its texts; titles may be equal."""


def mistakes_of(shown: ModelAnswers, data: SpecData) -> TextTable | None:
    """Return the test rows with wrong classes of which the model is the surest, or those with the largest errors.

    The table has the name of each row, the truth, the prediction, and the most important columns. It is None without
    such rows, and for images.
    """
    answers = shown.answers
    if answers is None:
        return None
    if shown.classes or shown.model.network.task == "multilabel":
        wrong = np.not_equal(answers.target, answers.prediction).reshape(len(answers), -1).any(axis=1)
        badness = answers.losses if shown.model.labels is None else _certainty(answers)
    else:
        badness = errors_of(shown.model, answers).values
        wrong = badness > 0
    return _table(shown, data, answers, _first(badness, wrong, MAX_MISTAKES))


def least_sure_of(shown: ModelAnswers, data: SpecData) -> TextTable | None:
    """Return the test rows with the right class of which the model is the least sure, as `mistakes_of`."""
    answers = shown.answers
    if answers is None or not shown.classes or answers.probability is None:
        return None
    right = np.equal(answers.target, answers.prediction)
    return _table(shown, data, answers, _first(-_certainty(answers), right, MAX_LEAST_SURE))


def _first(numbers: NDArray[np.float64], mask: NDArray[np.bool_], most: int) -> list[int]:
    """Return the rows of a mask with the largest numbers, in descending order."""
    rows = np.flatnonzero(mask)
    found: list[int] = rows[np.argsort(-numbers[rows], kind="stable")][:most].tolist()
    return found


def _certainty(answers: Answers) -> NDArray[np.float64]:
    """Return the probability of each predicted class, or the loss for a model without probabilities."""
    if answers.probability is None:
        return answers.losses
    rows = np.arange(len(answers))
    return np.asarray(answers.probability[rows, answers.prediction], np.float64)


def _table(shown: ModelAnswers, data: SpecData, answers: Answers, chosen: Sequence[int]) -> TextTable | None:
    if not chosen or shown.images is not None:
        return None
    test, rows, words = data.splits[TEST], np.asarray(chosen, np.intp), boolean_words(data)
    found: TextColumns = [("row", names_of_rows(data, test, chosen)), *_outcomes(shown, data, answers, rows)]
    right = frozenset(range(1, len(found))) if shown.model.network.task == "values" else frozenset[int]()
    cells, columns = np.asarray(test.columns[rows], np.float64), columns_of_rows(test, shown.columns)
    for index in _most_important(shown)[:MAX_COLUMNS]:
        column, its = columns[index], cells[:, index].tolist()
        decimals = None
        if column.kind == "numeric":
            known = np.asarray(data.splits[TRAIN].columns[:, index], np.float64)
            decimals = decimals_of(known[~np.isnan(known)])
        found.append((column.name, [cell_text_of(column, cell, words, decimals) for cell in its]))
    titles, texts = zip(*found, strict=True)
    return TextTable(titles, list(zip(*texts, strict=True)), right=right)


def _most_important(shown: ModelAnswers) -> list[int]:
    if shown.importance is None:
        return [*range(len(shown.columns))]
    order: list[int] = np.argsort(-shown.importance.mean, kind="stable").tolist()
    return order


def _outcomes(shown: ModelAnswers, data: SpecData, answers: Answers, rows: NDArray[np.intp]) -> TextColumns:
    """Return the truth and the prediction of each row in words."""
    pairs = answers.target[rows], answers.prediction[rows]
    if shown.classes:
        truth, given = ([shown.classes[int(label)] for label in each] for each in pairs)
        found = [("true", truth), ("predicted", given)]
        if answers.probability is not None:
            found.append(("probability", [percent(each) for each in _certainty(answers)[rows].tolist()]))
        return found
    target, prediction = (np.asarray(each, np.float64).reshape(len(rows), -1) for each in pairs)
    if shown.model.network.task == "multilabel":
        outputs = zip(target, prediction, strict=True)
        return [("wrong", [", ".join(_wrong_outputs(shown.outputs, *each)) for each in outputs])]
    decimals = decimals_of_targets(data.splits[TRAIN])
    if len(shown.outputs) == 1:
        columns = {"true": target, "predicted": prediction, "error": prediction - target}
        return [
            (title, [fixed(value, decimals[0]) for value in each[:, 0].tolist()]) for title, each in columns.items()
        ]
    found = []
    for number, name in enumerate(shown.outputs[:MAX_OUTPUTS]):
        true_and_given = (each[:, number].tolist() for each in (target, prediction))
        both = ([fixed(value, decimals[number]) for value in values] for values in true_and_given)
        found += zip((name, "predicted"), both, strict=True)
    return found


def _wrong_outputs(names: Sequence[str], target: Any, prediction: Any) -> Iterator[str]:
    return (name for name, true, given in zip(names, target, prediction, strict=True) if true != given)
