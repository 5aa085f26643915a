"""Outcomes of expectations, against models whose answers are known, and against figures computed here."""

import html
import json
import math
import re
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom, binomtest

import specnet
from specnet.cli.application import call
from specnet.data import RawColumns
from specnet.running.expectations.judging import expectations_for, judge_export
from specnet.running.expectations.measuring import fraction_ends, worst_difference
from specnet.running.runner import RunResult
from specnet.saved.expectations_file import (
    BrokenRow,
    JudgedExpectation,
    figure_in_words,
    over_runs,
    read_expectations,
    worst_in_words,
)
from tests.compiling import compiles

ROWS = 240
SPEC = """
name = "expected"
[data]
type = "csv"
path = "rows.csv"
target = "{target}"
features = ["size", "old", "city", "name"]
[data.columns]
name = "category"
[data.split]
test_size = 0.5
[network]
hidden_layer_sizes = [8]
[training]
loss = "{loss}"
metrics = ["{metric}"]
epochs = 60
optimizer = {{ type = "adam", learning_rate = 0.05 }}
"""
OF_CLASSES = [
    ("metric = 'accuracy'\nat_least = 0.5", "met"),
    ("metric = 'accuracy'\nat_most = 0.4", "broken"),
    ("metric = 'recall'\nat_least = 0.1\nwhere = { city = ['a', 'b'], size = { low = 0.1 }, old = true }", "met"),
    ("metric = 'accuracy'\nat_least = 0.5\nwhere = { city = 'elsewhere' }", "undecided"),
    ("metric = 'accuracy'\nby = 'city'\ndiffer_by_at_most = 1", "met"),
    ("better_than = 'constant'", "met"),
    ("increasing = 'size'\ntolerance = 0.3", "met"),
    ("decreasing = 'size'\nof = 'yes'", "broken"),
    ("unchanged_by = 'size'", "broken"),
    ("unchanged_by = 'name'\nwithin = 1", "met"),
    ("row = { size = 0.99, old = false, city = 'b' }\npredicts = 'yes'", "met"),
    ("row = { size = 0.99, old = false, city = 'b' }\nat_most = 0.5\nof = 'yes'", "broken"),
    ("row = { size = 0.99, old = false, city = 'b' }\npredicts = true", "met"),
    ("row = { size = 0.01, old = false, city = 'b' }\nat_least = 0.5\nof = false", "met"),
    ("coverage = 0.9\nwithin = 0.05", "undecided"),
]


