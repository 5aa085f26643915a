"""Samplers: how a sweep chooses the next values to try. Optuna draws them; it is imported when a sweep asks for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from specnet.parts.fields import PositiveInteger
from specnet.parts.kind import PartKind

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler


class Sampler(PartKind):
    """How a sweep chooses the next values to try."""

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

    Trials whose results are still unknown count as bad ones, which keeps trials under way apart.
    """

    type: Literal["tpe"] = "tpe"
    startup_trials: PositiveInteger = Field(10, description="number of first trials, which are drawn at random")

    def optuna_sampler(self, seed: int) -> BaseSampler:
        from optuna.samplers import TPESampler

        return TPESampler(n_startup_trials=self.startup_trials, constant_liar=True, seed=seed)


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
