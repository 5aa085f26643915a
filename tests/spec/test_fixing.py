"""Mistakes are mended in the text: what was intended comes back, and whatever is not certain stays as it is."""

import random
import re
from collections import Counter
from pathlib import Path

import pytest

from specnet import SpecError
from specnet.files.plain_data import leaves
from specnet.spec.fixing import mended
from specnet.spec.reading.reader import document_of, plain
from specnet.spec.reading.source_document import Document
from specnet.spec.searching import parse_whole
from tests.spec.cases import DOCUMENTS, GOOD, NETWORKS, SEARCHES, files, load, marked
from tests.spec.test_corpus import data_of

WRONG = DOCUMENTS | NETWORKS | SEARCHES
INTENDED = load("intended")
LEAST_RESTORED = 0.8
"""The least share of wrong specs with one certain answer that get it."""
SPECS = Path(__file__).parents[2] / "specs"


def document(text: str) -> Document:
    name = "spec.json" if text.lstrip().startswith("{") else "spec.toml"
    return plain(document_of(text.encode(), name, SPECS))


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


def slip(word: str, rng: random.Random) -> str:
    """Return a word with one character more, less or other, or with two exchanged."""
    start, letter = rng.randrange(len(word)), rng.choice("abcdefghijklmnopqrstuvwxyz_")
    first, rest = word[:start], word[start:]
    return rng.choice(
        [first + rest[1:], first + letter + rest, first + letter + rest[1:], first + rest[1::-1] + rest[2:]]
    )


def broken(text: str, rng: random.Random) -> str:
    """Return a text with one edit: a slip in a word, a number in quotes, or a line that is gone or twice there."""
    kind = rng.randrange(10)
    if kind == 0 and (numbers := [*re.finditer(r"(?<=[=\[,] )\d[\d.]*(?=[,\s\]}])", text)]):
        found = rng.choice(numbers)
        return f'{text[: found.start()]}"{found[0]}"{text[found.end() :]}'
    lines = text.splitlines(keepends=True)
    number = rng.randrange(len(lines))
    if kind in (1, 2):
        return "".join([*lines[:number], *lines[number : number + 1] * (2 * (kind - 1)), *lines[number + 1 :]])
    found = rng.choice([*re.finditer(r"(?m)(?<![\w#./-])[a-z][a-z_]{3,}(?![\w/])", text)])
    return text[: found.start()] + slip(found[0], rng) + text[found.end() :]


def outcome(text: str, right: str) -> str:
    """Return what becomes of a broken text: restored, left, or none of both."""
    try:
        before = document(text)
    except SpecError:
        return "left"
    after, edits = mended(before)
    if not edits:
        return "left"
    assert after.text is not None
    try:
        is_same = after.text.content == right or parse_whole(after) == parse_whole(document(right))
    except SpecError:
        is_same = False
    return "restored" if is_same else f"WRONG: {edits[0].message}; {edits[0].hint}"


def outcomes(count: int, seed: int) -> Counter[str]:
    rng = random.Random(seed)
    texts = [*GOOD.values(), *(path.read_text(encoding="utf-8") for path in files())]
    sources = [text for text in texts if "\n" in text and not text.startswith("\N{BYTE ORDER MARK}")]
    return Counter(outcome(broken(text, rng), text) for text in (rng.choice(sources) for _ in range(count)))


def test_right_specs_that_are_broken_once_are_restored_or_left():
    found = outcomes(150, seed=1)
    assert found["restored"] + found["left"] == 150, found
    assert found["restored"] > 75, found
