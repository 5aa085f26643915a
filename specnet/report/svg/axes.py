"""The axes of a chart: ranges, positions of values, ticks, and the frame between the axes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from specnet.number_texts import day_text, power_texts, rounded, tick_texts
from specnet.report.svg.markup import TEXT_SIZE, label, number, shortened, text_width

LARGEST = 1e300
"""Values of larger size are left out, so that differences between values are finite."""
SMALLEST_SPAN = 1e-12
"""Smallest span of a range, as a fraction of its largest value; a narrower range is drawn like a single value."""
EDGE = 4.0
"""Margin around a picture without axes."""
NEARLY = 0.1
"""An axis of percentages that ends at least this near to 100 %, as a fraction of its range, ends there."""
LABEL_SIZE = 11.5
TICK_GAP = 8.0
"""Minimum distance between the texts of two ticks along x."""
ROW = 30.0
"""Minimum distance between two ticks along y."""
MAX_ALONG_X = 6
MARGIN = 20.0
"""Height of a margin below the frame for points without a value."""
MAX_FOR_TICKS = 0.45
"""Maximum width of texts along y, as a fraction of the chart's width."""

Unit = Literal["number", "whole", "percent", "year", "day"]
"""What the values of an axis are: numbers, whole numbers such as epochs, fractions whose ticks are in percent, years,
or days since 1970, whose ticks are dates."""
FIRST_YEAR, LAST_YEAR = 1800, 2100
"""Whole numbers in this range are written like years: without groups of digits, and with whole numbers between them."""
MONTHS = (1, 3, 6, 12, 24, 60, 120, 240, 600, 1200)
"""Distances between dates on an axis, in months."""
DAYS = (1, 2, 7, 14)
"""Smaller distances between dates, in days."""

Vector = NDArray[np.float64]


def unit_of(values: ArrayLike) -> Unit:
    """Return whether values are years, which are whole numbers from 1800 to 2100, other whole numbers, or numbers."""
    known = np.asarray(values, np.float64)
    known = known[np.isfinite(known)]
    if not known.size or (known != np.floor(known)).any():
        return "number"
    return "year" if known.min() >= FIRST_YEAR and known.max() <= LAST_YEAR else "whole"


def shown_values(values: ArrayLike, log: bool = False) -> NDArray[np.bool_]:
    """Return a mask of the values that a chart can show: finite and, on a logarithmic axis, positive values."""
    array = np.asarray(values, np.float64)
    with np.errstate(invalid="ignore"):
        shown: NDArray[np.bool_] = np.abs(array) <= LARGEST
        return shown & (array > 0) if log else shown


