"""What notebooks show of networks, models and runs."""

from __future__ import annotations

import base64
import re
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

import specnet
from specnet.findings import Finding
from specnet.number_texts import figure, metric
from specnet.report.overview import Overview
from specnet.report.pages import headline
from tests.exporting.models import team_of
from tests.running.reports.page import Page

MOONS = """
name = "moons"
data = { type = "make_moons", n_samples = 80, split = { test_size = 0.25, validation_size = 0.25 } }
network.layer_sizes = [2, 3, 1]
training = { loss = "binary_crossentropy", metrics = ["accuracy"], epochs = 30 }
"""
HOSTILE = """a <b> & "c" 'd' ]]> é"""


class Shown(Page):
    """What a notebook gets, taken apart."""

    def __init__(self, html: str) -> None:
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.style = ""
        super().__init__(html)

    def handle_data(self, data: str) -> None:
        if self._open[-1:] == ["style"]:
            self.style += data
        elif data.strip():
            self.texts.append(data.strip().replace("\xa0", " "))

    def _take(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    @property
    def images(self) -> list[tuple[str, ElementTree.Element]]:
        """The description of each image, and its SVG."""
        found = [(str(attributes["alt"]), str(attributes["src"])) for tag, attributes in self.elements if tag == "img"]
        assert all(address.startswith("data:image/svg+xml;base64,") for _, address in found)
        return [(told, ElementTree.fromstring(base64.b64decode(address.partition(",")[2]))) for told, address in found]

    def behind(self, text: str, count: int | None = None) -> list[str]:
        """Return so many texts behind one, or all."""
        place = self.texts.index(text) + 1
        return self.texts[place:][:count]


def shown(thing: Any) -> Shown:
    return Shown(thing._repr_html_())


def texts_in(svg: ElementTree.Element) -> set[str]:
    return {"".join(element.itertext()) for element in svg.iterfind(".//{*}text")}


@pytest.fixture(scope="module")
def result() -> specnet.RunResult:
    return specnet.run(MOONS)


@pytest.fixture(scope="module")
def network() -> specnet.Network:
    return specnet.build(MOONS)


# ------------------------------------------------------------------------------------------------------ what is shown


def test_a_network_shows_its_diagram_and_its_plan(network: specnet.Network) -> None:
    page = shown(network)
    assert page.texts[0] == "moons · 2 → 3 relu → 1 sigmoid · 13 parameters, 52 B · float32"
    ((description, svg),) = page.images
    assert description == "Network 2 → 3 relu → 1 sigmoid, 13 parameters"
    assert len(list(svg.iterfind(".//{*}circle"))) == 2 + 3 + 1
    assert page.behind("Layers", 5) == ["layer", "out", "parameters", "first weights", "formula"]
    assert {"layers.0 dense", "layers.1 dense", "relu(W·x + b)", "sigmoid(W·x + b)"} <= set(page.texts)


def test_a_model_shows_its_weights_and_scores(result: specnet.RunResult) -> None:
    model = result.model
    page = shown(model)
    ((description, svg),) = page.images
    assert "blue if positive" in description
    lines = [len(svg.findall(f".//{{*}}path[@class='link {sign}']")) for sign in ("positive", "negative")]
    parameters = model.network.parameters(model.theta)
    weights = np.concatenate([each.ravel() for name, each in parameters.items() if name.endswith("weight")])
    assert lines == [sum(weights >= 0), sum(weights < 0)]
    expected = ["loss", "validation loss"]
    for record in (model.history[0], model.history[-1]):
        expected += [f"epoch {record['epoch']}", figure(record["loss"]), figure(record["validation_loss"])]
    assert page.behind("Scores during training") == expected


def test_a_loaded_model_knows_no_scores(result: specnet.RunResult, tmp_path: Path) -> None:
    result.model.save(tmp_path / "model.safetensors")
    page = shown(specnet.load_model(tmp_path / "model.safetensors"))
    assert "Layers" in page.texts
    assert "Scores during training" not in page.texts


def test_an_ensemble_shows_the_last_scores_of_each_member() -> None:
    page = shown(specnet.run(MOONS, overrides=["training.ensemble = { members = 2, validation = 'split' }"]).model)
    assert {"member 0, epoch 30", "member 1, epoch 30"} <= set(page.texts)
    assert "2 members of 13 parameters" in page.texts[0]


def test_a_run_shows_its_figures_and_its_loss(result: specnet.RunResult) -> None:
    page = shown(result)
    assert page.texts[1] == headline.verdict(result.evaluation)
    assert page.texts[2] == "Gain over simpler predictors."  # as on the page of the run
    for split in ("test", "train"):
        scores = result.metrics[split]
        assert page.behind(split, 2) == [figure(scores["loss"]), metric("accuracy", scores["accuracy"])]
    (strip, drawn), (description, svg) = page.images
    told = [
        f"{name} {each['test']['accuracy']:.1%}".replace("%", " %")
        for name, each in result.evaluation["baselines"].items()
    ]
    assert strip.startswith("Gain over simpler predictors: linear ")
    assert {*told} <= texts_in(drawn)
    first, last = (figure(result.history[place]["loss"]) for place in (0, -1))
    assert description.startswith(f"Loss by epoch: train {first} at first, {last} at last")
    assert {"train", "validation"} <= texts_in(svg)


def test_findings_of_a_run_are_shown_in_order(result: specnet.RunResult) -> None:
    findings = (
        Finding("leakage", "error", f"of {HOSTILE}", {}, "leave it out"),
        Finding("x", "warning", "sentence", {}, "y"),
    )
    page = shown(replace(result, findings=findings))
    assert page.behind("leakage:", 5) == [f"of {HOSTILE}", "Remedy: leave it out", "x:", "sentence", "Remedy: y"]
    classes = [str(attributes.get("class")) for tag, attributes in page.elements if tag == "p"]
    assert [name for name in classes if "finding" in name] == ["finding bad", "finding"]


def test_numbers_are_shown_without_held_out_rows() -> None:
    spec = MOONS.replace("test_size = 0.25, validation_size = 0.25", "test_size = 0")
    page = shown(specnet.run(spec))
    assert page.texts[1].endswith("of 80 training rows are right. No rows were held out for testing.")
    assert "train" in page.texts
    assert "test" not in page.texts


# ------------------------------------------------------------------------------------------------ what hosts make of it


@pytest.fixture(params=["network", "model", "run"])
def page(request: pytest.FixtureRequest, network: specnet.Network, result: specnet.RunResult) -> Shown:
    return shown({"network": network, "model": result.model, "run": result}[request.param])


def test_nothing_runs_and_nothing_is_loaded(page: Shown) -> None:
    assert not {"script", "iframe", "object", "link", "svg"} & {tag for tag, _ in page.elements}
    names = {name for _, attributes in page.elements for name in attributes}
    assert not {"id", "href", "style"} & names
    assert not [name for name in names if name.startswith("on")]
    assert "url(" not in page.style
    assert "@import" not in page.style
    for _, svg in page.images:
        assert not list(svg.iterfind(".//{*}script"))
        assert "url(" not in "".join(svg.itertext())


def test_styles_are_about_this_output_alone(page: Shown) -> None:
    rules = re.sub(r"@media [^{]*", "", page.style)
    selectors = re.findall(r"([^{}]+)\{[^{}]*\}", rules)
    assert len(selectors) > 15
    for selector in ",".join(selectors).split(","):
        assert ".specnet-notebook" in selector, selector


def test_both_themes_have_every_variable(page: Shown) -> None:
    used = set(re.findall(r"var\(--([\w-]+)\)", page.style))
    assert {"ink", "card"} <= used
    blocks = [block for block in re.findall(r"\{([^{}]*)\}", page.style) if "color-scheme" in block]
    assert len(blocks) == 4  # the base, the system's dark theme, light and dark hosts
    values = [dict(re.findall(r"--([\w-]+): ([^;]+);", block)) for block in blocks]
    assert all(set(each) == used for each in values)
    light, dark = values[0], values[1]
    assert values[2:] == [light, dark]
    assert all(light[name] != dark[name] for name in used)


def test_signs_in_names_stay_text(tmp_path: Path) -> None:
    X = np.random.default_rng(0).normal(size=(60, 2))
    labels = np.where(X[:, 0] > 0, HOSTILE, f"other {HOSTILE}")
    described = {"hidden_layer_sizes": [3], "feature_names": [HOSTILE, "b"]}
    spec = {"network": described, "training": {"loss": "binary_crossentropy", "epochs": 2}}
    model = specnet.fit(spec, X, labels)
    for thing in (model, model.network):
        page = shown(thing)
        assert not {"b"} & {tag for tag, _ in page.elements}
        ((_, svg),) = page.images
        # A long name is shortened, and shows in full on hover.
        assert any(HOSTILE in text for text in texts_in(svg))


def test_ipython_takes_it_from_them(result: specnet.RunResult, network: specnet.Network) -> None:
    formatters = pytest.importorskip("IPython.core.formatters", reason="needs IPython")
    for thing in (result, result.model, network):
        data, _ = formatters.DisplayFormatter().format(thing)
        assert data["text/html"] == thing._repr_html_()
        assert data["text/plain"].startswith(("<", "RunResult("))


def test_a_team_shows_its_networks_with_their_shares() -> None:
    team = team_of("value", "float64")
    shown = Shown(team._repr_html_())
    texts = " ".join(shown.texts)
    assert "team of 3 networks" in texts
    for number, (model, share) in enumerate(zip(team.networks, ("50.0", "16.7", "33.3"), strict=True), 1):
        assert f"{number} {share} %" in texts.replace("\N{NO-BREAK SPACE}", " ")
        assert Overview(model.network.resolved).summary() in texts
        assert f"Layers of network {number}" in texts
