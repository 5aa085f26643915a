"""Figures of rows with their intervals, and how they differ between groups of rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specnet.errors import DataError
from specnet.model import Answers, Model
from specnet.network.random import stream
from specnet.parts.metrics import Metric
from specnet.parts.metrics.statistics import (
    Statistic,
    Weightings,
    effective_rows,
    mean_statistic,
    weighted_mean,
)
from specnet.parts.watchers import LOSS
from specnet.running.evaluation.intervals import Resampling
from specnet.saved.expectations_file import CONFIDENCE, Outcome
from specnet.spec.resolving.expectation_checks import metric_type

FEWEST_ROWS = 20
"""The number of rows, or groups of rows, below which only intervals of fractions decide."""
LEVEL = (100 - CONFIDENCE) / 200
"""How often an interval lies wholly above the figure of all rows that there could be, and how often wholly below it.

Only one end can break an expectation, so that a true one is called broken at this level.
"""

Ends = tuple[float, float]
"""The lower and the upper end of an interval."""


def selected(answers: Answers, mask: NDArray[np.bool_]) -> Answers:
    """Return the answers for some rows."""
    names = ("target", "loss_target", "losses", "prediction", "probability", "weight")
    arrays = {name: getattr(answers, name) for name in names}
    chosen: dict[str, Any] = {name: None if each is None else each[mask] for name, each in arrays.items()}
    return replace(answers, **chosen)


def measured(
    name: str, model: Model, answers: Answers, groups: NDArray[np.generic] | None
) -> tuple[float | None, Ends | None]:
    """Return a figure of rows and the ends of its interval; None for each if there are too few rows for it.

    An accuracy has the interval of a fraction, everything else that of a bootstrap of rows, or of groups of rows. If
    the best or the worst value of a metric of classes, 0 or 1, is that of most resamples, it has the interval of a
    fraction of the rows of the rarest class: of 5 rows that are all found, few are known not to be.
    """
    value, statistic = _figure(name, model, answers)
    if not np.isfinite(value):
        return None, None
    if name == "accuracy" and groups is None:
        return value, fraction_ends(value, rows_of(answers.weight, len(answers)))
    numbers = None if groups is None else np.unique(groups, return_inverse=True)[1]
    resampling = Resampling(len(answers), stream(model.spec.seed, "resampling"), answers.weight, numbers)
    (drawn,) = resampling.figures([statistic])
    drawn = drawn[np.isfinite(drawn)]
    # A single wrong row would be in 63 % of resamples; few have no row of the rarest class.
    if value in (0, 1) and (drawn == value).mean() > 0.5 and model.network.task != "values":
        return value, fraction_ends(value, _rarest(answers, groups))
    if resampling.units < FEWEST_ROWS or drawn.size < 2:
        return value, None
    low, high = _resampled_ends(value, drawn, resampling)
    if name != LOSS and model.network.task != "values":  # metrics of classes are in [-1, 1], most in [0, 1]
        low, high = max(0.0 if drawn.min() >= 0 else -1.0, low), min(1.0, high)
    return value, (low, high)


def _resampled_ends(value: float, drawn: NDArray[np.float64], resampling: Resampling) -> Ends:
    """Return the ends of the interval of a bootstrap, farther from the figure than its quantiles.

    Quantiles do not know Student's distribution and n − 1, so that few rows make them too near: Hesterberg (2015),
    "What teachers should know about the bootstrap", section 4.2.
    """
    from scipy.special import stdtrit

    normal, units = NormalDist().inv_cdf(1 - LEVEL), resampling.units
    if resampling.is_large:
        half = normal * float(drawn.std(ddof=1))
        return value - half, value + half
    wider = float(stdtrit(units - 1, 1 - LEVEL)) / normal * (units / (units - 1)) ** 0.5
    low, high = (value + wider * (float(end) - value) for end in np.quantile(drawn, (LEVEL, 1 - LEVEL)))
    return low, high


def fraction_ends(fraction: float, rows: float) -> Ends:
    """Return the ends of the interval of a fraction of independent rows (Clopper and Pearson 1934).

    Each end is wrong at most as often as `LEVEL` says, for any number of rows. Those of Wilson's interval are as often
    only together: of 20 to 60 rows, of which most are right, its upper end is too low up to three times as often.

    Parameters
    ----------
    fraction : float
    rows : float
        At least 1; for weighted rows the number of unweighted rows with an equally precise mean.
    """
    from scipy.special import betaincinv

    hits, misses = fraction * rows, (1 - fraction) * rows
    low = float(betaincinv(hits, misses + 1, LEVEL)) if hits > 0 else 0.0
    high = float(betaincinv(hits + 1, misses, 1 - LEVEL)) if misses > 0 else 1.0
    return low, high


def error_of(ends: Ends) -> float:
    """Return the standard error of a figure whose interval is that of a normal distribution."""
    return (ends[1] - ends[0]) / (2 * NormalDist().inv_cdf(1 - LEVEL))


def rows_of(weight: NDArray[np.float64] | None, count: int) -> float:
    """Return the number of equally weighted rows with an equally precise mean; at least 1."""
    return float(count) if weight is None else max(1.0, effective_rows(weight))


def _rarest(answers: Answers, groups: NDArray[np.generic] | None) -> float:
    """Return the number of rows, or groups of rows, of the rarest class; weighted rows count as `effective_rows`."""
    found = []
    for column in answers.target.reshape(len(answers), -1).T:
        for label in np.unique(column):
            mask = column == label
            if groups is not None:
                found.append(float(len(np.unique(groups[mask]))))
            else:
                found.append(rows_of(None if answers.weight is None else answers.weight[mask], int(mask.sum())))
    return max(1.0, min(found))


def _figure(name: str, model: Model, answers: Answers) -> tuple[float, Statistic]:
    if name == LOSS:
        return weighted_mean(answers.losses, answers.weight), mean_statistic(answers.losses)
    metric = _metric(name, model)
    figures = {
        each: (target, given)
        for each, target, given in metric.figures(answers.targets, answers.target, answers.prediction)
    }
    if name not in figures:
        raise DataError(f'"{name}" is not one figure of this model', hint=f"choose from {', '.join(figures)}")
    target, prediction = figures[name]
    known, weight = answers.probability, answers.weight
    value = metric.score(target, prediction, known, weight)
    return value, metric.statistic(target, prediction, known) or _by_scores(metric, target, prediction, known)


def _metric(name: str, model: Model) -> Metric:
    part = metric_type(name, model.spec)
    listed = name if part is None else part.part_name()
    return (
        next((each for each in model.spec.training.metrics if each.type in (name, listed)), None)
        or (model.decoder.metrics(listed)[0])
    )


def _by_scores(
    metric: Metric, target: NDArray[Any], prediction: NDArray[Any], probability: NDArray[Any] | None
) -> Statistic:
    """Return a function that computes a metric for one weighting after the other."""

    def statistic(weightings: Weightings) -> NDArray[np.float64]:
        found = []
        for weights in weightings:
            # A metric without weights has rows that are drawn several times; those with weight 0 are left out.
            rows = (
                np.flatnonzero(weights) if metric.weighted else np.repeat(np.arange(len(target)), weights.astype(int))
            )
            known = None if probability is None else probability[rows]
            found.append(
                metric.score(target[rows], prediction[rows], known, weights[rows] if metric.weighted else None)
            )
        return np.array(found, np.float64)

    return statistic


def worst_difference(
    values: Sequence[float], errors: Sequence[float], bound: float
) -> tuple[Outcome, float, tuple[int, int]]:
    """Return the outcome for the differences of a figure between groups, the largest difference, and its two groups.

    Each pair of groups is tested for a difference beyond the bound, with a normal deviate, at `LEVEL` over all pairs
    (Holm 1979). The differences are within the bound if all their simultaneous intervals are (Bonferroni).

    Parameters
    ----------
    values, errors : sequence of float
        The figure of each group, and its standard error.
    bound : float
    """
    normal, found = NormalDist(), []
    pairs = [*combinations(range(len(values)), 2)]
    reach = normal.inv_cdf(1 - LEVEL / len(pairs))
    is_within = True
    for one, other in pairs:
        difference, error = abs(values[one] - values[other]), float(np.hypot(errors[one], errors[other]))
        is_within &= difference + reach * error <= bound
        if error:
            chance = normal.cdf((bound - difference) / error) + normal.cdf(-(bound + difference) / error)
        else:
            chance = 0.0 if difference > bound else 1.0
        found.append((difference, chance, (one, other)))
    # Holm's procedure rejects a hypothesis at all exactly if the smallest p-value is below the level over all pairs.
    is_broken = min(chance for _, chance, _ in found) * len(pairs) < LEVEL
    largest = min(found, key=lambda each: each[1]) if is_broken else max(found)
    outcome: Outcome = "broken" if is_broken else "met" if is_within else "undecided"
    return outcome, largest[0], largest[2]
