"""Where specs are read from, and where their values stand."""

import os
import tomllib
from pathlib import Path

import numpy as np
import pytest

from specnet import DataError, FileError, SpecError
from specnet.errors import Diagnostic, Position
from specnet.spec.reading.reader import read
from tests.spec.cases import GOOD, files
from tests.texts.pinned import Refused

TEXT = """\
name = "é"
[network]
"layer sizes".b = [1, [2, { c = 3 }]]  # comment
[[network.layers]]
type = "dense"
[[network.layers]]
split.x = '''two
lines'''
[network.layers.deep]
y = 1
"""


JSON = '{"n\\u00e9": "日本", "b": [1,\n {"c": -1.5e3}]}\n'


def test_places_of_toml():
    places = read(TEXT).locations
    expected = {
        ("name",): ((1, 8, 3), (1, 1, 4)),
        ("network",): ((2, 2, 7), (2, 2, 7)),
        ("network", "layer sizes"): ((3, 1, 13), (3, 1, 13)),
        ("network", "layer sizes", "b"): ((3, 19, 19), (3, 15, 1)),
        ("network", "layer sizes", "b", 0): ((3, 20, 1), None),
        ("network", "layer sizes", "b", 1, 1): ((3, 27, 9), None),
        ("network", "layer sizes", "b", 1, 1, "c"): ((3, 33, 1), (3, 29, 1)),
        ("network", "layers", 0): ((4, 3, 14), (4, 11, 6)),
        ("network", "layers", 1, "split", "x"): ((7, 11, 6), (7, 7, 1)),
        ("network", "layers", 1, "deep"): ((9, 2, 19), (9, 17, 4)),
        ("network", "layers", 1, "deep", "y"): ((10, 5, 1), (10, 1, 1)),
    }
    for path, (value, key) in expected.items():
        assert places[path].value == Position(*value), path
        assert places[path].key == (Position(*key) if key else None), path


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_a_byte_order_mark_and_windows_lines_leave_places_where_an_editor_shows_them(tmp_path: Path, line_end: str):
    path = tmp_path / "spec.toml"
    path.write_bytes(b"\xef\xbb\xbf" + line_end.join(["a = 1", "b = nan", ""]).encode())
    with pytest.raises(SpecError) as caught:
        read(path)
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.position == Position(2, 5, 3)
    assert diagnostic.line_text == "b = nan"
    assert diagnostic.source == str(path)
    path.write_bytes(b"\xef\xbb\xbf\xef\xbb\xbfa = 1\n")
    with pytest.raises(SpecError):
        read(path)


def test_the_language_follows_from_the_text_or_the_name(tmp_path: Path, refused: Refused):
    (tmp_path / "a.json").write_text('{"a": 1}')
    (tmp_path / "b.toml").write_text('\n {"a": 1}')
    (tmp_path / "c").write_text("a = 1")
    for name, language in [("a.json", "json"), ("b.toml", "json"), ("c", "toml")]:
        document = read(tmp_path / name)
        assert document.data == {"a": 1}
        assert document.format == language
        assert document.folder == tmp_path
    (tmp_path / "d.json").write_text("a = 1")
    with refused(SpecError, code="syntax", at="d.json:1:1"):
        read(os.fspath(tmp_path / "d.json"))


def test_no_utf_8_is_refused_at_its_place(tmp_path: Path, refused: Refused):
    path = tmp_path / "latin.toml"
    path.write_bytes("# é\nname = 'ä'\n".encode("latin-1").replace(b"\xe9", "é".encode()))
    with pytest.raises(SpecError) as caught:
        read(path)
    (diagnostic,) = caught.value.diagnostics
    assert (diagnostic.code, diagnostic.position) == ("encoding", Position(2, 9))
    path.write_bytes("a = 1\n".encode("utf-16"))
    with refused(SpecError, code="encoding", at="latin.toml:1:1"):
        read(path)


