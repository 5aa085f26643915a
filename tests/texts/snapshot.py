"""The file of texts, and what takes those that tests meet."""

from collections import defaultdict
from pathlib import Path

import pytest

SNAPSHOT = Path(__file__).parent / "snapshot.txt"
TITLE = "# Tests\n"


def pinned_cases() -> dict[str, list[str]]:
    """Return the texts of each test."""
    cases = defaultdict(list)
    for case in SNAPSHOT.read_text(encoding="utf-8").partition(TITLE)[2].split("\n== ")[1:]:
        name, _, text = case.partition("\n")
        cases[name].append(text.strip("\n"))
    return cases


class Recorder:
    """A plugin of pytest that runs the tests with pinned texts alone, and takes these as they are."""

    def __init__(self) -> None:
        self.cases: list[tuple[str, str]] = []

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Leave out the other tests."""
        items[:] = [item for item in items if "pinned" in getattr(item, "fixturenames", ())]
