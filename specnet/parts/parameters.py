"""Arrays that layers and activations learn or update, in the form of the engine and in the form that users see."""

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

from numpy.typing import NDArray

from specnet.parts.initializers import Fans, Initializer


class Tensor(NamedTuple):
    """An array of parameters that users see: some rows of a block, transposed.

    Attributes
    ----------
    name : str
        Last component of the array's name, such as ``weight``.
    shape : tuple of int
        Shape that users see: a weight is (outputs, inputs), a bias (outputs,).
    rows : tuple of int
        First row of the array in the block, and the row after its last row.
    initializer : Initializer
    fans : Fans
        Numbers of inputs and outputs that scale the initial values.
    decays : bool
        Whether weight decay and penalties apply to the array.
    rate_factor : float
        Factor on the learning rate in addition to that of the layer.
    """

    name: str
    shape: tuple[int, ...]
    rows: tuple[int, int]
    initializer: Initializer
    fans: Fans
    decays: bool
    rate_factor: float = 1.0

    def view(self, block: NDArray[Any]) -> NDArray[Any]:
        """Return this array as a view of the block."""
        return block[slice(*self.rows)].T.reshape(self.shape)


class ParameterBlock(NamedTuple):
    """Parameters that the engine stores in one array, with its shape and the arrays in it that users see."""

    shape: tuple[int, int]
    tensors: tuple[Tensor, ...]

    @property
    def size(self) -> int:
        """The number of parameters in the block."""
        return math.prod(self.shape)


@dataclass(frozen=True, slots=True, eq=False)
class StateTensor:
    """An array that a layer updates with each batch without learning it, such as a running average.

    Attributes
    ----------
    name : str
        Last component of the array's name.
    shape : tuple of int
        Internal shape, such as (features, 1). The public shape is then (features,).
    start : float or array
        Initial value of all elements, or an array of the public shape.
    """

    name: str
    shape: tuple[int, int]
    start: float | NDArray[Any]

    @property
    def user_shape(self) -> tuple[int, ...]:
        """The shape that users see."""
        return self.shape[:1] if self.shape[1] == 1 else self.shape


def per_feature(name: str, features: int, initializer: Initializer, *, decays: bool = False) -> ParameterBlock:
    """Return a block with one parameter for each feature: (features, 1) in the engine, (features,) for users."""
    fans = Fans(features, features)
    return ParameterBlock((features, 1), (Tensor(name, (features,), (0, features), initializer, fans, decays),))