def test_files_that_cannot_be_read(tmp_path: Path, refused: Refused):
    for source, message in [
        (tmp_path / "none.toml", "file not found"),
        (tmp_path, "is a folder without run.json; expected a spec file or the folder of a run"),
        ("a\0b", "a path cannot contain a null character"),
        ("\ud800", "invalid file name"),
        ("x" * 5000, "file name too long"),
        ("layer_sizes = [1]", "file not found"),
        (' {"seed": 0}', "file not found"),
    ]:
        with pytest.raises(FileError) as caught:
            read(source)
        (diagnostic,) = caught.value.diagnostics
        assert diagnostic.source in (os.fspath(source), repr(source))
        hint = "to pass a spec as text, include a line break"
        assert diagnostic.message == message
        assert (diagnostic.hint == hint) == ("seed" in str(source) or "=" in str(source))
    large = tmp_path / "large.toml"
    large.write_bytes(b"#" * 1_000_001)
    with refused(FileError, at="large.toml"):
        read(large)
    with refused(SpecError, code="too-large", at="<text>"):
        read("#" * 1_000_000 + "\n")
    large.write_bytes(b"#" * 1_000_000)
    assert read(large).data == {}


def test_a_mapping_may_hold_numbers_and_arrays_of_numpy_tuples_and_paths():
    data = {"a": np.int64(3), "b": (np.float32(0.5), [True]), "c": Path("x.csv"), "d": {"e": np.bool_(True)}}
    assert read(data).data == {"a": 3, "b": (0.5, (True,)), "c": "x.csv", "d": {"e": True}}
    assert read({"a": -(2**63), "b": 2**63 - 1}).data == {"a": -(2**63), "b": 2**63 - 1}
    arrays = {"a": np.array([5, 4]), "b": np.array("adam"), "c": [np.array([[0.5], [1.0]]), np.array(["x"], object)]}
    plain = read(arrays).data
    assert plain == {"a": (5, 4), "b": "adam", "c": (((0.5,), (1.0,)), ("x",))}
    assert {type(number) for number in plain["a"]} == {int}


KINDS = "set builtin_function_or_method bytes complex complex"


def test_what_a_mapping_may_not_hold():
    endless: list[object] = []
    endless.append(endless)
    wide: object = 1
    for _ in range(40):
        wide = [wide, wide]
    numbers = [float("nan"), np.array([1.0, np.inf])]
    kinds = [{1, 2}, print, b"bytes", 1j, np.zeros(1, complex)]
    keys = [{1: 2}, {None: 2}, {(1,): 2}, {b"a": 2}, {-(10**16): 2}, {"\ud800": 1}]
    for code, values, messages in [
        ("null", [None, np.ma.masked_equal([1, 2], 2)], ["null is not supported"] * 2),
        ("not-finite", numbers, [f"expected a finite number, got {each}" for each in ("nan", "inf")]),
        ("number-range", [2**63, -(2**63) - 1], ["expected an integer of at most 64 bits"] * 2),
        ("encoding", ["\udc00"], ["invalid Unicode: unpaired surrogate"]),
        ("wrong-type", kinds, [f"values of type {each} are not supported" for each in KINDS.split()]),
        (
            "key",
            keys,
            [f"invalid key {each}" for each in ("1", "null", "a list", "a bytes", "about -1e16", '"\\ud800"')],
        ),
        ("too-deep", [endless], ["more than 64 levels of nesting"]),
        ("too-large", [wide], ["more than 50000 values"]),
    ]:
        for value, message in zip(values, messages, strict=True):
            with pytest.raises(SpecError) as caught:
                read({"good": 1, "key": value})
            (diagnostic,) = caught.value.diagnostics
            assert (diagnostic.code, diagnostic.message) == (code, message)
            assert diagnostic.hint == ("omit the key" if code == "null" else None)
            assert diagnostic.path[0] == "key"
            assert (diagnostic.source, diagnostic.position) == (None, None)
            str(caught.value).encode()
    deepest: object = 1
    for _ in range(63):
        deepest = [deepest]
    assert read({"deep": deepest, "many": [1] * (50_000 - 65)}).data
    with pytest.raises(SpecError, match=r"\]: 3 more mistakes$") as caught:
        read({"key": [None] * 103})
    assert len(caught.value.diagnostics) == 101


