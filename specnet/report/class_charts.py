"""Charts of a classifier: ROC and precision-recall curves, confusion matrix, calibration of its probabilities."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from specnet.number_texts import count, counted, interval, page_metric, percent, rounded
from specnet.parts.arrays import spaced_indices
from specnet.parts.metrics import ExpectedCalibrationError
from specnet.parts.metrics.statistics import effective_rows, weighted_mean, wilson_bounds
from specnet.report.svg.axes import Axis, fit_along_x
from specnet.report.svg.charts import HEIGHT, RIGHT_EDGE, WIDTH, Chart, Figure
from specnet.report.svg.colours import class_line, colour_of

if TYPE_CHECKING:
    from specnet.model import Answers


Numbers = NDArray[np.float64]
Curve = tuple[Numbers, Numbers, float]
"""A curve through points x and y (points,) in 0 … 1, x in ascending order, and the area under it."""

DECISION = 0.5
"""The probability above which a model without a decision threshold predicts the second of two classes."""
MAX_THRESHOLDS = 200
TINY = 1e-6
"""The smallest probability for which thresholds are rounded to 4 digits; smaller ones are rounded like it."""
ROWS_PER_BIN, MIN_BINS, MAX_BINS = 30, 3, 10


def roc_curve(positive: NDArray[np.bool_], score: NDArray[Any], weight: Numbers | None = None) -> Curve | None:
    """Return the true positive rate as a function of the false positive rate; None if all rows are of one class.

    Parameters
    ----------
    positive : ndarray (rows,)
    score : ndarray (rows,)
        Larger for rows that are more likely positive; rows with equal scores share a point of the curve.
    weight : ndarray (rows,), optional
    """
    hits, alarms = _counts(positive, score, weight)
    if not (hits[-1] and alarms[-1]):
        return None
    x, y = (np.concatenate([[0.0], counts / counts[-1]]) for counts in (alarms, hits))
    return x, y, float(np.trapezoid(y, x))


def precision_recall_curve(
    positive: NDArray[np.bool_], score: NDArray[Any], weight: Numbers | None = None
) -> Curve | None:
    """Return precision as a function of recall, and average precision Σ (Rₙ − Rₙ₋₁)·Pₙ; None if no row is positive.

    The arguments are the same as in `roc_curve`.
    """
    hits, alarms = _counts(positive, score, weight)
    if not hits[-1]:
        return None
    found = hits + alarms > 0
    recall, precision = hits[found] / hits[-1], hits[found] / (hits + alarms)[found]
    area = float(np.sum(np.diff(recall, prepend=0.0) * precision))
    return np.concatenate([[0.0], recall]), np.concatenate([precision[:1], precision]), area


def thresholds(
    positive: NDArray[np.bool_],
    probability: NDArray[Any],
    weight: Numbers | None = None,
    decision: float | None = None,
) -> dict[str, Any] | None:
    """Return counts at thresholds from 0 to 1, at quantiles of the probabilities; None if all rows are of one class.

    The other arguments are the same as in `roc_curve`.

    Parameters
    ----------
    decision : float, optional
        The model's decision threshold. Without it, the model predicts the second class above `DECISION`.

    Returns
    -------
    dict or None
        ``at``: the thresholds in ascending order. ``hits`` and ``alarms``: for each threshold, the number of positive
        and of negative rows with at least this probability, or with a larger one at 0, at 1 and, without a decision
        threshold, at `DECISION`. ``positives`` and ``others``: the total numbers of these rows.
        With weights, all counts are sums of weights. ``start``: the index of the model's own threshold.
    """
    known = np.asarray(probability, np.float64)
    spread = np.quantile(known, np.linspace(0, 1, MAX_THRESHOLDS - 3), method="nearest")
    # A threshold is rounded up to exclude the probability that it was made from, but not the next larger one.
    step = 10.0 ** (np.floor(np.log10(np.maximum(spread, TINY))) - 3)
    own = decision or DECISION
    at = np.unique([0.0, own, 1.0, *(float(f"{each:.4g}") for each in np.ceil(spread / step) * step)]).clip(0, 1)
    order = np.argsort(-known, kind="stable")
    above, reached = (np.searchsorted(-known[order], -at, side=side) for side in ("left", "right"))
    above = np.where((at == 0) | (at == 1) | ((at == own) & (decision is None)), above, reached)
    weights = np.ones(len(known)) if weight is None else weight[order]
    counts = []
    for mask in (positive[order], ~positive[order]):
        sums = np.append(0.0, np.cumsum(weights * mask))
        counts.append([float(f"{each:.10g}") for each in (*sums[above], sums[-1])])
    (*hits, positives), (*alarms, others) = counts
    if not (positives and others):
        return None
    start = int(np.searchsorted(at, own))
    counted = {"hits": hits, "alarms": alarms, "positives": positives, "others": others}
    return {"at": at.tolist(), **counted, "start": start}


def calibration(came_true: NDArray[np.bool_], probability: NDArray[Any], weight: Numbers | None = None) -> Numbers:
    """Return how often predictions come true in 3 to 10 bins of equally many rows, about 30 or more if possible.

    Parameters
    ----------
    came_true : ndarray (rows,)
    probability : ndarray (rows,)
        Equal probabilities are in the same bin.
    weight : ndarray (rows,), optional

    Returns
    -------
    ndarray (5, bins)
        Bins in ascending order of probability. For each: number of rows, mean probability, fraction of rows whose
        prediction came true, and the ends of the 95 % interval of this fraction.
    """
    rows = len(probability)
    bins = max(MIN_BINS, min(MAX_BINS, rows // ROWS_PER_BIN))
    order = np.argsort(probability, kind="stable")
    ordered = np.asarray(probability, np.float64)[order]
    # Each bin starts at the first of several equal probabilities.
    starts = np.unique(np.searchsorted(ordered, ordered[np.arange(bins) * rows // bins]))
    weights = np.ones(rows) if weight is None else weight[order]
    outcome = came_true[order].astype(np.float64)
    found = []
    for start, stop in zip(starts, [*starts[1:], rows], strict=True):
        part = slice(start, stop)
        if count := effective_rows(weights[part]):
            predicted, observed = (weighted_mean(values[part], weights[part]) for values in (ordered, outcome))
            found.append((stop - start, predicted, observed, *wilson_bounds(observed, count)))
    return np.array(found, np.float64).reshape(-1, 5).T


def _counts(positive: NDArray[np.bool_], score: NDArray[Any], weight: Numbers | None) -> tuple[Numbers, Numbers]:
    """Return, for each distinct score from the largest on, the numbers of positive and negative rows at or above it."""
    order = np.argsort(-score, kind="stable")
    last_of_equal = np.append(np.diff(score[order]) != 0, True)
    weights = np.ones(len(score)) if weight is None else weight[order]
    hits, alarms = (np.cumsum(weights * mask)[last_of_equal] for mask in (positive[order], ~positive[order]))
    return hits, alarms


MAX_CLASSES = 30
"""Most classes in a confusion matrix; of more, the classes with the most errors are shown."""
AROUND, ROW = 60.0, 12.0
"""Height of a confusion matrix around its rows, and the smallest height of a row in which its name fits."""
MAX_NUMBERED = 12
"""Largest number of classes for which the cells of a confusion matrix contain numbers."""
IMBALANCED = 0.2
"""If the rarer class has a smaller fraction of the test rows, its precision and recall are drawn too."""
MAX_CURVE_POINTS = 300
CALIBRATION_ENDS = (0.0, 0.05), (0.0, 0.1), (0.8, 1.0), (0.0, 0.2), (0.0, 0.4), (0.6, 1.0), (0.0, 1.0)
"""Ends of the axes of a calibration, the shortest first."""
MAX_ZEROS = 4
"""Most classes of a confusion matrix in which cells of no rows have a 0."""
BARS, HIGHEST_BAR = 20, 0.16
"""Number of bars of the histogram of probabilities; height of the highest bar as a fraction of the axis."""


def class_figures(
    confusion: Sequence[Sequence[float]] | None,
    classes: Sequence[str],
    answers: Answers | None,
    uncalibrated: Answers | None = None,
    decision: float | None = None,
) -> Iterator[Figure]:
    """Yield the charts of a classifier.

    Parameters
    ----------
    confusion : (classes, classes) or None
        Number of rows by true class (first axis) and predicted class (second axis).
    classes : sequence of str
    answers : Answers or None
        Predictions for the test rows; None without test rows.
    uncalibrated : Answers, optional
        Predictions for the same rows before calibration of the probabilities.
    decision : float, optional
        The model's decision threshold.
    """
    if confusion is not None:
        yield _confusion(np.array(confusion, np.float64), classes)
    if answers is not None and answers.probability is not None:
        if len(classes) == 2:
            yield from _two_class_curves(answers, classes, decision)
        yield _calibration(answers, uncalibrated, classes)


def _confusion(confusion: NDArray[Any], classes: Sequence[str]) -> Figure:
    right, total = float(confusion.diagonal().sum()), float(confusion.sum())
    wrong = confusion.sum(axis=0) + confusion.sum(axis=1) - 2 * confusion.diagonal()
    shown = np.sort(np.argsort(-wrong, kind="stable")[:MAX_CLASSES])
    names, cells = [classes[int(index)] for index in shown], confusion[np.ix_(shown, shown)]
    whole = bool(np.all(confusion == np.rint(confusion)))
    text = (lambda value: count(int(value))) if whole else rounded
    of_class = confusion.sum(axis=1)[shown]
    note = f"{text(right)} of {text(total)} test rows right"
    note += "; true classes from top to bottom, predicted classes from left to right; mistakes are grey"
    if len(classes) > MAX_CLASSES:
        note += f". The {MAX_CLASSES} classes that are mistaken most often, of {count(len(classes))}"
    columns = rows = names
    if not fit_along_x(names, WIDTH, RIGHT_EDGE):
        columns = [str(k) for k in range(1, len(names) + 1)]
        rows = [f"{name} {k}" for k, name in zip(columns, names, strict=True)]
        note += ". Columns have the numbers of the rows"
    axes = Axis.of_names(columns, "predicted"), Axis.of_names(rows, "true")
    height = max(HEIGHT, WIDTH - 50, AROUND + ROW * len(names)) if len(names) > 4 else HEIGHT
    chart = Chart(f"Confusion matrix: {text(right)} of {text(total)} test rows right", *axes, height=height)
    for i, true in enumerate(names):
        for j, predicted in enumerate(names):
            share = cells[i, j] / of_class[i] if of_class[i] else 0.0
            hover = f"true {true}, predicted {predicted}: {text(cells[i, j])}, {percent(share)} of {true}"
            square = (j - 0.47, j + 0.47), (i - 0.47, i + 0.47)
            opacity = 0.1 + 0.5 * share if cells[i, j] else 0.04
            style = f"class-{colour_of(int(shown[i]))}" if i == j else "wrong"
            chart.rectangle(*square, style, opacity=opacity, hover=hover)
            if len(names) <= MAX_NUMBERED and (cells[i, j] or len(names) <= MAX_ZEROS):
                chart.text(j, i, text(cells[i, j]), "strong")
    return Figure("Confusion", f"{note}.", chart.svg(), "confusion")


def class_thresholds(answers: Answers | None, decision: float | None = None) -> dict[str, Any] | None:
    """Return the counts of `thresholds` for the second of two classes; None for other tasks or without test rows."""
    if answers is None or answers.probability is None or answers.probability.shape[1] != 2 or answers.target.ndim > 1:
        return None
    return thresholds(answers.target == 1, answers.probability[:, 1], answers.weight, decision)


def _two_class_curves(answers: Answers, classes: Sequence[str], decision: float | None) -> Iterator[Figure]:
    target, probability, weight = answers.target, answers.probability, answers.weight
    assert probability is not None, "the caller has checked"
    totals = np.bincount(target, weight, 2)
    fractions = totals / totals.sum()
    counts, roc = class_thresholds(answers, decision), roc_curve(target == 1, probability[:, 1], weight)
    if roc and counts:
        area = page_metric("roc_auc", roc[2])
        chart = _unit_chart(f"ROC curve: area {area}", "false positive rate", "true positive rate", [0, 1])
        chart.line(
            *_sampled(roc),
            class_line(1),
            hover=lambda x, y: f"{percent(y)} of {classes[1]} at {percent(x)} false alarms",
        )
        start = counts["start"]
        alarms, found = counts["alarms"][start] / counts["others"], counts["hits"][start] / counts["positives"]
        chart.points([alarms], [found], radius=5.5, style="class-1", identity="roc-point")
        note = (
            f"Area {area}: the fraction of pairs of rows, one of each class, in which {classes[1]} gets the higher "
            f"probability. At the threshold {decision or DECISION:g}, the point, {percent(found)} of {classes[1]} are "
            f"found, with false alarms in {percent(alarms)} of {classes[0]}."
        )
        yield Figure("ROC curve", note, chart.svg(), "roc")
    rare = int(np.argmin(fractions))
    curve = precision_recall_curve(target == rare, probability[:, rare], weight)
    if curve and fractions[rare] < IMBALANCED:
        precision = page_metric("average_precision", curve[2])
        description = f"Precision and recall of {classes[rare]}: average {precision}"
        chart = _unit_chart(description, "recall", "precision", [fractions[rare]] * 2)
        chart.line(
            *_sampled(curve), class_line(rare), hover=lambda x, y: f"precision {percent(y)} at recall {percent(x)}"
        )
        point = ([each] for each in _recall_and_precision(answers, rare))
        chart.points(*point, radius=5.5, style=f"class-{rare}", identity="recall-point")
        note = (
            f"{classes[rare]} is {percent(fractions[rare])} of the test rows, the dashed line. "
            f"Average precision {precision}."
        )
        yield Figure("Precision and recall", note, chart.svg(), "recall")


def _recall_and_precision(answers: Answers, kind: int) -> tuple[float, float]:
    """Return recall and precision of a class; precision is NaN if no row is predicted as this class."""
    of_class, predicted = answers.target == kind, answers.prediction == kind
    weight = np.ones(len(answers)) if answers.weight is None else answers.weight
    found, given = float(weight @ (of_class & predicted)), float(weight @ predicted)
    return found / float(weight @ of_class), found / given if given else np.nan


def _sampled(curve: Curve) -> tuple[Numbers, Numbers]:
    x, y, _ = curve
    chosen = spaced_indices(len(x), MAX_CURVE_POINTS)
    return x[chosen], y[chosen]


def _calibration(answers: Answers, uncalibrated: Answers | None, classes: Sequence[str]) -> Figure:
    came_true, probability = _came_true(answers)
    counts, predicted, observed, lows, highs = calibration(came_true, probability, answers.weight).tolist()
    pairs = ", ".join(f"{percent(a)} came true {percent(b)}" for a, b in zip(predicted, observed, strict=True))
    of = f"probability of {classes[1] if len(classes) == 2 else 'the predicted class'}"
    before = None if uncalibrated is None else calibration(*_came_true(uncalibrated), uncalibrated.weight)
    points = [] if before is None else before[1:3].ravel().tolist()
    shown = _calibration_ends([*lows, *highs, *points, float(probability.min()), float(probability.max())])
    chart = _unit_chart(f"Calibration: {pairs}", of, "came true", shown, shown)
    most = _histogram(chart, probability, shown)
    error = f"Expected calibration error {_calibration_error(answers)}"
    if uncalibrated is not None and before is not None:
        chart.line(before[1], before[2], "plain dashed", title="before calibration")
        error += f", {_calibration_error(uncalibrated)} before calibration (dashed)"
    for each, low, high in zip(predicted, lows, highs, strict=True):
        chart.line([each] * 2, [low, high], "whisker")
    # Of two classes the curve is about the second; of more, about the predicted one.
    line, dot = (class_line(1), "class-1") if len(classes) == 2 else ("plain", "plain")
    chart.line(predicted, observed, line)
    hover = [
        f"{counted(int(rows), 'row')}: predicted {percent(a)}, came true {percent(b)}, "
        f"95 % Wilson interval {interval('accuracy', low, high)}"
        for rows, a, b, low, high in zip(counts, predicted, observed, lows, highs, strict=True)
    ]
    chart.points(predicted, observed, hover=hover, radius=4.0, style=dot)
    ends = sorted({int(min(counts)), int(max(counts))})
    note = (
        "On the diagonal a probability of 80 % comes true 8 times in 10. "
        f"Each point is {' to '.join(map(str, ends))} rows, with its 95 % Wilson interval. "
        f"Grey bars: how many rows have such a probability, at most {count(most)}. {error}."
    )
    return Figure("Calibration", note, chart.svg(), "calibration")


def _calibration_ends(values: Sequence[float]) -> tuple[float, float]:
    """Return the ends of the shortest axes that contain all values: those of rare or sure classes are in one corner."""
    return next(ends for ends in CALIBRATION_ENDS if ends[0] <= min(values) and max(values) <= ends[1])


def _histogram(chart: Chart, probability: Numbers, ends: tuple[float, float]) -> int:
    """Draw a grey histogram of the probabilities along the bottom, and return the largest count."""
    counts, edges = np.histogram(probability, BARS, ends)
    for rows, low, high in zip(counts.tolist(), edges.tolist(), edges[1:].tolist(), strict=False):
        if rows:
            hover = f"{counted(rows, 'row')}: probability {100 * low:.4g} to {100 * high:.4g} %"
            height = HIGHEST_BAR * (ends[1] - ends[0]) * rows / counts.max()
            chart.rectangle((low, high), (ends[0], ends[0] + height), "quiet", hover=hover)
    return int(counts.max())


def _came_true(answers: Answers) -> tuple[NDArray[np.bool_], Numbers]:
    """Return whether each row's prediction came true, and its probability.

    Of two classes the prediction is the second class; of more, the predicted class.
    """
    assert answers.probability is not None, "the caller has checked"
    if answers.probability.shape[1] == 2:
        return answers.target == 1, answers.probability[:, 1]
    return answers.target == answers.prediction, answers.probability.max(axis=1)


def _calibration_error(answers: Answers) -> str:
    metric = ExpectedCalibrationError()
    error = metric.score(answers.target, answers.prediction, answers.probability, answers.weight)
    return page_metric(metric.type, error)


def _unit_chart(
    description: str, x: str, y: str, guide: Sequence[float], ends: tuple[float, float] = (0.0, 1.0)
) -> Chart:
    low, high = ends
    axes = (high, x), (high + 0.02 * (high - low), y)
    chart = Chart(description, *(Axis(low, end, f"{label} in %", unit="percent") for end, label in axes))
    chart.line(ends, guide, "guide")
    return chart
