"""Samplers, which choose the values of the next trial of a sweep, and pruners, which end trials early.

Optuna is imported on use.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

import numpy as np
from annotated_types import Ge, Gt, Lt
from numpy.typing import NDArray
from pydantic import Field

from specnet.parts.fields import Fraction, PositiveInteger
from specnet.parts.registry import PartKind

if TYPE_CHECKING:
    from optuna.pruners import BasePruner
    from optuna.samplers import BaseSampler


class Pruner(PartKind):
    """A rule that ends unpromising trials of a sweep early."""

    kind: ClassVar[str] = "pruner"
    of_folds: ClassVar[bool] = False
    """Whether the pruner compares the losses of rows in a trial's first two folds, instead of its epochs."""

    def optuna_pruner(self, rungs: int) -> BasePruner:
        """Return an Optuna pruner for trials that report their validation loss at `rungs` evenly spaced epochs.

        Reports count from 1: report k comes after the fraction k/rungs of the epochs.
        """
        raise NotImplementedError(f"{type(self).__name__} has no optuna_pruner")

    def is_worse(self, losses: NDArray[np.float64], best: NDArray[np.float64]) -> bool:
        """Return whether to end a trial, given its losses on rows and the best trial's losses on the same rows.

        Called only if `of_folds` is set.
        """
        raise NotImplementedError(f"{type(self).__name__} has no is_worse")


class Sampler(PartKind):
    """A way to choose the values of a sweep's next trial."""

    kind: ClassVar[str] = "sampler"
    enumerates: ClassVar[bool] = False
    """Whether a sweep goes through all combinations in order, without random draws."""
    adapts: ClassVar[bool] = True
    """Whether the values of a trial depend on the results of other trials."""

    def optuna_sampler(self, seed: int) -> BaseSampler:
        """Return a new Optuna sampler, which draws the same values for the same seed and the same trials.

        Not implemented by samplers that enumerate.
        """
        raise NotImplementedError(f"{type(self).__name__} has no optuna_sampler")


class Tpe(Sampler):
    """Tree-structured Parzen estimator: draws near the best trials so far (Bergstra et al. 2011), with Optuna.

    Values are drawn together, near those that were good together (Falkner et al. 2018).
    Trials whose results are still unknown count as bad ones, which keeps trials under way apart.
    """

    type: Literal["tpe"] = "tpe"
    startup_trials: PositiveInteger = Field(10, description="number of first trials, which are drawn at random")

    def optuna_sampler(self, seed: int) -> BaseSampler:
        from optuna.samplers import TPESampler

        return TPESampler(
            n_startup_trials=self.startup_trials, multivariate=True, group=True, constant_liar=True, seed=seed
        )


class Random(Sampler):
    """Draws every value independently of the other trials."""

    adapts: ClassVar[bool] = False
    type: Literal["random"] = "random"

    def optuna_sampler(self, seed: int) -> BaseSampler:
        from optuna.samplers import RandomSampler

        return RandomSampler(seed=seed)


class Grid(Sampler):
    """Tries all combinations of lists of values; the first key of the space varies slowest."""

    enumerates: ClassVar[bool] = True
    adapts: ClassVar[bool] = False
    type: Literal["grid"] = "grid"


class Median(Pruner):
    """Ends a trial whose best validation loss so far is above the median of the other trials at the same epoch."""

    type: Literal["median"] = "median"
    startup_trials: PositiveInteger = Field(5, description="number of trials that finish before any is ended early")
    warmup: Fraction = Field(0.1, description="fraction of the epochs before which no trial is ended")

    def optuna_pruner(self, rungs: int) -> BasePruner:
        from optuna.pruners import MedianPruner

        # A product such as 0.15 · 20 lies slightly above the integer 3.
        warmup = math.ceil(round(self.warmup * rungs, 9))
        return MedianPruner(n_startup_trials=self.startup_trials, n_warmup_steps=warmup)


class Halving(Pruner):
    """Ends a trial that is not among the best by its validation loss, at epochs that grow by a factor (Li et al. 2020).

    At each of them one in so many goes on, of those that were known when the trial began and have come there. This is
    successive halving in which no trial waits for others.
    """

    type: Literal["halving"] = "halving"
    factor: Annotated[PositiveInteger, Ge(2)] = Field(3, description="one in so many trials goes on")
    first: Fraction = Field(0.1, description="fraction of the epochs at which trials are first ended")

    def optuna_pruner(self, rungs: int) -> BasePruner:
        from optuna.pruners import SuccessiveHalvingPruner

        first = max(1, math.ceil(round(self.first * rungs, 9)))
        return SuccessiveHalvingPruner(min_resource=first, reduction_factor=self.factor)


class Wilcoxon(Pruner):
    """Ends a trial after two folds if its losses are larger than the best trial's, row by row.

    Wilcoxon's signed-rank test decides (Wilcoxon 1945), if the mean is larger, too. The best trial is the one that was
    known when this one began.
    """

    of_folds: ClassVar[bool] = True
    type: Literal["wilcoxon"] = "wilcoxon"
    p: Annotated[float, Gt(0), Lt(1)] = Field(0.05, description="largest p-value at which a trial is ended")

    def is_worse(self, losses: NDArray[np.float64], best: NDArray[np.float64]) -> bool:
        from scipy.stats import wilcoxon

        differences = losses - best
        if not differences.any() or differences.mean() <= 0:
            return False
        return bool(wilcoxon(differences, alternative="greater").pvalue <= self.p)
