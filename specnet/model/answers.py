"""What a model answers for rows, beside what is true of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from specnet.parts.arrays import Array
from specnet.parts.metrics import Metric
from specnet.parts.metrics.statistics import weighted_mean


@dataclass(frozen=True, eq=False)
class Answers:
    """A model's answers for rows, as losses and metrics compare them with the target.

    Attributes
    ----------
    target : ndarray
        Class indices (rows,), 0 and 1 (rows, outputs), or values in their own units.
    wanted : ndarray
        The target as the loss takes it: of values, preprocessed (rows, outputs).
    losses : ndarray (rows,)
    prediction : ndarray
        In the form of `target`.
    probability : ndarray (rows, classes) or (rows, outputs), or None
    weight : ndarray (rows,) or None
        How much each row counts.
    """

    target: Array
    wanted: Array
    losses: NDArray[np.float64]
    prediction: Array
    probability: Array | None
    weight: NDArray[np.float64] | None

    def __len__(self) -> int:
        return len(self.losses)

    def figures(self, metrics: Sequence[Metric]) -> dict[str, float]:
        """Return the mean loss and each metric by its name, as `Model.evaluate` does."""
        compared = (self.target, self.prediction, self.probability, self.weight)
        return {
            "loss": weighted_mean(self.losses, self.weight),
            **{metric.type: metric.score(*compared) for metric in metrics},
        }
