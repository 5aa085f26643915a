"""Activations. Each says its value; its derivative follows."""

import math
from collections.abc import Iterator, Sequence
from typing import ClassVar, Literal

from pydantic import Field

from specnet.compiler import (
    Value,
    custom,
    erf,
    exp,
    expm1,
    greater,
    max_over,
    maximum,
    minimum,
    stop_gradient,
    sum_over,
    with_local_derivative,
)
from specnet.compiler import sigmoid as sigmoid_of
from specnet.compiler import softplus as softplus_of
from specnet.compiler import tanh as tanh_of
from specnet.parts.fields import Fraction, PositiveNumber
from specnet.parts.initializers import Ones
from specnet.parts.parameters import ParameterBlock, per_feature
from specnet.parts.part import FieldProblem, Part


class Activation(Part):
    """A function of a layer's values."""

    kind: ClassVar[str] = "activation"
    elementwise: ClassVar[bool] = True
    """Whether each output depends on the input at its own place alone."""
    default_initializer: ClassVar[str] = "glorot_uniform"
    """The initializer of a dense layer's weight in front of it, where a spec names none."""

    parametric: bool = Field(
        False, description="whether each feature learns a weight α in x + α·(f(x) − x), which starts at 1"
    )

    def problems(self) -> Iterator[FieldProblem]:
        if self.parametric and not self.elementwise:
            message = f"{self.type} is not elementwise, so that it cannot be mixed with its input"
            yield FieldProblem(("parametric",), message, "parametric")

    def output_size(self, size: int) -> int:
        """Return the number of features for an input of so many.

        Raises
        ------
        ValueError
            If the activation does not take so many; the message says why.
        """
        return size

    def own_parameters(self, size: int) -> tuple[ParameterBlock, ...]:
        """Return what the activation itself learns for so many features."""
        return ()

    def parameters(self, size: int) -> tuple[ParameterBlock, ...]:
        """Return all that is learned for so many features: the activation's own, and the weight of its mixture."""
        mixture = (per_feature("mixture", size, Ones()),) if self.parametric else ()
        return (*self.own_parameters(size), *mixture)

    def expression(self, x: Value) -> Value:
        """Return the value at x, of shape (features, batch)."""
        raise NotImplementedError(f"{type(self).__name__} has no expression")

    def derivative_from_output(self, y: Value) -> Value | None:
        """Return the derivative written in the output y, or None where what follows from the expression is as cheap."""
        return None

    def apply(self, x: Value, parameters: Sequence[Value] = ()) -> Value:
        """Return the value at x, mixed with x where the activation is parametric."""
        if self.parametric:
            *own, mixture = parameters
            return x + mixture * (self.value(x, own) - x)
        return self.value(x, parameters)

    def value(self, x: Value, own: Sequence[Value]) -> Value:
        """Return the value at x with the activation's own parameters, and the cheapest derivative that it knows."""
        y = self.expression(x)
        slope = self.derivative_from_output(y)
        return with_local_derivative(y, x) if slope is None else custom(y, [x], lambda d: (d * slope,))


class Linear(Activation):
    """x: the values as they are."""

    aliases = ("identity",)
    type: Literal["linear"] = "linear"

    def expression(self, x: Value) -> Value:
        return x


class Relu(Activation):
    """max(x, 0): the rectifier (Nair and Hinton 2010). Its derivative at 0 is 0."""

    default_initializer = "he_normal"
    type: Literal["relu"] = "relu"

    def expression(self, x: Value) -> Value:
        return maximum(x, 0.0)


class LeakyRelu(Activation):
    """max(x, s·x): a rectifier that lets a share of negative values through (Maas et al. 2013).

    The slope s is 0.01 here and in PyTorch, 0.2 in Keras's function and 0.3 in its layer.
    """

    default_initializer = "he_normal"
    type: Literal["leaky_relu"] = "leaky_relu"
    negative_slope: Fraction = Field(0.01, description="s, the slope for negative values")

    def expression(self, x: Value) -> Value:
        return maximum(x, self.negative_slope * x)


