"""Curves of many runs laid over each other: their values, and the axes that suit them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from specnet.report.pages.headline import words
from specnet.report.svg.axes import Axis
from specnet.report.svg.epoch_curves import LOG_RATIO
from specnet.report.terminal.run_table import LOSS, VALIDATION, Curve

OUTER = 0.02
"""Fraction of the values at each end of an axis that do not decide how long it is."""
ROOM, LOG_ROOM = 1.0, 0.25
"""An axis ends so many ranges of the inner values beyond them at most."""
WORSE = 4.0
"""A score is beyond the axis if it lies so many times as far behind the median as the best one lies before it."""


def curve_title(name: str) -> str:
    """Return what a figure of a history is called: ``Training loss``, ``Validation F1``."""
    return "Training loss" if name == LOSS else f"Validation {words(name.removeprefix(f'{VALIDATION}_'))}"


def epochs_axis(curves: Sequence[Curve]) -> Axis:
    """Return the axis of the epochs of curves."""
    return Axis.over(*(curve.epochs for curve in curves), label="epoch")


def curves_axis(curves: Sequence[Curve], label: str, *, is_loss: bool) -> Axis:
    """Return the axis of the values of curves; the few that lie far beyond the others are cut off."""
    values = np.concatenate([np.asarray(curve.values, np.float64) for curve in curves])
    log = is_loss and values.min() > 0 and values.max() > LOG_RATIO * values.min()
    return Axis.over(_inner(values, log=bool(log)), label=label, log=bool(log), margin=0.03, zero=is_loss)


def _inner(values: NDArray[np.float64], *, log: bool) -> NDArray[np.float64]:
    scaled = np.log(values) if log else values
    low, high = np.quantile(scaled, [OUTER, 1 - OUTER])
    room = (LOG_ROOM if log else ROOM) * (high - low)
    inner: NDArray[np.float64] = values[(scaled >= low - room) & (scaled <= high + room)]
    return inner


def scores_axis(values: ArrayLike, label: str, *, is_loss: bool, larger_is_better: bool) -> Axis:
    """Return the axis of the scores of runs; the worst ones are beyond it if they lie far from the better half."""
    scores = np.asarray(values, np.float64)
    if is_loss and scores.min() > 0 and scores.max() > LOG_RATIO * scores.min():
        return Axis.over(scores, label=label, log=True, margin=0.06)
    badness = -scores if larger_is_better else scores
    best, middle = badness.min(), np.median(badness)
    shown = badness <= middle + WORSE * (middle - best)
    return Axis.over(scores[shown], label=label, margin=0.06)


def within(axis: Axis, values: ArrayLike) -> NDArray[np.float64]:
    """Return values, those beyond an axis at its ends."""
    return np.asarray(values, np.float64).clip(axis.low, axis.high)
