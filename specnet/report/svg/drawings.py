"""What charts draw in their frame: lines, marks, names at the ends of lines."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from specnet.report.svg.axes import Frame
from specnet.report.svg.markup import hover_text, label, number
from specnet.report.svg.style import CLASS_COUNT

MARKS = (
    "m-3.2 0a3.2 3.2 0 1 0 6.4 0 3.2 3.2 0 1 0-6.4 0z",
    "m0-4.2l4.2 4.2-4.2 4.2-4.2-4.2z",
    "m0-4l3.8 6.8h-7.6z",
    "m-3-3h6v6h-6z",
)
"""Marks of classes, as paths from the mark's middle: circle, diamond, triangle, square; further classes begin again."""
SMALL_MARKS = (
    "m-2 0a2 2 0 1 0 4 0 2 2 0 1 0-4 0z",
    "m0-2.6l2.6 2.6-2.6 2.6-2.6-2.6z",
    "m0-2.5l2.4 4.2h-4.8z",
    "m-1.9-1.9h3.8v3.8h-3.8z",
)
"""The same for pictures without axes."""
LINE_HEIGHT = 14.0
BOLD = 1.08
"""How much wider bold text is."""
TOLERANCE = 0.1
"""Units by which a simplified line may differ."""
FARTHEST = 20.0
"""Positions are held within so many frames of the frame, so that their texts are short."""

Vector = NDArray[np.float64]


def inside(positions: Vector) -> NDArray[np.bool_]:
    """Return which positions along an axis lie on it; NaN does not."""
    return (positions >= -1e-9) & (positions <= 1 + 1e-9)


def line(frame: Frame, across: Vector, up: Vector, style: str, title: str = "") -> str:
    """Return a line through positions, with gaps at NaN, cut off at the frame; it shows its title on hover.

    Of very many points in a column of two units the first, the lowest, the highest and the last remain.
    """
    pieces = []
    shown = np.isfinite(across) & np.isfinite(up)
    for piece in np.split(np.arange(len(across)), np.flatnonzero(np.diff(shown)) + 1):
        if shown[piece[0]]:
            chosen = piece[_telling(across[piece], up[piece], frame)]
            pieces.append(path(frame, across[chosen], up[chosen]))
    drawn = f'<path class="line {style}" d="{"".join(pieces)}"'
    drawn += f">{hover_text(title)}</path>" if title else "/>"
    if (inside(across[shown]) & inside(up[shown])).all():
        return drawn
    window = Frame(frame.left - 1, frame.right + 1, frame.top - 1, frame.bottom + 1)
    view = f"{number(window.left)} {number(window.top)} {number(window.width)} {number(window.height)}"
    return f'<svg {window.attributes()} viewBox="{view}">{drawn}</svg>'


def path(frame: Frame, across: Vector, up: Vector) -> str:
    """Return the path through positions, without those that would not be seen; a single one is a dot."""
    xs = frame.across(np.clip(across, -FARTHEST, FARTHEST))
    ys = frame.down(np.clip(up, -FARTHEST, FARTHEST))
    chosen = simplified(xs, ys)
    points = [f"{number(x)} {number(y)}" for x, y in zip(xs[chosen], ys[chosen], strict=True)]
    return f"M{points[0]}h0" if len(points) == 1 else "M" + "L".join(points)


def _telling(across: Vector, up: Vector, frame: Frame) -> NDArray[np.intp]:
    if len(across) <= 2 * frame.width or (np.diff(across) < 0).any():
        return np.arange(len(across))
    columns = np.floor(np.clip(across, 0, 1) * frame.width / 2).astype(np.intp)
    by_height = np.lexsort((up, columns))
    starts = np.flatnonzero(np.diff(columns, prepend=-1))
    ends = np.append(starts[1:], len(columns)) - 1
    return np.unique(np.concatenate((starts, ends, by_height[starts], by_height[ends])))


def simplified(xs: Vector, ys: Vector) -> NDArray[np.intp]:
    """Return which points of a line remain: the others lie within a tenth of a unit of it (Douglas and Peucker 1973).

    A line that ends where it began keeps a point in between.
    """
    chosen = np.zeros(len(xs), np.bool_)
    chosen[[0, -1]] = True
    pieces = [(0, len(xs) - 1)]
    while pieces:
        first, last = pieces.pop()
        if last - first < 2:
            continue
        across, along = xs[first + 1 : last] - xs[first], ys[first + 1 : last] - ys[first]
        right, down = xs[last] - xs[first], ys[last] - ys[first]
        length = np.hypot(right, down)
        distance = np.abs(across * down - along * right) / length if length else np.hypot(across, along)
        farthest = int(distance.argmax())
        if distance[farthest] > TOLERANCE:
            middle = first + 1 + farthest
            chosen[middle] = True
            pieces += [(first, middle), (middle, last)]
    return np.flatnonzero(chosen)


