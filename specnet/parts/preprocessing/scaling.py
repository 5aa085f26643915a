"""Steps that convert each column to a common scale, or to ranks, by statistics of its training rows."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal, Self

import numpy as np
from annotated_types import Ge, Le
from numpy.typing import NDArray
from pydantic import Field

from specnet.compiler import Value, expand, grouped_matmul, repeat, rows
from specnet.parts.fields import Integer
from specnet.parts.part import FieldProblem
from specnet.parts.preprocessing.base import (
    Columns,
    Fitted,
    Learned,
    Preprocessing,
    Texts,
    Weight,
    float64_blocks,
    present_cells,
    quantiles,
    row_blocks,
)
from specnet.parts.preprocessing.column_operations import equal, greater, where, with_slope, within

_NARROW = 1e-300
"""Largest half width of a bin that is treated as a jump."""


class QuantileRanks(Preprocessing):
    """Rank among the training rows, from −1 to 1: 2r/(n − 1) − 1, with the rank r interpolated between n knots.

    The knots are evenly spaced quantiles of the training rows, as many as `points`, or as there are rows (2 at
    least) if there are fewer. A number that equals several knots has the mean of the ranks at both ends, and numbers
    beyond all knots have those of the ends. (scikit-learn's QuantileTransformer gives ranks from 0 to 1, and the least
    and the largest number those of the ends even if many rows have them.)
    """

    learned = ("knots",)
    keeps_order = True
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
        positions = np.linspace(-1, 1, self.points)
        pairs = zip(columns.T, fitted["knots"].T, strict=True)
        return np.stack([np.interp(column, positions, knots) for column, knots in pairs], axis=1)

    def _symbolic_ranks(self, columns: Value, knots: Value) -> Value:
        """Return the sum over all bins of each number's position within the bin; knots are (points · columns, 1)."""
        count, bins = int(columns.shape[0]), self.points - 1
        low, high = (rows(knots, start, start + bins * count) for start in (0, count))
        width = 0.5 * high - 0.5 * low
        jumps = greater(_NARROW, width)
        x = repeat(columns, bins)
        inverse = where(jumps, 0.0, 1 / width)
        filled = within((0.5 * x - 0.5 * low) * inverse, 0.0, 1.0)
        # At a knot the derivative is that of the part above it, however the parts beside it are rounded.
        filled = with_slope(filled, x, lambda: where(greater(low, x), 0.0, where(greater(high, x), 0.5 * inverse, 0.0)))
        passed = 0.5 * where(equal(x, low), 1.0, 0.0) + where(greater(x, low), 1.0, 0.0)
        filled = filled + passed * where(jumps, 1.0, 0.0)
        return grouped_matmul(expand(1.0, (bins * count, 1)), filled, count, flip_a=True)


