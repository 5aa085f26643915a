"""How many test rows intervals and sets cover, beside how many they should."""

from __future__ import annotations

import numpy as np
from pydantic import FiniteFloat
from typing_extensions import TypedDict

from specnet.model import Answers, Model, class_errors, errors_of

LEVELS = (0.5, 0.8, 0.9, 0.95)


class Coverage(TypedDict):
    """What ``metrics.json`` says of a level: each list has a number for each output, of classes one.

    Attributes
    ----------
    level : float
        The fraction of rows that should be covered.
    covered : list of float
        The fraction that is.
    size : list of float
        The width of the intervals, or the mean number of classes in a set.
    """

    level: FiniteFloat
    covered: list[FiniteFloat]
    size: list[FiniteFloat]


def coverage(model: Model, answers: Answers) -> list[Coverage]:
    """Return how answers for rows are covered at the levels for which enough rows were held out."""
    errors = errors_of(answers, model.network.task)
    levels = [level for level in LEVELS if model.error_quantiles.reach(level)]
    if errors is None:
        return []
    found: list[Coverage] = []
    for level in levels:
        allowed = model.error_quantiles.at(level)
        covered = np.average(errors <= allowed, axis=0, weights=answers.weight)
        size = 2 * allowed
        if answers.probability is not None:
            counts = (class_errors(answers.probability) <= allowed).sum(axis=1, keepdims=True)
            size = np.average(counts, axis=0, weights=answers.weight)
        found.append({"level": level, "covered": covered.tolist(), "size": size.tolist()})
    return found
