"""A report as a test reads it."""

from __future__ import annotations

from html.parser import HTMLParser

VOID = {"meta", "link", "img", "input", "br"}


class Page(HTMLParser):
    """What a page says and shows; a tag that is not closed in its place is an error."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self._open: list[str] = []
        self.texts: list[str] = []
        self.headings: list[str] = []
        self.identities: list[str] = []
        self.references: list[str] = []
        self.tags: set[str] = set()
        self.feed(text)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._take(tag, attrs)
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._take(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
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
