"""Averages of the weights over the steps of a run, which are saved instead of the last weights."""

from typing import ClassVar, Literal

from pydantic import Field

from specnet.parts.fields import Fraction
from specnet.parts.registry import PartKind


class Averaging(PartKind):
    """An average of the weights that is saved instead of the last ones."""

    kind: ClassVar[str] = "averaging"

    def depends_on_length(self) -> bool:
        """Return whether the shares at the start of a run depend on the length of the run."""
        return True

    def share(self, step: int, total_steps: int, steps_per_epoch: int) -> float:
        """Return the share in the average of the weights after a step, counted from 0; the first share is 1."""
        raise NotImplementedError(f"{type(self).__name__} has no share")

    def begins(self, total_steps: int, steps_per_epoch: int) -> int:
        """Return the step, counted from 0, after which averaging begins."""
        return 0


class ExponentialAverage(Averaging):
    """a ← β·a + (1 − β)·θ after each step (Polyak and Juditsky 1992).

    While 1/(step + 1) is greater than 1 − β it is used instead, which removes the bias towards the initial weights.
    Keras and PyTorch start from the initial weights.
    """

    type: Literal["exponential"] = "exponential"
    decay: Fraction = Field(0.999, description="β, fraction of the average kept at each step")

    def depends_on_length(self) -> bool:
        return False

    def share(self, step: int, total_steps: int, steps_per_epoch: int) -> float:
        return max(1 - self.decay, 1 / (step + 1))


class Stochastic(Averaging):
    """Mean of the weights at the ends of epochs, after the fraction `start` of the run (SWA, Izmailov et al. 2018)."""

    type: Literal["stochastic"] = "stochastic"
    start: Fraction = Field(0.75, description="fraction of epochs before averaging starts")

    def share(self, step: int, total_steps: int, steps_per_epoch: int) -> float:
        epoch, in_epoch = divmod(step, steps_per_epoch)
        first = self._first_epoch(total_steps, steps_per_epoch)
        if epoch < first or in_epoch < steps_per_epoch - 1:
            return 0.0
        return 1 / (epoch - first + 1)

    def begins(self, total_steps: int, steps_per_epoch: int) -> int:
        return (self._first_epoch(total_steps, steps_per_epoch) + 1) * steps_per_epoch - 1

    def _first_epoch(self, total_steps: int, steps_per_epoch: int) -> int:
        epochs = total_steps // steps_per_epoch
        return min(int(self.start * epochs), epochs - 1)
