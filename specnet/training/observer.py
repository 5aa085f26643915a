"""Observers of a training run, such as a progress display, and the snapshots of the network that they receive.

`StopAfter` ends training after an epoch, to repeat only the beginning of a run.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import copy
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from specnet.errors import DataError, Diagnostic, SpecnetWarning, rendered
from specnet.network import LayerOutputs, Network
from specnet.parts.arrays import Array
from specnet.training.checkpoint import MEMBER
from specnet.training.steps.trainer import State, StepSize, Trainer, WeightSizes


class Snapshot:
    """The current state of a network in training. Each method computes anew and returns read-only copies.

    Parameters
    ----------
    network : Network
    trainer : Trainer
    """

    def __init__(self, network: Network, trainer: Trainer) -> None:
        # NumPy, since there are too few calls for compiling to pay.
        self._network, self._trainer = network.run_by("numpy"), trainer
        self._fixed: tuple[Array, State] | None = None
        self._sizes = WeightSizes(network.layout)

    def at(self, theta: Array, state: State) -> Snapshot:
        """Return a snapshot of the given parameters and layer states; its steps and gradient are the current ones."""
        found = copy(self)
        found._fixed = theta, state
        return found

    @property
    def _model_state(self) -> tuple[Array, State]:
        return (self._trainer.theta, self._trainer.layer_state) if self._fixed is None else self._fixed

    def parameters(self) -> dict[str, Array]:
        """Return the current parameters by name: a weight is (outputs, inputs).

        These are neither averages nor the best ones so far.
        """
        return self._by_name(self._model_state[0].copy())

    def gradient(self) -> dict[str, Array] | None:
        """Return the last gradient by the names of the parameters; None before the first step.

        It is the gradient of the last batch, at the parameters before the step; 0 for frozen parameters.
        """
        if not self._trainer.step_number:
            return None
        found = np.zeros_like(self._trainer.theta)
        learning = self._trainer.gradient
        found[: len(learning)] = learning
        return self._by_name(found)

    def layer_outputs(self, X: ArrayLike) -> dict[str, LayerOutputs]:
        """Return the outputs of each layer for rows, before and after its activation, by the name of the layer.

        Computed in evaluation mode: without dropout, and with running averages.

        Parameters
        ----------
        X : (rows, inputs)
            Preprocessed rows.
        """
        theta, state = self._model_state
        found = self._network.layer_outputs(theta, X, state)
        _protect(array for outputs in found.values() for array in outputs)
        return found

    def weight_sizes(self) -> dict[str, float | None]:
        """Return the root mean square of the weights of each layer, by the layer's name; None if it is not finite."""
        return self._sizes(self._model_state[0])

    def layer_state(self) -> dict[str, Array]:
        """Return the current layer states by name, such as running averages; empty for most networks."""
        found = {name: array.copy() for name, array in self._model_state[1].items()}
        _protect(found.values())
        return found

    def step_sizes(self, epoch: int) -> Mapping[str, StepSize] | None:
        """Return the size of an epoch's first step in the weights of each layer, by the name of the layer.

        None if it was not measured; it is measured in the epochs for which `Observer.trained` is called.

        Parameters
        ----------
        epoch : int
            The last finished epoch.
        """
        return self._trainer.meter.sizes(epoch)

    def _by_name(self, vector: Array) -> dict[str, Array]:
        _protect([vector])
        return self._network.parameters(vector)


def _protect(arrays: Iterable[Array]) -> None:
    for array in arrays:
        array.flags.writeable = False


class StopTraining(Exception):  # noqa: N818 - a request, not an error
    """Raised by `Observer.logged` to end a run that is not worth its time; such a run has no model.

    Attributes
    ----------
    epoch : int
        The last epoch that was trained.
    """

    def __init__(self, epoch: int) -> None:
        super().__init__(f"stopped by an observer after epoch {epoch}")
        self.epoch = epoch


class Observer:
    """An observer of a run. Override the methods for the events of interest; all other methods do nothing."""

    def opened(self, folder: Path | None, history: Sequence[Mapping[str, Any]] | None) -> None:
        """A run begins; called before all other events, but not by `fit`.

        `folder` is the folder of the run's files, or None if no files are written. `history` has the records up to the
        checkpoint from which the run resumes, of all members of an ensemble; None if the run starts from the beginning.
        """

    def warned(self, diagnostics: Sequence[Diagnostic]) -> None:
        """Training rows are suspicious: `diagnostics` are the warnings; called before training begins."""

    def started(self, network: Network, rows: Mapping[str, int], epochs: int) -> None:
        """Training begins: the network, the number of rows of each split, and the number of epochs."""

    def member_started(self, member: int, members: int) -> None:
        """Training of a member of an ensemble begins: its number from 0, and the number of members.

        The following events are about this member; `started` was about all of them.
        """

    def resumed(self, epochs: int, seconds: float) -> None:
        """Training resumes after this number of epochs, which took this number of seconds."""

    def engine_chosen(self, engine: str, reason: str) -> None:
        """The engine is chosen: "numpy" or "compiled", and the reason in words."""

    def logged(self, epoch: int, record: Mapping[str, Any]) -> None:
        """An epoch was logged: its number from 1, and its record in the history.

        It may raise `StopTraining`. An observer that overrides this is notified of each logged epoch before the next
        epoch begins, unless its `follows_log` is False. This makes the training of small networks slower, since
        otherwise many epochs are trained in one call.
        """

    def trained(self, epoch: int, snapshot: Snapshot) -> None:
        """An epoch has ended, logged or not; called for the epochs of `next_epoch`, with 0 before the first epoch.

        The snapshot shows the network after this epoch until this method returns.
        """

    def next_epoch(self, epoch: int) -> int | None:
        """Return the next epoch for which `trained` is called; None if there is none.

        Default: every epoch, if `trained` is overridden. Fewer epochs cost less: between two of them, the compiled
        engine trains many epochs in one call. The answer for an epoch must always be the same.

        Parameters
        ----------
        epoch : int
            The epoch after which to search; −1 for the first epoch of all, which may be 0.
        """
        return epoch + 1 if self.takes_snapshots else None

    def ended(self, epochs: int, steps: int, seconds: float, end: str) -> None:
        """Training ended after these numbers of epochs, steps and seconds; `end` says how."""

    def evaluated(self, metrics: Mapping[str, Mapping[str, float | None]]) -> None:
        """The model of a run was evaluated: its metrics by split and name; None for an undefined metric."""

    def closed(self, error: BaseException | None) -> None:
        """A run or a `fit` is over, and its files are written; `error` has ended it, None if it is complete.

        This is the last event. After an interruption, `error` is a KeyboardInterrupt.
        """

    @property
    def takes_snapshots(self) -> bool:
        """Whether `trained` is overridden; it is not called for networks in other processes."""
        return type(self).trained is not Observer.trained

    @property
    def follows_log(self) -> bool:
        """Whether `logged` is called before the next epoch begins; default: True if `logged` is overridden.

        If False, the observer is notified of several epochs at once, in order and some hundredths of a second late.
        """
        return type(self).logged is not Observer.logged


