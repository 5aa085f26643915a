"""Tables for pipes and for terminals."""

import io
from collections.abc import Callable
from typing import Any

import pytest

from specnet.report.terminal import terminal_output, text_tables
from tests.report.terminal.terminals import Coded, Terminal

is_lively, write_line, write_table = terminal_output.is_lively, terminal_output.write_line, terminal_output.write_table
write_mistakes, write_parts = terminal_output.write_mistakes, terminal_output.write_parts
TextTable, flowing = text_tables.TextTable, text_tables.flowing
ROWS = [("train", "0.2993", "85.4 %"), ("test", "12.5", "9.0 %")]
FIGURES = TextTable(("", "loss", "accuracy"), ROWS, frozenset({1, 2}))


@pytest.fixture(autouse=True)
def narrow(monkeypatch: pytest.MonkeyPatch, lively: Terminal) -> None:
    monkeypatch.setenv("COLUMNS", "60")


def test_cells_that_are_cut_lose_their_ends_before_others_are_folded() -> None:
    rows = [("a name of words", "x", "日本語 and more of this"), ("b", "1 000", "short")]
    table = TextTable(("name", "n", "formula"), rows, folded=frozenset({0}), cut=frozenset({2}))
    assert table.lines() == [
        "name              n       formula",
        "a name of words   x       日本語 and more of this",
        "b                 1 000   short",
    ]
    assert table.lines(48)[1] == "a name of words  x      日本語 and more of this"
    assert table.lines(40) == [
        "name             n      formula",
        "a name of words  x      日本語 and more…",
        "b                1 000  short",
    ]
    assert table.lines(34)[1:3] == ["a name of      x      日本語 and…", "words"]


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


def test_columns_that_do_not_fit_stand_below_the_others(lively: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    table = TextTable(
        ("", "loss", "accuracy", "95 %", "constant"),
        [("train", "0.2993", "85.4 %", "", ""), ("test", "0.2667", "85.0 %", "74–92 %", "38.3 %")],
        frozenset({1, 2, 3, 4}),
    )
    assert table.lines(46) == table.lines()
    assert table.lines(45)[0] == "         loss  accuracy     95 %  constant", "there is less between them"
    assert table.lines(42) == table.lines(45)
    monkeypatch.setenv("COLUMNS", "33")
    write_table(lively, table)
    assert lively.shown().splitlines() == [
        "         loss  accuracy     95 %",
        "train  0.2993    85.4 %",
        "test   0.2667    85.0 %  74–92 %",
        "",
        "      constant",
        "test    38.3 %",
    ]
    assert lively.getvalue().count("\x1b[1m") == 2, "both headers are bold"


def test_a_narrow_terminal_without_colour_folds_too(lively: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    write_table(lively, TextTable(("name", "text"), [("x", "one two three four five " * 4)], folded=frozenset({1})))
    assert max(map(len, lively.getvalue().splitlines())) <= 60
    assert lively.getvalue().split() == ["name", "text", "x", *["one", "two", "three", "four", "five"] * 4]
    assert "\x1b" not in lively.getvalue()


def test_wide_and_joined_signs_take_the_columns_that_a_terminal_gives_them() -> None:
    table = TextTable(("name", "n"), [("日本", "1"), ("e\u0301t\u0301", "2"), ("abcde", "3")])
    assert table.lines() == ["name    n", "日本    1", "e\u0301t\u0301      2", "abcde   3"]


def test_parts_of_a_line_are_broken_between_each_other_first() -> None:
    parts = ["moons_2_5_1", "2 → 5 relu → 1 sigmoid", "21 parameters"]
    assert flowing(parts) == flowing(parts, 80) == ["moons_2_5_1   2 → 5 relu → 1 sigmoid   21 parameters"]
    assert flowing(parts, 40) == ["moons_2_5_1   2 → 5 relu → 1 sigmoid", "    21 parameters"]
    assert flowing(parts, 20) == ["moons_2_5_1", "    2 → 5 relu →", "    1 sigmoid", "    21 parameters"]


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


def test_rows_without_a_header_are_folded_but_for_their_names() -> None:
    rows = [("a.long.key", "1", "file line 3"), ("key", "a value of several words", "default")]
    wide, narrow = (" | ".join(text_tables.headless(rows, width)) for width in (None, 42))
    first = "a.long.key   1                          file line 3"
    assert wide == f"{first} | key          a value of several words   default"
    first = "a.long.key   1                 file line 3"
    assert narrow == f"{first} | key          a value of        default |              several words"
    assert text_tables.headless([]) == []


@pytest.mark.parametrize(
    ("text", "width", "lines"),
    [
        ("train for 20 000 epochs", 12, ["train for", "20 000", "epochs"]),
        ("it is 100.0 %", 11, ["it is", "100.0 %"]),
        ("train for 20 000 epochs", 13, ["train for", "20 000 epochs"]),
        ("batches of 32 rows", 13, ["batches of", "32 rows"]),
        ("8 000/20 000 rows read", 12, ["8 000/20 000", "rows read"]),
        ("variance_scaling", 14, ["variance_", "scaling"]),
        ("from runs/moons/1/model.safetensors", 12, ["from", "runs/moons/", "1/model.", "safetensors"]),
        ("one_abcdefghij", 6, ["one_", "abcdef", "ghij"]),
        ("3.14159265", 5, ["3.141", "59265"]),
        ("日本語", 4, ["日本", "語"]),
    ],
)
def test_texts_are_broken_between_words_at_joints_and_not_within_numbers(text: str, width: int, lines: list[str]):
    assert text_tables.wrapped(text, width) == lines


def test_a_terminal_breaks_paragraphs_anew(lively: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    text = "adam   optimizer\n\none two three four five\nsix:\n\n- an item\n  of a list\n- b\n\n    example = 1"
    terminal_output.write_prose(lively, text)
    assert lively.getvalue().splitlines() == [
        *("adam   optimizer", "", "one two three four", "five six:", "", "- an item of a list", "- b", ""),
        "    example = 1",
    ]
    assert piped(terminal_output.write_prose, text) == text + "\n"
