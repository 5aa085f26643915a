"""Gradient descent, with and without momentum, and Adam.

Their steps depend on running means of the gradient and of its square.
"""

import math
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from pydantic import Field

from specnet.compiler import Value, maximum, sqrt
from specnet.parts.fields import Fraction, NonNegativeNumber, PositiveNumber
from specnet.parts.optimizers.base import (
    WEIGHT_DECAY,
    Commits,
    DecayingOptimizer,
    Numbers,
    ScalarLookup,
    StateLookup,
    nearer,
)


class Sgd(DecayingOptimizer):
    """Gradient descent: v ← μ·v + g, θ ← θ − lr·v; with nesterov θ ← θ − lr·(g + μ·v) (Sutskever et al. 2013).

    Keras and scikit-learn keep the learning rate inside v; equal as long as the rate is constant.
    """

    type: Literal["sgd"] = "sgd"
    learning_rate: PositiveNumber = Field(0.01, description="learning rate")
    momentum: Fraction = Field(0.0, description="μ, momentum")
    nesterov: bool = Field(False, description="use Nesterov momentum")

    def update(self, theta: Value, gradient: Value, state: StateLookup, scalar: ScalarLookup) -> Commits:
        if not self.momentum:
            return [(theta, theta - gradient * scalar("rate"))]
        velocity = state("velocity") * self.momentum + gradient
        direction = gradient + velocity * self.momentum if self.nesterov else velocity
        return [(state("velocity"), velocity), (theta, theta - direction * scalar("rate"))]


class AdaptiveMoments(DecayingOptimizer):
    """An optimizer with running means of the gradient and of its square."""

    learning_rate: PositiveNumber = Field(
        0.001, description="learning rate, about the largest change of a parameter per step"
    )
    beta_1: Fraction = Field(0.9, description="β₁, decay rate of the mean gradient")
    beta_2: Fraction = Field(0.999, description="β₂, decay rate of the mean squared gradient")
    epsilon: PositiveNumber = Field(1e-8, description="ε, constant added to the divisor for stability")

    def _moments(self, gradient: Value, state: StateLookup) -> tuple[Value, Value]:
        mean = nearer(state("mean"), gradient, 1 - self.beta_1)
        return mean, nearer(state("square"), gradient * gradient, 1 - self.beta_2)


class _AdamFamily(AdaptiveMoments):
    """The base class of adam and adamw."""

    amsgrad: bool = Field(False, description="use the AMSGrad variant")

    # The states are the decaying sums m/(1 − β₁) and v/(1 − β₂), which saves two passes over all parameters.
    def scalars(self, step: int, rate: float) -> dict[str, float]:
        return self._scalars(step, rate, math.sqrt((1 - self.beta_2**step) / (1 - self.beta_2)))

    def scalars_of(self, steps: Numbers, rate: Numbers) -> Mapping[str, Numbers]:
        if type(self).scalars is not _AdamFamily.scalars:
            return super().scalars_of(steps, rate)
        return self._scalars(steps, rate, np.sqrt((1 - self.beta_2**steps) / (1 - self.beta_2)))

    def _scalars(self, step: Any, rate: Any, root: Any) -> dict[str, Any]:
        return {"rate": rate * root * (1 - self.beta_1) / (1 - self.beta_1**step), "epsilon": self.epsilon * root}

    def update(self, theta: Value, gradient: Value, state: StateLookup, scalar: ScalarLookup) -> Commits:
        total = state("sum") * self.beta_1 + gradient
        squares = state("sum_of_squares") * self.beta_2 + gradient * gradient
        commits, size = [(state("sum"), total), (state("sum_of_squares"), squares)], squares
        if self.amsgrad:
            size = maximum(state("largest_sum"), squares)
            commits.append((state("largest_sum"), size))
        step = total / (sqrt(size) + scalar("epsilon"))
        return [*commits, (theta, theta - step * scalar("rate"))]


class Adam(_AdamFamily):
    """Adam (Kingma and Ba 2015): m ← β₁·m + (1−β₁)·g, v ← β₂·v + (1−β₂)·g², θ ← θ − lr·m̂/(√v̂ + ε).

    In step t, m̂ = m/(1 − β₁ᵗ) and v̂ = v/(1 − β₂ᵗ). ε is added to the corrected √v̂, as in PyTorch; Keras, whose ε is
    1e-7, and scikit-learn add it to the uncorrected one. With amsgrad (Reddi et al. 2018), v̂ is the largest
    uncorrected v so far, divided by 1 − β₂ᵗ, as in PyTorch.
    """

    type: Literal["adam"] = "adam"


class AdamW(_AdamFamily):
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019): θ ← θ − lr·(m̂/(√v̂ + ε) + weight_decay·θ).

    Weights alone decay; in PyTorch and Keras biases do too. Keras has weight_decay 0.004 and ε 1e-7. m̂, v̂, ε and
    amsgrad are those of adam.
    """

    type: Literal["adamw"] = "adamw"
    weight_decay: NonNegativeNumber = Field(0.01, description=WEIGHT_DECAY)
