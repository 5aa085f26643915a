"""Tables of very many columns, and of very many different texts."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import specnet
from specnet.training import Observer

COLUMNS = 10_000
TEXTS = 5_000_000
MOST_BYTES = 10**9
CHILD = """
import sys, specnet
from specnet.training import Observer
from tests.benchmarks.whole.memory import largest_resident_set
from tests.running.test_large_tables import document
result = specnet.run(document(sys.argv[1]), observer=Observer())
assert [warning.code for warning in result.warnings] == ["ignored-column", "rows-in-both"]
print(largest_resident_set())
"""


def document(path: str) -> dict[str, object]:
    return {
        "data": {"type": "csv", "path": path, "target": "y"},
        "network": {"hidden_layer_sizes": [2]},
        "training": {"loss": "binary_crossentropy", "epochs": 1, "batch_size": 10_000},
    }


@pytest.mark.slow
def test_ten_thousand_columns(tmp_path: Path):
    numbers = np.random.default_rng(0).integers(0, 1000, (30, COLUMNS))
    lines = [",".join(f"x{place}" for place in range(COLUMNS)) + ",y"]
    lines += [",".join(map(str, row)) + f",{index % 2}" for index, row in enumerate(numbers)]
    (tmp_path / "rows.csv").write_text("\n".join(lines) + "\n")
    result = specnet.run(document(str(tmp_path / "rows.csv")), observer=Observer())
    assert result.model.network.inputs == COLUMNS
    (group,) = result.model.preprocessing.groups
    assert group.fitted[1]["mean"].shape == (COLUMNS,)


@pytest.mark.slow
def test_five_million_different_texts_need_less_than_a_gigabyte(tmp_path: Path):
    with (tmp_path / "rows.csv").open("w") as file:
        file.write("a,name,y\n")
        file.writelines(f"{row % 7},person number {row},{row % 3 % 2}\n" for row in range(TEXTS))
    command = [sys.executable, "-c", CHILD, str(tmp_path / "rows.csv")]
    peak = subprocess.run(command, check=True, capture_output=True, text=True, timeout=1200).stdout
    assert int(peak) < MOST_BYTES
