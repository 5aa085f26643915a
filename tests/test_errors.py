"""How mistakes look: place, line, underline, hint and notes."""

import pickle

import pytest

from specnet import errors
from specnet.errors import DataError, Diagnostic, Position, SpecnetError, render


def underlined(line: str, column: int, length: int, hint: str | None = None) -> list[str]:
    """Return the two lines under the message."""
    diagnostic = Diagnostic("code", "message", (), "f", Position(7, column, length), line, hint)
    return render(diagnostic).split("\n")[1:]


def test_an_error_with_its_line_and_hint():
    diagnostic = Diagnostic(
        "unknown-part",
        'unknown activation "rleu"',
        ("network", "activations", 0),
        "specs/bad.toml",
        Position(14, 18, 6),
        '  activations = ["rleu", "sigmoid"]',
        'did you mean "relu"?',
    )
    assert render(diagnostic) == (
        'specs/bad.toml:14:18: error[unknown-part]: unknown activation "rleu"\n'
        '   14 |   activations = ["rleu", "sigmoid"]\n'
        '      |                  ^^^^^^ did you mean "relu"?'
    )


def test_notes_stand_below_with_their_own_lines():
    note = Diagnostic("note", "make_moons has 2 columns", (), "a.toml", Position(2, 2, 4), "[data]")
    error = Diagnostic("size-clash", "3 inputs", (), "a.toml", Position(10, 16), "layer_sizes = [3, 1]", notes=(note,))
    assert render(error).split("\n")[3:] == [
        "a.toml:2:2: note: make_moons has 2 columns",
        "   2 | [data]",
        "     |  ^^^^",
    ]


def test_without_a_text_the_path_is_the_place():
    assert render(Diagnostic("null", "null says nothing", ("network", "layers", 0), hint="leave the key out")) == (
        "network.layers.0: error[null]: null says nothing\n    leave the key out"
    )
    assert str(DataError("X is empty")) == "error[data]: X is empty"


@pytest.mark.parametrize(
    ("line", "column", "length", "shown", "marks"),
    [
        ("a\t=\tx", 5, 1, "a    =    x", "          ^"),
        ("\t'\t'", 2, 3, "    '    '", "    ^^^^^^"),
        ("日本 = x", 6, 1, "日本 = x", "       ^"),
        ("k = '日本'", 5, 4, "k = '日本'", "    ^^^^^^"),
        ("e\u0301 = x", 6, 1, "e\u0301 = x", "    ^"),
        ("a\x1b[31m = x", 9, 1, "a�[31m = x", "        ^"),
        ("\u202ea = \ud800", 6, 1, "�a = �", "     ^"),
        ("ab", 3, 1, "ab", "  ^"),
        ("ab", 1, 99, "ab", "^^"),
    ],
)
def test_marks_stand_under_the_value_whatever_the_line_holds(
    line: str, column: int, length: int, shown: str, marks: str
):
    assert underlined(line, column, length) == [f"   7 | {shown}", f"     | {marks}"]


def test_a_long_line_is_cut_around_the_value():
    line = "x" * 5000 + "VALUE" + "y" * 5000
    shown, marks = underlined(line, 5001, 5)
    assert len(shown) < 180
    assert shown[marks.index("^") : marks.index("^") + 5] == "VALUE"
    assert marks.endswith(" ^^^^^")
    shown, marks = underlined("z" * 5000, 1, 5000)
    assert len(shown) == len(marks) + 1
    assert shown.endswith("…")


def test_every_error_is_a_specnet_error_and_those_of_arguments_are_value_errors():
    assert issubclass(DataError, ValueError)
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.SpecnetError)]
    assert len(kinds) > 9
    for kind in kinds:
        error = kind("first", "second", hint="a hint", source="file")
        assert isinstance(error, SpecnetError)
        assert [diagnostic.message for diagnostic in error.diagnostics] == ["first", "second"]
        assert {(diagnostic.hint, diagnostic.source) for diagnostic in error.diagnostics} == {("a hint", "file")}
        again = pickle.loads(pickle.dumps(error))
        assert type(again) is kind
        assert again.diagnostics == error.diagnostics


def test_a_diagnostic_is_plain_data_too():
    note = Diagnostic("note", "there", (), "f", Position(1, 2, 3), "line")
    assert Diagnostic("code", "message", ("a", 0), "f", Position(4, 5, 6), "line", "hint", (note,)).as_dict() == {
        "code": "code",
        "message": "message",
        "source": "f",
        "path": ["a", 0],
        "line": 4,
        "column": 5,
        "length": 6,
        "hint": "hint",
        "notes": [
            {
                "code": "note",
                "message": "there",
                "source": "f",
                "path": [],
                "line": 1,
                "column": 2,
                "length": 3,
                "hint": None,
            }
        ],
    }
