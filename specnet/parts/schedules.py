"""Schedules: the course of a learning rate over a run, as a factor on what the optimizer says."""

import math
from typing import ClassVar, Literal

from pydantic import Field

from specnet.parts.fields import NonNegativeNumber, PositiveInteger
from specnet.parts.part import Part


class Schedule(Part):
    """A factor on the learning rate that changes over the run."""

    kind: ClassVar[str] = "schedule"

    unit: Literal["step", "epoch"] = Field(
        "step", description="whether the factor changes with each step or each epoch"
    )

    def factor(self, position: int, length: int) -> float:
        """Return the factor at a position (from 0, in units) of a run of that length (in units)."""
        raise NotImplementedError(f"{type(self).__name__} has no factor")

    def factor_at(self, step: int, total_steps: int, steps_per_epoch: int) -> float:
        """Return the factor at a step, counted from 0, whatever the unit."""
        if self.unit == "step":
            return self.factor(step, total_steps)
        return self.factor(step // steps_per_epoch, math.ceil(total_steps / steps_per_epoch))


class Constant(Schedule):
    """1 throughout: the learning rate as the optimizer says it."""

    type: Literal["constant"] = "constant"

    def factor(self, position: int, length: int) -> float:
        return 1.0


class CosineDecay(Schedule):
    """α + (1 − α)·½·(1 + cos(π·t)), t from 0 at the start to 1 at the end of the run (Loshchilov and Hutter 2017)."""

    type: Literal["cosine_decay"] = "cosine_decay"
    alpha: NonNegativeNumber = Field(0.0, description="α, the factor that is approached at the end")

    def factor(self, position: int, length: int) -> float:
        return self.alpha + (1 - self.alpha) * 0.5 * (1 + math.cos(math.pi * position / length))


class Warmup(Schedule):
    """(t + 1)/length for the first `length` units, then another schedule over what is left (Goyal et al. 2017).

    The first factor is 1/length and not 0, so that no step is spent on a learning rate of 0.
    """

    type: Literal["warmup"] = "warmup"
    length: PositiveInteger = Field(description="how many units the rise lasts")
    then: Schedule = Field(Constant(), description="the schedule that follows, over the rest of the run")

    def factor(self, position: int, length: int) -> float:
        return (position + 1) / self.length

    def factor_at(self, step: int, total_steps: int, steps_per_epoch: int) -> float:
        steps = self.length * (steps_per_epoch if self.unit == "epoch" else 1)
        if step < steps:
            return super().factor_at(step, total_steps, steps_per_epoch)
        return self.then.factor_at(step - steps, total_steps - steps, steps_per_epoch)
