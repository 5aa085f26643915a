"""The texts that users read are those of the snapshot."""

from pathlib import Path

import pytest

from tests.texts.made import document
from tests.texts.snapshot import SNAPSHOT, TITLE, pinned_cases

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_texts_are_those_of_the_snapshot() -> None:
    expected, _, _ = SNAPSHOT.read_text(encoding="utf-8").partition(f"\n{TITLE}")
    assert document() == expected, "python -m tests.texts makes it anew"


def test_the_snapshot_has_texts_of_tests_that_there_are_alone() -> None:
    for name in pinned_cases():
        file, _, test = name.partition("::")
        assert f"def {test.partition('[')[0]}(" in (ROOT / file).read_text(encoding="utf-8")
