"""Where the columns of a network's diagram stand, in units."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from specnet.report.diagram.diagram_columns import INPUT, DiagramColumn, Fold, rank_count
from specnet.report.svg.markup import text_width

MOST_UNITS = 12
"""Circles of a column; more units are a bar."""
BAR_HEIGHT, NAME_STEP = 170.0, 13.0
"""Units that a bar is high, and from one name beside it to the next."""
MOST_NAMES = 40
"""Names beside a bar; more are shown on hover."""
MOST_BRANCHES = 4
"""Columns of one rank."""
LEAST_WIDTH, COLUMN_WIDTH, LEAST_HEIGHT = 340.0, 128.0, 110.0
LINE_HEIGHT = 15.0
SIDE = 58.0
"""Units from the middle of the outer columns to the edges, at least."""
MOST_FOR_NAMES = 130.0
"""Units that the names of inputs and outputs may take."""
CAPTION_GAP, FOLD_LABEL = 24.0, 24.0
STACK_GAP = 22.0
"""Units between parallel branches."""
EDGE = 6.0
FIRST_RISE, NEXT_RISE = 22.0, 12.0
"""Units from the circles to an arc above them, and from one arc to the next."""
RADIUS, STEP, BAR_REACH = 11.0, 34.0, 6.0
"""Of circles, units from the middle of one to the next one's, and from a bar's middle to its sides."""


@dataclass(frozen=True)
class Placed:
    """A column where it is drawn.

    Attributes
    ----------
    x, top : float
        Its middle, and the upper end of its circles or its bar.
    rows : (float, float)
        The heights between which its units share the space evenly.
    size : int
        Number of its units.
    caption, bottom : float
        First and last baseline of its caption.
    """

    x: float
    top: float
    rows: tuple[float, float]
    size: int
    caption: float
    bottom: float

    @property
    def is_bar(self) -> bool:
        """Whether its units are too many for circles."""
        return self.size > MOST_UNITS

    @property
    def reach(self) -> float:
        """Units from its middle to its sides."""
        return BAR_REACH if self.is_bar else RADIUS

    @property
    def heights(self) -> list[float]:
        """Height of the middle of each unit."""
        first, last = self.rows
        return [first + (last - first) * (unit + 0.5) / self.size for unit in range(self.size)]

    @property
    def ends(self) -> list[float]:
        """Heights at which lines end: at each circle, or in the middle of the bar."""
        return [sum(self.rows) / 2] if self.is_bar else self.heights

    def moved(self, down: float) -> Placed:
        """Return the column so far below."""
        top, rows = self.top + down, (self.rows[0] + down, self.rows[1] + down)
        return replace(self, top=top, rows=rows, caption=self.caption + down, bottom=self.bottom + down)


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
    arcs : mapping
        The height of the middle of each connection over others, by source and target.
    gap : (x, y) or None
        Where the number of layers that are left out stands.
    unseen : tuple of (x, y, count)
        Where the number of parallel branches that are left out stands.
    """

    width: float
    height: float
    columns: Mapping[int, Placed]
    neighbours: tuple[tuple[int, int], ...]
    arcs: Mapping[tuple[int, int], float]
    gap: tuple[float, float] | None
    unseen: tuple[tuple[float, float, int], ...]


