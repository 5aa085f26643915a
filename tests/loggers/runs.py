"""A run that fails or is interrupted at an epoch, and goes on from its last checkpoint."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import specnet
from specnet import Observer
from specnet.training import Observers
from tests.running import moons

_SPLIT = "n_samples = 60\nsplit = { test_size = 0.2, validation_size = 0.2 }"
MOONS = moons.MOONS.replace("n_samples = 60", _SPLIT) + 'metrics = ["accuracy"]\ncheckpoint_every = 4\n'
ENSEMBLE = "training.ensemble = { members = 2, validation = 'split' }"


class Ending(Observer):
    """Raises an error in an epoch, of a member of an ensemble."""

    def __init__(self, epoch: int, error: BaseException, member: int = 0) -> None:
        self._place, self._error = (member, epoch), error

    def logged(self, epoch: int, record: Mapping[str, Any]) -> None:
        if (record.get("member", 0), epoch) == self._place:
            raise self._error


def broken_off(logger: Observer, out: Path, ending: Ending, *overrides: str) -> None:
    """Run until an epoch that the logger is told of, but no checkpoint."""
    with pytest.raises((RuntimeError, KeyboardInterrupt)):
        specnet.run(MOONS, out, observer=Observers(logger, ending), overrides=overrides)


def resumed(logger: Observer, out: Path, *overrides: str) -> specnet.RunResult:
    return specnet.run(MOONS, out, resume=True, observer=logger, overrides=overrides)
