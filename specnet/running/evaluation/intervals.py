"""What chance leaves open: intervals of the figures of test rows, and of a model's gains over simpler predictors."""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from specnet.model import Answers
from specnet.network.random import stream
from specnet.parts.metrics import main_metric, metric_of
from specnet.parts.metrics.statistics import Statistic, effective_rows, mean_statistic
from specnet.running.evaluation.resampling import Resampling, wilson_interval
from specnet.saved.metrics_file import Interval
from specnet.spec import Spec

Figures = Mapping[str, float | None]


class Chance(NamedTuple):
    """95 % intervals of figures of the same rows, all from the same resamples.

    Attributes
    ----------
    intervals : dict
        Of the model's figures by their names; None where there is none.
    baseline_intervals : dict
        Of the loss and the main metric of each baseline.
    gains : dict
        By how much the model is better than each baseline in the loss and the main metric, row for row: ``value``,
        ``low`` and ``high``.
    """

    intervals: dict[str, Interval | None]
    baseline_intervals: dict[str, dict[str, Interval | None]]
    gains: dict[str, dict[str, dict[str, float | None]]]


def chance_of(
    spec: Spec,
    figures: Figures,
    test: Answers,
    baselines: Mapping[str, Answers],
    compared: Mapping[str, Figures],
    groups: NDArray[np.generic] | None,
) -> Chance:
    """Return the intervals of a model's figures, and its gains over baselines.

    Parameters
    ----------
    spec : Spec
        Whose metrics and seed count.
    figures : mapping
        Of the model, None for those that are not defined.
    test : Answers
        The model's.
    baselines : mapping of str to Answers
        For the same rows.
    compared : mapping of str to mapping
        Their figures.
    groups : ndarray (rows,) or None
        Of rows that are not independent of each other.
    """
    numbers = None if groups is None else np.unique(groups, return_inverse=True)[1]
    resampling = Resampling(len(test), stream(spec.seed, "resampling"), test.weight, numbers)
    better = {each.type: each.larger_is_better for each in spec.training.metrics}
    signs = {name: 1 if better.get(metric_of(name, better) or "") else -1 for name in figures}
    own = _statistics(spec, test, figures)
    shared = [name for name in ("loss", main_metric(figures)) if name in own]
    others = {baseline: _statistics(spec, answers, shared) for baseline, answers in baselines.items()}
    drawn = iter(resampling.figures([each for found in (own, *others.values()) for each in found.values()]))
    resampled = {name: next(drawn) for name in own}
    intervals: dict[str, Interval | None] = dict.fromkeys(figures)
    intervals |= {name: _interval(resampling, name, figures, test, resampled[name]) for name in own}
    found = Chance(intervals, {}, {})
    for baseline, statistics in others.items():
        given, answers = compared[baseline], baselines[baseline]
        redrawn = {name: next(drawn) for name in statistics}
        found.baseline_intervals[baseline] = {
            name: _interval(resampling, name, given, answers, redrawn[name]) for name in redrawn
        }
        found.gains[baseline] = {
            name: _gain(resampling, signs[name], (figures[name], given[name]), (resampled[name], redrawn[name]))
            for name in redrawn
        }
    return found


def _statistics(spec: Spec, answers: Answers, names: Container[str]) -> dict[str, Statistic]:
    """Return what computes figures of rows, of those names that can be resampled."""
    found: dict[str, Statistic | None] = {"loss": mean_statistic(answers.losses)}
    for metric in spec.training.metrics:
        for name, target, prediction in metric.figures(answers.targets, answers.target, answers.prediction):
            if name in names:
                found[name] = metric.statistic(target, prediction, answers.probability)
    return {name: statistic for name, statistic in found.items() if statistic is not None}


def _interval(
    resampling: Resampling, name: str, figures: Figures, answers: Answers, drawn: NDArray[np.float64]
) -> Interval | None:
    """Return the interval of a figure; of an accuracy Wilson's, of weighted rows with their effective number.

    Of an accuracy of groups only where all resamples are equal: each group counts as a row then.
    """
    interval = resampling.interval(figures[name], drawn)
    if name != "accuracy":
        return interval
    right = np.equal(answers.target, answers.prediction).reshape(len(answers), -1).all(axis=1)
    if resampling.groups is None:
        weight = np.ones(len(right)) if answers.weight is None else answers.weight
        rows = effective_rows(weight)
        return wilson_interval(float(right @ weight) * (rows / weight.sum()), rows) if rows else None
    is_one_sided = interval is not None and right.all() == right.any()
    return wilson_interval(resampling.units * int(right.all()), resampling.units) if is_one_sided else interval


def _gain(
    resampling: Resampling,
    sign: int,
    values: tuple[float | None, float | None],
    drawn: tuple[NDArray[np.float64], NDArray[np.float64]],
) -> dict[str, float | None]:
    """Return by how much the first of two values is better, given both in all resamples."""
    own, its = values
    gain = None if own is None or its is None else sign * (own - its)
    with np.errstate(invalid="ignore"):
        found: Mapping[str, Any] = resampling.interval(gain, sign * (drawn[0] - drawn[1])) or {}
    return {"value": gain, "low": found.get("low"), "high": found.get("high")}
