"""Charts: lines, points, surfaces and texts between two axes, with names at the ends of lines."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
from markupsafe import Markup
from numpy.typing import ArrayLike, NDArray

from specnet.parts.arrays import spaced_indices
from specnet.report.svg.axes import EDGE, MARGIN, Axis, Frame, frame_with_axes
from specnet.report.svg.colours import HUES, RGB, colour_of, data_uri, png
from specnet.report.svg.markup import TEXT_SIZE, escaped, hover_text, label, number, picture, shortened, text_width

MARKS = (
    "m-3.2 0a3.2 3.2 0 1 0 6.4 0 3.2 3.2 0 1 0-6.4 0z",
    "m0-4.2l4.2 4.2-4.2 4.2-4.2-4.2z",
    "m0-4l3.8 6.8h-7.6z",
    "m-3-3h6v6h-6z",
)
"""Marks of classes as paths from the mark's middle: circle, diamond, triangle, square; more classes repeat them."""
SMALL_MARKS = (
    "m-2 0a2 2 0 1 0 4 0 2 2 0 1 0-4 0z",
    "m0-2.6l2.6 2.6-2.6 2.6-2.6-2.6z",
    "m0-2.5l2.4 4.2h-4.8z",
    "m-1.9-1.9h3.8v3.8h-3.8z",
)
"""Smaller marks of classes for pictures without axes."""
LINE_HEIGHT = 14.0
BELOW = 4.0
"""How far names at the ends of lines may extend below the frame: to the upper edge of a tick at the end of the axis."""
BOLD = 1.08
"""Width of bold text relative to ordinary text."""
TOLERANCE = 0.1
"""Maximum distance between a line and its simplification."""
FARTHEST = 20.0
"""Positions are clipped to between minus and plus this value, so that coordinates are short."""

Vector = NDArray[np.float64]


def inside(positions: Vector) -> NDArray[np.bool_]:
    """Return a mask of the positions that are on the axis, from 0 to 1; False for NaN."""
    return (positions >= -1e-9) & (positions <= 1 + 1e-9)


def line(frame: Frame, across: Vector, up: Vector, style: str, title: str = "") -> str:
    """Return a line through positions, with gaps at NaN, clipped to the frame; it shows its title on hover.

    If there are many points, only the first, lowest, highest and last in each column of two units are drawn.
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
    """Return the simplified path through positions; a single position is a dot."""
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
    """Return the indices of points that approximate a line within a tenth of a unit (Douglas and Peucker 1973).

    A line that ends at its start retains a point in between.
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
    """Return circles of a CSS class that show texts on hover."""
    radii = np.broadcast_to(np.asarray(radius, np.float64), across.shape)
    return "".join(
        f'<circle class="{style}" cx="{number(x)}" cy="{number(y)}" r="{number(r)}">{hover_text(text)}</circle>'
        for x, y, r, text in zip(frame.across(across), frame.down(up), radii, texts, strict=True)
    )


def stamped(frame: Frame, across: Vector, up: Vector, shape: str, style: str, text: str = "") -> str:
    """Return one path with a shape at each position; the shape ``h0`` with round line ends is a dot."""
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
    """Return marks of classes with hover texts; without texts, small marks in one path per style."""

    def drawn(indices: Sequence[int], shapes: Sequence[str], more: str = "", text: str = "") -> str:
        kind = int(classes[indices[0]])
        style = _mark_style(kind, bool(held_out[indices[0]])) + more
        return stamped(frame, across[indices], up[indices], shapes[kind % len(shapes)], style, text)

    if texts is not None:
        return "".join(drawn([index], MARKS, text=text) for index, text in enumerate(texts))
    groups = [(classes == kind) & (held_out == edged) for kind in np.unique(classes) for edged in (False, True)]
    return "".join(drawn(np.flatnonzero(group).tolist(), SMALL_MARKS, " small") for group in groups if group.any())


def _mark_style(kind: int, edged: bool) -> str:
    return f"point class-{colour_of(kind)}" + " held-out" * edged


def mark_alone(kind: int, *, held_out: bool = False) -> Markup:
    """Return the mark of a class as a separate picture for a legend; it is hidden from screen readers."""
    shape = f'<path class="{_mark_style(kind, held_out)}" d="M6 6{MARKS[kind % len(MARKS)]}"/>'
    return Markup(
        f'<svg class="specnet-chart mark" width="12" height="12" viewBox="0 0 12 12" aria-hidden="true">{shape}</svg>'
    )


