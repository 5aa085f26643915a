"""Charts of a model's answers for test rows: which classes are mistaken for which, how sure it is, how far off."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from specnet.number_texts import count, counted, interval, page_metric, percent, points, rounded, true_minus
from specnet.parts.losses import Quantile
from specnet.parts.metrics import ExpectedCalibrationError, Metric
from specnet.report.pages.headline import BASELINES, best_split, score_name, verdict, words
from specnet.report.pages.roc_curves import Bin, Numbers, RocCurve, calibration, precision_recall_curve, roc_curve
from specnet.report.svg.axes import Axis
from specnet.report.svg.charts import HEIGHT, WIDTH, Chart, Figure, kept_points
from specnet.report.svg.overlays import Score, score_strip
from specnet.report.terminal.run_table import TEST
from specnet.report.terminal.scores import scores_table
from specnet.report.terminal.text_tables import TextTable

if TYPE_CHECKING:
    from specnet.model import Answers
    from specnet.report.pages.page_record import AnswersRecord, Importance

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
DRAWN_LEVEL = 0.9
"""Of intervals and sets."""
SPLITS = ("train", "out_of_fold", "validation", TEST)
MOST_COLUMNS = 12
"""Columns whose importance is shown."""
NOTHING: Mapping[str, Any] = MappingProxyType({})


def beginning_of(evaluation: Mapping[str, Any], metrics: Iterable[Metric], network: str) -> dict[str, Any]:
    """Return what a page begins with: how good a network is beside simpler predictors, in words, drawn, and in full.

    Parameters
    ----------
    evaluation : mapping
        What ``metrics.json`` says.
    metrics : iterable of Metric
        Of the spec.
    network : str
        What the network is called.
    """
    scores = {split: evaluation[split] for split in SPLITS if split in evaluation}
    table = scores_table(scores, evaluation.get("intervals", {}), evaluation.get("baselines", {}), metrics)
    rows = [[words(name), *map(true_minus, cells)] for name, *cells in table.rows]
    return {
        "verdict": verdict(evaluation),
        "strip": strip_of(evaluation, network),
        "scores": replace(table, header=[*map(words, table.header)], rows=rows),
    }


def strip_of(evaluation: Mapping[str, Any], network: str, others: Mapping[str, Mapping[str, Any]] = NOTHING) -> Figure:
    """Return the main metric of a network and of simpler predictors on one axis, with 95 % intervals.

    Parameters
    ----------
    evaluation : mapping
        What ``metrics.json`` says.
    network : str
        What the network is called.
    others : mapping, optional
        What ``metrics.json`` says of other networks, by what they are called.
    """
    split, name = best_split(evaluation), score_name(evaluation)
    baselines = evaluation.get("baselines", {})
    networks = {called: each for called, each in {network: evaluation, **others}.items() if split in each}
    figures = {called: each[split] for called, each in networks.items()}
    figures |= {other: baselines[other][split] for other in BASELINES if split in baselines.get(other, ())}
    spreads = {called: each.get("intervals", {}).get(split, {}) for called, each in networks.items()}
    if split == TEST:
        spreads |= evaluation.get("baseline_intervals", {})
    bounds = spreads[network].get(name)
    scores = {
        other: _score(name, each[name], spreads.get(other, {}).get(name), bounds)
        for other, each in figures.items()
        if each.get(name) is not None
    }
    note = "The lines are 95\N{NO-BREAK SPACE}% intervals." if bounds else "The network beside simpler predictors."
    return score_strip(split, name, scores, note)


def _score(name: str, value: float, ends: Mapping[str, Any] | None, bounds: Mapping[str, Any] | None) -> Score:
    """Return a metric with its interval if it has one, with the digits that the bounds of the first one leave."""
    text = page_metric(name, value, bounds)
    if not ends or ends["low"] == ends["high"]:
        return Score(value, value, value, text, text)
    around = true_minus(interval(name, ends["low"], ends["high"]))
    return Score(value, ends["low"], ends["high"], text, f"{text}, 95 % interval {around}")


def results_of(record: AnswersRecord) -> dict[str, Any]:
    """Return what the template ``results.html.j2`` needs: charts and words on answers for test rows."""
    return {
        "results": list(_results(record)),
        "uses": None if record.importance is None else importance_figure(record.importance),
        "covered": _covered(record),
        "outputs": output_table(record.evaluation, record.outputs, record.task),
        "left_out": list(_left_out(record)),
    }


def _results(record: AnswersRecord) -> Iterator[Figure]:
    tables = record.evaluation.get("tables", {}).get("test", {})
    if record.classes:
        yield from class_figures(tables.get("confusion"), record.classes, record.answers, record.uncalibrated)
    elif record.task == "values" and record.answers is not None:
        loss = record.resolved.spec.training.loss
        quantile = loss.quantile if isinstance(loss, Quantile) else None
        yield from value_figures(record.answers, record.outputs, quantile, drawn_coverage(record.evaluation))


def _covered(record: AnswersRecord) -> str:
    """Return what intervals or sets cover, in words; nothing if there are none."""
    covered = drawn_coverage(record.evaluation)
    return "" if covered is None else coverage_sentence(covered, record.outputs, record.task)


def _left_out(record: AnswersRecord) -> Iterator[str]:
    """Yield what is left out of the results, and why."""
    if "test" not in record.evaluation:
        yield "No rows were held out for testing: set data.split.test_size to a fraction of the rows, such as 0.2."
    elif record.absent is not None:
        yield f"{record.absent} The charts that need them are left out."
    elif record.importance is None:
        yield "What the model uses is left out: too few test rows, or too many columns and parameters."


def class_figures(
    confusion: Sequence[Sequence[float]] | None,
    classes: Sequence[str],
    answers: Answers | None,
    uncalibrated: Answers | None = None,
) -> Iterator[Figure]:
    """Yield the charts of a classifier.

    Parameters
    ----------
    confusion : (classes, classes) or None
        How many rows of each class, the first axis, are predicted as each.
    classes : sequence of str
    answers : Answers or None
        Of test rows, where these are there.
    uncalibrated : Answers, optional
        Of the same rows before probabilities were calibrated.
    """
    if confusion is not None:
        yield _confusion(np.array(confusion, np.float64), classes)
    if answers is not None and answers.probability is not None:
        if len(classes) == 2:
            yield from _two_class_curves(answers.target, answers.probability, answers.weight, classes)
        yield _calibration(answers, uncalibrated, classes)


def value_figures(
    answers: Answers, outputs: Sequence[str], quantile: float | None = None, covered: Mapping[str, Any] | None = None
) -> Iterator[Figure]:
    """Yield predicted against true values, and residuals, of the first columns of the target.

    Parameters
    ----------
    answers : Answers
        Of test rows.
    outputs : sequence of str
        Names of the columns of the target.
    quantile : float, optional
        What is predicted, if not a value in the middle.
    covered : mapping, optional
        What ``metrics.json`` says of the intervals that are drawn.
    """
    both = answers.target, answers.prediction
    target, prediction = (np.asarray(values, np.float64).reshape(len(answers), -1) for values in both)
    chosen = kept_points(len(target), MOST_POINTS)
    rows = all_rows = counted(len(target), "test row")
    if len(chosen) < len(target):
        rows = f"{len(chosen)} of {all_rows}"
    for place, name in enumerate(outputs[:MOST_OUTPUTS]):
        of = f" of {name}" if len(outputs) > 1 else ""
        true, predicted = target[chosen, place], prediction[chosen, place]
        hover = [f"true {rounded(a)}, predicted {rounded(b)}" for a, b in zip(true, predicted, strict=True)]
        x, y = (Axis.over(predicted, true, margin=0.04, label=label) for label in ("predicted", "true"))
        title = f"Predicted and true values{of}"
        chart = Chart(f"{title}: true ones from {rounded(true.min())} to {rounded(true.max())}", x, y)
        chart.line([x.low, x.high], [x.low, x.high], "guide")
        note = f"{rows}. On the dashed line they are equal"
        if covered is not None and (reach := covered["size"][place] / 2) < x.high - x.low:
            inside = percent(covered["covered"][place])
            chart.line([x.low, x.high - reach], [x.low + reach, x.high], "guide faint")
            chart.line([x.low + reach, x.high], [x.low, x.high - reach], "guide faint")
            note += f"; between the fainter ones, ± {rounded(reach)}, lie {inside} of the rows"
        chart.points(predicted, true, hover=hover)
        if quantile is not None:
            below = percent(float(np.mean(target[:, place] <= prediction[:, place])))
            note += f"; {100 * quantile:g} % of the rows should lie below, and {below} do"
        yield Figure(title, f"{note}.", chart.svg())
        residual = true - predicted
        largest, every = np.max(np.abs(residual)), target[:, place] - prediction[:, place]
        x = Axis.over(predicted, margin=0.04, label="predicted")
        y = Axis.over([-largest, largest], margin=0.04, label="true − predicted")
        spread = f"ean {rounded(every.mean())}, standard deviation {rounded(every.std())}"
        chart = Chart(f"Residuals{of}: m{spread}", x, y)
        chart.line([x.low, x.high], [0, 0], "guide")
        chart.points(predicted, residual, hover=hover)
        yield Figure(
            f"Residuals{of}", f"M{spread} of {all_rows}. A pattern would be something left to learn.", chart.svg()
        )


def drawn_coverage(evaluation: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return what ``metrics.json`` says of the intervals or sets of 90 % on test rows, if there are some."""
    levels = evaluation.get("tables", {}).get("test", {}).get("coverage", [])
    return next((each for each in levels if each["level"] == DRAWN_LEVEL), None)