@dataclass(frozen=True)
class Axis:
    """An axis: a linear or logarithmic range of values, or a list of names.

    Attributes
    ----------
    low, high : float
        Ends of the range, low < high; positive for a logarithmic axis. Names are at 0, 1, ….
    label : str
        Label of the axis.
    log : bool
        Whether the axis is logarithmic.
    names : tuple of str
        Names at the ticks instead of numbers.
    unit : {"number", "whole", "percent", "year", "day"}
        What the values of a linear axis are.
    """

    low: float
    high: float
    label: str = ""
    log: bool = False
    names: tuple[str, ...] = ()
    unit: Unit = "number"

    @classmethod
    def over(
        cls,
        *values: ArrayLike,
        label: str = "",
        log: bool = False,
        margin: float = 0.0,
        zero: bool = False,
        unit: Unit = "number",
    ) -> Axis:
        """Return an axis that covers all finite values, on a logarithmic axis all positive ones.

        Parameters
        ----------
        *values : array_like
            Values to cover.
        label : str
            Label of the axis.
        log : bool
            Whether the axis is logarithmic.
        margin : float
            Space at both ends, as a fraction of the range.
        zero : bool
            Whether a linear axis of positive values may start at 0. It does if less than a third of the axis is then
            empty.
        unit : {"number", "whole", "percent", "year", "day"}
            What the values are.
        """
        present = np.concatenate([np.zeros(0), *(np.asarray(array, np.float64).ravel() for array in values)])
        present = present[shown_values(present, log)]
        if not present.size:
            return cls(1.0 if log else 0.0, 10.0 if log else 1.0, label, log)
        low, high = float(present.min()), float(present.max())
        if log and high / low < 1.02:
            return cls(max(low / 2, 5e-324), high * 2, label, True)
        if log:
            ratio = (high / low) ** margin if high / low < LARGEST else 10.0
            return cls(max(low / ratio, 5e-324), high * ratio, label, True)
        if high - low <= max(SMALLEST_SPAN * max(abs(low), abs(high)), 1e-290):
            space = 1.0 if unit in ("whole", "year", "day") else 0.1 * max(abs(low), abs(high)) or 1.0
            return cls(low - max(space, 1e-280), high + max(space, 1e-280), label, unit=unit)
        starts_at_zero = zero and 0 < low < high / 3
        space = margin * (high - low)
        if unit == "percent" and 1 - NEARLY * (high - low) < high <= 1:
            high = 1.0  # otherwise an axis up to 99 % would have no tick at its end
        return cls(0.0 if starts_at_zero else low - space, high + space, label, unit=unit)

    @classmethod
    def of_names(cls, names: Iterable[str], label: str = "") -> Axis:
        """Return an axis of names: intervals of width 1 around 0, 1, ….

        On a y axis the first name is at the top.
        """
        shown = tuple(names) or ("",)
        return cls(-0.5, len(shown) - 0.5, label, False, shown)

    def positions(self, values: ArrayLike) -> NDArray[np.float64]:
        """Return the positions of values on the axis, 0 at the low and 1 at the high end; NaN if not shown."""
        array = np.asarray(values, np.float64)
        shown = shown_values(array, self.log)
        if self.log:
            low, high = math.log10(self.low), math.log10(self.high)
            scaled = np.log10(np.where(shown, array, 1.0))
        else:
            low, high, scaled = self.low, self.high, np.where(shown, array, 0.0)
        return np.where(shown, (scaled - low) / (high - low), np.nan)

    def ticks(self, most: int) -> list[tuple[float, str]]:
        """Return ticks in ascending order, at most `most`, as pairs of a value and its text."""
        if self.names:
            return list(enumerate(self.names))
        if self.log:
            low, high = math.log10(self.low), math.log10(self.high)
            exponents = range(max(math.ceil(low - 1e-9), -323), math.floor(high + 1e-9) + 1)
            # Two powers of ten alone could be the labels of a linear axis.
            for digits in ((1, 2, 5), (1, 3)) if len(exponents) < 3 else ():
                round_ones = (float(f"{n}e{k}") for k in range(math.floor(low), math.ceil(high) + 1) for n in digits)
                values = [value for value in round_ones if self.low <= value <= self.high]
                if 2 <= len(values) <= most:
                    return [(value, rounded(value)) for value in values]
            if len(exponents) > 1:
                chosen = exponents[:: math.ceil(len(exponents) / max(most, 1))]
                return [(float(f"1e{k}"), text) for k, text in zip(chosen, power_texts(chosen), strict=True)]
        if self.unit == "day":
            return self._dates(most)
        values = self._round_values(most)
        scale = 100 if self.unit == "percent" else 1
        texts = [f"{value:.0f}" for value in values] if self.unit == "year" else tick_texts([scale * v for v in values])
        return list(zip(values, texts, strict=True))

    def _dates(self, most: int) -> list[tuple[float, str]]:
        """Return days at the beginning of years, of months or in between, as the first distance that is few enough."""
        low, high = math.ceil(self.low - 1e-9), math.floor(self.high + 1e-9)
        for step in DAYS:
            if high // step - (low - 1) // step <= most:
                return [(float(day), day_text(day)) for day in range(-(-low // step) * step, high + 1, step)]
        first, last = (int(np.datetime64(day, "D").astype("datetime64[M]").astype(int)) for day in (low - 1, high))
        for step in MONTHS:
            months = range((first // step + 1) * step, last + 1, step)
            if len(months) <= most:
                days = [float(np.datetime64(month, "M").astype("datetime64[D]").astype(int)) for month in months]
                return [(day, day_text(day)[: 7 if step % 12 else 4]) for day in days]
        return []

    def _round_values(self, most: int) -> list[float]:
        span = self.high - self.low
        exponent = math.floor(math.log10(span / max(most, 1)))
        for power in (exponent, exponent + 1):
            for digits in ("1", "2", "2.5", "5"):
                step = float(f"{digits}e{power}")
                if self.unit in ("whole", "year") and step != int(step):
                    continue
                first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
                if last - first + 1 <= most:
                    # Multiples of a decimal step, rounded to the decimals of the step.
                    return [float(f"{k * step:.{max(2 - power, 0)}f}") for k in range(first, last + 1)]
        return []


@dataclass(frozen=True)
class Frame:
    """A rectangle in SVG units from the chart's upper left corner.

    Attributes
    ----------
    left, right, top, bottom : float
    reverse : bool
        Whether positions along y increase downwards, as for names.
    """

    left: float
    right: float
    top: float
    bottom: float
    reverse: bool = False

    @property
    def width(self) -> float:
        """Width of the rectangle."""
        return self.right - self.left

    @property
    def height(self) -> float:
        """Height of the rectangle."""
        return self.bottom - self.top

    def across(self, positions: Vector) -> Vector:
        """Return x coordinates for positions from 0 to 1 along the x axis."""
        return self.left + positions * self.width

    def down(self, positions: Vector) -> Vector:
        """Return y coordinates for positions from 0 to 1 along the y axis."""
        return self.top + (positions if self.reverse else 1 - positions) * self.height

    def attributes(self) -> str:
        """Return position and size as SVG attributes."""
        corner = f'x="{number(self.left)}" y="{number(self.top)}"'
        return f'{corner} width="{number(self.width)}" height="{number(self.height)}"'

    def outline(self) -> str:
        """Return the rectangle as an SVG element."""
        return f'<rect class="frame" {self.attributes()}/>'


def frame_with_axes(x: Axis, y: Axis, width: float, height: float, right: float, margin: str = "") -> tuple[Frame, str]:
    """Return the frame of a chart and the markup of its axes.

    Parameters
    ----------
    x, y : Axis
    width, height : float
        Size of the chart in units.
    right : float
        Width that is left free on the right.
    margin : str
        Name of a margin between the frame and the x axis; without a name there is none.
    """
    free = MARGIN if margin else 0.0
    top, bottom = 22.0 if y.label else 10.0, height - (36.0 if x.label else 22.0) - free
    ticks, available = _ticks_along_y(y, bottom - top), MAX_FOR_TICKS * width
    left = (
        max((text_width(shortened(text, available)) for text in [*(text for _, text in ticks), margin]), default=0) + 10
    )
    frame = Frame(left, max(width - right, left + 20), top, bottom, bool(y.names))
    drawn = []
    for value, text in ticks:
        y_middle = float(frame.down(y.positions([value]))[0])
        if not y.names:
            drawn.append(f'<path class="grid" d="M{number(frame.left)} {number(y_middle)}H{number(frame.right)}"/>')
        drawn.append(label(text, frame.left - 6, y_middle + 0.35 * TEXT_SIZE, anchor="end", max_width=available))
    along_x, available = _ticks_along_x(x, frame, width)
    for middle, text in along_x:
        drawn.append(label(text, middle, frame.bottom + free + 15, anchor="middle", max_width=available))
    if margin:
        drawn.append(f'<path class="grid" d="M{number(frame.left)} {number(frame.bottom + 2)}H{number(frame.right)}"/>')
        drawn.append(label(margin, frame.left - 6, frame.bottom + free / 2 + 0.35 * TEXT_SIZE, anchor="end"))
    if x.label:
        drawn.append(label(x.label, frame.right, height - 4, "axis-label", "end", frame.right - EDGE))
    if y.label:
        start = max(min(frame.left, width - EDGE - text_width(y.label, LABEL_SIZE)), EDGE)
        drawn.append(label(y.label, start, 11, "axis-label", max_width=width - 2 * EDGE))
    return frame, "".join(drawn)


def fit_along_x(names: Sequence[str], width: float, right: float) -> bool:
    """Return whether names fit beside each other along x in a chart of this width with the same names along y.

    `right` is the width that is left free on the right.
    """
    left = min(max(map(text_width, names)), MAX_FOR_TICKS * width) + 10
    _, available = _stride(names, width - right - left)
    return all(text_width(name) <= available for name in names)


def _stride(names: Sequence[str], width: float) -> tuple[int, float]:
    """Return the distance between names that are shown along x, and the maximum width of each."""
    cell, widest = width / len(names), max(map(text_width, names))
    stride = max(math.ceil(min(widest + TICK_GAP / 2, 2 * TEXT_SIZE) / cell), 1)
    return stride, max(cell * stride - TICK_GAP / 2, TEXT_SIZE)


def _ticks_along_y(axis: Axis, height: float) -> list[tuple[float, str]]:
    if axis.names:
        stride = -(-len(axis.names) * LABEL_SIZE // height)
        return axis.ticks(len(axis.names))[:: max(int(stride), 1)]
    return axis.ticks(max(int(height / ROW), 2))


def _ticks_along_x(axis: Axis, frame: Frame, width: float) -> tuple[list[tuple[float, str]], float]:
    """Return the ticks that fit beside each other, as middle and text, and the maximum width of a text."""
    if axis.names:
        stride, available = _stride(axis.names, frame.width)
        return _placed(axis, axis.ticks(len(axis.names))[::stride], frame, width, available), available
    for most in range(MAX_ALONG_X, 1, -1):
        placed = _placed(axis, axis.ticks(most), frame, width, width)
        edges = [(middle - text_width(text) / 2, middle + text_width(text) / 2) for middle, text in placed]
        if all(end + TICK_GAP <= start for (_, end), (start, _) in pairwise(edges)):
            return placed, width
    return _placed(axis, axis.ticks(1), frame, width, width)[:1], width


def _placed(
    axis: Axis, ticks: Sequence[tuple[float, str]], frame: Frame, width: float, available: float
) -> list[tuple[float, str]]:
    halves = [text_width(shortened(text, available)) / 2 for _, text in ticks]
    middles = frame.across(axis.positions([value for value, _ in ticks])).tolist()
    inner = (min(max(middle, half + 2), width - half - 2) for middle, half in zip(middles, halves, strict=True))
    return list(zip(inner, (text for _, text in ticks), strict=True))
