"""Texts and tables for a terminal, folded or split if the window is too narrow, and functions that write them."""

from __future__ import annotations

import os
import re
import shlex
import sys
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import TextIO

GAP, MIN_GAP = 3, 2
"""Spaces between columns, usually and in a narrow window."""
_BREAKS = re.compile(r"(?<!\d) ")
"""Spaces at which a text may be broken: not within a number with groups of three digits, and not before its unit."""
_BREAKS_OF_WIDE = re.compile(r" (?!\d{3}\b|%)")
"""Spaces at which a number with its unit may be broken if it is wider than a line: not within the number."""
_JOINTS = re.compile(r"(?<=[^\W\d][_./-])(?=\w)")
"""Preferred positions to break a word that is wider than a line: after the separators of names and paths."""
NARROWEST = 12
"""Width below which a column is not folded."""


@dataclass(frozen=True)
class TextTable:
    """A table of texts with a header.

    Attributes
    ----------
    header : sequence of str
        Title of each column.
    rows : sequence of sequences of str
        Cells of each row, one for each column.
    right : frozenset of int
        Indices of the columns that are aligned right, as numbers are.
    folded : frozenset of int
        Indices of the columns whose cells may take several lines in a narrow window.
    gap : int
        Number of spaces between columns.
    cut : frozenset of int
        Indices of the columns whose cells are shortened, before others are folded.
    """

    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    right: frozenset[int] = frozenset()
    folded: frozenset[int] = frozenset()
    gap: int = GAP
    cut: frozenset[int] = frozenset()

    @property
    def widths(self) -> list[int]:
        """The width of each column's widest cell."""
        return [max(map(text_width, column)) for column in zip(self.header, *self.rows, strict=True)]

    @property
    def least_widths(self) -> list[int]:
        """The smallest width of each column if folded or shortened."""
        return [
            max(text_width(title), min(width, NARROWEST)) if column in self.folded | self.cut else width
            for column, (title, width) in enumerate(zip(self.header, self.widths, strict=True))
        ]

    def lines(self, width: int | None = None) -> list[str]:
        """Return the table as lines without trailing spaces, folded to `width` if given."""
        return [line for block in self.blocks(width) for line in block]

    def blocks(self, width: int | None = None) -> list[list[str]]:
        """Return the table, folded to `width` if given, as one or several blocks of lines, each with a header.

        If folded cells do not fit even with smaller gaps, and the first column has a name in each row, the columns are
        split into several tables below each other, all but the last followed by an empty line. Otherwise the lines are
        wider than the window.
        """
        if width is None or self._total(self.widths) <= width:
            return [self._lines(self.widths)]
        if self.cut and self.gap > MIN_GAP:
            return replace(self, gap=MIN_GAP).blocks(width)
        if self._total(self.least_widths) <= width:
            return [self._lines(self._folded_widths(width))]
        if self.gap > MIN_GAP:
            return replace(self, gap=MIN_GAP).blocks(width)
        groups = list(self._groups(width))
        if len(groups) < 2 or not all(row[0] for row in self.rows):
            return [replace(self, gap=GAP)._lines(self.widths)]
        tables = [self.part(columns) for columns in groups]
        tables = [replace(table, rows=[row for row in table.rows if any(row[1:])]) for table in tables]
        blocks = [table._lines(table._folded_widths(width)) for table in tables]
        return [[*block, ""] for block in blocks[:-1]] + blocks[-1:]

    def _total(self, widths: Sequence[int]) -> int:
        return sum(widths) + self.gap * (len(widths) - 1)

    def _folded_widths(self, window: int) -> list[int]:
        """Return the widths of columns in a window: first columns in `cut` become narrower, then the widest columns."""
        widths, least = self.widths, self.least_widths
        while self._total(widths) > window:
            wide = [column for column, width in enumerate(widths) if width > least[column]]
            if not wide:
                break
            widths[max(wide, key=lambda column: (column in self.cut, widths[column]))] -= 1
        return widths

    def _groups(self, window: int) -> Iterator[list[int]]:
        """Yield groups of columns that fit into a window; each group starts with the first column."""
        least, columns = self.least_widths, [0]
        for column in range(1, len(least)):
            if len(columns) > 1 and self._total([least[each] for each in (*columns, column)]) > window:
                yield columns
                columns = [0]
            columns.append(column)
        yield columns

    @property
    def filled_columns(self) -> list[int]:
        """The indices of the first column and of all others that have a cell which is not empty."""
        return [column for column in range(len(self.header)) if not column or any(row[column] for row in self.rows)]

    def part(self, columns: Sequence[int]) -> TextTable:
        """Return a table of some columns, in this order."""
        return TextTable(
            [self.header[column] for column in columns],
            [[row[column] for column in columns] for row in self.rows],
            gap=self.gap,
            **{
                name: frozenset(index for index, column in enumerate(columns) if column in getattr(self, name))
                for name in ("right", "folded", "cut")
            },
        )

    def _lines(self, widths: Sequence[int]) -> list[str]:
        lines = []
        for row in (self.header, *self.rows):
            pieces = [
                [_ended(cell, width)] if column in self.cut else wrapped(cell, width)
                for column, (cell, width) in enumerate(zip(row, widths, strict=True))
            ]
            for number in range(max(map(len, pieces))):
                cells = [piece[number] if number < len(piece) else "" for piece in pieces]
                lines.append((" " * self.gap).join(map(self._padded, range(len(cells)), cells, widths)).rstrip())
        return lines

    def _padded(self, column: int, cell: str, width: int) -> str:
        blanks = " " * (width - text_width(cell))
        return blanks + cell if column in self.right else cell + blanks


