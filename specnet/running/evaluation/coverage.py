"""How many test rows intervals and sets cover, beside how many they should."""

from __future__ import annotations

import numpy as np

from specnet.model import Answers, Model
from specnet.saved.metrics_file import Coverage

LEVELS = (0.5, 0.8, 0.9, 0.95)


def coverage(model: Model, answers: Answers) -> list[Coverage]:
    """Return how answers for rows are covered at the levels for which enough rows were held out."""
    found: list[Coverage] = []
    for level in LEVELS:
        if not model.error_quantiles.reach(level):
            continue
        if model.network.task == "values":
            low, high = np.moveaxis(model.error_quantiles.ends(answers.prediction, level), -1, 0)
            covers, sizes = (low <= answers.target) & (answers.target <= high), high - low
        else:
            assert answers.probability is not None, "a model with errors of classes has probabilities"
            sets = model.error_quantiles.sets(answers.probability, level)
            covers, sizes = sets[np.arange(len(sets)), answers.target], sets.sum(axis=1)
        means = (np.average(each.reshape(len(answers), -1), axis=0, weights=answers.weight) for each in (covers, sizes))
        covered, size = (each.tolist() for each in means)
        found.append({"level": level, "covered": covered, "size": size})
    return found
