"""Initializers that draw independently from a distribution, by settings, by name, or with other libraries' defaults."""

import math
from collections.abc import Iterator
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from specnet.parts.fields import NonNegativeNumber, PositiveNumber
from specnet.parts.initializers.base import Array, Fans, Generator, Initializer, two_digits
from specnet.parts.part import FieldProblem, written

Mode = Literal["fan_in", "fan_out", "fan_avg"]

Distribution = Literal["truncated_normal", "untruncated_normal", "uniform"]

TRUNCATED_DEVIATION = 0.87962566103423978
"""The standard deviation of a standard normal distribution that is truncated at ±2."""


class Distributed(Initializer):
    """Independent draws from a distribution with two parameters."""

    def drawn_from(self, fans: Fans) -> tuple[Distribution, float, float]:
        """Return the distribution, with its mean and standard deviation before truncation, or its bounds."""
        raise NotImplementedError

    def draw(self, generator: Generator, shape: tuple[int, ...], fans: Fans) -> Array:
        distribution, first, second = self.drawn_from(fans)
        if distribution == "uniform":
            return generator.uniform(first, second, shape)
        standard = generator.standard_normal(shape)
        while distribution == "truncated_normal" and (outside := np.abs(standard) > 2).any():
            standard[outside] = generator.standard_normal(int(outside.sum()))  # numbers beyond ±2 are drawn again
        return first + second * standard

    def summary(self, fans: Fans) -> str:
        distribution, first, second = self.drawn_from(fans)
        if distribution == "uniform":
            bounds = f"±{two_digits(second)}" if first == -second else f"{two_digits(first)} to {two_digits(second)}"
            return f"uniform {bounds}"
        deviation = second * TRUNCATED_DEVIATION if distribution == "truncated_normal" else second
        return f"normal {two_digits(first)} ±{two_digits(deviation)}" if first else f"normal ±{two_digits(deviation)}"


class RandomNormal(Distributed):
    """Normal distribution."""

    legacy: ClassVar[bool] = True
    type: Literal["random_normal"] = "random_normal"
    mean: float = Field(0.0, description="mean")
    stddev: NonNegativeNumber = Field(0.05, description="standard deviation")

    def drawn_from(self, fans: Fans) -> tuple[Distribution, float, float]:
        return "untruncated_normal", self.mean, self.stddev


class RandomUniform(Distributed):
    """Uniform distribution between two bounds."""

    type: Literal["random_uniform"] = "random_uniform"
    minval: float = Field(-0.05, description="lower bound")
    maxval: float = Field(0.05, description="upper bound")

    def problems(self) -> Iterator[FieldProblem]:
        if self.minval > self.maxval:
            message = f"minval must not exceed maxval, got {self.minval} and {self.maxval}"
            yield FieldProblem((written(self, "maxval", "minval"),), message, "bounds-order")

    def drawn_from(self, fans: Fans) -> tuple[Distribution, float, float]:
        return "uniform", self.minval, self.maxval


class TruncatedNormal(Distributed):
    """Normal distribution, truncated at two standard deviations from the mean."""

    type: Literal["truncated_normal"] = "truncated_normal"
    mean: float = Field(0.0, description="mean")
    stddev: NonNegativeNumber = Field(0.05, description="standard deviation before truncation, as in Keras")

    def drawn_from(self, fans: Fans) -> tuple[Distribution, float, float]:
        return "truncated_normal", self.mean, self.stddev


class VarianceScaling(Distributed):
    """Mean 0 and variance scale/fan, which preserves the scale of signals across layers (He et al. 2015).

    ``truncated_normal`` is truncated at two standard deviations and rescaled to that variance, ``untruncated_normal``
    is not truncated, ``uniform`` lies within ±√(3·scale/fan).
    """

    type: Literal["variance_scaling"] = "variance_scaling"
    scale: PositiveNumber = Field(1.0, description="variance times the fan")
    mode: Mode = Field("fan_in", description="fan that divides the variance: inputs, outputs or their mean")
    distribution: Distribution = Field("truncated_normal", description="distribution to draw from")

    @property
    def legacy(self) -> bool:
        return self.distribution == "untruncated_normal"

    def drawn_from(self, fans: Fans) -> tuple[Distribution, float, float]:
        return scaled(fans, self.scale, self.mode, self.distribution)

    def draw(self, generator: Generator, shape: tuple[int, ...], fans: Fans) -> Array:
        if not self.legacy:
            return super().draw(generator, shape, fans)
        return generator.standard_normal(shape) / math.sqrt(1 / _variance(fans, self.scale, self.mode))


