"""Pruners: rules that end unpromising trials of a sweep early."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

import numpy as np
from annotated_types import Ge, Gt, Lt
from numpy.typing import NDArray
from pydantic import Field

from specnet.parts.fields import Fraction, PositiveInteger

if TYPE_CHECKING:
    from optuna.pruners import BasePruner
from specnet.parts.searches import Pruner


class Median(Pruner):
    """Ends a trial whose best validation loss so far is above the median of the other trials at the same epoch."""

    type: Literal["median"] = "median"
    startup_trials: PositiveInteger = Field(5, description="number of trials that finish before any is ended early")
    warmup: Fraction = Field(0.1, description="fraction of the epochs before which no trial is ended")

    def optuna_pruner(self, rungs: int) -> BasePruner:
        from optuna.pruners import MedianPruner

        # A product such as 0.15 · 20 lies above the integer that is meant.
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
