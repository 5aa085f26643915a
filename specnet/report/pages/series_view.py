"""Several runs of one spec, as their page looks at them: by the rows and the metric that say most."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property, partial
from statistics import fmean, variance

from specnet.parts.metrics import main_metric, metric_of
from specnet.parts.registry import installed_registry
from specnet.parts.splits import best_split
from specnet.parts.watchers import LOSS
from specnet.report.pages.headline import BASELINES
from specnet.report.svg.overlays import MOST_POINTS
from specnet.saved.run_curves import Curves
from specnet.saved.saved_folder import FINISHED
from specnet.saved.saved_series import SavedSeries, SeriesRun

MOST_DRAWN = 6000
"""Points of all curves of a chart."""


class SeriesView:
    """What the page of a series shows.

    Parameters
    ----------
    series : SavedSeries

    Attributes
    ----------
    runs, finished, searches : list of SeriesRun
        All of them, those that have finished, and those that are the best of a sweep.
    summary : mapping
        As ``summary.json`` has it.
    baselines : mapping
        The same of simpler predictors, by their names.
    split, main : str
        The rows that say most, and the metric by which the runs are judged.
    """

    def __init__(self, series: SavedSeries) -> None:
        self.series, self.runs, self.summary, self.baselines = series, series.shown, series.summary, series.baselines
        self.split = best_split(self.summary)
        self.main = main_metric(self.summary.get(self.split, ())) or LOSS
        self.finished = [run for run in self.runs if run.state == FINISHED]
        self.searches = [run for run in self.finished if run.sweep is not None]

    @property
    def metrics(self) -> list[str]:
        """All metrics of these rows, that by which the runs are judged first and the loss last."""
        return sorted(self.summary.get(self.split, ()), key=lambda name: (name != self.main, name == LOSS))

    @property
    def beside(self) -> list[str]:
        """The simpler predictors beside the networks, the linear model first if there is one."""
        return [name for name in BASELINES if self.split in self.baselines.get(name, ())]

    @property
    def reference(self) -> str:
        """The first of them; empty if there is none."""
        return next(iter(self.beside), "")

    @property
    def is_nested(self) -> bool:
        """Whether each run is the best of a sweep."""
        return bool(self.searches)

    @cached_property
    def curves(self) -> dict[str, Curves]:
        """The curves of the runs that have finished, by their names."""
        most = MOST_POINTS
        if not self.is_nested:
            most = max(min(MOST_POINTS, MOST_DRAWN // max(len(self.runs), 1)), 8)
        return {run.name: run.curves(most) for run in self.finished}

    @cached_property
    def spread(self) -> tuple[float, float] | None:
        """How far seeds and folds spread the main metric; None unless each fold has every seed."""
        of_folds = [*self._by_fold(lambda run: run.score(self.split, self.main)).values()]
        seeds = len({run.seed for run in self.runs})
        if min(len(of_folds), seeds) < 2 or sum(map(len, of_folds)) < len(self.runs):
            return None
        return spread_of(of_folds)

    @cached_property
    def difference(self) -> tuple[float, tuple[float, float] | None] | None:
        """How far the main metric is from that of the simpler predictor beside the networks, as `difference_of`."""

        def more(run: SeriesRun) -> float | None:
            own, other = (of(self.split, self.main) for of in (run.score, partial(run.baseline, self.reference)))
            return None if own is None or other is None else own - other

        found = [fmean(values) for values in self._by_fold(more).values()]
        return difference_of(found, len({run.fold for run in self.runs}))

    @property
    def sign(self) -> int | None:
        """Whether the networks are better than that predictor beyond chance, 1, worse, -1, or neither, 0.

        None where there is no interval of the difference.
        """
        if self.difference is None or (interval := self.difference[1]) is None:
            return None
        more_is_better = int(interval[0] > 0) - int(interval[1] < 0)
        return more_is_better if _is_larger_better(self.main) else -more_is_better

    def _by_fold(self, figure: Callable[[SeriesRun], float | None]) -> dict[int | None, list[float]]:
        """Return a figure of the runs that have finished and have it, by their folds."""
        found: dict[int | None, list[float]] = {}
        for run in self.finished:
            if (value := figure(run)) is not None:
                found.setdefault(run.fold, []).append(value)
        return found


def spread_of(of_folds: Sequence[Sequence[float]]) -> tuple[float, float]:
    """Return the standard deviations of a figure over seeds on one fold, and over folds beyond that.

    That of folds is the variance of their means without what seeds make of it, 0 at least (analysis of variance of a
    one-way layout; Searle, Casella and McCulloch 1992, *Variance Components*, chapter 3).

    Parameters
    ----------
    of_folds : sequence of sequence of float
        The figures of each fold, one for each seed.
    """
    within = fmean(map(variance, of_folds))
    between = variance(map(fmean, of_folds)) - within / len(of_folds[0])
    return within**0.5, max(between, 0.0) ** 0.5


def difference_of(found: Sequence[float], folds: int) -> tuple[float, tuple[float, float] | None] | None:
    """Return by how much networks have more of a figure than a simpler predictor on the same folds.

    The folds are paired. Their training rows overlap, and so the variance of their mean is (1/k + 1/(k − 1)) times
    theirs (Nadeau and Bengio 2003, *Inference for the Generalization Error*). Without folds there is no interval: seeds
    say nothing of other rows.

    Parameters
    ----------
    found : sequence of float
        The mean difference of each fold that has one.
    folds : int
        How many there are.

    Returns
    -------
    tuple or None
        The difference, and its 95 % interval if there is one.
    """
    if not found:
        return None
    value = fmean(found)
    if len(found) < max(folds, 2):
        return value, None
    from scipy.special import stdtrit

    half = float(stdtrit(folds - 1, 0.975)) * (variance(found) * (1 / folds + 1 / (folds - 1))) ** 0.5
    return value, (value - half, value + half)


def _is_larger_better(name: str) -> bool:
    registry = installed_registry()
    part = registry.find("metric", metric_of(name, registry.names("metric")))
    return name != LOSS and bool(getattr(part, "larger_is_better", True))
