"""What must not be wrong with a page in a browser."""

from __future__ import annotations

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
  if (root.scrollWidth > width) found.push(`the page is ${root.scrollWidth} wide`);
  for (const e of document.querySelectorAll("main *")) {
    const box = e.getBoundingClientRect();
    const beyond = box.width && (box.right > width + 1 || box.left < -1);
    if (beyond && !scrolls(e)) found.push(`beyond the window: ${name(e)}`);
  }
  for (const e of document.querySelectorAll("svg[role=img] text")) {
    const inner = e.getBoundingClientRect(), outer = e.closest("svg[role=img]").getBoundingClientRect();
    const across = [outer.left - inner.left, inner.right - outer.right];
    const over = Math.max(...across, outer.top - inner.top, inner.bottom - outer.bottom);
    if (inner.width && over > 3) found.push(`text leaves its picture: ${name(e)}`);
  }
  return found;
}"""
_ACCESSIBILITY = "async () => (await axe.run(document)).violations"


def problems(chromium: Any, axe: str, page: Path, width: int, theme: str) -> list[str]:
    """Return what is wrong with a page: console messages, requests, overflow, what axe-core finds serious.

    Parameters
    ----------
    chromium : playwright Browser
    axe : str
        The script of axe-core.
    page : Path
    width : int
        Of the window in CSS pixels.
    theme : str
        ``light`` or ``dark``.
    """
    found: list[str] = []
    own = page.resolve().as_uri()
    context = chromium.new_context(viewport={"width": width, "height": 900}, color_scheme=theme)
    try:
        tab = context.new_page()
        tab.on("console", lambda message: found.append(f"console: {message.text}"))
        tab.on("pageerror", lambda error: found.append(f"error: {error}"))
        tab.on("dialog", lambda dialog: (found.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        tab.on(
            "request", lambda request: found.append(f"request: {request.url}") if _leaves(request.url, own) else None
        )
        tab.goto(own, wait_until="load")
        tab.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true })")
        found += [f"overflow: {each}" for each in tab.evaluate(_OVERFLOW)]
        tab.evaluate(axe)
        for violation in tab.evaluate(_ACCESSIBILITY):
            if violation["impact"] in SERIOUS:
                places = "; ".join(node["html"][:120] for node in violation["nodes"][:3])
                found.append(f"axe: {violation['id']}: {violation['help']}: {places}")
    finally:
        context.close()
    return found


def _leaves(url: str, own: str) -> bool:
    return url != own and not url.startswith(("data:", "about:"))
