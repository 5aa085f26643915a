"""The interface of trainers, which update the parameters epoch by epoch and report their progress."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import astuple, dataclass
from typing import Any, ClassVar, NamedTuple, Protocol

import numpy as np

from specnet.files.interruptions import Interruptions
from specnet.network import Network
from specnet.parts.arrays import Array
from specnet.training.steps.step_sizes import StepMeter

State = dict[str, Array]
"""Layer states by name."""


class Stretch(NamedTuple):
    """Epochs to train, up to the end of the next one that something looks at.

    Attributes
    ----------
    first : int
        The number of the first, from 0.
    epochs : int
        How many they are.
    with_loss : callable
        Whether the loss of an epoch is needed, or of each of several, given its number, or an array of them.
    rate_factor : float
        Factor on the learning rate in addition to that of the schedule.
    is_measured : bool
        Whether the first step is measured.
    """

    first: int
    epochs: int
    with_loss: Callable[[Any], Any]
    rate_factor: float
    is_measured: bool

    def after(self, epochs: int) -> Stretch:
        """Return what is left of it after some of its epochs."""
        return self._replace(first=self.first + epochs, epochs=self.epochs - epochs)


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

    def add(self, loss: float, weight: float) -> None:
        """Add a batch."""
        self.batches += 1
        self.loss += loss * weight
        self.weight += weight

    def mean(self) -> float:
        """Return the mean loss."""
        return self.loss / self.weight if self.weight else 0.0

    def means(self, losses: Array, weights: Array, per_epoch: int) -> Array:
        """Add the batches up to the end of an epoch, and return the mean losses of the epochs that they end.

        Sums are made batch by batch, as `add` makes them, so that they do not depend on how many are added at once.
        """
        sums = np.zeros((2, self.batches + len(losses)))
        if self.batches:
            sums[:, self.batches - 1] = self.loss, self.weight
        sums[0, self.batches :] = losses * weights
        sums[1, self.batches :] = weights
        self.set()
        loss, weight = np.add.accumulate(sums.reshape(2, -1, per_epoch), axis=2)[:, :, -1]
        means: Array = np.divide(loss, weight, out=np.zeros(len(loss)), where=weight != 0)
        return means


class Ended(NamedTuple):
    """The reason why a trainer ended early, and the loss of its last epoch."""

    reason: str
    loss: float


class Progress(Protocol):
    """Is told of the epochs that have ended."""

    def passed(self, losses: Array) -> None:
        """Take the losses of epochs of a stretch that is not at its end; 0 where they were not needed."""

    def after_epoch(self, loss: float) -> Stretch | None:
        """Take the loss of the last epoch of a stretch, and return the next one, or None at the end of training."""


class Trainer:
    """Updates the parameters, epoch by epoch; the base of what does.

    Attributes
    ----------
    network : Network
    resumes : bool
        Whether it can resume from a checkpoint; otherwise it starts again, with the same result bit for bit.
    theta : (parameter_count,)
        Current parameters.
    layer_state : dict
        Layer states by name.
    gradient : (trainable parameters,)
        The last gradient.
    step_number : int
        Number of steps so far, including skipped ones; of evaluations of the gradient where one does not follow.
    updates : int
        Number of updates by the optimizer.
    is_whole : bool
        Whether it is between two steps, where it can be resumed.
    so_far : EpochSoFar
    meter : StepMeter
        Measures the steps that are to be measured.
    """

    resumes: ClassVar[bool]

    def __init__(self, network: Network, theta: Array, layer_state: State) -> None:
        self.theta, self.layer_state = theta, layer_state
        self.step_number = self.updates = 0
        self.gradient = np.zeros(network.layout.trainable_size, theta.dtype)
        self.is_whole, self.so_far, self.meter = True, EpochSoFar(), StepMeter(network.layout)
        self.network = network

    def run(self, stretch: Stretch, progress: Progress, interruptions: Interruptions) -> Ended | None:
        """Train from these epochs on.

        Returns why it ended early, or None if `progress` knows no further ones.

        Raises
        ------
        KeyboardInterrupt
            Raised by `interruptions`.
        """
        raise NotImplementedError

    def arrays(self) -> dict[str, Array]:
        """Return the blocks of the parameters and their gradient, and the layer states, as programs name them."""
        layout = self.network.layout
        blocks = layout.arrays(self.theta, "theta") | layout.arrays(self.gradient, "gradient")
        return blocks | layout.state_arrays(self.layer_state)

    def kept(self) -> tuple[Array, State]:
        """Return the parameters and layer states of a model if training ended now."""
        return self.theta, self.layer_state

    def tensors(self) -> dict[str, Array]:
        """Return all arrays that further steps depend on, by name, to be saved or restored in place."""
        return {}

    def facts(self) -> dict[str, Any]:
        """Return the numbers that further steps depend on."""
        numbers = {"steps": self.step_number, "updates": self.updates, "so_far": list(astuple(self.so_far))}
        return {"engine": self.network.engine, **numbers, "measured": self.meter.facts()}

    def restore(self, facts: Mapping[str, Any]) -> None:
        """Restore these numbers."""
        self.step_number, self.updates = facts["steps"], facts["updates"]
        self.so_far.set(*facts["so_far"])
        self.meter.restore(facts["measured"])