Ending = tuple[float, str, str, str]
"""The text at the right end of a line: position along y from 0 to 1, name, number below it or an empty text, and CSS
class of the name."""


def endings(frame: Frame, all_endings: Sequence[Ending], max_width: float) -> str:
    """Return the names at the ends of lines, moved apart, at most `max_width` wide.

    If there are too many for the height, numbers are left out first, then names between the first and the last.
    """
    ordered = sorted(all_endings, key=lambda ending: ending[0] if frame.reverse else -ending[0])
    highest, lowest = frame.top - LINE_HEIGHT / 2, frame.bottom + BELOW
    most = int((lowest - highest) / LINE_HEIGHT)
    if sum(1 + bool(value) for _, _, value, _ in ordered) > most:
        ordered = [(position, name, "", style) for position, name, _, style in ordered]
    if len(ordered) > most:
        ordered = [ordered[k] for k in np.linspace(0, len(ordered) - 1, most).astype(np.intp)]
    heights = [LINE_HEIGHT * (1 + bool(value)) for _, _, value, _ in ordered]
    middles = frame.down(np.array([position for position, *_ in ordered]))
    tops = moved_apart([middle - height / 2 for middle, height in zip(middles, heights, strict=True)], heights)
    shift = min(0.0, lowest - (tops[-1] + heights[-1])) if tops else 0.0
    drawn, edge = [], highest
    for (_, name, value, style), top, height in zip(ordered, tops, heights, strict=True):
        edge = max(top + shift, edge)
        baseline = edge + 0.78 * LINE_HEIGHT
        drawn.append(label(name, frame.right + 6, baseline, style, max_width=max_width / BOLD))
        if value:
            drawn.append(label(value, frame.right + 6, baseline + LINE_HEIGHT, max_width=max_width))
        edge += height
    return "".join(drawn)


def moved_apart(starts: Sequence[float], lengths: Sequence[float]) -> list[float]:
    """Return ascending starts of intervals moved apart so that none overlap, as little as possible (least squares)."""
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


WIDTH, HEIGHT = 340.0, 236.0
"""Size of an ordinary chart in units, which are about pixels on a phone."""
MAX_HOVERS = 40
"""Most points of a line that show their values on hover."""
RIGHT_EDGE = 14.0
MAX_FOR_NAMES = 0.37
"""Maximum width of names at the ends of lines, as a fraction of the chart's width."""


class Figure(NamedTuple):
    """A chart with the texts around it on a page.

    Attributes
    ----------
    title, note : str
        Title in a few words, and note in sentences.
    chart : Markup
    """

    title: str
    note: str
    chart: Markup
    kind: str = ""


