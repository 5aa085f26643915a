"""Initializers: what weights and biases are before the first step."""

import math
from collections.abc import Iterator
from typing import ClassVar, Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from specnet.parts.fields import NonNegativeNumber, PositiveNumber
from specnet.parts.part import FieldProblem, described, written
from specnet.parts.registry import PartKind

Array = NDArray[np.float64]
Generator: TypeAlias = "np.random.Generator | np.random.RandomState"
Mode = Literal["fan_in", "fan_out", "fan_avg"]
Distribution = Literal["truncated_normal", "untruncated_normal", "uniform"]
TRUNCATED_DEVIATION = 0.87962566103423978
"""The standard deviation of a standard normal distribution cut off at ±2."""


class Place(NamedTuple):
    """Where an array stands: the layer's numbers of inputs and outputs, and the activation that follows."""

    fan_in: int
    fan_out: int
    activation: str = "linear"

    @property
    def fan_average(self) -> float:
        """Return the mean of both fans."""
        return (self.fan_in + self.fan_out) / 2


class Initializer(PartKind):
    """The distribution from which a weight or a bias is drawn, always in float64."""

    kind: ClassVar[str] = "initializer"
    decides_bias: ClassVar[bool] = False
    """Whether it also draws the bias where a spec says nothing about that."""
    needs_matrix: ClassVar[bool] = False
    """Whether it makes sense for a weight only."""

    @property
    def legacy(self) -> bool:
        """Whether it draws nothing but ``randn``, so that the legacy generator can serve it."""
        return False

    def draw(self, generator: Generator, shape: tuple[int, ...], place: Place) -> Array:
        """Return an array of a weight's shape (outputs, inputs) or a bias's (outputs,)."""
        raise NotImplementedError(f"{type(self).__name__} has no draw")

    def summary(self, place: Place) -> str:
        """Return what it draws in a place, in words: ``normal ±0.71``, ``uniform ±0.55``.

        Behind ± stands the standard deviation of a normal distribution, or the bound of a uniform one.
        """
        return described(self)


class _Filled(Initializer):
    """The same number everywhere."""

    legacy: ClassVar[bool] = True

    def number(self) -> float:
        """Return the number."""
        raise NotImplementedError

    def draw(self, generator: Generator, shape: tuple[int, ...], place: Place) -> Array:
        return np.full(shape, float(self.number()))

    def summary(self, place: Place) -> str:
        return _number(self.number())


class ConstantWeights(_Filled):
    """A constant."""

    example = "value = 0.1"
    type: Literal["constant"] = "constant"
    value: float = Field(description="value of every entry")

    def number(self) -> float:
        return self.value


class Zeros(_Filled):
    """All zeros."""

    type: Literal["zeros"] = "zeros"

    def number(self) -> float:
        return 0.0


class Ones(_Filled):
    """All ones."""

    type: Literal["ones"] = "ones"

    def number(self) -> float:
        return 1.0


class _Distributed(Initializer):
    """Independent draws from a distribution that two numbers say."""

    def drawn_from(self, place: Place) -> tuple[Distribution, float, float]:
        """Return the distribution, with its mean and standard deviation before truncation, or its bounds."""
        raise NotImplementedError

    def draw(self, generator: Generator, shape: tuple[int, ...], place: Place) -> Array:
        distribution, first, second = self.drawn_from(place)
        if distribution == "uniform":
            return generator.uniform(first, second, shape)
        standard = generator.standard_normal(shape)
        while distribution == "truncated_normal" and (outside := np.abs(standard) > 2).any():
            standard[outside] = generator.standard_normal(int(outside.sum()))  # what lies beyond is drawn anew
        return first + second * standard

    def summary(self, place: Place) -> str:
        distribution, first, second = self.drawn_from(place)
        if distribution == "uniform":
            return (
                f"uniform ±{_number(second)}" if first == -second else f"uniform {_number(first)} to {_number(second)}"
            )
        deviation = second * TRUNCATED_DEVIATION if distribution == "truncated_normal" else second
        return f"normal {_number(first)} ±{_number(deviation)}" if first else f"normal ±{_number(deviation)}"


class RandomNormal(_Distributed):
    """Normal distribution."""

    legacy: ClassVar[bool] = True
    type: Literal["random_normal"] = "random_normal"
    mean: float = Field(0.0, description="mean")
    stddev: NonNegativeNumber = Field(0.05, description="standard deviation")

    def drawn_from(self, place: Place) -> tuple[Distribution, float, float]:
        return "untruncated_normal", self.mean, self.stddev


