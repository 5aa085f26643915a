"""The step that splits points in time into days and cycles."""

from collections.abc import Sequence
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from specnet.parts.arrays import pieces
from specnet.parts.fields import Counts
from specnet.parts.preprocessing.base import Columns, Fitted, Learned, Preprocessing, Texts, Weight
from specnet.parts.preprocessing.column_operations import cos, equal, floor, greater, joined, picked, sin, where

_WEEKDAY, _CYCLE_OF_YEARS = "weekday", "cycle of years"
_CYCLES = ("day of year", _WEEKDAY, "time of day")
_THURSDAY = 3
"""The weekday of 1970-01-01, Monday being 0."""
_BEFORE_1970 = 719_468
"""Days from 0000-03-01, where 400 years of the calendar begin, to 1970-01-01."""
_IN_400_YEARS = 146_097
_FROM_MARCH = 306
"""Days from March to the end of the year."""


class Calendar(Preprocessing):
    """Days since 1970, then sin(2πc) and cos(2πc) of each cycle c: day of year, weekday and time of day.

    Columns are days since 1970-01-01 UTC, with the time of day as a fraction. A cycle is a fraction too: whole days
    since January 1 over the days of that year, whole days since Monday over 7, hours over 24. Of each column only those
    cycles are used that vary over the training rows. All columns come first, then the sines and the cosines of the day
    of year of those that keep it, then those of the weekday and of the time of day. A missing cell stays missing.
    """

    learned = ("kept",)
    takes = frozenset({"datetime"})
    takes_missing = True
    fits_views = True
    fixed = frozenset(learned)
    type: Literal["calendar"] = "calendar"
    counts: Counts | None = Field(
        None, description="number of columns made of each column; found when the step is fitted"
    )

    def output_size(self, columns: int) -> int | None:
        return None if self.counts is None else sum(self.counts)

    def input_size(self, outputs: int) -> int:
        return outputs if self.counts is None else len(self.counts)

    def shapes(self, columns: int) -> dict[str, tuple[int | None, ...]]:
        return {"kept": (len(_CYCLES), columns)}

    def named(self, columns: Sequence[str], fitted: Fitted) -> list[str]:
        made = list(columns)
        for cycle, used in zip(_CYCLES, fitted["kept"], strict=True):
            # On one day of all years, such as January 1, the weekday only counts years.
            names = [_CYCLE_OF_YEARS if cycle == _WEEKDAY and not varies else cycle for varies in fitted["kept"][0]]
            for wave in ("sine", "cosine"):
                made += [f"{columns[index]}: {wave} of {names[index]}" for index in np.flatnonzero(used).tolist()]
        return made

    def fit(self, columns: Columns, weight: Weight = None, texts: Texts | None = None) -> tuple[Self, Learned]:
        ends = np.full((2, len(_CYCLES), columns.shape[1]), [[[np.inf]], [[-np.inf]]])
        for piece in pieces(columns):
            some = columns[piece].astype(np.float64, copy=False)
            if weight is not None:
                some = some[weight[piece] > 0]
            for index, cycle in enumerate(_cycles(some)):
                np.minimum(ends[0, index], np.fmin.reduce(cycle, initial=np.inf), out=ends[0, index])
                np.maximum(ends[1, index], np.fmax.reduce(cycle, initial=-np.inf), out=ends[1, index])
        used = ends[0] < ends[1]
        return self.model_copy(update={"counts": _counts(used)}), {"kept": used.astype(np.float64)}

    def check(self, fitted: Fitted) -> None:
        used = fitted["kept"]
        self.require(bool(np.isin(used, (0, 1)).all()), "kept is neither 0 nor 1")
        self.require(_counts(used) == self.counts, f"counts are {self.counts}, but kept says {_counts(used)}")

    def apply(self, columns: Any, fitted: Fitted) -> Any:
        made = [columns]
        for cycle, used in zip(_cycles(columns), fitted["kept"], strict=True):
            if used.any():
                angle = 2 * np.pi * picked(cycle, np.flatnonzero(used).tolist())
                made += [sin(angle), cos(angle)]
        return joined(*made)

    def trained_gaps(self, fitted: Fitted) -> tuple[int, ...] | None:
        return None

    def invert(self, columns: Any, fitted: Fitted) -> Any:
        return picked(columns, range(fitted["kept"].shape[1]))


def _counts(used: NDArray[Any]) -> tuple[int, ...]:
    """Return the number of columns that each column becomes, given which cycles are used."""
    return tuple(1 + 2 * int(count) for count in used.sum(0))


def _cycles(columns: Any) -> tuple[Any, Any, Any]:
    """Return the position of points in time within each cycle, from 0 to 1."""
    days = floor(columns)
    weekday = days + _THURSDAY
    return _of_year(days), (weekday - 7 * floor(weekday / 7)) / 7, columns - days


def _of_year(days: Any) -> Any:
    """Return the whole days since January 1 over the days of the year, by Hinnant's algorithm for civil dates.

    The algorithm's years begin in March, so that the leap day is the last day; they repeat after 400 years.
    """
    days = days + _BEFORE_1970
    days = days - _IN_400_YEARS * floor(days / _IN_400_YEARS)
    year = floor((days - floor(days / 1460) + floor(days / 36524) - floor(days / 146096)) / 365)
    since_march = days - (365 * year + floor(year / 4) - floor(year / 100))
    next_year = where(greater(_FROM_MARCH, since_march), 0.0, 1.0)
    leap = _divides(4, year + next_year) - _divides(100, year + next_year) + _divides(400, year + next_year)
    return (since_march + 365 - _FROM_MARCH + leap) / (365 + leap) - next_year


def _divides(divisor: int, years: Any) -> Any:
    """Return 1 for years that are divisible by a number, else 0."""
    return where(equal(divisor * floor(years / divisor), years), 1.0, 0.0)
