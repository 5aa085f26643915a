"""Figures over the epochs of a run: the curves of its members, and the axis that suits them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from specnet.report.svg.axes import Axis
from specnet.report.svg.charts import kept_points
from specnet.training.checkpoint import MEMBER, history_of

MOST_POINTS = 300
LOG_RATIO = 30
"""A loss that changes by a larger factor has a logarithmic axis."""

History = Sequence[Mapping[str, Any]]


def member_histories(history: History) -> list[History]:
    """Return the records of each member of an ensemble, all of them for a single network."""
    members = dict.fromkeys(record.get(MEMBER, 0) for record in history)
    return [history_of(history, member) for member in members]


def curve(records: History, name: str) -> tuple[list[int], list[float]]:
    """Return epochs and values of a figure that records of a member have, of many of them evenly spaced ones."""
    kept = [records[place] for place in kept_points(len(records), MOST_POINTS)]
    return [record["epoch"] for record in kept], [record[name] for record in kept]


def values_axis(values: Sequence[float], label: str, *, is_loss: bool) -> Axis:
    """Return the axis of values: of a loss from 0 on, or logarithmic if it changes by a large factor."""
    log = is_loss and min(values) > 0 and max(values) > LOG_RATIO * min(values)
    return Axis.over(values, label=label, log=log, margin=0.03, zero=is_loss)
