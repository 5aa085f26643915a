"""Rectifiers: positive values pass, negative ones become 0."""

from typing import Literal

from specnet.compiler import Value, maximum, minimum
from specnet.parts.activations.base import Ordered, Rectifier
from specnet.parts.part import Names


class Relu(Ordered, Rectifier):
    """max(x, 0): the rectifier (Nair and Hinton 2010). Its derivative at 0 is 0."""

    keeps_last_bit = True
    is_one_sided = True
    onnx = ("Relu", {})
    names = Names("relu", torch=("ReLU", "nn.functional.relu({x})"), sklearn="relu")
    type: Literal["relu"] = "relu"

    def expression(self, x: Value) -> Value:
        return maximum(x, 0.0)


class Relu6(Ordered, Rectifier):
    """x, clipped to [0, 6]: a rectifier for low precision (Krizhevsky 2010). Its derivative at 0 and 6 is 0."""

    keeps_last_bit = True
    names = Names("relu6", torch=("ReLU6", "nn.functional.relu6({x})"))
    type: Literal["relu6"] = "relu6"

    def expression(self, x: Value) -> Value:
        return minimum(maximum(x, 0.0), 6.0)
