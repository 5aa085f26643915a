"""Parts for specnet that a spec can name as soon as this package is installed."""

from collections.abc import Sequence
from typing import ClassVar, Literal

from pydantic import Field

from specnet.parts import (
    Activation,
    Initializer,
    LearningLayer,
    ParameterBlock,
    PositiveNumber,
    Scope,
    Value,
    per_feature,
    sin,
)


class Snake(Activation):
    """x + sin²(a·x)/a: periodic, keeps a trend (Ziyin et al. 2020)."""

    type: Literal["snake"] = "snake"
    aliases: ClassVar[tuple[str, ...]] = ("serpent",)
    frequency: PositiveNumber = Field(1.0, description="a, frequency in radians per unit of input")

    def expression(self, x: Value) -> Value:
        return x + sin(self.frequency * x) ** 2 / self.frequency


class Shift(LearningLayer):
    """x + s, with an s that is learned for each feature."""

    type: Literal["shift"] = "shift"
    initializer: Initializer = Field("zeros", validate_default=True, description="initializer of s")

    def parameters(self, input_sizes: tuple[int, ...]) -> tuple[ParameterBlock, ...]:
        (features,) = input_sizes
        return (per_feature("shift", features, self.initializer),)

    def apply(self, scope: Scope, inputs: Sequence[Value], parameters: Sequence[Value]) -> Value:
        (x,), (shift,) = inputs, parameters
        return x + shift
