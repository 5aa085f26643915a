"""What charts of values say in numbers, against the rows that they are of."""

from __future__ import annotations

import numpy as np

from specnet.model import Answers
from specnet.number_texts import rounded
from specnet.report.answers.value_charts import MOST_POINTS, value_figures


def test_residuals_are_told_of_all_rows_where_some_are_drawn() -> None:
    rng = np.random.default_rng(4)
    target, prediction = rng.standard_t(2, 3600), np.zeros(3600)
    residuals = Answers(target, target[:, np.newaxis], np.square(target), prediction, None, None)
    _, figure = value_figures(residuals, ["y"])
    assert figure.chart.count("<circle") == MOST_POINTS
    deviation, mean = rounded(float(np.std(target))), rounded(float(np.mean(target)))
    assert figure.note.startswith(f"Mean {mean}, standard deviation {deviation} of 3 600 test rows.")
    assert f"mean {mean}, standard deviation {deviation}" in figure.chart
