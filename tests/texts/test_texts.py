"""The texts that users read are those of the snapshot."""

import pytest

from tests.texts.made import SNAPSHOT, document


@pytest.mark.slow
def test_texts_are_those_of_the_snapshot() -> None:
    assert document() == SNAPSHOT.read_text(encoding="utf-8"), "python -m tests.texts makes it anew"
