"""What runs on the same folds say of chance: how far seeds and folds spread them, how far off a simpler model is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from statistics import fmean, variance

from specnet.parts.metrics import metric_of
from specnet.parts.registry import installed_registry
from specnet.parts.watchers import LOSS
from specnet.report.pages.series_record import Difference, SeriesRecord, Spread
from specnet.report.terminal.run_table import RunRecord


def with_statistics(record: SeriesRecord) -> SeriesRecord:
    """Return a series with the spread of its main metric, and the difference from a simpler predictor."""
    return replace(record, spread=_spread(record), difference=_difference(record))


def _spread(record: SeriesRecord) -> Spread | None:
    """Return how far seeds and folds spread the main metric; None unless each fold has every seed.

    That of folds is the variance of their means without what seeds make of it, 0 at least (analysis of variance of a
    one-way layout; Searle, Casella and McCulloch 1992, *Variance Components*, chapter 3).
    """
    of_folds = [*_by_fold(record, lambda run: run.score(record.split, record.main)).values()]
    seeds = len({run.seed for run in record.runs})
    if min(len(of_folds), seeds) < 2 or sum(map(len, of_folds)) < len(record.runs):
        return None
    within = fmean(map(variance, of_folds))
    between = variance(map(fmean, of_folds)) - within / seeds
    return Spread(within**0.5, max(between, 0.0) ** 0.5)


def _difference(record: SeriesRecord) -> Difference | None:
    """Return by how much the main metric of the networks is larger than that of the simpler predictor beside them.

    The folds are paired. Their training rows overlap, and so the variance of their mean is (1/k + 1/(k − 1)) times
    theirs (Nadeau and Bengio 2003, *Inference for the Generalization Error*). Without folds there is no interval: seeds
    say nothing of other rows.
    """

    def more(run: RunRecord) -> float | None:
        own, other = (of(record.split, record.main) for of in (run.score, partial(run.baseline, record.reference)))
        return None if own is None or other is None else own - other

    found = [fmean(values) for values in _by_fold(record, more).values()]
    if not found:
        return None
    value, folds = fmean(found), len({run.fold for run in record.runs})
    if len(found) < max(folds, 2):
        return Difference(value)
    from scipy.special import stdtrit

    half = float(stdtrit(folds - 1, 0.975)) * (variance(found) * (1 / folds + 1 / (folds - 1))) ** 0.5
    low, high = value - half, value + half
    more_is_better = int(low > 0) - int(high < 0)
    return Difference(value, low, high, more_is_better if _is_larger_better(record.main) else -more_is_better)


def _is_larger_better(name: str) -> bool:
    registry = installed_registry()
    part = registry.find("metric", metric_of(name, registry.names("metric")))
    return name != LOSS and bool(getattr(part, "larger_is_better", True))


def _by_fold(record: SeriesRecord, figure: Callable[[RunRecord], float | None]) -> dict[int | None, list[float]]:
    """Return a figure of the runs that have finished and have it, by their folds."""
    found: dict[int | None, list[float]] = {}
    for run in record.finished:
        if (value := figure(run)) is not None:
            found.setdefault(run.fold, []).append(value)
    return found
