"""Steps that bend numbers, the same for every column: they learn nothing."""

from typing import Any, Literal, Self

from pydantic import Field

from specnet.parts.fields import PositiveNumber
from specnet.parts.preprocessing.base import Columns, Fitted, Learned, Preprocessing, Texts, Weight
from specnet.parts.preprocessing.column_operations import absolute, expm1, log1p, sign, sqrt, within

_FAR = 1e100
"""From here on √(1 + r²) is r to the last digit, and r² still a number."""
_NEAR_ONE = 0.999
"""How near to its limit a number is taken to be that none can reach."""


class _Curve(Preprocessing):
    """A step that learns nothing."""

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
        return sign(columns) * log1p(absolute(columns))

    def invert(self, columns: Any, fitted: Fitted) -> Any:
        return sign(columns) * expm1(absolute(columns))
