"""The base class of trainers, which update the parameters epoch by epoch and report their progress.

Trainers share the program for the gradient of a batch's mean loss, bound once per batch size, and the `StepMeter`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, dataclass
from typing import Any, ClassVar, NamedTuple, Protocol

import numpy as np

from specnet.compiler import BATCH, BoundPlan
from specnet.data.feed import Feed
from specnet.files.interruptions import Interruptions
from specnet.network import Network
from specnet.network.layout import Layout
from specnet.network.programs import INVERSE_ROWS, NOISE, TARGET
from specnet.network.random import StepNoise
from specnet.parts.arrays import Array


class StepSize(NamedTuple):
    """The size of a step in the weights of a layer; each attribute is None if it is not a finite number.

    Attributes
    ----------
    gradient : float or None
        Root mean square of the gradient.
    step : float or None
        Root mean square of the change, divided by the root mean square of the weights before it.
    """

    gradient: float | None
    step: float | None


class WeightSizes:
    """Function that measures the weights of each layer in a vector with one number per parameter.

    Parameters
    ----------
    layout : Layout
    """

    def __init__(self, layout: Layout) -> None:
        self._numbers = np.zeros(layout.size)
        self._weights = {
            key: [placed.view(self._numbers)[slice(*tensor.rows)].ravel() for _, tensor, placed in weights]
            for key, weights in layout.weights().items()
        }

    def __call__(self, vector: Array) -> dict[str, float | None]:
        """Return the root mean square of the weights of each layer, by the layer's name; None if it is not finite.

        It is computed in float64.

        Parameters
        ----------
        vector : (parameter_count,) or (trainable parameters,)
            Parameters, their changes, or the gradient.
        """
        self._numbers[: len(vector)] = vector
        return {key: _root_mean_square(weights) for key, weights in self._weights.items()}


class StepMeter:
    """A meter of the first step of epochs. It copies vectors during training, and computes sizes on request.

    Parameters
    ----------
    layout : Layout
    """

    def __init__(self, layout: Layout) -> None:
        self._weights = WeightSizes(layout)
        self._epoch: int | None = None
        self._sizes: dict[str, StepSize] | None = None
        self._vectors: tuple[Array, Array, Array] | None = None

    def before_step(self, theta: Array) -> None:
        """Copy the parameters (parameter_count,) before a step."""
        if self._vectors is None:
            self._vectors = np.empty_like(theta), np.empty_like(theta), np.zeros_like(theta)
        self._vectors[0][:] = theta

    def after_step(self, epoch: int, theta: Array, gradient: Array) -> None:
        """Copy the parameters after the first step of an epoch, and the step's gradient (trainable parameters,)."""
        assert self._vectors is not None, "before_step was called"
        _, after, gradients = self._vectors
        after[:], gradients[: len(gradient)] = theta, gradient
        self._epoch, self._sizes = epoch, None

    def sizes(self, epoch: int) -> dict[str, StepSize] | None:
        """Return the size of an epoch's first step by the name of the layer; None if it was not measured."""
        if epoch != self._epoch:
            return None
        if self._sizes is None:
            assert self._vectors is not None, "a step was measured"
            before, after, gradient = self._vectors
            weights, changes, gradients = (self._weights(vector) for vector in (before, after - before, gradient))
            self._sizes = {
                key: StepSize(gradients[key], _share(changes[key], weight)) for key, weight in weights.items()
            }
        return self._sizes

    def facts(self) -> dict[str, Any] | None:
        """Return the last sizes as plain data for a checkpoint; None if nothing was measured."""
        return None if self._epoch is None else {"epoch": self._epoch, "sizes": self.sizes(self._epoch)}

    def restore(self, facts: Mapping[str, Any] | None) -> None:
        """Restore the sizes from a checkpoint."""
        if facts is not None:
            self._epoch = facts["epoch"]
            self._sizes = {key: StepSize(*pair) for key, pair in facts["sizes"].items()}


def _share(change: float | None, size: float | None) -> float | None:
    """Return the size of a change, divided by the size of the weights; None if the quotient is not finite."""
    share = change / size if size and change is not None else math.nan
    return share if math.isfinite(share) else None


def _root_mean_square(vectors: Sequence[Array]) -> float | None:
    total = sum(float(numbers @ numbers) for numbers in vectors)
    return math.sqrt(total / sum(map(len, vectors))) if math.isfinite(total) else None


State = dict[str, Array]
"""Layer states by name."""


class EpochSpan(NamedTuple):
    """A range of epochs to train, up to the next observed one.

    Attributes
    ----------
    first : int
        The number of the first epoch, from 0.
    epochs : int
        The number of epochs.
    with_loss : callable
        Takes the number of an epoch, or an array of numbers; returns whether its loss is needed.
    rate_factor : float
        Factor on the learning rate in addition to the schedule's factor.
    is_measured : bool
        Whether the first step is measured.
    """

    first: int
    epochs: int
    with_loss: Callable[[Any], Any]
    rate_factor: float
    is_measured: bool

    def after(self, epochs: int) -> EpochSpan:
        """Return the rest of the span after this number of its epochs."""
        return self._replace(first=self.first + epochs, epochs=self.epochs - epochs)


