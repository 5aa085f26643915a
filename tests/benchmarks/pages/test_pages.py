"""Figures of pages are those of the rows and the models, and another figure, text or position is found."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.benchmarks.pages import made
from tests.benchmarks.pages.figures import Figures
from tests.benchmarks.pages.kinds import KINDS, figures_of
from tests.benchmarks.pages.runs import run_figures

LEAST = 60


@pytest.mark.parametrize("kind", ["two classes", "texts", "two outputs", "folds", "sweep"])
def test_figures_are_those_of_the_rows_and_the_models(kind: str, tmp_path: Path) -> None:
    found = figures_of(kind, tmp_path)
    assert not found.differing
    assert found.count >= LEAST


def test_every_kind_of_page_is_known() -> None:
    assert {"regression", "ensemble", "seeds", "team", "compare", "leaderboard"} < {*KINDS}


PLANTED = {
    "loss of train rows": (r"(<td class=\"number\">)0\.(\d{4})(</td>)", r"\g<1>1.\2\3"),
    "confusion, ": (r"predicted no: (\d+),", "predicted no: 999,"),
    "calibration: its position": (r'(<circle class="dot class-1" cx="[\d.]+" cy=")[\d.]+', r"\g<1>50"),
}
"""Changes of a score, of hover texts and of positions, and how what is found of each begins."""


def test_other_figures_are_found(tmp_path: Path) -> None:
    page = made.run_of("two")(tmp_path)
    text = page.read_text("utf-8")
    for pattern, other in PLANTED.values():
        text, times = re.subn(pattern, other, text)
        assert times
    page.write_text(text, "utf-8")
    found = Figures()
    run_figures(page, page.parent / "spec.json", found)
    for start in PLANTED:
        assert any(each.startswith(start) for each in found.differing)
