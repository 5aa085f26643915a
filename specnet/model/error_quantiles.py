"""How wrong a model is on rows held out: the size of intervals and sets that cover so many of the rows to come.

Split conformal prediction (Vovk, Gammerman and Shafer 2005; Lei et al. 2018): if n rows and the next one come in random
order, the next error is at most the k-th smallest of theirs in k of n + 1 cases. So the quantile of level l is the
⌈l·(n + 1)⌉-th smallest error, and what has at most this error covers the next row with probability l: on average over
rows like those, and not in each group of them.

- The error of a value is |true − predicted|, in the target's units.
- The error of a class is 1 − its probability (Sadinle, Lei and Wasserman 2019): no other sets of classes cover as many
  rows with fewer classes, if the probabilities are right. The score of Romano, Sesia and Candès (2020), the sum of
  all probabilities down to the class's own, covers as many only if each row draws a random number, and with more
  classes: 1.26 in place of 1.07 for 90 % of the rows of four public tables.

Out of the folds of an ensemble the errors are those of a member each, while predictions are the mean of all: no theorem
says that these cover as many, but they do (a little more, since the mean errs less). CV+ (Barber et al. 2021), for
which there is one, makes wider intervals and needs all errors to predict.
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

MOST_LEVELS = 99
"""The levels are 1 %, 2 %, … up to this one, in percent."""


@dataclass(frozen=True, eq=False)
class ErrorQuantiles:
    """Quantiles of the errors on rows held out.

    Attributes
    ----------
    values : ndarray (outputs, levels)
        float64, for 1 %, 2 %, … as far as there are enough rows; of classes (1, levels). None are no rows.
    """

    values: NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 0)))

    def __bool__(self) -> bool:
        return bool(self.values.size)

    @classmethod
    def of(cls, answers: Answers, task: Task) -> Self:
        """Return the quantiles of the errors of answers for rows held out; none of margins and of several labels.

        Of weighted rows it is the sum of weights that must reach the level. The next row counts as much as one of them
        on average, Σ weight² / Σ weight: a weight of 0 is as if the row were not there.
        """
        errors = errors_of(answers, task)
        if errors is None:
            return cls()
        weight = np.ones(len(answers)) if answers.weight is None else answers.weight
        weight = weight * (weight.sum() / np.square(weight).sum())
        wanted = np.arange(1, MOST_LEVELS + 1) * (weight.sum() + 1) / 100
        quantiles = np.array([_reached(each, weight, wanted) for each in errors.T])
        return cls(quantiles[:, np.isfinite(quantiles).all(axis=0)])

    def reach(self, level: float) -> bool:
        """Whether enough rows were held out for a level."""
        return bool(_percent(level) <= self.values.shape[1])

    def at(self, level: float) -> NDArray[np.float64]:
        """Return the quantiles of a level, such as 0.9, (outputs,).

        Raises
        ------
        DataError
            If it is no level, or no rows were held out, or too few for it.
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


def errors_of(answers: Answers, task: Task) -> NDArray[np.float64] | None:
    """Return the errors of answers, (rows, outputs), of classes (rows, 1); None of margins and of several labels."""
    if task == "values":
        return np.abs(answers.target.astype(np.float64) - answers.prediction).reshape(len(answers), -1)
    if task == "multilabel" or answers.probability is None:
        return None
    return class_errors(answers.probability)[np.arange(len(answers)), answers.target, np.newaxis]


def class_errors(probability: Array) -> NDArray[np.float64]:
    """Return how wrong each class would be, (rows, classes), by its probability."""
    errors: NDArray[np.float64] = 1 - probability.astype(np.float64)
    return errors


def _reached(errors: NDArray[np.float64], weight: NDArray[np.float64], wanted: NDArray[np.float64]) -> Array:
    """Return the least errors up to which the weights sum up to what is wanted; infinity where they never do."""
    order = np.argsort(errors, kind="stable")
    places = np.searchsorted(np.cumsum(weight[order]), wanted)
    return np.append(errors[order], np.inf)[places]


def _percent(level: float) -> int:
    if isinstance(level, bool) or not isinstance(level, Real) or not 0 < level < 1:
        raise DataError(f"expected a level between 0 and 1, got {level!r}", hint="use 0.9 for 90 %")
    percent = round(100 * level)
    if not np.isclose(100 * level, percent, rtol=0, atol=1e-6):
        raise DataError(f"expected a level in whole percents, got {level:g}", hint="use 0.01, 0.02, … 0.99")
    return percent
