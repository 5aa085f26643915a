"""An axis of a chart: its range, where values lie in it, and its ticks."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from specnet.number_texts import power_texts, rounded, tick_texts

LARGEST = 1e300
"""Values beyond are left out, so that differences between values are finite."""
SMALLEST_SPAN = 1e-12
"""A range that is narrower, as a fraction of its largest value, is shown as a single value."""


def shown_values(values: ArrayLike, log: bool = False) -> NDArray[np.bool_]:
    """Return which values a chart can show: finite ones, on a logarithmic axis positive ones."""
    array = np.asarray(values, np.float64)
    with np.errstate(invalid="ignore"):
        shown: NDArray[np.bool_] = np.abs(array) <= LARGEST
        return shown & (array > 0) if log else shown


@dataclass(frozen=True)
class Axis:
    """A range of values, linear or logarithmic, or a row of names.

    Attributes
    ----------
    low, high : float
        The range, low < high, positive for a logarithmic axis. Names lie at 0, 1, ….
    label : str
        What the values are.
    log : bool
        Whether equal ratios are equally far apart.
    names : tuple of str
        Names in place of numbers at the ticks.
    """

    low: float
    high: float
    label: str = ""
    log: bool = False
    names: tuple[str, ...] = ()

    @classmethod
    def over(
        cls, *values: ArrayLike, label: str = "", log: bool = False, margin: float = 0.0, zero: bool = False
    ) -> Axis:
        """Return an axis over all values that can be shown; NaN and infinities are left out.

        Parameters
        ----------
        *values : array_like
            What the axis shows; single numbers to extend it.
        label, log
            As for the class.
        margin : float
            Room at both ends, as a fraction of the range.
        zero : bool
            Start a linear axis of positive values at 0 if less than a third of it stays empty.
        """
        present = np.concatenate([np.zeros(0), *(np.asarray(array, np.float64).ravel() for array in values)])
        present = present[shown_values(present, log)]
        if not present.size:
            return cls(1.0 if log else 0.0, 10.0 if log else 1.0, label, log)
        low, high = float(present.min()), float(present.max())
        if log:
            return cls._logarithmic(low, high, label, margin)
        if high - low <= max(SMALLEST_SPAN * max(abs(low), abs(high)), 1e-290):
            room = 0.1 * max(abs(low), abs(high)) or 1.0
            return cls(low - max(room, 1e-280), high + max(room, 1e-280), label)
        starts_at_zero = zero and 0 < low < high / 3
        room = margin * (high - low)
        return cls(0.0 if starts_at_zero else low - room, high + room, label)

    @classmethod
    def _logarithmic(cls, low: float, high: float, label: str, margin: float) -> Axis:
        if high / low < 1.02:
            return cls(max(low / 2, 5e-324), high * 2, label, True)
        ratio = (high / low) ** margin if high / low < LARGEST else 10.0
        return cls(max(low / ratio, 5e-324), high * ratio, label, True)

    @classmethod
    def of_names(cls, names: Iterable[str], label: str = "") -> Axis:
        """Return an axis with a place of width 1 for each name, at 0, 1, ….

        Along y the first name is at the top.
        """
        shown = tuple(names) or ("",)
        return cls(-0.5, len(shown) - 0.5, label, False, shown)

    def positions(self, values: ArrayLike) -> NDArray[np.float64]:
        """Return where values lie, 0 at the low end and 1 at the high end; NaN for those that cannot be shown."""
        array = np.asarray(values, np.float64)
        shown = shown_values(array, self.log)
        if self.log:
            low, high = math.log10(self.low), math.log10(self.high)
            scaled = np.log10(np.where(shown, array, 1.0))
        else:
            low, high, scaled = self.low, self.high, np.where(shown, array, 0.0)
        return np.where(shown, (scaled - low) / (high - low), np.nan)

    def ticks(self, most: int) -> list[tuple[float, str]]:
        """Return at most so many ticks in ascending order, as pairs of a value and its text."""
        if self.names:
            return list(enumerate(self.names))
        if self.log:
            low, high = math.log10(self.low), math.log10(self.high)
            exponents = range(max(math.ceil(low - 1e-9), -323), math.floor(high + 1e-9) + 1)
            round_ones = (float(f"{n}e{k}") for k in range(math.floor(low), math.ceil(high) + 1) for n in (1, 2, 5))
            values = [value for value in round_ones if self.low <= value <= self.high]
            if len(exponents) < 3 and 2 <= len(values) <= most:
                return [(value, rounded(value)) for value in values]
            if len(exponents) > 1:
                chosen = exponents[:: math.ceil(len(exponents) / max(most, 1))]
                return [(float(f"1e{k}"), text) for k, text in zip(chosen, power_texts(chosen), strict=True)]
        values = self._round_values(most)
        return list(zip(values, tick_texts(values), strict=True))

    def _round_values(self, most: int) -> list[float]:
        span = self.high - self.low
        exponent = math.floor(math.log10(span / max(most, 1)))
        for power in (exponent, exponent + 1):
            for digits in ("1", "2", "2.5", "5"):
                step = float(f"{digits}e{power}")
                first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
                if last - first + 1 <= most:
                    # Multiples of a decimal step, rounded to the step's own decimals.
                    return [float(f"{k * step:.{max(2 - power, 0)}f}") for k in range(first, last + 1)]
        return []
