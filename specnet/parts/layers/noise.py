"""Layers that add noise to their input during training only."""

from collections.abc import Iterator, Sequence
from typing import Literal

from pydantic import Field

from specnet.compiler import Value, greater, minimum
from specnet.parts.fields import Fraction, NonNegativeNumber
from specnet.parts.layers.base import Layer, Scope
from specnet.parts.part import FieldProblem, Names
from specnet.parts.schedules import Schedule, metric_problems


class Dropout(Layer):
    """Randomly sets units to 0 during training and scales up the rest by 1/(1 − rate) (Srivastava et al. 2014)."""

    keeps_order = True
    names = Names(keras_layer=("Dropout", "rate"))
    type: Literal["dropout"] = "dropout"
    rate: Fraction = Field(0.5, description="fraction of units dropped during training")
    schedule: Schedule | None = Field(
        None, description="schedule of the rate, a factor on it that is limited to 1; default: a constant rate"
    )

    def problems(self) -> Iterator[FieldProblem]:
        if self.schedule is not None:
            yield from metric_problems("schedule", self.schedule)

    def apply(self, scope: Scope, inputs: Sequence[Value], parameters: Sequence[Value]) -> Value:
        (x,) = inputs
        if not scope.training or not self.rate:
            return x
        if self.schedule is None:
            is_on = greater(1 - self.rate, scope.uniform(x.shape))
            return x * (is_on * (1 / (1 - self.rate)))
        remaining = 1 - minimum(scope.factor(self.schedule), 1.0) * self.rate
        return x * (greater(remaining, scope.uniform(x.shape)) * (1 / remaining))


class GaussianNoise(Layer):
    """Adds Gaussian noise to each value during training, as a regularizer (Bishop 1995)."""

    keeps_order = True
    names = Names(keras_layer=("GaussianNoise", "stddev"))
    type: Literal["gaussian_noise"] = "gaussian_noise"
    stddev: NonNegativeNumber = Field(0.1, description="standard deviation of the noise")

    def apply(self, scope: Scope, inputs: Sequence[Value], parameters: Sequence[Value]) -> Value:
        (x,) = inputs
        return x + self.stddev * scope.normal(x.shape) if scope.training and self.stddev else x