def coverage_sentence(covered: Mapping[str, Any], outputs: Sequence[str], task: str) -> str:
    """Return how large intervals or sets are, how many test rows they cover, and what that means for other rows."""
    level, sizes, shares = f"{100 * DRAWN_LEVEL:g} %", covered["size"], list(map(percent, covered["covered"]))
    if task != "values":
        what = f"Sets for {level} have {rounded(sizes[0])} classes on average; {shares[0]} have the true class"
    elif len(sizes) == 1:
        what = f"Intervals for {level} are the prediction ± {rounded(sizes[0] / 2)}; {shares[0]} have the true value"
    else:
        triples = zip(outputs, sizes, shares, strict=True)
        widths = "; ".join(f"{name} ± {rounded(size / 2)}: {share}" for name, size, share in triples)
        what = f"Intervals for {level}, and how many have the true value inside: {widths}"
    return f"{what}. This holds for rows like the training rows, on average and not for each group of them."


def importance_figure(importance: Importance) -> Figure:
    """Return a bar for each of the most important columns."""
    order = np.argsort(-importance.mean, kind="stable")[:MOST_COLUMNS]
    names = [importance.columns[place] for place in order]
    is_share = importance.score == "accuracy"
    what, verb = (importance.score if is_share else "R²"), "fall"
    if importance.score == "loss":
        what, verb = "loss", "rise"
    text, scale = (points, 100.0) if is_share else (rounded, 1.0)
    texts = [true_minus(text(float(importance.mean[place]))) for place in order]
    mean, deviation = scale * importance.mean[order], scale * importance.deviation[order]
    low, high = min(0.0, float(np.min(mean - deviation))), max(float(np.max(mean + deviation)), scale * 1e-12)
    x = Axis(low, high * 1.3, f"{verb} of {what}" + " in percentage points" * is_share)
    description = f"Permutation importance: {', '.join(f'{n} {t}' for n, t in zip(names[:5], texts, strict=False))}"
    chart = Chart(description, x, Axis.of_names(names), height=max(96.0, 58 + 20.0 * len(names)))
    for place, (value, spread) in enumerate(zip(mean, deviation, strict=True)):
        hover = f"{names[place]}: {texts[place]} ± {text(spread / scale)}{' percentage points' * is_share}"
        chart.rectangle((0.0, value), (place - 0.36, place + 0.36), "bar", hover=hover)
        chart.line([value - spread, value + spread], [place, place], "whisker")
        chart.text(max(value + spread, 0.0), place, texts[place], anchor="start", right=5)
    note = (
        f"How much the {what} {verb}s when a column is shuffled among {counted(importance.rows, 'row')}, "
        f"mean of {importance.shuffles} times"
    )
    if len(order) < len(importance.columns):
        note += f"; the first {len(order)} of {count(len(importance.columns))}"
    return Figure("Importance", f"{note}.", chart.svg())


