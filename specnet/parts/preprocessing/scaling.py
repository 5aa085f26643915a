"""Steps that bring columns to a common scale."""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from specnet.parts.preprocessing.base import Fitted, Preprocessing, float64_blocks


class Standardize(Preprocessing):
    """(x − mean) / scale per column, with the standard deviation over the training set as scale.

    The scale of a constant column is 1, also if its variance is only rounding error, by the bound of scikit-learn's
    StandardScaler (Chan, Golub and LeVeque 1983).
    """

    learned = ("mean", "scale")
    type: Literal["standardize"] = "standardize"

    def fit(self, columns: NDArray[Any], weight: NDArray[np.float64] | None = None) -> dict[str, NDArray[Any]]:
        blocks = [self._moments(block, weight) for block in float64_blocks(columns)]
        mean, scale = (np.concatenate(parts) for parts in zip(*blocks, strict=True))
        return {"mean": mean, "scale": scale}

    def _moments(
        self, columns: NDArray[np.float64], weight: NDArray[np.float64] | None
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return mean and scale of some of the columns."""
        rows = len(columns)
        share, total = (1.0, rows) if weight is None else (weight[:, None], weight.sum())
        mean = (share * columns).sum(0) / total
        difference = columns - mean
        # The second term removes what rounding left in the mean.
        variance = ((share * difference**2).sum(0) - (share * difference).sum(0) ** 2 / total) / total
        epsilon = float(np.finfo(np.float64).eps)
        constant = variance <= rows * epsilon * variance + (rows * mean * epsilon) ** 2
        constant &= np.isfinite(variance)  # an overflow is no rounding error
        return mean, np.where(constant, 1.0, np.sqrt(variance))

    def apply(self, columns: Any, fitted: Fitted) -> Any:
        return (columns - fitted["mean"]) / fitted["scale"]

    def invert(self, columns: Any, fitted: Fitted) -> Any:
        return columns * fitted["scale"] + fitted["mean"]
