"""The training loop: epochs of batches, until they are done, a figure stops improving, or the user breaks it off."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import numpy as np

from specnet.data.feed import Feed
from specnet.errors import Diagnostic
from specnet.network import Network
from specnet.parts.arrays import Array
from specnet.parts.optimizers import SteppingOptimizer
from specnet.training.checkpoint import Checkpoint, Position
from specnet.training.course import INTERRUPTED, Course, Keeper, Monitor, not_finite
from specnet.training.interruptions import Interruptions
from specnet.training.lbfgs import LbfgsWalker
from specnet.training.observer import Observer
from specnet.training.rows import TrainingRows
from specnet.training.stepper import Stepper


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
        Spent in the loop, before a checkpoint too.
    end : str
        How training ended, in words.
    interruption : KeyboardInterrupt or None
        What broke it off.
    reached : Checkpoint
        Where training stands, to go on from. With L-BFGS that is its start.
    warnings : tuple of Diagnostic
        What looked suspicious about the training rows.
    """

    theta: Array
    state: dict[str, Array]
    history: list[dict[str, Any]]
    epochs: int
    steps: int
    seconds: float
    end: str
    interruption: KeyboardInterrupt | None
    reached: Checkpoint
    warnings: tuple[Diagnostic, ...] = ()


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
    interruptions: Interruptions | None = None,
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
    interruptions : Interruptions, optional
        Who takes signals, and holds them from here on; by default Ctrl-C is held until the end of a step.

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
    layer_state = network.fitted_state(rows.X)
    for name, kept in (state or {}).items():
        layer_state[name][...] = kept
    walk = kind(network, theta, rows.feed(network), layer_state)
    course = Course(network, walk.walker, monitors or {}, observer, keep_checkpoint if walk.resumes else None, epochs)
    start = Checkpoint({}, course.facts(), [])
    if checkpoint is not None and walk.resumes:
        course.resume(checkpoint)
        observer.resumed(course.epochs, course.seconds)
    reason, interruption = INTERRUPTED, None
    with ExitStack() as stack:
        if interruptions is None:
            interruptions = stack.enter_context(Interruptions())
        interruptions.hold()
        try:
            with np.errstate(all="ignore"):
                reason = walk.run(course, interruptions) or reason
        except KeyboardInterrupt as error:
            if not course.is_whole:
                raise
            interruption = error
    kept, kept_state = course.result()
    reached_numbers: dict[str, Array] = {"parameters": kept, **kept_state, "losses": np.array(course.position.loss)}
    for name, numbers in reached_numbers.items():
        if not np.isfinite(numbers).all():
            raise not_finite(network, f"{name} are not all finite after epoch {course.epochs}")
    steps, seconds, end = walk.walker.step_number, course.seconds, course.end(reason)
    observer.ended(course.epochs, steps, seconds, end)
    reached = Checkpoint(course.tensors(), course.facts(), course.history) if walk.resumes else start
    return TrainingResult(kept, kept_state, course.history, course.epochs, steps, seconds, end, interruption, reached)


class _StepEpochs:
    """Epochs of steps on batches."""

    resumes = True

    def __init__(self, network: Network, theta: Array, feed: Feed, state: dict[str, Array]) -> None:
        steps = feed.batches_per_epoch
        total = steps * network.spec.training.epochs
        self._feed = feed
        self.walker = Stepper(network, theta, feed, state, steps_per_epoch=steps, total_steps=total)

    def run(self, course: Course, interruptions: Interruptions) -> None:
        """Train until the last epoch, until the course ends it, or until a signal does."""
        while course.goes_on:
            self.walker.rate_factor = course.rate_factor
            self._run_epoch(course, interruptions)

    def _run_epoch(self, course: Course, interruptions: Interruptions) -> None:
        """Train on what is left of an epoch, and record it with the mean loss over its batches as they were trained.

        The mean is weighted by the batches' sums of weights.
        """
        epoch, (done, total, total_weight) = course.epochs, course.position
        with_loss = course.wants_loss(epoch)
        course.is_whole = False
        for batch in self._feed.batches(epoch, done):
            loss, weight = self.walker.step(batch, with_loss)
            total += loss * weight
            total_weight += weight
            done += 1
            if interruptions.pending is not None:
                course.position, course.is_whole = Position(done, total, total_weight), True
                interruptions.deliver()
                course.is_whole = False
        course.is_whole = True
        try:
            course.after_epoch(total / total_weight if total_weight else 0.0)
        except KeyboardInterrupt:
            if course.epochs == epoch:  # a figure was not told any more, and the epoch does not count yet
                course.position = Position(done, total, total_weight)
            raise


class _LbfgsEpochs:
    """Iterations of L-BFGS. It cannot be resumed midway, and starts again instead, which ends in the same bytes."""

    resumes = False

    def __init__(self, network: Network, theta: Array, feed: Feed, state: dict[str, Array]) -> None:
        self.walker = LbfgsWalker(network, theta, feed, state)

    def run(self, course: Course, interruptions: Interruptions) -> str:
        """Train until the last iteration, until nothing is gained, or until the course or a signal ends it.

        Returns why it ended before the last iteration.
        """
        last_loss, reason = self.walker.run(course.after_epoch, interruptions)
        course.close(last_loss)
        return reason
