"""The slices of test rows on which a model fails more often than on the others."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from specnet.findings.data_findings import image_width
from specnet.findings.slices import Errors, Slice, slices_of
from specnet.model import Answers, Model
from specnet.parts.data import Column
from specnet.parts.splits import TEST, TRAIN
from specnet.running.data_rows import Rows, SpecData
from specnet.running.panel.words import boolean_words, cell_text_of

MAX_CELLS = 20_000_000
"""The maximum number of cells of test rows that are examined: about a second."""
MAX_TRAINING_ROWS = 10_000
"""The maximum number of training rows for quartiles."""


def slices_on_test(model: Model, data: SpecData, answers: Answers) -> list[Slice]:
    """Return the slices of test rows on which a model fails more often than on the others; none for images."""
    test, train = data.splits[TEST], data.splits[TRAIN]
    if len(test) * test.columns.shape[1] > MAX_CELLS or image_width(test.columns) is not None:
        return []
    errors = errors_of(model, answers)
    counts = slice(None) if answers.weight is None else answers.weight > 0
    errors = Errors(errors.measure, errors.values[counts], None if test.groups is None else test.groups[counts])
    columns = columns_of_rows(train, column_names(model, data))
    trained = train.columns[:: -(-len(train) // MAX_TRAINING_ROWS)]
    in_words = partial(cell_text_of, words=boolean_words(data))
    return slices_of(errors, columns, np.asarray(test.columns)[counts], np.asarray(trained), in_words)


def errors_of(model: Model, answers: Answers) -> Errors:
    """Return the errors of a model: wrong classes, absolute errors of one value, otherwise losses."""
    network = model.network
    if model.labels is not None:
        return Errors("wrong", np.not_equal(answers.target, answers.prediction).astype(np.float64))
    if network.task == "values" and network.target_size == 1 and network.spec.training.loss.predicts_mean:
        difference = np.asarray(answers.target, np.float64) - np.asarray(answers.prediction, np.float64)
        return Errors("absolute_error", np.abs(difference).reshape(-1))
    return Errors("loss", answers.losses)


def column_names(model: Model, data: SpecData | str) -> Sequence[str]:
    """Return the names of a model's raw columns: x1, x2, … if they have no names."""
    given = () if isinstance(data, str) or data.table is None else data.table.feature_names
    unnamed = tuple(f"x{number}" for number in range(1, model.network.resolved.columns + 1))
    return given or model.feature_names or unnamed


def columns_of_rows(rows: Rows, names: Sequence[str]) -> Sequence[Column]:
    """Return the columns of rows; columns without kinds are numbers with the given names."""
    return rows.kinds or [Column(name, "numeric") for name in names]
