"""Mistakes are mended in the text: what was intended comes back, and whatever is not certain stays as it is."""

import random
import re
from collections import Counter

import pytest

from specnet.files.plain_data import leaves
from specnet.spec.fixing import mended
from tests.spec.cases import DOCUMENTS, NETWORKS, SEARCHES, load, marked
from tests.spec.slips import broken, document, outcome, right_texts
from tests.spec.test_corpus import data_of

WRONG = DOCUMENTS | NETWORKS | SEARCHES
INTENDED = load("intended")
LEAST_RESTORED = 0.8
"""The least share of wrong specs with one certain answer that get it."""


def fixed(text: str, *, only_certain: bool = True) -> str:
    edited, _ = mended(document(text), only_certain=only_certain)
    assert edited.text is not None
    return edited.text.content


def intended(name: str) -> str:
    """Return the text of a case with all answers that are certain."""
    text = marked(WRONG[name]).text
    for line in INTENDED[name].splitlines():
        wrong, _, right = line.partition(" => ")
        assert wrong in text
        text = text.replace(wrong, right.replace("⏎", "\n"), 1)
    return text


def values(text: str) -> int:
    """Return the number of values in a text that are no tables or lists."""
    return len([*leaves(data_of(text))])


def comments(text: str) -> list[str]:
    return re.findall(r"#.*", text)


def test_most_wrong_specs_with_one_certain_answer_are_restored():
    restored = {name: data_of(fixed(marked(WRONG[name]).text)) == data_of(intended(name)) for name in INTENDED}
    missed = [name for name, is_restored in restored.items() if not is_restored]
    assert len(missed) <= (1 - LEAST_RESTORED) * len(restored), missed


@pytest.mark.parametrize("only_certain", [True, False])
def test_no_wrong_spec_loses_a_key_or_a_comment(only_certain: bool):
    for name, case in WRONG.items():
        text = marked(case).text
        after = fixed(text, only_certain=only_certain)
        assert values(after) >= values(text), name
        assert comments(after) == comments(text), name
        assert fixed(after, only_certain=only_certain) == after, name


def test_a_spec_without_one_certain_answer_stays_as_it_is():
    changed = [name for name in WRONG if fixed(text := marked(WRONG[name]).text) != text]
    assert [name for name in changed if name not in INTENDED] == []


def test_right_specs_that_are_broken_once_are_restored_or_left():
    rng = random.Random(1)
    found = Counter(outcome(*broken(text, rng)) for text in rng.choices(right_texts(), k=150))
    assert found["restored"] + found["left"] == 150, found
    assert found["restored"] > 75, found
