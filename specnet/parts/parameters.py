"""Arrays that layers and activations learn or update: in the engine's form, and as a user sees them."""

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

from numpy.typing import NDArray

from specnet.parts.initializers import Fans, Initializer


class Tensor(NamedTuple):
    """An array as a user sees it: some rows of a block, transposed.

    Attributes
    ----------
    name : str
        The last part of its name, such as ``weight``.
    shape : tuple of int
        As a user sees it: a weight is (outputs, inputs), a bias (outputs,).
    rows : tuple of int
        The first row of the block that belongs to it, and the one after its last.
    initializer : Initializer
    fans : Fans
        Numbers of inputs and outputs that scale what the initializer draws.
    decays : bool
        Whether weight decay and penalties touch it.
    """

    name: str
    shape: tuple[int, ...]
    rows: tuple[int, int]
    initializer: Initializer
    fans: Fans
    decays: bool

    def view(self, block: NDArray[Any]) -> NDArray[Any]:
        """Return this array as a view of the block."""
        return block[slice(*self.rows)].T.reshape(self.shape)


class ParameterBlock(NamedTuple):
    """Parameters that the engine stores in one array of this shape, and the arrays that a user sees in it."""

    shape: tuple[int, int]
    tensors: tuple[Tensor, ...]

    @property
    def size(self) -> int:
        """Return how many numbers the block holds."""
        return math.prod(self.shape)


@dataclass(frozen=True, slots=True, eq=False)
class StateTensor:
    """Numbers that a layer updates from batch to batch without learning them, such as a running average.

    Attributes
    ----------
    name : str
        The last part of its name.
    shape : tuple of int
        In the engine; a user sees (features,) where it is (features, 1).
    start : float or array
        What they are before training, all of them or each, in the user's shape.
    """

    name: str
    shape: tuple[int, int]
    start: float | NDArray[Any]

    @property
    def user_shape(self) -> tuple[int, ...]:
        """Return the shape that a user sees."""
        return self.shape[:1] if self.shape[1] == 1 else self.shape


def per_feature(name: str, features: int, initializer: Initializer, *, decays: bool = False) -> ParameterBlock:
    """Return a block of one number for each feature: (features, 1) in the engine, (features,) for a user."""
    fans = Fans(features, features)
    return ParameterBlock((features, 1), (Tensor(name, (features,), (0, features), initializer, fans, decays),))
