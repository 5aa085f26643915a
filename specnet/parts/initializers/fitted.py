"""Initializers that fit a layer to training rows, so that its outputs have unit spread and bend where rows are.

Both are those of RealMLP (Holzmüller et al. 2024). Without rows, they only draw.
"""

from typing import Literal

import numpy as np
from pydantic import Field

from specnet.parts.fields import PositiveInteger
from specnet.parts.initializers.base import Array, Fans, Generator, Initializer


class UnitDeviation(Initializer):
    """Normal; the weights of each output are divided by the output's standard deviation over training rows.

    ``std`` of RealMLP (Holzmüller et al. 2024): each output then has the standard deviation 1, whatever its inputs, as
    with LSUV (Mishkin and Matas 2016), but output by output. An output that is constant keeps the weights drawn from
    N(0, 1).
    """

    needs_matrix = True
    reads_outputs = True
    type: Literal["unit_deviation"] = "unit_deviation"

    def draw(self, generator: Generator, shape: tuple[int, ...], fans: Fans) -> Array:
        return generator.standard_normal(shape)

    def fit(self, generator: np.random.Generator, drawn: Array, outputs: Array) -> Array:
        deviation = outputs.std(axis=0)
        negligible = np.finfo(np.float32).eps * np.abs(outputs).max(axis=0)  # rounding errors of a constant output
        return drawn / np.where(deviation > negligible, deviation, 1.0)[:, np.newaxis]

    def summary(self, fans: Fans) -> str:
        return "normal, outputs ±1"


class HePlus(Initializer):
    """Minus a random mean of the output's values for a few training rows: activations bend where rows are.

    The weights of the mean are uniform on the simplex. ``he+5`` of RealMLP (Holzmüller et al. 2024), from Steinwart
    (2019), "A sober look at neural network initializations". Without rows, biases are 0.
    """

    needs_vector = True
    reads_outputs = True
    type: Literal["he_plus"] = "he_plus"
    rows: PositiveInteger = Field(5, description="number of training rows in the mean, drawn for each output")

    def draw(self, generator: Generator, shape: tuple[int, ...], fans: Fans) -> Array:
        return np.zeros(shape)

    def fit(self, generator: np.random.Generator, drawn: Array, outputs: Array) -> Array:
        count, width = outputs.shape
        chosen = generator.integers(count, size=(self.rows, width))
        shares = generator.standard_exponential((self.rows, width))
        values = np.take_along_axis(outputs, chosen, axis=0)
        return -(values * shares).sum(axis=0) / shares.sum(axis=0)

    def summary(self, fans: Fans) -> str:
        return f"bends within {self.rows} training rows"
