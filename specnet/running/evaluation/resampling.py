"""How far figures of test rows may be off by chance (95 % intervals), and how many rows a model's intervals cover."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from specnet.model import Answers, Model
from specnet.parts.metrics.statistics import Statistic, Weightings, wilson_bounds
from specnet.saved.metrics_file import Coverage, Interval

MANY_ROWS = 20_000
"""Above so many rows the spread of few resamples is taken, and below the quantiles of many."""
RESAMPLES, FEW_RESAMPLES = 1_000, 100
WEIGHTS_AT_ONCE = 2**20
"""Of rows of resamples that are looked at together."""


@dataclass(frozen=True, eq=False)
class Resampling:
    """How rows are drawn again and again, as many as there are and with replacement.

    Attributes
    ----------
    rows : int
    generator : numpy.random.Generator
    weight : ndarray (rows,) or None
        How much each row counts.
    groups : ndarray (rows,) or None
        The number of each row's group, from 0 and without gaps: whole groups are drawn then.
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
        """Whether there are so many rows that figures are spread as a normal distribution."""
        return self.rows > MANY_ROWS

    @property
    def units(self) -> int:
        """The number of rows or groups that are drawn from."""
        return self.rows if self.groups is None else int(self.groups.max()) + 1

    def weightings(self) -> Iterator[Weightings]:
        """Yield how much each row counts in some resamples, (resamples, rows), and in the next ones."""
        units, step = self.units, max(1, WEIGHTS_AT_ONCE // self.rows)
        for start in range(0, self.count, step):
            count = min(step, self.count - start)
            drawn = self.generator.integers(0, units, (count, units)) + units * np.arange(count)[:, None]
            times = np.bincount(drawn.reshape(-1), minlength=count * units).reshape(count, units)
            counts = (times if self.groups is None else times[:, self.groups]).astype(np.float64)
            yield counts if self.weight is None else counts * self.weight

    def figures(self, statistics: Sequence[Statistic]) -> list[NDArray[np.float64]]:
        """Return each figure of all resamples, (resamples,), the same resamples for all figures."""
        parts = [[statistic(weightings) for statistic in statistics] for weightings in self.weightings()]
        return [np.concatenate(part) for part in zip(*parts, strict=True)]

    def interval(self, value: float | None, figures: NDArray[np.float64]) -> Interval | None:
        """Return the interval of a figure with these values in resamples; None where they say nothing of it.

        Resamples in which it is not defined, such as an area under a curve of rows of one class, do not count.
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
    """Return the interval of a fraction of rows; of weighted ones of as many as `effective_rows` says."""
    low, high = wilson_bounds(successes / rows, rows)
    return {"low": low, "high": high, "method": "wilson"}


def independent_rows(losses: NDArray[np.float64], groups: NDArray[np.generic] | None) -> float:
    """Return how many independent rows would tell their mean loss as well: fewer where losses of a group are alike.

    The rows over the design effect of clusters (Kish 1965), which is 1 at least.
    """
    if groups is None:
        return float(len(losses))
    _, numbers = np.unique(groups, return_inverse=True)
    count, errors = int(numbers.max()) + 1, losses - losses.mean()
    alone, together = float(np.square(errors).sum()), float(np.square(np.bincount(numbers, errors)).sum())
    if count == 1 or not alone:
        return float(count)
    return len(losses) / max(1.0, together / alone * count / (count - 1))


LEVELS = (0.5, 0.8, 0.9, 0.95)


def coverage(model: Model, answers: Answers) -> list[Coverage]:
    """Return how answers for rows are covered at the levels for which enough rows were held out."""
    found: list[Coverage] = []
    for level in LEVELS:
        if not model.error_quantiles.reach(level):
            continue
        if model.network.task == "values":
            low, high = np.moveaxis(model.error_quantiles.ends(answers.prediction, level), -1, 0)
            covers, sizes = (low <= answers.target) & (answers.target <= high), high - low
        else:
            assert answers.probability is not None, "a model with errors of classes has probabilities"
            sets = model.error_quantiles.sets(answers.probability, level)
            covers, sizes = sets[np.arange(len(sets)), answers.target], sets.sum(axis=1)
        means = (np.average(each.reshape(len(answers), -1), axis=0, weights=answers.weight) for each in (covers, sizes))
        covered, size = (each.tolist() for each in means)
        found.append({"level": level, "covered": covered, "size": size})
    return found
