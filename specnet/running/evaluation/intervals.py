"""95 % intervals of the metrics of test rows, and of a model's gains over baselines, by resampling the rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specnet.model import Answers
from specnet.network.random import stream
from specnet.parts.metrics import main_metric, metric_of
from specnet.parts.metrics.statistics import Statistic, Weightings, effective_rows, mean_statistic, wilson_bounds
from specnet.running.evaluation.paired_tests import deciding_metrics, p_value, statistic_of
from specnet.saved.metrics_file import Interval
from specnet.spec import Spec

MANY_ROWS = 20_000
"""Above this number of rows, intervals use the spread of few resamples; up to it, the quantiles of many."""
RESAMPLES, FEW_RESAMPLES = 1_000, 100
WEIGHTS_AT_ONCE = 2**20
"""The maximum number of row weights that are in memory at once, over all resamples in a batch."""


@dataclass(frozen=True, eq=False)
class Resampling:
    """A bootstrap: rows are drawn repeatedly with replacement, each time as many as there are.

    Attributes
    ----------
    rows : int
    generator : numpy.random.Generator
    weight : ndarray (rows,) or None
        Weight of each row.
    groups : ndarray (rows,) or None
        Index of each row's group, from 0 and without gaps. With groups, whole groups are drawn.
    """

    rows: int
    generator: np.random.Generator
    weight: NDArray[np.float64] | None = None
    groups: NDArray[np.intp] | None = None

    @property
    def count(self) -> int:
        """The number of resamples."""
        return FEW_RESAMPLES if self.is_large else RESAMPLES

    @property
    def is_large(self) -> bool:
        """Whether there are enough rows to assume a normal distribution of metrics."""
        return self.rows > MANY_ROWS

    @property
    def units(self) -> int:
        """The number of rows or groups that are drawn from."""
        return self.rows if self.groups is None else int(self.groups.max()) + 1

    def weightings(self) -> Iterator[Weightings]:
        """Yield the weight of each row in the resamples, (resamples, rows), for one batch of resamples at a time."""
        units, step = self.units, max(1, WEIGHTS_AT_ONCE // self.rows)
        for start in range(0, self.count, step):
            count = min(step, self.count - start)
            drawn = self.generator.integers(0, units, (count, units)) + units * np.arange(count)[:, None]
            times = np.bincount(drawn.reshape(-1), minlength=count * units).reshape(count, units)
            counts = (times if self.groups is None else times[:, self.groups]).astype(np.float64)
            yield counts if self.weight is None else counts * self.weight

    def figures(self, statistics: Sequence[Statistic]) -> list[NDArray[np.float64]]:
        """Return the values of each statistic, (resamples,), on the same resamples for all statistics."""
        parts = [[statistic(weightings) for statistic in statistics] for weightings in self.weightings()]
        return [np.concatenate(part) for part in zip(*parts, strict=True)]

    def interval(self, value: float | None, figures: NDArray[np.float64]) -> Interval | None:
        """Return the interval of a metric from its values in resamples (`figures`), or None if there are too few.

        Resamples in which the metric is undefined are ignored, such as an area under a curve of rows of one class.
        """
        figures = figures[np.isfinite(figures)]
        if value is None or self.units < 2 or figures.size < 2:
            return None
        if self.is_large:
            half = 1.96 * float(figures.std(ddof=1))
            return {"low": value - half, "high": value + half, "method": "normal"}
        low, high = np.quantile(figures, (0.025, 0.975))
        return {"low": float(low), "high": float(high), "method": "bootstrap"}


def wilson_interval(successes: float, rows: float) -> Interval:
    """Return the Wilson interval of a fraction of rows; weighted rows count as `effective_rows`."""
    low, high = wilson_bounds(successes / rows, rows)
    return {"low": low, "high": high, "method": "wilson"}


def independent_rows(losses: NDArray[np.float64], groups: NDArray[np.generic] | None) -> float:
    """Return the effective number of independent rows, which is smaller if losses within a group are alike.

    It is the number of rows divided by the design effect of clusters (Kish 1965), which is at least 1.
    """
    if groups is None:
        return float(len(losses))
    _, numbers = np.unique(groups, return_inverse=True)
    count, errors = int(numbers.max()) + 1, losses - losses.mean()
    alone, together = float(np.square(errors).sum()), float(np.square(np.bincount(numbers, errors)).sum())
    if count == 1 or not alone:
        return float(count)
    return len(losses) / max(1.0, together / alone * count / (count - 1))


Figures = Mapping[str, float | None]


Intervals = dict[str, Interval | None]
"""Intervals by the name of the metric; None for a metric without an interval."""


def chance_of(
    spec: Spec,
    figures: Figures,
    test: Answers,
    baselines: Mapping[str, Answers],
    compared: Mapping[str, Figures],
    groups: NDArray[np.generic] | None,
) -> tuple[Intervals, dict[str, Intervals], dict[str, dict[str, dict[str, float | None]]]]:
    """Return the 95 % intervals of a model's and of baselines' metrics, and the model's gains over the baselines.

    All are computed from the same resamples. For baselines, only the loss and the main metric have intervals. A gain is
    the improvement of the model over a baseline on the same rows: ``value``, ``low``, ``high`` and ``p_value``. If the
    statistic is not a metric of the spec, the gain also has its values, ``model`` and ``baseline``.

    Parameters
    ----------
    spec : Spec
        Spec with the metrics and the seed.
    figures : mapping
        Metrics of the model, None for an undefined metric.
    test : Answers
        Answers of the model for test rows.
    baselines : mapping of str to Answers
        Answers of each baseline for the same rows.
    compared : mapping of str to mapping
        Metrics of each baseline.
    groups : ndarray (rows,) or None
        Groups of rows that are not independent of each other.
    """
    numbers = None if groups is None else np.unique(groups, return_inverse=True)[1]
    resampling = Resampling(len(test), stream(spec.seed, "resampling"), test.weight, numbers)
    better = {each.type: each.larger_is_better for each in spec.training.metrics}
    directions = {name: 1 if better.get(metric_of(name, better) or "") else -1 for name in figures}
    main = main_metric(figures)
    shared = [name for name in ("loss", main) if name is not None]
    # The absolute error may differ clearly where R², which large errors dominate, does not.
    names = list(dict.fromkeys([*shared, *deciding_metrics(spec, test, main), "mean_absolute_error"]))
    own = _statistics(spec, test, [*figures, *names])
    others = {baseline: _statistics(spec, answers, names) for baseline, answers in baselines.items()}
    drawn = iter(resampling.figures([each for found in (own, *others.values()) for each in found.values()]))
    resampled = {name: next(drawn) for name in own}
    intervals: Intervals = {
        name: interval_of(resampling, name, figures, test, resampled[name]) if name in own else None for name in figures
    }
    baseline_intervals: dict[str, Intervals] = {}
    gains: dict[str, dict[str, dict[str, float | None]]] = {}
    for baseline, statistics in others.items():
        answers = baselines[baseline]
        redrawn = {name: next(drawn) for name in statistics}
        baseline_intervals[baseline] = {
            name: interval_of(resampling, name, compared[baseline], answers, redrawn[name])
            for name in shared
            if name in redrawn
        }
        gains[baseline] = {}
        for name in redrawn:
            # A statistic that is not among the metrics is better the larger it is.
            direction = directions.get(name, 1)
            known = name in figures
            values = (
                (figures[name], compared[baseline][name])
                if known
                else tuple(statistic_value(each[name], answers) for each in (own, statistics))
            )
            gain = _gain(resampling, name, direction, values, (resampled[name], redrawn[name]), (test, answers))
            gains[baseline][name] = gain if known else gain | dict(zip(("model", "baseline"), values, strict=True))
    return intervals, baseline_intervals, gains


def statistic_value(statistic: Statistic, answers: Answers) -> float | None:
    """Return the value of a statistic for the weights of answers' rows, None if it is undefined."""
    weight = np.ones(len(answers)) if answers.weight is None else answers.weight
    value = float(statistic(weight[None, :])[0])
    return value if np.isfinite(value) else None


