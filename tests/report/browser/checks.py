"""What must not be wrong with a page in a browser."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

WIDTHS = (390, 1440)
THEMES = ("light", "dark")
SERIOUS = ("serious", "critical")

# What stands beyond the window, unless it scrolls in a region of its own; and text that leaves its picture.
_OVERFLOW = """() => {
  const found = [], root = document.documentElement, width = root.clientWidth;
  const scrolls = e => e && (["auto", "scroll"].includes(getComputedStyle(e).overflowX) || scrolls(e.parentElement));
  const name = e => `<${e.tagName} class="${e.getAttribute("class") || ""}"> ${e.textContent.trim().slice(0, 30)}`;
  if (root.scrollWidth > width) found.push(`overflow: the page is ${root.scrollWidth} wide`);
  for (const e of document.querySelectorAll("main *")) {
    const box = e.getBoundingClientRect();
    const beyond = box.width && (box.right > width + 1 || box.left < -1);
    if (beyond && !scrolls(e)) found.push(`overflow: beyond the window: ${name(e)}`);
  }
  for (const e of document.querySelectorAll("svg[role=img] text")) {
    const inner = e.getBoundingClientRect(), outer = e.closest("svg[role=img]").getBoundingClientRect();
    const across = [outer.left - inner.left, inner.right - outer.right];
    const over = Math.max(...across, outer.top - inner.top, inner.bottom - outer.bottom);
    if (inner.width && over > 3) found.push(`overflow: text leaves its picture: ${name(e)}`);
  }
  return found;
}"""
_ACCESSIBILITY = "async options => (await axe.run(document, options)).violations"
_ALL_RULES = {"resultTypes": ["violations"], "preload": False}  # the pages load nothing that rules would ask for
_OF_COLOURS = _ALL_RULES | {"runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}}


def problems(
    chromium: Any, axe: str, page: Path, widths: Sequence[int] = WIDTHS, themes: Sequence[str] = THEMES
) -> list[str]:
    """Return what is wrong with a page: console messages, requests, overflow, what axe-core finds serious.

    Parameters
    ----------
    chromium : playwright Browser
    axe : str
        The script of axe-core.
    page : Path
    widths : sequence of int
        Of the window in CSS pixels: it is opened with the first one.
    themes : sequence of str
        ``light`` and ``dark``.
    """
    found: list[str] = []
    theme = themes[0]

    def note(problem: str) -> None:
        found.append(f"{theme}: {problem}")

    own = page.resolve().as_uri()
    context = chromium.new_context(viewport={"width": widths[0], "height": 900}, color_scheme=theme)
    try:
        tab = context.new_page()
        tab.on("console", lambda message: note(f"console: {message.text}"))
        tab.on("pageerror", lambda error: note(f"error: {error}"))
        tab.on("dialog", lambda dialog: (note(f"dialog: {dialog.message}"), dialog.dismiss()))
        tab.on("request", lambda request: note(f"request: {request.url}") if _leaves(request.url, own) else None)
        tab.goto(own, wait_until="load")
        tab.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true })")
        tab.evaluate(axe)
        for width in widths:
            tab.set_viewport_size({"width": width, "height": 900})
            for problem in (*tab.evaluate(_OVERFLOW), *_axe_problems(tab, _ALL_RULES)):
                note(f"{width} px: {problem}")
        # Colours alone are others in another theme.
        for theme in themes[1:]:
            tab.emulate_media(color_scheme=theme)
            for problem in _axe_problems(tab, _OF_COLOURS):
                note(f"{widths[-1]} px: {problem}")
    finally:
        context.close()
    return found


def _axe_problems(tab: Any, options: dict[str, Any]) -> Iterator[str]:
    for violation in tab.evaluate(_ACCESSIBILITY, options):
        if violation["impact"] in SERIOUS:
            places = "; ".join(node["html"][:120] for node in violation["nodes"][:3])
            yield f"axe: {violation['id']}: {violation['help']}: {places}"


def _leaves(url: str, own: str) -> bool:
    return url != own and not url.startswith(("data:", "about:"))
