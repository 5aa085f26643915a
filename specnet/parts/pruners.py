"""Pruners: what ends trials of a sweep early. Optuna decides; it is imported when a sweep asks for it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from specnet.parts.fields import Fraction, PositiveInteger
from specnet.parts.kind import PartKind

if TYPE_CHECKING:
    from optuna.pruners import BasePruner


class Pruner(PartKind):
    """What ends the trials of a sweep that are unlikely to become good."""

    kind: ClassVar[str] = "pruner"

    def optuna_pruner(self, rungs: int) -> BasePruner:
        """Return a pruner of Optuna for trials that report their validation loss at this many epochs, evenly spaced.

        What is reported counts from 1: step k stands for the fraction k/rungs of the epochs.
        """
        raise NotImplementedError(f"{type(self).__name__} has no optuna_pruner")


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
