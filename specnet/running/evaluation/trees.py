"""The baseline of gradient-boosted trees: scikit-learn's, with its defaults, on the raw columns.

Trees need no preprocessing: they take missing cells and categories as they are.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from specnet.compiler.thread_limits import limited_threads
from specnet.model import Answers, Model
from specnet.parts.arrays import FLOAT64, Array, RowView, pieces
from specnet.parts.preprocessing.categories import MISSING
from specnet.running.data_rows import Rows
from specnet.running.evaluation.constant import Outputs
from specnet.running.evaluation.predictors import LARGEST, Numbers, Predictor, class_outputs, value_outputs

MOST_CATEGORIES = 255
"""Of a column, the most frequent ones; scikit-learn takes no more."""


def fitted_trees(head: Model, training: Answers, rows: Rows, chosen: NDArray[np.intp] | slice) -> RawPredictor:
    """Return what gives the outputs of gradient-boosted trees as the loss sees them.

    The result is the same for any number of threads.

    Parameters
    ----------
    head, training
        As for the other predictors.
    rows : Rows
        All training rows.
    chosen : ndarray or slice
        Which of them `training` has.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    columns = rows.columns[chosen]
    features = _TreeFeatures(columns, rows)
    options: dict[str, Any] = {"random_state": head.spec.seed, "categorical_features": features.are_categories}
    known, weight = features.of(columns), training.weight

    def fitted_values(wanted: Numbers) -> Predictor:
        each = [HistGradientBoostingRegressor(**options).fit(known, column, weight) for column in wanted.T]
        return lambda given: np.stack([trees.predict(given) for trees in each], axis=1)

    def fitted_shares(members: NDArray[np.intp], classes: int) -> Predictor:
        predict: Predictor = HistGradientBoostingClassifier(**options).fit(known, members, weight).predict_proba
        return predict

    with limited_threads(1):  # sums in another order have other last bits
        if head.network.task == "values":
            wanted = training.loss_target.astype(np.float64)
            predict = value_outputs(head, training, known, fitted_values(wanted))
        else:
            predict = class_outputs(head, training, fitted_shares)
    return RawPredictor(features, predict)


class RawPredictor:
    """Trees, with what makes their features of raw columns."""

    def __init__(self, features: _TreeFeatures, predict: Predictor) -> None:
        self._features, self._predict = features, predict

    def __call__(self, columns: Array | RowView) -> Outputs:
        """Return the outputs for rows (rows, raw columns), as the loss sees them."""
        with limited_threads(1):
            given = [self._predict(self._features.of(columns[piece])) for piece in pieces(columns)]
        return np.concatenate(given)


class _TreeFeatures:
    """Raw columns with NaN for missing cells, and for categories that are not among the most frequent ones.

    Columns that are empty in the rows that it is made of are 0: scikit-learn takes none.
    """

    def __init__(self, columns: Array, rows: Rows) -> None:
        self._codes = {
            place: _frequent_codes(columns[:, place], texts)
            for place, texts in enumerate(rows.texts)
            if texts is not None
        }
        self.are_categories = np.isin(np.arange(columns.shape[1]), list(self._codes))
        self._are_empty = np.zeros(columns.shape[1], np.bool_)
        self._are_empty = np.isnan(self.of(columns)).all(axis=0)

    def of(self, columns: Array) -> Numbers:
        """Return the features of rows."""
        features: Numbers = np.clip(columns, -LARGEST, LARGEST, dtype=FLOAT64)
        for place, codes in self._codes.items():
            is_missing = np.isnan(features[:, place])
            features[:, place] = codes[np.where(is_missing, len(codes) - 1, features[:, place]).astype(np.intp)]
        features[:, self._are_empty] = 0
        return features


def _frequent_codes(column: Array, texts: NDArray[np.str_]) -> Numbers:
    """Return the code of each text, by its frequency, and NaN at the end, for missing cells: (texts + 1,)."""
    counts = np.bincount(column[~np.isnan(column)].astype(np.intp), minlength=len(texts))
    counts[texts == MISSING] = 0
    frequent = np.argsort(-counts, kind="stable")[: min(MOST_CATEGORIES, np.count_nonzero(counts))]
    codes = np.full(len(texts) + 1, np.nan)
    codes[frequent] = np.arange(len(frequent))
    return codes
