"""The step from numbers to their ranks among the training rows."""

from typing import Annotated, Any, Literal, Self

import numpy as np
from annotated_types import Ge, Le
from numpy.typing import NDArray
from pydantic import Field

from specnet.compiler import Value, equal, expand, greater, grouped_matmul, maximum, minimum, repeat, rows, where
from specnet.parts.fields import Integer
from specnet.parts.preprocessing.base import (
    Columns,
    Fitted,
    Learned,
    Preprocessing,
    Texts,
    Weight,
    present_cells,
    quantiles,
)

_NARROW = 1e-300
"""Half the width of a bin up to which it is a jump."""


class Quantile(Preprocessing):
    """Rank among the training rows, from −1 to 1: 2r/(n − 1) − 1, with the rank r interpolated between n knots.

    The knots are evenly spaced quantiles of the training rows, as many as `points`, or as there are rows (2 at
    least) if there are fewer. A number that equals several knots has the mean of the ranks at both ends, and numbers
    beyond all knots have those of the ends. (scikit-learn's QuantileTransformer gives ranks from 0 to 1, and the least
    and the largest number those of the ends even if many rows have them.)
    """

    learned = ("knots",)
    fits_views = True
    type: Literal["quantile"] = "quantile"
    points: Annotated[Integer, Ge(2), Le(65537)] = Field(
        257, description="number of quantiles; lowered to the number of training rows when the step is fitted"
    )

    def shapes(self, columns: int) -> dict[str, tuple[int | None, ...]]:
        return {"knots": (self.points, columns)}

    def fit(self, columns: Columns, weight: Weight = None, texts: Texts | None = None) -> tuple[Self, Learned]:
        count = len(columns) if weight is None else int(np.count_nonzero(weight))
        points = max(2, min(self.points, count))
        knots = [quantiles(*cells, parts=points - 1) for cells in present_cells(columns, weight)]
        return self.model_copy(update={"points": points}), {"knots": np.stack(knots, axis=1)}

    def check(self, fitted: Fitted) -> None:
        super().check(fitted)
        knots = fitted["knots"]
        self.require(bool((knots[1:] >= knots[:-1]).all()), "knots do not ascend")

    def apply(self, columns: Any, fitted: Fitted) -> Any:
        knots = fitted["knots"]
        ranks = self._symbolic_ranks(columns, knots) if isinstance(columns, Value) else _ranks(columns, knots)
        return ranks * (2 / (self.points - 1)) - 1

    def invert(self, columns: Any, fitted: Fitted) -> Any:
        places = np.linspace(-1, 1, self.points)
        pairs = zip(columns.T, fitted["knots"].T, strict=True)
        return np.stack([np.interp(column, places, knots) for column, knots in pairs], axis=1)

    def _symbolic_ranks(self, columns: Value, knots: Value) -> Value:
        """Return the sum over all bins of how far each number is within them; knots are (points · columns, 1)."""
        count, bins = int(columns.shape[0]), self.points - 1
        low, high = (rows(knots, start, start + bins * count) for start in (0, count))
        width = 0.5 * high - 0.5 * low
        jumps = greater(_NARROW, width)
        x = repeat(columns, bins)
        filled = (0.5 * x - 0.5 * low) * where(jumps, 0.0, 1 / width)
        passed = 0.5 * where(equal(x, low), 1.0, 0.0) + where(greater(x, low), 1.0, 0.0)
        filled = minimum(maximum(filled, 0.0), 1.0) + passed * where(jumps, 1.0, 0.0)
        return grouped_matmul(expand(1.0, (bins * count, 1)), filled, count, flip_a=True)


def _ranks(columns: NDArray[np.float64], knots: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the rank of each number among the knots of its column, from 0 to points − 1."""
    ranks = np.empty(columns.shape)
    last = len(knots) - 1
    for place, (column, edges) in enumerate(zip(columns.T, knots.T, strict=True)):
        first, end = np.searchsorted(edges, column, "left"), np.searchsorted(edges, column, "right")
        low, high = 0.5 * edges[np.maximum(first - 1, 0)], 0.5 * edges[np.minimum(first, last)]
        width = high - low
        within = np.divide(0.5 * column - low, width, out=np.ones(len(column)), where=width > _NARROW)
        between = np.clip(first - 1 + within, 0, last)
        ranks[:, place] = np.where(end > first, 0.5 * (first + end - 1), between)
    return ranks
