"""Tests of a model against baselines on the same rows: the statistics that decide, and the p-values of gains.

A p-value is two-sided, and that of the hypothesis that both predict equally well:

- for the accuracy of independent rows, McNemar's exact test (1947) of the rows on which only one of the two is right;
- otherwise Student's t of the gain, with the standard deviation of resampled gains and one degree of freedom less than
  there are rows, or groups of rows. t becomes a normal deviate by Wallace's approximation (1959).

No test of n differences whose signs are random has a p-value below 2^(1 − n), so none is reported.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from specnet.model import Answers
from specnet.parts.metrics.statistics import Statistic, precision_statistic, recall_statistic
from specnet.saved.metrics_file import RARE_AVERAGE_PRECISION
from specnet.spec import Spec

BALANCED_ACCURACY = "balanced_accuracy"
RARE = 0.15
"""The fraction of test rows below which one of two classes is rare: an accuracy then says little about it."""


def rare_class(test: Answers) -> int | None:
    """Return the index of the rare one of two classes, None if none is rare or the predictions have no classes."""
    if test.probability is None or test.target.ndim != 1 or test.probability.shape[1] != 2:
        return None
    counts = np.bincount(test.target.astype(np.intp), test.weight, 2)
    rarest = int(counts.argmin())
    return rarest if 0 < counts[rarest] < RARE * counts.sum() else None


def deciding_metrics(spec: Spec, test: Answers, main: str | None) -> list[str]:
    """Return the names of the statistics by which a model is compared with baselines, the one to report first.

    These are the main metric and the loss; for a rare class, the average precision instead of the accuracy. If
    classes are weighted, or a decision threshold is set, neither the loss nor the accuracy is what the spec is after.
    """
    training = spec.training
    is_weighted = training.class_weight is not None or training.decision_threshold is not None
    if rare_class(test) is not None:
        names = [RARE_AVERAGE_PRECISION]
    elif is_weighted:
        names = [BALANCED_ACCURACY]
    else:
        names = [main or "loss"]
    return names if is_weighted else list(dict.fromkeys([*names, "loss"]))


def statistic_of(name: str, answers: Answers) -> Statistic | None:
    """Return the function that computes a deciding statistic that need not be a metric of the spec, or None."""
    if name == RARE_AVERAGE_PRECISION and (rarest := rare_class(answers)) is not None:
        assert answers.probability is not None, "a rare class has probabilities"
        return precision_statistic(answers.target == rarest, answers.probability[:, rarest])
    if name == BALANCED_ACCURACY and answers.target.ndim == 1:
        return recall_statistic(answers.target, answers.prediction)
    return None


def p_value(name: str, gain: float, drawn: NDArray[np.float64], units: int, ours: Answers, its: Answers) -> float:
    """Return the p-value of a model's gain over a baseline.

    Parameters
    ----------
    name : str
        The metric.
    gain : float
    drawn : ndarray (resamples,)
        Gains on resampled rows.
    units : int
        The number of rows, or of groups of rows.
    ours, its : Answers
        Predictions of the model, and of the baseline, for the same rows.
    """
    if name == "accuracy" and units == len(ours) and ours.weight is None:
        right, other = (np.equal(each.target, each.prediction).reshape(units, -1).all(axis=1) for each in (ours, its))
        return _sign_test(int(np.count_nonzero(right & ~other)), int(np.count_nonzero(other & ~right)))
    spread = float(drawn[np.isfinite(drawn)].std(ddof=1)) * math.sqrt(units / (units - 1))
    if not spread:
        return 1.0 if gain == 0 else 2.0 ** (1 - units)
    square, freedom = (gain / spread) ** 2, units - 1
    deviate = (8 * freedom + 1) / (8 * freedom + 3) * math.sqrt(freedom * math.log1p(square / freedom))
    return max(math.erfc(deviate / math.sqrt(2)), 2.0 ** (1 - units))


def _sign_test(wins: int, losses: int) -> float:
    """Return the two-sided p-value of a number of wins and losses that are equally probable."""
    count, fewer = wins + losses, min(wins, losses)
    steps = np.log(np.arange(count, count - fewer, -1) / np.arange(1, fewer + 1))
    logarithms = np.concatenate([[0.0], np.cumsum(steps)]) - count * math.log(2)
    return min(1.0, 2 * float(np.exp(logarithms).sum()))
