"""What tests of rows share."""

from collections.abc import Callable

import pytest


@pytest.fixture
def numbers_at_once(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Return what lets so many numbers of an array be read at once."""
    return lambda count: monkeypatch.setattr("specnet.parts.arrays.NUMBERS_AT_ONCE", count)
