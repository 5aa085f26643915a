"""The slider beside the answer over a plane: it shows the network of each snapshot, and last the delivered one."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from specnet import Model, Observer, load_model, run
from specnet.saved.saved_run import SavedRun
from tests.report.browser.checks import script

pytestmark = pytest.mark.slow  # a browser is a process

STRENGTH, HUES = 0.62, np.array([[222.0, 116.0, 28.0], [46.0, 124.0, 208.0]])
"""Opacity of a certain answer, and the colours of both classes."""
SPEC = """
data = { type = "make_moons", n_samples = 120, noise = 0.3, split.validation_size = 0.3 }
network.hidden_layer_sizes = [6]
training.loss = "binary_crossentropy"
training.epochs = 40
training.optimizer = { type = "adam", learning_rate = 0.3 }
training.early_stopping = { monitor = "validation_loss", patience = 40, restore_best = true }
"""
PLACES = np.array([[0.1, 0.15], [0.85, 0.9], [0.3, 0.7], [0.7, 0.25], [0.5, 0.5]])
"""Fractions of the axes."""
CARD = np.array([255.0, 255.0, 255.0])


@pytest.fixture(scope="module")
def restored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run whose delivered weights are not those of the last epoch."""
    folder = tmp_path_factory.mktemp("restored") / "run"
    run(SPEC, folder, observer=Observer())
    return folder


@pytest.fixture
def page(tab: Any, restored: Path) -> Any:
    """Its page, with nothing over the coloured planes."""
    tab.set_viewport_size({"width": 1200, "height": 900})
    tab.clock.install()
    tab.goto((restored / "report.html").as_uri())
    tab.add_style_tag(content="#plane use, #plane .line, #plane .grid, .chosen-point { display: none; }")
    return tab


def seen(tab: Any) -> np.ndarray:
    """Return the colours of the answer at the places."""
    surface = tab.locator(".moment.shown image")
    surface.scroll_into_view_if_needed()
    box = surface.bounding_box()
    # Its outer pixels lie half beyond the axes.
    half, low = box["width"] / 180, box["height"] / 180
    left, top = box["x"] + half, box["y"] + low
    clip = {"x": left, "y": top, "width": box["width"] - 2 * half, "height": box["height"] - 2 * low}
    data = base64.b64encode(tab.screenshot(clip=clip)).decode()
    return np.array(tab.evaluate(script("colours"), [data, [[x, 1 - y] for x, y in PLACES.tolist()]]), float)


def expected(model: Model, parameters: dict[str, np.ndarray], axes: list[list[float]]) -> np.ndarray:
    """Return the colours that a network's probabilities have at the places."""
    theta = np.zeros_like(model.members[0][0])
    for name, view in model.network.parameters(theta).items():
        view[...] = parameters[name]
    low, high = np.array(axes).T
    rows = model.preprocessing.prepare(low + PLACES * (high - low), reader=model.network)
    probability = model.network.predict(theta, rows)[:, :1].astype(float)
    opacity = STRENGTH * np.abs(2 * probability - 1)
    return (1 - opacity) * CARD + opacity * HUES[(probability[:, 0] > 0.5).astype(int)]


def test_the_slider_shows_each_snapshot_and_last_the_delivered_network(page: Any, restored: Path) -> None:
    model, snapshots = load_model(restored), SavedRun(restored).snapshots
    slider, said = page.locator(".player input"), page.locator(".player output")
    axes = page.evaluate("ask.plane")
    assert said.inner_text().startswith("the delivered network: ")
    delivered = model.network.parameters(model.members[0][0])
    assert any((delivered[name] != array).any() for name, array in snapshots[40].items())
    np.testing.assert_allclose(seen(page), expected(model, delivered, axes), atol=9)
    slider.focus()
    page.keyboard.press("Home")
    assert said.inner_text().startswith("before training: ")
    np.testing.assert_allclose(seen(page), expected(model, snapshots[0], axes), atol=9)
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    assert said.inner_text().startswith("epoch 8: ")
    assert slider.evaluate("each => each.ariaValueText") == said.inner_text()
    now = seen(page)
    np.testing.assert_allclose(now, expected(model, snapshots[8], axes), atol=9)
    assert np.abs(now - expected(model, delivered, axes)).max() > 20
    page.keyboard.press("End")
    np.testing.assert_allclose(seen(page), expected(model, delivered, axes), atol=9)


def test_it_plays_to_the_end_and_paper_and_pointing_show_the_delivered_network(page: Any) -> None:
    button, slider = page.locator(".player button"), page.locator(".player input")
    last = slider.get_attribute("max")
    button.press("Enter")
    assert (button.inner_text(), slider.input_value()) == ("Stop", "0")
    page.clock.run_for(1000)
    assert slider.input_value() == "1"
    page.emulate_media(media="print")
    visible = "[...document.querySelectorAll('.moment')].map(each => getComputedStyle(each).visibility)"
    assert page.evaluate(visible) == ["hidden"] * int(last) + ["visible"]
    assert page.locator(".player").is_hidden()
    page.emulate_media(media="screen")
    assert page.evaluate(visible)[1] == "visible"
    page.clock.run_for(10_000)
    assert (button.inner_text(), slider.input_value()) == ("Play", last)
    slider.fill("0")
    page.locator(".delivered image").click(position={"x": 60, "y": 60}, force=True)
    assert slider.input_value() == last
    assert page.evaluate(visible) == ["hidden"] * int(last) + ["visible"]
