"""Gradient descent, with and without momentum."""

from typing import Literal

from pydantic import Field

from specnet.compiler import Value
from specnet.parts.fields import Fraction, PositiveNumber
from specnet.parts.optimizers.base import Commits, DecayingOptimizer, ScalarLookup, StateLookup


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
