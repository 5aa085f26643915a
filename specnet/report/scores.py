"""Losses and metrics of one or several sets of rows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TypeGuard

from specnet.report.figures import metric
from specnet.report.tables import TextTable


def scores_table(scores: Mapping[str, Mapping[str, float | None]]) -> TextTable:
    """Return a row for each set of rows and a column for each metric of the kept model; what is undefined is a dash."""
    names = list(dict.fromkeys(name for figures in scores.values() for name in figures))
    rows = [
        (split, *(metric(name, value) if _is_told(value := figures.get(name)) else "–" for name in names))
        for split, figures in scores.items()
    ]
    return TextTable(("evaluated on", *names), rows, right=frozenset(range(1, len(names) + 1)))


def _is_told(value: float | None) -> TypeGuard[float]:
    return value is not None and math.isfinite(value)
