"""Pages of the reference that are written from the code itself."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from specnet.report.svg.colours import CHART_STYLE, DARK, LIGHT, variables
from tests.docs.reference.api_pages import api_pages
from tests.docs.reference.command_pages import command_pages
from tests.docs.reference.error_pages import error_pages
from tests.docs.reference.part_pages import part_pages
from tests.docs.reference.section_pages import section_pages


def write(folder: Path) -> None:
    """Write the generated pages into the folder of the documentation's source; stale ones go, others stay untouched."""
    found = {folder / "reference" / f"{name}.md": text for name, text in pages()}
    for path in (folder / "reference").glob("*/*.md"):
        if path not in found:
            path.unlink()
    for path, text in {**found, folder / "_static" / "charts.css": chart_style()}.items():
        path.parent.mkdir(exist_ok=True)
        if not path.is_file() or path.read_text("utf-8") != text:
            path.write_text(text, encoding="utf-8")


def pages() -> Iterator[tuple[str, str]]:
    """Yield the name of each generated page, ``folder/page`` within the reference, and its Markdown."""
    yield from chain(part_pages(), section_pages(), command_pages(), error_pages(), api_pages())


def chart_style() -> str:
    """Return the style sheet of charts, in the colours of both themes of the site."""
    themes = {"light": LIGHT, "dark": DARK}
    rules = [f'html[data-theme="{name}"] figure {{ {variables(colours)} }}\n' for name, colours in themes.items()]
    return "".join(rules) + CHART_STYLE
