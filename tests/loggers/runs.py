"""A run that fails or is interrupted at an epoch, and goes on from its last checkpoint."""

from pathlib import Path

import pytest

import specnet
from specnet import Observer
from specnet.training import Observers
from tests.running import moons

_SPLIT = "n_samples = 60\nsplit = { test_size = 0.2, validation_size = 0.2 }"
MOONS = moons.MOONS.replace("n_samples = 60", _SPLIT) + 'metrics = ["accuracy"]\ncheckpoint_every = 4\n'
ENSEMBLE = "training.ensemble = { members = 2, validation = 'split' }"


def broken_off(logger: Observer, out: Path, ending: Observer, *overrides: str) -> None:
    """Run until an epoch that the logger is told of, but no checkpoint."""
    with pytest.raises((RuntimeError, KeyboardInterrupt)):
        specnet.run(MOONS, out, observer=Observers(logger, ending), overrides=overrides)


def resumed(logger: Observer, out: Path, *overrides: str) -> specnet.RunResult:
    return specnet.run(MOONS, out, resume=True, observer=logger, overrides=overrides)
