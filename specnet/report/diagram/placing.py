"""Where the columns of a network's diagram stand, in units."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from specnet.report.diagram.diagram_columns import Column, Columns
from specnet.report.svg.markup import text_width

MOST_UNITS = 12
"""Circles of a column."""
FIRST_UNITS, LAST_UNITS = 6, 5
"""Circles above and below the number of units that are left out."""
MOST_BRANCHES = 4
"""Columns in one place."""
LEAST_WIDTH, COLUMN_WIDTH, LEAST_HEIGHT = 340.0, 128.0, 110.0
LINE_HEIGHT = 15.0
SIDE = 58.0
"""Units from the middle of the outer columns to the edges, at least."""
MOST_FOR_NAMES = 96.0
"""Units that the names of inputs and outputs may take."""
CAPTION_GAP, FOLD_LABEL = 24.0, 24.0
STACK_GAP = 22.0
"""Units between parallel branches."""
EDGE = 6.0
FIRST_RISE, NEXT_RISE = 22.0, 12.0
"""Units from the circles to an arc above them, and from one arc to the next."""


@dataclass(frozen=True)
class Circles:
    """Sizes of circles in units: radius, from one middle to the next, and what stands above each."""

    radius: float = 11.0
    step: float = 34.0
    above: float = 0.0


SMALL, LARGE = Circles(), Circles(16.0, 48.0, 16.0)


@dataclass(frozen=True)
class Placed:
    """A column where it is drawn.

    Attributes
    ----------
    x, top : float
        Its middle, and the upper end of its circles.
    units : dict
        Height of the middle of each unit that is drawn.
    gap : float or None
        Height at which the number of the units left out stands.
    caption : float
        First baseline of its caption.
    """

    x: float
    top: float
    units: Mapping[int, float]
    gap: float | None
    caption: float


@dataclass(frozen=True)
class Arc:
    """A connection that passes over columns: its ends, and the height of its middle."""

    source: int
    target: int
    peak: float


@dataclass(frozen=True)
class Placement:
    """All that a diagram's columns need to be drawn.

    Attributes
    ----------
    width, height : float
        Of the diagram, in units.
    columns : dict
        Columns that are drawn, by number.
    neighbours : tuple of (int, int)
        Connections between columns side by side, as source and target.
    arcs : tuple of Arc
        Connections over others.
    gap : (x, y) or None
        Where the number of layers that are left out stands.
    unseen : tuple of (x, y, count)
        Where the number of parallel branches that are left out stands.
    """

    width: float
    height: float
    columns: Mapping[int, Placed]
    neighbours: tuple[tuple[int, int], ...]
    arcs: tuple[Arc, ...]
    gap: tuple[float, float] | None
    unseen: tuple[tuple[float, float, int], ...]


def place_columns(
    graph: Columns, circles: Circles, captions: Sequence[Sequence[str]], names: tuple[Sequence[str], Sequence[str]]
) -> Placement:
    """Return where columns are drawn.

    Parameters
    ----------
    graph : Columns
    circles : Circles
    captions : sequence of sequences of str
        The lines under each column.
    names : two sequences of str
        What stands beside the circles of inputs and outputs.
    """
    shown = [place for place in range(graph.place_count) if place not in graph.hidden]
    slots = {place: k + (place > min(graph.hidden, default=place)) for k, place in enumerate(shown)}
    slot_count = len(shown) + bool(graph.hidden)
    left, right = (max(SIDE, _room(texts) + circles.radius + 2 * EDGE) for texts in names)
    width = max(LEAST_WIDTH, COLUMN_WIDTH * slot_count) + left + right - 2 * SIDE
    step = (width - left - right) / max(slot_count - 1, 1)
    stacks = {place: [k for k, column in enumerate(graph.columns) if column.place == place] for place in shown}
    heights = {place: _stack_height(graph, stack, circles, captions) for place, stack in stacks.items()}
    body = max(LEAST_HEIGHT, *heights.values())
    columns: dict[int, Placed] = {}
    unseen = []
    for place, stack in stacks.items():
        x, top = float(round(left + slots[place] * step)), float(round((body - heights[place]) / 2))
        for number in stack[:MOST_BRANCHES]:
            placed = _column(graph.columns[number], x, top, circles, body if len(stack) == 1 else None)
            columns[number] = placed
            top = placed.caption + LINE_HEIGHT * (len(captions[number]) - 1) + STACK_GAP
        if len(stack) > MOST_BRANCHES:
            unseen.append((x, top, len(stack) - MOST_BRANCHES))
    neighbours, arcs = _connections(graph, columns, {k: slots[graph.columns[k].place] for k in columns})
    folds = FOLD_LABEL * (1 + max((fold.depth for fold in graph.folds), default=-1))
    down = EDGE - min([placed.top - circles.above for placed in columns.values()] + [arc.peak for arc in arcs])
    if graph.folds:
        down += EDGE
    ends = [placed.caption + LINE_HEIGHT * (len(captions[k]) - 1) for k, placed in columns.items()]
    height = max(ends + [y for _, y, _ in unseen]) + down + EDGE + folds
    gap = (left + min(graph.hidden) * step, body / 2 + down) if graph.hidden else None
    return Placement(
        width,
        height,
        {k: _moved(placed, down) for k, placed in columns.items()},
        tuple(neighbours),
        tuple(Arc(arc.source, arc.target, arc.peak + down) for arc in arcs),
        gap,
        tuple((x, y + down, count) for x, y, count in unseen),
    )


def _room(texts: Sequence[str]) -> float:
    return min(max(map(text_width, texts), default=0.0), MOST_FOR_NAMES)


def _rows(size: int) -> list[int | None]:
    """Return the units that are drawn, with None for those left out between them."""
    if size <= MOST_UNITS:
        return list(range(size))
    return [*range(FIRST_UNITS), None, *range(size - LAST_UNITS, size)]


def _circles_height(size: int, circles: Circles) -> float:
    return (len(_rows(size)) - 1) * circles.step + 2 * circles.radius


def _stack_height(graph: Columns, stack: Sequence[int], circles: Circles, captions: Sequence[Sequence[str]]) -> float:
    """Return the height of columns above each other; with captions if there are several."""
    total = sum(_circles_height(graph.columns[k].size, circles) for k in stack[:MOST_BRANCHES])
    if len(stack) == 1:
        return total
    lines = sum(len(captions[k]) - 1 for k in stack[:MOST_BRANCHES])
    count = min(len(stack), MOST_BRANCHES)
    return total + lines * LINE_HEIGHT + count * CAPTION_GAP + (count - 1) * STACK_GAP


def _column(column: Column, x: float, top: float, circles: Circles, common: float | None) -> Placed:
    """Return a column from a height on; its caption begins below the `common` height or below its circles."""
    rows = _rows(column.size)
    middles = [top + circles.radius + k * circles.step for k in range(len(rows))]
    units = {row: middle for row, middle in zip(rows, middles, strict=True) if row is not None}
    gap = middles[FIRST_UNITS] if None in rows else None
    bottom = middles[-1] + circles.radius
    return Placed(x, top, units, gap, (bottom if common is None else common) + CAPTION_GAP)


def _connections(
    graph: Columns, columns: Mapping[int, Placed], slots: Mapping[int, int]
) -> tuple[list[tuple[int, int]], list[Arc]]:
    pairs = [
        (source, target)
        for target in columns
        for source in dict.fromkeys(graph.columns[target].sources)
        if source in columns
    ]
    neighbours = [pair for pair in pairs if slots[pair[1]] - slots[pair[0]] == 1]
    far = sorted(
        (pair for pair in pairs if slots[pair[1]] - slots[pair[0]] > 1),
        key=lambda pair: (slots[pair[1]] - slots[pair[0]], pair),
    )
    arcs: list[Arc] = []
    for source, target in far:
        start, stop = slots[source], slots[target]
        below = [placed.top for k, placed in columns.items() if start <= slots[k] <= stop]
        within = [arc.peak for arc in arcs if start <= slots[arc.source] and slots[arc.target] <= stop]
        peak = min([min(below) - FIRST_RISE, *(other - NEXT_RISE for other in within)])
        arcs.append(Arc(source, target, peak))
    return neighbours, arcs


def _moved(placed: Placed, down: float) -> Placed:
    units = {unit: y + down for unit, y in placed.units.items()}
    gap = None if placed.gap is None else placed.gap + down
    return Placed(placed.x, placed.top + down, units, gap, placed.caption + down)