def _confusion(confusion: NDArray[Any], classes: Sequence[str]) -> Figure:
    right, total = float(confusion.diagonal().sum()), float(confusion.sum())
    wrong = confusion.sum(axis=0) + confusion.sum(axis=1) - 2 * confusion.diagonal()
    shown = np.sort(np.argsort(-wrong, kind="stable")[:MOST_CLASSES])
    names, cells = [classes[int(place)] for place in shown], confusion[np.ix_(shown, shown)]
    whole = bool(np.all(confusion == np.rint(confusion)))
    text = (lambda value: count(int(value))) if whole else rounded
    of_class = confusion.sum(axis=1)[shown]
    note = f"{text(right)} of {text(total)} test rows right; lines are true classes, columns predicted ones"
    if len(classes) > MOST_CLASSES:
        note += f". The {MOST_CLASSES} classes that are mistaken most often, of {count(len(classes))}"
    axes = Axis.of_names(names, "predicted"), Axis.of_names(names, "true")
    height = max(HEIGHT, WIDTH - 50) if len(names) > 4 else HEIGHT
    chart = Chart(f"Confusion matrix: {text(right)} of {text(total)} test rows right", *axes, height=height)
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


def _two_class_curves(
    target: NDArray[Any], probability: Numbers, weight: Any, classes: Sequence[str]
) -> Iterator[Figure]:
    fractions = np.bincount(target, weight, 2)
    fractions = fractions / fractions.sum()
    if roc := roc_curve(target == 1, probability[:, 1], weight):
        chart = _unit_chart(f"ROC curve: area {roc.area:.3f}", "false positive rate", "true positive rate", [0, 1])
        chart.line(*_sampled(roc), hover=lambda x, y: f"{percent(y)} of {classes[1]} at {percent(x)} false alarms")
        note = f"Area {roc.area:.3f}: so often is a random {classes[1]} row ranked above a {classes[0]} one."
        yield Figure("ROC curve", note, chart.svg())
    rare = int(np.argmin(fractions))
    found = precision_recall_curve(target == rare, probability[:, rare], weight)
    if found and fractions[rare] < IMBALANCED:
        description = f"Precision and recall of {classes[rare]}: average {found.area:.3f}"
        chart = _unit_chart(description, "recall", "precision", [fractions[rare]] * 2)
        chart.line(*_sampled(found), hover=lambda x, y: f"precision {percent(y)} at recall {percent(x)}")
        note = (
            f"{classes[rare]} is {percent(fractions[rare])} of the test rows, the dashed line. "
            f"Average precision {found.area:.3f}."
        )
        yield Figure("Precision and recall", note, chart.svg())