class Chart:
    """A chart with two axes; its methods draw between the axes in the order of the calls.

    Arguments `x` and `y` are values on the axes. NaN and infinities are left out, and everything beyond the axes is cut
    off.

    Parameters
    ----------
    description : str
        Text for readers who do not see the chart, with its main numbers.
    x, y : Axis
    width, height : float
        Size in units.
    bare : bool
        Whether to draw a frame instead of axes, and small marks, for small pictures.
    margin : str
        Name of a margin below the axes, in which `apart` draws; without a name there is none.
    """

    def __init__(
        self,
        description: str,
        x: Axis,
        y: Axis,
        *,
        width: float = WIDTH,
        height: float = HEIGHT,
        bare: bool = False,
        margin: str = "",
    ) -> None:
        self._description, self.x, self.y = description, x, y
        self._width, self._height, self._bare, self._margin = width, height, bare, margin
        self._drawings: list[Callable[[Frame], str]] = []
        self._endings: list[Ending] = []

    def line(
        self,
        x: ArrayLike,
        y: ArrayLike,
        style: str = "series-0",
        *,
        name: str = "",
        value: str = "",
        hover: Callable[[float, float], str] | None = None,
        title: str = "",
    ) -> None:
        """Draw a line through points, with gaps where values cannot be shown.

        Parameters
        ----------
        x, y : (points,)
        style : str
            CSS classes: ``series-0`` to ``series-9``, with ``dashed``, and ``thin``, ``faint`` or
            ``fainter`` for one of many lines; ``plain`` and ``quiet-line`` for the colours of texts; ``guide``,
            ``reference`` or ``whisker``.
        name, value : str
            Name at the right end in the colour of the line, and number below it.
        hover : callable, optional
            Function from x and y to the hover text; called for at most 40 points.
        title : str
            Hover text of the whole line.
        """
        xs, ys = np.asarray(x, np.float64).ravel(), np.asarray(y, np.float64).ravel()
        across, up = self.x.positions(xs), self.y.positions(ys)
        shown = np.flatnonzero(np.isfinite(across) & np.isfinite(up))
        if not len(shown):
            return
        self._drawings.append(lambda frame: line(frame, across, up, style, title))
        if hover is not None:
            within = np.flatnonzero(inside(across) & inside(up))
            chosen = within[spaced_indices(len(within), MAX_HOVERS)]
            texts = [hover(float(xs[k]), float(ys[k])) for k in chosen]
            self._drawings.append(lambda frame: circles(frame, across[chosen], up[chosen], texts, "hit", 7.0))
        if name:
            first = style.split()[0]
            coloured = first.replace("series", "name") if first.startswith("series") else "strong"
            self._endings.append((float(np.clip(up[shown[-1]], 0.0, 1.0)), name, value, coloured))

    def band(self, x: ArrayLike, low: ArrayLike, high: ArrayLike, style: str) -> None:
        """Fill the area between two lines without missing values.

        Parameters
        ----------
        x, low, high : (points,)
        style : str
            Further CSS class: ``class-0`` to ``class-9``.
        """
        ends = self.x.positions(x), self.y.positions(low), self.y.positions(high)
        across, up = np.concatenate([ends[0], ends[0][::-1]]), np.concatenate([ends[1], ends[2][::-1]])
        self._drawings.append(lambda frame: f'<path class="band {style}" d="{path(frame, across, up)}"/>')

    def points(
        self,
        x: ArrayLike,
        y: ArrayLike,
        classes: ArrayLike | None = None,
        *,
        held_out: ArrayLike = False,
        radius: ArrayLike = 3.0,
        style: str = "",
        hover: Sequence[str] | None = None,
        identity: str = "",
    ) -> None:
        """Draw points with the marks and colours of their classes, or as plain dots.

        Parameters
        ----------
        x, y : (points,)
        classes : (points,), optional
            Index of each point's class.
        held_out : (points,) or bool
            Whether to draw an edge around each mark of a class.
        radius : (points,) or float
            Radius of plain dots, in units.
        style : str
            Further CSS class of plain dots: ``plain``, ``class-0`` to ``class-9``.
        hover : sequence of str, optional
            Hover text of each point; small marks have none.
        identity : str
            Id, unique on the page, by which `reuse` draws the points in other charts of the same size and axes.
        """
        inner, across, up = self._inside(x, y)
        if not len(inner):
            return
        texts = ["" if hover is None else hover[k] for k in inner]
        radii, edged = (np.broadcast_to(np.asarray(each), np.shape(x))[inner] for each in (radius, held_out))
        kinds = None if classes is None else np.asarray(classes, np.intp)[inner]

        def draw(frame: Frame) -> str:
            if kinds is None:
                drawn = circles(frame, across, up, texts, f"dot {style}".rstrip(), radii)
            else:
                drawn = marks(frame, across, up, kinds, edged, None if self._bare else texts)
            # A copy by `reuse` takes its style from its content; therefore the group has the class of charts.
            return f'<g id="{escaped(identity)}" class="specnet-chart">{drawn}</g>' if identity else drawn

        self._drawings.append(draw)

    def cloud(self, x: ArrayLike, y: ArrayLike, style: str = "") -> None:
        """Draw many points as dots without hover texts, in little markup.

        Parameters
        ----------
        x, y : (points,)
        style : str
            Further CSS class: ``series-0`` to ``series-9``.
        """
        inner, across, up = self._inside(x, y)
        if len(inner):
            self._drawings.append(lambda frame: stamped(frame, across, up, "h0", f"cloud {style}".rstrip()))

    def apart(self, x: ArrayLike, classes: ArrayLike, hover: Sequence[str] | None = None) -> None:
        """Draw marks of points without a y value in the margin below the axes.

        Parameters
        ----------
        x, classes : (points,)
        hover : sequence of str, optional
            Hover text of each point; without texts, the marks are small.
        """
        across, kinds = self.x.positions(x).ravel(), np.asarray(classes, np.intp)
        inner = np.flatnonzero(inside(across))
        texts = None if hover is None else [hover[k] for k in inner.tolist()]
        none = np.zeros(len(inner), np.bool_)

        def draw(frame: Frame) -> str:
            up = np.full(len(inner), -MARGIN / 2 / frame.height)
            return marks(frame, across[inner], up, kinds[inner], none, texts)

        self._drawings.append(draw)

    def beyond(self, x: ArrayLike, *, above: bool, style: str = "", hover: str = "") -> None:
        """Draw arrows at an end of the y axis for values beyond it.

        Parameters
        ----------
        x : (points,)
        above : bool
            Whether the arrows are at the upper end and not at the lower end.
        style : str
            Further CSS classes.
        hover : str
            Hover text of the arrows.
        """
        xs = np.ravel(np.asarray(x, np.float64))
        inner, across, up = self._inside(xs, np.full(len(xs), self.y.high if above else self.y.low))
        if len(inner):
            shape = "m-3.5 4l3.5-4 3.5 4" if above else "m-3.5-4l3.5 4 3.5-4"
            self._drawings.append(lambda frame: stamped(frame, across, up, shape, f"arrow {style}".rstrip(), hover))

    def beyond_x(self, y: float, *, right: bool, style: str = "", hover: str = "") -> None:
        """Draw an arrow at an end of the x axis for a value beyond it.

        Parameters
        ----------
        y : float
        right : bool
            Whether the arrow is at the right end and not at the left end.
        style, hover : str
            As for `beyond`.
        """
        _, across, up = self._inside([self.x.high if right else self.x.low], [y])
        shape = "m-4-3.5l4 3.5-4 3.5" if right else "m4-3.5l-4 3.5 4 3.5"
        self._drawings.append(lambda frame: stamped(frame, across, up, shape, f"arrow {style}".rstrip(), hover))

    def _inside(self, x: ArrayLike, y: ArrayLike) -> tuple[NDArray[np.intp], Vector, Vector]:
        """Return the indices of the points between the axes, and their positions along x and y."""
        across, up = self.x.positions(x).ravel(), self.y.positions(y).ravel()
        inner = np.flatnonzero(inside(across) & inside(up))
        return inner, across[inner], up[inner]

    def reuse(self, identity: str) -> None:
        """Draw the `points` with this identity from another chart of the same page, size and axes again."""
        self._drawings.append(lambda _: f'<use href="#{escaped(identity)}"/>')

    def surface(self, strength: ArrayLike, hue: ArrayLike = 0, hues: Sequence[RGB] = HUES) -> None:
        """Fill the frame with a surface whose opacity is its strength.

        Parameters
        ----------
        strength : (rows, columns)
            Opacity from 0 to 1 at points evenly spaced from end to end of both axes, lowest y first.
        hue : (rows, columns) or int
            Index of each colour in `hues`.
        """
        values = np.asarray(strength, np.float64)
        rows, columns = values.shape
        address = data_uri(png(values[::-1], np.broadcast_to(np.asarray(hue, np.intp), values.shape)[::-1], hues))
        # The middles of the outer pixels are on the frame; the inner SVG element cuts off their outer halves.
        view = f'viewBox="0.5 0.5 {columns - 1} {rows - 1}" preserveAspectRatio="none"'
        image = f'<image href="{address}" width="{columns}" height="{rows}" preserveAspectRatio="none"/>'
        self._drawings.append(lambda frame: f"<svg {frame.attributes()} {view}>{image}</svg>")

    def contour(self, values: ArrayLike, level: float, style: str = "", *, hover: str = "") -> None:
        """Draw the contour lines on which a surface has a value.

        Parameters
        ----------
        values : (rows, columns)
            Surface at points evenly spaced from end to end of both axes, lowest y first.
        level : float
        style : str
            ``contour`` for a dashed line instead of a strong line.
        hover : str
            Hover text of the lines.
        """
        from contourpy import contour_generator

        surface = np.asarray(values, np.float64)
        rows, columns = surface.shape
        grid = np.linspace(0, 1, columns), np.linspace(0, 1, rows)
        shown = surface if np.isfinite(surface).all() else np.ma.masked_invalid(surface)
        found = contour_generator(*grid, shown).lines(level)
        lines = [np.asarray(points, np.float64) for points in found]
        if not lines:
            return

        def draw(frame: Frame) -> str:
            drawn = "".join(path(frame, points[:, 0], points[:, 1]) for points in lines)
            return f'<path class="{f"line {style}".rstrip()}" d="{drawn}">{hover_text(hover)}</path>'

        self._drawings.append(draw)

    def rectangle(
        self, x: tuple[float, float], y: tuple[float, float], style: str, *, opacity: float = 1.0, hover: str = ""
    ) -> None:
        """Draw a rectangle between values of both axes, such as a bar or a cell, cut off at the ends of the axes.

        Parameters
        ----------
        x, y : pair of float
            Ends along each axis.
        style : str
            CSS class: ``bar``, ``quiet``, ``wrong``, ``class-0`` to ``class-9``.
        opacity : float
            Factor from 0 to 1 of the opacity of the class.
        hover : str
            Hover text.
        """
        across, up = np.clip(self.x.positions(x), 0, 1), np.clip(self.y.positions(y), 0, 1)
        if not (np.isfinite(across).all() and np.isfinite(up).all()):
            return

        def draw(frame: Frame) -> str:
            (left, right), (top, bottom) = sorted(frame.across(across)), sorted(frame.down(up))
            geometry = Frame(left, right, top, bottom).attributes()
            strength = "" if opacity == 1 else f' opacity="{number(100 * opacity)}%"'
            return f'<rect class="{style}" {geometry} rx="2"{strength}>{hover_text(hover)}</rect>'

        self._drawings.append(draw)

    @contextmanager
    def group(self, style: str) -> Iterator[None]:
        """Draw everything within this context as a group with a CSS class."""
        outer, self._drawings = self._drawings, []
        yield
        inner, self._drawings = self._drawings, outer
        self._drawings.append(lambda frame: f'<g class="{style}">{"".join(draw(frame) for draw in inner)}</g>')

    def text(
        self,
        x: float,
        y: float,
        text: str,
        style: str = "",
        *,
        anchor: str = "middle",
        right: float = 0.0,
    ) -> None:
        """Write a text at a position, moved to the right by `right` units, and back into the chart if it does not fit.

        Parameters
        ----------
        x, y : float
            Position of the text's middle, or of its start or end along x.
        text : str
        style : str
            CSS class: ``strong``.
        anchor : {"start", "middle", "end"}
            Part of the text that is at x.
        right : float
            Distance in units.
        """
        across, up = self.x.positions([x]), self.y.positions([y])
        if not (np.isfinite(across).all() and np.isfinite(up).all()):
            return
        fraction = {"start": 0.0, "middle": 0.5, "end": 1.0}[anchor]

        def draw(frame: Frame) -> str:
            first, last = frame.left, self._width - EDGE
            shown = shortened(text, last - first)
            width = text_width(shown)
            start = float(frame.across(across)[0]) + right - fraction * width
            anchor_x = min(max(start, first), last - width) + fraction * width
            baseline = float(frame.down(up)[0]) + 0.35 * TEXT_SIZE
            return label(shown, anchor_x, min(max(baseline, TEXT_SIZE), self._height - EDGE), style, anchor)

        self._drawings.append(draw)

    def svg(self, style: str = "") -> Markup:
        """Return the chart as SVG; `style` adds CSS classes."""
        classes = f"specnet-chart {style}".rstrip()
        if self._bare:
            frame = Frame(EDGE, self._width - EDGE, EDGE, self._height - EDGE)
            content = [draw(frame) for draw in self._drawings] + [frame.outline()]
        else:
            widths = (max(BOLD * text_width(name), text_width(value)) for _, name, value, _ in self._endings)
            right = min(max(widths, default=0.0) + RIGHT_EDGE, MAX_FOR_NAMES * self._width)
            frame, axes = frame_with_axes(self.x, self.y, self._width, self._height, right, self._margin)
            content = [axes, *(draw(frame) for draw in self._drawings)]
            content.append(endings(frame, self._endings, self._width - frame.right - 8))
        if not self._drawings:
            middle = (frame.left + frame.right) / 2, (frame.top + frame.bottom) / 2
            content.append(label("no values to show", *middle, anchor="middle"))
        return picture(classes, self._width, self._height, self._description, content)
