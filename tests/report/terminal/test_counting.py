"""The bar of work that takes more than a moment."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from specnet.parts.data import Csv
from specnet.report.terminal.bars import CountProgress, reading_shown
from tests.report.terminal.terminals import Terminal


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Show work from its beginning."""
    for name in ("SECONDS_UNSEEN", "SECONDS_BETWEEN_FRAMES"):
        monkeypatch.setattr(f"specnet.report.terminal.bars.{name}", 0.0)


def counted(stream: io.StringIO | None) -> None:
    with CountProgress(stream, "things done") as progress:
        for done in range(1, 4):
            progress.show(done, 3000)


def test_work_that_takes_longer_is_seen_on_a_terminal(soon: None) -> None:
    terminal = Terminal()
    counted(terminal)
    assert "1/3 000 things done" in terminal.getvalue()
    assert "3/3 000 things done" in terminal.getvalue()


def test_the_bar_goes_when_all_is_done(soon: None) -> None:
    terminal = Terminal()
    with CountProgress(terminal, "things done") as progress:
        progress.show(1, 2)
        progress.show(2, 2)
        assert terminal.getvalue().count("\x1b[?25h") == 1, "the cursor is shown again"


def test_reading_a_file_is_seen_on_a_terminal(tmp_path: Path, soon: None) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("a\n" + "1\n" * 500)
    terminal, stream = Terminal(), io.StringIO()
    with reading_shown(terminal):
        Csv(path=str(path), target="a").read_features(path.parent)
    assert "/1 002 " in terminal.getvalue()
    with reading_shown(stream), reading_shown(None):
        Csv(path=str(path), target="a").read_features(path.parent)
    assert stream.getvalue() == ""


def test_short_work_shows_nothing() -> None:
    terminal = Terminal()
    counted(terminal)
    assert terminal.getvalue() == ""


def test_elsewhere_nothing_is_shown(soon: None) -> None:
    stream = io.StringIO()
    counted(stream)
    counted(None)
    assert stream.getvalue() == ""
