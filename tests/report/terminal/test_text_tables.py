"""Tables for pipes and for terminals."""

import io
import tomllib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from specnet.report.terminal import terminal_output
from tests.report.terminal.terminals import Coded, Terminal

is_lively, write_line, write_table = terminal_output.is_lively, terminal_output.write_line, terminal_output.write_table
write_mistakes, write_parts = terminal_output.write_mistakes, terminal_output.write_parts
TextTable = terminal_output.TextTable
CASES = tomllib.loads(Path(__file__).with_name("tables.toml").read_text("utf-8"))
ROWS = [("train", "0.2993", "85.4 %"), ("test", "12.5", "9.0 %")]
FIGURES = TextTable(("", "loss", "accuracy"), ROWS, frozenset({1, 2}))


@pytest.fixture(autouse=True)
def narrow(monkeypatch: pytest.MonkeyPatch, lively: Terminal) -> None:
    monkeypatch.setenv("COLUMNS", "60")


def table(case: dict[str, Any]) -> terminal_output.TextTable:
    columns = {name: frozenset(case.get(name, ())) for name in ("right", "folded", "cut")}
    return TextTable(case["header"], case["rows"], **columns)


@pytest.mark.parametrize("name", CASES["tables"])
def test_a_table_fits_into_a_window(name: str) -> None:
    case = CASES["tables"][name]
    lines = table(case).lines if "header" in case else partial(terminal_output.headless, case["rows"])
    for width, expected in case["lines"].items():
        assert lines(None if width == "any" else int(width)) == expected.splitlines()


def test_columns_below_the_others_have_bold_headers_too(lively: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "33")
    (case,) = [case for name, case in CASES["tables"].items() if name.startswith("columns that do not fit")]
    write_table(lively, table(case))
    assert lively.shown() == case["lines"]["32"]
    assert lively.getvalue().count("\x1b[1m") == 2


@pytest.mark.parametrize("width", CASES["flowing"]["lines"])
def test_parts_of_a_line_are_broken_between_each_other_first(width: str) -> None:
    parts, lines = CASES["flowing"]["parts"], CASES["flowing"]["lines"]
    assert terminal_output.flowing(parts, int(width)) == lines[width]
    assert terminal_output.flowing(parts) == lines["80"]


@pytest.mark.parametrize(("text", "width", "lines"), [(text, width, lines) for text, width, *lines in CASES["wrapped"]])
def test_texts_are_broken_between_words_at_joints_and_not_within_numbers(text: str, width: int, lines: list[str]):
    assert terminal_output.wrapped(text, width) == lines


def piped(write: Callable[..., None], *given: Any, **options: Any) -> str:
    """Return what is written where there is no terminal."""
    stream = io.StringIO()
    write(stream, *given, **options)
    return stream.getvalue()


def test_a_pipe_gets_the_plain_table_however_wide() -> None:
    table = TextTable(("name", "text"), [("x", "y" * 500)])
    assert piped(write_table, table) == f"name   text\nx      {'y' * 500}\n"


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
    assert table.least_widths == [10, 12]
    write_table(lively, table)
    assert lively.shown().splitlines() == table.lines()


def test_a_narrow_terminal_without_colour_folds_too(lively: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    write_table(lively, TextTable(("name", "text"), [("x", "one two three four five " * 4)], folded=frozenset({1})))
    assert max(map(len, lively.getvalue().splitlines())) <= 60
    assert lively.getvalue().split() == ["name", "text", "x", *["one", "two", "three", "four", "five"] * 4]
    assert "\x1b" not in lively.getvalue()


def test_signs_that_an_encoding_lacks_have_plain_ones_in_their_place() -> None:
    stream = Coded("latin-1")
    write_parts(stream, "2 → 5", "±0.5", "日")
    write_table(stream, TextTable(("interval", "b"), [("74–92 %", "W·x − b"), ("…", "c")]))
    assert stream.getvalue() == "2 -> 5   ±0.5   日\ninterval   b\n74-92 %    W·x - b\n...        c\n"


def test_the_label_of_a_line_stands_out(lively: Terminal) -> None:
    write_parts(lively, "underfitting: 4 of 5", label="underfitting:")
    assert lively.getvalue() == "\x1b[1;33munderfitting:\x1b[0m 4 of 5\n"
    assert piped(write_parts, "underfitting: 4 of 5", label="underfitting:") == "underfitting: 4 of 5\n"


def test_colour_is_for_terminals_and_never_with_no_color(lively: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    assert is_lively(lively)
    assert not is_lively(io.StringIO())
    monkeypatch.setenv("NO_COLOR", "1")
    assert not is_lively(lively)
    write_table(lively, FIGURES)
    assert lively.getvalue().splitlines() == FIGURES.lines()
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("TERM", "dumb")
    assert not is_lively(lively)


def test_texts_cannot_steer_the_terminal() -> None:
    hostile = "a\x1b[31m\x07\x7f\x9b\u202eb\tc\n"
    shown = terminal_output.visible(hostile)
    assert shown == "a␛[31m␇␡\ufffd\ufffdb\tc\n"
    assert len(shown) == len(hostile)
    assert "\x1b" not in piped(write_line, "x\x1b]0;title") + piped(write_table, TextTable(("name",), [("\x1b[2J",)]))


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
    assert piped(write_mistakes, text) == text + "\n"
    long = Terminal()
    write_mistakes(long, "x" * 200)
    assert long.getvalue() == "x" * 200 + "\n"


def test_a_terminal_breaks_paragraphs_anew(lively: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    text = "adam   optimizer\n\none two three four five\nsix:\n\n- an item\n  of a list\n- b\n\n    example = 1"
    terminal_output.write_prose(lively, text)
    assert lively.getvalue().splitlines() == [
        *("adam   optimizer", "", "one two three four", "five six:", "", "- an item of a list", "- b", ""),
        "    example = 1",
    ]
    assert piped(terminal_output.write_prose, text) == text + "\n"


def test_names_of_columns_take_one_line_in_a_pipe_and_fit_into_a_window(lively: Terminal) -> None:
    rows = [("new\nline", "1"), ("x" * 200, "2")]
    assert piped(terminal_output.write_rows, rows).splitlines()[0].split() == ["new", "line", "1"]
    terminal_output.write_rows(lively, rows)
    assert max(map(len, lively.getvalue().splitlines())) <= 60
