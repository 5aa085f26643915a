"""Layers that disturb what they are given, while training only."""

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from specnet.compiler import Value, greater
from specnet.parts.fields import Fraction, NonNegativeNumber
from specnet.parts.layers.base import Layer, Scope


class Dropout(Layer):
    """A share of the values becomes 0 while training, the rest is divided by what is kept (Srivastava et al. 2014)."""

    type: Literal["dropout"] = "dropout"
    rate: Fraction = Field(0.5, description="the share that is dropped")

    def apply(self, scope: Scope, inputs: Sequence[Value], parameters: Sequence[Value]) -> Value:
        (x,) = inputs
        if not scope.training or not self.rate:
            return x
        kept = greater(1 - self.rate, scope.uniform(x.shape))
        return x * (kept * (1 / (1 - self.rate)))


class GaussianNoise(Layer):
    """Normal noise is added to each value while training, so that no exact value is relied on (Bishop 1995)."""

    type: Literal["gaussian_noise"] = "gaussian_noise"
    stddev: NonNegativeNumber = Field(0.1, description="the noise's standard deviation")

    def apply(self, scope: Scope, inputs: Sequence[Value], parameters: Sequence[Value]) -> Value:
        (x,) = inputs
        return x + self.stddev * scope.normal(x.shape) if scope.training and self.stddev else x
