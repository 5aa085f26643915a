"""Initializers that determine a weight matrix as a whole."""

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from specnet.parts.fields import PositiveNumber
from specnet.parts.initializers.base import Array, Fans, Generator, Initializer, two_digits


class Orthogonal(Initializer):
    """Orthonormal rows or columns, whichever are fewer, times a gain (Saxe et al. 2014)."""

    needs_matrix = True
    type: Literal["orthogonal"] = "orthogonal"
    gain: PositiveNumber = Field(1.0, description="factor, equal to the largest singular value")

    def draw(self, generator: Generator, shape: tuple[int, ...], fans: Fans) -> Array:
        rows, columns = shape
        tall = generator.standard_normal((max(rows, columns), min(rows, columns)))
        basis, triangle = np.linalg.qr(tall)
        # Without these signs, the result would not be uniform over the orthogonal matrices.
        basis = basis * np.sign(np.diag(triangle))
        return self.gain * (basis if rows >= columns else basis.T)

    def summary(self, fans: Fans) -> str:
        return self.type if self.gain == 1 else f"{self.type} ×{two_digits(self.gain)}"


class Identity(Initializer):
    """The identity matrix: each output starts as the input with the same index."""

    needs_matrix = True
    legacy: ClassVar[bool] = True
    type: Literal["identity"] = "identity"

    def draw(self, generator: Generator, shape: tuple[int, ...], fans: Fans) -> Array:
        rows, columns = shape
        return np.eye(rows, columns)
