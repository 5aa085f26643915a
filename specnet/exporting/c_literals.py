"""Integers, texts and comments in C."""

from __future__ import annotations

import re
import string

_PLAIN = frozenset(string.ascii_letters + string.digits + " _.-")


def integer_literal(number: int) -> str:
    """Return a 64-bit integer as an expression; the smallest one has no literal."""
    return f"INT64_C({number})" if number > -(2**63) else "-INT64_C(9223372036854775807) - 1"


def text_literal(text: str) -> str:
    """Return a text as a string literal in UTF-8; octal escapes have three digits, so that they end before a digit."""
    characters = (chr(byte) if chr(byte) in _PLAIN else f"\\{byte:03o}" for byte in text.encode())
    return f'"{"".join(characters)}"'


def comment(text: str) -> str:
    """Return a text for a comment, without delimiters of comments, trigraphs and unprintable characters."""
    shown = "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode() for character in text
    )
    for character in ("*/", "/*"):
        shown = shown.replace(character, " ".join(character))
    return re.sub(r"\?(?=\?)", "? ", shown)  # a trigraph may stand for a backslash