def circles(frame: Frame, across: Vector, up: Vector, texts: Sequence[str], style: str, radius: Vector | float) -> str:
    """Return circles of a class that show texts on hover."""
    radii = np.broadcast_to(np.asarray(radius, np.float64), across.shape)
    return "".join(
        f'<circle class="{style}" cx="{number(x)}" cy="{number(y)}" r="{number(r)}">{hover_text(text)}</circle>'
        for x, y, r, text in zip(frame.across(across), frame.down(up), radii, texts, strict=True)
    )


def stamped(frame: Frame, across: Vector, up: Vector, shape: str, style: str, text: str = "") -> str:
    """Return a shape at each of some positions, all as one path; without length and with round ends it is a dot."""
    points = zip(frame.across(across), frame.down(up), strict=True)
    drawn = "".join(f"M{number(x)} {number(y)}{shape}" for x, y in points)
    return f'<path class="{style}" d="{drawn}"' + (f">{hover_text(text)}</path>" if text else "/>")


def marks(
    frame: Frame,
    across: Vector,
    up: Vector,
    classes: NDArray[np.intp],
    held_out: NDArray[np.bool_],
    texts: Sequence[str] | None,
) -> str:
    """Return marks of classes with what each shows on hover, or else small ones, a path for all that look the same."""

    def drawn(indices: Sequence[int], shapes: Sequence[str], more: str = "", text: str = "") -> str:
        kind = int(classes[indices[0]])
        style = _mark_style(kind, bool(held_out[indices[0]])) + more
        return stamped(frame, across[indices], up[indices], shapes[kind % len(shapes)], style, text)

    if texts is not None:
        return "".join(drawn([index], MARKS, text=text) for index, text in enumerate(texts))
    groups = [(classes == kind) & (held_out == edged) for kind in np.unique(classes) for edged in (False, True)]
    return "".join(drawn(np.flatnonzero(group).tolist(), SMALL_MARKS, " small") for group in groups if group.any())


def _mark_style(kind: int, edged: bool) -> str:
    return f"point class-{kind % CLASS_COUNT}" + " held-out" * edged


def mark_alone(kind: int, *, held_out: bool = False) -> Markup:
    """Return the mark of a class as a picture of its own, which a text beside it names."""
    shape = f'<path class="{_mark_style(kind, held_out)}" d="M6 6{MARKS[kind % len(MARKS)]}"/>'
    return Markup(
        f'<svg class="specnet-chart mark" width="12" height="12" viewBox="0 0 12 12" aria-hidden="true">{shape}</svg>'
    )


Ending = tuple[float, str, str, str]
"""What stands at the right end of a line: where it ends along y, 0 to 1, its name, a number beneath or nothing, and the
class of the name."""


def endings(frame: Frame, all_endings: Sequence[Ending], max_width: float) -> str:
    """Return the names at the ends of lines, moved apart, within `max_width` units beside the frame.

    Where there are too many for the height, numbers are left out first, then names between the outer ones.
    """
    ordered = sorted(all_endings, key=lambda ending: -ending[0])
    most = int((frame.height + LINE_HEIGHT) / LINE_HEIGHT)
    if sum(1 + bool(value) for _, _, value, _ in ordered) > most:
        ordered = [(position, name, "", style) for position, name, _, style in ordered]
    if len(ordered) > most:
        ordered = [ordered[k] for k in np.linspace(0, len(ordered) - 1, most).astype(np.intp)]
    heights = [LINE_HEIGHT * (1 + bool(value)) for _, _, value, _ in ordered]
    middles = frame.down(np.array([position for position, *_ in ordered]))
    tops = moved_apart([middle - height / 2 for middle, height in zip(middles, heights, strict=True)], heights)
    lowest = frame.bottom + LINE_HEIGHT / 2
    shift = min(0.0, lowest - (tops[-1] + heights[-1])) if tops else 0.0
    drawn, edge = [], frame.top - LINE_HEIGHT / 2
    for (_, name, value, style), top, height in zip(ordered, tops, heights, strict=True):
        edge = max(top + shift, edge)
        baseline = edge + 0.78 * LINE_HEIGHT
        drawn.append(label(name, frame.right + 6, baseline, style, max_width=max_width / BOLD))
        if value:
            drawn.append(label(value, frame.right + 6, baseline + LINE_HEIGHT, max_width=max_width))
        edge += height
    return "".join(drawn)


def moved_apart(starts: Sequence[float], lengths: Sequence[float]) -> list[float]:
    """Return starts of intervals, ascending, moved as little as possible (least squares) so that none overlap."""
    blocks: list[tuple[float, int]] = []
    before = 0.0
    for start, length in zip(starts, lengths, strict=True):
        mean, size = start - before, 1
        while blocks and blocks[-1][0] > mean:
            other, count = blocks.pop()
            mean, size = (other * count + mean * size) / (count + size), count + size
        blocks.append((mean, size))
        before += length
    shifts = [mean for mean, size in blocks for _ in range(size)]
    offsets = np.concatenate(([0.0], np.cumsum(lengths)[:-1])).tolist() if lengths else []
    return [shift + offset for shift, offset in zip(shifts, offsets, strict=True)]
