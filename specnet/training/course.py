"""What happens after each epoch: figures, history, early stopping, the schedule's memory, checkpoints."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Container, Mapping
from typing import Any

from specnet.errors import TrainingError
from specnet.network import Network
from specnet.parts.arrays import Array
from specnet.training.checkpoint import Checkpoint
from specnet.training.observer import Observer
from specnet.training.patience import Patience
from specnet.training.trainer import Epoch, EpochSoFar, State, Trainer

Monitor = Callable[[Array, State], float]
"""A figure of a model, from its parameters and the layers' states."""
Keeper = Callable[[Mapping[str, Array], Mapping[str, Any], list[dict[str, Any]]], None]
"""Keeps a checkpoint: tensors, facts, history."""
ALL_EPOCHS = "all epochs"
"""How training ends if nothing ends it earlier."""
INTERRUPTED = "interrupted"
"""How it ends, in or after an epoch, if a signal ends it."""


class Course:
    """The record of a training run.

    Parameters
    ----------
    network : Network
    trainer : Trainer
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
        How many epochs there are at most.
    """

    def __init__(
        self,
        network: Network,
        trainer: Trainer,
        monitors: Mapping[str, Monitor],
        observer: Observer,
        keep_checkpoint: Keeper | None = None,
        total: int | None = None,
    ) -> None:
        training = network.spec.training
        assert training.log_every is not None, "a resolved spec has it"
        self.history: list[dict[str, Any]] = []
        self.epochs = 0
        self._begin, self._seconds_before = time.perf_counter(), 0.0
        self._network, self._trainer, self._monitors, self._observer = network, trainer, monitors, observer
        self._keep_checkpoint = keep_checkpoint if trainer.resumes else None
        self.total = training.epochs if total is None else total
        self._log_every = training.log_every
        self._stopping = training.early_stopping
        self._patience = Patience()
        self._plateau = network.spec.training.optimizer.plateau()
        self._memory = None if self._plateau is None else self._plateau.start()
        self._watched = {who.monitor for who in (self._stopping, self._plateau) if who is not None}
        self._best: dict[str, Array] = {}
        if self._stopping is not None and self._stopping.restore_best:
            theta, state = trainer.kept()
            self._best = {"theta": theta.copy(), **{f"state.{name}": kept.copy() for name, kept in state.items()}}
        self._start = None if trainer.resumes else Checkpoint({}, self._facts(), [])

    @property
    def seconds(self) -> float:
        """How long training took so far, before an interruption too."""
        return self._seconds_before + time.perf_counter() - self._begin

    def upcoming(self) -> Epoch | None:
        """Return the next epoch, or None where training ends."""
        if not self._goes_on:
            return None
        factor = 1.0 if self._memory is None else self._memory.factor
        return Epoch(self.epochs, self._wants_loss(self.epochs), factor)

    def after_epoch(self, loss: float) -> Epoch | None:
        """Record the epoch that has ended, with its loss where it was wanted, and return the next one.

        Raises
        ------
        TrainingError
            If a figure is not finite.
        """
        epoch, is_logged = self.epochs, self._is_logged(self.epochs)
        figures = {"loss": loss}
        if self._wants_loss(epoch):
            figures = self._figures(figures, None if is_logged else self._watched)
            for name, figure in figures.items():
                if not math.isfinite(figure):
                    raise not_finite(self._network, f"the {name.replace('_', ' ')} is {figure} in epoch {epoch + 1}")
            self._remember(figures)
        self.epochs, self._trainer.so_far = epoch + 1, EpochSoFar()
        if is_logged:
            self._log(figures)
        elif not self._goes_on:
            self._log(self._figures(figures))
        every = self._network.spec.training.checkpoint_every
        if self._keep_checkpoint is not None and every is not None and self.epochs % every == 0 and self._goes_on:
            self._keep_checkpoint(self._tensors(), self._facts(), self.history)
        return self.upcoming()

    def close(self, loss: float) -> None:
        """Log the last epoch, of which this was the loss, where training ended before its time."""
        self.epochs = max(self.epochs, 1)  # nothing to gain from the start is an epoch too
        if not self.history or self.history[-1]["epoch"] != self.epochs:
            self._log(self._figures({"loss": loss}))

    def end(self, reason: str) -> str:
        """Return how training ended, in words; the reason is what ended it before the last epoch, where nothing else.

        Examples: ``all epochs``, ``early stopping after epoch 13, weights of epoch 3 restored``, ``interrupted in
        epoch 7``.
        """
        best = self.epochs - self._patience.waited
        restored = f", weights of epoch {best} restored" if self._has_best and best < self.epochs else ""
        if self._trainer.so_far.batches or not self.epochs:
            return f"{reason} in epoch {self.epochs + 1}{restored}"
        if self._is_exhausted:
            return f"early stopping after epoch {self.epochs}{restored}"
        if self.epochs == self.total:
            return f"{ALL_EPOCHS}{restored}"
        return f"{reason} after epoch {self.epochs}{restored}"

    def _figures(self, known: dict[str, float], wanted: Container[str] | None = None) -> dict[str, float]:
        """Return what is known, and what the monitors say of the weights that would be kept now: the wanted, or all."""
        theta, state = self._trainer.kept()
        told = {
            name: known[name] if name in known else monitor(theta, state)
            for name, monitor in self._monitors.items()
            if wanted is None or name in wanted
        }
        return {"loss": known["loss"], **told}

    def _log(self, figures: Mapping[str, float]) -> None:
        record = {"epoch": self.epochs, **figures}
        self.history.append(record)
        self._observer.logged(self.epochs, record)

    def result(self) -> tuple[Array, State]:
        """Return the parameters and states to keep: the best ones where the spec asks for them."""
        if self._has_best:
            state = {name.removeprefix("state."): kept for name, kept in self._best.items() if name != "theta"}
            return self._best["theta"], state
        theta, state = self._trainer.kept()
        return theta.copy(), state

    def resume(self, checkpoint: Checkpoint) -> None:
        """Go on from where a checkpoint was taken, if the trainer can; it starts again if not."""
        if not self._trainer.resumes:
            return
        checkpoint.restore(self._tensors())
        facts = checkpoint.facts
        self._trainer.restore(facts)
        self.history, self.epochs, self._seconds_before = list(checkpoint.history), facts["epochs"], facts["seconds"]
        best = facts["best"]
        self._patience = Patience(math.inf if best is None else best, facts["waited"])
        if self._plateau is not None:
            self._memory = self._plateau.start(**facts["plateau"])
        self._observer.resumed(self.epochs, self.seconds)

    def checkpoint(self) -> Checkpoint:
        """Return where training stands, to go on from; where the trainer cannot, that is its start."""
        return self._start or Checkpoint(self._tensors(), self._facts(), self.history)

    def _remember(self, figures: Mapping[str, float]) -> None:
        """Remember what those who watch were told, and the best weights."""
        if self._plateau is not None and self._memory is not None:
            self._memory = self._plateau.after(self._memory, figures[self._plateau.monitor])
        if self._stopping is None:
            return
        self._patience = self._patience.after(figures[self._stopping.monitor], self._stopping.min_delta)
        if self._best and not self._patience.waited:
            theta, state = self._trainer.kept()
            self._best["theta"][:] = theta
            for name, kept in state.items():
                self._best[f"state.{name}"][...] = kept

    @property
    def _is_exhausted(self) -> bool:
        return self._stopping is not None and self._patience.waited >= self._stopping.patience

    @property
    def _has_best(self) -> bool:
        """Whether there are weights to restore."""
        return bool(self._best) and self._patience.best < math.inf

    def _facts(self) -> dict[str, Any]:
        """Return the numbers that a checkpoint needs."""
        return {
            "epochs": self.epochs,
            **self._trainer.facts(),
            "seconds": self.seconds,
            "best": self._patience.best if self._patience.best < math.inf else None,
            "waited": self._patience.waited,
            "plateau": None if self._memory is None else self._memory.as_dict(),
        }

    def _tensors(self) -> dict[str, Array]:
        """Return the arrays that a checkpoint needs, by name; they go on changing while training does."""
        return {**self._trainer.tensors(), **{f"best.{name}": array for name, array in self._best.items()}}

    def _wants_loss(self, epoch: int) -> bool:
        return bool(self._watched) or self._is_logged(epoch)

    @property
    def _goes_on(self) -> bool:
        return self.epochs < self.total and not self._is_exhausted

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
