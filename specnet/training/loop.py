"""The training loop: epochs of batches, until they are done, a figure stops improving, or the user breaks it off."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from specnet.arrays import Array
from specnet.network import Network
from specnet.parts.optimizers import SteppingOptimizer
from specnet.streams import stream
from specnet.training.checkpoint import Checkpoint
from specnet.training.course import Course, Keeper, Monitor, not_finite
from specnet.training.lbfgs import LbfgsWalker
from specnet.training.observer import Observer
from specnet.training.stepper import Stepper, TrainingRows


@dataclass
class TrainingResult:
    """What training reached.

    Attributes
    ----------
    theta : (parameter_count,)
    state : dict
        What layers keep, by name.
    history : list of dict
        A record for each logged epoch.
    epochs, steps : int
        How many were finished.
    seconds : float
        Spent in the loop.
    interrupted : bool
        Whether the user broke it off.
    reached : Checkpoint or None
        Where training stands, to go on from; None with L-BFGS, which cannot.
    """

    theta: Array
    state: dict[str, Array]
    history: list[dict[str, Any]] = field(default_factory=list)
    epochs: int = 0
    steps: int = 0
    seconds: float = 0.0
    interrupted: bool = False
    reached: Checkpoint | None = None


def train(
    network: Network,
    theta: Array,
    rows: TrainingRows,
    *,
    monitors: Mapping[str, Monitor] | None = None,
    observer: Observer | None = None,
    keep_checkpoint: Keeper | None = None,
    checkpoint: Checkpoint | None = None,
    state: Mapping[str, Array] | None = None,
    epochs: int | None = None,
) -> TrainingResult:
    """Train a network on rows.

    Parameters
    ----------
    network : Network
    theta : (parameter_count,)
        Where to start; it is not changed.
    rows : TrainingRows
    monitors : mapping, optional
        Figures for each logged epoch, such as ``validation_loss``, from the weights and the layers' state after it.
    observer : Observer, optional
        Is told of each logged epoch.
    keep_checkpoint : callable, optional
        Is given the run's whole state as often as the spec says.
    checkpoint : Checkpoint, optional
        Where to go on; the result is the same, bit for bit, as if training had not stopped there.
    state : mapping, optional
        What layers keep where training starts, by name.
    epochs : int, optional
        How many epochs there are, those before a checkpoint included, where it is not for the spec to say.

    Raises
    ------
    TrainingError
        If the loss is not finite at a logged epoch, or a parameter at the end.

    Notes
    -----
    The order of an epoch's rows depends on the seed and the epoch's number alone.
    """
    observer = observer or Observer()
    theta = theta.astype(network.dtype, order="C", copy=True)
    kind = _StepEpochs if isinstance(network.spec.training.optimizer, SteppingOptimizer) else _LbfgsEpochs
    walk = kind(network, theta, rows)
    walk.walker.set_layer_state(state or {})
    course = Course(network, walk.walker, monitors or {}, observer, keep_checkpoint if walk.resumes else None, epochs)
    if checkpoint is not None and walk.resumes:
        course.resume(checkpoint)
    begin, interrupted = time.perf_counter(), False
    try:
        with np.errstate(all="ignore"):
            walk.run(course)
    except KeyboardInterrupt:
        interrupted = True
    seconds = time.perf_counter() - begin
    kept, kept_state = course.result()
    for name, numbers in {"parameters": kept, **kept_state}.items():
        if not np.isfinite(numbers).all():
            raise not_finite(network, f"{name} are not all finite after epoch {course.epochs}")
    observer.ended(course.epochs, walk.walker.step_number, seconds)
    steps = walk.walker.step_number
    reached = Checkpoint(course.tensors(), course.facts(), course.history, "") if walk.resumes else None
    return TrainingResult(kept, kept_state, course.history, course.epochs, steps, seconds, interrupted, reached)


class _StepEpochs:
    """Epochs of steps on batches."""

    resumes = True

    def __init__(self, network: Network, theta: Array, rows: TrainingRows) -> None:
        training = network.spec.training
        assert training.batch_size is not None, "a resolved spec has it"
        size = len(rows) if training.batch_size == "full" else min(training.batch_size, len(rows))
        self._starts = range(0, len(rows), size)
        self._network, self._rows, self._size = network, len(rows), size
        self._shuffled = training.shuffle and size < len(rows)
        self._batches = self._in_order(np.arange(len(rows)))
        steps = len(self._starts)
        self.walker = Stepper(network, theta, rows, steps_per_epoch=steps, total_steps=steps * training.epochs)

    def run(self, course: Course) -> None:
        """Train until the last epoch, or until the course ends it."""
        goes_on = course.epochs < course.total
        while goes_on:
            self.walker.rate_factor = course.rate_factor
            loss = self._run_epoch(self._epoch_batches(course.epochs), course.wants_loss(course.epochs))
            goes_on = course.after_epoch(loss)

    def _epoch_batches(self, epoch: int) -> Sequence[Array]:
        if not self._shuffled:
            return self._batches
        return self._in_order(stream(self._network.spec.seed, "shuffling", epoch).permutation(self._rows))

    def _in_order(self, order: Array) -> Sequence[Array]:
        return [order[start : start + self._size] for start in self._starts]

    def _run_epoch(self, batches: Sequence[Array], with_loss: bool) -> float:
        """Return the mean loss over the batches as they were trained, weighted by their sums of weights."""
        total = total_weight = 0.0
        for indices in batches:
            loss, weight = self.walker.step(indices, with_loss)
            total += loss * weight
            total_weight += weight
        return total / total_weight if total_weight else 0.0


class _LbfgsEpochs:
    """Iterations of L-BFGS. It cannot be resumed midway, and starts again instead, which ends in the same bytes."""

    resumes = False

    def __init__(self, network: Network, theta: Array, rows: TrainingRows) -> None:
        self.walker = LbfgsWalker(network, theta, rows)

    def run(self, course: Course) -> None:
        """Train until the last iteration, until nothing is gained, or until the course ends it."""
        last_loss = self.walker.run(course.after_epoch)
        course.close(last_loss)
