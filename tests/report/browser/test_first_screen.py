"""Four questions, each answered on the first screen or by one click: is it any good, what now, why, and which rows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from specnet.findings import Finding, Judgement
from specnet.report.pages.run_page import page
from specnet.running.folder_pages import answers_shown, rows_again
from specnet.saved.saved_run import SavedRun

Report = Callable[[str], Path]
SCREENS = [(1440, 900), (390, 844)]


def is_shown(tab: Any, selector: str) -> bool:
    """Return whether the first such element is visible, and within the screen from its top to its bottom."""
    box = tab.locator(selector).first.bounding_box()
    return box is not None and box["y"] >= 0 and box["y"] + box["height"] <= tab.viewport_size["height"]


def follow(tab: Any, link: str) -> None:
    """Click a link of the first screen."""
    tab.evaluate("scrollTo(0, 0)")
    assert is_shown(tab, f'nav a[href="{link}"]')
    tab.click(f'nav a[href="{link}"]')


@pytest.mark.parametrize("name", ["rare", "new_price", "texts"])
@pytest.mark.parametrize("screen", SCREENS, ids=["desktop", "phone"])
def test_four_questions_are_answered_by_at_most_one_click(tab: Any, report: Report, screen: Any, name: str) -> None:
    width, height = screen
    tab.set_viewport_size({"width": width, "height": height})
    tab.goto(report(name).as_uri())
    # Is it any good?
    assert is_shown(tab, "h1")
    assert is_shown(tab, ".beneath")
    assert "test rows" in tab.inner_text(".beneath")
    assert is_shown(tab, ".beginning svg")
    # What now?
    assert is_shown(tab, "#now")
    tab.evaluate("navigator.clipboard.writeText = async text => { window.written = text }")
    command = tab.inner_text("#now pre")
    assert command.startswith("specnet ")
    tab.click("#now .copy")
    assert tab.evaluate("window.written") == command
    # Why this row?
    follow(tab, "#ask")
    assert is_shown(tab, "#ask h2")
    assert is_shown(tab, "#ask .answer")
    # Which rows fail?
    follow(tab, "#mistakes")
    assert is_shown(tab, "#mistakes h2")
    assert tab.locator("#mistakes td").first.is_visible() or "None of" in tab.inner_text("#mistakes")


def test_the_time_of_a_page_is_that_of_its_file(tab: Any, report: Report) -> None:
    """It is not in the page, so that pages of equal runs are equal."""
    file = report("new_kind")
    tab.goto(file.as_uri())
    moment = tab.get_attribute(".beneath time", "datetime")
    assert tab.evaluate("moment => Date.parse(moment) / 1000", moment) == int(file.stat().st_mtime)
    assert "written on" not in file.read_text("utf-8").split("<script>")[0]


def test_charts_of_a_network_without_signal_are_folded(tab: Any, report: Report, tmp_path: Path) -> None:
    """A link to one of them opens them."""
    run = SavedRun(report("new_kind").parent)
    run.judgement = Judgement((Finding("no-signal", "error", "nothing was found", {}, "check the target"),), 9)
    (tmp_path / "report.html").write_text(page(run, answers_shown(run, rows_again(run))), encoding="utf-8")
    tab.goto((tmp_path / "report.html").as_uri())
    assert tab.inner_text("#now p") == "No signal: stop here. Nothing was found. Check the target."
    assert tab.locator("#now pre").count() == 0
    assert tab.locator("#findings").is_visible()
    charts = tab.locator("main svg.specnet-chart:visible")
    assert charts.count() == tab.locator(".beginning svg").count() == 1
    assert tab.locator("#results h2").is_hidden()
    tab.click('nav a[href="#results"]')
    assert tab.locator("#results h2").is_visible()
