"""Numbers that pages show, computed again from the rows and the models: to the last digit that is shown."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from sklearn import metrics
from sklearn.datasets import make_moons
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import specnet
from specnet import Observer, nested_sweep, run_many
from tests.made import data_of
from tests.running.reports.page import N, Page, number
from tests.texts.calling import called

Array = NDArray[Any]
TABLES = Path(__file__).parents[3] / "specs" / "data"
Z95 = 1.959963984540054
MOONS = """
name = "moons"
data = { type = "make_moons", n_samples = 200, noise = 0.3, random_state = 0, split = { test_size = 0.3 } }
network = { hidden_layer_sizes = [5] }
[training]
loss = "binary_crossentropy"
epochs = 60
metrics = ["accuracy"]
optimizer = { type = "sgd", learning_rate = 0.5 }
"""
SWEEP = '[sweep]\ntrials = 3\nmetric = "accuracy"\n[sweep.space]\n"training.epochs" = [20, 40, 60]\n'


def agree(text: str, pattern: str, *values: float) -> None:
    """Each number that a pattern finds, written N in it, is one of these values."""
    found = re.search(pattern.replace("N", N), text.replace("\xa0", " "))
    assert found, pattern
    assert len(found.groups()) == len(values)
    for shown, value in zip(found.groups(), values, strict=True):
        near, unit = number(shown)
        assert abs(near - value) <= unit * 1.0001, (pattern, shown, value)


def text_of(folder: Path) -> str:
    """Return what a page says, with blanks that break in one line."""
    return re.sub(r"[ \n]+", " ", " ".join(Page((folder / "report.html").read_text("utf-8")).texts))


def chosen(spec: Any, split: str) -> Array:
    """Return the places of the rows of a split."""
    return np.asarray(data_of(spec).splits[split].chosen)


def log_loss(target: Array, probability: Array) -> float:
    return float(-np.mean(np.log(probability[np.arange(len(target)), target])))


def moons_by_hand(folder: Path, columns: Any) -> Array:
    """Return the probabilities of class 1 by the formula of a 2-5-1 network."""
    model = specnet.load_model(folder / "model.safetensors")
    found = model.network.parameters(model.theta)
    hidden = np.maximum(np.asarray(columns) @ found["layers.0.weight"].T + found["layers.0.bias"], 0)
    one = 1 / (1 + np.exp(-(hidden @ found["layers.1.weight"].T + found["layers.1.bias"])))[:, 0]
    return np.column_stack([1 - one, one])


def moons_scores(folder: Path, split: str) -> tuple[float, float]:
    """Return the loss and the accuracy in percent of a run of `MOONS`."""
    X, y = make_moons(200, noise=0.3, random_state=0)
    rows = chosen(next(path for path in folder.iterdir() if path.name in ("spec.toml", "spec.json")), split)
    p = moons_by_hand(folder, X[rows])
    return log_loss(y[rows], p), 100 * float(np.mean(p.argmax(axis=1) == y[rows]))


def wilson(right: int, rows: int) -> tuple[float, float]:
    """Return the 95 % interval of a fraction (Wilson 1927), in percent."""
    p, z = right / rows, Z95
    middle, half = p + z * z / (2 * rows), z * np.sqrt(p * (1 - p) / rows + z * z / (4 * rows * rows))
    return tuple(float(100 * end / (1 + z * z / rows)) for end in (middle - half, middle + half))


def test_numbers_of_two_classes(tmp_path: Path) -> None:
    """The network by its formula, the predictors beside it by scikit-learn or by hand."""
    specnet.run(MOONS, tmp_path, observer=Observer())
    text = text_of(tmp_path)
    X, y = make_moons(200, noise=0.3, random_state=0)
    train, test = (chosen(MOONS, split) for split in ("train", "test"))
    p = moons_by_hand(tmp_path, X)
    right = p.argmax(axis=1) == y
    accuracy = {name: 100 * right[rows].mean() for name, rows in (("train", train), ("test", test))}
    low, high = wilson(int(right[test].sum()), len(test))
    simple = make_pipeline(StandardScaler(), KNeighborsClassifier(15)).fit(X[train], y[train])
    neighbours = simple.score(X[test], y[test])
    constant = 100 * np.mean(y[test] == np.bincount(y[train]).argmax())
    agree(text, "N % against N % of N test rows", accuracy["test"], 100 * neighbours, len(test))
    agree(text, "Accuracy of the network on test rows: N %", accuracy["test"])
    agree(text, r"constant N %: \+N points, 95 % interval", constant, accuracy["test"] - constant)
    losses = {name: log_loss(y[rows], p[rows]) for name, rows in (("train", train), ("test", test))}
    agree(text, " test N N % N–N %", losses["test"], accuracy["test"], low, high)
    agree(text, "train N N % test N N %", *(each[name] for name in losses for each in (losses, accuracy)))
    agree(text, "N of N test rows right", right[test].sum(), len(test))
    for true, predicted in np.ndindex(2, 2):
        of_class = y[test] == true
        cell = np.sum(p[test][of_class].argmax(axis=1) == predicted)
        agree(text, f"true class {true}, predicted class {predicted}: N, N %", cell, 100 * cell / of_class.sum())
    agree(text, "Area N:", metrics.roc_auc_score(y[test], p[test][:, 1]))
    agree(text, "loss of the delivered network on the training rows is N[.]", log_loss(y[train], p[train]))
    weights = specnet.load_model(tmp_path / "model.safetensors")
    for layer in (0, 1):
        weight = weights.network.parameters(weights.theta)[f"layers.{layer}.weight"]
        pattern = rf"layers\.{layer} dense \d \w+\(W·x \+ b\) N \w+ ±[\d.]+ N "
        agree(text, pattern, (15, 6)[layer], np.sqrt(np.mean(weight**2)))
    history = [json.loads(line) for line in (tmp_path / "history.jsonl").read_text().splitlines()]
    agree(text, "train N at first, N at last", history[0]["loss"], history[-1]["loss"])
    agree(text, "N parameters", 2 * 5 + 5 + 5 + 1)


def penguins(target: str, loss: str, **others: Any) -> dict[str, Any]:
    """Return the spec of a table with texts and gaps."""
    data = {"type": "csv", "path": str(TABLES / "penguins.csv"), "target": target, "split": {"test_size": 0.25}}
    training = {"loss": loss, "epochs": 15, "batch_size": 32, "optimizer": {"type": "adam", "learning_rate": 0.01}}
    return {"data": data, "network": {"hidden_layer_sizes": [16]}, "training": training | others}


def test_numbers_of_several_classes(tmp_path: Path) -> None:
    spec = penguins("species", "categorical_crossentropy", metrics=["accuracy"], ensemble=3)
    specnet.run(spec, tmp_path, observer=Observer())
    text, table = text_of(tmp_path), pd.read_csv(TABLES / "penguins.csv")
    model = specnet.load_model(tmp_path / "model.safetensors")
    names = sorted(table["species"].unique())
    rows = {split: table.iloc[chosen(spec, split)] for split in ("train", "test")}
    p = {split: model.predict_proba(some) for split, some in rows.items()}
    y = {split: np.array([names.index(name) for name in some["species"]]) for split, some in rows.items()}
    right = {split: p[split].argmax(axis=1) == y[split] for split in rows}
    count = len(y["test"])
    low, high = wilson(int(right["test"].sum()), count)
    agree(text, " test N N % N–N %", log_loss(y["test"], p["test"]), 100 * right["test"].mean(), low, high)
    for split in rows:
        agree(text, f" {split} N N % ", log_loss(y[split], p[split]), 100 * right[split].mean())
    constant = 100 * np.mean(y["test"] == np.bincount(y["train"]).argmax())
    agree(text, r"constant N %: \+N points", constant, 100 * right["test"].mean() - constant)
    agree(text, "N of N test rows right", right["test"].sum(), count)
    for true, name in enumerate(names):
        found = np.sum(right["test"][y["test"] == true])
        agree(text, f"true {name}, predicted {name}: N, N %", found, 100 * found / np.sum(y["test"] == true))
    sure = p["test"].max(axis=1)
    order = np.argsort(sure, kind="stable")
    for part in (order[k * count // 3 : (k + 1) * count // 3] for k in range(3)):
        told = f"{len(part)} rows: predicted {100 * sure[part].mean():.1f} %, came true N %"
        agree(text, told, 100 * right["test"][part].mean())
    places = np.ceil(15 * sure)  # the 15 bins of a confidence are without their lower ends
    gaps = [np.sum(right["test"][places == k] - sure[places == k]) for k in range(1, 16)]
    agree(text, "Expected calibration error N", np.abs(gaps).sum() / count)
    wrong = np.flatnonzero(~right["test"])
    agree(text, "N of N test rows (?:is|are) wrong", len(wrong), count)
    for place in (*wrong[np.argsort(-sure[wrong])][:10], *[each for each in order if right["test"][each]][:5]):
        row, predicted = rows["test"].iloc[place], names[p["test"][place].argmax()]
        agree(text, f"line {row.name + 2} {row['species']} {predicted} N %", 100 * sure[place])
    agree(text, "loss of the delivered ensemble on the training rows is N[.]", log_loss(y["train"], p["train"]))


def test_numbers_of_values(tmp_path: Path) -> None:
    others = {"metrics": ["r2", "root_mean_squared_error", "mean_absolute_error"], "ensemble": 3}
    spec = penguins("body_mass_g", "mean_squared_error", **others)
    spec["network"]["target_preprocessing"] = ["standardize"]
    spec["data"]["missing_target"] = "drop"
    specnet.run(spec, tmp_path, observer=Observer())
    text, table = text_of(tmp_path), pd.read_csv(TABLES / "penguins.csv").dropna(subset="body_mass_g")
    model = specnet.load_model(tmp_path / "model.safetensors")
    rows = {split: table.iloc[chosen(spec, split)] for split in ("train", "test")}
    y = {split: some["body_mass_g"].to_numpy() for split, some in rows.items()}
    off = {split: y[split] - model.predict(some) for split, some in rows.items()}
    scale, count = y["train"].std(), len(y["test"])
    r2 = {split: 1 - np.sum(off[split] ** 2) / np.sum((y[split] - y[split].mean()) ** 2) for split in rows}
    rmse, mae = (
        {split: measure(off[split]) for split in rows}
        for measure in (lambda each: np.sqrt(np.mean(each**2)), lambda each: np.mean(np.abs(each)))
    )
    mean = y["train"].mean()
    constant = 1 - np.sum((y["test"] - mean) ** 2) / np.sum((y["test"] - y["test"].mean()) ** 2)
    agree(text, "R² N against N.NN on N test rows".replace("N.NN", r"[\d.]+"), r2["test"], count)
    agree(text, "R² of the ensemble on test rows: N[.] ", r2["test"])
    agree(text, r"constant N: \+N,", constant, r2["test"] - constant)
    loss = {split: np.mean(off[split] ** 2) / scale**2 for split in rows}
    constants = [np.mean((y["test"] - mean) ** 2), np.mean(np.abs(y["test"] - mean))]
    told = r" loss N [\d.]+ N [\d.–]+ N "
    agree(text, told, loss["train"], loss["test"], constants[0] / scale**2)
    agree(text, r" R² N [\d.]+ N [\d.–]+ N ", r2["train"], r2["test"], constant)
    told = r" root mean squared error N [\d.]+ N [\d.–]+ N [\d.]+ "
    agree(text, told, rmse["train"], rmse["test"], np.sqrt(constants[0]))
    agree(text, r" mean absolute error N [\d.]+ N [\d.–]+ N [\d.]+ ", mae["train"], mae["test"], constants[1])
    agree(text, "true ones from N to N ", y["test"].min(), y["test"].max())
    half, inside = map(
        float, re.search(r"prediction ± ([\d.]+) on average; ([\d.]+) %", text.replace("\xa0", " ")).groups()
    )
    assert inside == pytest.approx(100 * np.mean(np.abs(off["test"]) <= half), abs=0.05 + 100 / count)
    agree(text, "Mean N, standard deviation N of N test rows", off["test"].mean(), off["test"].std(), count)
    agree(text, "loss of the delivered ensemble on the training rows is N[.]", loss["train"])
    for place in np.argsort(-np.abs(off["test"]))[:10]:
        row, error = rows["test"].iloc[place], -off["test"][place]
        shown = (f"{each:z.0f}".replace("-", "−") for each in (row["body_mass_g"], row["body_mass_g"] + error, error))
        assert f"line {row.name + 2} {' '.join(shown)} " in text
        assert re.search(f"line {row.name + 2} .*?{row['flipper_length_mm']:g} ", text)


def test_numbers_of_folds_and_seeds(tmp_path: Path) -> None:
    result = run_many(MOONS.replace("test_size = 0.3", ""), tmp_path, folds=3, seeds=2)
    text, names = text_of(tmp_path), [run.name for run in result.runs]
    scores = {name: moons_scores(tmp_path / name, "test") for name in names}
    loss, accuracy = np.array(list(scores.values())).T
    agree(text, "N runs average a test accuracy of N % ± N", 6, accuracy.mean(), accuracy.std(ddof=1))
    agree(text, " test N % ± N N ± N", accuracy.mean(), accuracy.std(ddof=1), loss.mean(), loss.std(ddof=1))
    trained = np.array([moons_scores(tmp_path / name, "train") for name in names]).T
    agree(
        text,
        " train N % ± N N ± N",
        *(each for values in trained[::-1] for each in (values.mean(), values.std(ddof=1))),
    )
    for name, (its_loss, its_accuracy) in scores.items():
        agree(text, f"{name}: N % ", its_accuracy)
        linear, own = r"[\d.]+", 100 * result.runs[names.index(name)].metrics["train"]["accuracy"]
        agree(text, f" {name} N % {linear} % N N % 60 ", its_accuracy, its_loss, own)
    folds = np.array([[scores[f"seed{seed}_fold{fold}"][1] for seed in (0, 1)] for fold in range(3)])
    within = folds.var(axis=1, ddof=1).mean()
    between = max(folds.mean(axis=1).var(ddof=1) - within / 2, 0)
    agree(text, "the standard deviation is N points.* add a standard deviation of N points", within**0.5, between**0.5)


def test_numbers_of_a_sweep(tmp_path: Path) -> None:
    spec = MOONS.replace("test_size = 0.3", "test_size = 0.3, validation_size = 0.2")
    specnet.sweep(spec + SWEEP, tmp_path, jobs=1, observer=Observer())
    text, best = text_of(tmp_path), tmp_path / "best"
    found = [moons_scores(folder, "validation")[1] for folder in sorted((tmp_path / "trials").iterdir())]
    for trial, value in enumerate(found):
        agree(text, f"trial {trial}: N %", value)
    agree(text, "best of 3 by its validation accuracy, N %", max(found))
    (test_loss, test), (train_loss, train) = (moons_scores(best, split) for split in ("test", "train"))
    agree(text, "N % against N % of N test rows".replace("st N", r"st [\d.]+"), test, 60)
    agree(text, "Accuracy of the best trial on test rows: N %", test)
    agree(text, "validation, best of N N %", 3, max(found))
    agree(text, " test N % N train N % N ", test, test_loss, train, train_loss)
    agree(text, "the accuracy there, N %", test)


def test_numbers_of_a_nested_sweep(tmp_path: Path) -> None:
    spec = MOONS.replace("test_size = 0.3", "validation_size = 0.2") + SWEEP
    nested_sweep(spec, tmp_path, folds=2, jobs=1, observer=Observer())
    text = text_of(tmp_path)
    tests = np.array([moons_scores(tmp_path / f"fold{fold}" / "best", "test") for fold in (0, 1)])
    loss, accuracy = tests.T
    agree(text, "2 sweeps average a test accuracy of N % ± N", accuracy.mean(), accuracy.std(ddof=1))
    agree(text, " test N % ± N N ± N", accuracy.mean(), accuracy.std(ddof=1), loss.mean(), loss.std(ddof=1))
    best = []
    for fold in (0, 1):
        trials = sorted((tmp_path / f"fold{fold}" / "trials").iterdir())
        found = [moons_scores(trial, "validation")[1] for trial in trials]
        best.append(max(found))
        told = rf" fold{fold} N % [\d.]+ % N [\d.]+ % \d+ N N N % "
        agree(text, told, accuracy[fold], loss[fold], len(found), found.index(best[fold]), best[fold])
    agree(text, "mean validation accuracy of N %", np.mean(best))
    agree(text, "which no search used, the mean accuracy is N %", accuracy.mean())


def test_numbers_of_compared_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, epochs in (("short", 5), ("long", 60)):
        specnet.run(MOONS, tmp_path / name, overrides=[f"training.epochs={epochs}"], observer=Observer())
    called("compare", "short", "long", "-o", "report.html").ok()
    text = text_of(tmp_path)
    for name in ("short", "long"):
        loss, accuracy = moons_scores(tmp_path / name, "test")
        agree(text, f" {name} N % N ", accuracy, loss)
    agree(text, "N runs", 2)
