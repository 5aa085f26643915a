"""Tables larger than memory, whose large parts lie in files; of very many columns, and of very many texts."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import specnet
from specnet import Observer, resolve
from tests.running.specs import csv_file, spec_on

ROOT = Path(__file__).parents[3]
PENGUINS = ROOT / "specs" / "penguins.toml"
SETTINGS: dict[str, list[str]] = {
    "as it is": [],
    "weights and groups": ["data.sample_weight=year", "data.split.group=island"],
    "dropped rows": ["data.target=sex", "data.missing_target=drop"],
    "ranks": ["network.preprocessing=['impute', 'quantile']"],
    "codes": ["network.preprocessing=[{columns=['island', 'sex'], steps=['embedding']}]"],
    "members": ["training.ensemble=2", "training.early_stopping=true"],
}
RunOutcome = tuple[bytes, list[dict[str, Any]], dict[str, Any]]
LIMITS = {
    "files.large.LARGEST_IN_MEMORY": 0,
    "parts.data.tables.csv_files.PART_BYTES": 1000,
    "parts.data.tables.csv_bytes.PART_BYTES": 1000,
    "parts.data.tables.columns.NUMBERS_AT_ONCE": 50,
    "parts.data.tables.columns.TEXTS_AT_ONCE": 50,
    "parts.data.tables.columns.FEW_ROWS": 10,
    "parts.data.tables.sources.SMALL_BYTES": -1,
    "parts.arrays.NUMBERS_AT_ONCE": 100,
}


@pytest.fixture
def in_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything is large, and read and added up a few rows at a time."""
    for name, limit in LIMITS.items():
        monkeypatch.setattr(f"specnet.{name}", limit)


def outcome(settings: list[str]) -> RunOutcome:
    overrides = ["training.epochs=3", "training.shuffle=blocks", *settings]
    result = specnet.run(PENGUINS, overrides=overrides, observer=Observer())
    return result.model.to_bytes(), result.history, result.evaluation


@pytest.fixture(scope="module")
def in_memory() -> dict[str, RunOutcome]:
    """What comes of small tables."""
    return {name: outcome(settings) for name, settings in SETTINGS.items()}


@pytest.mark.slow
@pytest.mark.parametrize("name", SETTINGS)
def test_large_tables_train_the_same_model(name: str, in_memory: dict[str, RunOutcome], in_files: None):
    found = outcome(SETTINGS[name])
    assert found[1:] == in_memory[name][1:]
    assert found[0] == in_memory[name][0]


@pytest.mark.parametrize(("rows", "expected"), [(2**26, True), (2**26 + 1, "blocks"), (None, True)])
def test_many_rows_are_shuffled_in_blocks(rows: int | None, expected: bool | str):
    spec = specnet.parse_spec("network.layer_sizes = [2, 1]\ntraining.loss = 'mean_squared_error'\n")
    assert resolve(spec, rows=rows).spec.training.shuffle == expected
    for said in (False, True, "blocks"):
        written = spec.model_copy(update={"training": spec.training.model_copy(update={"shuffle": said})})
        assert resolve(written, rows=2**27).spec.training.shuffle == said


COLUMNS = 2_050
TEXTS = 600_000
MOST_BYTES = 31 * 10**7
"""A quiet machine takes 2.4e8; a Python object for each text would take 1.0e8 more."""
CHILD = """
import sys, specnet
from tests.benchmarks.whole.memory import largest_resident_set
from tests.running.fitting.test_large_rows import document
result = specnet.run(document(sys.argv[1]), observer=specnet.Observer())
assert [warning.code for warning in result.warnings] == ["ignored-column"]
print(largest_resident_set())
"""


def document(path: str) -> dict[str, object]:
    return spec_on({"type": "csv", "path": path, "target": "y"}, batch_size=10_000, baselines=[])


@pytest.mark.slow
def test_thousands_of_columns(tmp_path: Path):
    numbers, names = np.random.default_rng(0).integers(0, 1000, (30, COLUMNS)), map("x{}".format, range(COLUMNS))
    csv_file(tmp_path / "rows.csv", ",".join([*names, "y"]), ([*row, index % 2] for index, row in enumerate(numbers)))
    result = specnet.run(document(str(tmp_path / "rows.csv")), observer=Observer())
    assert result.model.network.inputs == COLUMNS
    (group,) = result.model.preprocessing.groups
    assert group.fitted[1]["mean"].shape == (COLUMNS,)


@pytest.mark.slow
def test_very_many_different_texts_are_not_objects_each(tmp_path: Path):
    with (tmp_path / "rows.csv").open("w") as file:
        file.write("a,name,y\n")
        file.writelines(f"{row % 7},person number {row},{row % 3 % 2}\n" for row in range(TEXTS))
    command = [sys.executable, "-c", CHILD, str(tmp_path / "rows.csv")]
    peak = subprocess.run(command, check=True, capture_output=True, text=True, timeout=1200).stdout
    assert int(peak) < MOST_BYTES, peak
