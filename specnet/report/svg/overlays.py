"""Figures of many runs beside each other: curves laid over each other with axes that suit them, scores on one axis."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from specnet.number_texts import count, figure
from specnet.parts.arrays import kept_points
from specnet.parts.splits import VALIDATION
from specnet.parts.watchers import LOSS
from specnet.report.pages.headline import words
from specnet.report.svg.axes import Axis
from specnet.report.svg.charts import Chart, Figure
from specnet.report.svg.style import CLASS_COUNT
from specnet.saved.run_curves import Curve
from specnet.training.checkpoint import MEMBER, history_of

MOST_POINTS = 300
MOST_NAMED = 8
"""Curves that have their names at their ends; of more, only the list of runs tells them apart."""
LOG_RATIO = 30
"""A loss that changes by a larger factor has a logarithmic axis."""
OUTER = 0.02
"""Fraction of the values at each end of an axis that do not decide how long it is."""
ROOM, LOG_ROOM = 1.0, 0.25
"""An axis ends so many ranges of the inner values beyond them at most."""
BESIDE = 0.5
"""Axes beyond an end of the curves, up to which other values make the axis longer."""
WORSE = 4.0
"""A score is beyond the axis if it lies so many times as far behind the median as the best one lies before it."""

STRIP_HEIGHT, STRIP_LINE = 52.0, 24.0
"""Units of a strip of scores beside its lines, and of each of these."""

History = Sequence[Mapping[str, Any]]
Numbers = NDArray[np.float64]


class Score(NamedTuple):
    """A metric of a predictor, how far it may be off, and both as texts: in short, and on hover."""

    value: float
    low: float
    high: float
    text: str
    hover: str


def score_strip(split: str, name: str, scores: Mapping[str, Score], note: str) -> Figure:
    """Return the scores of predictors on one axis, a dot each, with a line as far as it may be off.

    Parameters
    ----------
    split, name : str
        The rows, and the metric.
    scores : mapping of str to Score
        By the names of the predictors.
    note : str
        What is said below the title.
    """
    scale, label = (100.0, f"{words(name)} in %") if name.endswith("accuracy") else (1.0, words(name))
    x = Axis.over(*([scale * each.low, scale * each.high] for each in scores.values()), margin=0.05, label=label)
    title, texts = f"{split.replace('_', ' ').capitalize()} {words(name)}", [f"{n} {s.text}" for n, s in scores.items()]
    height = STRIP_HEIGHT + STRIP_LINE * len(scores)
    chart = Chart(f"{title}: {', '.join(texts)}", x, Axis.of_names(texts), height=height)
    for place, (predictor, score) in enumerate(scores.items()):
        if score.low < score.high:
            chart.line([scale * score.low, scale * score.high], [place, place], "whisker")
        chart.points([scale * score.value], [place], radius=4.5, hover=[f"{predictor} {score.hover}"])
    return Figure(title, note, chart.svg())


def member_curves(history: History, name: str) -> list[Curve]:
    """Return a figure of each member that has it, of an ensemble or a single network, at evenly spaced epochs."""
    curves = []
    for member in dict.fromkeys(record.get(MEMBER, 0) for record in history):
        records = [record for record in history_of(history, member) if name in record]
        kept = [records[place] for place in kept_points(len(records), MOST_POINTS)]
        if kept:
            curves.append(Curve([record["epoch"] for record in kept], [record[name] for record in kept]))
    return curves


def curve_title(name: str) -> str:
    """Return what a figure of a history is called: ``Training loss``, ``Validation F1``."""
    return "Training loss" if name == LOSS else f"Validation {words(name.removeprefix(f'{VALIDATION}_'))}"


def rows_note(name: str) -> str:
    """Return in a sentence what a figure of a history is measured on."""
    if name != LOSS:
        return "Of the validation rows."
    return "Training loss is the mean over an epoch's batches as its steps saw them, with any dropout and smoothing."


def curve_style(place: int) -> str:
    """Return the style of the curves of a run: ten colours, then the same ones dashed."""
    return f"series-{place % CLASS_COUNT}" + " held" * (place // CLASS_COUNT % 2)


def at_epoch(name: str, text: Callable[[float], str] = figure) -> Callable[[float, float], str]:
    """Return what tells of the points of a curve on hover."""
    return lambda epoch, value: f"{name}, epoch {count(round(epoch))}: {text(value)}"


def curves_chart(
    description: str,
    curves: Sequence[Curve],
    label: str,
    *,
    is_loss: bool,
    is_whole: bool = False,
    near: Sequence[float] = (),
) -> Chart:
    """Return the chart that curves are drawn in; the few values that lie far beyond the others are cut off.

    Parameters
    ----------
    description : str
    curves : sequence of Curve
    label : str
        What the values are.
    is_loss : bool
        Whether the axis begins at 0, or is logarithmic if the values differ by a large factor.
    is_whole : bool
        Show all values.
    near : sequence of float
        What else is shown, if it lies within half an axis beyond the curves.
    """
    values = np.concatenate([np.asarray(curve.values, np.float64) for curve in curves])
    log = is_loss and _is_wide(values)
    shown = values if is_whole else _inner(values, log=log)
    x = Axis.over(*(curve.epochs for curve in curves), label="epoch")
    places = Axis.over(shown, log=log).positions(near)
    more = np.asarray(near, np.float64)[np.abs(places - 0.5) <= 0.5 + BESIDE]
    return Chart(description, x, Axis.over(shown, more, label=label, log=log, margin=0.03, zero=is_loss))


def _is_wide(values: Numbers) -> bool:
    return bool(values.min() > 0 and values.max() > LOG_RATIO * values.min())


def _inner(values: Numbers, *, log: bool) -> Numbers:
    scaled = np.log(values) if log else values
    low, high = np.quantile(scaled, [OUTER, 1 - OUTER])
    room = (LOG_ROOM if log else ROOM) * (high - low)
    inner: Numbers = values[(scaled >= low - room) & (scaled <= high + room)]
    return inner


def scores_axis(values: ArrayLike, label: str, *, is_loss: bool, larger_is_better: bool) -> Axis:
    """Return the axis of the scores of runs; the worst ones are beyond it if they lie far from the better half."""
    scores = np.asarray(values, np.float64)
    if is_loss and _is_wide(scores):
        return Axis.over(scores, label=label, log=True, margin=0.06)
    badness = -scores if larger_is_better else scores
    best, middle = badness.min(), np.median(badness)
    shown = badness <= middle + WORSE * (middle - best)
    return Axis.over(scores[shown], label=label, margin=0.06)


def within(axis: Axis, values: ArrayLike) -> Numbers:
    """Return values, those beyond an axis at its ends."""
    return np.asarray(values, np.float64).clip(axis.low, axis.high)