def place_columns(
    columns: Sequence[DiagramColumn],
    folds: Sequence[Fold],
    hidden: range,
    captions: Sequence[Sequence[str]],
    names: Mapping[int, Sequence[str]],
) -> Placement:
    """Return where columns are drawn.

    Parameters
    ----------
    columns, folds, hidden
        As of `columns_of`.
    captions : sequence of sequences of str
        The lines under each column.
    names : mapping
        What stands beside the units of the first and the last column, by the column's number.
    """
    shown = [rank for rank in range(rank_count(columns)) if rank not in hidden]
    slots = {rank: k + (rank > min(hidden, default=rank)) for k, rank in enumerate(shown)}
    slot_count = len(shown) + bool(hidden)
    outer = names.get(INPUT, ()), names.get(len(columns) - 1, ())
    widest = (min(max(map(text_width, texts), default=0.0), MOST_FOR_NAMES) for texts in outer)
    left, right = (max(SIDE, space + RADIUS + 2 * EDGE) for space in widest)
    width = max(LEAST_WIDTH, COLUMN_WIDTH * slot_count) + left + right - 2 * SIDE
    step = (width - left - right) / max(slot_count - 1, 1)
    stacks = {rank: [k for k, column in enumerate(columns) if column.rank == rank] for rank in shown}
    laid = {
        rank: _stacked(columns, stack[:MOST_BRANCHES], float(round(left + slots[rank] * step)), captions, names)
        for rank, stack in stacks.items()
    }
    # The captions of columns that stand alone are in one line below all circles.
    ends = {
        rank: stack[-1].bottom if len(stack) > 1 else stack[0].caption - CAPTION_GAP for rank, stack in laid.items()
    }
    body = max(LEAST_HEIGHT, *ends.values())
    drawn: dict[int, Placed] = {}
    unseen = []
    for rank, stack in stacks.items():
        moved = [placed.moved(float(round((body - ends[rank]) / 2))) for placed in laid[rank]]
        if len(stack) == 1:
            caption = body + CAPTION_GAP
            moved = [replace(moved[0], caption=caption, bottom=caption + moved[0].bottom - moved[0].caption)]
        drawn |= zip(stack, moved, strict=False)
        if len(stack) > MOST_BRANCHES:
            unseen.append((moved[-1].x, moved[-1].bottom + STACK_GAP, len(stack) - MOST_BRANCHES))
    neighbours, arcs = _connections(columns, drawn, {k: slots[columns[k].rank] for k in drawn})
    labels = FOLD_LABEL * (1 + max((depth for _, _, depth in folds), default=-1))
    down = EDGE - min([placed.top for placed in drawn.values()] + [*arcs.values()])
    if folds:
        down += EDGE
    height = max([placed.bottom for placed in drawn.values()] + [y for _, y, _ in unseen]) + down + EDGE + labels
    gap = (left + min(hidden) * step, body / 2 + down) if hidden else None
    return Placement(
        width,
        height,
        {k: placed.moved(down) for k, placed in drawn.items()},
        tuple(neighbours),
        {ends: peak + down for ends, peak in arcs.items()},
        gap,
        tuple((x, y + down, count) for x, y, count in unseen),
    )


def _stacked(
    columns: Sequence[DiagramColumn],
    numbers: Sequence[int],
    x: float,
    captions: Sequence[Sequence[str]],
    names: Mapping[int, Sequence[str]],
) -> list[Placed]:
    """Return columns above each other, each with its caption, from 0 on."""
    placed: list[Placed] = []
    for k in numbers:
        size, top = columns[k].size, placed[-1].bottom + STACK_GAP if placed else 0.0
        if size > MOST_UNITS:
            named = len(names.get(k, ()))
            rows = (top, top + max(BAR_HEIGHT, NAME_STEP * named if named <= MOST_NAMES else 0.0))
            end = rows[1]
        else:
            rows = (top + RADIUS - STEP / 2, top + RADIUS + (size - 0.5) * STEP)
            end = rows[1] + RADIUS - STEP / 2
        caption = end + CAPTION_GAP
        placed.append(Placed(x, top, rows, size, caption, caption + LINE_HEIGHT * (len(captions[k]) - 1)))
    return placed


def _connections(
    columns: Sequence[DiagramColumn], drawn: Mapping[int, Placed], slots: Mapping[int, int]
) -> tuple[list[tuple[int, int]], dict[tuple[int, int], float]]:
    lengths = {
        (source, target): slots[target] - slots[source]
        for target in drawn
        for source in columns[target].sources
        if source in drawn
    }
    neighbours = [pair for pair, length in lengths.items() if length == 1]
    arcs: dict[tuple[int, int], float] = {}
    for _, (source, target) in sorted((length, pair) for pair, length in lengths.items() if length > 1):
        start, stop = slots[source], slots[target]
        below = [placed.top for k, placed in drawn.items() if start <= slots[k] <= stop]
        within = [peak for (first, last), peak in arcs.items() if start <= slots[first] and slots[last] <= stop]
        arcs[source, target] = min([min(below) - FIRST_RISE, *(other - NEXT_RISE for other in within)])
    return neighbours, arcs
