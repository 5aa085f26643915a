"""Optimizers that change one thing in Adam: its momentum, the first steps, or the norm."""

import math
from typing import Literal

from pydantic import Field

from specnet.compiler import Value, absolute, maximum, sqrt
from specnet.parts.fields import Fraction, NonNegativeNumber, PositiveNumber
from specnet.parts.optimizers.base import (
    Commits,
    ScalarLookup,
    StateLookup,
    nearer,
)
from specnet.parts.optimizers.moments import AdaptiveMoments

NEGLIGIBLE = 1e-17
"""A limit below which x does not change 1 − x in floating point."""


class Nadam(AdaptiveMoments):
    """Adam with Nesterov momentum (Dozat 2016).

    With μₜ = β₁·(1 − ½·0.96^(t·ψ)) and Mₜ = μ₁·…·μₜ: m̂ = μₜ₊₁·m/(1 − Mₜ₊₁) + (1 − μₜ)·g/(1 − Mₜ) and
    θ ← θ − lr·m̂/(√v̂ + ε); m, v and v̂ are those of adam. As in PyTorch; Keras has ψ = 1 built in, ε 1e-7 and lr
    0.001.
    """

    type: Literal["nadam"] = "nadam"
    learning_rate: PositiveNumber = Field(
        0.002, description="learning rate, about the largest change of a parameter per step"
    )
    momentum_decay: NonNegativeNumber = Field(0.004, description="ψ, speed at which μ rises from β₁/2 to β₁")

    def scalars(self, step: int, rate: float) -> dict[str, float]:
        correction = math.sqrt(1 - self.beta_2**step)
        product, following = self._momentum_product(step), self._momentum(step + 1)
        return {
            "rate": rate * correction,
            "epsilon": self.epsilon * correction,
            "mean_share": following / (1 - product * following),
            "gradient_share": (1 - self._momentum(step)) / (1 - product),
        }

    def update(self, theta: Value, gradient: Value, state: StateLookup, scalar: ScalarLookup) -> Commits:
        mean, square = self._moments(gradient, state)
        ahead = mean * scalar("mean_share") + gradient * scalar("gradient_share")
        step = ahead / (sqrt(square) + scalar("epsilon"))
        return [(state("mean"), mean), (state("square"), square), (theta, theta - step * scalar("rate"))]

    def _momentum(self, step: int) -> float:
        return self.beta_1 * (1 - 0.5 * math.pow(0.96, step * self.momentum_decay))

    def _momentum_product(self, step: int) -> float:
        """Return μ₁·…·μₜ, which is at most β₁ᵗ, in a time that does not grow with t.

        With ln(1 − q/2) = −Σ (q/2)ʲ/j, the sum of each term over the steps is a geometric series.
        """
        if self.beta_1**step < NEGLIGIBLE:
            return 0.0
        rise = math.log(0.96) * self.momentum_decay
        logarithm = step * math.log(self.beta_1)
        for j in range(1, 51):
            series = math.exp(j * rise) * math.expm1(j * step * rise) / math.expm1(j * rise) if rise else step
            logarithm -= 0.5**j / j * series
        return math.exp(logarithm)


class Radam(AdaptiveMoments):
    """Rectified Adam (Liu et al. 2020): adam with shorter steps while v̂ is based on few gradients.

    With ρ∞ = 2/(1 − β₂) − 1 and ρ = ρ∞ − 2t·β₂ᵗ/(1 − β₂ᵗ): θ ← θ − lr·r·√(1 − β₂ᵗ)·m̂/(√v + ε), where
    r² = (ρ−4)(ρ−2)ρ∞/((ρ∞−4)(ρ∞−2)ρ); while ρ ≤ 5, the step is lr·m̂. ε is added to the uncorrected √v, as in PyTorch.
    """

    type: Literal["radam"] = "radam"

    def scalars(self, step: int, rate: float) -> dict[str, float]:
        decayed = self.beta_2**step
        longest = 2 / (1 - self.beta_2) - 1
        length = longest - 2 * step * decayed / (1 - decayed)
        rate /= 1 - self.beta_1**step
        if length <= 5:
            return {"rate": rate, "root_share": 0.0, "offset": 1.0}
        rectified = (length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length)
        return {"rate": rate * math.sqrt(rectified * (1 - decayed)), "root_share": 1.0, "offset": self.epsilon}

    def update(self, theta: Value, gradient: Value, state: StateLookup, scalar: ScalarLookup) -> Commits:
        mean, square = self._moments(gradient, state)
        step = mean / (sqrt(square) * scalar("root_share") + scalar("offset"))
        return [(state("mean"), mean), (state("square"), square), (theta, theta - step * scalar("rate"))]


class Adamax(AdaptiveMoments):
    """Adam with the infinity norm (Kingma and Ba 2015): u ← max(β₂·u, abs g + ε), θ ← θ − lr·m̂/u.

    As in PyTorch; Keras adds ε, 1e-7, to u afterwards, and its lr is 0.001.
    """

    type: Literal["adamax"] = "adamax"
    learning_rate: PositiveNumber = Field(
        0.002, description="learning rate, about the largest change of a parameter per step"
    )
    beta_2: Fraction = Field(0.999, description="β₂, decay rate of the largest gradient")

    def scalars(self, step: int, rate: float) -> dict[str, float]:
        return {"rate": rate / (1 - self.beta_1**step)}

    def update(self, theta: Value, gradient: Value, state: StateLookup, scalar: ScalarLookup) -> Commits:
        mean = nearer(state("mean"), gradient, 1 - self.beta_1)
        largest = maximum(state("largest") * self.beta_2, absolute(gradient) + self.epsilon)
        return [(state("mean"), mean), (state("largest"), largest), (theta, theta - mean / largest * scalar("rate"))]
