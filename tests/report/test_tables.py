"""Tables for pipes and for terminals."""

import io
import os

import pytest

from specnet.report.tables import TextTable
from specnet.report.terminal import is_lively, visible, write_line, write_mistakes, write_table

FIGURES = TextTable(
    ("", "loss", "accuracy"), [("train", "0.2993", "85.4 %"), ("test", "12.5", "9.0 %")], frozenset({1, 2})
)


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def lively(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "60")
    return Terminal()


def test_columns_are_aligned_and_lines_end_without_blanks() -> None:
    assert FIGURES.lines() == [
        "          loss   accuracy",
        "train   0.2993     85.4 %",
        "test      12.5      9.0 %",
    ]
    assert TextTable(("a", "b"), [("1", "")]).lines() == ["a   b", "1"]


def test_a_pipe_gets_the_plain_table_however_wide() -> None:
    stream = io.StringIO()
    write_table(stream, TextTable(("name", "text"), [("x", "y" * 500)]))
    assert stream.getvalue() == f"name   text\nx      {'y' * 500}\n"


def test_a_terminal_gets_a_bold_header_and_folded_cells(lively: Terminal) -> None:
    write_table(lively, TextTable(("name", "text"), [("[bold]x[/bold]", "y" * 100)], folded=frozenset({1})))
    text = lively.getvalue()
    assert "\x1b[1m" in text
    assert "[bold]x[/bold]" in text
    assert text.count("\n") == 4, "the long cell takes three lines of a narrow window"
    assert text.count("y") == 100


def test_a_window_that_is_too_narrow_wraps_the_plain_table(lively: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    table = TextTable(("name", "text"), [("x" * 10, "y" * 100)], folded=frozenset({1}))
    assert table.least_width == 10 + 3 + 12
    write_table(lively, table)
    assert lively.getvalue().splitlines() == table.lines()


def test_colour_is_for_terminals_and_never_with_no_color(lively: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    assert is_lively(lively)
    assert not is_lively(io.StringIO())
    monkeypatch.setenv("NO_COLOR", "1")
    assert not is_lively(lively)
    write_table(lively, FIGURES)
    assert lively.getvalue().splitlines() == FIGURES.lines()


def test_a_terminal_that_knows_no_codes_gets_none(lively: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    assert not is_lively(lively)


def test_texts_cannot_steer_the_terminal() -> None:
    hostile = "a\x1b[31m\x07\x7f\x9b\u202eb\tc\n"
    shown = visible(hostile)
    assert shown == "a␛[31m␇␡\ufffd\ufffdb\tc\n"
    assert len(shown) == len(hostile)
    stream = io.StringIO()
    write_line(stream, "x\x1b]0;title")
    write_table(stream, TextTable(("name",), [("\x1b[2J",)]))
    assert "\x1b" not in stream.getvalue()


def test_mistakes_stand_out_on_a_terminal_and_say_the_same(lively: Terminal) -> None:
    text = (
        'bad.toml:14:17: error[unknown-part]: unknown activation "rleu"\n'
        '   14 | activations = ["rleu", "sigmoid"]\n'
        '      |                ^^^^^^ did you mean "relu"?'
    )
    write_mistakes(lively, text)
    codes = lively.getvalue()
    assert "\x1b[1;31merror[unknown-part]:\x1b[0m" in codes
    assert "\x1b[1;31m^^^^^^\x1b[0m" in codes
    plain = io.StringIO()
    write_mistakes(plain, text)
    assert plain.getvalue() == text + "\n"
    assert "\x1b" not in plain.getvalue()


def test_long_lines_of_mistakes_are_left_to_the_terminal(lively: Terminal) -> None:
    write_mistakes(lively, "x" * 200)
    assert "x" * 200 + "\n" in lively.getvalue().replace(os.linesep, "\n")
