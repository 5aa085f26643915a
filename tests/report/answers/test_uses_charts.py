"""What charts of columns say in numbers."""

from __future__ import annotations

import re

import numpy as np

from specnet.report.answers.uses_charts import importance_figure
from specnet.report.pages.model_answers import Importance


def importance(score: str, *mean: float) -> Importance:
    names = [f"x{place}" for place in range(len(mean))]
    return Importance(score, 100, 5, names, np.array(mean), np.full(len(mean), 0.0123))


def test_columns_that_do_not_matter_have_an_axis_with_ticks_that_one_can_read() -> None:
    for score, most in [("accuracy", 3.0), ("r2", 0.03)]:
        still = Importance(score, 100, 5, ["a", "b"], np.zeros(2), np.zeros(2))
        chart = importance_figure(still).chart
        assert "·10" not in chart
        ticks = [float(text) for text in re.findall(r">(0(?:\.\d+)?|[1-9]\.\d)</text>", chart)]
        assert 0 < max(ticks) <= most


def test_importance_is_in_percentage_points() -> None:
    figure = importance_figure(importance("accuracy", 0.249, -0.0004, -0.012))
    assert "Permutation importance: x0 24.9, x1 0.0, x2 −1.2" in figure.chart
    assert "fall of accuracy in percentage points" in figure.chart
    assert "x0: 24.9 ± 1.2 percentage points" in figure.chart
    assert (
        "-" not in importance_figure(importance("r2", 0.9, -0.01)).chart.partition('aria-label="')[2].partition('"')[0]
    )
