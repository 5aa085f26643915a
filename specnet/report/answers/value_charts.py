"""Charts and words on predicted values of test rows: how far off they are, and what intervals cover."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from specnet.number_texts import counted, percent, rounded
from specnet.parts.arrays import kept_points
from specnet.report.svg.axes import Axis
from specnet.report.svg.charts import Chart, Figure
from specnet.report.terminal.text_tables import TextTable

if TYPE_CHECKING:
    from specnet.model import Answers, ErrorQuantiles

MOST_POINTS = 400
MOST_OUTPUTS = 3
"""Columns of the target that have charts."""
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
"""Of residuals, as ``metrics.json`` has them."""
DRAWN_LEVEL = 0.9
"""Of intervals and sets."""
ENDS_DRAWN = 200
"""Points of the line through an end of intervals."""


def value_figures(
    answers: Answers,
    outputs: Sequence[str],
    quantile: float | None = None,
    covered: Mapping[str, Any] | None = None,
    errors: ErrorQuantiles | None = None,
) -> Iterator[Figure]:
    """Yield predicted against true values, and residuals, of the first columns of the target.

    Parameters
    ----------
    answers : Answers
        Of test rows.
    outputs : sequence of str
        Names of the columns of the target.
    quantile : float, optional
        What is predicted, if not a value in the middle.
    covered : mapping, optional
        What ``metrics.json`` says of the intervals that are drawn.
    errors : ErrorQuantiles, optional
        That they are made of.
    """
    both = answers.target, answers.prediction
    target, prediction = (np.asarray(values, np.float64).reshape(len(answers), -1) for values in both)
    chosen = kept_points(len(target), MOST_POINTS)
    rows = all_rows = counted(len(target), "test row")
    if len(chosen) < len(target):
        rows = f"{len(chosen)} of {all_rows}"
    for column, name in enumerate(outputs[:MOST_OUTPUTS]):
        of = f" of {name}" if len(outputs) > 1 else ""
        true, predicted = target[chosen, column], prediction[chosen, column]
        hover = [f"true {rounded(a)}, predicted {rounded(b)}" for a, b in zip(true, predicted, strict=True)]
        x, y = (Axis.over(predicted, true, margin=0.04, label=label) for label in ("predicted", "true"))
        title = f"Predicted and true values{of}"
        chart = Chart(f"{title}: true ones from {rounded(true.min())} to {rounded(true.max())}", x, y)
        chart.line([x.low, x.high], [x.low, x.high], "guide")
        note = f"{rows}. On the dashed line they are equal"
        if covered is not None and errors and covered["size"][column] < 2 * (x.high - x.low):
            at = np.linspace(x.low, x.high, ENDS_DRAWN)
            for ends in errors.ends(np.repeat(at[:, np.newaxis], len(outputs), axis=1), DRAWN_LEVEL)[:, column].T:
                shown = (y.low <= ends) & (ends <= y.high)
                chart.line(at[shown], ends[shown], "guide faint")
            inside, half = percent(covered["covered"][column]), rounded(covered["size"][column] / 2)
            note += f"; between the fainter ones, ± {half} on average, lie {inside} of the rows"
        chart.points(predicted, true, hover=hover)
        if quantile is not None:
            below = percent(float(np.mean(target[:, column] <= prediction[:, column])))
            note += f"; {100 * quantile:g} % of the rows should lie below, and {below} do"
        yield Figure(title, f"{note}.", chart.svg())
        residual = true - predicted
        largest, every = np.max(np.abs(residual)), target[:, column] - prediction[:, column]
        x = Axis.over(predicted, margin=0.04, label="predicted")
        y = Axis.over([-largest, largest], margin=0.04, label="true − predicted")
        spread = f"ean {rounded(every.mean())}, standard deviation {rounded(every.std())}"
        chart = Chart(f"Residuals{of}: m{spread}", x, y)
        chart.line([x.low, x.high], [0, 0], "guide")
        chart.points(predicted, residual, hover=hover)
        yield Figure(
            f"Residuals{of}", f"M{spread} of {all_rows}. A pattern would be something left to learn.", chart.svg()
        )


def drawn_coverage(evaluation: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return what ``metrics.json`` says of the intervals or sets of 90 % on test rows, if there are some."""
    levels = evaluation.get("tables", {}).get("test", {}).get("coverage", [])
    return next((each for each in levels if each["level"] == DRAWN_LEVEL), None)


def coverage_sentence(covered: Mapping[str, Any], outputs: Sequence[str], task: str) -> str:
    """Return how large intervals or sets are, how many test rows they cover, and what that means for other rows."""
    level, sizes, shares = f"{100 * DRAWN_LEVEL:g} %", covered["size"], list(map(percent, covered["covered"]))
    if task != "values":
        what = f"Sets for {level} have {rounded(sizes[0])} classes on average; {shares[0]} have the true class"
    elif len(sizes) == 1:
        half = rounded(sizes[0] / 2)
        what = f"Intervals for {level} are the prediction ± {half} on average; {shares[0]} have the true value"
    else:
        triples = zip(outputs, sizes, shares, strict=True)
        widths = "; ".join(f"{name} ± {rounded(size / 2)}: {share}" for name, size, share in triples)
        what = f"Intervals for {level} on average, and how many have the true value inside: {widths}"
    return f"{what}. This holds for rows like the training rows, on average and not for each group of them."


def output_table(evaluation: Mapping[str, Any], outputs: Sequence[str], task: str) -> TextTable | None:
    """Return a row for each of several columns of the target, with what ``metrics.json`` says of each; else None."""
    tables = evaluation.get("tables", {}).get("test")
    if not tables or task not in ("values", "multilabel") or len(outputs) < 2:
        return None
    if task == "values":
        header = ("output", "mean error", *(f"{100 * level:.0f} % of residuals below" for level in QUANTILES))
        rows = [
            (name, rounded(bias), *map(rounded, quantiles))
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
