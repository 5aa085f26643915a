"""Other curves: elementwise activations that are no rectifiers."""

from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from specnet.compiler import (
    Value,
    absolute,
    equal,
    exp,
    expm1,
    greater,
    maximum,
    minimum,
    sqrt,
)
from specnet.compiler import softplus as softplus_of
from specnet.compiler import tanh as tanh_of
from specnet.parts.activations.base import Ordered
from specnet.parts.fields import NonNegativeNumber, PositiveNumber
from specnet.parts.part import FieldProblem, Names


class Clip(Ordered):
    """x, clipped to two bounds, such as those of a quantity. Its derivative at the bounds is 0."""

    keeps_last_bit = True
    names = Names(torch=("Hardtanh", "nn.functional.hardtanh({x}, min_val={minimum}, max_val={maximum})"))
    type: Literal["clip"] = "clip"
    minimum: float = Field(0.0, description="lower bound")
    maximum: float = Field(1.0, description="upper bound, above the lower one")

    def problems(self) -> Iterator[FieldProblem]:
        yield from super().problems()
        if self.maximum <= self.minimum:
            yield FieldProblem(("maximum",), f"expected a number above minimum, {self.minimum:g}")

    def expression(self, x: Value) -> Value:
        return minimum(maximum(x, self.minimum), self.maximum)


class TanhShrink(Ordered):
    """x − tanh(x): shrinks values towards 0 by at most 1; for sparse codes."""

    names = Names("tanh_shrink", torch=("Tanhshrink", "nn.functional.tanhshrink({x})"))
    type: Literal["tanh_shrink"] = "tanh_shrink"

    def expression(self, x: Value) -> Value:
        return x - tanh_of(x)


class SoftShrink(Ordered):
    """x shifted towards 0 by λ, and 0 within ±λ: the soft threshold of sparse coding (Donoho 1995).

    PyTorch calls the field ``lambd``, Keras ``threshold``.
    """

    onnx = ("Shrink", {"lambd": "threshold", "bias": "threshold"})
    names = Names("soft_shrink", torch=("Softshrink", "nn.functional.softshrink({x}, lambd={threshold})"))
    type: Literal["soft_shrink"] = "soft_shrink"
    threshold: NonNegativeNumber = Field(0.5, description="λ, distance by which values are shifted towards 0")

    def expression(self, x: Value) -> Value:
        return x - minimum(self.threshold, maximum(-self.threshold, x))  # in this order ties are those of x

    def derivative_from_output(self, y: Value) -> Value:
        return 1 - equal(y, 0.0)


class HardShrink(Ordered):
    """x, but 0 within ±λ: the hard threshold of sparse coding (Donoho and Johnstone 1994).

    PyTorch calls the field ``lambd``, Keras ``threshold``.
    """

    onnx = ("Shrink", {"lambd": "threshold"})
    names = Names("hard_shrink", torch=("Hardshrink", "nn.functional.hardshrink({x}, lambd={threshold})"))
    type: Literal["hard_shrink"] = "hard_shrink"
    threshold: NonNegativeNumber = Field(0.5, description="λ, absolute value up to which values become 0")

    def expression(self, x: Value) -> Value:
        return x * greater(absolute(x), self.threshold)


class Softsign(Ordered):
    """x/(1 + |x|): between −1 and 1 like tanh, with heavier tails (Bergstra et al. 2009)."""

    onnx = ("Softsign", {})
    names = Names("softsign", torch=("Softsign", "nn.functional.softsign({x})"))
    type: Literal["softsign"] = "softsign"

    def expression(self, x: Value) -> Value:
        return x / (1 + absolute(x))

    def derivative_from_output(self, y: Value) -> Value:
        rest = 1 - absolute(y)  # 1/(1 + |x|)
        return rest * rest


class Softplus(Ordered):
    """ln(1 + exp(x)): a smooth rectifier, always positive (Dugas et al. 2001)."""

    is_one_sided = True
    names = Names("softplus", torch=("Softplus", "nn.functional.softplus({x}, threshold=40)"))  # 20 would be 2e-9 off
    type: Literal["softplus"] = "softplus"

    def expression(self, x: Value) -> Value:
        return softplus_of(x)

    def derivative_from_output(self, y: Value) -> Value:
        return -expm1(-y)


class Squareplus(Ordered):
    """(x + √(x² + b))/2: a smooth rectifier without exponentials (Barron 2021).

    Computed as max(x, 0) + (b/2)/(|x| + √(x² + b)), without cancellation.
    """

    is_one_sided = True
    names = Names("squareplus")
    type: Literal["squareplus"] = "squareplus"
    b: PositiveNumber = Field(4.0, description="b, width of the bend at 0; 4 gives the value 1 there")

    def expression(self, x: Value) -> Value:
        above = maximum(x, 0.0)
        size = above - minimum(0.0, x)  # |x|, with the derivative that belongs to that of `above` at 0
        return above + 0.5 * self.b / (size + sqrt(x * x + self.b))

    def derivative_from_output(self, y: Value) -> Value:
        return 1 / (1 + 0.25 * self.b / (y * y))


class Exponential(Ordered):
    """exp(x): a rate from its logarithm, such as the mean of a poisson, gamma or tweedie loss."""

    is_one_sided = keeps_last_bit_rounded_once = True
    names = Names("exponential", torch=("", "torch.exp({x})"), sklearn="exp")
    type: Literal["exponential"] = "exponential"

    def expression(self, x: Value) -> Value:
        return exp(x)
