"""The training loop: from rows and initial parameters to trained parameters and the history.

It ends after the last epoch, by early stopping, or by an interruption.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from specnet.compiler import MissingRuleError, UnavailableError
from specnet.data.feed import Feed
from specnet.errors import Diagnostic, TrainingError
from specnet.files.interruptions import Interruptions
from specnet.network import Network
from specnet.network.bound import not_available
from specnet.parts.arrays import Array
from specnet.training.after_epoch import INTERRUPTED, Keeper, TrainingProgress
from specnet.training.checkpoint import Checkpoint, LayerRecord, Snapshots, TrainingRecord
from specnet.training.epoch_metrics import Monitor, Monitors, not_finite
from specnet.training.layer_recorder import LayerRecorder
from specnet.training.observer import Observer
from specnet.training.steps.engine_choice import Choice, choose, without_compiled
from specnet.training.steps.lbfgs import LbfgsTrainer
from specnet.training.steps.stepper import Stepper
from specnet.training.steps.trainer import State, Trainer
from specnet.training.training_rows import TrainingRows


@dataclass
class TrainingResult:
    """The result of training.

    Attributes
    ----------
    theta : (parameter_count,)
    state : dict
        Layer states by name.
    history : list of dict
        A record for each logged epoch.
    epochs, steps : int
        Numbers of finished epochs and steps.
    seconds : float
        Seconds in the loop, including those before a checkpoint.
    end : str
        How training ended, in words.
    record : TrainingRecord
        Statistics of the layers and snapshots; empty unless requested.
    engine : Choice
        The engine that made the steps, and the reason for it.
    interruption : KeyboardInterrupt or None
        The interruption that ended training.
    reached : Checkpoint
        A checkpoint to resume from. With L-BFGS it is the start of training; for a finished ensemble member, the start
        of the next member.
    warnings : tuple of Diagnostic
        Warnings about the training rows.
    cross_fitted : ndarray (rows, outputs) or None
        Raw outputs for validation rows, in the form that the loss reads, each at the epoch that other validation rows
        have chosen. None if the epoch was not chosen by validation rows.
    """

    theta: Array
    state: dict[str, Array]
    history: list[dict[str, Any]]
    epochs: int
    steps: int
    seconds: float
    end: str
    record: TrainingRecord
    engine: Choice
    interruption: KeyboardInterrupt | None
    reached: Checkpoint
    warnings: tuple[Diagnostic, ...] = ()
    cross_fitted: Array | None = None

    @property
    def layer_records(self) -> list[LayerRecord]:
        """Statistics of the layers, as plain data: before training, at up to 20 epochs, and at the end."""
        return self.record.layer_records

    @property
    def snapshots(self) -> Snapshots:
        """Parameters and layer states by name, at a few epochs; empty unless the network has two inputs."""
        return self.record.snapshots


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
    member: int | None = None,
    choice: Choice | None = None,
    records: bool = False,
) -> TrainingResult:
    """Train a network on rows.

    Parameters
    ----------
    network : Network
    theta : (parameter_count,)
        Initial parameters; not changed.
    rows : TrainingRows
    monitors : mapping, optional
        Functions that compute metrics of each logged epoch, such as ``validation_loss``, by name; a `Monitors` may also
        have cross-fitted outputs.
    observer : Observer, optional
        Notified of the progress of training.
    keep_checkpoint : callable, optional
        Called with a checkpoint every `checkpoint_every` epochs.
    checkpoint : Checkpoint, optional
        Checkpoint to resume from; the result is the same, bit for bit, as without the interruption.
    state : mapping, optional
        Initial layer states by name.
    epochs : int, optional
        Number of epochs, including those before a checkpoint; default: that of the spec.
    interruptions : Interruptions, optional
        Handler of signals, which are delayed from here on; default: Ctrl-C is delayed until the end of a step.
    member : int, optional
        Number of an ensemble member, from 0. It selects the member's random numbers, and is part of each record.
    choice : Choice, optional
        The engine; default: the engine of the checkpoint, or the result of `choose` for these rows.
    records : bool
        Record the layers at some epochs with a `LayerRecorder`; the trained parameters stay the same, bit for bit.

    Raises
    ------
    TrainingError
        If the loss of a logged epoch is not finite, or a parameter at the end. The error has the history so far.

    Notes
    -----
    The order of rows in an epoch depends only on the seed and the number of the epoch.
    """
    theta, layer_state = theta.astype(network.dtype, order="C", copy=True), rows.layer_state(network)
    for name, array in (state or {}).items():
        layer_state[name][...] = array
    observer = observer or Observer()
    total = network.spec.training.epochs if epochs is None else epochs
    if choice is None:
        begun = None if checkpoint is None else checkpoint.facts["engine"]
        choice = choose(network, len(rows), total, begun)
    choice, trainer = _trainer(choice, network, theta, rows.feed(network, member), layer_state, member)
    observer.engine_chosen(choice.engine, choice.reason)
    recorder = LayerRecorder(network, rows.X, total) if records else None
    monitors = monitors if isinstance(monitors, Monitors) else Monitors(monitors or {})
    progress = TrainingProgress(network, trainer, monitors, observer, keep_checkpoint, total, member, recorder)
    if checkpoint is not None:
        progress.resume(checkpoint)
    ended, interruption = None, None
    with ExitStack() as stack:
        if interruptions is None:
            interruptions = stack.enter_context(Interruptions())
        interruptions.hold()
        stack.enter_context(np.errstate(all="ignore"))
        stack.enter_context(_failures_recorded(progress, recorder))
        try:
            span = progress.begin()
            ended = None if span is None else trainer.run(span, progress, interruptions)
            if ended is not None:
                progress.close(ended.loss)
        except KeyboardInterrupt as error:
            if not trainer.is_whole:
                raise
            interruption = error
        theta, layer_state = progress.result()
        numbers: dict[str, Array] = {"parameters": theta, **layer_state, "losses": np.array(trainer.so_far.loss)}
        for name, array in numbers.items():
            if not np.isfinite(array).all():
                raise not_finite(network, f"{name} are not all finite after epoch {progress.epochs}")
        reached = progress.checkpoint()
        if recorder is not None and interruption is None:
            recorder.finish(progress.epochs, progress.snapshot, (theta, layer_state))
    steps, seconds, end = trainer.step_number, progress.seconds, progress.end(ended.reason if ended else INTERRUPTED)
    observer.ended(progress.epochs, steps, seconds, end)
    record = TrainingRecord() if recorder is None else recorder.record()
    rest = record, choice, interruption, reached
    return TrainingResult(
        theta,
        layer_state,
        progress.history,
        progress.epochs,
        steps,
        seconds,
        end,
        *rest,
        cross_fitted=progress.cross_fitted(),
    )


@contextmanager
def _failures_recorded(progress: TrainingProgress, recorder: LayerRecorder | None) -> Iterator[None]:
    """Add the history and the layer records so far to an error that ends training."""
    try:
        yield
    except TrainingError as error:
        error.history = progress.history
        if recorder is not None:
            recorder.finish(progress.trained, progress.snapshot)
            error.layer_records = recorder.record().layer_records
        raise


def _trainer(
    choice: Choice, network: Network, theta: Array, feed: Feed, state: State, member: int | None
) -> tuple[Choice, Trainer]:
    """Return the choice of the engine and its trainer; falls back to NumPy if a part has no form in C.

    The fallback is only for a free choice (`Choice.is_free`). A failed build is always an error: the next build may
    succeed, and the engine of a spec would depend on it.
    """
    steps = network.spec.training.optimizer.stepping is not None
    if choice.engine == "compiled":
        from specnet.training.steps.compiled_steps import CompiledStepper

        try:
            kind = CompiledStepper if steps else LbfgsTrainer
            return choice, kind(network.run_by("compiled"), theta, feed, state, member)
        except UnavailableError as error:
            if not (choice.is_free and isinstance(error, MissingRuleError)):
                is_begun = network.spec.training.engine == "auto" and not choice.is_free
                raise not_available(network.spec, error, is_begun=is_begun) from error
            choice = without_compiled(network.spec, error)
    return choice, (Stepper if steps else LbfgsTrainer)(network.run_by("numpy"), theta, feed, state, member)
