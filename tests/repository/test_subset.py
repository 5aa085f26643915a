"""`pytest -m "not slow"` has tests of every room, and none that needs what may be missing."""

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROCESSES = "processes"
"""The room of which every test starts some."""
ROOMS = sorted({folder.parent.name for folder in (ROOT / "specnet").glob("*/__init__.py")} - {PROCESSES})
COLLECTED = re.compile(r"^(tests/.*\.py)::", re.MULTILINE)

pytestmark = pytest.mark.slow  # all test files are imported


@pytest.fixture(scope="module")
def tests(request):
    """How many tests of each file are not slow, of all that there are, whichever were asked for."""
    fast = (item for item in request.session.items if not item.get_closest_marker("slow"))
    found = Counter(item.path.relative_to(ROOT).as_posix() for item in fast)
    if all(any(file.startswith(f"tests/{room}/") for file in found) for room in ROOMS):
        return found
    command = [sys.executable, "-m", "pytest", "--collect-only", "-m", "not slow", "-p", "no:cacheprovider"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, encoding="utf-8", check=True)
    return Counter(COLLECTED.findall(ended.stdout))


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_has_tests_that_are_not_slow(tests, room):
    assert sum(count for file, count in tests.items() if file.startswith(f"tests/{room}/")) >= 10


def test_peers_are_left_out_unless_they_are_named(tests):
    assert len(tests) > len(ROOMS)
    assert "tests/test_peers.py" not in tests