@dataclass(slots=True)
class EpochSoFar:
    """Progress within the current epoch.

    Attributes
    ----------
    batches : int
        Number of batches so far.
    loss, weight : float
        Sum of the batches' losses times their weights, and sum of the weights.
    """

    batches: int = 0
    loss: float = 0.0
    weight: float = 0.0

    def set(self, batches: int = 0, loss: float = 0.0, weight: float = 0.0) -> None:
        """Set all values; defaults: those at the start of an epoch."""
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
        """Add batches up to the end of an epoch, and return the mean loss of each epoch that they end.

        Sums are computed batch by batch, as in `add`, so that they do not depend on the number of batches in a call.
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
    """An object that receives the losses of epochs and returns the next epochs to train."""

    def passed(self, losses: Array) -> None:
        """Receive the losses of epochs before the last one of a span; 0 if a loss was not needed."""

    def after_epoch(self, loss: float) -> EpochSpan | None:
        """Receive the loss of the last epoch of a span; return the next span, or None at the end of training."""


class Trainer:
    """The base class of trainers, which update the parameters epoch by epoch.

    Attributes
    ----------
    network : Network
    resumes : bool
        Whether it can resume from a checkpoint; if not, it starts again, with the same result bit for bit.
    theta : (parameter_count,)
        Current parameters.
    layer_state : dict
        Layer states by name.
    gradient : (trainable parameters,)
        The last gradient.
    step_number : int
        Number of steps so far, including skipped ones; with L-BFGS, number of evaluations of the gradient.
    updates : int
        Number of updates by the optimizer.
    is_whole : bool
        Whether the state is between two steps, where training can be resumed.
    so_far : EpochSoFar
        Progress within the current epoch.
    meter : StepMeter
        Meter of the first steps of epochs.
    """

    resumes: ClassVar[bool]

    def __init__(self, network: Network, theta: Array, layer_state: State) -> None:
        self.theta, self.layer_state = theta, layer_state
        self.step_number = self.updates = 0
        self.gradient = np.zeros(network.layout.trainable_size, theta.dtype)
        self.is_whole, self.so_far, self.meter = True, EpochSoFar(), StepMeter(network.layout)
        self.network = network

    def run(self, span: EpochSpan, progress: Progress, interruptions: Interruptions) -> Ended | None:
        """Train a span of epochs and all further spans that `progress` returns.

        Returns the reason if training ended early, else None.

        Raises
        ------
        KeyboardInterrupt
            If `interruptions` delivers a signal.
        """
        raise NotImplementedError

    def arrays(self) -> dict[str, Array]:
        """Return the blocks of parameters and gradient, and the layer states, by their names in programs."""
        layout = self.network.layout
        blocks = layout.arrays(self.theta, "theta") | layout.arrays(self.gradient, "gradient")
        return blocks | layout.state_arrays(self.layer_state)

    def model_state(self) -> tuple[Array, State]:
        """Return the parameters and layer states that the model would have if training ended now."""
        return self.theta, self.layer_state

    def tensors(self) -> dict[str, Array]:
        """Return all arrays that further steps depend on, by name, to be saved or restored in place."""
        return {}

    def facts(self) -> dict[str, Any]:
        """Return the numbers that further steps depend on."""
        numbers = {"steps": self.step_number, "updates": self.updates, "so_far": list(astuple(self.so_far))}
        return {"engine": self.network.engine, **numbers, "measured": self.meter.facts()}

    def restore(self, facts: Mapping[str, Any]) -> None:
        """Restore the numbers of `facts`."""
        self.step_number, self.updates = facts["steps"], facts["updates"]
        self.so_far.set(*facts["so_far"])
        self.meter.restore(facts["measured"])


def step_name(network: Network, feed: Feed) -> str:
    """Return the name of the program of a step on a feed: weighted, or with probabilities of classes as targets."""
    is_soft = network.spec.training.loss.target == "classes" and feed.sources[TARGET].ndim == 2
    return "step" + ", soft" * is_soft + ", weighted" * (feed.weight is not None)


class Gradients(dict[int, "BatchGradient"]):
    """Programs for the gradient with respect to trainable parameters, by batch size; each is bound on first access.

    Parameters
    ----------
    trainer : Trainer
        The owner of the parameters and layer states that the programs read, and of the gradient that they compute.
    feed : Feed
    member : int, optional
        Number of an ensemble member; it selects the member's random numbers.
    scalars : mapping, optional
        Arrays of shape () by name, with the factors of the layers' schedules; the caller sets them before each step.
    """

    def __init__(
        self, trainer: Trainer, feed: Feed, member: int | None = None, scalars: Mapping[str, Array] | None = None
    ) -> None:
        super().__init__()
        network, self._dtype = trainer.network, trainer.theta.dtype
        self._feed, self._noise = feed, StepNoise(network.spec.seed, member)
        self._bind = network.blueprint.backend.bind
        self._plan = network.plan(step_name(network, feed))
        self._arrays = trainer.arrays() | dict(scalars or {})

    def __missing__(self, rows: int) -> BatchGradient:
        bound = self._bind(self._plan, self._dtype, {BATCH: rows}, self._arrays)
        if INVERSE_ROWS in bound.inputs:
            bound.inputs[INVERSE_ROWS][...] = 1 / rows
        self[rows] = BatchGradient(bound, self._feed, rows, self._noise)
        return self[rows]


class BatchGradient:
    """The program for the gradient of a batch with a fixed number of rows, with the sources of rows and random numbers.

    Attributes
    ----------
    feed : callable
        Copies the rows of the given indices into the program, and returns the sum of their weights.
    """

    def __init__(self, bound: BoundPlan, feed: Feed, rows: int, noise: StepNoise) -> None:
        self.feed = feed.bound_to(bound.inputs, rows).fill
        self._random = {name: array for name, array in bound.inputs.items() if name.startswith(NOISE)}
        self._bound, self._loss, self._noise = bound, bound.outputs[0], noise

    def take(self, step: int, with_loss: bool) -> float:
        """Compute the gradient with the random numbers of a step; return the mean loss, or 0 without `with_loss`."""
        if self._random:
            self._noise.fill(self._random, step)
        if not with_loss:
            self._bound.run_commits()
            return 0.0
        self._bound.run()
        return float(self._loss)
