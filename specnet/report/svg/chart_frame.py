"""The rectangle of a chart that data are drawn in, and the axes around it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from specnet.report.svg.axes import Axis
from specnet.report.svg.markup import TEXT_SIZE, label, number, shortened, text_width

EDGE = 4.0
"""Units around a picture without axes."""
LABEL_SIZE = 11.5
TICK_GAP = 8.0
"""Units between the texts of two ticks, at least."""
ROW = 30.0
"""Units between two ticks along y, at least."""
MOST_ALONG_X = 6
MOST_FOR_TICKS = 0.45
"""Fraction of the width that texts along y may take."""

Vector = NDArray[np.float64]


@dataclass(frozen=True)
class Frame:
    """A rectangle, in units from the chart's upper left corner.

    Attributes
    ----------
    left, right, top, bottom : float
    reverse : bool
        Whether y goes down, as for names.
    """

    left: float
    right: float
    top: float
    bottom: float
    reverse: bool = False

    @property
    def width(self) -> float:
        """Its width in units."""
        return self.right - self.left

    @property
    def height(self) -> float:
        """Its height in units."""
        return self.bottom - self.top

    def across(self, positions: Vector) -> Vector:
        """Return units from the left for positions along x, 0 to 1."""
        return self.left + positions * self.width

    def down(self, positions: Vector) -> Vector:
        """Return units from the top for positions along y, 0 to 1."""
        return self.top + (positions if self.reverse else 1 - positions) * self.height

    def attributes(self) -> str:
        """Return place and size as attributes."""
        place = f'x="{number(self.left)}" y="{number(self.top)}"'
        return f'{place} width="{number(self.width)}" height="{number(self.height)}"'

    def outline(self) -> str:
        """Return the rectangle itself."""
        return f'<rect class="frame" {self.attributes()}/>'


def bare_frame(width: float, height: float) -> Frame:
    """Return the frame of a chart without axes."""
    return Frame(EDGE, width - EDGE, EDGE, height - EDGE)


def frame_with_axes(x: Axis, y: Axis, width: float, height: float, right: float) -> tuple[Frame, str]:
    """Return the frame of a chart and the markup of its axes.

    Parameters
    ----------
    x, y : Axis
    width, height : float
        Size of the chart in units.
    right : float
        Units that are left free on the right.
    """
    top, bottom = 22.0 if y.label else 10.0, height - (36.0 if x.label else 22.0)
    ticks, room = _ticks_along_y(y, bottom - top), MOST_FOR_TICKS * width
    left = max([text_width(shortened(text, room)) for _, text in ticks], default=0.0) + 10
    frame = Frame(left, max(width - right, left + 20), top, bottom, bool(y.names))
    drawn = []
    for value, text in ticks:
        place = float(frame.down(y.positions([value]))[0])
        if not y.names:
            drawn.append(f'<path class="grid" d="M{number(frame.left)} {number(place)}H{number(frame.right)}"/>')
        drawn.append(label(text, frame.left - 6, place + 0.35 * TEXT_SIZE, anchor="end", room=room))
    along_x, room = _ticks_along_x(x, frame, width)
    for place, text in along_x:
        drawn.append(label(text, place, frame.bottom + 15, anchor="middle", room=room))
    if x.label:
        drawn.append(label(x.label, frame.right, height - 4, "axis-label", "end", frame.right - EDGE))
    if y.label:
        start = max(min(frame.left, width - EDGE - text_width(y.label, LABEL_SIZE)), EDGE)
        drawn.append(label(y.label, start, 11, "axis-label", room=width - 2 * EDGE))
    return frame, "".join(drawn)


def _ticks_along_y(axis: Axis, height: float) -> list[tuple[float, str]]:
    if axis.names:
        stride = -(-len(axis.names) * LABEL_SIZE // height)
        return axis.ticks(len(axis.names))[:: max(int(stride), 1)]
    return axis.ticks(max(int(height / ROW), 2))


def _ticks_along_x(axis: Axis, frame: Frame, width: float) -> tuple[list[tuple[float, str]], float]:
    """Return middles and texts of the ticks, as many as fit beside each other, and the room for each."""
    if axis.names:
        cell = frame.width / len(axis.names)
        stride = max(int(-(-2 * TEXT_SIZE // cell)), 1)
        room = max(cell * stride - TICK_GAP / 2, TEXT_SIZE)
        return _placed(axis, axis.ticks(len(axis.names))[::stride], frame, width, room), room
    for most in range(MOST_ALONG_X, 1, -1):
        placed = _placed(axis, axis.ticks(most), frame, width, width)
        edges = [(place - text_width(text) / 2, place + text_width(text) / 2) for place, text in placed]
        if all(end + TICK_GAP <= start for (_, end), (start, _) in pairwise(edges)):
            return placed, width
    return _placed(axis, axis.ticks(1), frame, width, width)[:1], width


def _placed(
    axis: Axis, ticks: Sequence[tuple[float, str]], frame: Frame, width: float, room: float
) -> list[tuple[float, str]]:
    halves = [text_width(shortened(text, room)) / 2 for _, text in ticks]
    places = frame.across(axis.positions([value for value, _ in ticks])).tolist()
    inner = (min(max(place, half + 2), width - half - 2) for place, half in zip(places, halves, strict=True))
    return list(zip(inner, (text for _, text in ticks), strict=True))
