"""Charts of what a model uses: how much each column matters."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from specnet.number_texts import count, counted, points, rounded, true_minus
from specnet.report.svg.axes import Axis
from specnet.report.svg.charts import Chart, Figure

if TYPE_CHECKING:
    from specnet.report.pages.page_record import Importance

MOST_COLUMNS = 12
"""Columns whose importance is shown."""


def importance_figure(importance: Importance) -> Figure:
    """Return a bar for each of the most important columns."""
    order = np.argsort(-importance.mean, kind="stable")[:MOST_COLUMNS]
    names = [importance.columns[place] for place in order]
    is_share = importance.score == "accuracy"
    what, verb = (importance.score if is_share else "R²"), "fall"
    if importance.score == "loss":
        what, verb = "loss", "rise"
    text, scale = (points, 100.0) if is_share else (rounded, 1.0)
    texts = [true_minus(text(float(importance.mean[place]))) for place in order]
    mean, deviation = scale * importance.mean[order], scale * importance.deviation[order]
    low, high = min(0.0, float(np.min(mean - deviation))), max(float(np.max(mean + deviation)), scale * 1e-12)
    x = Axis(low, high * 1.3, f"{verb} of {what}" + " in percentage points" * is_share)
    description = f"Permutation importance: {', '.join(f'{n} {t}' for n, t in zip(names[:5], texts, strict=False))}"
    chart = Chart(description, x, Axis.of_names(names), height=max(96.0, 58 + 20.0 * len(names)))
    for place, (value, spread) in enumerate(zip(mean, deviation, strict=True)):
        hover = f"{names[place]}: {texts[place]} ± {text(spread / scale)}{' percentage points' * is_share}"
        chart.rectangle((0.0, value), (place - 0.36, place + 0.36), "bar", hover=hover)
        chart.line([value - spread, value + spread], [place, place], "whisker")
        chart.text(max(value + spread, 0.0), place, texts[place], anchor="start", right=5)
    note = (
        f"How much the {what} {verb}s when a column is shuffled among {counted(importance.rows, 'row')}, "
        f"mean of {importance.shuffles} times"
    )
    if len(order) < len(importance.columns):
        note += f"; the first {len(order)} of {count(len(importance.columns))}"
    return Figure("Importance", f"{note}.", chart.svg())
