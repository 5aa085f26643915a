"""Who watches a training run: a progress display, a test, or nobody."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from specnet.errors import DataError, Diagnostic, SpecnetWarning, render

if TYPE_CHECKING:
    from specnet.network import Network
    from specnet.training.snapshot import Snapshot


class Observer:
    """Follows a run; override the methods for the events of interest, all others do nothing."""

    def warned(self, diagnostics: Sequence[Diagnostic]) -> None:
        """The rows look as if training on them makes no sense; called before training begins, if they do."""

    def started(self, network: Network, rows: Mapping[str, int], epochs: int) -> None:
        """Training begins: the network, the number of rows of each split, and the number of epochs."""

    def resumed(self, epochs: int, seconds: float) -> None:
        """Training goes on after so many epochs, and so many seconds that were spent on them."""

    def logged(self, epoch: int, record: Mapping[str, Any]) -> None:
        """An epoch was logged: its number from 1, and its line of the history."""

    def trained(self, epoch: int, snapshot: Snapshot) -> None:
        """Training stands at the end of an epoch, logged or not, or with 0 before the first one.

        The snapshot shows the network as it is when asked, so that it is of this epoch only until this returns.
        """

    def ended(self, epochs: int, steps: int, seconds: float, end: str) -> None:
        """Training ended after so many epochs and steps, and so many seconds in its loop; `end` says how."""


def check_observer(observer: Any) -> None:
    """Refuse what is not an observer; None is nobody.

    Raises
    ------
    DataError
    """
    if observer is not None and not isinstance(observer, Observer):
        hint = "pass an instance of a subclass of specnet.Observer"
        raise DataError(f"observer must be a specnet.Observer, got {observer!r}", hint=hint)


class Observers(Observer):
    """Tells several observers, one after the other."""

    def __init__(self, *observers: Observer) -> None:
        self._observers = observers

    def warned(self, diagnostics: Sequence[Diagnostic]) -> None:
        for observer in self._observers:
            observer.warned(diagnostics)

    def started(self, network: Network, rows: Mapping[str, int], epochs: int) -> None:
        for observer in self._observers:
            observer.started(network, rows, epochs)

    def resumed(self, epochs: int, seconds: float) -> None:
        for observer in self._observers:
            observer.resumed(epochs, seconds)

    def logged(self, epoch: int, record: Mapping[str, Any]) -> None:
        for observer in self._observers:
            observer.logged(epoch, record)

    def trained(self, epoch: int, snapshot: Snapshot) -> None:
        for observer in self._observers:
            observer.trained(epoch, snapshot)

    def ended(self, epochs: int, steps: int, seconds: float, end: str) -> None:
        for observer in self._observers:
            observer.ended(epochs, steps, seconds, end)


class PythonWarnings(Observer):
    """Turns what looks suspicious into Python's warnings, as of the caller so many calls above `fit_rows`."""

    def __init__(self, calls: int) -> None:
        self._calls = calls

    def warned(self, diagnostics: Sequence[Diagnostic]) -> None:
        for diagnostic in diagnostics:
            warnings.warn(render(diagnostic, "warning"), SpecnetWarning, stacklevel=2 + self._calls)


class WarningRecorder(Observer):
    """Adds what looks suspicious to a list, as plain data."""

    def __init__(self, found: list[dict[str, Any]]) -> None:
        self._found = found

    def warned(self, diagnostics: Sequence[Diagnostic]) -> None:
        self._found += [diagnostic.as_dict() for diagnostic in diagnostics]