class RandomUniform(_Distributed):
    """Uniform distribution between two bounds."""

    type: Literal["random_uniform"] = "random_uniform"
    minval: float = Field(-0.05, description="lower bound")
    maxval: float = Field(0.05, description="upper bound")

    def problems(self) -> Iterator[FieldProblem]:
        if self.minval > self.maxval:
            message = f"minval must not exceed maxval, got {self.minval} and {self.maxval}"
            yield FieldProblem((written(self, "maxval", "minval"),), message, "bounds-order")

    def drawn_from(self, place: Place) -> tuple[Distribution, float, float]:
        return "uniform", self.minval, self.maxval


class TruncatedNormal(_Distributed):
    """Normal distribution, truncated at two standard deviations from the mean."""

    type: Literal["truncated_normal"] = "truncated_normal"
    mean: float = Field(0.0, description="mean")
    stddev: NonNegativeNumber = Field(0.05, description="standard deviation before truncation, as in Keras")

    def drawn_from(self, place: Place) -> tuple[Distribution, float, float]:
        return "truncated_normal", self.mean, self.stddev


class VarianceScaling(_Distributed):
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

    def drawn_from(self, place: Place) -> tuple[Distribution, float, float]:
        return _scaled(place, self.scale, self.mode, self.distribution)

    def draw(self, generator: Generator, shape: tuple[int, ...], place: Place) -> Array:
        if not self.legacy:
            return super().draw(generator, shape, place)
        return generator.standard_normal(shape) / math.sqrt(1 / _variance(place, self.scale, self.mode))


class Scaled(_Distributed):
    """What `VarianceScaling` draws with settings that have a name of their own."""

    scaling: ClassVar[tuple[float, Mode, Distribution]]
    """Its scale, mode and distribution."""

    def drawn_from(self, place: Place) -> tuple[Distribution, float, float]:
        return _scaled(place, *self.scaling)


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


class Orthogonal(Initializer):
    """Orthonormal rows or columns, whichever are fewer, times a gain (Saxe et al. 2014)."""

    needs_matrix = True
    type: Literal["orthogonal"] = "orthogonal"
    gain: PositiveNumber = Field(1.0, description="factor, equal to the largest singular value")

    def draw(self, generator: Generator, shape: tuple[int, ...], place: Place) -> Array:
        rows, columns = shape
        tall = generator.standard_normal((max(rows, columns), min(rows, columns)))
        basis, triangle = np.linalg.qr(tall)
        # Without the signs, the result would not be uniform over the orthogonal matrices.
        basis = basis * np.sign(np.diag(triangle))
        return self.gain * (basis if rows >= columns else basis.T)

    def summary(self, place: Place) -> str:
        return self.type if self.gain == 1 else f"{self.type} ×{_number(self.gain)}"


class Identity(Initializer):
    """The identity matrix: each output starts as the input with the same index."""

    needs_matrix = True
    legacy: ClassVar[bool] = True
    type: Literal["identity"] = "identity"

    def draw(self, generator: Generator, shape: tuple[int, ...], place: Place) -> Array:
        rows, columns = shape
        return np.eye(rows, columns)


class PytorchLinear(_Distributed):
    """Uniform within ±1/√fan_in, for weights and biases, as in PyTorch's ``Linear``."""

    decides_bias = True
    type: Literal["pytorch_linear"] = "pytorch_linear"

    def drawn_from(self, place: Place) -> tuple[Distribution, float, float]:
        bound = 1 / math.sqrt(place.fan_in)
        return "uniform", -bound, bound


class SklearnMlp(_Distributed):
    """Uniform within ±√(6/(fan_in + fan_out)), before sigmoid ±√(2/(fan_in + fan_out)), for weights and biases.

    As in scikit-learn's ``MLPClassifier`` and ``MLPRegressor``.
    """

    decides_bias = True
    type: Literal["sklearn_mlp"] = "sklearn_mlp"

    def drawn_from(self, place: Place) -> tuple[Distribution, float, float]:
        bound = math.sqrt((2 if place.activation == "sigmoid" else 6) / (place.fan_in + place.fan_out))
        return "uniform", -bound, bound


def _scaled(place: Place, scale: float, mode: Mode, distribution: Distribution) -> tuple[Distribution, float, float]:
    variance = _variance(place, scale, mode)
    if distribution == "uniform":
        bound = math.sqrt(3 * variance)
        return distribution, -bound, bound
    return distribution, 0.0, math.sqrt(variance) / (TRUNCATED_DEVIATION if distribution == "truncated_normal" else 1)


def _variance(place: Place, scale: float, mode: Mode) -> float:
    return scale / {"fan_in": place.fan_in, "fan_out": place.fan_out, "fan_avg": place.fan_average}[mode]


def _number(number: float) -> str:
    return f"{float(f'{number:.12g}'):.2g}"  # a product's rounding error decides no tie