def check_observer(observer: Any) -> None:
    """Check that an argument is an observer or None.

    Raises
    ------
    DataError
        If it is neither.
    """
    if observer is not None and not isinstance(observer, Observer):
        hint = "pass an instance of a subclass of specnet.Observer"
        raise DataError(f"observer must be a specnet.Observer, got {observer!r}", hint=hint)


@contextmanager
def closing(observer: Observer) -> Iterator[None]:
    """Call `observer.closed` with an error that ends this context, and raise the error again."""
    try:
        yield
    except BaseException as error:
        observer.closed(error)
        raise


EVENTS = (
    *("opened", "warned", "started", "member_started", "resumed", "engine_chosen"),
    *("logged", "ended", "evaluated", "closed"),
)
"""All events except `trained`, which is only for the epochs of `next_epoch`."""


class Relay(Observer):
    """An observer that passes each event of `EVENTS` to a function, as the method's name and its arguments."""

    def __init__(self, pass_on: Callable[[str, tuple[Any, ...]], object], *, follows_log: bool = True) -> None:
        self._pass_on, self._follows_log = pass_on, follows_log

    @property
    def follows_log(self) -> bool:
        return self._follows_log


def _relayed(event: str) -> Callable[..., None]:
    def method(self: Relay, *arguments: Any) -> None:
        self._pass_on(event, arguments)

    return method


for _event in EVENTS:
    setattr(Relay, _event, _relayed(_event))


class Observers(Relay):
    """An observer that notifies several observers in order."""

    def __init__(self, *observers: Observer) -> None:
        super().__init__(self._notify)
        self._observers = observers

    def _notify(self, event: str, arguments: tuple[Any, ...]) -> None:
        for observer in self._observers:
            getattr(observer, event)(*arguments)

    def trained(self, epoch: int, snapshot: Snapshot) -> None:
        for observer in self._observers:
            if observer.next_epoch(epoch - 1) == epoch:
                observer.trained(epoch, snapshot)

    def next_epoch(self, epoch: int) -> int | None:
        epochs = (observer.next_epoch(epoch) for observer in self._observers)
        return min((found for found in epochs if found is not None), default=None)

    @property
    def takes_snapshots(self) -> bool:
        return any(observer.takes_snapshots for observer in self._observers)

    @property
    def follows_log(self) -> bool:
        return any(observer.follows_log for observer in self._observers)


class PythonWarnings(Observer):
    """An observer that issues Python warnings about suspicious rows, for the caller `calls` levels above `fit_rows`."""

    def __init__(self, calls: int) -> None:
        self._calls = calls

    def warned(self, diagnostics: Sequence[Diagnostic]) -> None:
        for text in rendered(diagnostics):
            warnings.warn(text, SpecnetWarning, stacklevel=2 + self._calls)


class WarningRecorder(Observer):
    """An observer that appends warnings about suspicious rows to a list, as plain data."""

    def __init__(self, found: list[dict[str, Any]]) -> None:
        self._found = found

    def warned(self, diagnostics: Sequence[Diagnostic]) -> None:
        self._found += [diagnostic.as_dict() for diagnostic in diagnostics]


class Beginning(NamedTuple):
    """The beginning of a training: all ensemble members before `member`, and `member` up to an epoch.

    Attributes
    ----------
    member : int
        Number of the last member, from 0; 0 without an ensemble.
    epochs : int
        Number of epochs of this member.
    """

    member: int
    epochs: int

    def covers(self, record: Mapping[str, Any]) -> bool:
        """Return whether a record of the history or of the layers is of an epoch in this beginning."""
        return (record.get(MEMBER, 0), record["epoch"]) <= self


class Stopped(KeyboardInterrupt):
    """Raised at the end of a beginning: training returns its state, as after Ctrl-C."""


class StopAfter(Observer):
    """An observer that ends training at the end of a `Beginning`.

    Schedules and logged epochs are those of the whole training, since its number of epochs does not change.
    """

    def __init__(self, beginning: Beginning) -> None:
        self._beginning, self._member = beginning, 0

    def member_started(self, member: int, members: int) -> None:
        self._member = member

    def next_epoch(self, epoch: int) -> int | None:
        return self._beginning.epochs if epoch < self._beginning.epochs else None

    def trained(self, epoch: int, snapshot: Snapshot) -> None:
        if self._member == self._beginning.member:
            raise Stopped
