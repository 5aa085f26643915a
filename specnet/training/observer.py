"""Observers of a training run, such as a progress display, and the snapshots of the network that they get.

`StopAfter` ends a training after an epoch, as where the beginning of a run is repeated.
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
    """The current state of a network in training. Each call computes anew and returns read-only copies.

    Parameters
    ----------
    network : Network
    trainer : Trainer
    """

    def __init__(self, network: Network, trainer: Trainer) -> None:
        # Too few calls to be worth compiling.
        self._network, self._trainer = network.run_by("numpy"), trainer
        self._fixed: tuple[Array, State] | None = None
        self._sizes = WeightSizes(network.layout)

    def at(self, theta: Array, state: State) -> Snapshot:
        """Return a snapshot of other parameters and layer states; its steps and gradient are the current ones."""
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

        It is the gradient for the last batch at the parameters before its step; 0 for frozen parameters.
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
        """Return the root mean square of the weights of each layer, by its name; None where it is not finite."""
        return self._sizes(self._model_state[0])

    def layer_state(self) -> dict[str, Array]:
        """Return the current layer states by name, such as running averages; empty for most networks."""
        found = {name: array.copy() for name, array in self._model_state[1].items()}
        _protect(found.values())
        return found

    def step_sizes(self, epoch: int) -> Mapping[str, StepSize] | None:
        """Return how large the first step of an epoch was in the weights of each layer, by the name of the layer.

        None if it was not measured: that is done in epochs with which an observer is called.

        Parameters
        ----------
        epoch : int
            The last finished one.
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
    """Follows a run; override the methods for the events of interest, all others do nothing."""

    def opened(self, folder: Path | None, history: Sequence[Mapping[str, Any]] | None) -> None:
        """A run begins; called before all other events, but not by `fit`.

        `folder` is where it is written, None for nowhere. `history` has the records up to the checkpoint from which
        the run resumes, of all members of an ensemble; None if it begins anew.
        """

    def warned(self, diagnostics: Sequence[Diagnostic]) -> None:
        """The training rows look suspicious, as diagnostics say; called before training begins."""

    def started(self, network: Network, rows: Mapping[str, int], epochs: int) -> None:
        """Training begins: the network, the number of rows of each split, and the number of epochs."""

    def member_started(self, member: int, members: int) -> None:
        """Training of a member of an ensemble begins: its number from 0, and the number of members.

        The following events are about this member; `started` was about all of them.
        """

    def resumed(self, epochs: int, seconds: float) -> None:
        """Training resumes after this number of epochs, which took this number of seconds."""

    def engine_chosen(self, engine: str, reason: str) -> None:
        """The steps are made by an engine, "numpy" or "compiled", for that reason."""

    def logged(self, epoch: int, record: Mapping[str, Any]) -> None:
        """An epoch was logged: its number from 1, and its record in the history.

        It may raise `StopTraining`. An observer that overrides this is notified of each logged epoch before the next
        one begins, unless its `follows_log` is False: small networks take longer then, since otherwise many epochs are
        trained in one go.
        """

    def trained(self, epoch: int, snapshot: Snapshot) -> None:
        """An epoch has ended, logged or not; called with 0 before the first one, and with those of `next_epoch`.

        The snapshot shows the current network, which is that of this epoch until this method returns.
        """

    def next_epoch(self, epoch: int) -> int | None:
        """Return the first epoch after this one with which `trained` is to be called; None if there is none.

        Default: each one, if `trained` is overridden. Fewer of them cost less: between them, the compiled engine trains
        many epochs in one call. The answer for an epoch must always be the same.

        Parameters
        ----------
        epoch : int
            −1 to ask for the first one, which may be 0.
        """
        return epoch + 1 if self.takes_snapshots else None

    def ended(self, epochs: int, steps: int, seconds: float, end: str) -> None:
        """Training ended after these numbers of epochs, steps and seconds; `end` says how."""

    def evaluated(self, metrics: Mapping[str, Mapping[str, float | None]]) -> None:
        """The model of a run was evaluated: its metrics by split and name; None for one that is undefined."""

    def closed(self, error: BaseException | None) -> None:
        """A run or a `fit` is over, and its files are written; the error that ended it, None if it is complete.

        The last event. An interruption is a KeyboardInterrupt.
        """

    @property
    def takes_snapshots(self) -> bool:
        """Whether `trained` is overridden; it is not called for networks in other processes."""
        return type(self).trained is not Observer.trained

    @property
    def follows_log(self) -> bool:
        """Whether `logged` is called before the next epoch begins; default: if it is overridden.

        An observer that makes this False is notified of several epochs at once, in their order and some hundredths of a
        second late.
        """
        return type(self).logged is not Observer.logged


def check_observer(observer: Any) -> None:
    """Check that an argument is an observer or None.

    Raises
    ------
    DataError
    """
    if observer is not None and not isinstance(observer, Observer):
        hint = "pass an instance of a subclass of specnet.Observer"
        raise DataError(f"observer must be a specnet.Observer, got {observer!r}", hint=hint)


@contextmanager
def closing(observer: Observer) -> Iterator[None]:
    """Notify an observer of an error that ends this context."""
    try:
        yield
    except BaseException as error:
        observer.closed(error)
        raise


EVENTS = (
    *("opened", "warned", "started", "member_started", "resumed", "engine_chosen"),
    *("logged", "ended", "evaluated", "closed"),
)
"""All but `trained`, which is for requested epochs alone."""


class Relay(Observer):
    """Passes all events of `EVENTS` on, each as the name of its method and the arguments."""

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
    """Notifies several observers in order."""

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
    """Issues Python warnings about suspicious rows, attributed to the caller `calls` levels above `fit_rows`."""

    def __init__(self, calls: int) -> None:
        self._calls = calls

    def warned(self, diagnostics: Sequence[Diagnostic]) -> None:
        for text in rendered(diagnostics):
            warnings.warn(text, SpecnetWarning, stacklevel=2 + self._calls)


class WarningRecorder(Observer):
    """Appends warnings about suspicious rows to a list, as plain data."""

    def __init__(self, found: list[dict[str, Any]]) -> None:
        self._found = found

    def warned(self, diagnostics: Sequence[Diagnostic]) -> None:
        self._found += [diagnostic.as_dict() for diagnostic in diagnostics]


class Beginning(NamedTuple):
    """The members of an ensemble before one, and that one up to an epoch.

    Attributes
    ----------
    member : int
        From 0; 0 without an ensemble.
    epochs : int
    """

    member: int
    epochs: int

    def covers(self, record: Mapping[str, Any]) -> bool:
        """Return whether it has the epoch of a record of the history or of the layers."""
        return (record.get(MEMBER, 0), record["epoch"]) <= self


class Stopped(KeyboardInterrupt):
    """The end of a beginning: the state of training is returned, as after Ctrl-C."""


class StopAfter(Observer):
    """Ends training with a beginning.

    Everything else is as in the whole training: schedules and logged epochs depend on its number of epochs.
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
