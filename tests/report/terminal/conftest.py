"""A terminal that may show colours."""

import pytest

from tests.report.terminal.terminals import Terminal


@pytest.fixture(autouse=True)
def lively(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "80")
    return Terminal()
