"""One enormous number in a table: named with file and line, and no reason to lose the other rows."""

from __future__ import annotations

import csv
import json
import warnings
from pathlib import Path

import numpy as np
import pytest

from specnet import SpecnetWarning, run
from tests.cli.conftest import Specnet

SPEC = """
data = { type = "csv", path = "rows.csv", target = "y", features = ["a", "b"], missing_target = "drop" }
network = { hidden_layer_sizes = [3], preprocessing = ["standardize"] }
training = { loss = "binary_crossentropy", epochs = 2 }
"""
LINE = 9


@pytest.fixture
def tables(folder: Path) -> Path:
    """Return the working folder with a spec, its rows, and rows of which one has an enormous number."""
    rng = np.random.default_rng(0)
    rows = [["c", f"{a:+.3f}", f"{b:.3f}", str(row % 2)] for row, (a, b) in enumerate(rng.normal(size=(40, 2)))]
    for name, number in (("rows", rows[LINE - 2][2]), ("large", "1e303")):
        rows[LINE - 2][2] = number
        lines = ["kind,a,b,y", *map(",".join, rows)]
        (folder / f"{name}.csv").write_text("\n".join([*lines[:3], "c,1,1,", *lines[3:], ""]))
        records = [dict(zip(["kind", "a", "b", "y"], ["c", *map(float, row[1:])], strict=True)) for row in rows]
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    (folder / "spec.toml").write_text(SPEC)
    return folder


@pytest.mark.parametrize(
    "setting",
    [
        'data.path="large.csv"',
        'data.split.test="large.csv"',
        'data={type="jsonl", path="large.jsonl", target="y", features=["a","b"]}',
    ],
)
def test_a_run_names_the_cell_before_it_trains(tables: Path, specnet: Specnet, setting: str) -> None:
    said = specnet("run", "spec.toml", "-o", "out", "--set", setting).failed(1)
    place = f"large.jsonl:{LINE - 1}:1" if "jsonl" in setting else f"large.csv:{LINE + 1}:10"
    assert f'{place}: error[too-large]: column "b": 1e+303 is too large' in said
    assert not (tables / "out").exists()


def test_rows_with_a_large_cell_alone_are_not_predicted(tables: Path, specnet: Specnet) -> None:
    assert specnet("run", "spec.toml", "-o", "out", "-q").status == 0
    found = []
    for name in ("rows", "large"):
        ended = specnet("predict", "out", f"{name}.csv", "-o", f"{name}_predicted.csv")
        assert ended.status == 0
        with open(f"{name}_predicted.csv", newline="") as file:
            found.append(list(csv.reader(file)))
    assert f"large.csv:{LINE + 1}:10: warning[not-predicted]: 1 of 41 rows has no prediction: column" in ended.err
    expected, predicted = found
    assert predicted.pop(LINE) == ["", "", ""]
    expected.pop(LINE)
    assert predicted == expected
    np.savez("large.npz", X=[[0.0, 1.0], [0.0, 1e303]])
    data = specnet("predict", "out", "large.npz", "--format", "json").document
    assert [cell is None for cell in data["columns"]["prediction"]] == [False, True]
    assert "row 1 are too large" in data["warnings"][0]["message"]
    ended = specnet("evaluate", "out", "large.jsonl")
    assert (ended.status, f'large.jsonl:{LINE - 1}:1: error[too-large]: column "b"' in ended.err) == (1, True)


@pytest.mark.parametrize(
    "settings", [('data.split.test="large.csv"',), ('data.path="large.csv"', 'network.preprocessing=["robust"]')]
)
def test_what_float64_holds_is_read_without_a_warning_of_numpy(
    tables: Path, specnet: Specnet, settings: tuple[str, ...]
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        warnings.simplefilter("ignore", SpecnetWarning)
        run("spec.toml", "out", overrides=["network.dtype=float64", *settings], report=False)
        assert specnet("predict", "out", "large.csv").status == 0
        assert specnet("evaluate", "out", "large.csv").status == 0
