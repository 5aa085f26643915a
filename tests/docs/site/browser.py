"""The built site in Chromium, opened from its files: what search finds first, messages, output and commands in full."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from tests.report.browser.checks import NAMES

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

NARROW, WIDE = 390, 1440
"""Widths of windows in CSS pixels."""
FIRST = {
    "imbalanced": "how_to/rare_classes.html",
    "windows": "how_to/install.html",
    "deploy": "how_to/serve.html",
    "licence": "how_to/questions.html",
    "confidence interval": "explanation/chance.html",
    "time series": "how_to/time_series.html",
    "feature importance": "how_to/read_your_report.html",
    "install": "how_to/install.html",
}
"""What a reader types, and the page that search has to list first."""
CUT_OFF = """() => [...document.querySelectorAll(".highlight-text:not(.diagram) pre")]
  .some(each => each.scrollWidth > each.clientWidth)"""
"""Whether a page has output that is wider than its frame."""
BROKEN = r"""() => {
  const blocks = ".bd-article :is(.highlight-sh, .highlight-bash, .highlight-powershell, code)", found = [];
  for (const block of document.querySelectorAll(blocks)) {
    const texts = document.createTreeWalker(block, NodeFilter.SHOW_TEXT), range = document.createRange();
    for (let text = texts.nextNode(); text; text = texts.nextNode())
      for (const { 0: option, index } of text.data.matchAll(/(?<!\S)--?[a-zA-Z][\w-]*/g)) {
        range.setStart(text, index);
        range.setEnd(text, index + option.length);
        if (range.getClientRects().length > 1) found.push(option);
      }
  }
  return found;
}"""
"""The options of a page's commands within which a line breaks."""
GENERATED = "reference"
"""The folder whose pages come from the code: one page of each kind is opened."""


def is_there() -> bool:
    """Whether there is a Chromium, and what drives it."""
    return find_spec("playwright") is not None and _chromium() is not None


def wrong(site: Path) -> Iterator[str]:
    """Name messages, cut output and broken options of pages, and the queries whose first result is another page."""
    with opened() as browser:
        page = browser.new_page(viewport={"width": WIDE, "height": 900})
        messages = list[str]()
        page.on("console", lambda message: messages.append(message.text))
        page.on("pageerror", lambda error: messages.append(str(error)))
        page.on("requestfailed", lambda request: messages.append(f"{request.url} failed"))
        for path in _pages(site):
            page.goto(path.as_uri())
            yield from (f"{path.relative_to(site)}: the console has {message}" for message in messages)
            messages.clear()
            if page.evaluate(CUT_OFF):
                yield f"{path.relative_to(site)}: output is cut off"
            page.set_viewport_size({"width": NARROW, "height": 900})
            yield from (f"{path.relative_to(site)}: a line breaks within {each}" for each in page.evaluate(BROKEN))
            page.set_viewport_size({"width": WIDE, "height": 900})
        for query, expected in FIRST.items():
            if (found := _first_result(page, site, query)) != expected:
                yield f"search for {query!r} finds {found} first, not {expected}"
        yield from (f"search.html: the console has {message}" for message in messages)


def _pages(site: Path) -> Iterator[Path]:
    for folder in (site, *(path for path in site.iterdir() if path.is_dir() and path.name[0] != "_")):
        yield from sorted(folder.glob("*.html"))
    for folder in sorted(path for path in (site / GENERATED).iterdir() if path.is_dir()):
        yield min(folder.glob("*.html"))


def _first_result(page: Page, site: Path, query: str) -> str | None:
    page.goto(f"{(site / 'search.html').as_uri()}?q={quote(query)}")
    page.wait_for_selector("ul.search li a")
    address = page.locator("ul.search li a").first.get_attribute("href") or ""
    return address.partition("#")[0].partition("?")[0]


def _chromium() -> str | None:
    return next(filter(None, map(shutil.which, NAMES)), None)


@contextmanager
def opened() -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright  # which the build itself does not need

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=_chromium(), args=["--no-sandbox"])  # none for root
        yield browser
        browser.close()
