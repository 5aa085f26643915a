"""Several targets that are true or false: predictions are in the words of the training file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest

import specnet as specnet_package
from specnet import load_model
from tests.cli.conftest import Specnet, csv_rows

ROWS = np.random.default_rng(0).normal(size=(60, 2)).round(2).tolist()
WORDS = {"smokes": ("No", "Yes"), "drinks": ("f", "t"), "old": ("false", "true"), "fit": (0, 1)}
"""What a file has for false and true; in JSON and Parquet, ``old`` is no text."""


def cells_of(row: list[float]) -> dict[str, Any]:
    above, first = sum(row) > 0, row[0] > row[1]
    found = {"smokes": above, "drinks": not above, "old": first, "fit": not first}
    return {name: WORDS[name][value] for name, value in found.items()} | {"old": first}


@pytest.fixture
def trained(folder: Path, suffix: str) -> str:
    """Return the name of a file of which ``trained`` has a model."""
    lines = [json.dumps({"a": row[0], "b": row[1], **cells_of(row)}) for row in ROWS]
    (folder / "rows.jsonl").write_text("\n".join(lines) + "\n")
    if suffix != ".jsonl":
        form = {".csv": "csv, header", ".parquet": "parquet"}[suffix]
        duckdb.execute(f"COPY (FROM '{folder}/rows.jsonl') TO '{folder}/rows{suffix}' (FORMAT {form})")
    spec = {
        "data": {"type": suffix[1:], "path": f"rows{suffix}", "target": [*WORDS], "features": ["a", "b"]},
        "network": {"hidden_layer_sizes": [4]},
        "training": {"loss": "binary_crossentropy", "epochs": 60, "metrics": ["accuracy"]},
    }
    specnet_package.run(spec, folder / "trained")
    return f"rows{suffix}"


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_predictions_of_several_targets_are_in_the_words_of_the_file(
    specnet: Specnet, folder: Path, trained: str
) -> None:
    answers = load_model(folder / "trained").predict(np.array(ROWS))
    assert 0 < answers.mean() < 1, "both words are predicted"
    expected = {name: [WORDS[name][value] for value in answers[:, place]] for place, name in enumerate(WORDS)}
    header, rows = csv_rows(specnet("predict", "trained", trained).out)
    assert header[:4] == [f"prediction_{name}" for name in WORDS]
    columns = specnet("predict", "trained", trained, "--format", "json").document["columns"]
    specnet("predict", "trained", trained, "-o", "out.parquet", "-q").went()
    stored = duckdb.execute("FROM 'out.parquet'").fetchall()
    specnet("predict", "trained", trained, "-o", "out.npy", "-q").went()
    assert np.load(folder / "out.npy").T.tolist() == [[*map(str, words)] for words in expected.values()]
    for place, (name, words) in enumerate(expected.items()):
        assert [row[place] for row in rows] == list(map(str, words))
        assert columns[f"prediction_{name}"] == [row[place] for row in stored] == words


@pytest.mark.parametrize("suffix", [".csv"])
def test_what_tells_true_from_false_is_read_as_before(specnet: Specnet, folder: Path, trained: str) -> None:
    """In other words of a file to evaluate, and again by the resolved spec."""
    rows = (folder / trained).read_text()
    (folder / "other.csv").write_text(
        rows.replace("Yes", "1").replace("No", "0").replace("true", "T").replace("false", "f")
    )
    expected = specnet("evaluate", "trained", trained, "--format", "json").document
    found = specnet("evaluate", "trained", "other.csv", "--format", "json").document
    assert {**found, "warnings": [], "data": ""} == {**expected, "warnings": [], "data": ""}
    specnet_package.run(folder / "trained" / "spec.resolved.json", folder / "again")
    (model, again) = ((folder / name / "model.safetensors").read_bytes() for name in ("trained", "again"))
    assert model == again


@pytest.mark.parametrize("suffix", [".csv"])
def test_tables_and_pages_say_which_word_is_true(specnet: Specnet, folder: Path, trained: str) -> None:
    metrics = json.loads((folder / "trained" / "metrics.json").read_text())
    assert metrics["tables"]["test"]["words"] == {name: [*words] for name, words in WORDS.items() if name != "fit"}
    page = (folder / "trained" / "report.html").read_text()
    assert all(f"{name} (1 is {word})" in page for name, word in [("smokes", "Yes"), ("drinks", "t"), ("old", "true")])
    assert "fit (1 is" not in page
