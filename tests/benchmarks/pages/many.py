"""The figures of pages of several runs."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean, stdev

import numpy as np
from scipy import stats

from specnet.number_texts import ABSENT, rounded
from specnet.saved.saved_folder import FINISHED, UNFINISHED
from tests.benchmarks.pages.figures import Figures
from tests.benchmarks.pages.reading import Plot, Reading, matched
from tests.benchmarks.pages.truth import Truth

SIMPLER = {
    "test, a linear model": "linear",
    "test, the 15 nearest neighbours": "neighbours",
    "test, a constant answer": "constant",
}


def series_figures(page: Path, found: Figures) -> None:
    """Compare the figures of a series of folds or seeds."""
    reading = Reading(page)
    planned = reading.table("Runs")
    rows = [row for row in planned if row.get("state", FINISHED) == FINISHED]
    for row in planned:
        if row not in rows:
            name, state, *figures = row.values()
            found.text(f"{name}, state", state, UNFINISHED)
            for cell in figures:
                found.text(f"{name}, no figure", cell, ABSENT)
    left = len(planned) - len(rows)
    if left:
        found.each("verdict", reading.verdict, r"^N of N runs did not finish\.", left, len(planned))
        found.each("verdict", reading.verdict, "[Tt]he other N average", len(rows))
    runs = {row["run"]: Truth(page.parent / row["run"], page.parent / row["run"] / "spec.json") for row in rows}
    first = next(iter(runs.values()))
    main = "accuracy" if first.labels else "R²"
    own = {name: _scores(truth) for name, truth in runs.items()}
    trained = {name: _scores(truth, "train") for name, truth in runs.items()}
    simpler = {name: {which: _scores(truth, which) for which in truth.simpler} for name, truth in runs.items()}
    for row in rows:
        name = row["run"]
        for column, cell in row.items():
            split, _, metric = column.partition(" ")
            if split in ("test", "train") and metric in own[name]:
                found.same(f"{name}, {column}", cell, (own if split == "test" else trained)[name][metric])
            elif column == "the 15 nearest neighbours":
                found.same(f"{name}, {column}", cell, simpler[name]["neighbours"][main])
    for row in reading.table("Scores"):
        (_, which), *cells = row.items()
        of_runs = {"test": own, "train": trained}.get(which) or {
            name: each[SIMPLER[which]] for name, each in simpler.items()
        }
        for metric, cell in cells:
            _spread(f"{which}, {metric}", cell, [each[metric] for each in of_runs.values()], found)
    _spread("verdict", reading.verdict, [each[main] for each in own.values()], found, f" {main} of ")
    simple = fmean(each["neighbours"][main] for each in simpler.values())
    found.each("verdict", reading.verdict, "(?:against|neighbours have) N", simple)
    _series_charts(reading, own, simpler, found)
    _variance(reading, {name: each[main] for name, each in own.items()}, simpler, main, found, is_whole=not left)
    _curves(reading, page.parent, list(runs), found)


def _scores(truth: Truth, which: str = "test") -> dict[str, float]:
    """Return the metrics of test rows, of training rows, or of a simpler predictor on test rows."""
    split = "train" if which == "train" else "test"
    predicted = truth.own[split] if which in ("train", "test") else truth.simpler[which]
    return {name: score(truth.target[split], predicted) for name, score in truth.scores.items()}


def _spread(what: str, shown: str, values: Sequence[float], found: Figures, before: str = "") -> None:
    """Compare a mean and its standard deviation, which a figure of the same rows and predictor does not have."""
    numbers = re.search(rf"{before}(\S+)(?: %)?(?: ± ([\d.]+))?", shown)
    if numbers is None:
        found.text(what, shown, f"{fmean(values):.4f}")
        return
    found.same(what, numbers[1], fmean(values))
    if numbers[2]:
        found.same(f"{what}, standard deviation", numbers[2], stdev(values))
    else:
        found.text(f"{what}, standard deviation", f"{stdev(values):.6f}", f"{0:.6f}")


def _series_charts(
    reading: Reading,
    own: Mapping[str, Mapping[str, float]],
    simpler: Mapping[str, Mapping[str, Mapping[str, float]]],
    found: Figures,
) -> None:
    for title, (_, plot) in reading.cards.items():
        metric = re.fullmatch("Test (.+) of each run", title)
        if metric is None:
            continue
        dots = [each for each in plot.marks("dot") if each[2]] or [each for each in plot.marks("point") if each[2]]
        for _, y, hover in dots:
            name, value = hover.split(": ")
            if name not in own:
                found.text(f"{title}, {name}", value, UNFINISHED)
                continue
            found.same(f"{title}, {name}", value, own[name][metric[1]])
            found.placed(f"{title}, {name}", [_off(plot, y, own[name][metric[1]])])
        for points, hover in plot.lines("whisker"):
            group, value = hover.rsplit(": ", 1)
            key = (
                "fold" + group.split()[1].strip(",")
                if group.startswith("fold")
                else "seed" + group.split()[1].strip(",")
            )
            its = next(each["neighbours"][metric[1]] for name, each in simpler.items() if key in name.split("_"))
            found.same(f"{title}, {group}", value, its)
            if len(points):
                found.placed(f"{title}, {group}", [_off(plot, points[0, 1], its)])


def _off(plot: Plot, y: float, value: float) -> float:
    return float(plot.y.off(y, value))


def _variance(
    reading: Reading,
    own: Mapping[str, float],
    simpler: Mapping[str, Mapping[str, Mapping[str, float]]],
    main: str,
    found: Figures,
    *,
    is_whole: bool,
) -> None:
    """Compare the interval of the difference over folds, and the spread over seeds and folds if all have finished."""
    folds = sorted({name.split("_")[1] for name in own if "_" in name})
    if not folds:
        return
    differences = [
        fmean(value - simpler[name]["neighbours"][main] for name, value in own.items() if name.endswith(fold))
        for fold in folds
    ]
    mean, count = fmean(differences), len(folds)
    half = stats.t.ppf(0.975, count - 1) * np.std(differences, ddof=1) * np.sqrt(1 / count + 1 / (count - 1))
    gain = r"neighbours [\d.]+ %: N points, 95 % interval N to N points"
    found.each("difference", reading.text, gain, mean, mean - half, mean + half)
    if not is_whole:
        found.text("spread", str("add a standard deviation of" in reading.text), "False")
        return
    of_folds = [[value for name, value in own.items() if name.endswith(fold)] for fold in folds]
    within = np.var(of_folds, axis=1, ddof=1).mean()
    between = max(np.var(np.mean(of_folds, axis=1), ddof=1) - within / len(of_folds[0]), 0)
    pattern = "the standard deviation is N points.* add a standard deviation of N points"
    found.each("spread", reading.text, pattern, within**0.5, between**0.5)


def _curves(reading: Reading, folder: Path, names: Sequence[str], found: Figures) -> None:
    plot = reading.cards["Training loss"][1]
    for points, hover in plot.lines("line"):
        if ", in the last epoch " not in hover:
            continue
        name, last = hover.split(", in the last epoch ")
        history = [json.loads(line) for line in (folder / name / "history.jsonl").read_text().splitlines()]
        found.same(f"training loss of {name}", last, history[-1]["loss"])
        found.placed(f"training loss of {name}", [_off(plot, points[-1, 1], history[-1]["loss"])])
    drawn = [hover for _, hover in plot.lines("line") if "in the last epoch" in hover]
    found.same("number of curves", str(len(drawn)), len(names))


def sweep_figures(page: Path, found: Figures) -> None:
    """Compare the figures of a sweep by its validation accuracy."""
    reading, folder = Reading(page), page.parent
    trials = sorted((folder / "trials").iterdir(), key=lambda each: int(each.name))
    values, settings = [], []
    for trial in trials:
        truth = Truth(trial, trial / "spec.json", ("train", "validation", "test"))
        values.append(truth.scores["accuracy"](truth.target["validation"], truth.own["validation"]))
        spec = truth.model.spec
        sizes = json.loads((trial / "spec.json").read_text())["network"]["hidden_layer_sizes"]
        settings.append((sizes, spec.training.optimizer.learning_rate))  # type: ignore[attr-defined] # Adam
    best = int(np.argmax(values))
    found.each(
        "best",
        reading.text,
        "Trial N was chosen as the best of N by its validation accuracy, N %",
        best,
        len(values),
        values[best],
    )
    plot = reading.cards["Validation accuracy by trial"][1]
    for x, y, hover in [*plot.marks("dot"), *plot.marks("point")]:
        number = int(matched(r"trial (\d+)", hover))
        found.each("trial", hover, "trial .*: N %", values[number])
        found.placed(f"trial {number}", [float(plot.x.off(x, number)), _off(plot, y, values[number])])
    order = np.argsort([-value for value in values], kind="stable")
    for row, number in zip(reading.table("Best trials"), order, strict=False):
        found.same("best trials", row["trial"], int(number))
        found.same("best trials", row["validation accuracy"], values[number])
        found.text("best trials", row["hidden_layer_sizes"], str(list(settings[number][0])))
        found.text("best trials", row["learning_rate"], rounded(settings[number][1]))
    plot = reading.cards["network.hidden_layer_sizes"][1]
    for size in (2, 4, 8):
        median = float(
            np.median([value for value, (sizes, _) in zip(values, settings, strict=True) if sizes[0] == size])
        )
        hover = next(each for each in plot.hovers if each.startswith(f"median of [{size}]"))
        found.each("median", hover, "N %", median)
    plot = reading.cards["training.optimizer.learning_rate"][1]
    for x, y, hover in plot.marks("point"):
        if not hover:
            continue
        number = int(matched(r"trial (\d+)", hover))
        found.each("rate", hover, ": N % at N", values[number], settings[number][1])
        found.placed(
            f"rate of trial {number}", [float(plot.x.off(x, settings[number][1])), _off(plot, y, values[number])]
        )
    _of_best(reading, folder, found)


def _of_best(reading: Reading, folder: Path, found: Figures) -> None:
    truth = Truth(folder / "best", folder / "best" / "spec.json", ("train", "validation", "test"))
    for row in reading.table("Scores"):
        split = row["rows"].split(",")[0]
        if "team" in row["rows"]:
            continue
        for metric in ("accuracy", "loss"):
            found.same(
                f"{row['rows']}, {metric}", row[metric], truth.scores[metric](truth.target[split], truth.own[split])
            )
    found.each("worth", reading.text, "the accuracy there, N %, is what", _scores(truth)["accuracy"])


def runs_figures(page: Path, found: Figures) -> None:
    """Compare the figures of compared or listed runs."""
    reading = Reading(page)
    rows = reading.runs()
    runs = {Path(row["run"]).name: page.parent / Path(row["run"]).name for row in rows}
    truths = {name: Truth(folder, folder / "spec.json") for name, folder in runs.items()}
    scores = {name: _scores(truth) for name, truth in truths.items()}
    for row in rows:
        name = Path(row["run"]).name
        for column, cell in row.items():
            metric = column.removeprefix("test ")
            if column.startswith("test ") and metric in scores[name]:
                found.same(f"{name}, {column}", cell, scores[name][metric])
        seconds = json.loads((runs[name] / "run.json").read_text())["training_seconds"]
        unit = {"ms": 1e3, "s": 1, "µs": 1e6}[row["time"].split()[-1]]
        found.same(f"{name}, time", row["time"], seconds * unit)
    if "Training loss" not in reading.cards:
        return
    plot = reading.cards["Training loss"][1]
    for x, y, hover in plot.marks("hit"):
        name = hover.split(", ")[0]
        history = [json.loads(line) for line in (runs[name] / "history.jsonl").read_text().splitlines()]
        epoch = int(matched(r"epoch (\d+)", hover))
        found.each(f"training loss of {name}", hover, ": N", history[epoch - 1]["loss"])
        found.placed(
            f"training loss of {name}", [float(plot.x.off(x, epoch)), _off(plot, y, history[epoch - 1]["loss"])]
        )
    for row in reading.table("Settings that differ"):
        for (column, cell), (name, truth) in zip(list(row.items())[1:], truths.items(), strict=True):
            found.text("setting", Path(column).name, name)
            found.same(f"{row['key']} of {name}", cell, truth.model.spec.training.optimizer.learning_rate)  # type: ignore[attr-defined] # Adam
    shown = re.search(r"best test R², ([\d.]+)", reading.verdict)
    if shown:
        found.same("verdict", shown[1], max(each["R²"] for each in scores.values()))
