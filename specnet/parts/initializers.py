"""Initializers: what weights and biases are before the first step."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from specnet.parts.fields import NonNegativeNumber, PositiveNumber
from specnet.parts.kind import PartKind
from specnet.parts.part import FieldProblem, described, written

Array = NDArray[np.float64]
Generator = np.random.Generator | np.random.RandomState
Mode = Literal["fan_in", "fan_out", "fan_avg"]
Distribution = Literal["truncated_normal", "untruncated_normal", "uniform"]
TRUNCATED_DEVIATION = 0.87962566103423978
"""The standard deviation of a standard normal distribution cut off at ±2."""


@dataclass(frozen=True, slots=True)
class Place:
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


class Constant(Initializer):
    """A constant."""

    example = "value = 0.1"
    legacy: ClassVar[bool] = True
    type: Literal["constant"] = "constant"
    value: float = Field(description="value of every entry")

    def draw(self, generator: Generator, shape: tuple[int, ...], place: Place) -> Array:
        return np.full(shape, float(self.value))

    def summary(self, place: Place) -> str:
        return _number(self.value)


class Zeros(Initializer):
    """All zeros."""

    legacy: ClassVar[bool] = True
    type: Literal["zeros"] = "zeros"

    def draw(self, generator: Generator, shape: tuple[int, ...], place: Place) -> Array:
        return np.zeros(shape)

    def summary(self, place: Place) -> str:
        return "0"


class Ones(Initializer):
    """All ones."""

    legacy: ClassVar[bool] = True
    type: Literal["ones"] = "ones"

    def draw(self, generator: Generator, shape: tuple[int, ...], place: Place) -> Array:
        return np.ones(shape)

    def summary(self, place: Place) -> str:
        return "1"


class RandomNormal(Initializer):
    """Normal distribution."""

    legacy: ClassVar[bool] = True
    type: Literal["random_normal"] = "random_normal"
    mean: float = Field(0.0, description="mean")
    stddev: NonNegativeNumber = Field(0.05, description="standard deviation")

    def draw(self, generator: Generator, shape: tuple[int, ...], place: Place) -> Array:
        return self.mean + self.stddev * generator.standard_normal(shape)

    def summary(self, place: Place) -> str:
        return _normal(self.mean, self.stddev)


class RandomUniform(Initializer):
    """Uniform distribution between two bounds."""

    type: Literal["random_uniform"] = "random_uniform"
    minval: float = Field(-0.05, description="lower bound")
    maxval: float = Field(0.05, description="upper bound")

    def problems(self) -> Iterator[FieldProblem]:
        if self.minval > self.maxval:
            message = f"minval must not exceed maxval, got {self.minval} and {self.maxval}"
            yield FieldProblem((written(self, "maxval", "minval"),), message, "bounds-order")

    def draw(self, generator: Generator, shape: tuple[int, ...], place: Place) -> Array:
        return generator.uniform(self.minval, self.maxval, shape)

    def summary(self, place: Place) -> str:
        if self.minval == -self.maxval:
            return f"uniform ±{_number(self.maxval)}"
        return f"uniform {_number(self.minval)} to {_number(self.maxval)}"


class TruncatedNormal(Initializer):
    """Normal distribution, truncated at two standard deviations from the mean."""

    type: Literal["truncated_normal"] = "truncated_normal"
    mean: float = Field(0.0, description="mean")
    stddev: NonNegativeNumber = Field(0.05, description="standard deviation before truncation, as in Keras")

    def draw(self, generator: Generator, shape: tuple[int, ...], place: Place) -> Array:
        return self.mean + self.stddev * _truncated_normal(generator, shape)

    def summary(self, place: Place) -> str:
        return _normal(self.mean, self.stddev * TRUNCATED_DEVIATION)


class VarianceScaling(Initializer):
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

    def draw(self, generator: Generator, shape: tuple[int, ...], place: Place) -> Array:
        return _scaled(generator, shape, place, self.scale, self.mode, self.distribution)

    def summary(self, place: Place) -> str:
        return _scaled_summary(place, self.scale, self.mode, self.distribution)


class Scaled(Initializer):
    """What `VarianceScaling` draws with settings that have a name of their own."""

    scaling: ClassVar[tuple[float, Mode, Distribution]]
    """Its scale, mode and distribution."""

    def draw(self, generator: Generator, shape: tuple[int, ...], place: Place) -> Array:
        return _scaled(generator, shape, place, *self.scaling)

    def summary(self, place: Place) -> str:
        return _scaled_summary(place, *self.scaling)


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


class PytorchLinear(Initializer):
    """Uniform within ±1/√fan_in, for weights and biases, as in PyTorch's ``Linear``."""

    decides_bias = True
    type: Literal["pytorch_linear"] = "pytorch_linear"

    def draw(self, generator: Generator, shape: tuple[int, ...], place: Place) -> Array:
        bound = self._bound(place)
        return generator.uniform(-bound, bound, shape)

    def summary(self, place: Place) -> str:
        return f"uniform ±{_number(self._bound(place))}"

    def _bound(self, place: Place) -> float:
        return 1 / math.sqrt(place.fan_in)


class SklearnMlp(Initializer):
    """Uniform within ±√(6/(fan_in + fan_out)), before sigmoid ±√(2/(fan_in + fan_out)), for weights and biases.

    As in scikit-learn's ``MLPClassifier`` and ``MLPRegressor``.
    """

    decides_bias = True
    type: Literal["sklearn_mlp"] = "sklearn_mlp"

    def draw(self, generator: Generator, shape: tuple[int, ...], place: Place) -> Array:
        bound = self._bound(place)
        return generator.uniform(-bound, bound, shape)

    def summary(self, place: Place) -> str:
        return f"uniform ±{_number(self._bound(place))}"

    def _bound(self, place: Place) -> float:
        return math.sqrt((2 if place.activation == "sigmoid" else 6) / (place.fan_in + place.fan_out))


def _scaled(
    generator: Generator, shape: tuple[int, ...], place: Place, scale: float, mode: Mode, distribution: Distribution
) -> Array:
    variance = _variance(place, scale, mode)
    if distribution == "uniform":
        bound = math.sqrt(3 * variance)
        return generator.uniform(-bound, bound, shape)
    if distribution == "untruncated_normal":
        return generator.standard_normal(shape) / math.sqrt(1 / variance)
    return _truncated_normal(generator, shape) * (math.sqrt(variance) / TRUNCATED_DEVIATION)


def _scaled_summary(place: Place, scale: float, mode: Mode, distribution: Distribution) -> str:
    variance = _variance(place, scale, mode)
    if distribution == "uniform":
        return f"uniform ±{_number(math.sqrt(3 * variance))}"
    return _normal(0.0, math.sqrt(variance))


def _variance(place: Place, scale: float, mode: Mode) -> float:
    return scale / {"fan_in": place.fan_in, "fan_out": place.fan_out, "fan_avg": place.fan_average}[mode]


def _normal(mean: float, deviation: float) -> str:
    return " ".join(filter(None, ["normal", _number(mean) if mean else "", f"±{_number(deviation)}"]))


def _number(number: float) -> str:
    return f"{number:.2g}"


def _truncated_normal(generator: Generator, shape: tuple[int, ...]) -> Array:
    """Draw from the standard normal distribution without what lies beyond ±2, by drawing that anew."""
    drawn = generator.standard_normal(shape)
    while (outside := np.abs(drawn) > 2).any():
        drawn[outside] = generator.standard_normal(int(outside.sum()))
    return drawn
