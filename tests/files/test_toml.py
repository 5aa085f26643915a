"""Specs written as TOML are read as what they were."""

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from specnet.files.plain_data import to_toml

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
PLAIN = st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False, allow_infinity=False) | TEXTS
INLINE = st.recursive(
    PLAIN, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3), max_leaves=5
)
TABLES = st.dictionaries(TEXTS, INLINE, max_size=4)
SECTIONS = st.dictionaries(TEXTS, INLINE | st.lists(TABLES, min_size=1, max_size=3), max_size=4)


@pytest.mark.slow
@given(st.dictionaries(TEXTS, PLAIN | st.lists(PLAIN, max_size=40) | SECTIONS, max_size=4))
def test_any_document_comes_back(document):
    assert tomllib.loads(to_toml(document)) == document


def test_long_lists_have_a_line_for_each_item():
    text = to_toml({"network": {"activations": ["hard_sigmoid"] * 12, "layer_sizes": [1, 2]}})
    assert text.count('\n    "hard_sigmoid",') == 12
    assert "layer_sizes = [1, 2]" in text
