"""Functions of a real number, element by element."""

import math
from collections.abc import Callable

from specnet.compiler.value import SWITCH, Number, Operation, Value, broadcast, elementwise

__all__ = [
    "absolute",
    "cos",
    "erf",
    "exp",
    "expm1",
    "floor",
    "log",
    "log1p",
    "sigmoid",
    "sign",
    "sin",
    "softplus",
    "sqrt",
    "tanh",
]


def _function(name: str, slope: Callable[[Value, Value], Value]) -> Operation:
    """The record of a function from its derivative, in terms of result and operand."""
    return Operation(name, broadcast, slopes=lambda y, x: (slope(y, x),), overwrites=(0,))


EXP = _function("exp", lambda y, x: y)


def exp(x: Value | Number) -> Value:
    """The exponential."""
    return elementwise(EXP, x)


EXPM1 = _function("expm1", lambda y, x: y + 1)


def expm1(x: Value | Number) -> Value:
    """exp(x) - 1, exact near 0."""
    return elementwise(EXPM1, x)


LOG = _function("log", lambda y, x: 1 / x)


def log(x: Value | Number) -> Value:
    """The natural logarithm."""
    return elementwise(LOG, x)


LOG1P = _function("log1p", lambda y, x: 1 / (x + 1))


def log1p(x: Value | Number) -> Value:
    """log(1 + x), exact near 0."""
    return elementwise(LOG1P, x)


SQRT = _function("sqrt", lambda y, x: 0.5 / y)


def sqrt(x: Value | Number) -> Value:
    """The square root."""
    return elementwise(SQRT, x)


SIN = _function("sin", lambda y, x: cos(x))


def sin(x: Value | Number) -> Value:
    """The sine of radians."""
    return elementwise(SIN, x)


COS = _function("cos", lambda y, x: -sin(x))


def cos(x: Value | Number) -> Value:
    """The cosine of radians."""
    return elementwise(COS, x)


TANH = _function("tanh", lambda y, x: 1 - y * y)


def tanh(x: Value | Number) -> Value:
    """The hyperbolic tangent."""
    return elementwise(TANH, x)


ERF = _function("erf", lambda y, x: 2 / math.sqrt(math.pi) * exp(-(x * x)))


def erf(x: Value | Number) -> Value:
    """The error function."""
    return elementwise(ERF, x)


SIGMOID = _function("sigmoid", lambda y, x: y * (1 - y))


def sigmoid(x: Value | Number) -> Value:
    """1 / (1 + exp(-x))."""
    return elementwise(SIGMOID, x)


SOFTPLUS = _function("softplus", lambda y, x: sigmoid(x))


def softplus(x: Value | Number) -> Value:
    """log(1 + exp(x)), without overflow."""
    return elementwise(SOFTPLUS, x)


ABSOLUTE = _function("absolute", lambda y, x: sign(x))


def absolute(x: Value | Number) -> Value:
    """The absolute value, with the derivative 0 at 0."""
    return elementwise(ABSOLUTE, x)


SIGN = Operation("sign", broadcast, constant_because=SWITCH, overwrites=(0,))


def sign(x: Value | Number) -> Value:
    """-1, 0 or 1."""
    return elementwise(SIGN, x)


FLOOR = Operation("floor", broadcast, constant_because=SWITCH, overwrites=(0,))


def floor(x: Value | Number) -> Value:
    """The largest whole number that is not above x."""
    return elementwise(FLOOR, x)


SMOOTH = (EXP, EXPM1, LOG, LOG1P, SQRT, SIN, COS, TANH, ERF, SIGMOID, SOFTPLUS)
"""The functions without a switch."""
