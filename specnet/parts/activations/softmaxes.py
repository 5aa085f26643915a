"""Distributions over the features, and their logarithms."""

from collections.abc import Sequence
from typing import Literal

from specnet.compiler import (
    Value,
    custom,
    exp,
    log,
    max_over,
    stop_gradient,
    sum_over,
)
from specnet.parts.activations.base import Activation
from specnet.parts.part import Names


class Softmax(Activation):
    """exp(xᵢ)/Σⱼ exp(xⱼ): a distribution over the features; shifted by the maximum for stability."""

    elementwise = False
    onnx = ("Softmax", {})
    names = Names("softmax", ("Softmax",), ("Softmax", "nn.functional.softmax({x}, dim=1)"), "softmax")
    type: Literal["softmax"] = "softmax"

    def expression(self, x: Value) -> Value:
        powers = exp(shifted(x))
        return powers * (1 / sum_over(powers, "features"))

    def value(self, x: Value, own: Sequence[Value]) -> Value:
        y = self.expression(x)
        return custom(y, [x], lambda d: (y * (d - sum_over(d * y, "features")),))


class LogSoftmax(Activation):
    """xᵢ − ln Σⱼ exp(xⱼ): the logarithm of softmax; shifted by the maximum for stability."""

    elementwise = False
    onnx = ("LogSoftmax", {})
    names = Names("log_softmax", torch=("LogSoftmax", "nn.functional.log_softmax({x}, dim=1)"))
    type: Literal["log_softmax"] = "log_softmax"

    def expression(self, x: Value) -> Value:
        return log_softmax(x)

    def value(self, x: Value, own: Sequence[Value]) -> Value:
        powers = exp(shifted(x))
        total = sum_over(powers, "features")
        return custom(log_softmax(x), [x], lambda d: (d - powers * (sum_over(d, "features") / total),))


def log_softmax(x: Value) -> Value:
    """Return ln softmax of (features, batch), which stays finite."""
    below = shifted(x)
    return below - log(sum_over(exp(below), "features"))


def shifted(x: Value) -> Value:
    """Return x less its largest feature, so that no exponential of it overflows."""
    return x - stop_gradient(max_over(x, "features"))
