"""The picture of a report in README: ``python -m tests.docs.picture`` writes ``docs/report.png`` with Chromium."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from specnet import run
from tests.docs.documents import ROOT, shell
from tests.report.browser.checks import NAMES

PICTURE = ROOT / "docs" / "report.png"
WIDTH, HEIGHT = 1180, 1030
NEW = "specnet new penguins.toml --data specs/data/penguins.csv --target species"


def main() -> None:
    """Run the spec that ``specnet new`` writes for a table, and keep the upper part of its report."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copytree(ROOT / "specs", folder / "specs")
        shell(NEW, folder)
        run(folder / "penguins.toml", folder / "penguins")
        shoot(folder / "penguins" / "report.html")


def shoot(page: Path) -> None:
    """Write the picture of the upper part of a page."""
    chromium = next(filter(None, map(shutil.which, NAMES)), None)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])  # none for root
        tab = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light")
        tab.goto(page.as_uri())
        tab.screenshot(path=PICTURE)
        browser.close()


if __name__ == "__main__":
    main()
