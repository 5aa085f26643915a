"""Losses and metrics of one or several sets of rows, with what to compare them with."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from specnet.report.figures import interval, metric
from specnet.report.tables import TextTable

LOSS, TEST = "loss", "test"
COMPARED = ("constant", "linear")
"""The baselines that a table has room for."""

Scores = Mapping[str, Mapping[str, float | None]]
"""Figures by set of rows and name; None for one that is not defined."""


def scores_table(
    scores: Scores,
    intervals: Mapping[str, Mapping[str, Any] | None] | None = None,
    baselines: Mapping[str, Scores] | None = None,
) -> TextTable:
    """Return the figures of a model.

    With one metric beside the loss, each set of rows has a row, and the interval and the baselines are the metric's.
    With more of them each has a row, with an interval and baselines of its own. A figure that is not defined is a dash.

    Parameters
    ----------
    scores : mapping
    intervals : mapping, optional
        ``low`` and ``high`` by name, of test rows.
    baselines : mapping, optional
        The scores of other predictors by their names.
    """
    names = list(dict.fromkeys(name for figures in scores.values() for name in figures))
    compared = {name: (baselines or {})[name].get(TEST, {}) for name in COMPARED if name in (baselines or {})}
    columns = {split: {name: _told(name, figures.get(name)) for name in names} for split, figures in scores.items()}
    beside = {"95 %": {name: _bounds(name, (intervals or {}).get(name)) for name in names}}
    beside |= {title: {name: _told(name, figures.get(name)) for name in names} for title, figures in compared.items()}
    if len(names) > 2:
        columns |= {title: cells for title, cells in beside.items() if any(cells.values())}
        rows = [(name, *(cells[name] for cells in columns.values())) for name in names]
        header = ["", *columns]
    else:
        main = names[-1]
        kept = {title: cells[main] for title, cells in beside.items() if cells[main]}
        rows = [
            (split, *cells.values(), *(cell if split == TEST else "" for cell in kept.values()))
            for split, cells in columns.items()
        ]
        header = ["", *names, *kept]
    return TextTable(header, rows, right=frozenset(range(1, len(header))))


def _told(name: str, value: float | None) -> str:
    return metric(name, value) if value is not None and math.isfinite(value) else "–"


def _bounds(name: str, bounds: Mapping[str, Any] | None) -> str:
    return interval(name, bounds["low"], bounds["high"]) if bounds else ""
