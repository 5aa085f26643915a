"""Reports in a browser: nothing in the console, no request, no overflow, readable by everybody."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from specnet import Observer, run
from tests.report.browser.checks import VIEWS
from tests.report.browser.conftest import SOURCES

pytestmark = pytest.mark.slow  # a browser is a process

Faults = Callable[..., list[str]]
Report = Callable[[str], Path]


@pytest.mark.parametrize("name", SOURCES)
def test_report_is_in_order(faults: Faults, report: Report, name: str) -> None:
    page = report(name)
    assert not faults(page)
    text = page.read_text("utf-8")
    code = re.search(r"const net = .*?^const ask = .*?$", text, re.DOTALL | re.MULTILINE)
    assert len(text.encode()) <= 2_500_000
    assert len(text.encode()) - len(code[0] if code else "") <= 400_000


DIM = '<p style="color: #333">Dark text is hard to read on dark paper.</p>'
PALE = '<p style="color: #bbb">Pale text is hard to read.</p>'
NO_ALTERNATIVE = '<img src="data:image/gif;base64,R0lGODlhAQABAAAAACw=" width="20" height="20">'
WIDE_TABLE = f"<table><tr>{'<td>a cell of a table</td>' * 30}</tr></table>"
REQUEST = '<img alt="a picture" src="https://specnet.invalid/picture.png">'
MESSAGE = "<script>console.log('a message')</script>"
LEAVING = (
    '<svg role="img" aria-label="a picture" viewBox="0 0 90 20" width="90"><text x="60" y="10">leaves it</text></svg>'
)


def in_both_views(problem: str) -> list[str]:
    return [f"{theme}: {width} px: {problem}" for width, theme in VIEWS]


PLANTED = {
    PALE: ["light: 390 px: axe: color-contrast"],
    DIM: ["dark: 1440 px: axe: color-contrast"],
    NO_ALTERNATIVE: ["light: 390 px: axe: image-alt"],
    WIDE_TABLE: in_both_views("overflow: the page is"),
    REQUEST: ["specnet.invalid"],
    MESSAGE: ["inline script"],
    LEAVING: in_both_views("overflow: text leaves its picture"),
}
"""Faults in a page, and what is said of each alone."""


def test_planted_faults_are_caught(faults: Faults, report: Report, tmp_path: Path) -> None:
    page, text = tmp_path / "report.html", report("iris.json").read_text("utf-8")
    page.write_text(text.replace("<h2>Training</h2>", f"<h2>Training</h2>{''.join(PLANTED)}"), "utf-8")
    found = faults(page)
    for caught in PLANTED.values():
        for each in caught:
            assert any(each in problem for problem in found), found


def test_what_the_policy_forbids_is_caught_where_it_does_not(faults: Faults, report: Report, tmp_path: Path) -> None:
    page, text = tmp_path / "report.html", report("iris.json").read_text("utf-8")
    page.write_text(
        re.sub('content="default-src[^"]*"', 'content="img-src *"', text).replace("<main>", f"<main>{REQUEST}{MESSAGE}")
    )
    found = faults(page, [(1440, "light")])
    assert "light: request: https://specnet.invalid/picture.png" in found
    assert any("console: a message" in problem for problem in found)


def test_a_mark_shows_what_it_is_at_once(tab: Any, report: Report) -> None:
    tab.goto(report("iris.json").as_uri())
    mark = tab.locator(".card .hit:has(> title)").first
    told = mark.locator("title").text_content()
    mark.scroll_into_view_if_needed()
    mark.hover(force=True)
    assert tab.locator(".hint").inner_text() == told
    tab.mouse.move(1, 1)
    assert tab.locator(".hint").is_hidden()


def test_a_chart_is_copied_with_its_colours_and_has_an_address(tab: Any, report: Report) -> None:
    tab.goto(report("iris.json").as_uri())
    tab.evaluate("navigator.clipboard.writeText = async text => { window.written = text }")
    card = tab.locator("figure.card[id^=chart-]").first
    assert card.locator("a.anchor").get_attribute("href") == f"#{card.get_attribute('id')}"
    card.locator("button.copy").press("Enter")
    assert card.locator("button.copy").inner_text() == "copied"
    copy = ElementTree.fromstring(tab.evaluate("written"))
    assert copy.tag == "{http://www.w3.org/2000/svg}svg"
    assert len(list(copy.iter())) == card.locator("svg *").count() + 1
    assert any("stroke:rgb" in element.attrib["style"] for element in copy.iter())
    assert "var(" not in tab.evaluate("written")


def test_clumsy_names_do_nothing_in_a_browser(faults: Faults, tmp_path: Path) -> None:
    clumsy = """</script><script>alert(1)</script><img src=x onerror=alert(2)>&"']]>"""
    quoted = clumsy.replace('"', '""')
    lines = [f'"{quoted} x","{quoted} y","{quoted} kind"']
    lines += [f'{k % 7 - 3},{k % 5 - 2},"{quoted} {"no" if k % 7 > k % 5 else "yes"}"' for k in range(300)]
    (tmp_path / "table.csv").write_text("\n".join(lines) + "\n")
    data = {"type": "csv", "path": str(tmp_path / "table.csv"), "target": f"{clumsy} kind"}
    training = {"loss": "binary_crossentropy", "epochs": 2, "metrics": ["accuracy"]}
    spec = {"name": "clumsy", "data": data, "network": {"hidden_layer_sizes": [4]}, "training": training}
    run(spec, tmp_path / "run", observer=Observer())
    assert faults(tmp_path / "run" / "report.html") == []


