"""Each kind of chart has a short text on how to read it, and a page has the texts of its kinds."""

from __future__ import annotations

import re
from pathlib import Path

from specnet import report
from specnet.report.pages.how_to_read import HOW_TO_READ, kinds_on
from specnet.report.pages.page_templates import environment

SOURCES = [*Path(report.__file__).parent.rglob("*.py"), *Path(report.__file__).parent.rglob("*.j2")]
KIND = re.compile(r'chart\.svg\(\), "(\w+)"\)|help\("(\w+)", ')


def test_every_kind_of_chart_has_a_text_and_every_text_a_chart() -> None:
    used = {first or second for file in SOURCES for first, second in KIND.findall(file.read_text("utf-8"))}
    assert used == set(HOW_TO_READ)


def test_texts_are_short() -> None:
    for title, text in HOW_TO_READ.values():
        assert title
        assert len(re.findall(r"[.;] |[.]$", text)) <= 4
        assert len(text) <= 260


def test_a_page_has_the_texts_of_its_kinds_only() -> None:
    page = environment().from_string(
        '{% extends "base.html.j2" %}{% from "parts.html.j2" import help %}'
        '{% block main %}{{ help("loss", "Loss") }}{{ help("roc", "ROC") }}{% endblock %}'
    )
    text = page.render(style="", page_script="")
    assert re.findall(r'<dt id="read-(\w+)">', text) == ["roc", "loss"]
    assert HOW_TO_READ["loss"][1] in text
    assert kinds_on("") == []
