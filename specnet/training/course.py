"""What happens after each epoch: figures, history, early stopping, the schedule's memory, checkpoints."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from specnet.arrays import Array
from specnet.errors import TrainingError
from specnet.network import Network
from specnet.training.checkpoint import Checkpoint
from specnet.training.observer import Observer
from specnet.training.patience import Patience

State = dict[str, Array]
Monitor = Callable[[Array, State], float]
"""A figure of a model, from its parameters and the layers' states."""
Keeper = Callable[[Mapping[str, Array], Mapping[str, Any], list[dict[str, Any]]], None]
"""Keeps a checkpoint: tensors, facts, history."""


class Walker(Protocol):
    """What moves the parameters from epoch to epoch."""

    step_number: int

    def set_layer_state(self, state: Mapping[str, Array]) -> None:
        """Let the layers start with what they kept earlier, by name."""

    def kept(self) -> tuple[Array, State]:
        """Return the parameters and states that a model would have if training ended now."""

    def tensors(self) -> dict[str, Array]:
        """Return all arrays that a checkpoint needs, by name; to be changed in place by who restores one."""


class Course:
    """The record of a training run.

    Parameters
    ----------
    network : Network
    walker : Walker
    monitors : mapping
        Further figures for the history, such as ``validation_loss``.
    observer : Observer
    keep_checkpoint : callable, optional
        Is given the run's whole state every so many epochs as the spec says.
    total : int, optional
        How many epochs there are at most; as many as the spec says if None.

    Attributes
    ----------
    history : list of dict
        A record for each logged epoch.
    epochs : int
        How many have ended.
    total : int
        How many there are at most.
    """

    def __init__(
        self,
        network: Network,
        walker: Walker,
        monitors: Mapping[str, Monitor],
        observer: Observer,
        keep_checkpoint: Keeper | None = None,
        total: int | None = None,
    ) -> None:
        training = network.spec.training
        assert training.log_every is not None, "a resolved spec has it"
        self.history: list[dict[str, Any]] = []
        self.epochs = 0
        self._network, self._walker, self._monitors, self._observer = network, walker, monitors, observer
        self._keep_checkpoint = keep_checkpoint
        self.total = training.epochs if total is None else total
        self._log_every = training.log_every
        self._stopping = training.early_stopping
        self._patience = Patience()
        self._plateau = network.spec.training.optimizer.plateau()
        self._memory = None if self._plateau is None else self._plateau.start()
        self._watches = self._stopping is not None or self._plateau is not None
        self._best: dict[str, Array] = {}
        if self._stopping is not None and self._stopping.restore_best:
            theta, state = walker.kept()
            self._best = {"theta": theta.copy(), **{f"state.{name}": kept.copy() for name, kept in state.items()}}

    def wants_loss(self, epoch: int) -> bool:
        """Return whether the loss of an epoch, counted from 0, is needed."""
        return self._watches or self._is_logged(epoch)

    @property
    def rate_factor(self) -> float:
        """What the schedule remembers to multiply the learning rate by."""
        return self._memory.factor if self._memory is not None else 1.0

    def after_epoch(self, loss: float) -> bool:
        """Record the epoch that has ended, with its loss where it was wanted, and return whether training goes on.

        Raises
        ------
        TrainingError
            If a figure is not finite.
        """
        epoch = self.epochs
        self.epochs += 1
        if not self.wants_loss(epoch):
            return self._goes_on(epoch)
        theta, state = self._walker.kept()
        figures = {"loss": loss, **{name: monitor(theta, state) for name, monitor in self._monitors.items()}}
        for name, figure in figures.items():
            if not math.isfinite(figure):
                raise not_finite(self._network, f"the {name.replace('_', ' ')} is {figure} in epoch {epoch + 1}")
        if self._plateau is not None and self._memory is not None:
            self._memory = self._plateau.after(self._memory, figures[self._plateau.monitor])
        ends = not self._watched(figures)
        if ends or self._is_logged(epoch):
            self._log(figures)
        return not ends and self._goes_on(epoch)

    def close(self, loss: float) -> None:
        """Log the last epoch, of which this was the loss, where training ended before its time."""
        self.epochs = max(self.epochs, 1)  # nothing to gain from the start is an epoch too
        if not self.history or self.history[-1]["epoch"] != self.epochs:
            theta, state = self._walker.kept()
            self._log({"loss": loss, **{name: monitor(theta, state) for name, monitor in self._monitors.items()}})

    def _log(self, figures: Mapping[str, float]) -> None:
        record = {"epoch": self.epochs, **figures}
        self.history.append(record)
        self._observer.logged(self.epochs, record)

    def result(self) -> tuple[Array, State]:
        """Return the parameters and states to keep: the best ones where the spec asks for them."""
        if self._best and self._patience.best < math.inf:
            state = {name.removeprefix("state."): kept for name, kept in self._best.items() if name != "theta"}
            return self._best["theta"], state
        theta, state = self._walker.kept()
        return theta.copy(), state

    def resume(self, checkpoint: Checkpoint) -> None:
        """Go on from where a checkpoint was taken."""
        checkpoint.restore(self.tensors())
        facts = checkpoint.facts
        self.history, self.epochs = list(checkpoint.history), facts["epochs"]
        self._walker.step_number = facts["steps"]
        best = facts["best"]
        self._patience = Patience(math.inf if best is None else best, facts["waited"])
        if self._plateau is not None:
            self._memory = self._plateau.start(**facts["plateau"])

    def _watched(self, figures: Mapping[str, float]) -> bool:
        """Remember the best figure and its weights, and return whether there is still patience."""
        if self._stopping is None:
            return True
        self._patience = self._patience.after(figures[self._stopping.monitor], self._stopping.min_delta)
        if self._best and not self._patience.waited:
            theta, state = self._walker.kept()
            self._best["theta"][:] = theta
            for name, kept in state.items():
                self._best[f"state.{name}"][...] = kept
        return self._patience.waited < self._stopping.patience

    def _goes_on(self, epoch: int) -> bool:
        every = self._network.spec.training.checkpoint_every
        if epoch + 1 == self.total:
            return False
        if self._keep_checkpoint is not None and every is not None and (epoch + 1) % every == 0:
            self._keep_checkpoint(self.tensors(), self.facts(), self.history)
        return True

    def facts(self) -> dict[str, Any]:
        """Return the numbers that a checkpoint needs."""
        return {
            "epochs": self.epochs,
            "steps": self._walker.step_number,
            "best": self._patience.best if self._patience.best < math.inf else None,
            "waited": self._patience.waited,
            "plateau": None if self._memory is None else self._memory.as_dict(),
        }

    def tensors(self) -> dict[str, Array]:
        """Return the arrays that a checkpoint needs, by name; they go on changing while training does."""
        return {**self._walker.tensors(), **{f"best.{name}": array for name, array in self._best.items()}}

    def _is_logged(self, epoch: int) -> bool:
        return epoch % self._log_every == 0 or epoch == self.total - 1


def not_finite(network: Network, what: str) -> TrainingError:
    """Return the error of a figure that is not finite, with the likely remedy."""
    optimizer = network.spec.training.optimizer
    rate = getattr(optimizer, "learning_rate", None)
    remedies = [f"lower training.optimizer.learning_rate, which is {rate}"] if rate is not None else []
    if not network.spec.network.preprocessing:
        remedies.append('put network.preprocessing = ["standardize"] before the network')
    return TrainingError(what, hint=", or ".join(remedies) or None)
