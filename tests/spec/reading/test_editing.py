"""TOML texts with other values: what is said changes, what is written around it stays."""

import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from specnet.files.toml import toml_key, toml_value
from specnet.spec.reading.editing import TomlText
from specnet.spec.reading.overrides import with_change
from specnet.spec.reading.plain_values import plain
from specnet.spec.reading.source_document import Document

GONE = object()


def edited(text: str, *changes: tuple[str, Any]) -> str:
    """Return a text with changes, each at the path of a setting."""
    old = new = plain(Document(tomllib.loads(text))).data
    for key, value in changes:
        new, _ = with_change(new, key.split("."), None if value is GONE else value, value is GONE)
    new = plain(Document(new)).data
    result = TomlText(text).with_data(old, new)
    assert same(tomllib.loads(result), new)
    return result


def same(first: Any, second: Any) -> bool:
    """Whether two values are the same, types and the bits of floats included; tables may differ in order."""
    if isinstance(first, Mapping) and isinstance(second, Mapping):
        return first.keys() == second.keys() and all(same(first[key], second[key]) for key in first)
    if isinstance(first, list | tuple) and isinstance(second, list | tuple):
        return len(first) == len(second) and all(map(same, first, second))
    return type(first) is type(second) and repr(first) == repr(second)


LONG = "".join(f"{number % 7}, # {number}\n" for number in range(1000))
CASES = {
    "a value, its comments": ("# a\nx = 1 # b\n# c\n", [("x", 2)], "# a\nx = 2 # b\n# c\n"),
    "types that are equal": ("x = 1\ny = 1.0\n", [("x", True), ("y", 1)], "x = true\ny = 1\n"),
    "a float to the last bit": ("x = 1\n", [("x", 0.1 + 0.2)], "x = 0.30000000000000004\n"),
    "a small float": ("x = 1\n", [("x", 1e-6)], "x = 1e-06\n"),
    "text": ("x = 1\n", [("x", 'a"\\\n\x7f é')], 'x = "a\\"\\\\\\n\\u007f é"\n'),
    "text over several lines": ('x = """\n# a\n""" # b\ny = 1\n', [("x", 2), ("z", 3)], "x = 2 # b\ny = 1\nz = 3\n"),
    "lists of lists": ("x = [[1], [2]]\n", [("x.1", (3, 4))], "x = [[1], [3, 4]]\n"),
    "a new key at the end": (
        "[a]\nx = 1 # x\n\n# of b\n[b]\ny = 1\n",
        [("a.q", 2), ("b.q", 3)],
        "[a]\nx = 1 # x\nq = 2\n\n# of b\n[b]\ny = 1\nq = 3\n",
    ),
    "a new key of a table without keys": ("[a] # a\n\n[b]\n", [("a.q", 2)], "[a] # a\nq = 2\n\n[b]\n"),
    "a new key as far in as the others": ("[a]\n  x = 1\n", [("a.q", 2)], "[a]\n  x = 1\n  q = 2\n"),
    "a new key of the document": (
        "#:schema s\n\n# of a\n[a]\nx = 1\n",
        [("q", 2)],
        "#:schema s\n\nq = 2\n\n# of a\n[a]\nx = 1\n",
    ),
    "a new key in an empty text": ("# a\n", [("q", 2)], "# a\nq = 2\n"),
    "a new table": ("x = 1\n", [("a.b.c", 2)], "x = 1\na = { b = { c = 2 } }\n"),
    "a key in quotes": ('[a]\n"x y" = 1\n', [("a.x y", 2), ("a.é", 3)], '[a]\n"x y" = 2\n"é" = 3\n'),
    "dotted keys": ("a.x = 1\nb.y = 1\n", [("a.q", 2), ("a.x", 3)], "a.x = 3\na.q = 2\nb.y = 1\n"),
    "dotted keys in a table": ("[d]\ns.t = 0.2 # t\nz = 1\n", [("d.s.q", 2)], "[d]\ns.t = 0.2 # t\ns.q = 2\nz = 1\n"),
    "the last dotted key": ("[d]\na.b.c = 1\nz = 1\n", [("d.a.b.c", GONE)], "[d]\nz = 1\na.b = {  }\n"),
    "a table that only others name": ("\n# b\n[a.b]\nx = 1\n", [("a.q", 2)], "\n[a]\nq = 2\n\n# b\n[a.b]\nx = 1\n"),
    "tables out of order": (
        "[a.b]\nx = 1\n[c]\ny = 1\n[a.d]\nz = 1\n",
        [("a.b.q", 1), ("a.d.q", 2)],
        "[a.b]\nx = 1\nq = 1\n[c]\ny = 1\n[a.d]\nz = 1\nq = 2\n",
    ),
    "an inline table": ("x = { a = 1, b = 2 } # x\n", [("x.b", 3), ("x.q", 4)], "x = { a = 1, b = 3, q = 4 } # x\n"),
    "an empty inline table": ("x = {}\n", [("x.q", 4)], "x = { q = 4 }\n"),
    "keys of inline tables taken away": (
        "x = { a = 1, b = 2, c = 3 }\ny = { a = 1, b = 2 }\nz = {a.b = 1, a.c = 2}\n",
        [("x.a", GONE), ("y.b", GONE), ("z.a.b", GONE), ("z.a.q", 1)],
        "x = { b = 2, c = 3 }\ny = { a = 1 }\nz = {a.c = 2, a.q = 1}\n",
    ),
    "a key of an inline table in the place of the last": (
        "x = { a = 1, b = 2 }\n",
        [("x.b", GONE), ("x.q", 3)],
        "x = { a = 1, q = 3 }\n",
    ),
    "a name that becomes a table": ('x = "adam" # x\n', [("x.rate", 0.1)], 'x = { type = "adam", rate = 0.1 } # x\n'),
    "a switch that becomes a table": ("x = true # x\n", [("x.patience", 3)], "x = { patience = 3 } # x\n"),
    "a table that becomes a name": (
        "[a]\nx = 1\n# b\n[a.b]\ny = 1\n\n[c]\n",
        [("a.b", "n")],
        '[a]\nx = 1\nb = "n"\n[c]\n',
    ),
    "a table that becomes another": (
        "# b\n[b]\ntype = 'a' # t\nu = 1\nv = 2 # v\n",
        [("b", {"type": "c", "v": 3, "w": 4})],
        '# b\n[b]\ntype = "c" # t\nv = 3 # v\nw = 4\n',
    ),
    "a table that only others name becomes another": ("[a.b]\nx = 1\n[c]\n", [("a", {"q": 2})], "[a]\nq = 2\n\n[c]\n"),
    "entries of lists of tables": (
        "[[n.l]] # 0\nx = 1\n\n[[n.l]]\nx = 2 # 1\n[n.l.o]\ny = 1\n",
        [("n.l.1.x", 3), ("n.l.0.q", 4), ("n.l.1.o.y", 5), ("n.l.0.o.y", 6)],
        "[[n.l]] # 0\nx = 1\nq = 4\no = { y = 6 }\n\n[[n.l]]\nx = 3 # 1\n[n.l.o]\ny = 5\n",
    ),
    "an entry taken out of a list of tables": (
        "# 0\n[[l]]\nx = 1\n\n# 1\n[[l]]\nx = 2\n[l.o]\ny = 1\n\n# 2\n[[l]]\nx = 3\n",
        [("l.1", GONE)],
        "# 0\n[[l]]\nx = 1\n\n# 2\n[[l]]\nx = 3\n",
    ),
    "a list of tables that becomes another": (
        "[[n.l]]\nx = 1\n[[n.l]]\n[z]\n",
        [("n.l", ("a",))],
        '[n]\nl = ["a"]\n\n[z]\n',
    ),
    "a list of tables that gets longer": (
        "[n]\n[[n.l]]\nx = 1\n",
        [("n.l", ({"x": 1}, {"x": 2}))],
        "[n]\nl = [{ x = 1 }, { x = 2 }]\n",
    ),
    "a list over several lines": (
        "x = [ # x\n  1, # one\n  2, # two\n]\n",
        [("x.1", 3)],
        "x = [ # x\n  1, # one\n  3, # two\n]\n",
    ),
    "entries taken out of a list over several lines": (
        "x = [\n  1, # one\n  2, # two\n  3, # three\n]\n",
        [("x.2", GONE), ("x.0", GONE)],
        "x = [\n  2, # two\n]\n",
    ),
    "the last entry in the line of the bracket": ("x = [1,\n  2] # x\n", [("x.1", GONE)], "x = [1,] # x\n"),
    "entries taken out of a list in a line": ("x = [1, 2, 3] # x\n", [("x.2", GONE), ("x.0", GONE)], "x = [2] # x\n"),
    "a shorter list with an entry more in front": ("x = [ # x\n 1,\n 2,\n 3,\n]\n", [("x", (4, 1))], "x = [4, 1]\n"),
    "an entry taken out of a long list": (f"x = [ # x\n{LONG}]\n", [("x.0", GONE)], f"x = [ # x\n{LONG[7:]}]\n"),
    "an entry taken out of a list that is too long to be compared": (
        f"x = [ # x\n{LONG}8]\n",
        [("x.0", GONE)],
        f"x = [{', '.join(str(number % 7) for number in range(1, 1000))}, 8]\n",
    ),
    "comments behind the last entry": (
        "x = [\n  1, # one\n  2, # two\n  # end\n] # x\n",
        [("x.1", GONE)],
        "x = [\n  1, # one\n  # end\n] # x\n",
    ),
    "a list of another length": ("x = [1, 2] # x\n", [("x", (1, 2, 3))], "x = [1, 2, 3] # x\n"),
    "a key taken away": ("# x\nx = 1 # 1\n\n# y\ny = 2\n", [("y", GONE)], "# x\nx = 1 # 1\n"),
    "a key taken away with what stands above it": ("a = 1\n# x\nx = 1 # 1\ny = 2\n", [("x", GONE)], "a = 1\ny = 2\n"),
    "one empty line stays between what stays": ("a = 1\n\nx = 1\n\ny = 2\n", [("x", GONE)], "a = 1\n\ny = 2\n"),
    "comments at the start are about everything": ("# all\nx = 1\ny = 2\n", [("x", GONE)], "# all\ny = 2\n"),
    "comments at the start stay before tables too": ("# a\n# b\n[s]\nx = 1\n\n[n]\n", [("s", GONE)], "# a\n# b\n[n]\n"),
    "comments of several lines at the start": ("# a\n# b\nx = 1\ny = 2\n", [("x", GONE)], "# a\n# b\ny = 2\n"),
    "what stays is written as it was": (
        "x = 0x10\ny = 1_0 # y\nz = 'a'\nl = [ 1 , 2_0 ]\nd = { a = 1e3 , b = 'x' }\nq=1\n",
        [("q", 2), ("l.0", 3), ("d.a", 4)],
        "x = 0x10\ny = 1_0 # y\nz = 'a'\nl = [ 3 , 2_0 ]\nd = { a = 4 , b = 'x' }\nq=2\n",
    ),
    "a first table": ("[s]\nx = 1\n\n# n\n[n]\n", [("s", GONE)], "# n\n[n]\n"),
    "a table in the middle": (
        "[a]\n# a\n\n# s\n[s] # s\nx = 1 # s\n# s\n\n# s\n\n# n\n# n\n[n]\n",
        [("s", GONE)],
        "[a]\n# a\n\n# n\n# n\n[n]\n",
    ),
    "a table right above another": ("[a]\n[s]\nx = 1\n# n\n[n]\n", [("s", GONE)], "[a]\n# n\n[n]\n"),
    "a last table": ("[a]\nx = 1\n\n# s\n[s]\nx = 1\n\n# s\n", [("s", GONE)], "[a]\nx = 1\n"),
    "a table in pieces": ("[s.t]\nx = 1\n[a]\n[s]\ny = 1\n[b]\n[[s.l]]\n", [("s", GONE)], "[a]\n[b]\n"),
    "a table of dotted keys": ("a = 1\ns.x = 1 # s\n# s\ns.'y.z' = [1]\nb = 2\n", [("s", GONE)], "a = 1\nb = 2\n"),
    "an inline table taken away": ("a = 1\ns = { x = 1 }", [("s", GONE)], "a = 1\n"),
    "Windows line ends": (
        "[a] # a\r\nx = 1\r\n\r\n[s]\r\n\r\n# b\r\n[b]\r\ny = [\r\n 1, # 1\r\n 2, # 2\r\n]\r\n",
        [("a.q", 2), ("s", GONE), ("b.y.1", GONE), ("r", 1)],
        "r = 1\r\n\r\n[a] # a\r\nx = 1\r\nq = 2\r\n\r\n# b\r\n[b]\r\ny = [\r\n 1, # 1\r\n]\r\n",
    ),
    "no line end": ("[a]\nx = 1 # x", [("a.x", 2), ("a.q", 3)], "[a]\nx = 2 # x\nq = 3"),
}


