"""The one mistake that a call is refused for."""

from collections.abc import Callable

import pytest

from specnet.errors import Diagnostic, SpecnetError


def mistake(kind: type[SpecnetError], call: Callable[[], object]) -> Diagnostic:
    """Return what is wrong, of which there is one thing."""
    with pytest.raises(kind) as caught:
        call()
    (problem,) = caught.value.diagnostics
    return problem