class Elu(Activation):
    """x above 0, α·(exp(x) − 1) below: a rectifier with a smooth negative side (Clevert et al. 2016)."""

    default_initializer = "he_normal"
    type: Literal["elu"] = "elu"
    alpha: PositiveNumber = Field(1.0, description="α, the distance of the lower limit from 0")

    def expression(self, x: Value) -> Value:
        return maximum(x, 0.0) + self.alpha * expm1(minimum(0.0, x))

    def derivative_from_output(self, y: Value) -> Value:
        return _exponential_side_slope(y, 1.0, self.alpha)


class Selu(Activation):
    """λ·elu(x, α) with the λ and α that keep mean 0 and variance 1 from layer to layer (Klambauer et al. 2017)."""

    ALPHA: ClassVar[float] = 1.6732632423543772848170429916717
    SCALE: ClassVar[float] = 1.0507009873554804934193349852946
    default_initializer = "lecun_normal"
    type: Literal["selu"] = "selu"

    def expression(self, x: Value) -> Value:
        return self.SCALE * maximum(x, 0.0) + self.SCALE * self.ALPHA * expm1(minimum(0.0, x))

    def derivative_from_output(self, y: Value) -> Value:
        return _exponential_side_slope(y, self.SCALE, self.SCALE * self.ALPHA)


class Gelu(Activation):
    """x·Φ(x), Φ being the normal distribution function (Hendrycks and Gimpel 2016).

    The approximate form is x·sigmoid(2·√(2/π)·(x + 0.044715·x³)), the same as the usual one with tanh.
    """

    default_initializer = "he_normal"
    type: Literal["gelu"] = "gelu"
    approximate: bool = Field(False, description="whether Φ is approximated through the sigmoid")

    def expression(self, x: Value) -> Value:
        if self.approximate:
            return x * sigmoid_of(2 * math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))
        return x * (0.5 * (1 + erf(x * math.sqrt(0.5))))


class Silu(Activation):
    """x·sigmoid(x), also called swish (Elfwing et al. 2018, Ramachandran et al. 2017)."""

    aliases = ("swish",)
    default_initializer = "he_normal"
    type: Literal["silu"] = "silu"

    def expression(self, x: Value) -> Value:
        return x * sigmoid_of(x)


class Sigmoid(Activation):
    """1/(1 + exp(−x)): from any number to a probability."""

    aliases = ("logistic",)
    type: Literal["sigmoid"] = "sigmoid"

    def expression(self, x: Value) -> Value:
        return sigmoid_of(x)


class Tanh(Activation):
    """tanh(x): between −1 and 1."""

    type: Literal["tanh"] = "tanh"

    def expression(self, x: Value) -> Value:
        return tanh_of(x)


class Softplus(Activation):
    """ln(1 + exp(x)): a smooth rectifier, always positive (Dugas et al. 2001)."""

    type: Literal["softplus"] = "softplus"

    def expression(self, x: Value) -> Value:
        return softplus_of(x)

    def derivative_from_output(self, y: Value) -> Value:
        return -expm1(-y)


class Softmax(Activation):
    """exp(xᵢ)/Σⱼ exp(xⱼ): a distribution over the features, shifted by the largest so that it stays finite."""

    elementwise = False
    type: Literal["softmax"] = "softmax"

    def expression(self, x: Value) -> Value:
        powers = exp(x - stop_gradient(max_over(x, "features")))
        return powers / sum_over(powers, "features")

    def value(self, x: Value, own: Sequence[Value]) -> Value:
        y = self.expression(x)
        return custom(y, [x], lambda d: (y * (d - sum_over(d * y, "features")),))


def _exponential_side_slope(y: Value, slope: float, depth: float) -> Value:
    """Return `slope` where y > 0 and y + depth elsewhere, without a costly `where`."""
    below = minimum(y, 0.0) + depth
    return below if slope == depth else greater(y, 0.0) * (slope - depth) + below
