"""The one mistake that a call is refused for."""

from collections.abc import Callable
from typing import Any

import pytest

from specnet import SpecnetError


def mistake(kind: type[SpecnetError], call: Callable[[], object]) -> Any:
    """Return what is wrong, of which there is one thing."""
    with pytest.raises(kind) as caught:
        call()
    (problem,) = caught.value.diagnostics
    return problem
