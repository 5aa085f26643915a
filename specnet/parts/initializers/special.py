"""Matrices as a whole, and what other libraries draw by default."""

import math
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from specnet.parts.fields import PositiveNumber
from specnet.parts.initializers.base import Array, Generator, Initializer, Place, two_digits
from specnet.parts.initializers.distributions import Distributed, Distribution


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
        return self.type if self.gain == 1 else f"{self.type} ×{two_digits(self.gain)}"


class Identity(Initializer):
    """The identity matrix: each output starts as the input with the same index."""

    needs_matrix = True
    legacy: ClassVar[bool] = True
    type: Literal["identity"] = "identity"

    def draw(self, generator: Generator, shape: tuple[int, ...], place: Place) -> Array:
        rows, columns = shape
        return np.eye(rows, columns)


class PytorchLinear(Distributed):
    """Uniform within ±1/√fan_in, for weights and biases, as in PyTorch's ``Linear``."""

    decides_bias = True
    type: Literal["pytorch_linear"] = "pytorch_linear"

    def drawn_from(self, place: Place) -> tuple[Distribution, float, float]:
        bound = 1 / math.sqrt(place.fan_in)
        return "uniform", -bound, bound


class SklearnMlp(Distributed):
    """Uniform within ±√(6/(fan_in + fan_out)), before sigmoid ±√(2/(fan_in + fan_out)), for weights and biases.

    As in scikit-learn's ``MLPClassifier`` and ``MLPRegressor``.
    """

    decides_bias = True
    type: Literal["sklearn_mlp"] = "sklearn_mlp"

    def drawn_from(self, place: Place) -> tuple[Distribution, float, float]:
        bound = math.sqrt((2 if place.activation == "sigmoid" else 6) / (place.fan_in + place.fan_out))
        return "uniform", -bound, bound
