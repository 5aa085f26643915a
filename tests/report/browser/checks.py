"""What must not be wrong with a page in a browser."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
"""What the system's Chromium may be called."""
VIEWS = ((390, "light"), (1440, "dark"))
"""Widths of the window in CSS pixels, and themes: the layout depends on the one, colours on the other."""
SERIOUS = ("serious", "critical")

_ACCESSIBILITY = "async options => (await axe.run(document, options)).violations"
_OPTIONS = {"resultTypes": ["violations"], "preload": False}  # the pages load nothing that rules would ask for
_OF_VIEWS = {"runOnly": ["color-contrast", "link-in-text-block", "scrollable-region-focusable"]}
"""The rules that look at sizes and colours: all others find the same in each view, in which the same is shown."""


def script(name: str) -> str:
    """Return a function in JavaScript that a browser calls."""
    return Path(__file__).with_name(f"{name}.js").read_text("utf-8")


def problems(window: Any, axe: str, page: Path, views: Sequence[tuple[int, str]] = VIEWS) -> list[str]:
    """Return what is wrong with a page: console messages, requests, overflow, what axe-core finds serious.

    Parameters
    ----------
    window : playwright Page
        Which pages are shown in, one after the other: scripts that it has compiled are ready for the next.
    axe : str
        The script of axe-core.
    page : Path
    views : sequence of (int, str)
        Widths and themes: it is opened with the first one.
    """
    found: list[str] = []
    theme = ""

    def note(problem: str) -> None:
        found.append(f"{theme}: {problem}")

    def view(width: int, colors: str) -> None:
        nonlocal theme
        theme = colors
        window.set_viewport_size({"width": width, "height": 900})
        window.emulate_media(color_scheme=theme)

    own = page.resolve().as_uri()
    handlers = {
        "console": lambda message: note(f"console: {message.text}"),
        "pageerror": lambda error: note(f"error: {error}"),
        "dialog": lambda dialog: (note(f"dialog: {dialog.message}"), dialog.dismiss()),
        "request": lambda request: note(f"request: {request.url}") if _leaves(request.url, own) else None,
    }
    for event, handler in handlers.items():
        window.on(event, handler)
    try:
        view(*views[0])
        window.goto(own, wait_until="load")
        window.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true })")
        window.evaluate(axe)
        for number, (width, colors) in enumerate(views):
            view(width, colors)
            options = _OPTIONS if number == 0 else _OPTIONS | _OF_VIEWS
            for fault in (*window.evaluate(script("overflow")), *_axe_problems(window, options)):
                note(f"{width} px: {fault}")
    finally:
        for event, handler in handlers.items():
            window.remove_listener(event, handler)
    return found


def _axe_problems(window: Any, options: dict[str, Any]) -> Iterator[str]:
    for violation in window.evaluate(_ACCESSIBILITY, options):
        if violation["impact"] in SERIOUS:
            places = "; ".join(node["html"][:120] for node in violation["nodes"][:3])
            yield f"axe: {violation['id']}: {violation['help']}: {places}"


def _leaves(url: str, own: str) -> bool:
    return url != own and not url.startswith(("data:", "about:"))
