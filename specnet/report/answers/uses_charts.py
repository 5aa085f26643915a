"""Charts of what a model uses: how much each column matters, and what is predicted as one of them moves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from specnet.number_texts import count, counted, percent, points, rounded, true_minus
from specnet.parts.arrays import kept_points
from specnet.report.svg.axes import Axis
from specnet.report.svg.charts import Chart, Figure
from specnet.report.svg.style import CLASS_COUNT, SERIES

if TYPE_CHECKING:
    from specnet.report.pages.model_answers import Importance, Response

MOST_COLUMNS = 12
"""Columns whose importance is shown."""
MOST_TOLD = 5
"""Cells that stand for a chart where it is not seen."""
LEAST_HEIGHT, LINE = 58.0, 20.0
"""Units of a chart with a line for each name, and of each of these."""


def importance_figure(importance: Importance) -> Figure:
    """Return a bar for each of the most important columns."""
    order = np.argsort(-importance.mean, kind="stable")[:MOST_COLUMNS]
    names = [importance.columns[index] for index in order]
    is_share = importance.score == "accuracy"
    what, verb = {"loss": ("loss", "rise")}.get(importance.score, (importance.score if is_share else "R²", "fall"))
    text, scale = (points, 100.0) if is_share else (rounded, 1.0)
    texts = [true_minus(text(float(importance.mean[index]))) for index in order]
    mean, deviation = scale * importance.mean[order], scale * importance.deviation[order]
    low, high = min(0.0, float(np.min(mean - deviation))), max(float(np.max(mean + deviation)), 0.0) or scale / 100
    x = Axis(low, high * 1.3, f"{verb} of {what}" + " in percentage points" * is_share)
    description = f"Permutation importance: {', '.join(f'{n} {t}' for n, t in zip(names[:5], texts, strict=False))}"
    chart = Chart(description, x, Axis.of_names(names), height=max(96.0, LEAST_HEIGHT + LINE * len(names)))
    for index, (value, spread) in enumerate(zip(mean, deviation, strict=True)):
        hover = f"{names[index]}: {texts[index]} ± {text(spread / scale)}{' percentage points' * is_share}"
        chart.rectangle((0.0, value), (index - 0.36, index + 0.36), "bar", hover=hover)
        chart.line([value - spread, value + spread], [index, index], "whisker")
        chart.text(max(value + spread, 0.0), index, texts[index], anchor="start", right=5)
    note = (
        f"How much the {what} {verb}s when a column is shuffled among {counted(importance.rows, 'row')}, "
        f"mean of {importance.shuffles} times"
    )
    if len(order) < len(importance.columns):
        note += f"; the first {len(order)} of {count(len(importance.columns))}"
    return Figure("Importance", f"{note}.", chart.svg())


def response_figures(
    responses: Sequence[Response], all_names: Sequence[str], *, are_probabilities: bool
) -> Iterator[Figure]:
    """Yield for each of the first columns what is predicted as it moves, all with one axis of predictions.

    Parameters
    ----------
    responses : sequence of Response
    all_names : sequence of str
        Of all classes, or of the columns of the target.
    are_probabilities : bool
        Whether probabilities of these are predicted, and not their values.
    """
    shown = [values for each in responses for values in (each.mean, each.low, each.high)]
    predicted = Axis.over(*shown, *([0.0] if are_probabilities else []))
    text = percent if are_probabilities else rounded
    for each in responses:
        names, first = [all_names[output] for output in each.outputs], each.mean[0].tolist()
        what = f"probability of {names[0]}" if are_probabilities else names[0]
        outer = sorted({first.index(min(first)), first.index(max(first))})
        note = f"Mean {what}: {', '.join(f'{text(first[end])} at {each.texts[end]}' for end in outer)}."
        bounds = zip(each.texts, first, each.low.tolist(), each.high.tolist(), strict=True)
        hovers = [f"{cell}: {text(mean)}, four fifths {text(low)} to {text(high)}" for cell, mean, low, high in bounds]
        description = f"{each.column}: {what}; {'; '.join(hovers[k] for k in kept_points(len(hovers), MOST_TOLD))}"
        if each.are_numbers:
            axis = replace(predicted, label=what if len(names) == 1 else "probability")
            chart = Chart(description, Axis.over(each.cells, label=each.column), axis)
            _draw_curves(chart, each, names, len(all_names), dict(zip(each.cells.tolist(), hovers, strict=True)))
        else:
            height = LEAST_HEIGHT + LINE * len(hovers)
            chart = Chart(description, replace(predicted, label=what), Axis.of_names(each.texts), height=height)
            for index, ends in enumerate(zip(each.low, each.high, strict=True)):
                chart.line(ends, [index, index], "whisker")
            chart.points(first, range(len(first)), radius=4.5, hover=hovers)
        yield Figure(each.column, note, chart.svg())


def _draw_curves(
    chart: Chart, response: Response, names: Sequence[str], classes: int, hovers: Mapping[float, str]
) -> None:
    """Draw the mean of each output, with the band of the first one, and dots that tell of it."""
    # Classes have their own colours, unless there are so many that two would share one.
    hues = SERIES if len(names) == 1 or classes > CLASS_COUNT else response.outputs
    chart.band(response.cells, response.low, response.high, f"class-{hues[0]}")
    for index, (hue, name, mean) in enumerate(zip(hues, names, response.mean, strict=False)):
        style, ending = f"series-{SERIES.index(hue)}", name if len(names) > 1 else ""
        chart.line(response.cells, mean, style, name=ending, hover=None if index else lambda cell, _: hovers[cell])
        if not index:
            chart.cloud(response.cells, mean, style)
