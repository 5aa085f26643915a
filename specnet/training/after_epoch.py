"""The work after each epoch: metrics, watchers, history and checkpoints.

In: the losses of epochs, from a trainer. Out: the epochs to train next, and in the end the history and the weights.
Start with `TrainingProgress.after_epoch`.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from specnet.network import Network
from specnet.parts.arrays import Array
from specnet.parts.watchers import LOSS, Memory
from specnet.spec import Spec
from specnet.spec.document import EARLY_STOPPING
from specnet.training.checkpoint import MEMBER, Checkpoint, TrainingRecord
from specnet.training.epoch_metrics import EpochMetrics, Monitors, check_figure
from specnet.training.layer_recorder import LayerRecorder
from specnet.training.observer import Observer, Observers, Snapshot
from specnet.training.steps.trainer import EpochSpan, State, Trainer

Memories = Mapping[str, Memory]
"""Memories of watchers, by their paths under training."""


class Watchers:
    """The watchers of a spec and their memories: early stopping and learning rates that depend on a metric.

    Parameters
    ----------
    spec : Spec

    Attributes
    ----------
    memories : mapping
        Current memories by the watcher's name.
    have_ended : bool
        Whether a watcher ends training.
    rate_factor : float
        Product of the watchers' factors on the learning rate.
    """

    def __init__(self, spec: Spec) -> None:
        self._watchers = {watcher_name(path): who for path, who in spec.training.watchers()}
        metrics = {who.monitor: spec.monitored_metric(who.monitor) for who in self._watchers.values()}
        self._factors = {name: -1 if metric and metric.larger_is_better else 1 for name, metric in metrics.items()}
        self.remember(dict.fromkeys(self._watchers, Memory()))

    def remember(self, memories: Memories) -> None:
        """Set the memories, and the attributes that follow from them."""
        self.memories, self.have_ended, self.rate_factor = memories, has_ended(memories), 1.0
        for memory in memories.values():
            self.rate_factor *= memory.rate_factor

    def may_end(self) -> bool:
        """Return whether a watcher ends training if its metric is worst possible in the next epoch."""
        return any(who.after(self.memories[name], math.inf).ends for name, who in self._watchers.items())

    def after(self, figures: Mapping[str, float]) -> Memories:
        """Return the memories after another epoch, given its metrics."""
        return {
            name: who.after(self.memories[name], self._factors[who.monitor] * figures[who.monitor])
            for name, who in self._watchers.items()
        }

    def restore(self, facts: Mapping[str, Mapping[str, Any]]) -> None:
        """Restore the memory of each watcher from a checkpoint.

        Parameters
        ----------
        facts : mapping of str to mapping
            Memory of each watcher as plain data, by the name of the watcher.
        """
        self.remember({name: Memory(**facts[name]) for name in self._watchers})

    def as_dict(self) -> dict[str, dict[str, Any]]:
        """Return the memories as plain data."""
        return {name: memory.as_dict() for name, memory in self.memories.items()}


def watcher_name(path: tuple[str | int, ...]) -> str:
    """Return the name of a watcher, given its path under training."""
    return ".".join(map(str, path))


def has_ended(memories: Memories) -> bool:
    """Return whether a watcher ends training."""
    return any(memory.ends for memory in memories.values())


class BestWeights:
    """A copy of the parameters and layer states of the best epoch so far."""

    def __init__(self, theta: Array, state: State) -> None:
        self._theta, self._state = theta.copy(), {name: array.copy() for name, array in state.items()}

    def replace(self, theta: Array, state: State) -> None:
        """Copy the parameters and layer states of a better epoch."""
        self._theta[:] = theta
        for name, array in state.items():
            self._state[name][...] = array

    def stored(self) -> tuple[Array, State]:
        """Return the stored arrays."""
        return self._theta, self._state

    def tensors(self) -> dict[str, Array]:
        """Return all arrays for a checkpoint by name, to be saved or restored in place."""
        return {"best.theta": self._theta, **{f"best.state.{name}": array for name, array in self._state.items()}}


Keeper = Callable[[Checkpoint], None]
"""Function that saves a checkpoint."""
ALL_EPOCHS = "all epochs"
"""The text for an end of training after the last epoch."""
INTERRUPTED = "interrupted"
"""The text for an end of training by a signal, within or after an epoch."""
_STOPPING = watcher_name(EARLY_STOPPING)
_RESTORED = re.compile(r", weights of epoch (\d+) restored")


def weights_epoch(end: str, epochs: int) -> int:
    """Return the epoch whose weights a model has, given the text of `TrainingProgress.end` and the number of epochs."""
    restored = _RESTORED.search(end)
    return epochs if restored is None else int(restored[1])


class TrainingProgress:
    """The progress of a training run: its epochs so far, their history, and the next epochs to train.

    Parameters
    ----------
    network : Network
    trainer : Trainer
    monitors : Monitors
        Functions that compute further entries of the history, such as ``validation_loss``.
    observer : Observer
    keep_checkpoint : callable, optional
        Called with a checkpoint every `checkpoint_every` epochs.
    total : int, optional
        Maximum number of epochs; default: that of the spec.
    member : int, optional
        Number of the member of an ensemble.
    recorder : LayerRecorder, optional
        Records the layers; called before the observer.

    Attributes
    ----------
    history : list of dict
        A record for each logged epoch.
    epochs : int
        Number of finished epochs.
    trained : int
        Number of trained epochs; one more than `epochs` while the last epoch is not finished yet, or if it has failed.
    total : int
        Maximum number of epochs.
    """

    def __init__(
        self,
        network: Network,
        trainer: Trainer,
        monitors: Monitors,
        observer: Observer,
        keep_checkpoint: Keeper | None = None,
        total: int | None = None,
        member: int | None = None,
        recorder: LayerRecorder | None = None,
    ) -> None:
        training = network.spec.training
        self.history: list[dict[str, Any]] = []
        self.epochs, self.trained, self.total = 0, 0, training.epochs if total is None else total
        self._begin, self._seconds_before = time.perf_counter(), 0.0
        self._member = {} if member is None else {MEMBER: member}
        self._network, self._trainer, self._monitors = network, trainer, monitors
        self._observer, self._recorder = observer if recorder is None else Observers(recorder, observer), recorder
        self._keep_checkpoint = keep_checkpoint if trainer.resumes else None
        self._log_every, self._checkpoint_every = network.resolved.log_every, training.checkpoint_every
        self._watchers = Watchers(network.spec)
        keeps_best = training.early_stopping is not None and training.early_stopping.restore_best
        self._best = BestWeights(*trainer.model_state()) if keeps_best else None
        self._cross_fitted = monitors.cross_fitted if keeps_best else None
        self.snapshot, self._seen_next = Snapshot(network, trainer), self._observer.next_epoch(-1)
        self._start = None if trainer.resumes else Checkpoint({}, self._facts(), [])

    @property
    def seconds(self) -> float:
        """Seconds of training so far, including those before an interruption."""
        return self._seconds_before + time.perf_counter() - self._begin

    def begin(self) -> EpochSpan | None:
        """Return the first span of epochs to train, or to resume with; None if no epochs are left."""
        if self.epochs or self._trainer.so_far.batches:
            self._seen_next = self._observer.next_epoch(self.epochs)
        else:
            self._show()
        return self._upcoming()

    def _upcoming(self) -> EpochSpan | None:
        """Return the next span of epochs, or None at the end of training."""
        epochs, watchers = self.epochs, self._watchers
        if epochs >= self.total or watchers.have_ended:
            return None
        is_measured = epochs + 1 == self._seen_next
        if not is_measured and self._observer.takes_snapshots:
            # The next epoch may be the last one: a watcher may end training, and L-BFGS may end with any epoch.
            is_measured = watchers.may_end() or not self._trainer.resumes
        return EpochSpan(epochs, self._unseen() + 1, self._with_loss, watchers.rate_factor, is_measured)

    def _unseen(self) -> int:
        """Return the number of next epochs after which nothing but logging has to happen."""
        epochs = self.epochs
        # An interrupted epoch is a span of its own.
        if self._watchers.memories or self._trainer.so_far.batches:
            return 0
        ends = [self.total]
        if self._keep_checkpoint is not None and self._checkpoint_every is not None:
            ends.append((epochs // self._checkpoint_every + 1) * self._checkpoint_every)
        if self._seen_next is not None:  # the first step of an observed epoch is measured
            ends.append(max(self._seen_next - 1, epochs + 1))
        if self._monitors or self._observer.follows_log:
            ends.append(-(-epochs // self._log_every) * self._log_every + 1)
        return min(ends) - epochs - 1

    def passed(self, losses: Array) -> None:
        """Record epochs of a span before its last one, with their losses if they were requested, and notify observers.

        Raises
        ------
        TrainingError
            If the loss of a logged epoch is not finite.
        """
        before = self.epochs
        numbers = np.arange(before, before + len(losses)) + 1
        logged = self._is_logged(numbers)
        numbers, losses = numbers[logged], losses[logged]
        finite = np.isfinite(losses)
        count = len(losses) if finite.all() else int(finite.argmin())
        records = [self._record(*each) for each in zip(numbers[:count].tolist(), losses[:count].tolist(), strict=True)]
        self.history += records
        if count < len(losses):
            self.epochs, self.trained = int(numbers[count]) - 1, int(numbers[count])
            check_figure(self._network, LOSS, float(losses[count]), self.trained)
        self.epochs = self.trained = before + len(logged)
        # The history is complete first, as observers may raise.
        for record in records:
            self._observer.logged(record["epoch"], record)

    def after_epoch(self, loss: float) -> EpochSpan | None:
        """Record the finished epoch, with its loss if it was requested, and return the next span of epochs.

        Raises
        ------
        TrainingError
            If the loss or a metric is not finite.
        """
        self.trained = epoch = self.epochs + 1
        watchers, record = self._watchers, None
        memories = watchers.memories
        if memories or self._is_logged(epoch):
            figures = self._figures(loss)
            memories = watchers.after(figures)
            if self._is_logged(epoch) or has_ended(memories):
                record = self._record(epoch, loss, **self._monitored(figures))
        # Only now does the epoch count: after an earlier interruption its metrics are computed again.
        if memories:
            watchers.remember(memories)
        self.epochs = epoch
        self._trainer.so_far.set()
        if self._best is not None and self._stopping is not None and not self._stopping.waited:
            self._best.replace(*self._trainer.model_state())
        if self._cross_fitted is not None:
            self._cross_fitted.after_epoch(*self._trainer.model_state())
        # The history is complete first, as observers may raise.
        if record is not None:
            self.history.append(record)
            self._observer.logged(epoch, record)
        self._show()
        upcoming, every = self._upcoming(), self._checkpoint_every
        if every is not None and self._keep_checkpoint is not None and epoch % every == 0 and upcoming is not None:
            self._keep_checkpoint(self.checkpoint())
        return upcoming

    def close(self, loss: float) -> None:
        """Log the last epoch with its loss if training ended early and the epoch is not logged yet."""
        if not self.epochs:  # training that cannot improve on its start counts as one epoch
            self.epochs = self.trained = 1
            self._show()
        if not self.history or self.history[-1]["epoch"] != self.epochs:
            record = self._record(self.epochs, loss, **self._monitored(self._figures(loss)))
            self.history.append(record)
            self._observer.logged(self.epochs, record)

    def end(self, reason: str) -> str:
        """Return a text on how training ended; `reason` is part of it if neither a watcher nor the last epoch ended it.

        Examples: ``all epochs``, ``early stopping after epoch 13, weights of epoch 3 restored``, ``interrupted in
        epoch 7``.
        """
        stopping = self._stopping
        best = self.epochs if stopping is None else self.epochs - stopping.waited
        restored = f", weights of epoch {best} restored" if self._has_best and best < self.epochs else ""
        if self._trainer.so_far.batches or not self.epochs:
            return f"{reason} in epoch {self.epochs + 1}{restored}"
        if stopping is not None and stopping.ends:
            return f"early stopping after epoch {self.epochs}{restored}"
        if self.epochs == self.total:
            return f"{ALL_EPOCHS}{restored}"
        return f"{reason} after epoch {self.epochs}{restored}"

    def result(self) -> tuple[Array, State]:
        """Return the parameters and layer states of the model: of the best epoch if the spec restores it."""
        if self._best is not None and self._has_best:
            return self._best.stored()
        theta, state = self._trainer.model_state()
        return theta.copy(), state

    def cross_fitted(self) -> Array | None:
        """Return the outputs of `CrossFittedOutputs`; None if no best epoch is restored."""
        return self._cross_fitted.raw if self._cross_fitted is not None and self._has_best else None

    def resume(self, checkpoint: Checkpoint) -> None:
        """Resume from a checkpoint if the trainer supports it; otherwise training starts again."""
        if not self._trainer.resumes:
            return
        checkpoint.restore(self._tensors())
        facts = checkpoint.facts
        self._trainer.restore(facts)
        self.history, self.epochs, self._seconds_before = list(checkpoint.history), facts["epochs"], facts["seconds"]
        self.trained = self.epochs
        if self._recorder is not None:
            self._recorder.restore(checkpoint.record)
        self._watchers.restore(facts["watchers"])
        self._observer.resumed(self.epochs, self.seconds)

    def checkpoint(self) -> Checkpoint:
        """Return a checkpoint to resume from; the start of training if the trainer does not resume."""
        if self._start is not None:
            return self._start
        record = TrainingRecord()
        if self._recorder is not None:
            self._recorder.trained(self.epochs, self.snapshot)  # after an interruption, this epoch is missing
            record = self._recorder.record()
        return Checkpoint(self._tensors(), self._facts(), self.history, record=record)

    def _figures(self, loss: float) -> EpochMetrics:
        return EpochMetrics(self._network, self.trained, loss, self._monitors, self._trainer.model_state)

    def _monitored(self, figures: EpochMetrics) -> dict[str, float]:
        return {name: figures[name] for name in self._monitors}

    def _record(self, epoch: int, loss: float, **monitored: float) -> dict[str, Any]:
        return {**self._member, "epoch": epoch, LOSS: loss, **monitored}

    def _show(self) -> None:
        """Notify the observers that requested this epoch, and determine the next requested epoch."""
        if self._seen_next == self.epochs:
            self._observer.trained(self.epochs, self.snapshot)
        self._seen_next = self._observer.next_epoch(self.epochs)

    @property
    def _stopping(self) -> Memory | None:
        """The memory of early stopping."""
        return self._watchers.memories.get(_STOPPING)

    @property
    def _has_best(self) -> bool:
        """Whether weights of a best epoch can be restored."""
        return self._best is not None and self._stopping is not None and self._stopping.best is not None

    def _facts(self) -> dict[str, Any]:
        """Return the numbers for a checkpoint."""
        watchers = self._watchers.as_dict()
        return {"epochs": self.epochs, **self._trainer.facts(), "seconds": self.seconds, "watchers": watchers}

    def _tensors(self) -> dict[str, Array]:
        """Return the arrays for a checkpoint by name; training continues to change them."""
        followers = [each for each in (self._best, self._cross_fitted) if each is not None]
        return self._trainer.tensors() | {name: array for each in followers for name, array in each.tensors().items()}

    def _with_loss(self, number: Any) -> Any:
        """Return whether the loss of an epoch is needed, given its number from 0 or an array of numbers."""
        return self._is_logged(number + 1) | bool(self._watchers.memories)

    def _is_logged(self, epoch: Any) -> Any:
        """Return whether an epoch is logged in any case, given its number from 1 or an array of numbers."""
        return ((epoch - 1) % self._log_every == 0) | (epoch == self.total)
