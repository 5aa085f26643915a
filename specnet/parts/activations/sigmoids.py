"""Curves between two bounds: sigmoid and tanh, and what is near to them."""

from typing import Literal

from specnet.compiler import (
    Value,
    expm1,
    maximum,
    minimum,
)
from specnet.compiler import sigmoid as sigmoid_of
from specnet.compiler import softplus as softplus_of
from specnet.compiler import tanh as tanh_of
from specnet.parts.activations.base import Ordered
from specnet.parts.part import Names


class Sigmoid(Ordered):
    """1/(1 + exp(−x)): maps any number to a probability."""

    keeps_last_bit_rounded_once = True
    aliases = ("logistic",)
    names = Names("sigmoid", torch=("Sigmoid", "torch.sigmoid({x})"), sklearn="logistic")
    type: Literal["sigmoid"] = "sigmoid"

    def expression(self, x: Value) -> Value:
        return sigmoid_of(x)


class HardSigmoid(Ordered):
    """x/6 + ½, clipped to [0, 1]: a piecewise linear sigmoid (Courbariaux et al. 2015, Howard et al. 2019).

    As in PyTorch and Keras 3. Keras 2 has the slope 0.2 instead of 1/6, still the default in ONNX.
    """

    keeps_last_bit = True
    names = Names("hard_sigmoid", torch=("Hardsigmoid", ""))  # whose slope is a sixth in float32, also for float64
    type: Literal["hard_sigmoid"] = "hard_sigmoid"

    def expression(self, x: Value) -> Value:
        return minimum(maximum(x * (1 / 6) + 0.5, 0.0), 1.0)


class LogSigmoid(Ordered):
    """−ln(1 + exp(−x)): the logarithm of the sigmoid, for log-likelihoods."""

    names = Names("log_sigmoid", torch=("LogSigmoid", "nn.functional.logsigmoid({x})"))
    type: Literal["log_sigmoid"] = "log_sigmoid"

    def expression(self, x: Value) -> Value:
        return -softplus_of(-x)

    def derivative_from_output(self, y: Value) -> Value:
        return -expm1(y)


class Tanh(Ordered):
    """tanh(x): maps to values between −1 and 1."""

    keeps_last_bit_rounded_once = True
    names = Names("tanh", torch=("Tanh", "torch.tanh({x})"), sklearn="tanh")
    type: Literal["tanh"] = "tanh"

    def expression(self, x: Value) -> Value:
        return tanh_of(x)


class HardTanh(Ordered):
    """x, clipped to [−1, 1]: a piecewise linear tanh (Collobert 2004). Its derivative at −1 and 1 is 0."""

    keeps_last_bit = True
    names = Names("hard_tanh", torch=("Hardtanh", "nn.functional.hardtanh({x})"))
    type: Literal["hard_tanh"] = "hard_tanh"

    def expression(self, x: Value) -> Value:
        return minimum(maximum(x, -1.0), 1.0)