@pytest.mark.parametrize(("text", "changes", "expected"), CASES.values(), ids=CASES)
def test_only_what_changes_is_written(text: str, changes: list[tuple[str, Any]], expected: str):
    assert edited(text, *changes) == expected


KEYS = st.sampled_from(["a", "b", "c", "x y", "é", "1", "type"])
SCALARS = st.one_of(
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
    st.sampled_from([0, 1, "#", "\n#\n", "[a]"]),
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=8
)
TABLES = st.dictionaries(KEYS, VALUES | st.dictionaries(KEYS, VALUES, max_size=4), max_size=5)


class Writer:
    """Writes tables as they come: below headers, with dotted keys, in lines, with comments named after their paths."""

    def __init__(self, draw: st.DrawFn, newline: str) -> None:
        self.draw, self.newline = draw, newline
        self.marked: dict[tuple[str, ...], str] = {}

    def one_of(self, *ways: str) -> str:
        return self.draw(st.sampled_from(ways))

    def mark(self, path: tuple[str, ...], in_list: bool) -> str:
        mark = f"#{len(self.marked)}#"
        self.marked[(*path, *["in a list"] * in_list)] = mark
        return mark

    def pairs(self, table: Mapping[str, Any], path: tuple[str, ...], prefix: str, in_list: bool) -> Iterator[str]:
        for key, value in table.items():
            name, here = f"{prefix}{toml_key(key)}", (*path, key)
            if isinstance(value, dict) and value and self.one_of("inline", "dotted") == "dotted":
                yield from self.pairs(value, here, f"{name}.", in_list)
            elif isinstance(value, list) and value and self.one_of("line", "lines") == "lines":
                entries = f" # entry{self.newline}".join(f"  {toml_value(each)}," for each in value)
                yield f"{name} = [{self.newline}{entries}{self.newline}] {self.mark(here, in_list)}"
            else:
                yield f"{name} = {toml_value(value)} {self.mark(here, in_list)}"

    def lines(self, table: Mapping[str, Any], path: tuple[str, ...], names: str, in_list: bool) -> Iterator[str]:
        apart = {
            key: way
            for key, value in table.items()
            if (way := self.one_of("pair", "header" if isinstance(value, dict) else _list_way(value))) != "pair"
        }
        yield from self.pairs({key: value for key, value in table.items() if key not in apart}, path, "", in_list)
        for key, way in apart.items():
            header = f"{names}{toml_key(key)}"
            if way == "header":
                section = [*self.lines(table[key], (*path, key), f"{header}.", in_list)]
                yield self.one_of("", "# of the table below")
                if not section or "[" not in section[0][:1] or self.one_of("named", "implied") == "named":
                    yield f"[{header}]"
                yield from section
                yield from self.one_of("", "# end").splitlines()
            else:
                for entry in table[key]:
                    yield from ("", f"[[{header}]] # entry")
                    yield from self.lines(entry, (*path, key), f"{header}.", True)


