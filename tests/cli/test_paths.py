"""Paths that are not UTF-8: most files may have one, tables may not, and that is said before anything is trained."""

import json
import os
import sys

import numpy as np
import pytest

from tests.cli.conftest import MOONS, spec_of_rows, write_rows

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="where paths are bytes")

ODD = os.fsdecode(b"od\xffd")


@pytest.fixture
def odd(folder):
    """Return a folder of such a name in the working folder, with specs and rows; their own names are plain."""
    odd = folder / ODD
    odd.mkdir()
    for place in (folder, odd):
        (place / "moons.toml").write_text(MOONS)
        (place / "table.json").write_text(json.dumps(spec_of_rows()))
        write_rows(place / "rows.csv", "a,y", [[row, row % 2] for row in range(20)])
        np.savez(place / "rows.npz", X=np.ones((3, 2)), y=[0, 1, 1])
    return odd


@pytest.mark.slow
def test_specs_runs_models_and_predictions_may_have_any_path(odd, specnet):
    short = "training.epochs=2"
    for line in (
        f"run {ODD}/moons.toml -o {ODD}/run --set {short} --log jsonl:{ODD}/log.jsonl",
        f"run {ODD}/run -o {ODD}/again --no-report --format json",
        f"compare {ODD}/run {ODD}/again -o {ODD}/compared.html",
        f"show {ODD}/run --diagram {ODD}/network.svg",
        f"runs {ODD}",
        f"diff {ODD}/run {ODD}/again",
        f"predict {ODD}/run {ODD}/rows.npz -o {ODD}/predicted.csv",
        f"new {ODD}/new.toml --data rows.csv --target y",
        f"validate {ODD}/new.toml",
    ):
        specnet(*line.split()).ok()
    assert (odd / "run/report.html").exists()


@pytest.mark.parametrize(
    "line",
    [
        f"run {ODD}/table.json -o out",
        f"new new.toml --data {ODD}/rows.csv --target y",
        f"evaluate run {ODD}/rows.csv",
        f"evaluate run {ODD}/rows.npz",
        f"predict run {ODD}/rows.csv -o out.csv",
        f"run table.json -o out --set data.path={ODD}/rows.csv",
    ],
)
def test_rows_of_such_a_path_are_refused_at_once(odd, folder, specnet, line):
    specnet("run table.json -o run -q").ok()
    before = sorted(os.listdir(folder))
    ended = specnet(*line.split())
    assert ended.status in (1, 2)
    assert "UTF-8" in ended.err or "unpaired surrogate" in ended.err
    assert sorted(os.listdir(folder)) == before


def test_a_working_folder_of_such_a_path(odd, specnet, monkeypatch):
    monkeypatch.chdir(odd)
    specnet("run moons.toml -q -o ../out --no-report").ok()
    assert "UTF-8" in specnet("run table.json").err
