"""Observers of a training run, such as a progress display."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from specnet.errors import DataError, Diagnostic, SpecnetWarning, rendered

if TYPE_CHECKING:
    from specnet.network import Network
    from specnet.training.looks.snapshot import Snapshot


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

        It may raise `StopTraining`. An observer that overrides this is told of each logged epoch before the next one
        begins, unless its `follows_log` is False: small networks take longer then, since otherwise many epochs are
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
        """Whether `trained` does anything: it is not called for networks in other processes."""
        return type(self).trained is not Observer.trained

    @property
    def follows_log(self) -> bool:
        """Whether `logged` is called before the next epoch begins; default: if it is overridden.

        An observer that makes this False is told of several epochs at once, in their order and some hundredths of a
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
    """Tell an observer of the error that ends what is done in this context."""
    try:
        yield
    except BaseException as error:
        observer.closed(error)
        raise


EVENTS = (
    *("opened", "warned", "started", "member_started", "resumed", "engine_chosen"),
    *("logged", "ended", "evaluated", "closed"),
)
"""All but `trained`, which is asked for."""


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
