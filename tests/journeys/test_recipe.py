"""A table with texts, gaps and dates goes all ways, by the spec that `new` writes for it.

It is unchanged for the run that most of them begin with; ways that train anew do so for fewer epochs.
"""

import csv
import json
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

import specnet as package

pytestmark = pytest.mark.slow

FEW = "--set training.epochs=10"


def _rows(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _is_whole_page(path, *texts):
    page = path.read_text(encoding="utf-8")
    assert page.rstrip().endswith("</html>")
    for text in texts:
        assert text in page


def test_run(people):
    metrics = json.loads((people / "people/metrics.json").read_text())
    assert metrics["test"]["loss"] < metrics["baselines"]["constant"]["test"]["loss"]
    assert metrics["validation"]["accuracy"] > 0.6
    _is_whole_page(people / "people/report.html", "plan", "income")


@pytest.mark.parametrize("kind", ["folds", "seeds"])
def test_several_runs(kind, specnet, people):
    ended = specnet(f"run people.toml -o {kind} --{kind} 2 --jobs 1 {FEW}").ok()
    assert "warning[report]" not in ended.err
    assert len(_rows(people / kind / "runs.csv")) == 2
    _is_whole_page(people / f"{kind}/report.html", f"{kind[:-1]}0", f"{kind[:-1]}1", "Training loss by epoch in 2 runs")
    _is_made_again(specnet, people / kind)


def test_sweep(specnet, people):
    spec = (people / "people.toml").read_text(encoding="utf-8")
    assert "#   specnet sweep people.toml " in spec
    assert "[[sweep.candidates]]" in spec
    ended = specnet(f"sweep people.toml -o sweep --trials 2 --jobs 1 {FEW}").ok()
    assert "warning[report]" not in ended.err
    trials = _rows(people / "sweep/trials.csv")
    assert [trial["state"] for trial in trials] == ["finished", "finished"]
    assert trials[0]["training.optimizer.learning_rate"] == "0.04"  # as written; a candidate follows
    _is_whole_page(people / "sweep/report.html", "learning_rate", "Validation loss of every trial by epoch")
    _is_made_again(specnet, people / "sweep")
    specnet("predict sweep/best new.csv").ok()


def _is_made_again(specnet, folder):
    before = (folder / "report.html").read_bytes()
    (folder / "report.html").unlink()
    specnet("report", folder).ok()
    assert (folder / "report.html").read_bytes() == before


def test_report(specnet, people):
    _is_made_again(specnet, people / "people")


def test_compare(specnet, people):
    shutil.copytree(people / "people", people / "again")
    specnet("compare people again -o compare.html").ok()
    _is_whole_page(people / "compare.html", "people", "again")
    specnet("diff people again").ok()


def test_verify(specnet, people):
    assert specnet("verify people").ok().out == "the same 9 files\n"
    assert specnet("verify people --epochs 2").ok().out == "the same 4 files up to epoch 2\n"


def test_predict(specnet, people):
    ended = specnet("predict people new.csv -o predictions.csv").ok()
    predicted = _rows(people / "predictions.csv")
    assert len(predicted) == 4
    assert {row["prediction"] for row in predicted} <= {"basic", "plus", "pro"}
    for row in predicted:
        assert sum(float(row[f"probability_{name}"]) for name in ("basic", "plus", "pro")) == pytest.approx(1)
    assert "city" in ended.err  # paris was counted
    specnet("evaluate people people.csv").ok()


@pytest.mark.parametrize("target", ["numpy", "javascript", "c", "onnx"])
def test_export(specnet, people, target):
    suffix = {"numpy": "py", "javascript": "mjs", "c": "c", "onnx": "onnx"}[target]
    ended = specnet("export", "people", "--to", target, "-o", f"exported.{suffix}").ok()
    assert "compared with" in ended.out
    if target == "numpy":
        program = [sys.executable, "exported.py", "people.csv"]
        printed = subprocess.run(program, cwd=people, capture_output=True, text=True, check=True).stdout
        expected = package.load_model(people / "people").predict_proba(pd.read_csv(people / "people.csv"))
        answers = list(csv.DictReader(printed.splitlines()))
        likely = [[float(row[name]) for name in row if name != "prediction"] for row in answers]
        np.testing.assert_allclose(likely, expected, atol=2e-6)


@pytest.mark.parametrize(("target", "suffix"), [("sklearn", "skops"), ("torch", "py"), ("keras", "keras")])
def test_export_to_formats_without_texts(specnet, people, target, suffix):
    ended = specnet("export", "people", "--to", target, "-o", f"exported.{suffix}")
    assert ended.status == 1
    assert '"city"' in ended.err or "is required" in ended.err
    assert not list(people.glob("exported*"))


def test_notebook(people):
    """What a notebook shows; that its kernel trains on tables is tested in tests/running/reports/test_notebooks.py."""
    observer = package.Observer()
    result = package.run(people / "people.toml", overrides=["training.epochs=2"], report=False, observer=observer)
    for shown in (result, result.model):
        assert 'class="specnet-notebook"' in shown._repr_html_()
    with pytest.warns(package.SpecnetWarning, match='column "(age|city)"'):  # a gap, and paris
        assert {*result.model.predict(pd.read_csv(people / "new.csv")).tolist()} <= {"basic", "plus", "pro"}
