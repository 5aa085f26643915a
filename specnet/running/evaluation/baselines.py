"""The baselines that a spec names, each fitted once on training rows; gradient-boosted trees are scikit-learn's.

Trees need no preprocessing: they read missing cells and categories directly.

Limits for large tables: linear models, trees and neighbours are fitted on at most 2²² numbers (rows × columns ×
outputs), and neighbours on at most 4 096 rows and 2·10⁷ distances to held-out rows. If there are more training rows, a
random sample is drawn with the seed. If this leaves fewer than 1 000 of the training rows, the neighbours baseline is
left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specnet.compiler.thread_limits import limited_threads
from specnet.model import Answers, Model
from specnet.network.random import stream
from specnet.parts.arrays import FLOAT64, Array, RowView, pieces
from specnet.parts.preprocessing.categories import MISSING
from specnet.running.data_rows import Rows
from specnet.running.evaluation.predictors import (
    LARGEST,
    DenseFeatures,
    Numbers,
    Outputs,
    Predictor,
    class_outputs,
    constant_outputs,
    fitted_linear,
    fitted_neighbours,
    output_model,
    value_outputs,
)
from specnet.running.fitting import FitResult

MAX_NUMBERS = 2**22
MIN_ROWS = 256
"""The number of rows that are always used if they exist, for any number of columns."""
MAX_NEIGHBOUR_ROWS = 4_096
MAX_DISTANCES = 20_000_000
MIN_NEIGHBOUR_ROWS = 1_000

BaselineAnswers = dict[str, dict[str, Answers]]
"""Answers by the name of the baseline and by split."""


def baseline_answers(fitted: FitResult) -> BaselineAnswers:
    """Return the answers of the spec's baselines for each split except the training rows."""
    splits, names = fitted.data.splits, fitted.model.spec.training.baselines
    others = [name for name in splits if name != "train"]
    if not names or not others:
        return {}
    head, train = output_model(fitted.model.decoder), splits["train"]
    outputs: dict[str, dict[str, Array]] = {name: {} for name in names}
    if "constant" in names:
        constant = constant_outputs(head, _answers(head, train))
        outputs["constant"] = {part: np.tile(constant, (len(splits[part]), 1)) for part in others}
    fitting: list[str] = [name for name in names if name != "constant"]
    if fitting:
        chosen = _sample(len(train), _most_rows(fitted), stream(fitted.model.spec.seed, "baselines", 0))
        rows = _answers(head, train, chosen)
    if "trees" in names:
        trees = fitted_trees(head, rows, train, chosen)
        outputs["trees"] = {part: trees(splits[part].columns) for part in others}
        fitting.remove("trees")
    if fitting:
        some = fitted.prepared("train")[chosen]
        features = DenseFeatures(some, rows.weight, fitted.model.network.resolved.category_counts)
        known = features.of(some)
        count = sum(len(splits[part]) for part in others)
        predictors: dict[str, Predictor] = {}
        for name in fitting:
            if name == "linear":
                predictors[name] = fitted_linear(head, rows, known)
            elif (most := neighbour_rows(len(known), count)) is not None:
                nearest = _sample(len(known), most, stream(fitted.model.spec.seed, "baselines", 1))
                mine = _answers(head, train, np.arange(len(train))[chosen][nearest])
                predictors[name] = fitted_neighbours(head, mine, known[nearest])
        for part in others:
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