def text_width(text: str) -> int:
    """Return the width of a text in columns of a terminal."""
    if text.isascii():
        return len(text)
    return sum(map(_character_width, text))


def _character_width(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def wrapped(text: str, width: int) -> list[str]:
    """Return a text as lines of at most `width`, broken between words, or within words that are wider than a line."""
    if text_width(text) <= width:
        return [text]
    lines, line = [], ""
    for word in _words(text, width):
        joined = f"{line} {word}" if line else word
        if text_width(joined) <= width:
            line = joined
            continue
        if line:
            lines.append(line)
        *whole, line = _cut(word, width)
        lines += whole
    return [*lines, line]


def _words(text: str, width: int) -> Iterator[str]:
    """Yield the words of a text; a number with its unit is one word unless it is wider than a line."""
    for word in _BREAKS.split(text):
        yield from [word] if text_width(word) <= width else _BREAKS_OF_WIDE.split(word)


def _ended(text: str, width: int) -> str:
    """Return a text cut to a width, with an ellipsis at the end if it is wider."""
    shown = text
    while text_width(shown) > width:
        shown = f"{shown.removesuffix('…')[:-1].rstrip()}…"
    return shown


def _cut(word: str, width: int) -> list[str]:
    """Return a word in pieces of at most a width, or of one wider character; broken at its joints if possible."""
    pieces = [""]
    for part in _JOINTS.split(word):
        if pieces[-1] and text_width(pieces[-1] + part) > width:
            pieces.append("")
        for character in part:
            if pieces[-1] and text_width(pieces[-1] + character) > width:
                pieces.append("")
            pieces[-1] += character
    return pieces


def flowing(parts: Sequence[str], width: int | None = None) -> list[str]:
    """Return parts joined into lines, broken between parts, or between words of a part that is wider than a line.

    Lines after the first are indented.
    """
    gap, indent = " " * GAP, "    "
    if width is None:
        return [gap.join(parts)]
    lines: list[str] = []
    for part in parts:
        if lines and text_width(lines[-1] + gap + part) <= width:
            lines[-1] += gap + part
            continue
        first, *rest = wrapped(part, width - len(indent)) if lines or text_width(part) > width else [part]
        lines.append(indent + first if lines else first)
        lines += [indent + line for line in rest]
    return lines


def headless(rows: Sequence[Sequence[str]], width: int | None = None) -> list[str]:
    """Return rows without a header as lines; in a narrow window, cells are folded.

    Those of the first column, which are names, are folded only if they would take more than half of the window.
    """
    if not rows:
        return []
    columns = len(rows[0])
    has_wide_names = width is not None and max(text_width(row[0]) for row in rows) > width // 2
    table = TextTable([""] * columns, rows, folded=frozenset(range(not has_wide_names, columns)))
    return table._lines(table.widths if width is None else table._folded_widths(width))[1:]


# Texts and file names from users may contain characters that control a terminal or change the text direction.
# Each becomes one visible character, so that a mark on the next line points to the same position.
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
"""Replacements for characters that an encoding does not have."""

_MARKS = re.compile(r"^(?P<margin>\s+\| +)(?P<marks>\^+)(?P<hint>.*)$", re.MULTILINE)
_LABEL = re.compile(r"\b(?:error|warning)\[[a-z0-9-]+\]:")

BOLD, DIM, RED, YELLOW, CYAN = "1", "2", "1;31", "1;33", "36"

_WITHIN = re.compile(r"\n\s*")
_LINES_OF_ITEMS = re.compile(r"\n(?=- |\n)|(?<=\n)\n")
"""Line breaks between paragraphs and before list items."""

USUAL_WIDTH = 80
"""Number of columns of a terminal of unknown width."""


def is_lively(stream: TextIO) -> bool:
    """Return whether colour and live progress may be shown: on a terminal, and never with NO_COLOR."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def terminal_width(stream: TextIO) -> int | None:
    """Return the number of columns of a terminal; None for a file or a pipe, whose lines are not broken."""
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
    """Return whether a stream's encoding has these characters."""
    try:
        characters.encode(stream.encoding or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


def painted(stream: TextIO, text: str, colour: str) -> str:
    """Return a text in a colour, if the stream shows colours."""
    return f"\x1b[{colour}m{text}\x1b[0m" if text and is_lively(stream) else text


def visible(text: str) -> str:
    """Return a text of the same length in which control characters are replaced by visible ones."""
    return text.translate(_VISIBLE)


def shown(stream: TextIO, text: str) -> str:
    """Return a text without control characters, and with ASCII for characters that the stream cannot encode."""
    text = visible(text)
    if can_show(stream, text):
        return text
    return "".join(character if can_show(stream, character) else _ASCII.get(character, character) for character in text)


def _cell(stream: TextIO, text: str) -> str:
    """Return a cell of a table as `shown`, on one line."""
    return shown(stream, " ".join(text.splitlines()))


def write_line(stream: TextIO, text: str = "") -> None:
    """Write a line of text."""
    stream.write(shown(stream, text) + "\n")


def write_parts(stream: TextIO, *parts: str, label: str = "") -> None:
    """Write parts in one line, which is broken between parts on a narrow terminal.

    Parameters
    ----------
    stream : TextIO
    parts : str
        Parts of the line; empty parts are left out.
    label : str
        Start of the first part, which is highlighted on a terminal.
    """
    lines = flowing([shown(stream, part) for part in parts if part], terminal_width(stream))
    start = shown(stream, label)
    if lines and start and lines[0].startswith(start):
        lines[0] = painted(stream, start, YELLOW) + lines[0][len(start) :]
    stream.writelines(f"{line}\n" for line in lines)


def write_command(stream: TextIO, command: str) -> None:
    """Write a shell command, indented, so that it can be copied.

    If it is wider than a terminal, its lines end with a backslash, and an option is on the line of its value if both
    fit. It is left out if one of its words is wider.
    """
    words, line = [shlex.quote(word) for word in shlex.split(shown(stream, command))], " "
    most = (terminal_width(stream) or sys.maxsize) - len(" \\")
    if max(map(text_width, words)) + len("  ") > most:
        return
    for word, following in zip_longest(words, words[1:], fillvalue=""):
        pair = f"{word} {following}" if word.startswith("-") else word
        whole = pair if text_width(f"  {pair}") <= most else word
        if text_width(f"{line} {whole}") > most and line.strip():
            stream.write(f"{line} \\\n")
            line = " "
        line += f" {word}"
    stream.write(f"{line}\n")


def write_prose(stream: TextIO, text: str) -> None:
    """Write paragraphs, rewrapped to the width of a terminal; list items start with ``- `` and on separate lines."""
    width = terminal_width(stream)
    if width is None:
        write_line(stream, text)
        return
    for paragraph in _LINES_OF_ITEMS.split(text):
        lines = wrapped(shown(stream, _WITHIN.sub(" ", paragraph)), width)
        stream.writelines(f"{line}\n" for line in lines)


def write_table(stream: TextIO, table: TextTable) -> None:
    """Write a table; on a terminal it has bold titles and is folded to fit the window."""
    header, *rows = ([_cell(stream, cell) for cell in row] for row in (table.header, *table.rows))
    for titles, *lines in replace(table, header=header, rows=rows).blocks(terminal_width(stream)):
        stream.write(painted(stream, titles, BOLD) + "\n")
        stream.writelines(f"{shown(stream, line)}\n" for line in lines)


def write_rows(stream: TextIO, rows: Sequence[Sequence[str]]) -> None:
    """Write rows without a header, folded to fit the window."""
    cells = [[_cell(stream, cell) for cell in row] for row in rows]
    stream.writelines(f"{line}\n" for line in headless(cells, terminal_width(stream)))


def write_mistakes(stream: TextIO, text: str) -> None:
    """Write rendered diagnostics; a terminal highlights labels, marks and hints."""

    def mark(found: re.Match[str]) -> str:
        return found["margin"] + painted(stream, found["marks"], RED) + painted(stream, found["hint"], CYAN)

    text = _MARKS.sub(mark, visible(text))
    stream.write(_LABEL.sub(lambda found: painted(stream, found[0], RED), text) + "\n")
