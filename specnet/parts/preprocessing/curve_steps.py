"""Steps that apply the same curve to the numbers of every column; they have no learned arrays."""

from typing import Any, Literal, Self

from pydantic import Field

from specnet.parts.fields import PositiveNumber
from specnet.parts.preprocessing.base import Columns, Fitted, Learned, Preprocessing, Texts, Weight
from specnet.parts.preprocessing.column_operations import absolute, exp, expm1, log1p, sign, sqrt, with_slope, within

_FAR = 1e100
"""From this r on, √(1 + r²) equals r in float64; r² does not overflow yet."""
_NEAR_ONE = 0.999
"""Largest fraction of the limit that is inverted; larger numbers are reduced to it first."""


class _Curve(Preprocessing):
    """A step without learned arrays."""

    keeps_order = True
    fits_views = True

    def fit(self, columns: Columns, weight: Weight = None, texts: Texts | None = None) -> tuple[Self, Learned]:
        return self, {}


class SmoothClip(_Curve):
    """x/√(1 + (x/limit)²): nearly x around 0, and always within ±limit (RealMLP, Holzmüller et al. 2024)."""

    type: Literal["smooth_clip"] = "smooth_clip"
    limit: PositiveNumber = Field(3.0, description="bound that outputs approach")

    def apply(self, columns: Any, fitted: Fitted) -> Any:
        ratio = within(columns / self.limit, -_FAR, _FAR)
        return ratio / sqrt(1 + ratio * ratio) * self.limit

    def invert(self, columns: Any, fitted: Fitted) -> Any:
        ratio = within(columns / self.limit, -_NEAR_ONE, _NEAR_ONE)
        return ratio / sqrt(1 - ratio * ratio) * self.limit


class Log(_Curve):
    """sign(x) · log(1 + |x|): the logarithm of large numbers of either sign, and nearly x around 0."""

    invertible = True
    type: Literal["log"] = "log"

    def apply(self, columns: Any, fitted: Fitted) -> Any:
        made = sign(columns) * log1p(absolute(columns))
        return with_slope(made, columns, lambda: 1 / (1 + absolute(columns)))  # that of the formula is 0 at 0

    def invert(self, columns: Any, fitted: Fitted) -> Any:
        return with_slope(sign(columns) * expm1(absolute(columns)), columns, lambda: exp(absolute(columns)))