def test_a_diagram_shows_its_outputs_on_a_phone_or_a_fade_at_its_edge(chromium: Any, report: Report) -> None:
    phone = chromium.new_page(viewport={"width": 390, "height": 844})
    phone.goto(report("moons.toml").as_uri())
    assert phone.locator(".net .scroll").evaluate("each => each.scrollWidth <= each.clientWidth")
    phone.goto(report("breast_cancer.toml").as_uri())
    region = phone.locator(".net .scroll")
    assert region.evaluate("each => each.scrollWidth > each.clientWidth + 100")
    region.scroll_into_view_if_needed()

    def seen() -> list[bytes]:
        """Return pictures of the lower corners of the region, where nothing is drawn."""
        box = region.bounding_box()
        left, right, y = round(box["x"]) + 1, round(box["x"] + box["width"]) - 3, round(box["y"] + box["height"]) - 5
        # What was asked of the page before is painted in the second frame at the latest.
        phone.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
        return [phone.screenshot(clip={"x": x, "y": y, "width": 2, "height": 2}) for x in (left, right)]

    first = seen()
    region.evaluate("each => each.scrollTo(each.scrollWidth, 0)")
    last = seen()
    assert first[0] == last[1] != first[1]
    assert last[0] != last[1]
    phone.close()


MOVES = """
new PerformanceObserver(list => window.moves = [...window.moves ?? [], ...list.getEntries().map(
  ({ value, sources }) => [value, ...sources.map(({ node }) => node?.outerHTML?.slice(0, 80))])]
).observe({ type: "layout-shift", buffered: true });
"""


@pytest.mark.parametrize("name", ["moons.toml", "breast_cancer.toml", "new_price"])
def test_nothing_moves_after_a_page_is_shown(chromium: Any, report: Report, name: str) -> None:
    phone = chromium.new_page(viewport={"width": 390, "height": 844})
    phone.context.new_cdp_session(phone).send("Emulation.setCPUThrottlingRate", {"rate": 6})
    phone.add_init_script(MOVES)
    phone.goto(report(name).as_uri())
    phone.locator("#ask").scroll_into_view_if_needed()
    phone.wait_for_selector(".why[aria-busy=false]")
    assert phone.evaluate("window.moves ?? []") == []
    phone.close()
