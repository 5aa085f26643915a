"""Folding of texts: each code point becomes lower-case letters without accents, a separator, or nothing.

Python, Node and C have different versions of Unicode's data, and the same text must have the same tokens in each of
them. So the table `folding.txt` is frozen, and part of each export: a later version of Unicode changes nothing.

Of a code point c in Unicode 15.1 the table has

- a separator if c is a control or format character, a lone surrogate, punctuation, a space, or a mathematical, currency
  or modifier symbol (general categories Cc, Cf, Cs, P, Z, Sm, Sc, Sk),
- otherwise NFC of what remains of NFD(casefold(NFD(c))) without its combining marks of class 10 or higher: accents, the
  points of Hebrew and the vowels of Arabic, but no nukta, virama or kana voicing mark, which make other letters,
- nothing for such a mark itself, so that composed and decomposed letters are the same.

All other code points remain as they are, pictographs and those that Unicode 15.1 does not assign too.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

SEPARATOR = " "
"""The character that replaces all separators."""
_TABLE = Path(__file__).with_name("folding.txt")


def folded(text: str) -> str:
    """Return a text in which each code point is replaced as the table says."""
    return text.translate(folding_table())


def folding_lines() -> tuple[str, ...]:
    """Return the lines of the file without its comment, which exports contain as they are."""
    return tuple(line for line in _TABLE.read_text("ascii").splitlines() if not line.startswith("#"))


@cache
def folding_table() -> dict[int, str]:
    """Return the replacement of each code point that does not remain as it is.

    A line of the file is a code point, or first and last one of a range, perhaps with a step, and a replacement:
    ``separator``, ``nothing``, the distance to another code point, or the text. Numbers are hexadecimal.
    """
    found: dict[int, str] = {}
    for line in folding_lines():
        where, _, what = line.partition(" ")
        ends, _, step = where.partition("/")
        first, _, last = ends.partition("-")
        for point in range(int(first, 16), int(last or first, 16) + 1, int(step or "1", 16)):
            match what[0]:
                case "s":
                    found[point] = SEPARATOR
                case "n":
                    found[point] = ""
                case "+" | "-":
                    found[point] = chr(point + int(what, 16))
                case _:
                    found[point] = "".join(chr(int(each, 16)) for each in what.split())
    return found
