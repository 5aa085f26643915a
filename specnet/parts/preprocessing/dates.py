"""The step that takes points in time apart."""

from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from specnet.parts.fields import Counts
from specnet.parts.preprocessing.base import Fitted, Learned, Preprocessing, Texts, float64_blocks

_CYCLES = 3
"""Day of year, weekday, time of day."""
_THURSDAY = 3
"""The weekday of 1970-01-01, Monday being 0."""
_FARTHEST = 1e9
"""Days beyond which the day of year is that of this day: NumPy's dates end somewhere."""


class Calendar(Preprocessing):
    """Days since 1970, then sin(2πc) and cos(2πc) of each cycle c: day of year, weekday and time of day.

    Columns are days since 1970-01-01 UTC, with the time of day as a fraction. A cycle is a fraction too: whole days
    since January 1 over the days of that year, whole days since Monday over 7, hours over 24. Only those cycles are
    kept that vary over the training rows. A missing cell stays missing.
    """

    learned = ("kept",)
    takes = frozenset({"datetime"})
    takes_missing = True
    exportable = False
    type: Literal["calendar"] = "calendar"
    counts: Counts | None = Field(None, description="number of columns made of each column; set by fitting")

    def output_size(self, columns: int) -> int | None:
        return None if self.counts is None else sum(self.counts)

    def shapes(self, columns: int) -> dict[str, tuple[int | None, ...]]:
        return {"kept": (_CYCLES, columns)}

    def fit(
        self, columns: NDArray[Any], weight: NDArray[np.float64] | None = None, texts: Texts | None = None
    ) -> tuple[Self, Learned]:
        if weight is not None:
            columns = columns[weight > 0]
        varies = [_varies(cycle) for block in float64_blocks(columns) for cycle in _cycles(block).transpose(2, 0, 1)]
        kept = np.array(varies, np.float64).reshape(-1, _CYCLES).T
        return self.model_copy(update={"counts": _counts(kept)}), {"kept": kept}

    def check(self, fitted: Fitted) -> None:
        kept = fitted["kept"]
        self.require(bool(np.isin(kept, (0, 1)).all()), "kept is neither 0 nor 1")
        self.require(_counts(kept) == self.counts, f"counts are {self.counts}, but kept says {_counts(kept)}")

    def apply(self, columns: Any, fitted: Fitted) -> Any:
        angles = 2 * np.pi * _cycles(columns)
        made = []
        for place, kept in enumerate(fitted["kept"].T):
            made.append(columns[:, place])
            for angle in angles[kept > 0, :, place]:
                made += [np.sin(angle), np.cos(angle)]
        return np.stack(made, axis=1)


def _counts(kept: NDArray[np.float64]) -> tuple[int, ...]:
    """Return how many columns are made of each column of which these cycles are kept."""
    return tuple(1 + 2 * int(count) for count in kept.sum(0))


def _varies(cycles: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which cycles (cycles, rows) have more than one number, missing ones apart."""
    present = cycles[:, ~np.isnan(cycles[0])]
    varies: NDArray[np.bool_] = (present != present[:, :1]).any(1)
    return varies


def _cycles(columns: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return where in each cycle points in time are, from 0 to 1: (cycles, rows, columns)."""
    missing = np.isnan(columns)
    days = np.floor(np.where(missing, 0.0, columns))
    date = days.clip(-_FARTHEST, _FARTHEST).astype(np.int64).astype("datetime64[D]")
    year = date.astype("datetime64[Y]")
    january, next_january = year.astype("datetime64[D]"), (year + 1).astype("datetime64[D]")
    of_year = (date - january) / (next_january - january)
    cycles = np.stack([of_year, (days + _THURSDAY) % 7 / 7, columns - days])
    return np.where(missing, np.nan, cycles)
