"""The home page's network trains as specnet does, and predicts as the model does, by pointer and by keyboard."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import specnet
from specnet.running.folder_pages import answers_shown, rows_again
from specnet.saved.saved_run import SavedRun
from tests.docs.documents import ROOT
from tests.docs.site import browser, try_it
from tests.made import run_once

TRAINED = """() => {
  const text = document.querySelector(".try-it .state").textContent;
  return text.startsWith("Step 20\\u202f000") && text;
}"""


@pytest.mark.skipif(not browser.is_there(), reason="needs Chromium and playwright")
def test_the_network_trains_and_predicts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(try_it, "UNITS", (3, 5))
    monkeypatch.setattr(try_it, "ACTIVATIONS", ("relu",))
    run = run_once((ROOT / "specs" / "moons.toml").read_text("utf-8"), report=False)
    saved = SavedRun(run)
    plane = answers_shown(saved, rows_again(saved)).plane
    assert plane is not None
    specnet.export(saved.model, "javascript", tmp_path / "moons.mjs", learn=True)
    exported = (tmp_path / "moons.mjs").read_text("utf-8")
    section = try_it.section(run, exported, tmp_path)
    assert exported in section
    (tmp_path / "page.html").write_text(f"<!doctype html>{section}", encoding="utf-8")

    def shown(page: Any) -> list[float]:
        row = [float(each.input_value()) for each in page.locator("input").all()[3:]]
        probability = saved.model.predict_proba([row])[0]
        label = int(np.argmax(probability))
        assert page.locator("output").inner_text() == f"Class {label}: {100 * probability[label]:.1f} %"
        return row

    with browser.opened() as chromium:
        page, messages = chromium.new_page(), []
        page.on("console", lambda message: messages.append(message.text))
        page.on("pageerror", lambda error: messages.append(str(error)))
        page.goto((tmp_path / "page.html").as_uri())
        page.wait_for_function("document.querySelector('.try-it output').textContent")
        assert shown(page) == [*try_it.START]
        box = page.locator(".plane svg svg image").bounding_box()
        page.mouse.click(box["x"] + 0.25 * box["width"], box["y"] + 0.1 * box["height"])
        clicked = shown(page)
        ends = zip(plane.axes, (0.25, 0.9), strict=True)
        assert clicked == pytest.approx([axis.low + share * (axis.high - axis.low) for axis, share in ends], abs=0.03)
        page.locator("input").last.focus()
        page.keyboard.press("Home")
        assert shown(page) == [clicked[0], round(plane.axes[1].low, 2)]
        page.locator("button").first.focus()
        page.keyboard.press("Enter")
        words = page.wait_for_function(TRAINED, timeout=60_000).json_value()
        begin, apart = words.split(" No weight differs from those of specnet by more than ")
        assert begin.endswith("loss 0.2993, 85.0 % of the held-out rows right.")
        assert float(apart.rstrip(".")) < 1e-9
        page.locator("#try-units").focus()
        page.keyboard.press("ArrowLeft")
        page.wait_for_function("document.querySelector('.try-it .state').textContent === 'Before training.'")
        assert page.locator("#try-units").get_attribute("aria-valuetext") == "3"
        page.keyboard.press("Shift+Tab")
        page.keyboard.press("End")
        assert page.locator("label b").first.inner_text() == "3"
        page.locator("button").first.click()
        page.wait_for_function("/Step (?!0:)/.test(document.querySelector('.try-it .state').textContent)")
        assert messages == []
