"""Who watches a training run: a progress display, a test, or nobody."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from specnet.network import Network


class Observer:
    """Is told of a run's course, and does nothing; subclasses override what they want to hear."""

    def started(self, network: Network, rows: Mapping[str, int], epochs: int) -> None:
        """Training begins: the network, the number of rows of each split, and the number of epochs."""

    def resumed(self, epochs: int, seconds: float) -> None:
        """Training goes on after so many epochs, and so many seconds that were spent on them."""

    def logged(self, epoch: int, record: Mapping[str, Any]) -> None:
        """An epoch was logged: its number from 1, and its line of the history."""

    def ended(self, epochs: int, steps: int, seconds: float, end: str) -> None:
        """Training ended after so many epochs and steps, and so many seconds in its loop; `end` says how."""


class Observers(Observer):
    """Tells several observers, one after the other."""

    def __init__(self, *observers: Observer) -> None:
        self._observers = observers

    def started(self, network: Network, rows: Mapping[str, int], epochs: int) -> None:
        for observer in self._observers:
            observer.started(network, rows, epochs)

    def resumed(self, epochs: int, seconds: float) -> None:
        for observer in self._observers:
            observer.resumed(epochs, seconds)

    def logged(self, epoch: int, record: Mapping[str, Any]) -> None:
        for observer in self._observers:
            observer.logged(epoch, record)

    def ended(self, epochs: int, steps: int, seconds: float, end: str) -> None:
        for observer in self._observers:
            observer.ended(epochs, steps, seconds, end)
