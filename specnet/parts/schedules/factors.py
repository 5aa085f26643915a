"""Schedules whose factor depends on the step, on the fraction of the run, or on a metric after each epoch."""

import math
from bisect import bisect_right
from collections.abc import Iterator
from itertools import pairwise
from typing import Annotated, Literal

from annotated_types import Ge
from pydantic import Field

from specnet.errors import Path
from specnet.parts.fields import Fraction, NonNegativeInteger, NonNegativeNumber, PositiveInteger, PositiveNumber, Share
from specnet.parts.part import FieldProblem
from specnet.parts.schedules.base import AnyLength, ConstantRate, Schedule
from specnet.parts.watchers import VALIDATION_LOSS, Memory, Monitored


class ExponentialDecay(AnyLength):
    """decay_rate^(n/every) at unit n.

    Keras's ``ExponentialDecay`` with every = ``decay_steps``; PyTorch's ``ExponentialLR`` with every = 1.
    """

    example = "decay_rate = 0.95, every = 100"
    type: Literal["exponential_decay"] = "exponential_decay"
    decay_rate: PositiveNumber = Field(description="factor applied to the learning rate")
    every: PositiveInteger = Field(1, description="number of units per factor, applied gradually")

    def multiplier(self, position: int, length: int) -> float:
        return _power(self.decay_rate, position / self.every)


