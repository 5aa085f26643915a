"""The bar, the curve and the line in which they are drawn."""

from __future__ import annotations

import io

import pytest

from specnet.report.terminal.bars import LiveLine, bar, curve
from specnet.report.terminal.text_tables import text_width
from tests.report.terminal.terminals import Coded, Terminal


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ([], ""),
        ([3.0], "▁"),
        ([7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0], "▇▆▅▄▃▂▁"),
        ([1.0, 2.0], "▁▇"),
        ([0.0, 0.0], "▁▁"),
        ([1.0, 1.001, 0.999, 1.0], "▁▁▁▁"),
        ([0.5] * 12 + [1.0] * 12, "▁▁▁▁▁▁▇▇▇▇▇▇"),
        ([10.0, *[1.0] * 1000], "▇▁▁▁▁▁▁▁▁▁▁▁"),
        ([1e300, -1e300], "▇▁"),
    ],
)
def test_a_curve_goes_from_the_first_value_to_the_last(values: list[float], shown: str) -> None:
    assert curve(io.StringIO(), values) == shown


def test_a_bar_is_full_to_a_fraction() -> None:
    stream = io.StringIO()
    assert [bar(stream, fraction, 4) for fraction in (0.0, 0.5, 1.0, 2.0)] == ["────", "━━──", "━━━━", "━━━━"]
    terminal = Terminal()
    terminal.write(bar(terminal, 0.5))
    assert terminal.shown() == bar(stream, 0.5) != terminal.getvalue()


def test_without_block_characters_there_is_a_plain_bar_and_no_curve() -> None:
    assert bar(Coded("ascii"), 0.25, 8) == "##------"
    assert curve(Coded("ascii"), [2.0, 1.0]) == ""


@pytest.mark.parametrize(
    ("columns", "shown"),
    [
        (80, "━━━━━━━━━━──────────   1/2   loss 0.5 ▇▁   0.1 s left"),
        (52, "━━━━━━━━━─────────   1/2   loss 0.5 ▇▁   0.1 s left"),
        (39, "━━━━────   1/2   loss 0.5   0.1 s left"),
        (28, "━━━━━─────   1/2   loss 0.5"),
        (15, "━━━━────   1/2"),
        (10, "1/2"),
    ],
)
def test_what_does_not_fit_is_left_out(monkeypatch: pytest.MonkeyPatch, columns: int, shown: str) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    stream, loss, left = Terminal(), "loss 0.5", "0.1 s left"
    LiveLine(stream).draw(0.5, ["1/2", f"{loss} ▇▁", left], ["1/2", loss, left], ["1/2", loss], ["1/2"])
    text = stream.shown().lstrip("\r")
    assert text == shown
    assert text_width(text) < columns


def test_a_line_leaves_nothing_behind() -> None:
    stream = Terminal()
    line = LiveLine(stream)
    line.close()
    assert stream.getvalue() == ""
    line.draw(0.0, ["0/1"])
    line.draw(1.0, ["1/1"])
    line.close()
    line.close()
    assert stream.getvalue().endswith("\r\x1b[2K\x1b[?25h")
    assert stream.getvalue().count("\x1b[?25l") == stream.getvalue().count("\x1b[?25h") == 1


def test_a_terminal_that_has_gone_is_no_error() -> None:
    class Gone(Terminal):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    line = LiveLine(Gone())
    line.draw(0.5, ["1/2"])
    line.close()
