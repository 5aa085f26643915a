"""The figures of the page of a run or a team."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn import metrics

from specnet.number_texts import cell_text
from specnet.running.panel.words import MAX_DECIMALS
from tests.benchmarks.pages.figures import Figures
from tests.benchmarks.pages.reading import Reading, matched
from tests.benchmarks.pages.truth import Truth, wilson

SPLITS = "train", "test"
SHUFFLES, SHOWN_SHUFFLES = 60, 5
SURE = 4.5
"""Number of standard errors within which figures of chance are."""
POINTS, RESPONSE_ROWS = 20, 100


def run_figures(page: Path, spec: Path, found: Figures) -> None:
    """Compare the figures of a page; `spec` is the one that its rows are of."""
    reading, truth = Reading(page), Truth(page.parent, spec)
    _scores(reading, truth, found)
    _importance(reading, truth, found)
    _responses(reading, truth, found)
    if truth.labels:
        _classes(reading, truth, found)
    else:
        _values(reading, truth, found)
    _failing(reading, truth, found)
    if (page.parent / "history.jsonl").exists():
        _network(reading, truth, found)


def _scores(reading: Reading, truth: Truth, found: Figures) -> None:
    rows = reading.table("Scores")
    by_metric = {(row[""], column): cell for row in rows for column, cell in row.items() if column}
    if "loss" not in {row[""] for row in rows}:
        main = list(rows[0])[2] if len(rows[0]) > 2 and list(rows[0])[2] != "95 % interval" else "loss"
        by_metric = {}
        for row in rows:
            for column, cell in row.items():
                if column in truth.scores:
                    by_metric[column, row[""]] = cell
                elif row[""] == "test":
                    by_metric[main, column] = cell
    test = truth.target["test"]
    values: dict[str, list[float]] = {}
    for (name, column), cell in by_metric.items():
        score = truth.scores.get(name)
        if score is None or not cell:
            continue
        if column in SPLITS:
            found.same(f"{name} of {column} rows", cell, score(truth.target[column], truth.own[column]))
        elif column == "95 % interval":
            low, high, also = truth.interval(name, truth.own["test"])
            found.each(f"interval of {name}", cell, "N(?:–| to )N", low, high, also=also)
        elif column in truth.simpler:
            found.same(f"{name} of {column}", cell, score(test, truth.simpler[column]))
    for name, score in truth.scores.items():
        values[name] = [score(test, each) for each in (truth.own["test"], *truth.simpler.values())]
    # The verdict quotes a statistic of the network and of a rival.
    quoted = re.search(r"(R²|a loss of|accuracy|:) ([−\d.]+)(?: %)? against ([−\d.]+)", reading.verdict)
    if quoted and truth.are_numbers:
        name = {"a loss of": "loss", ":": "accuracy"}.get(quoted[1], quoted[1])
        own, *others = values[name]
        found.same("verdict", quoted[2], own)
        found.same(
            "rival of the verdict",
            quoted[3],
            min(others, key=lambda each: abs(each - float(quoted[3].replace("−", "-")))),
        )
    found.each("rows", reading.text, "N training and N test rows", *(len(truth.target[split]) for split in SPLITS))


def _importance(reading: Reading, truth: Truth, found: Figures) -> None:
    """Compare with the mean of many other shuffles, whose spread says how far that of a few may be."""
    caption, plot = reading.cards["Importance"]
    test, columns = truth.target["test"], truth.columns["test"]
    unit = "accuracy" if truth.labels else "R²" if len(truth.outputs) == 1 else "loss"
    found.each("importance", caption, "among N test rows, on average over N shuffles", len(test), SHOWN_SHUFFLES)
    generator, own = np.random.default_rng(1), truth.scores[unit](test, truth.own["test"])
    sign, at = (1 if unit == "loss" else -1), plot.x
    changes: dict[str, NDArray[np.float64]] = {}
    for name in truth.names:
        table = pd.concat([columns] * SHUFFLES, ignore_index=True)
        cells = columns[name].to_numpy()
        table[name] = np.concatenate([generator.permutation(cells) for _ in range(SHUFFLES)])
        predicted = truth.predicted(table).reshape(SHUFFLES, len(test), -1)
        changes[name] = np.array([sign * (truth.scores[unit](test, each) - own) for each in predicted])
    for hover in (each for each in plot.hovers if "95 % interval" in each):
        name, change = hover.split(": ")[0], changes[hover.split(": ")[0]]
        chance = SURE * change.std(ddof=1) / SHOWN_SHUFFLES**0.5
        found.each(f"importance of {name}", hover, ": N", float(change.mean()), also=float(chance))
    for each in plot.svg.iter("rect"):
        title = each.find("title")
        if title is not None and title.text:
            width, left = float(each.get("width", "")), float(each.get("x", ""))
            value = float(matched(r": ([−\d.]+)", title.text).replace("−", "-"))
            end = left + width if value > 0 else left
            off = max(abs(float(at.values(end)) - value) - 10.0 ** -len(str(value).partition(".")[2]), 0.0)
            found.placed(f"bar of {title.text}", [off / at.unit])


def _moved(truth: Truth, name: str) -> tuple[list[object], list[str]]:
    """Return the cells that a column is set to, and their texts."""
    known = truth.columns["train"][name]
    if known.dtype.kind != "f":
        if name == "since":
            days = pd.to_datetime(known).to_numpy().astype("datetime64[D]").astype(np.int64)
            nearest = np.unique(np.quantile(days, _middles(), method="nearest"))
            texts = nearest.astype("datetime64[D]").astype(str).tolist()
            return list(texts), texts
        counts = known.value_counts(dropna=False, sort=False)
        texts = [str(each) for each in counts.sort_values(ascending=False, kind="stable").index]
        return [None if text in ("nan", "None") else text for text in texts], [
            "missing" if text in ("nan", "None") else text for text in texts
        ]
    values = np.unique(known.dropna())
    if len(values) > POINTS:
        values = np.unique(np.quantile(known.dropna(), _middles(), method="nearest"))
    return values.tolist(), [cell_text(value) for value in values.tolist()]


def _middles() -> NDArray[np.float64]:
    return (np.arange(POINTS) + 0.5) / POINTS


def _responses(reading: Reading, truth: Truth, found: Figures) -> None:
    test = truth.columns["test"]
    chosen = test.iloc[np.unique(np.linspace(0, len(test) - 1, min(RESPONSE_ROWS, len(test))).round().astype(int))]
    scale = 100 if truth.labels else 1
    for name in truth.names:
        if name not in reading.cards:
            continue
        caption, plot = reading.cards[name]
        cells, texts = _moved(truth, name)
        predicted = np.array([truth.predicted(chosen.assign(**{name: cell})) for cell in cells])
        which = reading_of(caption, truth.labels)
        for text, each in zip(texts, scale * predicted[:, :, which], strict=True):
            low, high = np.quantile(each, [0.1, 0.9])
            hover = next((hover for hover in plot.hovers if hover.startswith(f"{text}: ")), "")
            found.each(
                f"response to {name} at {text}", hover, ": N(?: %)?, 80 % of rows N(?: %)? to N", each.mean(), low, high
            )
        if len(plot.names) == 0:
            points = [(x, y) for x, y, _ in plot.marks("hit")]
            means = scale * predicted[:, :, which].mean(axis=1)
            found.placed(f"response to {name}", plot.y.off([y for _, y in points], means))


def reading_of(caption: str, labels: list[str]) -> int:
    """Return the index of the class, or of the output, whose mean a caption quotes."""
    of = re.search(r"Mean probability of (.+?):", caption)
    return labels.index(of[1]) if of else 0


def _classes(reading: Reading, truth: Truth, found: Figures) -> None:
    target, probability = truth.target["test"], truth.own["test"]
    predicted, labels, rows = probability.argmax(axis=1), truth.labels, len(truth.target["test"])
    confusion = metrics.confusion_matrix(target, predicted)
    caption, plot = reading.cards["Confusion"]
    found.each("confusion", caption, "N of N test rows right", confusion.trace(), rows)
    for true, given in np.ndindex(confusion.shape):
        cell, start = confusion[true, given], f"true {labels[true]}, predicted {labels[given]}: "
        hover = next(each for each in plot.hovers if each.startswith(start))
        found.each("confusion", hover, f"{start}N, N %", cell, 100 * cell / confusion[true].sum())
    if len(labels) == 2:
        _two_classes(reading, truth, found)
    _calibration(reading, truth, found)
    found.each("mistakes", reading.text, "N of N test rows (?:is|are) wrong", rows - confusion.trace(), rows)


def _two_classes(reading: Reading, truth: Truth, found: Figures) -> None:
    target, probability = truth.target["test"], truth.own["test"][:, 1]
    alarms, hits, _ = metrics.roc_curve(target, probability, drop_intermediate=False)
    caption, plot = reading.cards["ROC curve"]
    found.each("ROC curve", caption, "Area N", metrics.roc_auc_score(target, probability))
    at_half = [np.mean(probability[target == kind] > 0.5) for kind in (1, 0)]
    found.each("ROC curve", caption, "point, N % .*alarms in N %", *(100 * each for each in at_half))
    for x, y, hover in plot.marks("hit"):
        _on_curve("ROC curve", hover, (hits, alarms), found)
        place = plot.x.values(x), plot.y.values(y)
        near = np.hypot(100 * alarms - place[0], 100 * hits - place[1]).min()
        found.placed("ROC curve", [near / (plot.x.unit + plot.y.unit)])
    counts = reading.data("data-counts")
    for at, hit, alarm in zip(counts["at"], counts["hits"], counts["alarms"], strict=True):
        above = probability > at if at in (0, 0.5, 1) else probability >= at
        found.same(f"hits at {at}", f"{hit:g}", float(np.sum(above & (target == 1))))
        found.same(f"alarms at {at}", f"{alarm:g}", float(np.sum(above & (target == 0))))
    if "Precision and recall" in reading.cards:
        caption, plot = reading.cards["Precision and recall"]
        found.each("precision", caption, "is N %", 100 * np.mean(target == 1))
        found.each("precision", caption, "Average precision N", metrics.average_precision_score(target, probability))
        precision, recall, _ = metrics.precision_recall_curve(target, probability)
        for _, _, hover in plot.marks("hit"):
            _on_curve("precision", hover, (precision, recall), found)


def _on_curve(what: str, hover: str, curve: tuple[NDArray[np.float64], ...], found: Figures) -> None:
    """Compare two percentages with the point of a curve that is nearest to both."""
    shown = [float(each) for each in re.findall(r"([\d.]+) %", hover)]
    nearest = int(np.argmin(np.abs(100 * curve[0] - shown[0]) + np.abs(100 * curve[1] - shown[1])))
    for text, value in zip(shown, (curve[0][nearest], curve[1][nearest]), strict=True):
        found.same(f"{what}, {hover}", f"{text:.1f}", 100 * float(value))


def _calibration(reading: Reading, truth: Truth, found: Figures) -> None:
    target, probability, two = truth.target["test"], truth.own["test"], len(truth.labels) == 2
    sure = probability[:, 1] if two else probability.max(axis=1)
    true = target == 1 if two else target == probability.argmax(axis=1)
    caption, plot = reading.cards["Calibration"]
    bins, order = max(3, min(10, len(sure) // 30)), np.argsort(sure, kind="stable")
    hovers = [each for each in plot.hovers if "came true" in each]
    parts = [order[k * len(sure) // bins : (k + 1) * len(sure) // bins] for k in range(bins)]
    for hover, part in zip(hovers, parts, strict=True):
        share = float(true[part].mean())
        ends = (100 * end for end in wilson(share, len(part)))
        shown = "N rows: predicted N %, came true N %, 95 % Wilson interval N–N %"
        found.each("calibration", hover, shown, len(part), 100 * sure[part].mean(), 100 * share, *ends)
    dots = [(x, y) for x, y, text in plot.marks("dot") if text]
    found.placed("calibration", plot.x.off([x for x, _ in dots], [100 * sure[part].mean() for part in parts]))
    found.placed("calibration", plot.y.off([y for _, y in dots], [100 * true[part].mean() for part in parts]))
    counts, edges = np.histogram(sure, 20, (0, 1))
    bars = [each for each in plot.hovers if ": probability" in each]
    for bar, rows, low in zip(bars, counts[counts > 0], edges[:-1][counts > 0], strict=True):
        found.each("histogram", bar, "N rows?: probability N", rows, 100 * low)
    found.each("histogram", caption, "at most N", counts.max())
    right = probability.max(axis=1)
    places, came = np.ceil(15 * right), probability.argmax(axis=1) == target
    error = sum(abs(np.sum(came[places == k] - right[places == k])) for k in range(1, 16)) / len(right)
    found.each("calibration", caption, "calibration error N", float(error))


def _values(reading: Reading, truth: Truth, found: Figures) -> None:
    for index, name in enumerate(truth.outputs):
        of = "" if len(truth.outputs) == 1 else f" of {name}"
        true, predicted = truth.target["test"][:, index], truth.own["test"][:, index]
        caption, plot = reading.cards[f"Predicted and true values{of}"]
        points = [each for each in plot.marks("dot") if each[2]]
        for hover, a, b in zip([text for *_, text in points], true, predicted, strict=True):
            found.each(f"row{of}", hover, "true N, predicted N", a, b)
        found.placed(f"predicted{of}", plot.x.off([x for x, _, _ in points], predicted))
        found.placed(f"true{of}", plot.y.off([y for _, y, _ in points], true))
        found.each(f"true{of}", plot.description, "from N to N", true.min(), true.max())
        caption, plot = reading.cards[f"Residuals{of}"]
        error = true - predicted
        found.each(
            f"residuals{of}", caption, "Mean N, standard deviation N of N", error.mean(), error.std(), len(error)
        )
        found.placed(f"residuals{of}", plot.y.off([y for _, y, text in plot.marks("dot") if text], error))
    if len(truth.outputs) > 1:
        for index, row in enumerate(reading.table("Outputs")):
            error = truth.target["test"][:, index] - truth.own["test"][:, index]
            name, mean, *below = row.values()
            found.text("output", name, truth.outputs[index])
            found.same(f"mean residual of {name}", mean, float(error.mean()))
            levels = [0.05, 0.25, 0.5, 0.75, 0.95]
            quantiles = np.quantile(error, levels)
            for level, cell, value in zip(levels, below, quantiles, strict=True):
                found.same(f"residuals of {name} below {level}", cell, float(value))
    if inside := re.search(r"± ([\d.]+) on average; ([\d.]+) % contain the true value", reading.text):
        ends = np.asarray(truth.model.predict_interval(truth.columns["test"])).reshape(len(truth.own["test"]), -1)
        low, high = ends[:, 0], ends[:, -1]
        true = truth.target["test"][:, 0]
        within = (low <= true) & (true <= high)
        found.same("half width", inside[1], float(np.mean(high - low) / 2))
        found.same("coverage", inside[2], 100 * float(np.mean(within)))


def _failing(reading: Reading, truth: Truth, found: Figures) -> None:
    target, own, lines = truth.target["test"], truth.own["test"], truth.lines["test"]
    if truth.labels:
        predicted, sure = own.argmax(axis=1), own.max(axis=1)
        wrong, right = np.flatnonzero(predicted != target), np.flatnonzero(predicted == target)
        tables = {
            "The mistakes": wrong[np.argsort(-sure[wrong], kind="stable")][:10],
            "The least sure": right[np.argsort(sure[right], kind="stable")][:5],
        }
        for label, chosen in tables.items():
            for row, place in zip(reading.table(label), chosen, strict=True):
                found.same(f"{label}, line", row["row"], lines[place] + 2)
                found.text(f"{label}, true", row["true"], truth.labels[target[place]])
                found.text(f"{label}, predicted", row["predicted"], truth.labels[predicted[place]])
                found.same(f"{label}, probability", row["probability"], 100 * float(sure[place]))
                _cells(label, row, truth, int(place), found)
        return
    spread = truth.target["train"].std(axis=0)
    losses = (((own - target) / spread) ** 2).mean(axis=1)
    chosen = np.argsort(-losses, kind="stable")[:10]
    for row, place in zip(reading.table("The largest errors"), chosen, strict=True):
        found.same("largest errors, line", row["row"], lines[place] + 2)
        if len(truth.outputs) == 1:
            true, given = target[place, 0], own[place, 0]
            for column, value in (("true", true), ("predicted", given), ("error", given - true)):
                found.text(f"largest errors, {column}", row[column], _with_decimals(value, truth, 0))
        else:
            for index, name in enumerate(truth.outputs):
                found.text(f"largest errors, {name}", row[name], _with_decimals(target[place, index], truth, index))
        _cells("largest errors", row, truth, int(place), found)


def _with_decimals(value: float, truth: Truth, output: int) -> str:
    """Return a value with the decimals of a target in its file; with one more if these are fewer than 20 steps."""
    known = truth.target["train"][:, output]
    decimals = _decimals(known)
    decimals += bool(np.ptp(known) * 10**decimals < 20)
    return f"{value:.{decimals}f}".replace("-", "−")


def _decimals(known: NDArray[np.float64]) -> int:
    """Return the largest number of decimals of values in a file."""
    return max(len(f"{each:.10g}".partition(".")[2]) for each in known)


def _cells(what: str, row: dict[str, str], truth: Truth, place: int, found: Figures) -> None:
    for name in truth.names:
        cell = truth.columns["test"][name].iloc[place]
        if name in row and isinstance(cell, float) and np.isfinite(cell):
            decimals = _decimals(truth.columns["train"][name].dropna().to_numpy())
            its = cell_text(cell) if decimals > MAX_DECIMALS else f"{cell:.{decimals}f}".replace("-", "−")
            found.text(f"{what}, {name}", row[name], its)


def _network(reading: Reading, truth: Truth, found: Figures) -> None:
    model = truth.model
    tensors = model.network.parameters(model.members[0][0])
    for number, row in enumerate(reading.table("Layers")):
        weight, bias = (tensors[f"layers.{number}.{name}"] for name in ("weight", "bias"))
        found.same("units", row["out"], len(bias))
        found.same("parameters", row["parameters"], weight.size + bias.size)
        found.same("size of weights", row["last, rms"], float(np.sqrt(np.mean(weight.astype(np.float64) ** 2))))
    history = [json.loads(line) for line in (truth.folder / "history.jsonl").read_text().splitlines()]
    caption, plot = reading.cards["Loss"]
    own = truth.scores["loss"](truth.target["train"], truth.own["train"])
    found.each("training", caption, "on the training rows is N[.]", own)
    single = [record for record in history if not record.get("member")]
    points = list(plot.marks("hit"))[: len(single)]
    for (x, y, hover), record in zip(points, single, strict=False):
        found.each("training loss", hover, "epoch N: N", record["epoch"], record["loss"])
        found.placed("epoch", [plot.x.off(x, record["epoch"])])
        found.placed("training loss", [plot.y.off(y, record["loss"])])
