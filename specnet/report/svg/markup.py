"""Pieces of SVG as text: escaped names, short numbers, widths of text, the outermost element."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from markupsafe import Markup, escape

TEXT_SIZE = 12.0
"""Size of ordinary text in charts, in units."""
_NOT_IN_XML = dict.fromkeys((*range(9), 11, 12, *range(14, 32), *range(0xD800, 0xE000), 0xFFFE, 0xFFFF), "\ufffd")
_WIDTHS = (
    *(("ijl.,:;'| ", 0.34), ('ftrI()[]/-!"', 0.44), ("0123456789{}", 0.64)),
    *(("&<>=+~#^×±−", 0.84), ("mwMW@%—→", 1.0)),
)
_RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff\ufb1d-\ufefc]+(?: +[\u0590-\u08ff\ufb1d-\ufefc]+)*")
_WITHIN_NUMBERS = re.compile(
    r"([0-9]|%(?= ±)) (?=[%±×]|[0-9]{3}(?![0-9])|(?:points|[kM]?B|GB|[nµm]?s|min|h)\b)"
    "|([±×²]|AUC|F1|[Cc]lass|[Tt]rial) (?=[−0-9])"
)
_WIDTH_OF = {character: width for characters, width in _WIDTHS for character in characters}


def escaped(text: str) -> Markup:
    """Return text for the content of an element or a quoted attribute.

    Characters that XML does not allow, such as control characters, become U+FFFD.
    """
    return escape(text.translate(_NOT_IN_XML))


def isolated(text: str) -> str:
    """Return a text with right-to-left names isolated, so that they do not reorder the following words."""
    return _RIGHT_TO_LEFT.sub("\u2068\\g<0>\u2069", text)


def unbroken(text: str) -> str:
    """Return a text with no-break spaces within numbers, and between a number and its unit, sign or symbol.

    ``page.js`` has the same expression.
    """
    return _WITHIN_NUMBERS.sub("\\1\\2\N{NO-BREAK SPACE}", text)


def number(value: float) -> str:
    """Return a coordinate as text, rounded to a tenth of a unit, without unnecessary characters."""
    text = f"{value:.1f}".removesuffix(".0")
    return "0" if text == "-0" else text


def text_width(text: str, size: float = TEXT_SIZE) -> float:
    """Return the width of a text in units, estimated for the widest of the usual system fonts."""
    return size * sum(map(_character_width, text))


def _character_width(character: str) -> float:
    if unicodedata.combining(character):
        return 0.0
    if unicodedata.east_asian_width(character) in "WF":
        return 1.05
    return _WIDTH_OF.get(character, 0.72 if character.isupper() else 0.62)


def shortened(text: str, width: float, size: float = TEXT_SIZE) -> str:
    """Return a text shortened to a width in units, with an ellipsis for the omitted part.

    The ellipsis is after the first two thirds, since similar names, such as numbered ones, often differ at the end.
    """
    text = shown = " ".join(text.split())
    length = min(len(text), max(int(width), 2))  # a character is wider than a unit
    while length > 1 and text_width(shown, size) > width:
        length -= 1
        last = (length + 1) // 3
        shown = f"{text[: length - last].rstrip()}…{text[len(text) - last :].lstrip()}"
    return shown


def label(
    text: str, x: float, y: float, style: str = "", anchor: str = "start", max_width: float | None = None
) -> Markup:
    """Return a text element at a position, shortened to `max_width` units; if shortened, hover shows the whole text."""
    shown = text if max_width is None else shortened(text, max_width)
    style = Markup(f' class="{style}"') if style else Markup()
    anchor = Markup(f' text-anchor="{anchor}"') if anchor != "start" else Markup()
    hover = hover_text("" if shown == text else text)
    return Markup(f'<text{style} x="{number(x)}" y="{number(y)}"{anchor}>{hover}{escaped(shown)}</text>')


def hover_text(text: str) -> Markup:
    """Return the title element that a browser shows on hover; empty for an empty text."""
    return Markup(f"<title>{escaped(isolated(text))}</title>") if text else Markup()


def picture(
    style: str, width: float, height: float, description: str, content: Iterable[str], *, margin: float = 0.0
) -> Markup:
    """Return an SVG element with a size in units.

    Parameters
    ----------
    style : str
        CSS class of the element.
    width, height : float
        Size of the content; the style sheet may scale it by means of the variable ``--width``.
    description : str
        Text for readers who do not see the picture, with its main numbers.
    content : iterable of str
        Markup of the content.
    margin : float
        Margin around the content, in units.
    """
    whole = number(width + 2 * margin), number(height + 2 * margin)
    view = f"{number(-margin)} {number(-margin)} {whole[0]} {whole[1]}"
    size = f'width="{whole[0]}" height="{whole[1]}" viewBox="{view}" style="--width: {whole[0]}px"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" class="{style}" {size}'
    return Markup(f'{head} role="img" aria-label="{escaped(description)}">{"".join(content)}</svg>')
