"""Charts and texts about predicted values of test rows: errors, coverage of intervals, importance of columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from specnet.number_texts import cell_text, counted, difference, on_page, page_figure, percent, rounded
from specnet.parts.arrays import spaced_indices
from specnet.report.svg.axes import Axis, Unit, unit_of
from specnet.report.svg.charts import Chart, Figure
from specnet.report.svg.colours import SERIES, class_line, colour_of
from specnet.report.terminal.terminal_output import TextTable

if TYPE_CHECKING:
    from specnet.model import Answers, ErrorQuantiles


MAX_POINTS = 400
MAX_OUTPUTS = 3
"""Most columns of the target that have charts."""
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
"""Quantiles of residuals in ``metrics.json``."""
DRAWN_LEVEL = 0.9
"""Level of the intervals and sets that are drawn."""
ENDS_DRAWN = 200
"""Number of points of the line through the ends of intervals."""


@dataclass(frozen=True, eq=False)
class Importance:
    """Permutation importance: the decrease of a score if a column is shuffled among test rows.

    Attributes
    ----------
    score : str
        Name of the metric; for ``loss`` the importance is its increase.
    rows, shuffles : int
    columns : sequence of str
    mean : ndarray (columns,)
        Mean over rows and shuffles.
    low, high : ndarray (columns,)
        Ends of the 95 % interval of the mean over rows.
    """

    score: str
    rows: int
    shuffles: int
    columns: Sequence[str]
    mean: NDArray[Any]
    low: NDArray[Any]
    high: NDArray[Any]


@dataclass(frozen=True, eq=False)
class Response:
    """Predictions for test rows in which one column is set to each of several cells and all others are unchanged.

    Predictions are values in the unit of the target, or probabilities.

    Attributes
    ----------
    rows : int
        Number of test rows.
    column : str
    cells : ndarray (cells,)
        Values to which the column is set.
    texts : sequence of str
        Texts of these cells.
    unit : {"number", "whole", "year", "day"} or None
        What the cells are on an axis; None for names.
    outputs : tuple of int
        Indices of the outputs that are shown. Of several classes, the class that the column changes most is first.
    mean : ndarray (outputs, cells)
        Mean prediction over the rows.
    low, high : ndarray (cells,)
        Bounds of the middle 80 % of the rows' predictions of the first output.
    """

    rows: int
    column: str
    cells: NDArray[np.float64]
    texts: Sequence[str]
    unit: Unit | None
    outputs: tuple[int, ...]
    mean: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]


def value_figures(
    answers: Answers,
    outputs: Sequence[str],
    quantile: float | None = None,
    covered: Mapping[str, Any] | None = None,
    errors: ErrorQuantiles | None = None,
) -> Iterator[Figure]:
    """Yield charts of predicted against true values, and of residuals, for the first columns of the target.

    Parameters
    ----------
    answers : Answers
        Predictions for the test rows.
    outputs : sequence of str
        Names of the columns of the target.
    quantile : float, optional
        Predicted quantile, for a model that predicts one.
    covered : mapping, optional
        Entry of ``metrics.json`` about the drawn intervals.
    errors : ErrorQuantiles, optional
        Quantiles of errors from which the intervals are made.
    """
    both = answers.target, answers.prediction
    target, prediction = (np.asarray(values, np.float64).reshape(len(answers), -1) for values in both)
    chosen = spaced_indices(len(target), MAX_POINTS)
    rows = all_rows = counted(len(target), "test row")
    if len(chosen) < len(target):
        rows = f"{len(chosen)} of {all_rows}"
    for column, name in enumerate(outputs[:MAX_OUTPUTS]):
        of = f" of {name}" if len(outputs) > 1 else ""
        true, predicted = target[chosen, column], prediction[chosen, column]
        unit = unit_of(target[:, column])
        hover = [f"true {cell_text(a)}, predicted {cell_text(b)}" for a, b in zip(true, predicted, strict=True)]
        x, y = (
            Axis.over(predicted, true, margin=0.04, label=f"{which} {name}", unit=unit)
            for which in ("predicted", "true")
        )
        title = f"Predicted and true values{of}"
        chart = Chart(f"{title}: true ones from {cell_text(true.min())} to {cell_text(true.max())}", x, y)
        chart.line([x.low, x.high], [x.low, x.high], "guide")
        note = f"{rows}. On the dashed line they are equal"
        if covered is not None and errors and covered["size"][column] < 2 * (x.high - x.low):
            at = np.linspace(x.low, x.high, ENDS_DRAWN)
            for ends in errors.ends(np.repeat(at[:, np.newaxis], len(outputs), axis=1), DRAWN_LEVEL)[:, column].T:
                shown = (y.low <= ends) & (ends <= y.high)
                chart.line(at[shown], ends[shown], "guide faint")
            inside, half = percent(covered["covered"][column]), page_figure(covered["size"][column] / 2)
            level, mean = f"{100 * DRAWN_LEVEL:g} % interval of a prediction", f"±\N{NO-BREAK SPACE}{half} on average"
            note += f"; between the fainter lines, the {level} ({mean}), lie {inside} of the rows"
        chart.points(predicted, true, hover=hover)
        if quantile is not None:
            below = percent(float(np.mean(target[:, column] <= prediction[:, column])))
            note += f"; {100 * quantile:g} % of the rows should lie below, and {below} do"
        yield Figure(title, f"{note}.", chart.svg(), "predicted")
        residual = true - predicted
        largest, every = np.max(np.abs(residual)), target[:, column] - prediction[:, column]
        x = Axis.over(predicted, margin=0.04, label=f"predicted {name}", unit=unit)
        y = Axis.over([-largest, largest], margin=0.04, label=f"{name}: true − predicted")
        moments = float(every.mean()), float(every.std())
        centre, deviation = (page_figure(each, *moments) for each in moments)
        spread = f"ean {centre}, standard deviation {deviation}"
        chart = Chart(f"Residuals{of}: m{spread}", x, y)
        chart.line([x.low, x.high], [0, 0], "guide")
        chart.points(predicted, residual, hover=hover)
        note = f"M{spread} of {all_rows}. A visible pattern means that something is left to learn."
        yield Figure(f"Residuals{of}", note, chart.svg(), "residuals")


def drawn_coverage(evaluation: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the entry of ``metrics.json`` about the 90 % intervals or sets on test rows; None without this entry."""
    levels = evaluation.get("tables", {}).get("test", {}).get("coverage", [])
    return next((each for each in levels if each["level"] == DRAWN_LEVEL), None)


