"""A sweep that is killed leaves no workers and loses no trial that has ended."""

import random
import sys
from pathlib import Path

import pytest

from tests.running.sweeps.kills import SPEC, Killer, compare


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="finds processes in /proc")
def test_killed_and_resumed(tmp_path: Path):
    spec = SPEC.replace("trials = 40", "trials = 16")
    killer = Killer(tmp_path, random.Random(1), ("worker", "coordinator"), spec)
    killer.run(2, 0.25)
    assert killer.killed == {"worker": 1, "coordinator": 1}
    assert compare(tmp_path, spec) > 50
