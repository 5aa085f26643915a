"""The baseline of nearest neighbours: what the 15 training rows that are nearest to a row say of it."""

from __future__ import annotations

import numpy as np

from specnet.model import Answers, Model
from specnet.running.evaluation.constant import Outputs, class_shares, share_outputs
from specnet.running.evaluation.features import Numbers, Predictor, value_outputs

NEIGHBOURS = 15
DISTANCES_AT_ONCE = 2**19


def fitted_neighbours(head: Model, training: Answers, features: Numbers) -> Predictor:
    """Return what gives the outputs of the nearest training rows as the loss sees them, (rows, outputs), for features.

    Nearest by the Euclidean distance of standardized features. Values are the weighted mean of theirs. The probability
    of a class is its share among them and one more row, which has the frequencies of all training rows: so that none is
    0, and equal counts are decided by frequency.

    Parameters
    ----------
    head : Model
        What `output_model` returns.
    training : Answers
        Of training rows, whatever the outputs.
    features : (rows, features)
        Of the same rows, standardized.
    """
    weight = np.ones(len(training)) if training.weight is None else training.weight
    counted = weight > 0
    nearest = _Nearest(features[counted], weight[counted])
    if head.network.task == "values":
        wanted = training.wanted.astype(np.float64)[counted]
        return value_outputs(head, training, features, lambda rows: np.divide(*nearest.sums(rows, wanted)))
    classes = head.network.outputs if head.network.task == "classes" else 0
    target = training.target.reshape(len(training), -1)
    known = (np.equal(target, np.arange(classes)) if classes else target)[counted].astype(np.float64)
    usual = class_shares(head, training)

    def outputs(rows: Numbers) -> Outputs:
        sums, weights = nearest.sums(rows, known)
        one = weights / min(NEIGHBOURS, len(known))
        return share_outputs(head, (sums + one * usual) / (weights + one))

    return outputs


class _Nearest:
    """The training rows among which neighbours are found, (rows, features), and how much each of them counts."""

    def __init__(self, features: Numbers, weight: Numbers) -> None:
        self._features, self._weight = features, weight
        self._halves = np.square(features).sum(axis=1) / 2

    def sums(self, rows: Numbers, known: Numbers) -> tuple[Numbers, Numbers]:
        """Return the weighted sum of what is known of the nearest training rows, (rows, …), and of their weights."""
        sums, weights = np.empty((len(rows), known.shape[1])), np.empty((len(rows), 1))
        count, step = min(NEIGHBOURS, len(self._halves)), max(1, DISTANCES_AT_ONCE // len(self._halves))
        for start in range(0, len(rows), step):
            part = slice(start, start + step)
            # Half the squared distance without the row's own square, which changes no order.
            distances = self._halves - rows[part] @ self._features.T
            nearest = np.argpartition(distances, count - 1, axis=1)[:, :count]
            weight = self._weight[nearest]
            sums[part] = (weight[:, :, np.newaxis] * known[nearest]).sum(axis=1)
            weights[part] = weight.sum(axis=1, keepdims=True)
        return sums, weights