def coverage_sentence(covered: Mapping[str, Any], outputs: Sequence[str], task: str) -> str:
    """Return sentences about the size of intervals or sets, and their coverage of test rows and of other rows."""
    level, sizes, shares = f"{100 * DRAWN_LEVEL:g} %", covered["size"], list(map(percent, covered["covered"]))
    if task != "values":
        what = f"{_set_sizes(covered)}. {shares[0]} of these sets of classes, made for {level}, contain the true class"
    elif len(sizes) == 1:
        half = page_figure(sizes[0] / 2)
        what = f"The {level} intervals are the prediction ± {half} on average; {shares[0]} contain the true value"
        if thirds := covered.get("thirds"):
            inside = [f"{percent(share)} (±\N{NO-BREAK SPACE}{page_figure(size / 2)})" for share, size in thirds]
            what += f". By third of the prediction, from the lowest: {', '.join(inside)}"
    else:
        triples = zip(outputs, sizes, shares, strict=True)
        widths = "; ".join(f"{name} ± {page_figure(size / 2)}, {share}" for name, size, share in triples)
        what = f"The {level} intervals on average, and how many contain the true value: {widths}"
    return f"{what}. This holds for rows like the training rows, on average and not for each group of them."


def _set_sizes(covered: Mapping[str, Any]) -> str:
    """Return how many test rows have sets of no class, of one, and of more."""
    rows = covered.get("rows_by_size")
    if not rows:  # a run of an earlier version
        return f"Sets have {rounded(covered['size'][0])} classes on average"
    none, one, more = rows[0], sum(rows[1:2]), sum(rows[2:])
    parts = [
        f"{counted(none, 'row has', 'rows have')} no class that is sure enough" if none else "",
        f"{counted(one, 'row has', 'rows have')} one{' class' * (not none)}" if one else "",
        f"{counted(more, 'row has', 'rows have')} two or more{' classes' * (not none and not one)}" if more else "",
    ]
    return "; ".join(filter(None, parts))


