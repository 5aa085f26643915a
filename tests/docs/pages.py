"""Pages of the reference that are written from the code itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path


def write(folder: Path) -> None:
    """Write the generated pages into the folder of the documentation's source; others stay as they are."""
    for name, text in pages():
        path = folder / "reference" / f"{name}.md"
        if not path.is_file() or path.read_text("utf-8") != text:
            path.write_text(text, encoding="utf-8")


def pages() -> Iterator[tuple[str, str]]:
    """Yield the name and the Markdown of each generated page."""
    yield "parts", "# Parts\n"