def neighbour_rows(rows: int, others: int) -> int | None:
    """Return the number of training rows to search for neighbours of `others` held-out rows, or None if too few."""
    most = min(rows, MAX_NEIGHBOUR_ROWS, MAX_DISTANCES // max(1, others))
    return most if most >= min(rows, MIN_NEIGHBOUR_ROWS) else None


def _most_rows(fitted: FitResult) -> int:
    network = fitted.model.network
    categories = network.resolved.category_counts
    width = network.inputs - len(categories) + sum(count - 1 for count in categories.values())
    return max(MIN_ROWS, MAX_NUMBERS // (max(1, width) * network.outputs))


def _sample(rows: int, most: int, generator: np.random.Generator) -> NDArray[np.intp] | slice:
    """Return the indices of a random sample of `most` rows, or a slice of all rows if there are not more."""
    return slice(None) if rows <= most else np.sort(generator.choice(rows, most, replace=False))


def _answers(head: Model, rows: Rows, chosen: NDArray[np.intp] | slice = slice(None)) -> Answers:
    """Return the answers for chosen rows with all outputs 0: only targets and weights count."""
    y, weight = rows.y[chosen], None if rows.weight is None else rows.weight[chosen]
    return head.answers(np.zeros((len(y), head.network.outputs)), y, weight)


def _predicted(predictors: Mapping[str, Predictor], features: DenseFeatures, columns: Array) -> dict[str, Array]:
    """Return the outputs of each predictor for rows (rows, inputs); features are made for one piece at a time."""
    parts: dict[str, list[Array]] = {name: [] for name in predictors}
    step = max(1, MAX_NUMBERS // columns.shape[1])
    for start in range(0, len(columns), step):
        some = features.of(columns[start : start + step])
        for name, predict in predictors.items():
            parts[name].append(predict(some))
    return {name: np.concatenate(each) for name, each in parts.items()}


MAX_CATEGORIES = 255
"""The maximum number of categories of a column, the most frequent ones; scikit-learn accepts no more."""


def fitted_trees(
    head: Model, training: Answers, rows: Rows, chosen: NDArray[np.intp] | slice
) -> Callable[[Array | RowView], Outputs]:
    """Return a function from raw columns to the outputs of gradient-boosted trees, as the loss reads them.

    The result is the same for any number of threads.

    Parameters
    ----------
    head, training
        As for the other predictors.
    rows : Rows
        All training rows.
    chosen : ndarray or slice
        Indices of the rows of `training`.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    columns = rows.columns[chosen]
    features = _TreeFeatures(columns, rows)
    options: dict[str, Any] = {"random_state": head.spec.seed, "categorical_features": features.are_categories}
    known, weight = features.of(columns), training.weight

    def fitted_values(target: Numbers) -> Predictor:
        each = [HistGradientBoostingRegressor(**options).fit(known, column, weight) for column in target.T]
        return lambda given: np.stack([trees.predict(given) for trees in each], axis=1)

    def fitted_shares(members: NDArray[np.intp], classes: int) -> Predictor:
        predict: Predictor = HistGradientBoostingClassifier(**options).fit(known, members, weight).predict_proba
        return predict

    with limited_threads(1):  # more threads would sum in another order, with other last bits
        if head.network.task == "values":
            target = training.loss_target.astype(np.float64)
            predict = value_outputs(head, training, known, fitted_values(target))
        else:
            predict = class_outputs(head, training, fitted_shares)

    def outputs(columns: Array | RowView) -> Outputs:
        with limited_threads(1):
            return np.concatenate([predict(features.of(columns[piece])) for piece in pieces(columns)])

    return outputs


class _TreeFeatures:
    """Features for trees: raw columns, with NaN for missing cells and for rare categories.

    Columns that are empty in the training rows are set to 0, because scikit-learn accepts no empty columns.
    """

    def __init__(self, columns: Array, rows: Rows) -> None:
        self._codes = {
            index: _frequent_codes(columns[:, index], texts)
            for index, texts in enumerate(rows.texts)
            if texts is not None
        }
        self.are_categories = np.isin(np.arange(columns.shape[1]), list(self._codes))
        self._are_empty = np.zeros(columns.shape[1], np.bool_)
        self._are_empty = np.isnan(self.of(columns)).all(axis=0)

    def of(self, columns: Array) -> Numbers:
        """Return the features of rows."""
        features: Numbers = np.clip(columns, -LARGEST, LARGEST, dtype=FLOAT64)
        for index, codes in self._codes.items():
            is_missing = np.isnan(features[:, index])
            features[:, index] = codes[np.where(is_missing, len(codes) - 1, features[:, index]).astype(np.intp)]
        features[:, self._are_empty] = 0
        return features


def _frequent_codes(column: Array, texts: NDArray[np.str_]) -> Numbers:
    """Return the code of each text by frequency, NaN for rare ones; then NaN for missing cells: (texts + 1,)."""
    counts = np.bincount(column[~np.isnan(column)].astype(np.intp), minlength=len(texts))
    counts[texts == MISSING] = 0
    frequent = np.argsort(-counts, kind="stable")[: min(MAX_CATEGORIES, np.count_nonzero(counts))]
    codes = np.full(len(texts) + 1, np.nan)
    codes[frequent] = np.arange(len(frequent))
    return codes
