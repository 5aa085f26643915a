"""Charts of a model's answers for test rows: which classes are mistaken for which, how sure it is, how far off."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from specnet.number_texts import count, counted, percent, rounded
from specnet.report.pages.roc_curves import calibration, precision_recall_curve, roc_curve
from specnet.report.svg.axes import Axis
from specnet.report.svg.charts import HEIGHT, WIDTH, Chart, Figure, kept_points
from specnet.report.terminal.text_tables import TextTable

if TYPE_CHECKING:
    from specnet.model import Answers
    from specnet.report.pages.page_record import Importance

MOST_CLASSES = 30
"""With more classes, those that are mistaken most often are shown."""
MOST_NUMBERED = 12
"""Classes up to which the cells of a confusion matrix have numbers."""
IMBALANCED = 0.2
"""A class with a smaller fraction of the test rows makes precision and recall worth a look."""
MOST_POINTS, MOST_CURVE_POINTS = 400, 300
MOST_OUTPUTS = 3
"""Columns of the target that have charts."""
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
"""Of residuals, as ``metrics.json`` has them."""
MOST_COLUMNS = 12
"""Columns whose importance is shown."""


def class_figures(
    confusion: Sequence[Sequence[float]] | None, classes: Sequence[str], answers: Answers | None
) -> Iterator[Figure]:
    """Yield the charts of a classifier.

    Parameters
    ----------
    confusion : (classes, classes) or None
        How many rows of each class, the first axis, are predicted as each.
    classes : sequence of str
    answers : Answers or None
        Of test rows, where these are there.
    """
    if confusion is not None:
        yield _confusion(np.array(confusion, np.float64), classes)
    if answers is None or answers.probability is None:
        return
    if len(classes) == 2:
        yield from _two_class_curves(answers, classes)
    yield from _calibration(answers, classes)


def value_figures(answers: Answers, outputs: Sequence[str], quantile: float | None = None) -> Iterator[Figure]:
    """Yield predicted against true values, and residuals, of the first columns of the target.

    Parameters
    ----------
    answers : Answers
        Of test rows.
    outputs : sequence of str
        Names of the columns of the target.
    quantile : float, optional
        What is predicted, if not a value in the middle.
    """
    target, prediction = (
        np.asarray(values, np.float64).reshape(len(answers), -1) for values in (answers.target, answers.prediction)
    )
    chosen = kept_points(len(target), MOST_POINTS)
    rows = (
        counted(len(target), "test row") if len(chosen) == len(target) else f"{len(chosen)} of {len(target)} test rows"
    )
    for place, name in enumerate(outputs[:MOST_OUTPUTS]):
        of = f" of {name}" if len(outputs) > 1 else ""
        true, predicted = target[chosen, place], prediction[chosen, place]
        hover = [f"true {rounded(a)}, predicted {rounded(b)}" for a, b in zip(true, predicted, strict=True)]
        meaning = "On the dashed line they are equal"
        if quantile is not None:
            below = percent(float(np.mean(target[:, place] <= prediction[:, place])))
            meaning += f"; {100 * quantile:g} % of the rows should lie below, and {below} do"
        yield _predicted_and_true(of, f"{rows}. {meaning}.", true, predicted, hover)
        yield _residuals(of, true, predicted, hover)


def importance_figure(importance: Importance) -> Figure:
    """Return a bar for each of the most important columns."""
    order = np.argsort(-importance.mean, kind="stable")[:MOST_COLUMNS]
    names = [importance.columns[place] for place in order]
    mean, deviation = importance.mean[order], importance.deviation[order]
    is_share = importance.score == "accuracy"
    texts = [f"{100 * value:.1f} %" if is_share else rounded(value) for value in mean]
    falls = "loss" if importance.score == "loss" else "accuracy" if is_share else "R²"
    label = f"{'rise' if falls == 'loss' else 'fall'} of {falls}" + " in %" * is_share
    scale = 100.0 if is_share else 1.0
    low, high = min(0.0, float(np.min(mean - deviation))), max(float(np.max(mean + deviation)), 1e-12)
    x = Axis(scale * low, scale * high * 1.3, label)
    description = f"Permutation importance: {', '.join(f'{n} {t}' for n, t in zip(names[:5], texts, strict=False))}"
    chart = Chart(description, x, Axis.of_names(names), height=max(96.0, 58 + 20.0 * len(names)))
    for place, (value, spread) in enumerate(zip(scale * mean, scale * deviation, strict=True)):
        hover = f"{names[place]}: {texts[place]} ± {rounded(spread)}"
        chart.rectangle((0.0, value), (place - 0.36, place + 0.36), "bar", hover=hover)
        chart.line([value - spread, value + spread], [place, place], "whisker")
        chart.text(max(value + spread, 0.0), place, texts[place], anchor="start", right=5)
    shown = (
        "" if len(order) == len(importance.columns) else f"; the first {len(order)} of {count(len(importance.columns))}"
    )
    verb = "rises" if falls == "loss" else "falls"
    note = (
        f"How much the {falls} {verb} when a column is shuffled among {counted(importance.rows, 'row')}, "
        f"mean of {importance.shuffles} times{shown}."
    )
    return Figure("What it uses", note, chart.svg())


def _confusion(confusion: NDArray[Any], classes: Sequence[str]) -> Figure:
    right, total = float(confusion.diagonal().sum()), float(confusion.sum())
    shown = np.arange(len(classes))
    if len(classes) > MOST_CLASSES:
        wrong = confusion.sum(axis=0) + confusion.sum(axis=1) - 2 * confusion.diagonal()
        shown = np.sort(np.argsort(-wrong, kind="stable")[:MOST_CLASSES])
    names, cells = [classes[int(place)] for place in shown], confusion[np.ix_(shown, shown)]
    whole = bool(np.all(confusion == np.rint(confusion)))
    text = (lambda value: count(int(value))) if whole else rounded
    of_class = confusion.sum(axis=1)[shown]
    note = f"{text(right)} of {text(total)} test rows right; lines are true classes, columns predicted ones"
    if len(classes) > MOST_CLASSES:
        note += f". The {MOST_CLASSES} classes that are mistaken most often, of {count(len(classes))}"
    description = f"Confusion matrix: {text(right)} of {text(total)} test rows right"
    axes = Axis.of_names(names, "predicted"), Axis.of_names(names, "true")
    chart = Chart(description, *axes, height=max(HEIGHT, WIDTH - 50) if len(names) > 4 else HEIGHT)
    for i, true in enumerate(names):
        for j, predicted in enumerate(names):
            share = cells[i, j] / of_class[i] if of_class[i] else 0.0
            hover = f"true {true}, predicted {predicted}: {text(cells[i, j])}, {percent(share)} of {true}"
            place = (j - 0.47, j + 0.47), (i - 0.47, i + 0.47)
            opacity = 0.1 + 0.5 * share if cells[i, j] else 0.04
            chart.rectangle(*place, "right" if i == j else "wrong", opacity=opacity, hover=hover)
            if len(names) <= MOST_NUMBERED and cells[i, j]:
                chart.text(j, i, text(cells[i, j]), "strong")
    return Figure("Confusion", f"{note}.", chart.svg())


def _two_class_curves(answers: Answers, classes: Sequence[str]) -> Iterator[Figure]:
    assert answers.probability is not None, "the caller has looked"
    fractions = np.bincount(answers.target, answers.weight, 2)
    fractions = fractions / fractions.sum()
    positive, score = answers.target == 1, answers.probability[:, 1]
    if roc := roc_curve(positive, score, answers.weight):
        chart = _unit_chart(f"ROC curve: area {roc.area:.3f}", "false positive rate", "true positive rate")
        chart.line([0, 1], [0, 1], "guide")
        kept = kept_points(len(roc.x), MOST_CURVE_POINTS)
        chart.line(
            roc.x[kept], roc.y[kept], hover=lambda x, y: f"{percent(y)} of {classes[1]} at {percent(x)} false alarms"
        )
        note = f"Area {roc.area:.3f}: so often is a random {classes[1]} row ranked above a {classes[0]} one."
        yield Figure("ROC curve", note, chart.svg())
    rare = int(np.argmin(fractions))
    found = precision_recall_curve(answers.target == rare, answers.probability[:, rare], answers.weight)
    if found and fractions[rare] < IMBALANCED:
        chart = _unit_chart(f"Precision and recall of {classes[rare]}: average {found.area:.3f}", "recall", "precision")
        chart.line([0, 1], [fractions[rare]] * 2, "guide")
        kept = kept_points(len(found.x), MOST_CURVE_POINTS)
        chart.line(found.x[kept], found.y[kept], hover=lambda x, y: f"precision {percent(y)} at recall {percent(x)}")
        note = (
            f"{classes[rare]} is {percent(fractions[rare])} of the test rows, the dashed line. "
            f"Average precision {found.area:.3f}."
        )
        yield Figure("Precision and recall", note, chart.svg())


def _calibration(answers: Answers, classes: Sequence[str]) -> Iterator[Figure]:
    assert answers.probability is not None, "the caller has looked"
    probability = answers.probability[:, 1] if len(classes) == 2 else answers.probability.max(axis=1)
    came_true = answers.target == (1 if len(classes) == 2 else answers.prediction)
    bins = calibration(came_true, probability, answers.weight)
    of = f"probability of {classes[1]}" if len(classes) == 2 else "probability of the predicted class"
    pairs = ", ".join(f"{percent(each.predicted)} came true {percent(each.observed)}" for each in bins)
    chart = _unit_chart(f"Calibration: {pairs}", of, "came true")
    chart.line([0, 1], [0, 1], "guide")
    predicted, observed = [each.predicted for each in bins], [each.observed for each in bins]
    chart.line(predicted, observed)
    hover = [
        f"{counted(each.rows, 'row')}: predicted {percent(each.predicted)}, came true {percent(each.observed)}"
        for each in bins
    ]
    chart.points(predicted, observed, hover=hover, radius=4.0)
    per_bin = sorted(each.rows for each in bins)
    rows = f"{per_bin[0]} to {per_bin[-1]}" if per_bin[0] < per_bin[-1] else f"{per_bin[0]}"
    note = f"On the dashed line a probability of 0.8 comes true 8 times in 10. Each point is {rows} rows."
    yield Figure("Calibration", note, chart.svg())


def _predicted_and_true(
    of: str, note: str, true: NDArray[np.float64], predicted: NDArray[np.float64], hover: Sequence[str]
) -> Figure:
    x, y = (Axis.over(predicted, true, margin=0.04, label=label) for label in ("predicted", "true"))
    low, high = rounded(float(true.min())), rounded(float(true.max()))
    chart = Chart(f"Predicted and true values{of}: true ones from {low} to {high}", x, y)
    chart.line([x.low, x.high], [x.low, x.high], "guide")
    chart.points(predicted, true, hover=hover)
    return Figure(f"Predicted and true values{of}", note, chart.svg())


def _residuals(of: str, true: NDArray[np.float64], predicted: NDArray[np.float64], hover: Sequence[str]) -> Figure:
    residual = true - predicted
    largest = float(np.max(np.abs(residual)))
    x = Axis.over(predicted, margin=0.04, label="predicted")
    y = Axis.over([-largest, largest], margin=0.04, label="true − predicted")
    mean, spread = rounded(float(residual.mean())), rounded(float(residual.std()))
    chart = Chart(f"Residuals{of}: mean {mean}, standard deviation {spread}", x, y)
    chart.line([x.low, x.high], [0, 0], "guide")
    chart.points(predicted, residual, hover=hover)
    note = f"Mean {mean}, standard deviation {spread}. A pattern would be something left to learn."
    return Figure(f"Residuals{of}", note, chart.svg())


def _unit_chart(description: str, x: str, y: str) -> Chart:
    return Chart(description, Axis(0.0, 1.0, x), Axis(0.0, 1.02, y))


def output_table(evaluation: Mapping[str, Any], outputs: Sequence[str], task: str) -> TextTable | None:
    """Return a row for each of several columns of the target, with what ``metrics.json`` says of each; else None."""
    tables = evaluation.get("tables", {}).get("test")
    if not tables or task not in ("values", "multilabel") or len(outputs) < 2:
        return None
    if task == "values":
        header = ("output", "mean error", *(f"{100 * level:.0f} % of residuals below" for level in QUANTILES))
        rows = [
            (name, rounded(bias), *map(rounded, quantiles))
            for name, bias, quantiles in zip(outputs, tables["bias"], tables["residual_quantiles"], strict=True)
        ]
    else:
        header = ("output", "true 1", "found of them", "predicted 1", "right of them")
        rows = []
        for name, ((_, alarms), (misses, hits)) in zip(outputs, tables["confusion"], strict=True):
            ratios = (percent(hits / whole) if whole else "–" for whole in (misses + hits, alarms + hits))
            recall, precision = ratios
            rows.append((name, rounded(misses + hits), recall, rounded(alarms + hits), precision))
    return TextTable(header, rows, right=frozenset(range(1, len(header))))
