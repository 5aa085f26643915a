"""How good a model is beside baselines by one score for all tasks: accuracy of classes, R² of values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from specnet.findings import Gain
from specnet.model import Answers
from specnet.network import Network
from specnet.parts.arrays import Array
from specnet.parts.metrics.statistics import weighted_mean


@dataclass(frozen=True, eq=False)
class Comparison:
    """The scores of a model on training rows and on rows held out: those for validation, else those for test.

    Attributes
    ----------
    train : float or None
        None where there is no such score.
    held_name : str or None
        ``validation`` or ``test``.
    inputs : ndarray (rows, inputs) or None
        The rows held out, as the network reads them.
    held : Answers or None
        The model's answers for the rows held out.
    score : float or None
        Of these.
    baselines : dict of str to float
        Theirs, by name.
    gains : dict of str to Gain
        Of ``network`` and of the baselines over the constant one, where there is that, on the rows held out.
    independent_rows : float
        How many independent rows the rows held out are worth, at least: to the model or to a baseline.
    """

    train: float | None
    held_name: str | None = None
    inputs: Array | None = None
    held: Answers | None = None
    score: float | None = None
    baselines: Mapping[str, float] = field(default_factory=dict)
    gains: Mapping[str, Gain] = field(default_factory=dict)
    independent_rows: float = 0.0


def score_of(network: Network, answers: Answers) -> float | None:
    """Return the accuracy or the R² of answers, the mean over several outputs; None where it is not defined."""
    if network.task != "values":
        right = np.equal(answers.target, answers.prediction).reshape(len(answers), -1).mean(axis=1)
        return float(np.average(right, weights=answers.weight))
    if not network.spec.training.loss.predicts_mean:
        return None
    target, prediction = (
        np.asarray(values, np.float64).reshape(len(answers), -1) for values in (answers.target, answers.prediction)
    )
    mean = np.average(target, axis=0, weights=answers.weight)
    errors, spread = (
        np.average(np.square(target - other), axis=0, weights=answers.weight) for other in (prediction, mean)
    )
    score = float(np.mean(1 - errors / spread)) if spread.all() else np.nan
    return score if np.isfinite(score) else None


def loss_gain(answers: Answers, than: Answers, groups: NDArray[np.generic] | None = None) -> Gain:
    """Return by how much answers have less loss than others for the same rows.

    The standard error is that of a weighted mean of independent rows, or of independent groups of rows.
    """
    differences = than.losses - answers.losses
    weight = np.ones(len(differences)) if answers.weight is None else answers.weight
    value = weighted_mean(differences, weight)
    parts = weight * (differences - value)
    if groups is not None:
        parts = np.bincount(np.unique(groups, return_inverse=True)[1], parts)
    return Gain(value, float(np.sqrt(np.square(parts).sum()) / weight.sum()))
