"""How far probabilities are from the frequencies of what they announce, which scikit-learn has no metric of."""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from specnet.parts.fields import PositiveInteger
from specnet.parts.metrics.base import LABELS, Metric


class ExpectedCalibrationError(Metric):
    """Mean |accuracy − confidence| over equal bins of confidence, weighted by their rows (Guo et al. 2017).

    Confidence is the probability of the predicted class. With several 0/1 outputs, the mean over them.
    """

    aliases = ("ece",)
    task = LABELS
    response = "probability"
    larger_is_better = False
    type: Literal["expected_calibration_error"] = "expected_calibration_error"
    bins: PositiveInteger = Field(15, description="number of bins of equal width between 0 and 1")

    def compute(self, target: NDArray[Any], response: NDArray[Any], keywords: dict[str, Any]) -> float:
        if response.ndim > target.ndim:
            confidence, right = response.max(axis=1), response.argmax(axis=1) == target
        else:
            confidence, right = np.maximum(response, 1 - response), (response > 0.5) == target
        weight = keywords.get("sample_weight")
        weight = np.ones(len(target)) if weight is None else weight
        columns = zip(confidence.reshape(len(target), -1).T, right.reshape(len(target), -1).T, strict=True)
        return float(np.mean([self._error(*column, weight) for column in columns]))

    def _error(self, confidence: NDArray[Any], right: NDArray[np.bool_], weight: NDArray[Any]) -> float:
        inner_edges = np.linspace(0, 1, self.bins + 1)[1:-1]
        bins = np.searchsorted(inner_edges, confidence)  # a bin is without its lower end
        excess = np.bincount(bins, weight * (right - confidence.astype(np.float64)), self.bins)
        return float(np.abs(excess).sum() / weight.sum())
