"""TOML texts with other values: what is said changes, what is written around it stays."""

import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from specnet.files.plain_data import toml_key, toml_value
from specnet.spec.reading.reader import plain, with_change
from specnet.spec.reading.source_document import Document
from specnet.spec.spec_writing import TomlText
from tests.cases.reading import cases

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


@pytest.mark.parametrize("name", cases("edits"))
def test_only_what_changes_is_written(name: str):
    case = cases("edits")[name]
    changes = [(key, value[0] if value else GONE) for key, *value in case["changes"]]
    assert edited(case["text"], *changes) == case["expected"]


def test_an_entry_is_taken_out_of_a_long_list_and_one_that_is_too_long_to_be_compared_is_written_anew():
    lines = "".join(f"{number % 7}, # {number}\n" for number in range(1000))
    assert edited(f"x = [ # x\n{lines}]\n", ("x.0", GONE)) == f"x = [ # x\n{lines[7:]}]\n"
    numbers = ", ".join(str(number % 7) for number in range(1, 1000))
    assert edited(f"x = [ # x\n{lines}8]\n", ("x.0", GONE)) == f"x = [{numbers}, 8]\n"


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