def _statistics(spec: Spec, answers: Answers, names: Sequence[str]) -> dict[str, Statistic]:
    """Return a function for each named statistic that can be resampled; it computes it from weights of rows."""
    found: dict[str, Statistic | None] = {"loss": mean_statistic(answers.losses)}
    for metric in spec.training.metrics:
        for name, target, prediction in metric.figures(answers.targets, answers.target, answers.prediction):
            if name in names:
                found[name] = metric.statistic(target, prediction, answers.probability)
    for name in names:
        if found.get(name) is None:
            found[name] = statistic_of(name, answers)
    return {name: statistic for name, statistic in found.items() if statistic is not None}


def interval_of(
    resampling: Resampling, name: str, figures: Figures, answers: Answers, drawn: NDArray[np.float64]
) -> Interval | None:
    """Return the interval of a metric: Wilson's for an accuracy, with the effective number of weighted rows.

    With groups, an accuracy has Wilson's interval only if all resamples are equal; each group then counts as a row.
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
    name: str,
    direction: int,
    values: tuple[float | None, ...],
    drawn: tuple[NDArray[np.float64], NDArray[np.float64]],
    answers: tuple[Answers, Answers],
) -> dict[str, float | None]:
    """Return the improvement of the first of two values over the second, with its interval and its p-value."""
    own, its = values
    gain = None if own is None or its is None else direction * (own - its)
    with np.errstate(invalid="ignore"):
        differences = direction * (drawn[0] - drawn[1])
    found: Mapping[str, Any] = resampling.interval(gain, differences) or {}
    known = {"value": gain, "low": found.get("low"), "high": found.get("high")}
    return known | (
        {"p_value": p_value(name, gain, differences, resampling.units, *answers)} if gain is not None and found else {}
    )
