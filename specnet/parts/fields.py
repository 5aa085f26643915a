"""The kinds of numbers and names that fields of parts and documents hold.

A value is never converted without a word: ``true`` is no 1 and ``"3"`` is no 3. An integral float counts as an
integer (``1e3``), and an integer as a float.
"""

from typing import Annotated, Any

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BeforeValidator, StringConstraints


def _integral(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


Integer = Annotated[int, BeforeValidator(_integral)]
PositiveInteger = Annotated[Integer, Ge(1)]
NonNegativeInteger = Annotated[Integer, Ge(0)]
Seed = Annotated[Integer, Ge(0), Le(2**32 - 1)]

PositiveNumber = Annotated[float, Gt(0)]
NonNegativeNumber = Annotated[float, Ge(0)]
Fraction = Annotated[float, Ge(0), Lt(1)]
Share = Annotated[float, Ge(0), Le(1)]

SpecName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$")]
LayerName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
