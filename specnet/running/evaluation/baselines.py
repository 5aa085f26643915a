"""The predictors that a model is compared with, each fitted once on training rows.

Bounds, for large tables: linear models, trees and neighbours are fitted on at most 2²² numbers (rows × columns ×
outputs), and neighbours on at most 4 096 rows and 2·10⁷ distances to the rows held out; of more training rows a random
sample is taken, by the seed. Where fewer than 1 000 training rows would be left for so many rows held out there are no
neighbours.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from specnet.model import Answers, Model
from specnet.network.random import stream
from specnet.parts.arrays import Array
from specnet.running.data_rows import Rows
from specnet.running.evaluation.constant import constant_outputs, output_model
from specnet.running.evaluation.predictors import DenseFeatures, Predictor, fitted_linear, fitted_neighbours
from specnet.running.fitting import FitResult

MOST_NUMBERS = 2**22
LEAST_ROWS = 256
"""Rows that are taken however wide they are."""
MOST_NEIGHBOUR_ROWS = 4_096
MOST_DISTANCES = 20_000_000
LEAST_NEIGHBOUR_ROWS = 1_000

BaselineAnswers = dict[str, dict[str, Answers]]
"""Answers by the name of the baseline and the part of the split."""


def baseline_answers(fitted: FitResult) -> BaselineAnswers:
    """Return what the baselines that the spec names answer for each part of the split but the training rows."""
    splits, names = fitted.data.splits, fitted.model.spec.training.baselines
    held = [name for name in splits if name != "train"]
    if not names or not held:
        return {}
    head, train = output_model(fitted.model.decoder), splits["train"]
    outputs: dict[str, dict[str, Array]] = {name: {} for name in names}
    if "constant" in names:
        constant = constant_outputs(head, _answers(head, train))
        outputs["constant"] = {part: np.tile(constant, (len(splits[part]), 1)) for part in held}
    fitting: list[str] = [name for name in names if name != "constant"]
    if fitting:
        chosen = _sample(len(train), _most_rows(fitted), stream(fitted.model.spec.seed, "baselines", 0))
        rows = _answers(head, train, chosen)
    if "trees" in names:
        from specnet.running.evaluation.trees import fitted_trees

        trees = fitted_trees(head, rows, train, chosen)
        outputs["trees"] = {part: trees(splits[part].columns) for part in held}
        fitting.remove("trees")
    if fitting:
        some = fitted.prepared("train")[chosen]
        features = DenseFeatures(some, rows.weight, fitted.model.network.resolved.category_counts)
        known = features.of(some)
        count = sum(len(splits[part]) for part in held)
        predictors: dict[str, Predictor] = {}
        for name in fitting:
            if name == "linear":
                predictors[name] = fitted_linear(head, rows, known)
            elif (most := neighbour_rows(len(known), count)) is not None:
                nearest = _sample(len(known), most, stream(fitted.model.spec.seed, "baselines", 1))
                mine = _answers(head, train, np.arange(len(train))[chosen][nearest])
                predictors[name] = fitted_neighbours(head, mine, known[nearest])
        for part in held:
            for name, predicted in _predicted(predictors, features, fitted.prepared(part)).items():
                outputs[name][part] = predicted
    targets = fitted.model.target_names

    def answers(given: Array, rows: Rows) -> Answers:
        return replace(head.answers(given, rows.y, rows.weight), targets=targets)

    return {
        name: {part: answers(given, splits[part]) for part, given in each.items()}
        for name, each in outputs.items()
        if each
    }


def neighbour_rows(rows: int, held: int) -> int | None:
    """Return among how many of the training rows neighbours are found for so many rows held out; None if too few."""
    most = min(rows, MOST_NEIGHBOUR_ROWS, MOST_DISTANCES // max(1, held))
    return most if most >= min(rows, LEAST_NEIGHBOUR_ROWS) else None


def _most_rows(fitted: FitResult) -> int:
    network = fitted.model.network
    categories = network.resolved.category_counts
    width = network.inputs - len(categories) + sum(count - 1 for count in categories.values())
    return max(LEAST_ROWS, MOST_NUMBERS // (max(1, width) * network.outputs))


def _sample(rows: int, most: int, generator: np.random.Generator) -> NDArray[np.intp] | slice:
    """Return which of so many rows are taken."""
    return slice(None) if rows <= most else np.sort(generator.choice(rows, most, replace=False))


def _answers(head: Model, rows: Rows, chosen: NDArray[np.intp] | slice = slice(None)) -> Answers:
    """Return the answers of some rows, whatever the outputs."""
    y, weight = rows.y[chosen], None if rows.weight is None else rows.weight[chosen]
    return head.answers(np.zeros((len(y), head.network.outputs)), y, weight)


def _predicted(predictors: Mapping[str, Predictor], features: DenseFeatures, columns: Array) -> dict[str, Array]:
    """Return the outputs of each predictor for rows (rows, inputs), whose features are made a piece at a time."""
    parts: dict[str, list[Array]] = {name: [] for name in predictors}
    step = max(1, MOST_NUMBERS // columns.shape[1])
    for start in range(0, len(columns), step):
        some = features.of(columns[start : start + step])
        for name, predict in predictors.items():
            parts[name].append(predict(some))
    return {name: np.concatenate(each) for name, each in parts.items()}
