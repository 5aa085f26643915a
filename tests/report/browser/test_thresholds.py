"""The slider of thresholds: counts, words and points are those of the probabilities, moved by keyboard alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import specnet
from specnet import Model, Observer
from tests.made import data_of
from tests.report.browser.tables import CLUMSY
from tests.report.drawn import coordinates

pytestmark = pytest.mark.slow  # a browser is a process

KEYS = ("Home", "ArrowRight", "PageUp", "PageUp", "End", "ArrowLeft")


@pytest.fixture(
    scope="module", params=["", "w"], ids=["first class is rare", "second class is rare, rows have weights"]
)
def sliding(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Model, Any]:
    """The page of a run on two classes, one of them rare, with its model and test rows."""
    folder, generator = tmp_path_factory.mktemp("sliding"), np.random.default_rng(0)
    X = generator.normal(size=(600, 2))
    rare = X[:, 0] + generator.normal(size=600) > 1.7
    weight, names = generator.integers(1, 4, 600), np.where(rare, "rare" if request.param else CLUMSY, "and")
    pd.DataFrame({"p": X[:, 0], "q": X[:, 1], "w": weight, "is": names}).to_csv(folder / "table.csv", index=False)
    data = {"type": "csv", "path": str(folder / "table.csv"), "target": "is", "split": {"test_size": 0.5}}
    data |= {"sample_weight": "w"} if request.param else {"features": ["p", "q"]}
    training = {"loss": "binary_crossentropy", "epochs": 15, "optimizer": {"type": "adam", "learning_rate": 0.02}}
    spec = {"data": data, "network": {"hidden_layer_sizes": [4]}, "training": training}
    result = specnet.run(spec, folder / "run", observer=Observer())
    rows = data_of(folder / "run" / "spec.json").splits["test"]
    return folder / "run" / "report.html", result.model, rows


def places(tab: Any, chart: str) -> tuple[np.ndarray, np.ndarray]:
    """Where 0, and where 1, lie on both axes of a chart, by the ticks of both."""
    names = ["text-anchor", "x", "y"]
    told = "(texts, names) => texts.map(text => [text.innerHTML, ...names.map(name => text.getAttribute(name))])"
    found = {}
    for text, anchor, x, y in tab.locator(f"#{chart} svg text").evaluate_all(told, names):
        if text in ("0", "100"):  # percent
            found[anchor == "end", float(text) / 100] = float(y if anchor == "end" else x)
    # A text stands lower than its tick.
    zero, one = ([found[False, end], found[True, end] - 0.35 * 12] for end in (0.0, 1.0))
    return np.array(zero), np.array(one)


def test_each_threshold_has_the_counts_of_the_probabilities(tab: Any, sliding: tuple[Path, Model, Any]) -> None:
    """Its point begins where the model decides, and is there on paper, which has no slider."""
    page, model, rows = sliding
    tab.goto(page.as_uri())
    drawn = page.read_text("utf-8").partition('<g id="roc-point"')[2].partition("</g>")[0].partition("<circle")[2]
    point = tab.locator("#roc-point circle")
    at_first = [float(point.get_attribute(each)) for each in ("cx", "cy", "r")]
    # The script, which counts, moves it no farther than a tenth of a unit from where it was drawn.
    assert at_first == pytest.approx(coordinates(drawn)[-3:], abs=0.11)
    assert ("Rows count by their weights" in tab.locator("#results").inner_text()) == (rows.weight is not None)
    slider = tab.get_by_label("Threshold", exact=True)
    assert tab.locator(".thresholds output").inner_text() == "0.5"
    if rows.weight is None:
        first = tab.locator(".thresholds td.number").all_inner_texts()
        assert first == tab.locator("#chart-confusion text.strong").all_text_contents()
    probability = model.predict_proba(np.asarray(rows.columns))[:, 1].astype(np.float64)
    positive, weight = np.asarray(rows.y) == model.labels[1], np.ones(len(rows)) if rows.weight is None else rows.weight
    charts = {name: places(tab, name) for name in ("chart-roc-curve", "chart-precision-and-recall")}
    slider.focus()
    seen = set()
    for key in KEYS:
        tab.keyboard.press(key)
        at = float(slider.get_attribute("aria-valuetext"))
        assert tab.locator(".thresholds output").inner_text() == slider.get_attribute("aria-valuetext")
        above = probability > at if at in (0.0, 0.5, 1.0) else probability >= at
        counts = [[weight[given & ~positive].sum(), weight[given & positive].sum()] for given in (~above, above)]
        (rest, miss), (alarm, hit) = counts
        cells = [float(text) for text in tab.locator(".thresholds td.number").all_inner_texts()]
        np.testing.assert_allclose(cells, [rest, alarm, miss, hit], rtol=1e-3)
        shown = tab.locator(".thresholds [role=status]").inner_text().replace("\u00a0", " ")
        assert shown.startswith(f"Accuracy {100 * (rest + hit) / weight.sum():.1f} %. ")
        predicted = f"Precision: {100 * hit / (hit + alarm):.1f} % of " if hit + alarm else "No row is predicted as "
        assert predicted in shown
        assert f"Recall: {100 * hit / (hit + miss):.1f} % of " in shown
        assert f"False alarms: {alarm:.4g}." in shown
        assert tab.locator(".to-type").is_visible() == (0 < at < 1)
        assert tab.locator(".to-type code").text_content() == f"--set training.decision_threshold={at:g}"
        if model.labels[1] == "rare":
            own, others, given = hit, miss, hit + alarm
        else:
            own, others, given = rest, alarm, rest + miss
        for name, chart, x, y in (
            ("roc-point", "chart-roc-curve", alarm / (alarm + rest), hit / (hit + miss)),
            ("recall-point", "chart-precision-and-recall", own / (own + others), own / given if given else None),
        ):
            moved = tab.locator(f"#{name} circle")
            assert moved.is_visible() == (y is not None)
            if y is not None:
                found = [float(moved.get_attribute(each)) for each in ("cx", "cy")]
                zero, one = charts[chart]
                np.testing.assert_allclose(found, zero + [x, y] * (one - zero), atol=1)
        seen.add(at)
    assert len(seen) >= 5
    assert tab.locator(".thresholds").is_visible()
    assert float(point.get_attribute("cx")) != at_first[0]
    tab.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert float(point.get_attribute("cx")) == at_first[0]
    tab.emulate_media(media="print")
    assert not tab.locator(".thresholds").is_visible()


def test_the_slider_is_well_behaved(faults: Any, sliding: tuple[Path, Model, Any]) -> None:
    assert faults(sliding[0]) == []


def test_without_script_there_is_no_slider(chromium: Any, sliding: tuple[Path, Model, Any]) -> None:
    tab = chromium.new_page(java_script_enabled=False)
    tab.goto(sliding[0].as_uri())
    assert not tab.locator(".thresholds").is_visible()
    assert tab.locator("#roc-point circle").is_visible()
    tab.close()
