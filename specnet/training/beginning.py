"""The beginning of a training, up to an epoch: which records are of it, and how training stops at its end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from specnet.training.checkpoint import MEMBER
from specnet.training.looks.snapshot import Snapshot
from specnet.training.observer import Observer


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
        """Return whether a record of the history, or a look, is of it."""
        return (record.get(MEMBER, 0), record["epoch"]) <= self


class Stopped(KeyboardInterrupt):
    """The end of a beginning: what was reached is kept, as after Ctrl-C."""


class StopAfter(Observer):
    """Ends training with a beginning.

    All else is as in the whole training, whose number of epochs schedules and logged epochs depend on.
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
