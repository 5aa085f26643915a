"""Positions as editors and code hosts count them: columns in UTF-16 code units."""

from __future__ import annotations

from typing import NamedTuple

from specnet.errors import Position


class Replacement(NamedTuple):
    """A part of a text, from a character index to another, and the text that replaces it."""

    start: int
    end: int
    text: str


def replacement(before: str, after: str) -> Replacement:
    """Return the shortest replacement of one part of a text that turns it into another."""
    shorter = min(len(before), len(after))
    start = next((index for index in range(shorter) if before[index] != after[index]), shorter)
    rest = shorter - start
    same = next((index for index in range(rest) if before[-1 - index] != after[-1 - index]), rest)
    return Replacement(start, len(before) - same, after[start : len(after) - same])


def utf16(text: str) -> int:
    """Return the length of a text in UTF-16 code units."""
    return len(text) + sum(character > "\uffff" for character in text)


def line_and_units(content: str, index: int) -> tuple[int, int]:
    """Return the line of a character, from 0, and the number of UTF-16 code units before it in this line."""
    start = content.rfind("\n", 0, index) + 1
    return content.count("\n", 0, index), utf16(content[start:index])


def units(position: Position, line: str | None) -> tuple[int, int]:
    """Return the columns, from 0 in UTF-16 code units, at which a position in a line begins and ends.

    Without the line, its characters count one each. A position of several lines ends with its first line.
    """
    start = position.column - 1
    if line is None:
        return start, start + position.length
    return utf16(line[:start]), utf16(line[: start + position.length]) + max(0, start + position.length - len(line))