def _ranks(columns: NDArray[np.float64], knots: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the rank of each number among the knots of its column, from 0 to points − 1."""
    ranks = np.empty(columns.shape)
    last = len(knots) - 1
    for index, (column, edges) in enumerate(zip(columns.T, knots.T, strict=True)):
        first, end = np.searchsorted(edges, column, "left"), np.searchsorted(edges, column, "right")
        low, high = 0.5 * edges[np.maximum(first - 1, 0)], 0.5 * edges[np.minimum(first, last)]
        width = high - low
        within = np.divide(0.5 * column - low, width, out=np.ones(len(column)), where=width > _NARROW)
        between = np.clip(first - 1 + within, 0, last)
        ranks[:, index] = np.where(end > first, 0.5 * (first + end - 1), between)
    return ranks


class Standardize(Preprocessing):
    """(x − mean) / scale per column, with the standard deviation over the training set as scale.

    The scale of a constant column is 1, also if its variance is only rounding error, by the bound of scikit-learn's
    StandardScaler (Chan, Golub and LeVeque 1983).
    """

    learned = ("mean", "scale")
    invertible = True
    keeps_order = True
    keeps_last_bit = True
    fits_views = True
    type: Literal["standardize"] = "standardize"

    def fit(self, columns: Columns, weight: Weight = None, texts: Texts | None = None) -> tuple[Self, Learned]:
        blocks = [self._moments(block, weight) for block in float64_blocks(columns)]
        mean, scale = (np.concatenate(parts) for parts in zip(*blocks, strict=True))
        return self, {"mean": mean, "scale": scale}

    def _moments(self, columns: NDArray[np.float64], weight: Weight) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return mean and scale of some of the columns."""
        rows, blocks = len(columns), row_blocks(columns)
        shares = [1.0] * len(blocks) if weight is None else [part[:, None] for part in row_blocks(weight)]
        total = rows if weight is None else weight.sum()
        mean = sum((share * block).sum(0) for share, block in zip(shares, blocks, strict=True)) / total
        squares = rest = np.zeros(columns.shape[1])
        for share, block in zip(shares, blocks, strict=True):
            difference = block - mean
            squares, rest = squares + (share * difference**2).sum(0), rest + (share * difference).sum(0)
        variance = (squares - rest**2 / total) / total  # the second term corrects the rounding error of the mean
        epsilon = float(np.finfo(np.float64).eps)
        constant = variance <= rows * epsilon * variance + (rows * mean * epsilon) ** 2
        constant &= np.isfinite(variance)  # an overflow is no rounding error
        return mean, np.where(constant, 1.0, np.sqrt(variance))

    def check(self, fitted: Fitted) -> None:
        super().check(fitted)
        self.require(bool(np.all(fitted["scale"])), "scale is 0")

    def apply(self, columns: Any, fitted: Fitted) -> Any:
        return (columns - fitted["mean"]) / fitted["scale"]

    def invert(self, columns: Any, fitted: Fitted) -> Any:
        return columns * fitted["scale"] + fitted["mean"]


class _Shifted(Preprocessing):
    """(x − origin) · scale, with a scale of 0 for a constant column; origin and scale are learned."""

    invertible = True
    keeps_order = True
    keeps_last_bit = True
    fits_views = True

    def check(self, fitted: Fitted) -> None:
        super().check(fitted)
        self.require(bool(np.all(fitted["scale"] >= 0)), "scale is negative")

    def apply(self, columns: Any, fitted: Fitted) -> Any:
        return (columns - fitted[self.learned[0]]) * fitted["scale"]

    def invert(self, columns: Any, fitted: Fitted) -> Any:
        with np.errstate(divide="ignore"):
            width = where(greater(fitted["scale"], 0.0), 1 / fitted["scale"], 0.0)
        return columns * width + fitted[self.learned[0]]


class Robust(_Shifted):
    """(x − median) · s per column, where s is 1/(q75 − q25), or 2/(max − min) if both quartiles are equal.

    A constant column becomes 0. Outliers move neither the median nor the quartiles (RealMLP, Holzmüller et al. 2024;
    scikit-learn's RobustScaler leaves a column with equal quartiles unscaled).
    """

    learned = ("center", "scale")
    type: Literal["robust"] = "robust"

    def fit(self, columns: Columns, weight: Weight = None, texts: Texts | None = None) -> tuple[Self, Learned]:
        fives = np.array([quantiles(*cells, parts=4) for cells in present_cells(columns, weight)]).reshape(-1, 5)
        least, low, center, high, largest = fives.T
        scale = _inverse(high - low)
        return self, {"center": center.copy(), "scale": np.where(scale == 0, _inverse((largest - least) / 2), scale)}


class Minmax(_Shifted):
    """(x − min)/(max − min) per column: the training rows lie in [0, 1]. A constant column becomes 0."""

    learned = ("minimum", "scale")
    type: Literal["minmax"] = "minmax"

    def fit(self, columns: Columns, weight: Weight = None, texts: Texts | None = None) -> tuple[Self, Learned]:
        least, largest = _range(columns, weight)
        return self, {"minimum": least, "scale": _inverse(largest - least)}


class ClipColumns(Preprocessing):
    """min(max(x, least), largest) per column, by the least and largest number of the training set, or by set bounds.

    As target_preprocessing it keeps predictions within the range of the training targets, or within the bounds.
    """

    learned = ("minimum", "maximum")
    invertible = True
    keeps_order = True
    keeps_last_bit = True
    fits_views = True
    type: Literal["clip"] = "clip"
    least: float | None = Field(None, description="lower bound of all columns; default: that of the training set")
    largest: float | None = Field(None, description="upper bound of all columns; default: that of the training set")

    def problems(self) -> Iterator[FieldProblem]:
        if self.least is not None and self.largest is not None and self.largest <= self.least:
            yield FieldProblem(("largest",), f"expected a number above least, {self.least:g}")

    def fit(self, columns: Columns, weight: Weight = None, texts: Texts | None = None) -> tuple[Self, Learned]:
        least, largest = _range(columns, weight)
        if self.least is not None:
            least, largest = np.full_like(least, self.least), np.maximum(largest, self.least)
        if self.largest is not None:
            least, largest = np.minimum(least, self.largest), np.full_like(largest, self.largest)
        return self, {"minimum": least, "maximum": largest}

    def check(self, fitted: Fitted) -> None:
        super().check(fitted)
        self.require(bool(np.all(fitted["minimum"] <= fitted["maximum"])), "minimum is above maximum")

    def apply(self, columns: Any, fitted: Fitted) -> Any:
        return within(columns, fitted["minimum"], fitted["maximum"])

    def invert(self, columns: Any, fitted: Fitted) -> Any:
        return self.apply(columns, fitted)


def _range(columns: Columns, weight: Weight) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the least and the largest number of each column (columns,)."""
    ends = np.array([(cells.min(), cells.max()) for cells, _ in present_cells(columns, weight)]).reshape(-1, 2)
    return ends[:, 0].copy(), ends[:, 1].copy()


def _inverse(width: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return 1/width, 0 for a width so small that there is no such number, and NaN for one that is not finite."""
    with np.errstate(divide="ignore", over="ignore"):
        inverse = 1 / width
    return np.where(np.isfinite(width), np.where(np.isfinite(inverse), inverse, 0.0), np.nan)