def output_table(evaluation: Mapping[str, Any], outputs: Sequence[str], task: str) -> TextTable | None:
    """Return a table with the metrics of each column of the target; None for a single column or without test rows."""
    tables = evaluation.get("tables", {}).get("test")
    if not tables or task not in ("values", "multilabel") or len(outputs) < 2:
        return None
    if task == "values":
        header = ("output", "mean residual", *(f"{100 * level:.0f} % of residuals below" for level in QUANTILES))
        rows = [
            (name, *(page_figure(value, bias, *quantiles) for value in (-bias, *quantiles)))
            for name, bias, quantiles in zip(outputs, tables["bias"], tables["residual_quantiles"], strict=True)
        ]
    else:
        header = ("output", "true 1", "found of them", "predicted 1", "right of them")
        rows, words = [], tables.get("words", {})
        for name, ((_, alarms), (misses, hits)) in zip(outputs, tables["confusion"], strict=True):
            cells = [
                (rounded(whole), percent(hits / whole) if whole else "–") for whole in (misses + hits, alarms + hits)
            ]
            rows.append((f"{name} (1 is {words[name][1]})" if name in words else name, *cells[0], *cells[1]))
    return TextTable(header, rows, right=frozenset(range(1, len(header))))


MAX_COLUMNS = 12
"""Most columns whose importance is shown."""
MAX_DESCRIBED = 5
"""Most cells in the text description of a chart."""
MIN_HEIGHT, LINE = 58.0, 20.0
"""Height of a chart with a line for each name: without lines, and for each line."""


def importance_figure(importance: Importance) -> Figure:
    """Return the chart of permutation importance, with a bar for each of the most important columns.

    Columns whose importance is shown as 0 have no bar; if there are no others, the figure is a sentence without chart.
    """
    is_share = importance.score == "accuracy"
    what, verb = {"loss": ("loss", "rise")}.get(importance.score, (importance.score if is_share else "R²", "fall"))
    scale, largest = 100.0 if is_share else 1.0, float(np.abs(importance.mean).max(initial=0))

    def text(value: float) -> str:
        return on_page(difference(importance.score, value, largest))

    by_mean, nothing = np.argsort(-importance.mean, kind="stable"), text(0.0)
    order = [index for index in by_mean if text(importance.mean[index]) != nothing]
    all_columns, unit = counted(len(importance.columns), "column"), " percentage points" * is_share
    measured = f"among {counted(importance.rows, 'test row')}, on average over {importance.shuffles} shuffles"
    if not order:
        note = f"None of {all_columns} matters: if one is shuffled {measured}, the {what} {verb}s by {nothing}{unit}."
        return Figure("Importance", note, Markup(), "importance")
    left_out = len(importance.columns) - len(order)
    if len(order) > MAX_COLUMNS:
        rest = f"; the first {MAX_COLUMNS} of {all_columns}"
    else:
        rest = (
            f"; {counted(left_out, 'column')} with {nothing} {'is' if left_out == 1 else 'are'} left out"
            if left_out
            else ""
        )
    order = order[:MAX_COLUMNS]
    names = [importance.columns[index] for index in order]
    texts = [text(float(importance.mean[index])) for index in order]
    mean, lows, highs = (scale * each[order] for each in (importance.mean, importance.low, importance.high))
    most = max(float(highs.max()), 0.0) or scale / 100
    x = Axis(min(0.0, float(lows.min())), most * 1.3, f"{verb} of {what}" + " in percentage points" * is_share)
    description = f"Permutation importance: {', '.join(f'{n} {t}' for n, t in zip(names[:5], texts, strict=False))}"
    chart = Chart(description, x, Axis.of_names(names), height=max(96.0, MIN_HEIGHT + LINE * len(names)))
    for index, (value, low, high) in enumerate(zip(mean, lows, highs, strict=True)):
        ends = " to ".join(text(float(end / scale)) for end in (low, high))
        hover = f"{names[index]}: {texts[index]}{unit}, 95 % interval {ends}"
        chart.rectangle((0.0, value), (index - 0.36, index + 0.36), "bar", hover=hover)
        chart.line([low, high], [index, index], "whisker")
        chart.text(max(high, 0.0), index, texts[index], anchor="start", right=5)
    note = (
        f"How much the {what} {verb}s when a column is shuffled {measured}. Lines are normal 95 % intervals over these "
        f"rows; a column whose line reaches 0 may not matter{rest}"
    )
    return Figure("Importance", f"{note}.", chart.svg(), "importance")


