"""Outputs of notebooks in a browser, in hosts of either theme."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import specnet
from tests.report.browser.checks import VIEWS
from tests.report.browser.conftest import SPECS

pytestmark = pytest.mark.slow  # a browser is a process

HOSTS = {
    "": None,
    'data-jp-theme-light="true"': "light",
    'data-jp-theme-light="false"': "dark",
    'class="vscode-light"': "light",
    'class="vscode-dark"': "dark",
    'class="vscode-high-contrast"': "dark",
}
"""How bodies of notebooks say which theme they have; without a word it is the system's."""
LIGHT_CARD, DARK_CARD = "rgb(255, 255, 255)", "rgb(27, 32, 35)"


@pytest.fixture(scope="module")
def outputs() -> str:
    result = specnet.run(SPECS / "moons.toml", overrides=["training.epochs=40"])
    residual = specnet.build(SPECS / "residual.toml")
    return "".join(thing._repr_html_() for thing in (result.model.network, result.model, result, residual))


def notebook(folder: Path, host: str, outputs: str) -> Path:
    head = '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Notebook</title>'
    head += '<meta name="viewport" content="width=device-width"><link rel="icon" href="data:,">'
    page = folder / "notebook.html"
    page.write_text(f"{head}</head><body {host}><main><h1>Notebook</h1>{outputs}</main></body></html>", "utf-8")
    return page


@pytest.mark.parametrize("host", HOSTS)
def test_outputs_are_in_order(faults: Callable[..., list[str]], outputs: str, tmp_path: Path, host: str) -> None:
    views = [(width, theme) for width, theme in VIEWS if theme != HOSTS[host]]
    assert not faults(notebook(tmp_path, host, outputs), views)


@pytest.mark.parametrize("host", HOSTS)
def test_the_theme_is_that_of_the_host(tab: Any, outputs: str, tmp_path: Path, host: str) -> None:
    tab.goto(notebook(tmp_path, host, outputs).as_uri())
    for _, theme in VIEWS:
        tab.emulate_media(color_scheme=theme)
        expected = HOSTS[host] or theme
        card = tab.evaluate("getComputedStyle(document.querySelector('.specnet-notebook')).backgroundColor")
        scheme = tab.evaluate("getComputedStyle(document.querySelector('.specnet-notebook img')).colorScheme")
        assert (card, scheme) == (DARK_CARD if expected == "dark" else LIGHT_CARD, expected)
