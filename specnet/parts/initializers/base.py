"""The base class of initializers, and initializers that fill an array with one number."""

from typing import ClassVar, Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from specnet.parts.part import described
from specnet.parts.registry import PartKind

Array = NDArray[np.float64]

Generator: TypeAlias = "np.random.Generator | np.random.RandomState"


class Fans(NamedTuple):
    """The numbers of inputs and outputs of the layer whose array is drawn, and the activation that follows it."""

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
    """Whether it also draws the bias of a layer for which a spec has no bias initializer."""
    needs_matrix: ClassVar[bool] = False
    """Whether it can only initialize weights."""
    needs_vector: ClassVar[bool] = False
    """Whether it can only initialize biases."""
    reads_outputs: ClassVar[bool] = False
    """Whether training begins with the result of `fit`, which depends on the training rows, instead of the draw."""

    @property
    def legacy(self) -> bool:
        """Whether it only draws with ``randn``, which the legacy generator supports."""
        return False

    def draw(self, generator: Generator, shape: tuple[int, ...], fans: Fans) -> Array:
        """Return an array of a weight's shape (outputs, inputs) or a bias's (outputs,)."""
        raise NotImplementedError(f"{type(self).__name__} has no draw")

    def fit(self, generator: np.random.Generator, drawn: Array, outputs: Array) -> Array:
        """Return the array to begin training with; only called if `reads_outputs`.

        Parameters
        ----------
        generator : numpy.random.Generator
        drawn : ndarray
            The result of `draw`.
        outputs : (rows, outputs)
            Outputs of the layer for some training rows, before its activation. The layer has the drawn array, and the
            layers before it have begun.
        """
        raise NotImplementedError(f"{type(self).__name__} has no fit")

    def summary(self, fans: Fans) -> str:
        """Return the distribution for a layer with these fans in words: ``normal ±0.71``, ``uniform ±0.55``.

        The number after ± is the standard deviation of a normal distribution, or the bound of a uniform one.
        """
        return described(self)


class _Filled(Initializer):
    """The same number everywhere."""

    legacy: ClassVar[bool] = True

    def number(self) -> float:
        """Return the number."""
        raise NotImplementedError

    def draw(self, generator: Generator, shape: tuple[int, ...], fans: Fans) -> Array:
        return np.full(shape, float(self.number()))

    def summary(self, fans: Fans) -> str:
        return two_digits(self.number())


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


def two_digits(number: float) -> str:
    """Return a number with two significant digits."""
    return f"{float(f'{number:.12g}'):.2g}"  # the rounding error of a product must not decide a tie
