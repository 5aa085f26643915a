"""A report as a test reads it."""

from __future__ import annotations

import re
from html.parser import HTMLParser

VOID = {"meta", "link", "img", "input", "br"}
N = r"([−+]?(?:\d{1,3}(?:[ \u00a0]\d{3})+|\d+)(?:\.\d+)?(?:·10[⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+)?)"
"""A number as pages write it."""
POWERS = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")


def number(text: str) -> tuple[float, float]:
    """Return a number and half a unit of its last digit."""
    mantissa, _, power = re.sub(r"\s", "", text).replace("−", "-").partition("·10")
    scale = 10.0 ** int(power.translate(POWERS) or 0)
    return float(mantissa) * scale, 0.5 * 10.0 ** -len(mantissa.partition(".")[2]) * scale


class Page(HTMLParser):
    """What a page says and shows.

    A tag that is not closed in its place is an error, and so is a card without a link to a text on how to read it.
    """

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self._open: list[str] = []
        self._cards: list[tuple[int, bool]] = []
        self.texts: list[str] = []
        self.headings: list[str] = []
        self.identities: list[str] = []
        self.references: list[str] = []
        self.tags: set[str] = set()
        self.explained: list[str] = []
        self.feed(text)
        assert self._open == self._cards == []
        assert set(self.explained) <= set(self.identities)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._take(tag, attrs)
        given = {name: value or "" for name, value in attrs}
        classes = given.get("class", "").split()
        if "help" in classes:
            assert self._cards, "a link on how to read something is in its card"
            assert re.fullmatch("How to read: .+", given["aria-label"])
            self.explained.append(given["href"].removeprefix("#"))
            self._cards[-1] = self._cards[-1][0], True
        if tag not in VOID:
            self._open.append(tag)
            if "card" in classes:
                self._cards.append((len(self._open), False))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._take(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        if self._cards and self._cards[-1][0] == len(self._open):
            assert self._cards.pop()[1], "a card links to a text on how to read it"
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" in self._open or "script" in self._open:
            return
        if self._open[-1:] == ["h2"]:
            self.headings.append(data)
        self.texts.append(data)

    def _take(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            if name == "id":
                self.identities.append(str(value))
            elif name in ("href", "src"):
                self.references.append(str(value))
            elif name in ("aria-label", "alt"):
                self.texts.append(str(value))

    @property
    def text(self) -> str:
        """All that can be read, in one line."""
        return " ".join(" ".join(self.texts).split())
