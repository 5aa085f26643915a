"""Runs that store no rows: none stands in a file one by one, or as a hash, also where the page is made again."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.cli.conftest import Specnet

SPEC = """
name = "prices"
[data]
type = "csv"
path = "rows.csv"
target = "price"
split = { test_size = 0.3, validation_size = 0.2 }
[network]
hidden_layer_sizes = [3]
target_preprocessing = ["standardize"]
[training]
loss = "mean_squared_error"
epochs = 3
[sweep]
trials = 2
[sweep.space]
"training.l2" = [0.0, 0.1]
"""
TEST_ROWS = 24


@pytest.fixture
def prices(folder: Path) -> set[int]:
    """Write a table and its spec, and return its targets, which are found nowhere else."""
    rng = np.random.default_rng(3)
    prices: list[int] = rng.choice(np.arange(100_000, 1_000_000), 80, replace=False).tolist()
    rows = [f"{a:.2f},{b:.2f},{price}" for (a, b), price in zip(rng.normal(size=(80, 2)), prices, strict=True)]
    (folder / "rows.csv").write_text("\n".join(["a,b,price", *rows]) + "\n")
    (folder / "spec.toml").write_text(SPEC)
    return set(prices)


def shown(folder: Path, prices: set[int]) -> int:
    """Return how many targets texts in a folder show, with or without a space after the thousands."""
    texts = [path.read_text("utf-8") for path in folder.rglob("*") if path.suffix in (".html", ".json", ".jsonl")]
    found = [number for text in texts for number in re.findall(r"(?<!\d)\d{3}[ \u202f]?\d{3}(?!\d)", text)]
    return len({int(re.sub(r"\D", "", number)) for number in found} & prices)


def hashes(folder: Path) -> list[Any]:
    """Return what runs in a folder have of their training rows."""
    facts = [json.loads(path.read_text()) for path in folder.rglob("run.json")]
    return [each["training_rows"] for each in facts if "training_rows" in each]


@pytest.mark.slow
@pytest.mark.trains
@pytest.mark.parametrize("verb", ["run", "run --folds 2 --seeds 1", "sweep", "sweep --folds 2"])
def test_no_row_is_stored(verb: str, prices: set[int], specnet: Specnet, folder: Path):
    specnet(*verb.split(), "spec.toml", "-o", "rows", "--jobs", "1", "-q").went()
    assert all(hashes(folder / "rows"))
    assert "--folds 2 --seeds" in verb or shown(folder / "rows", prices) >= TEST_ROWS
    specnet(*verb.split(), "spec.toml", "-o", "none", "--jobs", "1", "--no-rows", "-q").went()
    assert len(hashes(folder / "none")) == len(hashes(folder / "rows"))
    assert not any(hashes(folder / "none"))
    assert shown(folder / "none", prices) == 0
    assert specnet("verify", "none").status == 0


def test_a_page_that_is_made_again_has_none_either(prices: set[int], specnet: Specnet, folder: Path):
    specnet("run", "spec.toml", "-o", "none", "--no-rows", "-q").went()
    page = folder / "none/report.html"
    before = page.read_bytes()
    specnet("report", "none", "-q").went()
    assert page.read_bytes() == before
    specnet("run", "spec.toml", "-o", "rows", "-q").went()
    specnet("report", "rows", "--no-rows", "-q").went()
    assert shown(folder / "rows", prices) == 0
    specnet("evaluate", "none", "rows.csv", "-q").went()


@pytest.mark.usefixtures("moons")
def test_two_columns_are_drawn_with_their_rows_or_not_at_all(specnet: Specnet, folder: Path):
    specnet("report", "moons", "-q").went()
    assert "Each point is a row." in (folder / "moons/report.html").read_text("utf-8")
    specnet("report", "moons", "--no-rows", "-q").went()
    assert "Each point is a row." not in (folder / "moons/report.html").read_text("utf-8")
