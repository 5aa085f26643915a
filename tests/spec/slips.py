"""Right specs that are broken once by a random edit, and what becomes of them when they are mended."""

import random
import re
from pathlib import Path

from specnet import SpecError
from specnet.spec.fixing import mended
from specnet.spec.reading.reader import document_of, plain
from specnet.spec.reading.source_document import Document
from specnet.spec.searching import parse_whole
from tests.spec.cases import GOOD, files

SPECS = Path(__file__).parents[2] / "specs"
KINDS = ("word with a slip", "number in quotes", "line that is gone", "line that is there twice")


def right_texts() -> list[str]:
    """Return the texts of the right specs of the tests and of ``specs/``."""
    texts = [*GOOD.values(), *(path.read_text(encoding="utf-8") for path in files())]
    return [text for text in texts if not text.startswith("\N{BYTE ORDER MARK}")]


def document(text: str) -> Document:
    name = "spec.json" if text.lstrip().startswith("{") else "spec.toml"
    return plain(document_of(text.encode(), name, SPECS))


def slip(word: str, rng: random.Random) -> str:
    """Return a word with one character more, less or other, or with two exchanged."""
    start, letter = rng.randrange(len(word)), rng.choice("abcdefghijklmnopqrstuvwxyz_")
    first, rest = word[:start], word[start:]
    return first + rng.choice([rest[1:], letter + rest, letter + rest[1:], rest[1::-1] + rest[2:]])


def broken(text: str, rng: random.Random, kind: str | None = None) -> tuple[str, str]:
    """Return a text with one edit of a kind, most often a slip in a word, and the text itself."""
    kind = kind or rng.choices(KINDS, [7, 1, 1, 1])[0]
    numbers = [*re.finditer(r"(?<=[=\[,] )\d[\d.]*(?=[,\s\]}])", text)]
    if kind == "number in quotes" and numbers:
        found = rng.choice(numbers)
        return f'{text[: found.start()]}"{found[0]}"{text[found.end() :]}', text
    if kind in KINDS[2:]:
        lines = text.splitlines(keepends=True)
        number = rng.randrange(len(lines))
        lines[number] *= 2 * (kind == KINDS[3])
        return "".join(lines), text
    found = rng.choice([*re.finditer(r"(?<![\w#./-])[a-z][a-z_]{3,}(?![\w/])", text)])
    return text[: found.start()] + slip(found[0], rng) + text[found.end() :], text


def outcome(text: str, right: str) -> str:
    """Return what becomes of a broken text: it is restored or left, or another spec is made of it."""
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
    return "restored" if is_same else f"other: {edits[0].message}; {edits[0].hint}"
