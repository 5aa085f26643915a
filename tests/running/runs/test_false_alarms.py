"""Real tables give no warning but the right ones; in one of them each planted fault gives its own, and no other."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import specnet
from specnet import Observer
from tests.running.specs import spec_on

PENGUINS = Path(__file__).parents[3] / "specs" / "data" / "penguins.csv"
SPECIES = ("Adelie", "Chinstrap", "Gentoo")
Row = dict[str, str]


@pytest.fixture
def penguins() -> list[Row]:
    with PENGUINS.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def told(folder: Path, rows: list[Row], seed: int = 0, **data: Any) -> list[tuple[str, str]]:
    """Return code and message of each warning of a run on penguins."""
    path = folder / "rows.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    table = {"type": "csv", "path": str(path), "target": "species", **data}
    spec = {"seed": seed, **spec_on(table, loss="categorical_crossentropy")}
    return [(warning.code, warning.message) for warning in specnet.run(spec, observer=Observer()).warnings]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_penguins_give_no_warning(tmp_path: Path, penguins: list[Row], seed: int):
    assert told(tmp_path, penguins, seed) == []
    assert told(tmp_path, penguins, seed, target="sex", missing_target="drop") == []


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_raw_penguins_have_two_constants_and_an_identifier(tmp_path: Path, penguins: list[Row], seed: int):
    """As in the original table, where an individual was seen up to three times."""
    raw = [
        {"Region": "Anvers", "Stage": "Adult, 1 Egg Stage", "Individual ID": f"N{row % 190}", **cells}
        for row, cells in enumerate(penguins)
    ]
    found = told(tmp_path, raw, seed)
    assert sorted(code for code, _ in found) == ["constant", "constant", "ignored-column"]
    for name in ("Region", "Stage", "Individual ID"):
        assert sum(f'column "{name}"' in message for _, message in found) == 1
    (identifier,) = told(
        tmp_path, raw, seed, columns={"Individual ID": "category", "Region": "ignore", "Stage": "ignore"}
    )
    assert identifier[0] == "identifier"


FAULTS: dict[str, tuple[str, Callable[[int, Row], str]]] = {
    "a constant": ("constant", lambda row, cells: "Anvers"),
    "nothing but gaps in most rows": ("none", lambda row, cells: "" if row % 5 else str(row * 37 % 11)),
    "row numbers": ("gives-target-away", lambda row, cells: str(row + 1)),  # the rows are sorted by species
    "shuffled numbers": ("identifier", lambda row, cells: str(5000 + row * 101 % 344)),
    "a name for each row": ("ignored-column", lambda row, cells: f"penguin {row}"),
    "a copy of a number": ("duplicate-column", lambda row, cells: cells["body_mass_g"]),
    "a copy of a category": ("duplicate-column", lambda row, cells: cells["island"]),
    "the target": ("gives-target-away", lambda row, cells: cells["species"][:2]),
    "the target as a number": (
        "gives-target-away",
        lambda row, cells: f"{SPECIES.index(cells['species']) + row % 7 / 10}",
    ),
    "a pure noise number": ("none", lambda row, cells: f"{np.sin(row * row):.6f}"),
    "a pure noise category": ("none", lambda row, cells: f"group {row * row % 13}"),
}


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
def test_each_planted_fault_gives_its_warning_and_no_other(tmp_path: Path, penguins: list[Row], fault: str):
    code, planted = FAULTS[fault]
    found = told(tmp_path, [{**cells, "planted": planted(row, cells)} for row, cells in enumerate(penguins)])
    assert [code for code, _ in found] == ([] if code == "none" else [code])
    assert all('column "planted"' in message for _, message in found)


def test_rows_that_occur_twice_are_told_of(tmp_path: Path, penguins: list[Row]):
    assert [code for code, _ in told(tmp_path, penguins[::2] * 2)] == ["rows-in-both"]
