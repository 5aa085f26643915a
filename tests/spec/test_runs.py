"""The spec files in a run's folder can be run again from there, whatever their paths."""

import json
from pathlib import Path

import numpy as np
import pytest

import specnet
from specnet import FileError
from tests.running.specs import csv_file
from tests.texts.pinned import Refused

SPEC = """
[data]
type = "csv"
path = "rows/table.csv"
target = "y"
[network]
hidden_layer_sizes = [3]
[training]
loss = "mse"
epochs = 4
"""


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    (tmp_path / "specs" / "rows").mkdir(parents=True)
    rows = np.random.default_rng(0).normal(size=(20, 3)).round(3).tolist()
    csv_file(tmp_path / "specs" / "rows" / "table.csv", "a,b,y", rows)
    path = tmp_path / "specs" / "run.toml"
    path.write_text(SPEC)
    return path


@pytest.mark.slow
@pytest.mark.parametrize("name", ["spec.toml", "spec.resolved.json"])
def test_a_runs_specs_run_again(spec: Path, tmp_path: Path, name: str):
    first = specnet.run(spec, tmp_path / "runs" / "first")
    again = specnet.run(tmp_path / "runs" / "first" / name, tmp_path / "elsewhere" / "deeper" / "second")
    third = specnet.run(tmp_path / "elsewhere" / "deeper" / "second" / "spec.resolved.json")
    for result in (again, third):
        np.testing.assert_array_equal(result.model.theta, first.model.theta)
        assert result.metrics == first.metrics


def test_paths_of_a_text_start_in_the_working_folder(spec: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(spec.parent)
    first = specnet.run(SPEC, tmp_path / "out")
    monkeypatch.chdir(tmp_path)
    again = specnet.run("out/spec.toml")
    np.testing.assert_array_equal(again.model.theta, first.model.theta)


def test_the_resolved_spec_holds_what_was_set(spec: Path, tmp_path: Path):
    specnet.run(spec, tmp_path / "out", overrides=["training.epochs=7"])
    assert json.loads((tmp_path / "out" / "run.json").read_text())["overrides"] == ["training.epochs=7"]
    assert specnet.parse_spec(tmp_path / "out" / "spec.toml").training.epochs == 4
    assert specnet.parse_spec(tmp_path / "out" / "spec.resolved.json").training.epochs == 7


@pytest.mark.parametrize("facts", [None, "", "[1]", "{}", '{"spec_folder": 3}'])
def test_a_file_of_that_name_elsewhere_is_a_spec_like_others(spec: Path, facts: str | None):
    twin = spec.with_name("spec.toml")
    twin.write_text(SPEC)
    if facts is not None:
        spec.with_name("run.json").write_text(facts)
    assert specnet.run(twin).metrics


def test_a_run_whose_spec_is_gone_says_where_its_data_should_be(spec: Path, tmp_path: Path, refused: Refused):
    specnet.run(spec, tmp_path / "out")
    (tmp_path / "specs" / "rows" / "table.csv").unlink()
    with refused(FileError, at="table.csv"):
        specnet.run(tmp_path / "out" / "spec.toml")
