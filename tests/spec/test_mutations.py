"""Whatever is done to a good spec, it is read or refused, and the schema says the same."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from specnet import Spec, SpecError, parse_spec
from tests.spec.cases import GOOD, files
from tests.spec.test_corpus import UNSAYABLE, data_of, validator

SOURCES = [*GOOD.values(), *(path.read_text(encoding="utf-8") for path in files())]
SIGNS = ["[", "]", "{", "}", "[[", "]]", "=", ".", ",", '"', "'", '"""', "'''", "#", "\\"]
CHARACTERS = ["\n", "\r", "\0", "\ufeff", "\ud800", "日本", "e\u0301"]
WORDS = ["null", "nan", "-inf", "1e999", "true", "0x1", "9" * 30, "1979-05-27", "type"]
PIECES = st.one_of(st.text(max_size=6), st.sampled_from([*SIGNS, *CHARACTERS, *WORDS]))
SCALARS = st.none() | st.booleans() | st.integers(-3, 5) | st.integers() | st.floats(-1e9, 1e9) | st.text(max_size=4)
KNOWN = ["relu", "dense", "adam", "zeros", "standardize", "full", "iris", "add", "block", "float64"]
KEYS = st.sampled_from(["type", "units", "layers", "name", "seed", "value", "x"])
VALUES = st.recursive(
    SCALARS | st.sampled_from([float("nan"), float("-inf"), *KNOWN]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=6,
)
often = settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])


@pytest.mark.slow
@given(st.data())
@often
def test_a_mutated_text_is_read_or_refused(data: st.DataObject):
    text = data.draw(st.sampled_from(SOURCES))
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(text)))
        end = min(len(text), start + data.draw(st.integers(0, 12)))
        text = text[:start] + data.draw(PIECES) + text[end:]
    try:
        assert isinstance(parse_spec(text + "\n"), Spec)
    except SpecError as error:
        str(error).encode()
        for diagnostic in error.diagnostics:
            position = diagnostic.position
            if position is not None:
                assert position.column <= len((text + "\n").split("\n")[position.line - 1]) + 1


@pytest.mark.slow
@given(st.data())
@often
def test_a_mutated_mapping_is_read_or_refused_as_the_schema_says(data: st.DataObject):
    spec = data_of(data.draw(st.sampled_from(SOURCES)))
    spec.pop("$schema", None)
    for _ in range(data.draw(st.integers(1, 2))):
        _change(spec, data)
    try:
        parse_spec(spec)
        codes: set[str] = set()
    except SpecError as error:
        codes = {diagnostic.code for diagnostic in error.diagnostics}
        str(error).encode()
    # What no JSON can hold is refused before all else, so that nothing follows about the rest.
    if not codes & {"encoding", "key", "number-range", "not-finite"}:
        assert validator().is_valid(spec) == (codes <= UNSAYABLE), codes


def _change(table: Any, data: st.DataObject) -> None:
    """Replace, add or remove something at a random place."""
    while True:
        keys = list(table) if isinstance(table, dict) else list(range(len(table)))
        inner = [key for key in keys if isinstance(table[key], dict | list) and table[key]]
        if not inner or data.draw(st.booleans()):
            break
        table = table[data.draw(st.sampled_from(inner))]
    action = data.draw(st.sampled_from(["replace", "remove", "add"]))
    if action == "add" or not keys:
        value = data.draw(VALUES)
        if isinstance(table, dict):
            table[data.draw(st.sampled_from(["type", "name", "inputs", "layers", "lr", "epochs", "units"]))] = value
        else:
            table.insert(data.draw(st.integers(0, len(table))), value)
    elif action == "replace":
        table[data.draw(st.sampled_from(keys))] = data.draw(VALUES)
    else:
        del table[data.draw(st.sampled_from(keys))]