def _list_way(value: Any) -> str:
    return "entries" if isinstance(value, list) and value and all(isinstance(each, dict) for each in value) else "pair"


@st.composite
def documents(draw: st.DrawFn) -> tuple[str, dict[str, Any], dict[tuple[str, ...], str]]:
    """Draw a text, what it says, and the comments behind its values."""
    data, newline = draw(TABLES), draw(st.sampled_from(["\n", "\r\n"]))
    writer = Writer(draw, newline)
    text = newline.join(writer.lines(data, (), "", False)) + draw(st.sampled_from(["", newline]))
    return text, data, writer.marked


@st.composite
def changed(draw: st.DrawFn, value: Any) -> Any:
    """Draw what a value may become: itself, another, or the same with changes inside."""
    way = draw(st.integers(0, 9))
    if way == 0:
        return draw(VALUES)
    if isinstance(value, dict):
        kept = {key: draw(changed(each)) for key, each in value.items() if draw(st.integers(0, 4))}
        return kept | draw(st.dictionaries(KEYS, VALUES, max_size=way // 4))
    if isinstance(value, list):
        return [draw(changed(each)) for each in value if draw(st.integers(0, 4))] + draw(
            st.lists(VALUES, max_size=way // 8)
        )
    return value


@given(data=st.data(), document=documents())
@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_any_text_can_say_any_data(data: st.DataObject, document: tuple[str, Any, dict[tuple[str, ...], str]]):
    text, old, marked = document
    assert same(tomllib.loads(text), old)
    new = data.draw(changed(old))
    new = new if isinstance(new, dict) else {}
    before, after = (plain(Document(each)).data for each in (old, new))
    reader = TomlText(text)
    result = reader.with_data(before, after)
    assert same(tomllib.loads(result), new)
    for path, mark in marked.items():
        value: Any = new
        for step in path:
            value = value.get(step, GONE) if isinstance(value, dict) else GONE
        assert value is GONE or mark in result
    assert reader.with_data(before, before) == text
