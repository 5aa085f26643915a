"""Files that are refused."""

from collections.abc import Callable
from pathlib import Path

import pytest

from specnet import FileError
from tests.importing.answers import reason_of
from tests.texts.pinned import Refused

Refuse = Callable[..., str]


@pytest.fixture
def refuse(refused: Refused) -> Refuse:
    """Return a function that expects that a file is refused, pins the error, and returns its reason."""

    def refuse(path: Path, **how: str) -> str:
        return reason_of(path, refused(FileError, at=path.name, **how))

    return refuse
