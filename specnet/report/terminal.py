"""Where output goes, and what may be shown there."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, TextIO

from specnet.report.tables import TextTable

if TYPE_CHECKING:
    from rich.console import Console

# Texts and file names from elsewhere may hold characters that steer a terminal or turn the direction of a line.
# Each becomes one visible character, so that a mark below still points at its place.
_VISIBLE = {code: 0x2400 + code for code in range(0x20) if code not in (0x09, 0x0A)}
_VISIBLE |= {0x7F: 0x2421}
_VISIBLE |= dict.fromkeys((*range(0x80, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A)), 0xFFFD)

_MARKS = re.compile(r"^(?P<margin>\s+\| +)(?P<marks>\^+)(?P<hint>.*)$", re.MULTILINE)
_LABEL = re.compile(r"\b(?:error|warning)\[[a-z0-9-]+\]:")


def is_lively(stream: TextIO) -> bool:
    """Return whether colour and live progress may be shown: on a terminal, and never with NO_COLOR."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def console(stream: TextIO) -> Console:
    """Return rich's view of a terminal, which takes every text as it stands."""
    from rich.console import Console

    return Console(file=stream, force_terminal=True, markup=False, emoji=False, highlight=False, soft_wrap=True)


def visible(text: str) -> str:
    """Return a text that can be shown safely, of the same length."""
    return text.translate(_VISIBLE)


def write_line(stream: TextIO, text: str = "") -> None:
    """Write a line of text."""
    stream.write(visible(text) + "\n")


def write_table(stream: TextIO, table: TextTable) -> None:
    """Write a table; on a terminal with colour, and folded into the window if that is wide enough for it."""
    shown = TextTable(table.header, [[visible(cell) for cell in row] for row in table.rows], table.right, table.folded)
    if is_lively(stream) and shown.least_width <= (terminal := console(stream)).width:
        terminal.print(shown.for_terminal(), soft_wrap=False)
    else:
        stream.writelines(f"{line}\n" for line in shown.lines())


def write_mistakes(stream: TextIO, text: str) -> None:
    """Write rendered diagnostics; on a terminal the labels, the marks and the hints stand out."""
    if not is_lively(stream):
        write_line(stream, text)
        return
    from rich.text import Text

    styled = Text(visible(text))
    styled.highlight_regex(_LABEL, "bold red")
    for match in _MARKS.finditer(styled.plain):
        styled.stylize("bold red", *match.span("marks"))
        styled.stylize("cyan", *match.span("hint"))
    console(stream).print(styled)
