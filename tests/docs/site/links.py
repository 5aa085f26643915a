"""Links within the built site: each leads to a file that is there, and to a place in it."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

STATIC = "_static"
"""The theme's own files, among them templates."""


class Page(HTMLParser):
    """The addresses and anchors of a page: ``href`` and ``src``, and names of elements."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.anchors: set[str] = set()
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        for name, value in attributes:
            if name in ("href", "src", "xlink:href") and value is not None:
                self.addresses.append(value)
            elif value and (name == "id" or (tag, name) == ("a", "name")):
                self.anchors.add(value)


def broken(site: Path) -> tuple[int, list[str]]:
    """Return how many links a site has to its own pages and files, and those that lead nowhere, with their pages."""
    found = sorted(path for path in site.rglob("*.html") if path.parts[len(site.parts)] != STATIC)
    pages = {path: Page(path) for path in found}
    links = [(path, address) for path, page in pages.items() for address in page.addresses if _is_inside(address)]
    wrong = [f"{path.relative_to(site)}: {address}" for path, address in links if not _leads(path, address, pages)]
    return len(links), wrong


def _is_inside(address: str) -> bool:
    parts = urlsplit(address)
    return not parts.scheme and not parts.netloc


def _leads(page: Path, address: str, pages: dict[Path, Page]) -> bool:
    parts = urlsplit(address)
    target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
    if target.is_dir():
        target /= "index.html"
    anchor = unquote(parts.fragment)
    return target.is_file() and (not anchor or target not in pages or anchor in pages[target].anchors)
