"""The spec that `specnet new` writes for a table with texts, gaps and dates, on its way to every page."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.cli.conftest import Specnet

pytestmark = [pytest.mark.slow, pytest.mark.trains]

FEW = ["--set", "training.epochs=2"]


@pytest.fixture
def spec(specnet: Specnet, folder: Path) -> str:
    """Return the name of the spec of a table with a number that has gaps, a date, a category and a text of each row."""
    generator = np.random.default_rng(0)
    lines = ["size,when,city,note,kind"]
    for row in range(60):
        size, city = generator.normal(), generator.choice(["Bonn", "Oslo", ""])
        cell = "" if row % 7 == 0 else f"{size:.4f}"
        kind = "yes" if size + generator.normal() > 0 else "no"
        lines.append(f"{cell},2024-{1 + row % 12:02}-{1 + row % 28:02},{city},note {row},{kind}")
    (folder / "shop.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    for name, options in (("shop.toml", []), ("searched.toml", ["--sweep"])):
        assert specnet("new", name, "--data", "shop.csv", "--target", "kind", "-q", *options).status == 0
    assert "ensemble = 8" in (folder / "shop.toml").read_text(encoding="utf-8")
    return "shop.toml"


def test_folds_and_seeds_of_the_recipe_have_a_page(specnet: Specnet, folder: Path, spec: str) -> None:
    ended = specnet("run", spec, "--folds", "2", "--seeds", "2", "-o", "many", *FEW)
    assert ended.status == 0
    assert "could not be written" not in ended.err
    check_page(specnet, folder / "many", "Training loss by epoch in 4 runs")


def test_a_sweep_from_the_recipe_has_a_page(specnet: Specnet, folder: Path, spec: str) -> None:
    options = ["--trials", "2", "--jobs", "1", "--set", "training.epochs=2"]
    ended = specnet("sweep", "searched.toml", "-o", "sweep", *options)
    assert ended.status == 0
    assert "could not be written" not in ended.err
    check_page(specnet, folder / "sweep", "Validation loss of every trial by epoch")


@pytest.mark.parametrize("options", [[], ["--folds", "3"]])
def test_a_class_of_one_row_is_told_once_and_trains(
    specnet: Specnet, folder: Path, spec: str, options: list[str]
) -> None:
    with (folder / "shop.csv").open("a", encoding="utf-8") as file:
        file.write("0.5,2024-01-01,Oslo,note,perhaps\n")
    assert specnet("new", spec, "--data", "shop.csv", "--target", "kind", "--force", "-q").status == 0
    assert specnet("validate", spec).status == 0
    ended = specnet("run", spec, "-o", "out", *options, *FEW)
    assert ended.status == 0
    assert ended.err.count("warning[single-row]: class perhaps is in one row, which is a training row") == 1
    for record in folder.glob("out/**/metrics.json"):
        tables = json.loads(record.read_text())["tables"]["test"]
        assert tables["labels"] == ["no", "perhaps", "yes"]
        assert sum(tables["confusion"][1]) == 0


def check_page(specnet: Specnet, folder: Path, chart: str) -> None:
    """Check that a folder has a page with a chart, and that it is written again as it was."""
    page = (folder / "report.html").read_bytes()
    assert chart in page.decode()
    (folder / "report.html").unlink()
    assert specnet("report", folder).status == 0
    assert (folder / "report.html").read_bytes() == page
