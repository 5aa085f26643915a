"""Where output goes, and what may be shown there."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import TextIO

from specnet.report.terminal.text_tables import TextTable, flowing, headless, wrapped

# Texts and file names from elsewhere may hold characters that steer a terminal or turn the direction of a line.
# Each becomes one visible character, so that a mark below still points at its place.
_VISIBLE = {code: 0x2400 + code for code in range(0x20) if code not in (0x09, 0x0A)}
_VISIBLE |= {0x7F: 0x2421}
_VISIBLE |= dict.fromkeys((*range(0x80, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A)), 0xFFFD)

_ASCII = {
    "→": "->",
    "–": "-",
    "−": "-",
    "…": "...",
    "·": "*",
    "×": "x",
    "±": "+-",
    "µ": "u",
    "√": "sqrt",
    "²": "^2",
}
"""What stands for a sign that an encoding lacks."""

_MARKS = re.compile(r"^(?P<margin>\s+\| +)(?P<marks>\^+)(?P<hint>.*)$", re.MULTILINE)
_LABEL = re.compile(r"\b(?:error|warning)\[[a-z0-9-]+\]:")

BOLD, DIM, RED, YELLOW, CYAN = "1", "2", "1;31", "1;33", "36"

_WITHIN = re.compile(r"\n\s*")
_LINES_OF_ITEMS = re.compile(r"\n(?=- |\n)|(?<=\n)\n")
"""Between paragraphs and before items."""

USUAL_WIDTH = 80
"""Columns of a terminal that does not say how many it has."""


def is_lively(stream: TextIO) -> bool:
    """Return whether colour and live progress may be shown: on a terminal, and never with NO_COLOR."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def terminal_width(stream: TextIO) -> int | None:
    """Return the number of columns of a terminal, None for a file or a pipe, whose lines are as long as they are."""
    if not stream.isatty():
        return None
    columns = os.environ.get("COLUMNS", "")
    if columns.isdecimal() and int(columns):
        return int(columns)
    try:
        return os.get_terminal_size(stream.fileno()).columns or USUAL_WIDTH
    except OSError:
        return USUAL_WIDTH


def can_show(stream: TextIO, characters: str) -> bool:
    """Return whether a stream's encoding has these signs."""
    try:
        characters.encode(stream.encoding or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


def painted(stream: TextIO, text: str, colour: str) -> str:
    """Return a text in a colour where that may be shown."""
    return f"\x1b[{colour}m{text}\x1b[0m" if text and is_lively(stream) else text


def visible(text: str) -> str:
    """Return a text that can be shown safely, of the same length."""
    return text.translate(_VISIBLE)


def shown(stream: TextIO, text: str) -> str:
    """Return a text that can be shown safely, with plain signs in place of those that a stream's encoding lacks."""
    text = visible(text)
    if can_show(stream, text):
        return text
    return "".join(character if can_show(stream, character) else _ASCII.get(character, character) for character in text)


def write_line(stream: TextIO, text: str = "") -> None:
    """Write a line of text."""
    stream.write(shown(stream, text) + "\n")


def write_parts(stream: TextIO, *parts: str, label: str = "") -> None:
    """Write parts side by side; on a terminal they are broken between each other where it is narrow.

    Parameters
    ----------
    stream : TextIO
    parts : str
        Those that are empty are left out.
    label : str
        How the first part begins; it stands out on a terminal.
    """
    lines = flowing([shown(stream, part) for part in parts if part], terminal_width(stream))
    start = shown(stream, label)
    if lines and start and lines[0].startswith(start):
        lines[0] = painted(stream, start, YELLOW) + lines[0][len(start) :]
    stream.writelines(f"{line}\n" for line in lines)


def write_prose(stream: TextIO, text: str) -> None:
    """Write paragraphs, which a terminal breaks anew; items of lists begin with ``- `` and stay lines."""
    width = terminal_width(stream)
    if width is None:
        write_line(stream, text)
        return
    for paragraph in _LINES_OF_ITEMS.split(text):
        lines = wrapped(shown(stream, _WITHIN.sub(" ", paragraph)), width)
        stream.writelines(f"{line}\n" for line in lines)


def write_table(stream: TextIO, table: TextTable) -> None:
    """Write a table; on a terminal with bold titles, and folded into the window."""
    header, *rows = ([shown(stream, cell) for cell in row] for row in (table.header, *table.rows))
    for titles, *lines in replace(table, header=header, rows=rows).blocks(terminal_width(stream)):
        stream.write(painted(stream, titles, BOLD) + "\n")
        stream.writelines(f"{shown(stream, line)}\n" for line in lines)


def write_rows(stream: TextIO, rows: Sequence[Sequence[str]]) -> None:
    """Write rows without a header, folded into the window."""
    cells = [[shown(stream, cell) for cell in row] for row in rows]
    stream.writelines(f"{line}\n" for line in headless(cells, terminal_width(stream)))


def write_mistakes(stream: TextIO, text: str) -> None:
    """Write rendered diagnostics; on a terminal the labels, the marks and the hints stand out."""

    def mark(found: re.Match[str]) -> str:
        return found["margin"] + painted(stream, found["marks"], RED) + painted(stream, found["hint"], CYAN)

    text = _MARKS.sub(mark, visible(text))
    stream.write(_LABEL.sub(lambda found: painted(stream, found[0], RED), text) + "\n")
