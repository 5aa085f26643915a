"""What a trainer is: it moves the parameters, epoch after epoch, and says how far it has come."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, Protocol

from specnet.parts.arrays import Array
from specnet.training.interruptions import Interruptions

State = dict[str, Array]
"""What layers keep, by name."""


class Epoch(NamedTuple):
    """An epoch to be trained.

    Attributes
    ----------
    number : int
        From 0.
    with_loss : bool
        Whether somebody wants to know its loss.
    rate_factor : float
        Multiplies the learning rate, beside what the schedule says for a step.
    """

    number: int
    with_loss: bool
    rate_factor: float


@dataclass(slots=True)
class EpochSoFar:
    """What has been done of the epoch that does not count yet.

    Attributes
    ----------
    batches : int
        How many.
    loss, weight : float
        The sum of their losses times their weights, and the sum of their weights.
    """

    batches: int = 0
    loss: float = 0.0
    weight: float = 0.0

    def set(self, batches: int = 0, loss: float = 0.0, weight: float = 0.0) -> None:
        """Change all of it; to nothing, where nothing is given."""
        self.batches, self.loss, self.weight = batches, loss, weight


class Ended(NamedTuple):
    """Why a trainer ended before it was told to, and the loss of its last epoch."""

    reason: str
    loss: float


AfterEpoch = Callable[[float], Epoch | None]
"""Is given the loss of an epoch that has ended, and gives the next one, or none where training ends."""


class Trainer(Protocol):
    """What trains.

    Attributes
    ----------
    resumes : bool
        Whether it can go on from a checkpoint; one that cannot starts again, and ends in the same bytes.
    is_whole : bool
        Whether it stands between two steps, so that it could go on from here.
    so_far : EpochSoFar
    theta : (parameter_count,)
        The parameters as they are.
    layer_state : dict
        What layers keep, by name.
    """

    resumes: ClassVar[bool]
    is_whole: bool
    so_far: EpochSoFar

    theta: Array
    layer_state: State

    @property
    def gradient(self) -> Array:
        """The gradient that was taken last, of what learns."""

    @property
    def step_number(self) -> int:
        """How many steps have been made."""

    def run(self, epoch: Epoch, after_epoch: AfterEpoch, interruptions: Interruptions) -> Ended | None:
        """Train from this epoch on.

        Returns why it ended, or None where `after_epoch` had no further epoch.

        Raises
        ------
        KeyboardInterrupt
            As `interruptions` delivers it.
        """

    def kept(self) -> tuple[Array, State]:
        """Return the parameters and states that a model would have if training ended now."""

    def tensors(self) -> dict[str, Array]:
        """Return all arrays that a checkpoint needs, by name; to be changed in place by who restores one."""

    def facts(self) -> dict[str, Any]:
        """Return the numbers that a checkpoint needs."""

    def restore(self, facts: Mapping[str, Any]) -> None:
        """Stand where these numbers were taken."""