def test_what_is_no_source_at_all(refused: Refused):
    for source in (None, 3, b"a = 1\n", ["a"]):
        with refused(DataError):
            read(source)


def test_a_stack_that_is_nearly_full_is_no_other_error(monkeypatch: pytest.MonkeyPatch, refused: Refused):
    def overflow(text: str) -> None:
        raise RecursionError

    monkeypatch.setattr(tomllib, "loads", overflow)
    with refused(SpecError, code="too-deep", at="<text>"):
        read("a = 1\n")


def test_messages_of_the_parser_name_keys_as_a_document_does(refused: Refused):
    with refused(SpecError, code="syntax"):  # with the whole line
        read("a = { b = 1, b = 2, c = 3, d = 4 }\n")
    with refused(SpecError, code="syntax", at="<text>:2:5"):
        read("a = { b = { c = 1 } }\n[a.b]\n")
    with refused(SpecError, code="syntax", at="<text>:2:304"):
        read(f"a = {{ {'x' * 300} = {{ c = 1 }} }}\n[a.{'x' * 300}]\n")


def test_a_mistake_of_data_alone_gets_its_location():
    document = read("a = 1\n[b]\nc = 2\n")
    note = Diagnostic("note", "see")
    located = document.located(Diagnostic("code", "message", ("b", "c"), hint="hint", notes=(note,)))
    assert located == Diagnostic("code", "message", ("b", "c"), "<text>", Position(3, 5, 1), "c = 2", "hint", (note,))
    for other in (located, Diagnostic("code", "message")):
        assert document.located(other) is other


def test_64_levels_are_not_too_deep_whatever_makes_them():
    nested, deep = "[" * 64 + "]" * 64, "b." * 23
    lines = [
        f"k = {nested}",
        f"{'a.' * 63}a = 1",
        f"l = {nested} # {'[' * 80}",
        f"{'c.' * 39}c = {{ {deep}b = 1, {'b.' * 22}c = [[]], d = 1 }}",
        f'm = """{"[" * 80}"""',
        f"[{'d.' * 39}d]",
        f"{deep}b = 1",
        f"{deep}c = 1",
        f"[[{'e.' * 39}e]]",
        f"{'b.' * 22}b = 1",
        f"[{'f.' * 62}f] # ]",
        "b = 1",
        "[g]",
        f"n = [{{ {'b.' * 59}b = {{ c = 1 }} }}, {nested[2:-2]}]",
    ]
    text = "\n".join(lines) + "\n"
    assert len(read(text).data) == 9
    for number, line in enumerate(lines):
        deeper = line.replace("= 1", "= [1]").replace("= [[", "= [[[").replace("= {", "= { z.z").replace("z.z c", "z.c")
        if deeper != line:
            with pytest.raises(SpecError) as caught:
                read("\n".join([*lines[:number], deeper, *lines[number + 1 :]]))
            (diagnostic,) = caught.value.diagnostics
            assert (diagnostic.code, diagnostic.position and diagnostic.position.line) == ("too-deep", number + 1)
    assert read('{"a":' * 64 + "0" + "}" * 64 + "\n").data


@pytest.mark.parametrize("text", [TEXT, JSON, *GOOD.values(), *(path.read_text("utf-8") for path in files())])
def test_every_value_stands_at_its_place(text: str):
    document = read(text + "\n")

    def check(value: object, path: tuple[str | int, ...]) -> set[tuple[str | int, ...]]:
        if path:
            place = document.locations[path]
            lines = place.text.content.split("\n")
            if isinstance(value, bool | int | float | str) and "\n" not in str(value):
                said = lines[place.value.line - 1][place.value.column - 1 :][: place.value.length]
                assert tomllib.loads(f"value = {said}")["value"] == value
            if place.key is not None:
                said = lines[place.key.line - 1][place.key.column - 1 :][: place.key.length]
                (step,) = tomllib.loads(f"{said} = 0")
                assert step == next(step for step in reversed(path) if isinstance(step, str))
            else:
                assert isinstance(path[-1], int)
        items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, tuple) else ()
        return {path}.union(*(check(inner, (*path, step)) for step, inner in items))

    assert check(document.data, ()) == {(), *document.locations}
