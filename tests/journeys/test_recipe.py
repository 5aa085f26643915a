"""A table with texts, gaps and dates goes all ways, by the spec that `new` writes for it.

It is unchanged for the run that most of them begin with; ways that train anew do so for fewer epochs.
"""

from __future__ import annotations

import csv
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import specnet as package
from tests.cli.conftest import Specnet

pytestmark = pytest.mark.slow

FEW = ("--set", "training.epochs=10")


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _is_whole_page(path: Path, *texts: str) -> None:
    page = path.read_text(encoding="utf-8")
    assert page.rstrip().endswith("</html>")
    for text in texts:
        assert text in page


def test_run(people: Path) -> None:
    metrics = json.loads((people / "people/metrics.json").read_text())
    assert metrics["test"]["loss"] < metrics["baselines"]["constant"]["test"]["loss"]
    assert metrics["validation"]["accuracy"] > 0.6
    _is_whole_page(people / "people/report.html", "plan", "income")


def test_folds(specnet: Specnet, people: Path) -> None:
    ended = specnet("run", "people.toml", "-o", "folds", "--folds", "2", *FEW)
    assert (ended.status, "warning[report]" in ended.err) == (0, False)
    assert len(_rows(people / "folds/runs.csv")) == 2
    _is_whole_page(people / "folds/report.html", "fold0", "fold1")


def test_seeds(specnet: Specnet, people: Path) -> None:
    ended = specnet("run", "people.toml", "-o", "seeds", "--seeds", "2", *FEW)
    assert (ended.status, "warning[report]" in ended.err) == (0, False)
    _is_whole_page(people / "seeds/report.html", "seed0", "seed1")


def test_sweep(specnet: Specnet, people: Path) -> None:
    ended = specnet("sweep", "people.toml", "-o", "sweep", "--trials", "2", "--jobs", "1", *FEW)
    assert (ended.status, "warning[report]" in ended.err) == (0, False)
    assert [row["state"] for row in _rows(people / "sweep/trials.csv")] == ["finished", "finished"]
    _is_whole_page(people / "sweep/report.html", "learning_rate")
    assert specnet("predict", "sweep/best", "new.csv").status == 0


def test_report(specnet: Specnet, people: Path) -> None:
    before = (people / "people/report.html").read_bytes()
    (people / "people/report.html").unlink()
    assert specnet("report", "people").status == 0
    assert (people / "people/report.html").read_bytes() == before


def test_compare(specnet: Specnet, people: Path) -> None:
    shutil.copytree(people / "people", people / "again")
    assert specnet("compare", "people", "again", "-o", "compare.html").status == 0
    _is_whole_page(people / "compare.html", "people", "again")
    assert specnet("diff", "people", "again").status == 0


def test_verify(specnet: Specnet, people: Path) -> None:
    ended = specnet("verify", "people")
    assert ended.status == 0, ended.err
    assert re.search(r"the same \d+ files", ended.out)


def test_predict(specnet: Specnet, people: Path) -> None:
    ended = specnet("predict", "people", "new.csv", "-o", "predictions.csv")
    assert ended.status == 0
    predicted = _rows(people / "predictions.csv")
    assert len(predicted) == 4
    assert {row["prediction"] for row in predicted} <= {"basic", "plus", "pro"}
    for row in predicted:
        assert sum(float(row[f"probability_{name}"]) for name in ("basic", "plus", "pro")) == pytest.approx(1)
    assert "city" in ended.err  # paris was counted
    assert specnet("evaluate", "people", "people.csv").status == 0


@pytest.mark.parametrize("target", ["numpy", "javascript", "c", "onnx"])
def test_export(specnet: Specnet, people: Path, target: str) -> None:
    suffix = {"numpy": "py", "javascript": "mjs", "c": "c", "onnx": "onnx"}[target]
    ended = specnet("export", "people", "--to", target, "-o", f"exported.{suffix}")
    assert ended.status == 0, ended.err
    assert "compared with" in ended.out
    if target == "numpy":
        program = [sys.executable, "exported.py", "people.csv"]
        printed = subprocess.run(program, cwd=people, capture_output=True, text=True, check=True).stdout
        expected = package.load_model(people / "people").predict_proba(pd.read_csv(people / "people.csv"))
        answers = list(csv.DictReader(printed.splitlines()))
        likely = [[float(row[name]) for name in row if name != "prediction"] for row in answers]
        np.testing.assert_allclose(likely, expected, atol=2e-6)


@pytest.mark.parametrize(("target", "suffix"), [("sklearn", "skops"), ("torch", "py"), ("keras", "keras")])
def test_export_to_formats_without_texts(specnet: Specnet, people: Path, target: str, suffix: str) -> None:
    ended = specnet("export", "people", "--to", target, "-o", f"exported.{suffix}")
    assert ended.status == 1
    assert '"city"' in ended.err or "is required" in ended.err
    assert not list(people.glob("exported*"))


def test_notebook(people: Path) -> None:
    """What a notebook shows; that its kernel trains on tables is tested in tests/running/reports/test_notebooks.py."""
    observer = package.Observer()
    result = package.run(people / "people.toml", overrides=["training.epochs=2"], report=False, observer=observer)
    for shown in (result, result.model):
        assert 'class="specnet-notebook"' in shown._repr_html_()
    with pytest.warns(package.SpecnetWarning, match='column "(age|city)"'):  # a gap, and paris
        assert {*result.model.predict(pd.read_csv(people / "new.csv")).tolist()} <= {"basic", "plus", "pro"}