def response_figures(
    responses: Sequence[Response], all_names: Sequence[str], *, are_probabilities: bool
) -> Iterator[Figure]:
    """Yield one chart per response: predictions as the column varies, all on the same axis of predictions.

    Parameters
    ----------
    responses : sequence of Response
    all_names : sequence of str
        Names of all classes, or of the columns of the target.
    are_probabilities : bool
        Whether the predictions are probabilities and not values.
    """
    shown = [values for each in responses for values in (each.mean, each.low, each.high)]
    predicted = Axis.over(
        *shown, *([0.0] if are_probabilities else []), unit="percent" if are_probabilities else "number"
    )
    in_percent = " in %" * are_probabilities
    for each in responses:
        colours = each.outputs if are_probabilities else SERIES
        names, first = [all_names[output] for output in each.outputs], each.mean[0].tolist()
        what = f"probability of {names[0]}" if are_probabilities else names[0]
        text = percent if are_probabilities else partial(_beside, first)
        outer = sorted({first.index(min(first)), first.index(max(first))})
        note = f"Mean {what}: {', '.join(f'{text(first[end])} at {each.texts[end]}' for end in outer)}."
        bounds = zip(each.texts, first, each.low.tolist(), each.high.tolist(), strict=True)
        hovers = [f"{cell}: {text(mean)}, 80 % of rows {text(low)} to {text(high)}" for cell, mean, low, high in bounds]
        description = (
            f"{each.column}: {what}; {'; '.join(hovers[k] for k in spaced_indices(len(hovers), MAX_DESCRIBED))}"
        )
        if each.unit is not None:
            axis = replace(predicted, label=(what if len(names) == 1 else "probability") + in_percent)
            chart = Chart(description, Axis.over(each.cells, label=each.column, unit=each.unit), axis)
            _draw_curves(chart, each, names, colours, dict(zip(each.cells.tolist(), hovers, strict=True)))
        else:
            height = MIN_HEIGHT + LINE * len(hovers)
            chart = Chart(
                description, replace(predicted, label=what + in_percent), Axis.of_names(each.texts), height=height
            )
            for index, ends in enumerate(zip(each.low, each.high, strict=True)):
                chart.line(ends, [index, index], "whisker")
            chart.points(first, range(len(first)), radius=4.5, style=f"class-{colour_of(colours[0])}", hover=hovers)
        yield Figure(each.column, note, chart.svg(), "response")


def _beside(values: Sequence[float], value: float) -> str:
    """Return a prediction with the decimals of the largest of several."""
    return page_figure(value, *values)


def _draw_curves(
    chart: Chart, response: Response, names: Sequence[str], colours: Sequence[int], hovers: Mapping[float, str]
) -> None:
    """Draw the mean of each output, and for the first output also its band and points with hover texts."""
    chart.band(response.cells, response.low, response.high, f"class-{colour_of(colours[0])}")
    for index, (kind, name, mean) in enumerate(zip(colours, names, response.mean, strict=False)):
        style, ending = class_line(kind), name if len(names) > 1 else ""
        chart.line(response.cells, mean, style, name=ending, hover=None if index else lambda cell, _: hovers[cell])
        if not index:
            chart.cloud(response.cells, mean, style.split()[0])
