"""Errors of a model on held-out rows: the size of intervals and sets that cover a given fraction of new rows.

Split conformal prediction (Vovk, Gammerman and Shafer 2005; Lei et al. 2018): if n rows and a new one come in random
order, the error of the new row is at most the k-th smallest error of the n rows in k of n + 1 cases. So the quantile of
level l is the ⌈l·(n + 1)⌉-th smallest error. The values or classes with at most this error cover the new row with
probability l: on average over rows like the n rows, and not in each group of them.

- The error of a value is |true − predicted|, in the target's units.
- The error of a class is 1 − its probability (Sadinle, Lei and Wasserman 2019): no other sets of classes cover as many
  rows with fewer classes, if the probabilities are right. The score of Romano, Sesia and Candès (2020), the sum of
  all probabilities down to the class's own, covers as many only if each row draws a random number, and with more
  classes: 1.26 instead of 1.07 for 90 % of the rows of four public tables.

Where held-out rows show that errors depend on the prediction, so do the quantiles:

- Errors of values are divided by a scale (Papadopoulos, Gammerman and Vovk 2008; Lei et al. 2018): the mean error of
  rows with a similar prediction, interpolated between the means of up to 8 groups. The scale that divides an error was
  fitted to other rows. Quantiles within these groups (Mondrian prediction, Vovk et al. 2005) cover as evenly, but their
  intervals are 1.1 times as wide, and they need 100 rows a group; 80 rows are enough to estimate a scale.
- Errors of classes have separate quantiles in each of up to 8 groups of rows, grouped by the largest probability, since
  the quantiles of a sure and of an unsure prediction are not multiples of each other.

Quantiles depend on the prediction only if this makes the pinball loss smaller on rows that they were not fitted to,
by more than a standard error of the mean over rows. If errors do not depend on the prediction, this happens to one
model in twenty.

If an ensemble was trained on folds, each error comes from one member, but predictions are the mean of all members: no
theorem guarantees their coverage, but they reach it (a little more, since the mean errs less). CV+ (Barber et al.
2021), which has a theorem, makes wider intervals and needs all errors to predict. If validation rows have chosen the
epoch, `specnet.training.epoch_metrics` computes their errors; out of folds these errors would be too large, by about
the gain of the mean.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from numbers import Real
from typing import Self

import numpy as np
from numpy.typing import NDArray

from specnet.errors import DataError
from specnet.model.decoder import Answers
from specnet.parts.arrays import Array
from specnet.parts.metrics.base import Task
from specnet.parts.metrics.statistics import mean_with_error

Numbers = NDArray[np.float64]

MAX_LEVELS = 99
"""The largest level in percent; levels are 1 %, 2 %, …"""
MAX_KNOTS = 8
ROWS_PER_SCALE, ROWS_PER_GROUP = 80, 100
"""Least number of rows for each scale of values, and for each group of rows with quantiles of classes."""
MIN_ROWS = 30
"""Least number of rows for scales."""
MIN_SCALE = 0.05
"""Smallest scale, as a fraction of the mean error."""
FOLDS = 5
"""Number of folds; the quantiles for each fold are fitted to the other folds."""
TRIED = np.arange(0.05, 1, 0.05)
"""Levels at which quantiles are compared by their pinball loss."""
_LESS_STEEP = 1 - 2.0**-40
"""Steepest change of a quantile by the prediction, if ends of intervals must not fall; less than 1 by `_SLACK`."""
_SLACK = 1 + 2.0**-49
"""Compensates for the rounding of a scale and its interpolation."""


@dataclass(frozen=True, eq=False)
class ErrorQuantiles:
    """Quantiles of the errors on held-out rows.

    Attributes
    ----------
    values : ndarray (outputs, levels) or (outputs, levels, knots)
        Quantiles in float64 at the levels 1 %, 2 %, … for which there are enough rows; classes have one output. Empty
        without rows.
    knots : ndarray (outputs, knots)
        Ascending predictions to which the last axis of `values` belongs; empty if quantiles are the same for all rows.
        Quantiles of values are interpolated between knots, and constant beyond them. Quantiles of classes belong to
        rows whose largest probability is at least the knot and less than the next one.
    not_negative : ndarray of bool (outputs,)
        Whether intervals end at 0, because no target is negative; empty if no intervals do.
    """

    values: Numbers = field(default_factory=lambda: np.empty((0, 0)))
    knots: Numbers = field(default_factory=lambda: np.empty((0, 0)))
    not_negative: NDArray[np.bool_] = field(default_factory=lambda: np.empty(0, np.bool_))

    def __bool__(self) -> bool:
        return bool(self.values.size)

    @classmethod
    def of(
        cls,
        answers: Answers,
        task: Task,
        *,
        not_negative: NDArray[np.bool_] | None = None,
        groups: NDArray[np.generic] | None = None,
        is_monotone: bool = False,
    ) -> Self:
        """Return the quantiles of errors, given answers for held-out rows; empty for margins and several labels.

        With weights, the sum of weights has to reach the level. A new row is assumed to have the mean weight,
        Σ weight² / Σ weight; rows of weight 0 do not count.

        Parameters
        ----------
        answers : Answers
        task : Task
        not_negative : ndarray of bool (outputs,), optional
            Whether an output has no negative target; for values only.
        groups : ndarray (rows,), optional
            Groups of rows that are not independent of each other.
        is_monotone : bool
            Whether no end of an interval may fall if its prediction rises: intervals are widened as far as needed.
        """
        errors = errors_of(answers, task)
        if errors is None:
            return cls()
        low = cls().not_negative if not_negative is None or not not_negative.any() else not_negative
        weight = np.ones(len(answers)) if answers.weight is None else answers.weight
        weight = weight * (weight.sum() / np.square(weight).sum())
        same = np.array([_conformal(each, weight) for each in errors.T])
        same = same[:, np.isfinite(same).all(axis=0)]
        counted = (weight > 0) & np.isfinite(errors).all(axis=1)
        z, errors, weight = _predictions(answers, task)[counted], errors[counted], weight[counted]
        groups = None if groups is None else groups[counted]
        following = _scaled if task == "values" else _grouped
        found = [following(*each, weight, groups, same.shape[1]) for each in zip(z.T, errors.T, strict=True)]
        knots = max(len(each) for each, _ in found)
        if knots < 2:
            return cls(same, not_negative=low)
        every = [_at_knots(*each, knots, own) for each, own in zip(found, same, strict=True)]
        if is_monotone and task == "values":
            every = [(each, _as_steep_as_predictions(each, values)) for each, values in every]
        return cls(np.array([values for _, values in every]), np.array([each for each, _ in every]), low)

    def reach(self, level: float) -> bool:
        """Return whether there were enough held-out rows for a level."""
        return bool(_percent(level) <= self.values.shape[1])

    def at(self, level: float) -> Numbers:
        """Return the quantiles at a level such as 0.9: (outputs,), or (outputs, knots) if there are knots.

        Raises
        ------
        DataError
            If the level is invalid, or there were no held-out rows, or too few for the level.
        """
        percent, most = _percent(level), self.values.shape[1]
        if not self:
            hint = "train with training.ensemble = 5, or with a validation set (data.split.validation_size = 0.2)"
            raise DataError("the model has no errors on held-out rows, which intervals and sets need", hint=hint)
        if percent > most:
            needed = -(-percent // (100 - percent))
            message = f"the level {level:g} needs at least {needed} held-out rows"
            raise DataError(f"{message}; this model had enough for {most / 100:g}")
        return self.values[:, percent - 1]

    def ends(self, prediction: Array, level: float) -> Numbers:
        """Return the ends of intervals around predicted values, (rows,) or (rows, outputs), as float64 (…, 2).

        Ends are rounded outwards, so that an interval contains every value whose error is at most the quantile.

        Raises
        ------
        DataError
            As for `at`.
        """
        quantiles, center = self.at(level), prediction.astype(np.float64).reshape(len(prediction), -1)
        if self.knots.size:
            pairs = zip(center.T, self.knots, quantiles, strict=True)
            width = np.array([np.interp(each, knots, own) for each, knots, own in pairs]).T * _SLACK
        else:
            width = np.broadcast_to(quantiles, center.shape)
        ends = np.stack([-_sum_rounded_up(-center, width), _sum_rounded_up(center, width)], axis=-1)
        if self.not_negative.size:
            ends[:, self.not_negative] = np.maximum(ends[:, self.not_negative], 0.0)
        return ends.reshape(*prediction.shape, 2)

    def sets(self, probability: Array, level: float) -> NDArray[np.bool_]:
        """Return a mask (rows, classes) of the classes in the set of each row, given the class probabilities.

        Raises
        ------
        DataError
            As for `at`.
        """
        allowed = self.at(level)[0]
        if self.knots.size:
            groups = np.searchsorted(self.knots[0], probability.max(axis=1).astype(np.float64), side="right") - 1
            allowed = allowed[np.maximum(groups, 0), np.newaxis]
        found: NDArray[np.bool_] = np.less_equal(class_errors(probability), allowed)
        return found


def errors_of(answers: Answers, task: Task) -> Numbers | None:
    """Return the errors of answers, (rows, outputs), or (rows, 1) for classes; None for margins and several labels.

    Errors of values are rounded up.
    """
    if task == "values":
        both = (each.astype(np.float64).reshape(len(answers), -1) for each in (answers.target, answers.prediction))
        target, prediction = both
        return _sum_rounded_up(np.maximum(target, prediction), -np.minimum(target, prediction))
    if task == "multilabel" or answers.probability is None:
        return None
    return class_errors(answers.probability)[np.arange(len(answers)), answers.target, np.newaxis]


def class_errors(probability: Array) -> Numbers:
    """Return the error that each class would have if it were the true one, (rows, classes), given probabilities."""
    errors: Numbers = 1 - probability.astype(np.float64)
    return errors


def _predictions(answers: Answers, task: Task) -> Numbers:
    """Return the predictions on which quantiles may depend, (rows, outputs): values, or the largest probability."""
    if task == "values":
        return answers.prediction.astype(np.float64).reshape(len(answers), -1)
    assert answers.probability is not None, "sets need probabilities"
    return answers.probability.max(axis=1, keepdims=True).astype(np.float64)


def _sum_rounded_up(a: Numbers, b: Numbers) -> Numbers:
    """Return a + b, rounded up to float64; the error of rounding is computed exactly (Knuth)."""
    with np.errstate(invalid="ignore"):
        total = a + b
        other = total - a
        lost = (a - (total - other)) + (b - other)
        return np.where(lost > 0, np.nextafter(total, np.inf), total)


def _conformal(errors: Numbers, weight: Numbers) -> Numbers:
    """Return the quantiles of errors (rows,) at all levels, corrected for their number; infinity if too few."""
    return _reached(errors, weight, np.arange(1, MAX_LEVELS + 1) * (weight.sum() + 1) / 100)


def _reached(errors: Numbers, weight: Numbers, needed: Numbers) -> Numbers:
    """Return, for each needed sum of weights, the least error up to which weights reach it; infinity if none does."""
    order = np.argsort(errors, kind="stable")
    indices = np.searchsorted(np.cumsum(weight[order]), needed)
    return np.append(errors[order], np.inf)[indices]


def _scaled(
    z: Numbers, errors: Numbers, weight: Numbers, groups: NDArray[np.generic] | None, levels: int
) -> tuple[Numbers, Numbers]:
    """Return knots and the quantiles of values at them, (levels, knots); no knots if scales are no improvement."""
    count = min(MAX_KNOTS, max(2, int(weight.sum()) // ROWS_PER_SCALE))
    if weight.sum() < MIN_ROWS or not errors.any():
        return _NO_KNOTS
    folds, scales, gains = _folds(z, groups), np.empty_like(z), np.empty_like(z)
    if np.ptp(folds) == 0:  # all rows depend on each other
        return _NO_KNOTS
    for fold in range(FOLDS):
        own, rest = folds == fold, folds != fold
        knots, means = _scales(z[rest], errors[rest], weight[rest], count)
        scales[own] = np.interp(z[own], knots, means)
        relative = errors[rest] / np.interp(z[rest], knots, means)
        following = scales[own, np.newaxis] * _plain(relative, weight[rest])
        gains[own] = _gains(errors[own], following, errors[rest], weight[rest])
    knots, means = _scales(z, errors, weight, count)
    if len(knots) < 2 or not _is_clear(gains, weight, groups):
        return _NO_KNOTS
    return knots, np.multiply.outer(_conformal(errors / scales, weight)[:levels], means)


def _as_steep_as_predictions(knots: Numbers, values: Numbers) -> Numbers:
    """Return the least quantiles (levels, knots), not below `values`, that change by less than predictions do."""
    distances = np.abs(np.subtract.outer(knots, knots)) * _LESS_STEEP
    steep: Numbers = (values[:, np.newaxis, :] - distances).max(axis=2)
    return steep


def _grouped(
    z: Numbers, errors: Numbers, weight: Numbers, groups: NDArray[np.generic] | None, levels: int
) -> tuple[Numbers, Numbers]:
    """Return knots and the quantiles of classes in each group, (levels, knots); no knots if groups do not improve."""
    count = min(MAX_KNOTS, int(weight.sum()) // ROWS_PER_GROUP)
    if count < 2:
        return _NO_KNOTS
    folds, gains = _folds(z, groups), np.empty_like(z)
    if np.ptp(folds) == 0:
        return _NO_KNOTS
    for fold in range(FOLDS):
        own, rest = folds == fold, folds != fold
        knots, numbers = _cut(z[rest], weight[rest], count)
        each = [_plain(errors[rest][numbers == k], weight[rest][numbers == k]) for k in range(len(knots))]
        following = np.array(each)[np.maximum(np.searchsorted(knots, z[own], side="right") - 1, 0)]
        gains[own] = _gains(errors[own], following, errors[rest], weight[rest])
    knots, numbers = _cut(z, weight, count)
    values = np.array([_conformal(errors[numbers == k], weight[numbers == k])[:levels] for k in range(len(knots))]).T
    if len(knots) < 2 or not np.isfinite(values).all() or not _is_clear(gains, weight, groups):
        return _NO_KNOTS
    return knots, values


_NO_KNOTS = np.empty(0), np.empty((0, 0))


def _folds(z: Numbers, groups: NDArray[np.generic] | None) -> NDArray[np.intp]:
    """Return the fold of each row, from 0 to `FOLDS` − 1; each fold has predictions from the whole range."""
    folds = np.empty(len(z), np.intp)
    folds[np.argsort(z, kind="stable")] = np.arange(len(z))
    return (folds if groups is None else np.unique(groups, return_inverse=True)[1]) % FOLDS


def _cut(z: Numbers, weight: Numbers, count: int) -> tuple[Numbers, NDArray[np.intp]]:
    """Divide rows by their predictions into at most `count` groups of about equal weight.

    Returns
    -------
    least : ndarray (groups,)
        Least prediction of each group.
    numbers : ndarray (rows,)
        Index of each row's group.
    """
    order = np.argsort(z, kind="stable")
    sums = np.cumsum(weight[order])
    starts = np.searchsorted(sums, sums[-1] * np.arange(1, count) / count, side="right")
    least = np.unique(z[order][np.append(0, np.minimum(starts, len(z) - 1))])
    return least, np.searchsorted(least, z, side="right") - 1


def _scales(z: Numbers, errors: Numbers, weight: Numbers, count: int) -> tuple[Numbers, Numbers]:
    """Return the mean prediction and the mean error of each group; the latter is at least 5 % of the overall mean."""
    _, numbers = _cut(z, weight, count)
    total = np.bincount(numbers, weight)
    means = np.bincount(numbers, weight * errors) / total
    least = MIN_SCALE * np.average(errors, weights=weight)
    return np.bincount(numbers, weight * z) / total, np.maximum(means, least)


def _plain(errors: Numbers, weight: Numbers) -> Numbers:
    """Return the quantiles of errors at the levels `TRIED`, not corrected for the number of rows."""
    return _reached(errors, weight, TRIED * weight.sum())


def _gains(errors: Numbers, following: Numbers, others: Numbers, weight: Numbers) -> Numbers:
    """Return the reduction of the pinball loss (rows,) by quantiles (rows, levels), relative to those of `others`."""
    return _pinball(errors, _plain(others, weight)[np.newaxis]) - _pinball(errors, following)


def _pinball(errors: Numbers, quantiles: Numbers) -> Numbers:
    """Return the pinball loss of each row, averaged over the levels `TRIED`; its mean is least for true quantiles."""
    above = errors[:, np.newaxis] - quantiles
    return np.maximum(TRIED * above, (TRIED - 1) * above).mean(axis=1)


def _is_clear(gains: Numbers, weight: Numbers, groups: NDArray[np.generic] | None) -> bool:
    """Return whether the mean gain is larger than its standard error."""
    gain, error = mean_with_error(gains, weight, groups)
    return gain > error


def _at_knots(knots: Numbers, values: Numbers, count: int, same: Numbers) -> tuple[Numbers, Numbers]:
    """Return `count` knots and the quantiles at them; without knots, the quantiles of all rows at each."""
    if not len(knots):
        return np.arange(count, dtype=np.float64), np.tile(same[:, np.newaxis], count)
    more = count - len(knots)
    step = max(1.0, abs(knots[-1]))
    return np.append(knots, knots[-1] + step * np.arange(1, more + 1)), np.pad(values, ((0, 0), (0, more)), "edge")


def _percent(level: float) -> int:
    if isinstance(level, bool) or not isinstance(level, Real) or not 0 < level < 1:
        raise DataError(f"expected a level between 0 and 1, got {level!r}", hint="use 0.9 for 90 %")
    percent = round(100 * level)
    if not np.isclose(100 * level, percent, rtol=0, atol=1e-6):
        raise DataError(f"expected a level in whole percents, got {level:g}", hint="use 0.01, 0.02, … 0.99")
    return percent