class Scaled(Distributed):
    """`VarianceScaling` with fixed settings and a separate name."""

    scaling: ClassVar[tuple[float, Mode, Distribution]]
    """Its scale, mode and distribution."""

    def drawn_from(self, fans: Fans) -> tuple[Distribution, float, float]:
        return scaled(fans, *self.scaling)


class GlorotUniform(Scaled):
    """Uniform with variance 2/(fan_in + fan_out) (Glorot and Bengio 2010)."""

    aliases = ("xavier_uniform",)
    scaling = (1, "fan_avg", "uniform")
    type: Literal["glorot_uniform"] = "glorot_uniform"


class GlorotNormal(Scaled):
    """Normal, truncated at two standard deviations, with variance 2/(fan_in + fan_out) (Glorot and Bengio 2010).

    PyTorch's ``xavier_normal_`` is not truncated.
    """

    aliases = ("xavier_normal",)
    scaling = (1, "fan_avg", "truncated_normal")
    type: Literal["glorot_normal"] = "glorot_normal"


class HeUniform(Scaled):
    """Uniform with variance 2/fan_in, for rectifiers (He et al. 2015)."""

    aliases = ("kaiming_uniform",)
    scaling = (2, "fan_in", "uniform")
    type: Literal["he_uniform"] = "he_uniform"


class HeNormal(Scaled):
    """Normal, truncated at two standard deviations, with variance 2/fan_in, for rectifiers (He et al. 2015).

    PyTorch's ``kaiming_normal_`` is not truncated.
    """

    aliases = ("kaiming_normal",)
    scaling = (2, "fan_in", "truncated_normal")
    type: Literal["he_normal"] = "he_normal"


class LecunUniform(Scaled):
    """Uniform with variance 1/fan_in (LeCun et al. 1998)."""

    scaling = (1, "fan_in", "uniform")
    type: Literal["lecun_uniform"] = "lecun_uniform"


class LecunNormal(Scaled):
    """Normal, truncated at two standard deviations, with variance 1/fan_in, as selu needs (LeCun et al. 1998)."""

    scaling = (1, "fan_in", "truncated_normal")
    type: Literal["lecun_normal"] = "lecun_normal"


class PytorchLinear(Distributed):
    """Uniform within ±1/√fan_in, for weights and biases, as in PyTorch's ``Linear``."""

    decides_bias = True
    type: Literal["pytorch_linear"] = "pytorch_linear"

    def drawn_from(self, fans: Fans) -> tuple[Distribution, float, float]:
        bound = 1 / math.sqrt(fans.fan_in)
        return "uniform", -bound, bound


class SklearnMlp(Distributed):
    """Uniform within ±√(6/(fan_in + fan_out)), before sigmoid ±√(2/(fan_in + fan_out)), for weights and biases.

    As in scikit-learn's ``MLPClassifier`` and ``MLPRegressor``.
    """

    decides_bias = True
    type: Literal["sklearn_mlp"] = "sklearn_mlp"

    def drawn_from(self, fans: Fans) -> tuple[Distribution, float, float]:
        bound = math.sqrt((2 if fans.activation == "sigmoid" else 6) / (fans.fan_in + fans.fan_out))
        return "uniform", -bound, bound


def scaled(fans: Fans, scale: float, mode: Mode, distribution: Distribution) -> tuple[Distribution, float, float]:
    """Return the distribution with mean 0 and variance scale/fan."""
    variance = _variance(fans, scale, mode)
    if distribution == "uniform":
        bound = math.sqrt(3 * variance)
        return distribution, -bound, bound
    return distribution, 0.0, math.sqrt(variance) / (TRUNCATED_DEVIATION if distribution == "truncated_normal" else 1)


def _variance(fans: Fans, scale: float, mode: Mode) -> float:
    return scale / {"fan_in": fans.fan_in, "fan_out": fans.fan_out, "fan_avg": fans.fan_average}[mode]
