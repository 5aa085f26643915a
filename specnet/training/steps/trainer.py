"""The interface of trainers, which update the parameters epoch by epoch and report their progress."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, Protocol

from specnet.parts.arrays import Array
from specnet.processes.interruptions import Interruptions
from specnet.training.steps.step_sizes import StepMeter

State = dict[str, Array]
"""Layer states by name."""


class Epoch(NamedTuple):
    """An epoch to train.

    Attributes
    ----------
    number : int
        From 0.
    with_loss : bool
        Whether its loss is needed.
    rate_factor : float
        Factor on the learning rate in addition to that of the schedule.
    unseen : int
        Number of epochs, from this one on, that end without anything that looks at them.
    is_measured : bool
        Whether its first step is measured.
    """

    number: int
    with_loss: bool
    rate_factor: float
    unseen: int
    is_measured: bool


@dataclass(slots=True)
class EpochSoFar:
    """Progress within the current epoch.

    Attributes
    ----------
    batches : int
        Number of batches.
    loss, weight : float
        Sum of losses times weights, and sum of weights.
    """

    batches: int = 0
    loss: float = 0.0
    weight: float = 0.0

    def set(self, batches: int = 0, loss: float = 0.0, weight: float = 0.0) -> None:
        """Set all values; default: the start of an epoch."""
        self.batches, self.loss, self.weight = batches, loss, weight


class Ended(NamedTuple):
    """The reason why a trainer ended early, and the loss of its last epoch."""

    reason: str
    loss: float


class AfterEpoch(Protocol):
    """Is told when an epoch, or several unseen ones, have ended."""

    def __call__(self, loss: float, epochs: int = 1) -> Epoch | None:
        """Take the loss of the last finished epoch, and return the next one, or None at the end of training."""


class Trainer(Protocol):
    """Updates the parameters, epoch by epoch.

    Attributes
    ----------
    resumes : bool
        Whether it can resume from a checkpoint; otherwise it starts again, with the same result bit for bit.
    is_whole : bool
        Whether it is between two steps, where it can be resumed.
    so_far : EpochSoFar
    theta : (parameter_count,)
        Current parameters.
    layer_state : dict
        Layer states by name.
    meter : StepMeter
        Measures the steps that are to be measured.
    """

    resumes: ClassVar[bool]
    is_whole: bool
    so_far: EpochSoFar
    meter: StepMeter

    theta: Array
    layer_state: State

    @property
    def gradient(self) -> Array:
        """The last gradient, of trainable parameters."""

    @property
    def step_number(self) -> int:
        """Number of steps so far."""

    def run(self, epoch: Epoch, after_epoch: AfterEpoch, interruptions: Interruptions) -> Ended | None:
        """Train from this epoch on.

        Returns why it ended early, or None if `after_epoch` returned no further epoch.

        Raises
        ------
        KeyboardInterrupt
            Raised by `interruptions`.
        """

    def kept(self) -> tuple[Array, State]:
        """Return the parameters and layer states of a model if training ended now."""

    def tensors(self) -> dict[str, Array]:
        """Return all arrays for a checkpoint by name, to be saved or restored in place."""

    def facts(self) -> dict[str, Any]:
        """Return the numbers for a checkpoint."""

    def restore(self, facts: Mapping[str, Any]) -> None:
        """Restore these numbers."""
