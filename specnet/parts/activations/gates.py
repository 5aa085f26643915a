"""Gates: values times how far they are let through."""

import math
from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from specnet.compiler import Value, absolute, custom, erf, greater, maximum, minimum, rows, softplus, tanh
from specnet.compiler import sigmoid as sigmoid_of
from specnet.parts.activations.base import Activation, Rectifier
from specnet.parts.part import Names


class Gelu(Rectifier):
    """x·Φ(x) with the normal distribution function Φ (Hendrycks and Gimpel 2016).

    The approximate form is x·sigmoid(2·√(2/π)·(x + 0.044715·x³)), equal to the common tanh form.
    """

    onnx = ("Gelu", {"approximate": "approximate"})
    names = Names("gelu", torch=("GELU", 'nn.functional.gelu({x}, approximate="{approximate}")'))
    type: Literal["gelu"] = "gelu"
    approximate: bool = Field(False, description="approximate Φ with a sigmoid")

    def expression(self, x: Value) -> Value:
        if self.approximate:
            return x * sigmoid_of(2 * math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))
        return x * (0.5 * (1 + erf(x * math.sqrt(0.5))))


class Silu(Rectifier):
    """x·sigmoid(x), also called swish (Elfwing et al. 2018, Ramachandran et al. 2017)."""

    aliases = ("swish",)
    names = Names("silu", torch=("SiLU", "nn.functional.silu({x})"))
    type: Literal["silu"] = "silu"

    def expression(self, x: Value) -> Value:
        return x * sigmoid_of(x)


class HardSwish(Rectifier):
    """x·hard_sigmoid(x): a silu of straight lines and a parabola, cheap on small devices (Howard et al. 2019)."""

    aliases = ("hard_silu",)
    onnx = ("HardSwish", {})
    names = Names("hard_silu", torch=("Hardswish", "nn.functional.hardswish({x})"))
    type: Literal["hard_swish"] = "hard_swish"

    def expression(self, x: Value) -> Value:
        return x * (_half_gate(x) + 0.5)

    def value(self, x: Value, own: Sequence[Value]) -> Value:
        half, y = _half_gate(x), self.expression(x)
        between = greater(0.5, absolute(half))
        return custom(y, [x], lambda d: (d * (half * between + (half + 0.5)),))


def _half_gate(x: Value) -> Value:
    """Return hard_sigmoid(x) − ½."""
    return minimum(maximum(x * (1 / 6), -0.5), 0.5)


class Mish(Rectifier):
    """x·tanh(softplus(x)): like silu, slightly steeper (Misra 2020)."""

    onnx = ("Mish", {})
    names = Names("mish", torch=("Mish", "nn.functional.mish({x})"))
    type: Literal["mish"] = "mish"

    def expression(self, x: Value) -> Value:
        return x * tanh(softplus(x))


class Glu(Activation):
    """a·sigmoid(b), where a is the first half of the features and b the second (Dauphin et al. 2017).

    The number of features is halved: a dense layer of 2n units has n outputs.
    """

    elementwise = False
    names = Names("glu", torch=("GLU", "nn.functional.glu({x}, dim=1)"))
    type: Literal["glu"] = "glu"

    def output_size(self, size: int) -> int:
        if size % 2:
            raise ValueError(f"glu needs an even number of features, got {size}")
        return size // 2

    def expression(self, x: Value) -> Value:
        half = self.output_size(int(x.shape[0]))
        return rows(x, 0, half) * sigmoid_of(rows(x, half, 2 * half))
