"""Losses and metrics of one or several sets of rows, with what to compare them with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from specnet.number_texts import interval, metric, metric_spread
from specnet.parts.metrics import Metric, main_metric, metric_of
from specnet.parts.splits import best_split
from specnet.parts.watchers import LOSS
from specnet.report.terminal.text_tables import TextTable

CONSTANT = "constant"
INTERVAL = "95 %"

Scores = Mapping[str, Mapping[str, float | None]]
"""Figures by set of rows and name; None for one that is not defined."""
Intervals = Mapping[str, Mapping[str, Mapping[str, Any] | None]]
"""``low`` and ``high`` by set of rows and name; None where there are none."""


def scores_table(
    scores: Scores,
    intervals: Intervals | None = None,
    baselines: Mapping[str, Scores] | None = None,
    metrics: Iterable[Metric] = (),
) -> TextTable:
    """Return the figures of a model.

    With one metric beside the loss, each set of rows has a row, and the interval and the baselines are the metric's.
    With more of them each has a row, and the interval and the baselines are those of the last set, the test set where
    there is one. Metrics have the digits that their intervals there leave; one that is not defined is a dash. A
    terminal has room for two baselines: the constant, and the best of the others by the main metric.

    Parameters
    ----------
    scores, intervals : mapping
    baselines : mapping, optional
        The scores of other predictors by their names.
    metrics : iterable of Metric
        Of the spec; they know whether more is better.
    """
    names = list(dict.fromkeys(name for figures in scores.values() for name in figures))
    known = {
        split: {name: interval(name, ends["low"], ends["high"]) for name, ends in bounds.items() if ends}
        for split, bounds in (intervals or {}).items()
    }
    beside = {INTERVAL: known}
    held, main = [*scores][-1], main_metric(names) or LOSS
    better = {each.type: each.larger_is_better for each in metrics}
    is_error = not better.get(metric_of(main, better) or "", False)
    compared = _compared(baselines or {}, held, main, is_error=is_error)
    within = (intervals or {}).get(held, {})
    beside |= {
        title: {split: _figure_texts(figures, figures, within) for split, figures in sets.items()}
        for title, sets in compared.items()
    }
    columns = {split: _figure_texts(figures, names, within) for split, figures in scores.items()}
    if len(names) > 2:
        columns |= {title: cells[held] for title, cells in beside.items() if held in cells}
        columns = {title: cells for title, cells in columns.items() if any(cells.values())}
        rows = [(name, *(cells.get(name, "") for cells in columns.values())) for name in names]
        header = ["", *columns]
    else:
        cells = {title: [sets.get(split, {}).get(main, "") for split in scores] for title, sets in beside.items()}
        cells = {title: column for title, column in cells.items() if any(column)}
        rows = [
            (split, *columns[split].values(), *(column[number] for column in cells.values()))
            for number, split in enumerate(scores)
        ]
        header = ["", *names, *cells]
    return TextTable(header, rows, right=frozenset(range(1, len(header))))


def scores_line(scores: Scores) -> str:
    """Return loss and main metric of the rows held out, or else of the training rows, in one line."""
    split = best_split(scores)
    if split not in scores:
        return ""
    loss, *others = _figure_texts(scores[split], filter(None, ("loss", main_metric(scores[split])))).items()
    return "   ".join([f"{split.replace('_', ' ')} {' '.join(loss)}", *map(" ".join, others)])


def spread_table(summary: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> TextTable:
    """Return the mean and the standard deviation of the scores of many runs: ``97.2 % ± 0.8``."""
    names = list(dict.fromkeys(name for figures in summary.values() for name in figures))
    rows = [(split, *(_spread(name, figures.get(name)) for name in names)) for split, figures in summary.items()]
    return TextTable(["", *names], rows, right=frozenset(range(1, len(names) + 1)))


def _compared(baselines: Mapping[str, Scores], held: str, main: str, *, is_error: bool) -> dict[str, Scores]:
    """Return the constant baseline and the best of the others on some rows, by a metric that may be an error."""
    figures = {name: scores[held].get(main) for name, scores in baselines.items() if held in scores}
    known = {name: value for name, value in figures.items() if value is not None and name != CONSTANT}
    best = min(known, key=lambda name: known[name] if is_error else -known[name], default=CONSTANT)
    return {name: baselines[name] for name in (CONSTANT, best) if name in baselines}


def _spread(name: str, statistics: Mapping[str, Any] | None) -> str:
    return "" if statistics is None else metric_spread(name, statistics["mean"], statistics["std"])


def _figure_texts(
    figures: Mapping[str, float | None],
    names: Iterable[str],
    within: Mapping[str, Mapping[str, Any] | None] = MappingProxyType({}),
) -> dict[str, str]:
    """Return figures as texts, all but losses with as many digits as their intervals leave."""
    return {name: metric(name, figures.get(name), None if name == LOSS else within.get(name)) for name in names}
