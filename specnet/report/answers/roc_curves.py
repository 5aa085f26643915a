"""Rates of right and wrong predictions of two classes at every threshold, and how often probabilities come true."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from specnet.parts.metrics.statistics import effective_rows, weighted_mean, wilson_bounds

Numbers = NDArray[np.float64]
Curve = tuple[Numbers, Numbers, float]
"""A curve through points x and y (points,) in 0 … 1, x in ascending order, and the area under it."""

DECISION = 0.5
"""The probability above which a model predicts the second of two classes."""
MOST_THRESHOLDS = 200
TINY = 1e-6
"""Smaller probabilities are not told apart."""
ROWS_PER_BIN, FEWEST_BINS, MOST_BINS = 30, 3, 10


def roc_curve(positive: NDArray[np.bool_], score: NDArray[Any], weight: Numbers | None = None) -> Curve | None:
    """Return the true positive rate over the false positive rate; None if all rows are of one class.

    Parameters
    ----------
    positive : ndarray (rows,)
    score : ndarray (rows,)
        Larger for rows that are more likely positive; equal ones share a point.
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
    """Return the precision over the recall, and the average precision Σ (Rₙ − Rₙ₋₁)·Pₙ; None if no row is positive.

    Arguments are those of `roc_curve`.
    """
    hits, alarms = _counts(positive, score, weight)
    if not hits[-1]:
        return None
    found = hits + alarms > 0
    recall, precision = hits[found] / hits[-1], hits[found] / (hits + alarms)[found]
    area = float(np.sum(np.diff(recall, prepend=0.0) * precision))
    return np.concatenate([[0.0], recall]), np.concatenate([precision[:1], precision]), area


def thresholds(
    positive: NDArray[np.bool_], probability: NDArray[Any], weight: Numbers | None = None
) -> dict[str, Any] | None:
    """Return counts at thresholds from 0 to 1, closest where most probabilities are; None if all rows are of one class.

    Arguments are those of `roc_curve`.

    Returns
    -------
    dict or None
        ``at``, a list of probabilities in ascending order; ``hits`` and ``alarms``, how many positive and how many
        other rows have a larger one than each; ``positives`` and ``others``, how many rows there are, with weights the
        sums of theirs; and ``start``, the index of the model's own threshold.
    """
    known = np.asarray(probability, np.float64)
    spread = np.quantile(known, np.linspace(0, 1, MOST_THRESHOLDS - 3), method="nearest")
    # Rounded up, so that each leaves out the probability it is for, and not the next one.
    step = 10.0 ** (np.floor(np.log10(np.maximum(spread, TINY))) - 3)
    at = np.unique([0.0, DECISION, 1.0, *(float(f"{each:.4g}") for each in np.ceil(spread / step) * step)]).clip(0, 1)
    order = np.argsort(-known, kind="stable")
    above = np.searchsorted(-known[order], -at, side="left")
    weights = np.ones(len(known)) if weight is None else weight[order]
    counts = []
    for mask in (positive[order], ~positive[order]):
        reached = np.append(0.0, np.cumsum(weights * mask))
        counts.append([float(f"{each:.10g}") for each in (*reached[above], reached[-1])])
    (*hits, positives), (*alarms, others) = counts
    if not (positives and others):
        return None
    start = int(np.searchsorted(at, DECISION))
    counted = {"hits": hits, "alarms": alarms, "positives": positives, "others": others}
    return {"at": at.tolist(), **counted, "start": start}


def calibration(came_true: NDArray[np.bool_], probability: NDArray[Any], weight: Numbers | None = None) -> Numbers:
    """Return how often probabilities come true in 3 to 10 bins of about as many rows each, 30 where there are enough.

    Parameters
    ----------
    came_true : ndarray (rows,)
    probability : ndarray (rows,)
        Equal ones are in the same bin.
    weight : ndarray (rows,), optional

    Returns
    -------
    ndarray (5, bins)
        In the order of the probability: how many rows there are, the mean of their probabilities, the fraction of them
        for which it came true, and the ends of its 95 % interval.
    """
    rows = len(probability)
    bins = max(FEWEST_BINS, min(MOST_BINS, rows // ROWS_PER_BIN))
    order = np.argsort(probability, kind="stable")
    ordered = np.asarray(probability, np.float64)[order]
    # A bin begins at the first of equal probabilities.
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
    """Return how many positive and how many other rows have at least each distinct score, the largest first."""
    order = np.argsort(-score, kind="stable")
    last_of_equal = np.append(np.diff(score[order]) != 0, True)
    weights = np.ones(len(score)) if weight is None else weight[order]
    hits, alarms = (np.cumsum(weights * mask)[last_of_equal] for mask in (positive[order], ~positive[order]))
    return hits, alarms