class StepDecay(AnyLength):
    """factor^⌊n/every⌋ at unit n: exponential decay in steps (PyTorch's ``StepLR``)."""

    example = "factor = 0.5, every = 1000"
    type: Literal["step_decay"] = "step_decay"
    factor: PositiveNumber = Field(description="factor applied to the learning rate at each step down")
    every: PositiveInteger = Field(description="number of units between two steps down")

    def multiplier(self, position: int, length: int) -> float:
        return _power(self.factor, position // self.every)


class PiecewiseConstant(AnyLength):
    """The first factor up to the first boundary, then the next one, and so on: factorsₖ behind k boundaries.

    The unit at a boundary has the new factor, as in PyTorch and optax; in Keras it has the old one. Each factor applies
    to the optimizer's learning rate, not to the previous factor.
    """

    example = "boundaries = [1000, 2000], factors = [1.0, 0.1, 0.01]"
    type: Literal["piecewise_constant"] = "piecewise_constant"
    boundaries: tuple[PositiveInteger, ...] = Field(
        description="units at which the factor changes, in increasing order"
    )
    factors: tuple[NonNegativeNumber, ...] = Field(description="factors on the learning rate, one more than boundaries")

    def problems(self) -> Iterator[FieldProblem]:
        for index, (before, after) in enumerate(pairwise(self.boundaries), 1):
            if after <= before:
                message = f"boundaries must increase, got {after} after {before}"
                yield FieldProblem(("boundaries", index), message, "bounds-order")
        if len(self.factors) != len(self.boundaries) + 1:
            count = len(self.boundaries)
            yield FieldProblem(("factors",), f"{count} boundaries need {count + 1} factors, got {len(self.factors)}")

    def multiplier(self, position: int, length: int) -> float:
        return self.factors[bisect_right(self.boundaries, position)]


class PolynomialDecay(Schedule):
    """α + (1 − α)·(1 − t)^power, t from 0 at the start to 1 at the end of the run; power 1 is linear.

    Keras's ``PolynomialDecay`` (which ends at 1e-4 by default) and PyTorch's ``PolynomialLR``,
    over as many units as the run has.
    """

    type: Literal["polynomial_decay"] = "polynomial_decay"
    power: PositiveNumber = Field(1.0, description="exponent of the decay; above 1 it is steep at first")
    alpha: NonNegativeNumber = Field(0.0, description="α, final factor")

    def multiplier(self, position: int, length: int) -> float:
        return self.alpha + (1 - self.alpha) * _power(1 - position / length, self.power)


class InverseTimeDecay(AnyLength):
    """1/(1 + decay_rate·n/every) at unit n (Keras's ``InverseTimeDecay`` with every = ``decay_steps``)."""

    example = "decay_rate = 0.5, every = 1000"
    type: Literal["inverse_time_decay"] = "inverse_time_decay"
    decay_rate: NonNegativeNumber = Field(description="decay rate; 1 halves the learning rate after `every` units")
    every: PositiveInteger = Field(1, description="number of units per unit of time")

    def multiplier(self, position: int, length: int) -> float:
        return 1 / (1 + self.decay_rate * position / self.every)


class InverseScaling(AnyLength):
    """(n + 1)^−power at unit n, the classical rate of stochastic approximation (Robbins and Monro 1951).

    scikit-learn's ``invscaling`` changes the rate once per epoch and counts the rows seen, not the units.
    """

    aliases = ("invscaling",)
    type: Literal["inverse_scaling"] = "inverse_scaling"
    power: PositiveNumber = Field(
        0.5, description="exponent of the decay; 0.5 halves the learning rate by the fourth unit"
    )

    def multiplier(self, position: int, length: int) -> float:
        return _power(position + 1, -self.power)


class CosineDecay(Schedule):
    """α + (1 − α)·½·(1 + cos(π·t)), t from 0 at the start to 1 at the end of the run (Loshchilov and Hutter 2017)."""

    type: Literal["cosine_decay"] = "cosine_decay"
    alpha: NonNegativeNumber = Field(0.0, description="α, final factor")

    def multiplier(self, position: int, length: int) -> float:
        return self.alpha + (1 - self.alpha) * _half_cosine(position / length)


class FlatCosine(Schedule):
    """α + (1 − α)·½·(1 + cos(π·t)), t being 0 up to the fraction `flat` of the run, then rising to 1 at its end.

    ``flat_cos`` of fastai; RealMLP (Holzmüller et al. 2024) uses it for dropout and weight decay.
    """

    aliases = ("flat_cos",)
    type: Literal["flat_cosine"] = "flat_cosine"
    flat: Fraction = Field(0.5, description="fraction of the run before the factor falls")
    alpha: NonNegativeNumber = Field(0.0, description="α, final factor")

    def multiplier(self, position: int, length: int) -> float:
        fall = (position / length - self.flat) / (1 - self.flat)
        return self.alpha + (1 - self.alpha) * _half_cosine(max(fall, 0.0))


class CosineLog(Schedule):
    """½ − ½·cos(2π·log₂(1 + (2ᶜ − 1)·t)): c waves from 0 to 1 and back, each twice as long as the one before.

    t goes from 0 at the start to 1 at the end of the run, so the rate starts at 0. Part of the RealMLP recipe for
    tables (Holzmüller et al. 2024), which applies it to other hyperparameters too.
    """

    type: Literal["cosine_log"] = "cosine_log"
    cycles: PositiveInteger = Field(4, le=1000, description="c, number of waves")

    def multiplier(self, position: int, length: int) -> float:
        waves = math.log2(1 + (2.0**self.cycles - 1) * (position / length))
        return 0.5 - 0.5 * math.cos(2 * math.pi * waves)


class CosineDecayRestarts(AnyLength):
    """Cosine decay with warm restarts: α + (1 − α)·m_mulᵏ·½·(1 + cos(π·t)), t from 0 to 1 within cycle k.

    Cycle k, counted from 0, has first_length·t_mulᵏ units (Loshchilov and Hutter 2017, SGDR). Fields are Keras's
    (first_length is its ``first_decay_steps``); in PyTorch's ``CosineAnnealingWarmRestarts`` cycles have equal length
    by default.
    """

    example = "first_length = 1000"
    type: Literal["cosine_decay_restarts"] = "cosine_decay_restarts"
    first_length: PositiveInteger = Field(description="number of units in the first cycle")
    t_mul: Annotated[float, Ge(1)] = Field(2.0, description="factor on the length of each next cycle")
    m_mul: PositiveNumber = Field(1.0, description="factor on the initial value of each next cycle")
    alpha: NonNegativeNumber = Field(0.0, description="α, final factor of each cycle")

    def multiplier(self, position: int, length: int) -> float:
        cycle, start, units = 0, 0.0, float(self.first_length)
        if self.t_mul == 1:
            cycle = position // self.first_length
            start = cycle * units
        while start + units <= position:
            cycle, start, units = cycle + 1, start + units, units * self.t_mul
        height = _power(self.m_mul, cycle)
        return self.alpha + (1 - self.alpha) * height * _half_cosine((position - start) / units)


class OneCycle(Schedule):
    """A cosine up and another one down: a + (b − a)·½·(1 − cos(π·t)), t from 0 to 1 within each.

    First a is 1/div_factor and b is 1, then a is 1 and b is 1/(div_factor·final_div_factor) (Smith and Topin 2019).
    PyTorch's ``OneCycleLR`` with two phases and without the momentum cycle; learning_rate is its ``max_lr``.
    """

    type: Literal["one_cycle"] = "one_cycle"
    pct_start: Share = Field(0.3, description="fraction of the run in which the learning rate rises")
    div_factor: PositiveNumber = Field(25.0, description="ratio of the maximum to the initial learning rate")
    final_div_factor: PositiveNumber = Field(1e4, description="ratio of the initial to the final learning rate")

    def multiplier(self, position: int, length: int) -> float:
        top, last = self.pct_start * length - 1, length - 1
        first = 1 / self.div_factor
        if position < top:
            return 1 + (first - 1) * _half_cosine(position / top)
        end = first / self.final_div_factor
        fall = (position - top) / (last - top) if last > top else 0.0
        return end + (1 - end) * _half_cosine(fall)


class ReduceOnPlateau(AnyLength):
    """factorᵏ, where k counts how often the monitored metric failed to improve for more than `patience` epochs.

    An improvement is a value below best − threshold·|best|, or below best − threshold if not relative; for metrics to
    maximize, above best + the same. Waiting restarts after a reduction. As PyTorch's ``ReduceLROnPlateau``, except that
    its best·(1 − threshold) counts small increases of a negative value as improvements; Keras reduces one epoch
    earlier, and its ``min_delta`` is an absolute 1e-4.
    """

    type: Literal["reduce_on_plateau"] = "reduce_on_plateau"
    unit: Literal["epoch"] = Field("epoch", description="unit of time; the monitored metric is known after each epoch")
    monitor: Monitored = Field(
        VALIDATION_LOSS,
        description='metric to monitor: "validation_loss", "loss" of the training set, or "validation_" and the name '
        "of a metric, computed on the validation set",
    )
    factor: Annotated[PositiveNumber, Field(lt=1)] = Field(0.1, description="factor applied to the learning rate")
    patience: NonNegativeInteger = Field(
        10, description="epochs without improvement before the learning rate is reduced"
    )
    threshold: NonNegativeNumber = Field(1e-4, description="smallest change that counts as an improvement")
    relative: bool = Field(True, description="take the threshold relative to the best value")

    def multiplier(self, position: int, length: int) -> float:
        """Return 1, because the factor depends on metrics and is in `Memory`."""
        return 1.0

    def plateaus(self) -> "Iterator[tuple[Path, ReduceOnPlateau]]":
        yield (), self

    def after(self, memory: Memory, figure: float) -> Memory:
        """Return the memory after an epoch in which the monitored metric was `figure`; lower is better."""
        if memory.best is None or figure < memory.best - self.threshold * (abs(memory.best) if self.relative else 1):
            return Memory(figure, rate_factor=memory.rate_factor)
        if memory.waited < self.patience:
            return Memory(memory.best, memory.waited + 1, memory.rate_factor)
        return Memory(memory.best, rate_factor=memory.rate_factor * self.factor)


class Warmup(Schedule):
    """(n + 1)/length at unit n for the first `length` units, then another schedule over the rest of the run.

    The first factor is 1/length and not 0, to make the first step count (Goyal et al. 2017). A schedule that monitors
    the loss does so during the warmup too.
    """

    example = 'length = 500, then = "cosine_decay"'
    type: Literal["warmup"] = "warmup"
    length: PositiveInteger = Field(description="number of units of the warmup")
    then: Schedule = Field(ConstantRate(), description="schedule over the rest of the run")

    def multiplier(self, position: int, length: int) -> float:
        return (position + 1) / self.length

    def factor_at(self, step: int, total_steps: int, steps_per_epoch: int) -> float:
        steps = self.length * (steps_per_epoch if self.unit == "epoch" else 1)
        if step < steps:
            return super().factor_at(step, total_steps, steps_per_epoch)
        return self.then.factor_at(step - steps, total_steps - steps, steps_per_epoch)

    def depends_on_length(self) -> bool:
        return self.then.depends_on_length()

    def plateaus(self) -> Iterator[tuple[Path, ReduceOnPlateau]]:
        for path, plateau in self.then.plateaus():
            yield ("then", *path), plateau


def _half_cosine(t: float) -> float:
    """Return half a period of the cosine, scaled from 1 at t = 0 to 0 at t = 1."""
    return 0.5 * (1 + math.cos(math.pi * t))


def _power(base: float, exponent: float) -> float:
    """Return a power, or infinity if it overflows; a rate that grows without bound is divergence, not an error."""
    try:
        return float(base**exponent)
    except OverflowError:
        return math.inf
