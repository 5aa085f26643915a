"""Many runs of one spec as their folder tells of them: on folds, with seeds, or each the best of a sweep."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from statistics import fmean, variance
from typing import Any, NamedTuple

from specnet.parts.metrics import main_metric
from specnet.parts.registry import installed_registry
from specnet.report.pages.headline import BASELINES
from specnet.report.terminal.run_table import FINISHED, LOSS, TEST, TRAIN, VALIDATION, RunRecord

Summary = Mapping[str, Mapping[str, Mapping[str, Any]]]
"""By part of the split and metric: ``mean``, ``std``, ``min``, ``max`` and the number of ``runs``."""


class Spread(NamedTuple):
    """Standard deviations of runs with every seed on every fold: of seeds on one fold, and of folds beyond that."""

    seeds: float
    folds: float


class Difference(NamedTuple):
    """By how much networks have more than a simpler predictor on the same folds, with its 95 % interval.

    The sign says whether they are better, as far as chance allows: 1, -1, or 0.
    """

    value: float
    low: float | None = None
    high: float | None = None
    sign: int | None = None


@dataclass(frozen=True)
class SeriesRecord:
    """Many runs as their folder tells of them.

    Attributes
    ----------
    name : str
        Of their spec; nothing if none of them has finished.
    runs : sequence of RunRecord
    summary : mapping
        As ``summary.json`` has it.
    baselines : mapping
        The same of simpler predictors on the rows of the runs that have finished, by their names.
    command : str
        What does one of them again.
    facts : sequence of (name, value)
        What it takes to do them again.
    searched_by : str
        The metric of validation rows by which the sweeps compare their trials; empty where the runs are none of sweeps.
    """

    name: str
    runs: Sequence[RunRecord]
    summary: Summary
    command: str = ""
    facts: Sequence[tuple[str, str]] = ()
    searched_by: str = ""
    baselines: Mapping[str, Summary] = field(default_factory=dict)

    @property
    def split(self) -> str:
        """The rows that tell most."""
        return next((split for split in (TEST, VALIDATION, TRAIN) if split in self.summary), TEST)

    @property
    def main(self) -> str:
        """The metric by which the runs are judged."""
        return main_metric(self.summary.get(self.split, ())) or LOSS

    @property
    def metrics(self) -> list[str]:
        """All of them, that by which the runs are judged first and the loss last."""
        return sorted(self.summary.get(self.split, ()), key=lambda name: (name != self.main, name == LOSS))

    @property
    def finished(self) -> list[RunRecord]:
        """The runs that have finished."""
        return [run for run in self.runs if run.state == FINISHED]

    @property
    def beside(self) -> list[str]:
        """The simpler predictors beside the networks, the linear model first if there is one."""
        return [name for name in BASELINES if self.split in self.baselines.get(name, ())]

    @property
    def reference(self) -> str:
        """The first of them; empty if there is none."""
        return next(iter(self.beside), "")

    def spread(self) -> Spread | None:
        """Return how far seeds and folds spread the main metric; None unless each fold has every seed.

        That of folds is the variance of their means without what seeds make of it, 0 at least (analysis of variance of
        a one-way layout; Searle, Casella and McCulloch 1992, *Variance Components*, chapter 3).
        """
        of_folds = [*self._by_fold(lambda run: run.score(self.split, self.main)).values()]
        seeds = len({run.seed for run in self.runs})
        if min(len(of_folds), seeds) < 2 or sum(map(len, of_folds)) < len(self.runs):
            return None
        within = fmean(map(variance, of_folds))
        between = variance(map(fmean, of_folds)) - within / seeds
        return Spread(within**0.5, max(between, 0.0) ** 0.5)

    def difference(self) -> Difference | None:
        """Return by how much the main metric of the networks is larger than that of the simpler predictor beside them.

        The folds are paired. Their training rows overlap, and so the variance of their mean is (1/k + 1/(k − 1)) times
        theirs (Nadeau and Bengio 2003, *Inference for the Generalization Error*). Without folds there is no interval:
        seeds say nothing of other rows.
        """

        def more(run: RunRecord) -> float | None:
            own, other = (of(self.split, self.main) for of in (run.score, partial(run.baseline, self.reference)))
            return None if own is None or other is None else own - other

        found = [fmean(values) for values in self._by_fold(more).values()]
        if not found:
            return None
        value, folds = fmean(found), len({run.fold for run in self.runs})
        if len(found) < max(folds, 2):
            return Difference(value)
        from scipy.special import stdtrit

        half = float(stdtrit(folds - 1, 0.975)) * (variance(found) * (1 / folds + 1 / (folds - 1))) ** 0.5
        low, high = value - half, value + half
        more_is_better = int(low > 0) - int(high < 0)
        return Difference(value, low, high, more_is_better if self._is_larger_better() else -more_is_better)

    def _is_larger_better(self) -> bool:
        part = installed_registry().find("metric", self.main)
        return self.main != LOSS and bool(getattr(part, "larger_is_better", True))

    def _by_fold(self, figure: Callable[[RunRecord], float | None]) -> dict[int | None, list[float]]:
        """Return a figure of the runs that have finished and have it, by their folds."""
        found: dict[int | None, list[float]] = {}
        for run in self.finished:
            if (value := figure(run)) is not None:
                found.setdefault(run.fold, []).append(value)
        return found

    @property
    def searches(self) -> list[RunRecord]:
        """The runs that are the best of a sweep."""
        return [run for run in self.runs if run.figure is not None]

    @property
    def is_nested(self) -> bool:
        """Whether each run is the best of a sweep."""
        return bool(self.searches)
