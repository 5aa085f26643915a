"""The home page's network predicts as the model does, for a point that is clicked and one that is set by keyboard."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import specnet
from specnet.running.folder_pages import answers_shown, rows_again
from specnet.saved.saved_run import SavedRun
from tests.docs.site import browser, try_it
from tests.made import run_once
from tests.running.moons import MOONS


@pytest.mark.skipif(not browser.is_there(), reason="needs Chromium and playwright")
def test_a_chosen_point_is_predicted_as_by_the_model(tmp_path: Path) -> None:
    saved = SavedRun(run_once(MOONS, report=False))
    plane = answers_shown(saved, rows_again(saved)).plane
    assert plane is not None
    specnet.export(saved.model, "javascript", tmp_path / "moons.mjs")
    exported = (tmp_path / "moons.mjs").read_text("utf-8")
    section = try_it.section(plane, exported)
    assert exported in section
    (tmp_path / "page.html").write_text(f"<!doctype html>{section}", encoding="utf-8")

    def shown(page: Any) -> list[float]:
        row = [float(each.input_value()) for each in page.locator("input").all()]
        probability = saved.model.predict_proba([row])[0]
        label = int(np.argmax(probability))
        assert page.locator("output").inner_text() == f"Class {label}: {100 * probability[label]:.1f} %"
        return row

    with browser.opened() as chromium:
        page = chromium.new_page()
        page.goto((tmp_path / "page.html").as_uri())
        assert shown(page) == [*try_it.START]
        box = page.locator(".plane svg svg image").bounding_box()
        page.mouse.click(box["x"] + 0.25 * box["width"], box["y"] + 0.1 * box["height"])
        clicked = shown(page)
        ends = zip(plane.axes, (0.25, 0.9), strict=True)
        assert clicked == pytest.approx([axis.low + share * (axis.high - axis.low) for axis, share in ends], abs=0.03)
        page.locator("input").last.focus()
        page.keyboard.press("Home")
        assert shown(page) == [clicked[0], round(plane.axes[1].low, 2)]
