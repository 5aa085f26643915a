"""Permutation importance: how much a score suffers when a column is shuffled (Breiman 2001)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specnet.model import Answers, Model
from specnet.network.random import stream
from specnet.parts.metrics.statistics import weighted_mean
from specnet.report.record import Importance
from specnet.running.rows import Rows

SHUFFLES = 5
MOST_PRODUCTS = 10**10
"""Of shuffles, columns, parameters and rows: about half a second."""
FEWEST_ROWS = 50
"""With fewer rows, chance decides."""

Score = Callable[[Answers], float]


def affordable_rows(model: Model, columns: int, rows: int) -> int:
    """Return how many of the rows can be looked at."""
    return min(rows, MOST_PRODUCTS // max(SHUFFLES * columns * model.theta.size, 1))


def permutation_importance(model: Model, rows: Rows, names: Sequence[str]) -> Importance | None:
    """Return how much the score of a model suffers when each raw column is shuffled; None where rows are too few.

    The score is the accuracy of a classifier, R² of one value where that is one of the spec's metrics, else the loss.

    Parameters
    ----------
    model : Model
    rows : Rows
        Test rows. Of more than can be afforded, some are drawn.
    names : sequence of str
        Of the raw columns.
    """
    generator = stream(model.spec.seed, "importance")
    count = affordable_rows(model, len(names), len(rows))
    if count < FEWEST_ROWS:
        return None
    chosen = np.sort(generator.permutation(len(rows))[:count]) if count < len(rows) else slice(None)
    columns, y = np.array(rows.columns)[chosen], rows.y[chosen]
    weight = None if rows.weight is None else rows.weight[chosen]
    name, score = _score(model)

    def scores(table: NDArray[Any], times: int) -> list[float]:
        X = model.preprocessing.prepare(table, texts=rows.texts, reader=model.network)
        weights = None if weight is None else np.concatenate([weight] * times)
        answers = model.answers(X, np.concatenate([y] * times), weights)
        return [score(_part(answers, slice(start, start + count))) for start in range(0, len(X), count)]

    (own,) = scores(columns, 1)
    sign = 1.0 if name == "loss" else -1.0
    suffers = np.empty((len(names), SHUFFLES))
    for place in range(len(names)):
        shuffled = np.concatenate([columns] * SHUFFLES)
        for start in range(0, len(shuffled), count):
            shuffled[start : start + count, place] = columns[generator.permutation(count), place]
        suffers[place] = sign * (np.array(scores(shuffled, SHUFFLES)) - own)
    return Importance(name, count, SHUFFLES, tuple(names), suffers.mean(axis=1), suffers.std(axis=1))


def _score(model: Model) -> tuple[str, Score]:
    """Return the name of the score, and what computes it."""
    if model.labels is not None:
        return "accuracy", lambda answers: weighted_mean(answers.target == answers.prediction, answers.weight)
    determination = [metric for metric in model.spec.training.metrics if metric.type == "r2"]
    if determination and model.network.target_size == 1:
        return "r2", lambda answers: answers.figures(determination)["r2"]
    return "loss", lambda answers: weighted_mean(answers.losses, answers.weight)


def _part(answers: Answers, part: slice) -> Answers:
    """Return the answers of some rows."""
    weight = None if answers.weight is None else answers.weight[part]
    probability = None if answers.probability is None else answers.probability[part]
    return Answers(
        answers.target[part], answers.wanted[part], answers.losses[part], answers.prediction[part], probability, weight
    )
