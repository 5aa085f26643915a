"""Rectifiers that bend negative values, or lie elsewhere."""

from collections.abc import Sequence
from typing import ClassVar, Literal

from pydantic import Field

from specnet.compiler import Value, expm1, greater, maximum, minimum, where
from specnet.parts.activations.base import Ordered, Rectifier
from specnet.parts.fields import Fraction, PositiveNumber
from specnet.parts.initializers import ConstantWeights
from specnet.parts.parameters import ParameterBlock, per_feature
from specnet.parts.part import Names


class LeakyRelu(Ordered, Rectifier):
    """max(x, s·x): a rectifier with a small slope for negative values (Maas et al. 2013).

    The slope s is 0.01 here and in PyTorch, 0.2 in Keras's function and 0.3 in its layer.
    """

    is_one_sided = keeps_last_bit = True
    onnx = ("LeakyRelu", {"alpha": "negative_slope"})
    names = Names(
        keras_layer=("LeakyReLU", "negative_slope"),
        torch=("LeakyReLU", "nn.functional.leaky_relu({x}, negative_slope={negative_slope})"),
    )
    type: Literal["leaky_relu"] = "leaky_relu"
    negative_slope: Fraction = Field(0.01, description="s, slope for negative values")

    def expression(self, x: Value) -> Value:
        return maximum(x, self.negative_slope * x)


class Prelu(Rectifier):
    """max(x, 0) + s·min(0, x): a leaky rectifier whose slope s is learned for each feature (He et al. 2015).

    Slopes start at 0.25 here and in PyTorch, which has a single one by default, and at 0 in Keras.
    """

    onnx = ("PRelu", {})
    names = Names(keras_layer=("PReLU",), torch=("PReLU", "nn.functional.prelu({x}, {negative_slope})", "weight"))
    type: Literal["prelu"] = "prelu"

    def own_parameters(self, size: int) -> tuple[ParameterBlock, ...]:
        return (per_feature("negative_slope", size, ConstantWeights(value=0.25)),)

    def value(self, x: Value, own: Sequence[Value]) -> Value:
        (slope,) = own
        return maximum(x, 0.0) + slope * minimum(0.0, x)


class Elu(Ordered, Rectifier):
    """x above 0, α·(exp(x) − 1) below: a rectifier that is smooth below 0 (Clevert et al. 2016)."""

    is_one_sided = keeps_last_bit_rounded_once = True
    onnx = ("Elu", {"alpha": "alpha"})
    names = Names("elu", ("ELU", "alpha"), ("ELU", "nn.functional.elu({x}, alpha={alpha})"))
    type: Literal["elu"] = "elu"
    alpha: PositiveNumber = Field(1.0, description="α, distance of the lower limit from 0")

    def expression(self, x: Value) -> Value:
        return maximum(x, 0.0) + self.alpha * expm1(minimum(0.0, x))

    def derivative_from_output(self, y: Value) -> Value:
        return _exponential_slope(y, 1.0, self.alpha)


class Celu(Ordered, Rectifier):
    """x above 0, α·(exp(x/α) − 1) below: an elu that is smooth for every α (Barron 2017)."""

    is_one_sided = keeps_last_bit_rounded_once = True
    onnx = ("Celu", {"alpha": "alpha"})
    names = Names("celu", torch=("CELU", "nn.functional.celu({x}, alpha={alpha})"))
    type: Literal["celu"] = "celu"
    alpha: PositiveNumber = Field(1.0, description="α, distance of the lower limit from 0")

    def expression(self, x: Value) -> Value:
        return maximum(x, 0.0) + self.alpha * expm1(minimum(0.0, x) / self.alpha)

    def derivative_from_output(self, y: Value) -> Value:
        return minimum(y, 0.0) / self.alpha + 1


class Selu(Ordered):
    """λ·elu(x, α) with λ and α that preserve mean 0 and variance 1 across layers (Klambauer et al. 2017)."""

    is_one_sided = keeps_last_bit_rounded_once = True
    ALPHA: ClassVar[float] = 1.6732632423543772848170429916717
    SCALE: ClassVar[float] = 1.0507009873554804934193349852946
    default_initializer = "lecun_normal"
    onnx = ("Selu", {})
    names = Names("selu", torch=("SELU", "nn.functional.selu({x})"))
    type: Literal["selu"] = "selu"

    def expression(self, x: Value) -> Value:
        return self.SCALE * maximum(x, 0.0) + self.SCALE * self.ALPHA * expm1(minimum(0.0, x))

    def derivative_from_output(self, y: Value) -> Value:
        return _exponential_slope(y, self.SCALE, self.SCALE * self.ALPHA)


class Threshold(Rectifier):
    """x above θ, a constant elsewhere: a rectifier with a threshold above 0 (Konda et al. 2015).

    The defaults 1 and 0 are those of the paper; PyTorch and Keras have none. Its derivative at θ is 0.
    """

    names = Names(torch=("Threshold", "nn.functional.threshold({x}, threshold={threshold}, value={default_value})"))
    type: Literal["threshold"] = "threshold"
    threshold: float = Field(1.0, description="θ, above which values are kept")
    default_value: float = Field(0.0, description="value of all others")

    @property
    def keeps_order(self) -> bool:
        return not self.parametric and self.default_value <= self.threshold

    def expression(self, x: Value) -> Value:
        return where(greater(x, self.threshold), x, self.default_value)


def _exponential_slope(y: Value, slope: float, depth: float) -> Value:
    """Return `slope` where y > 0 and y + depth elsewhere, without a costly `where`."""
    below = minimum(y, 0.0) + depth
    return below if slope == depth else greater(y, 0.0) * (slope - depth) + below
