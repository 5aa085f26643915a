"""How a sweep chooses the next values to try, and what ends its trials early: Optuna, imported when it is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from specnet.parts.fields import PositiveInteger
from specnet.parts.registry import PartKind

if TYPE_CHECKING:
    from optuna.pruners import BasePruner
    from optuna.samplers import BaseSampler


class Pruner(PartKind):
    """A rule that ends unpromising trials of a sweep early."""

    kind: ClassVar[str] = "pruner"
    of_folds: ClassVar[bool] = False
    """Whether it looks at the rows of a trial's first two folds, in place of its epochs."""

    def optuna_pruner(self, rungs: int) -> BasePruner:
        """Return a pruner of Optuna for trials that report their validation loss at this many epochs, evenly spaced.

        What is reported counts from 1: step k stands for the fraction k/rungs of the epochs.
        """
        raise NotImplementedError(f"{type(self).__name__} has no optuna_pruner")

    def is_worse(self, losses: NDArray[np.float64], best: NDArray[np.float64]) -> bool:
        """Return whether a trial is to be ended, given the losses of rows, and the best trial's for the same rows.

        Only one that is of folds is asked.
        """
        raise NotImplementedError(f"{type(self).__name__} has no is_worse")


class Sampler(PartKind):
    """A way to choose the values of a sweep's next trial."""

    kind: ClassVar[str] = "sampler"
    enumerates: ClassVar[bool] = False
    """Whether a sweep goes through all combinations in order; nothing is drawn then."""
    adapts: ClassVar[bool] = True
    """Whether the values of a trial depend on the results of others."""

    def optuna_sampler(self, seed: int) -> BaseSampler:
        """Return a new sampler of Optuna, which draws the same for the same seed and the same trials.

        One that only enumerates has none.
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
