"""A run that fails or is interrupted at an epoch, and goes on from its last checkpoint."""

import pytest

import specnet
from specnet.training import Observers
from tests.running import moons

_SPLIT = "n_samples = 60\nsplit = { test_size = 0.2, validation_size = 0.2 }"
MOONS = moons.MOONS.replace("n_samples = 60", _SPLIT) + 'metrics = ["accuracy"]\ncheckpoint_every = 4\n'
ENSEMBLE = "training.ensemble = { members = 2, validation = 'split' }"


def broken_off(logger, out, ending, *overrides):
    """Run until an epoch that the logger is told of, but no checkpoint."""
    with pytest.raises((RuntimeError, KeyboardInterrupt)):
        specnet.run(MOONS, out, observer=Observers(logger, ending), overrides=overrides)


def resumed(logger, out, *overrides):
    return specnet.run(MOONS, out, resume=True, observer=logger, overrides=overrides)
