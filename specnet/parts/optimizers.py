"""Optimizers, written over the flat parameter vector in the language of the compiler."""

import math
from collections.abc import Callable
from typing import ClassVar, Literal, Protocol

from pydantic import Field

from specnet.compiler import Value, maximum, sqrt
from specnet.parts.fields import Fraction, NonNegativeNumber, PositiveNumber
from specnet.parts.part import Part
from specnet.parts.schedules import Constant, Schedule

Commits = list[tuple[Value, Value]]
ScalarLookup = Callable[[str], Value]


class StateLookup(Protocol):
    """Gives an optimizer what it keeps from step to step."""

    def __call__(self, name: str, start: float = 0.0) -> Value:
        """Return a vector of theta's layout, all of it `start` before the first step."""


class Optimizer(Part):
    """What is done with the gradient.

    All values are flat vectors of the trainable parameters' layout: theta, the gradient, and the optimizer's own
    states, which start at 0. Numbers that change with the step come from `scalars` and are inputs of the update.
    """

    kind: ClassVar[str] = "optimizer"
    full_batch_only: ClassVar[bool] = False

    learning_rate: PositiveNumber
    schedule: Schedule = Field(Constant(), description="the course of the learning rate, as a factor on it")
    weight_decay: NonNegativeNumber = Field(
        0.0, description="share of each weight taken away per step, times the learning rate; biases are left alone"
    )

    def scalars(self, step: int, rate: float) -> dict[str, float]:
        """Return the numbers of a step, counted from 1, at a learning rate."""
        return {"rate": rate}

    def update(self, theta: Value, gradient: Value, state: StateLookup, scalar: ScalarLookup) -> Commits:
        """Return what theta and the states become: pairs of a state and its new value."""
        raise NotImplementedError(f"{type(self).__name__} has no update")


class Sgd(Optimizer):
    """Gradient descent: v ← μ·v + g, θ ← θ − lr·v; with nesterov θ ← θ − lr·(g + μ·v) (Sutskever et al. 2013).

    Keras and scikit-learn keep the learning rate inside v, which is the same until it changes.
    """

    type: Literal["sgd"] = "sgd"
    learning_rate: PositiveNumber = Field(0.01, description="lr, the step's length per unit of gradient")
    momentum: Fraction = Field(0.0, description="μ, the share of the last direction that is kept")
    nesterov: bool = Field(
        False, description="whether the gradient is taken as if the momentum had been followed already"
    )

    def update(self, theta: Value, gradient: Value, state: StateLookup, scalar: ScalarLookup) -> Commits:
        if not self.momentum:
            return [(theta, theta - gradient * scalar("rate"))]
        velocity = state("velocity") * self.momentum + gradient
        direction = gradient + velocity * self.momentum if self.nesterov else velocity
        return [(state("velocity"), velocity), (theta, theta - direction * scalar("rate"))]


class _AdaptiveMoments(Optimizer):
    """What adam and adamw share."""

    learning_rate: PositiveNumber = Field(0.001, description="lr, about the largest change of a parameter in a step")
    beta_1: Fraction = Field(0.9, description="β₁, the share of the mean gradient that is kept")
    beta_2: Fraction = Field(0.999, description="β₂, the share of the mean squared gradient that is kept")
    epsilon: PositiveNumber = Field(1e-8, description="ε, which keeps the divisor from 0")
    amsgrad: bool = Field(False, description="whether the divisor never shrinks")

    def scalars(self, step: int, rate: float) -> dict[str, float]:
        correction = math.sqrt(1 - self.beta_2**step)
        return {"rate": rate * correction / (1 - self.beta_1**step), "epsilon": self.epsilon * correction}

    def update(self, theta: Value, gradient: Value, state: StateLookup, scalar: ScalarLookup) -> Commits:
        mean, square = state("mean"), state("square")
        new_mean = mean + (gradient - mean) * (1 - self.beta_1)
        new_square = square + (gradient * gradient - square) * (1 - self.beta_2)
        commits, size = [(mean, new_mean), (square, new_square)], new_square
        if self.amsgrad:
            size = maximum(state("largest_square"), new_square)
            commits.append((state("largest_square"), size))
        step = new_mean / (sqrt(size) + scalar("epsilon"))
        return [*commits, (theta, theta - step * scalar("rate"))]


class Adam(_AdaptiveMoments):
    """Adam (Kingma and Ba 2015): m ← β₁·m + (1−β₁)·g, v ← β₂·v + (1−β₂)·g², θ ← θ − lr·m̂/(√v̂ + ε).

    m̂ and v̂ are m and v divided by 1 − β₁ᵗ and 1 − β₂ᵗ. ε is added to the corrected √v̂, as in PyTorch; Keras and
    scikit-learn add it to the uncorrected one. With amsgrad, v̂ is the largest so far (Reddi et al. 2018).
    """

    type: Literal["adam"] = "adam"


class AdamW(_AdaptiveMoments):
    """Adam with decoupled weight decay: weights also lose the share lr·weight_decay (Loshchilov and Hutter 2019)."""

    type: Literal["adamw"] = "adamw"
    weight_decay: NonNegativeNumber = Field(
        0.01, description="share of each weight taken away per step, times the learning rate; biases are left alone"
    )