def _sampled(curve: RocCurve) -> tuple[Numbers, Numbers]:
    kept = kept_points(len(curve.x), MOST_CURVE_POINTS)
    return curve.x[kept], curve.y[kept]


def _calibration(answers: Answers, uncalibrated: Answers | None, classes: Sequence[str]) -> Figure:
    bins = _probability_bins(answers)
    pairs = ", ".join(f"{percent(each.predicted)} came true {percent(each.observed)}" for each in bins)
    of = f"probability of {classes[1] if len(classes) == 2 else 'the predicted class'}"
    chart = _unit_chart(f"Calibration: {pairs}", of, "came true", [0, 1])
    error = f"Expected calibration error {_calibration_error(answers):.3f}"
    if uncalibrated is not None:
        before = _probability_bins(uncalibrated)
        curve = [each.predicted for each in before], [each.observed for each in before]
        chart.line(*curve, "series-1 held", title="before calibration")
        error += f", {_calibration_error(uncalibrated):.3f} before calibration (dashed)"
    predicted, observed = [each.predicted for each in bins], [each.observed for each in bins]
    chart.line(predicted, observed)
    hover = [
        f"{counted(each.rows, 'row')}: predicted {percent(each.predicted)}, came true {percent(each.observed)}"
        for each in bins
    ]
    chart.points(predicted, observed, hover=hover, radius=4.0)
    rows = sorted({min(each.rows for each in bins), max(each.rows for each in bins)})
    note = "On the diagonal a probability of 0.8 comes true 8 times in 10. Each point is "
    return Figure("Calibration", f"{note}{' to '.join(map(str, rows))} rows. {error}.", chart.svg())


def _probability_bins(answers: Answers) -> list[Bin]:
    """Return bins of the probability of the second of two classes, or of the predicted one of more."""
    assert answers.probability is not None, "asked where there are probabilities"
    if answers.probability.shape[1] == 2:
        return calibration(answers.target == 1, answers.probability[:, 1], answers.weight)
    return calibration(answers.target == answers.prediction, answers.probability.max(axis=1), answers.weight)


def _calibration_error(answers: Answers) -> float:
    metric = ExpectedCalibrationError()
    return metric.score(answers.target, answers.prediction, answers.probability, answers.weight)


def _unit_chart(description: str, x: str, y: str, guide: Sequence[float]) -> Chart:
    chart = Chart(description, Axis(0.0, 1.0, x), Axis(0.0, 1.02, y))
    chart.line([0, 1], guide, "guide")
    return chart


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
            cells = [
                (rounded(whole), percent(hits / whole) if whole else "–") for whole in (misses + hits, alarms + hits)
            ]
            rows.append((name, *cells[0], *cells[1]))
    return TextTable(header, rows, right=frozenset(range(1, len(header))))