def write_spec(folder: Path, expectations: list[str], target: str = "label", loss: str = "binary_crossentropy") -> Path:
    """Write a table whose label and price depend on its size, with a spec that has expectations; return its path."""
    generator = np.random.default_rng(3)
    size, old, city = generator.random(ROWS), generator.random(ROWS) < 0.5, generator.choice(["a", "b", "c"], ROWS)
    lines = ["size,old,city,name,label,price"]
    for row in range(ROWS):
        text = "" if row % 17 == 5 else f"{size[row]:.4f}"
        label, price = ("yes" if size[row] > 0.5 else "no"), 3 * size[row] + 0.1 * generator.standard_normal()
        lines.append(f"{text},{str(old[row]).lower()},{city[row]},n{row % 4},{label},{price:.4f}")
    (folder / "rows.csv").write_text("\n".join([*lines, ""]), encoding="utf-8")
    text = SPEC.format(target=target, loss=loss, metric="accuracy" if target == "label" else "r2")
    path = folder / "spec.toml"
    path.write_text(text + "".join(f"\n[[expect]]\n{each}\n" for each in expectations), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def classes(tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    folder = tmp_path_factory.mktemp("classes")
    return specnet.run(write_spec(folder, [text for text, _ in OF_CLASSES]), folder / "run", report=False)


@pytest.mark.parametrize("index", range(len(OF_CLASSES)))
def test_outcome(classes: RunResult, index: int) -> None:
    text, outcome = OF_CLASSES[index]
    assert classes.expectations[index]["outcome"] == outcome, (text, classes.expectations[index])


def test_the_file_has_the_outcomes_and_the_worst_rows(classes: RunResult) -> None:
    assert classes.folder is not None
    written = json.loads((classes.folder / "expectations.json").read_text(encoding="utf-8"))["expect"]
    assert written == json.loads(json.dumps(classes.expectations))
    broken = next(each for each in written if each["words"] == "decreasing in size of yes")
    assert 1 <= len(broken["worst"]) <= 3
    low, high = broken["worst"][0]["predictions"]
    assert math.isclose(high - low, broken["value"])
    lines = (classes.folder.parent / "rows.csv").read_text(encoding="utf-8").splitlines()
    for row in broken["worst"]:
        size, *others = lines[int(row["name"].removeprefix("line ")) - 1].split(",")[:4]
        assert [row["cells"][name] for name in ("old", "city", "name")] == others
        assert row["cells"]["size"] == "missing" if not size else float(row["cells"]["size"]) == float(size)


def test_broken_figures_have_the_rows_of_the_largest_losses(classes: RunResult) -> None:
    assert classes.folder is not None
    rows = pd.read_csv(classes.folder.parent / "rows.csv").head(100)
    X, wrong = rows[["size", "old", "city", "name"]], rows["label"].replace({"yes": "no", "no": "yes"})
    tables = [
        {"metric": "accuracy", "at_least": 0.9},
        {"metric": "loss", "at_most": 0.1},
        {"metric": "accuracy", "at_least": 0.9, "where": {"city": "a"}},
        {"metric": "accuracy", "at_most": -1},
        {"metric": "accuracy", "at_most": 1},
    ]
    everywhere, losses, of_a, better, met = specnet.expect(classes.model, X, wrong, tables)
    assert [each["outcome"] for each in (everywhere, losses, of_a, better, met)] == ["broken"] * 4 + ["met"]
    assert "worst" not in better
    assert "worst" not in met
    own = [classes.model.evaluate(X[row : row + 1], wrong[row : row + 1])["loss"] for row in range(len(X))]
    order = np.argsort(-np.array(own), kind="stable")
    for judged, chosen in (
        (everywhere, order),
        (losses, order),
        (of_a, order[(rows["city"] == "a").to_numpy()[order]]),
    ):
        assert [each["row"] for each in judged["worst"]] == chosen[:3].tolist()
        assert [each["target"] for each in judged["worst"]] == wrong[chosen[:3]].tolist()
        assert [each["predicted"] for each in judged["worst"]] == classes.model.predict(X)[chosen[:3]].tolist()
    first = everywhere["worst"][0]
    text = (
        f"row {order[0] + 1}: true {first['target']}, predicted {first['predicted']} (size = {first['cells']['size']}, "
    )
    assert worst_in_words(first, everywhere).startswith(text)


def _judged(table: dict[str, Any], measure: str, **figures: Any) -> JudgedExpectation:
    base = {"expectation": table, "words": "", "outcome": "met", "counts": False, "rows": 1, "measure": measure}
    return cast("JudgedExpectation", base | figures)


@pytest.mark.parametrize(
    ("judged", "text"),
    [
        (
            _judged({"metric": "accuracy"}, "accuracy", value=0.98077, low=0.93258, high=0.99471),
            "98.1 % (98 % interval 93.3–99.5 %)",
        ),
        (_judged({"metric": "r2"}, "r2", value=0.5, low=-0.1, high=0.6), "0.500 (98 % interval −0.100 to 0.600)"),
        (_judged({"metric": "loss"}, "loss", value=0.5), "0.5000"),
        (
            _judged({"better_than": "linear"}, "accuracy", value=0.01923, low=-0.01, high=0.04808),
            "1.9 percentage points (95 % interval −1.0 to 4.8)",
        ),
        (
            _judged({"better_than": "linear"}, "loss", value=0.1, low=0.0123, high=0.2),
            "0.1000 (95 % interval 0.0123–0.2000)",
        ),
        (_judged({"metric": "accuracy", "by": "sex"}, "accuracy", value=0.025), "2.5 percentage points"),
        (_judged({"coverage": 0.9}, "coverage", value=0.875, low=0.8, high=0.93), "87.5 % (98 % interval 80.0–93.0 %)"),
        (_judged({"increasing": "x"}, "probability", value=0.9999992), "100.0 percentage points"),
        (_judged({"increasing": "x"}, "probability", value=5.96e-5), "0.0060 percentage points"),
        (_judged({"unchanged_by": "x"}, "prediction", value=12.345678), "12.35"),
        (_judged({"row": {"x": 1}}, "probability", value=0.25), "25.0 %"),
        (_judged({"row": {"x": 1}}, "probability", value="yes"), "yes"),
        (_judged({"row": {"x": 1}}, "prediction", value=-0.25), "−0.2500"),
    ],
)
def test_figures_have_the_decimals_of_pages(judged: JudgedExpectation, text: str) -> None:
    assert figure_in_words(judged) == text


def test_rows_that_break_an_expectation_have_the_decimals_of_their_change() -> None:
    row: BrokenRow = {"row": 3, "cells": {"x": "0"}, "changed": ["0", "1"], "predictions": [0.5, 0.49996]}
    judged = _judged({"unchanged_by": "x"}, "probability")
    assert worst_in_words(row, judged) == "row 4: 50.0000 % → 49.9960 % as x changes from 0 to 1 (x = 0)"


def test_bounds_are_in_the_unit_of_the_figure(classes: RunResult) -> None:
    words = [each["words"] for each in classes.expectations]
    assert "accuracy at least 50 %" in words
    assert "accuracy by city differs by at most 100 percentage points" in words
    assert "increasing in size, tolerance 30 percentage points" in words
    assert "coverage of 90 % within 5 percentage points" in words


def test_a_difference_between_groups_has_rows_of_the_worse_group(classes: RunResult) -> None:
    assert classes.folder is not None
    rows = pd.read_csv(classes.folder.parent / "rows.csv")
    X, of_b = rows[["size", "old", "city", "name"]], (rows["city"] == "b").to_numpy()
    given = rows["label"].mask(of_b, rows["label"].replace({"yes": "no", "no": "yes"}))
    (judged,) = specnet.expect(
        classes.model, X, given, [{"metric": "accuracy", "by": "city", "differ_by_at_most": 0.05}]
    )
    assert judged["outcome"] == "broken"
    assert len(judged["worst"]) == 3
    losses = [classes.model.evaluate(X[row : row + 1], given[row : row + 1])["loss"] for row in np.flatnonzero(of_b)]
    expected = np.flatnonzero(of_b)[np.argsort(-np.array(losses), kind="stable")[:3]]
    assert [each["row"] for each in judged["worst"]] == expected.tolist()


def test_the_text_of_a_row_of_many_columns_is_short() -> None:
    cells = {f"x{index}": str(index) for index in range(300)}
    row: BrokenRow = {"row": 3, "name": "line 5", "cells": cells, "changed": ["0", "1"], "predictions": [2.0, 1.0]}
    text = worst_in_words(row, _judged({"increasing": "x0"}, "prediction"))
    assert text.startswith("line 5: 2.0 → 1.0 as x0 changes from 0 to 1 (x0 = 0, ")
    assert text.endswith("x11 = 11, 288 more)")


def test_more_rows_would_decide_than_there_are(classes: RunResult) -> None:
    """The interval of a fraction near 1 is much longer below it than above, on the side of the bound."""
    assert classes.folder is not None
    rows = pd.read_csv(classes.folder.parent / "rows.csv").head(40)
    X = rows[["size", "old", "city", "name"]]
    labels = classes.model.predict(X)
    labels[0] = "yes" if labels[0] == "no" else "no"
    (found,) = specnet.expect(classes.model, X, labels, [{"metric": "accuracy", "at_least": 0.85}])
    assert (found["outcome"], found["value"]) == ("undecided", 39 / 40)
    assert 40 < found["needed"] < 60
    (found,) = specnet.expect(classes.model, X, labels, [{"metric": "accuracy", "at_least": 0.95}])
    assert abs(found["needed"] - 40 * ((found["high"] - found["low"]) / 2 / 0.025) ** 2) <= 1


def test_expectations_are_no_part_of_a_run(classes: RunResult, tmp_path: Path) -> None:
    plain = specnet.run(write_spec(tmp_path, []), tmp_path / "run", report=False)
    assert classes.folder is not None
    assert plain.folder is not None
    for name in ("model.safetensors", "metrics.json", "history.jsonl", "spec.resolved.json", "findings.json"):
        assert (plain.folder / name).read_bytes() == (classes.folder / name).read_bytes(), name
    assert not (plain.folder / "expectations.json").exists()


def test_the_page_has_expectations_behind_the_verdict(tmp_path: Path) -> None:
    texts = ["metric = 'r2'\nat_most = 0.1", "decreasing = 'size'", "metric = 'r2'\nat_least = 0.2"]
    path, out = write_spec(tmp_path, texts, "price", "mse"), tmp_path / "run"
    specnet.run(path, out)
    first = (out / "report.html").read_text(encoding="utf-8")
    positions = [
        first.index(text)
        for text in ("</h1>", "1 of 3 met", ">Broken<", "What is met<", ">Met<", "What now", "Do not use")
    ]
    assert positions == sorted(positions)
    assert len(re.findall(r"<li>.*?line \d+.*?→", first)) == 3
    write_spec(tmp_path, texts[2:], "price", "mse")
    specnet.run(path, out, resume=True)
    again = (out / "report.html").read_text(encoding="utf-8")
    assert "1 of 1 met" in again
    assert "Do not use" not in again
    specnet.run(write_spec(tmp_path, [], "price", "mse"), out, resume=True)
    assert 'id="expectations"' not in (out / "report.html").read_text(encoding="utf-8")


def test_folds_say_in_how_many_runs_an_expectation_is_met(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    texts = ["metric = 'r2'\nat_most = 0.1", "increasing = 'size'\ntolerance = 9", "metric = 'r2'\nat_least = 0.2"]
    path, out = write_spec(tmp_path, texts, "price", "mse"), tmp_path / "many"
    assert call(["run", str(path), "--folds", "3", "-o", str(out), "--jobs", "1"]) == 3
    shown = " ".join(capsys.readouterr().out.split())
    assert "broken: r2 at most 0.1" in shown
    assert "met in 0 of 3 runs" in shown
    assert "2 of 3 met" in (out / "report.html").read_text(encoding="utf-8")
    assert call(["runs", str(tmp_path)]) == 0
    assert "2 of 3 met" in capsys.readouterr().out
    runs = [read_expectations(out / f"fold{fold}") for fold in range(3)]
    mean = over_runs(runs)[0]
    reasoned: list[Any] = [[{**each[0], "reason": reason}] for each, reason in zip(runs, "aab", strict=True)]
    assert over_runs(reasoned[:2])[0]["reason"] == "a"
    assert "reason" not in over_runs(reasoned[1:])[0]
    assert mean["value"] == pytest.approx(sum(each[0]["value"] for each in runs) / 3)  # type: ignore[misc] # numbers
    assert call(["compare", *(str(out / f"fold{fold}") for fold in range(2)), "-o", str(tmp_path / "both.html")]) == 0
    assert "2 of 3 met" in (tmp_path / "both.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("labels", [(0, 1), ("no", "yes"), ("False", "True")])
def test_true_and_false_name_labels_that_are_words_for_them(labels: tuple[object, object]) -> None:
    X = np.linspace(-1, 1, 100)[:, None]
    spec = {"network": {"layer_sizes": [1, 1], "feature_names": ["x"]}, "training": {"loss": "bce", "epochs": 300}}
    model = specnet.fit(spec, X, np.where(X[:, 0] > 0, *reversed(labels)))
    tables = [{"row": {"x": 1.0}, "predicts": each} for each in (True, labels[1], False)]
    tables += [{"row": {"x": 1.0}, "at_least": 0.5, "of": each} for each in (True, False)]
    found = specnet.expect(model, X, np.where(X[:, 0] > 0, *reversed(labels)), tables)
    assert [each["outcome"] for each in found] == ["met", "met", "broken", "met", "broken"]


@pytest.mark.parametrize("option", ["--folds", "--seeds"])
def test_edited_expectations_of_a_series_are_judged_without_training(tmp_path: Path, option: str) -> None:
    path, out = write_spec(tmp_path, ["metric = 'r2'\nat_least = 0.1"], "price", "mse"), tmp_path / "many"
    command = ["run", str(path), option, "2", "-o", str(out), "--jobs", "1", "-q"]
    assert call(command) == 0
    models = {file: file.stat().st_mtime_ns for file in out.glob("*/model.safetensors")}
    texts = ["metric = 'r2'\nat_least = 0.9999", "increasing = 'size'\ntolerance = 9", "decreasing = 'size'"]
    write_spec(tmp_path, texts, "price", "mse")
    assert call([*command, "--resume"]) == 3
    assert "1 of 3 met" in (out / "report.html").read_text(encoding="utf-8")
    assert {file: file.stat().st_mtime_ns for file in models} == models
    assert len(models) == 2
    for file in models:
        assert [each["outcome"] for each in read_expectations(file.parent)] == ["broken", "met", "broken"]
        assert read_expectations(file.parent)[2]["worst"][0]["name"].startswith("line ")
    assert specnet.verify(out).holds
    write_spec(tmp_path, [], "price", "mse")
    assert call([*command, "--resume"]) == 0
    assert not any(read_expectations(file.parent) for file in models)
    path.write_text(path.read_text("utf-8").replace("epochs = 60", "epochs = 61"), encoding="utf-8")
    assert call([*command, "--resume"]) == 1


def test_the_model_of_a_sweep_is_judged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_spec(tmp_path, ["metric = 'r2'\nat_most = 0.1"], "price", "mse")
    search = '\n[sweep]\ntrials = 2\n[sweep.space]\n"training.epochs" = [20, 60]\n'
    split = "test_size = 0.5\nvalidation_size = 0.2"
    path.write_text(path.read_text("utf-8").replace("test_size = 0.5", split) + search, encoding="utf-8")
    assert call(["sweep", str(path), "-o", str(tmp_path / "sweep"), "--jobs", "1"]) == 3
    assert "broken: r2 at most 0.1" in " ".join(capsys.readouterr().out.split())
    assert "0 of 1 met" in (tmp_path / "sweep" / "report.html").read_text(encoding="utf-8")
    team, model = tmp_path / "sweep" / "team", tmp_path / "sweep" / "best" / "model.safetensors"
    assert [each["outcome"] for each in read_expectations(team)] == ["broken"]
    assert "0 of 1 met" in (team / "report.html").read_text(encoding="utf-8")
    written = model.stat().st_mtime_ns
    path.write_text(path.read_text("utf-8").replace("at_most = 0.1", "at_least = 0.1"), encoding="utf-8")
    assert call(["sweep", str(path), "-o", str(tmp_path / "sweep"), "--jobs", "1", "--resume"]) == 0
    assert "1 of 1 expectation met" in " ".join(capsys.readouterr().out.split())
    assert model.stat().st_mtime_ns == written
    assert [each["outcome"] for each in read_expectations(team)] == ["met"]
    assert specnet.verify(tmp_path / "sweep").holds
    assert call(["evaluate", str(team), str(tmp_path / "rows.csv"), "--format", "json"]) == 0
    assert [each["rows"] for each in json.loads(capsys.readouterr().out)["expectations"]] == [ROWS]


def test_resuming_judges_edited_expectations_without_training(tmp_path: Path) -> None:
    path, out = write_spec(tmp_path, ["metric = 'r2'\nat_least = 0.1"], "price", "mse"), tmp_path / "run"
    first = specnet.run(path, out, report=False)
    assert [each["outcome"] for each in first.expectations] == ["met"]
    written = (out / "model.safetensors").stat().st_mtime_ns
    write_spec(tmp_path, ["metric = 'r2'\nat_least = 0.9999", "increasing = 'size'\ntolerance = 9"], "price", "mse")
    again = specnet.run(path, out, resume=True, report=False)
    assert [each["outcome"] for each in again.expectations] == ["broken", "met"]
    assert (out / "model.safetensors").stat().st_mtime_ns == written
    assert specnet.verify(out).holds
    write_spec(tmp_path, [], "price", "mse")
    assert not specnet.run(path, out, resume=True, report=False).expectations
    assert not (out / "expectations.json").exists()


@pytest.mark.parametrize(
    ("text", "status", "word"),
    [
        ("metric = 'r2'\nat_most = 0.1", 3, "broken: r2 at most 0.1"),
        ("metric = 'r2'\nat_least = 0.1", 0, "1 of 1 expectation met"),
        ("coverage = 0.9\nwithin = 0.05", 0, "undecided: coverage"),
        ("coverage = 0.9\nwithin = 0.05\nconfident = true", 3, "undecided: coverage"),
    ],
)
def test_status(tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, status: int, word: str) -> None:
    path = write_spec(tmp_path, [text], "price", "mse")
    assert call(["run", str(path), "-o", str(tmp_path / "run"), "--no-report"]) == status
    assert word in " ".join(capsys.readouterr().out.split())
    assert (tmp_path / "run" / "run.json").is_file()


@pytest.mark.parametrize(
    ("texts", "headline", "command"),
    [
        (["metric = 'r2'\nat_most = 0.1", "better_than = 'constant'"], "Do not use this model as it is: ", ""),
        (["coverage = 0.9\nwithin = 0.05\nconfident = true"], "Test more rows: ", "specnet evaluate {} more_rows.csv"),
        (["metric = 'r2'\nat_least = 0.1"], "", ""),
    ],
)
def test_page_and_terminal_have_one_next_step(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], texts: list[str], headline: str, command: str
) -> None:
    path, out = write_spec(tmp_path, texts, "price", "mse"), tmp_path / "run"
    status = call(["run", str(path), "-o", str(out)])
    shown, page = capsys.readouterr().out, (out / "report.html").read_text(encoding="utf-8")
    now = re.sub(r"\s+", " ", html.unescape(re.sub("<[^>]+>", " ", page[page.index('id="now"') :])))
    assert (status == 3) == bool(headline)
    if status == 3:
        (line,) = (line for line in shown.splitlines() if line.startswith(headline))
        assert line in now.replace("\N{MINUS SIGN}", "-")
        assert (command.format(out) in shown) == (command.format(".") in now) == True  # noqa: E712 - both are there
    assert "Use the linear model" not in shown or status == 0
    assert call(["run", str(path), "-o", str(out), "--resume"]) == status
    assert capsys.readouterr().out == shown, (
        "advice is about the given spec, also if the model was read from its folder"
    )


@pytest.mark.parametrize(
    ("text", "headline", "command"),
    [
        ("metric = 'r2'\nat_least = 1.5", "Do not use this model as it is", "specnet report {}/fold0"),
        ("metric = 'r2'\nat_least = 0.1", "", ""),
    ],
)
def test_page_and_terminal_of_folds_have_one_next_step(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, headline: str, command: str
) -> None:
    path, out = write_spec(tmp_path, [text], "price", "mse"), tmp_path / "run"
    status = call(["run", str(path), "-o", str(out), "--folds", "2", "--set", "data.split="])
    shown, page = capsys.readouterr().out, (out / "report.html").read_text(encoding="utf-8")
    assert (status == 3) == ("What now" in page) == bool(headline)
    if headline:
        now = re.sub(r"\s+", " ", html.unescape(re.sub("<[^>]+>", " ", page[page.index('id="now"') :])))
        (line,) = (line for line in shown.splitlines() if line.startswith(headline))
        assert "met in 0 of 2 runs" in line
        assert line in now.replace("\N{MINUS SIGN}", "-")
        assert command.format(out) in shown
        assert "specnet report fold0" in now


def test_a_model_of_values_predicts_no_label(tmp_path: Path) -> None:
    path = write_spec(tmp_path, ["row = { size = 1 }\npredicts = 3"], "price", "mse")
    with pytest.raises(specnet.SpecError, match=r"(?s)\d+:\d+.*predicts no label.*use at_least or at_most"):
        specnet.run(path, tmp_path / "run", report=False)
    assert not (tmp_path / "run").exists()


def test_new_rows_are_judged(classes: RunResult, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert classes.folder is not None
    write_spec(tmp_path, [])
    assert call(["evaluate", str(classes.folder), str(tmp_path / "rows.csv"), "--format", "json"]) == 3
    found = json.loads(capsys.readouterr().out)["expectations"]
    assert len(found) == len(OF_CLASSES) - 1  # all but the comparison with a baseline
    known = {each["words"]: each["outcome"] for each in classes.expectations}
    assert {each["words"]: each["outcome"] for each in found}.items() <= known.items()
    assert found[0]["rows"] == ROWS
    assert all(row["name"].startswith("line ") for each in found for row in each.get("worst", []))


@pytest.mark.parametrize("target", ["numpy", pytest.param("c", marks=compiles)])
def test_an_exported_program_is_judged(
    classes: RunResult, tmp_path: Path, capsys: pytest.CaptureFixture[str], target: str
) -> None:
    out = tmp_path / ("model.c" if target == "c" else "model.py")
    assert call(["export", str(classes.folder), "--to", target, "-o", str(out), "--format", "json"]) == 3
    found = json.loads(capsys.readouterr().out)["expectations"]
    kinds = ("increasing", "decreasing", "unchanged", "row")
    known = {each["words"]: each for each in classes.expectations if each["words"].startswith(kinds)}
    assert {each["words"]: each["outcome"] for each in found} == {
        words: each["outcome"] for words, each in known.items()
    }
    for each in found:
        if isinstance(each["value"], float) and each["words"].startswith("row"):
            assert each["value"] == pytest.approx(known[each["words"]]["value"], rel=1e-5)
    assert out.is_file()
    assert call(["export", str(classes.folder), "--to", target, "-o", str(out), "--force"]) == 3
    shown = " ".join(capsys.readouterr().out.split())
    assert re.search(r"decreasing in size of yes: [\d.]+ percentage points, 100 rows: saved row \d+: ", shown)
    assert "exported program: 5 of 8 expectations met, 3 broken broken: decreasing in size of yes" in shown


def test_a_faulty_program_breaks_what_its_model_meets(classes: RunResult) -> None:
    def falls(raw: RawColumns) -> tuple[np.ndarray, np.ndarray]:
        size = np.nan_to_num(raw.X[:, :1])
        return np.concatenate([size, 1 - size], axis=1), np.full(len(raw), "no")

    model = classes.model
    assert model.background is not None
    tables = [{"increasing": "size", "tolerance": 0.3}, {"row": {"size": 0.99, "city": "b"}, "predicts": "yes"}]
    expectations = expectations_for(model, tables)
    rows, of_model = model.background.rows, lambda raw: (model.predict_proba(raw), model.predict(raw))
    outcomes = [
        [each["outcome"] for each in judge_export(expectations, model, rows, "row", run)] for run in (of_model, falls)
    ]
    assert outcomes == [["met", "met"], ["broken", "broken"]]


def test_a_model_is_judged_in_python() -> None:
    X = np.linspace(0, 1, 100)[:, None]
    spec = {"network": {"layer_sizes": [1, 1], "feature_names": ["x"]}, "training": {"loss": "mse", "epochs": 300}}
    model = specnet.fit(spec, X, 2 * X[:, 0])
    tables = [{"increasing": "x"}, {"decreasing": "x"}, {"metric": "r2", "at_most": -1}, {"unchanged_by": "x"}]
    found = specnet.expect(model, X, 2 * X[:, 0], tables)
    rises = float(model.predict([[1.0]])[0] - model.predict([[0.0]])[0])
    outcomes = ["met", "broken"] if rises > 0 else ["broken", "met"]
    assert [each["outcome"] for each in found] == [*outcomes, "broken", "broken"]
    assert found[outcomes.index("broken")]["value"] == pytest.approx(abs(rises), rel=1e-5)
    with pytest.raises(specnet.SpecError, match="no input column"):
        specnet.expect(model, X, X[:, 0], [{"increasing": "y"}])


@pytest.mark.parametrize("rows", [20, 60, 200])
def test_each_end_of_the_interval_of_a_fraction_is_seldom_wrong(rows: int) -> None:
    hits = np.arange(rows + 1)
    ends = np.array([fraction_ends(each / rows, rows) for each in hits])
    exact = [binomtest(int(each), rows).proportion_ci(0.98, "exact") for each in hits]
    np.testing.assert_allclose(ends, exact, atol=1e-12)
    for truth in np.linspace(0.5, 0.99, 50):
        chance = binom.pmf(hits, rows, truth)
        assert chance[ends[:, 1] < truth].sum() <= 0.01
        assert chance[ends[:, 0] > truth].sum() <= 0.01


def test_differences_of_equal_groups_are_seldom_broken() -> None:
    generator = np.random.default_rng(0)
    outcomes = []
    for _ in range(400):
        right = generator.random((5, 100)) < 0.85
        values = right.mean(axis=1)
        errors = np.sqrt(values * (1 - values) / 100)
        outcomes.append(worst_difference(values.tolist(), errors.tolist(), 0.05)[0])
    assert outcomes.count("broken") <= 8
    assert worst_difference([0.9, 0.5], [0.03, 0.05], 0.05)[0] == "broken"
    assert worst_difference([0.9, 0.9], [0.01, 0.01], 0.05)[0] == "met"


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"metric": "accuracy", "better_than": "linear"}, "exactly one kind"),
        ({"confident": True}, "exactly one kind"),
        ({"metric": "acuracy", "at_least": 1}, 'unknown metric "acuracy"'),
        ({"metric": "r2", "at_least": 1}, "r2"),
        ({"metric": "accuracy"}, "either a bound or"),
        ({"better_than": "trees"}, "not in training.baselines"),
        ({"increasing": "sise"}, 'did you mean "size"?'),
        ({"increasing": "city"}, "have no order"),
        ({"metric": "accuracy", "at_least": 1, "where": {"town": "a"}}, 'no input column "town"'),
        ({"row": {"size": 1}, "predicts": "yse"}, 'did you mean "yes"?'),
        ({"coverage": 0.9}, 'coverage needs "within"'),
        ({"row": {"size": 1}, "predicts": 1}, "choose from no, yes"),
        ({"unchanged_by": "name", "tolerance": 1}, "cannot be combined"),
    ],
)
def test_mistakes_are_found_before_training(tmp_path: Path, table: dict[str, object], message: str) -> None:
    path = write_spec(tmp_path, [])
    text = json.dumps(table).replace('": ', '" = ')
    path.write_text(f"expect = [{text}]\n{path.read_text(encoding='utf-8')}", encoding="utf-8")
    with pytest.raises(specnet.SpecError, match=r"(?s)\d+:\d+.*") as raised:
        specnet.run(path, tmp_path / "run", report=False)
    assert message in str(raised.value)
    assert not (tmp_path / "run").exists()
