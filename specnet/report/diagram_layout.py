"""The layout of a network's diagram: which layers share a column, the columns' positions, and folded repetitions."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from specnet.number_texts import count, counted
from specnet.report.svg.markup import text_width

if TYPE_CHECKING:
    from specnet.errors import Path
    from specnet.parts.activations import Activation
    from specnet.parts.layers import Layer
    from specnet.spec import Resolved
    from specnet.spec.resolving.graph import Node


MAX_RANKS = 16
"""Largest number of ranks that are drawn without folding repetitions."""
LONGEST_KIND, LONGEST_LINE = 13, 16
"""Most characters of a layer's kind that fit beside its size, and of one line of a longer kind."""
INPUT = 0
"""Index of the input's column."""


@dataclass(frozen=True)
class DiagramColumn:
    """A column of the diagram: a layer and the following layers that only change its values.

    Attributes
    ----------
    nodes : tuple of Node
        Layers of the column in order; empty for the input.
    sources : tuple of int
        Indices of the columns that it reads, in order.
    size : int
        Number of units.
    rank : int
        Length of the longest path from the input. Columns of one rank are drawn below each other.
    times : int
        Number of equal consecutive columns that this column represents.
    """

    nodes: tuple[Node, ...]
    sources: tuple[int, ...]
    size: int
    rank: int
    times: int = 1

    @property
    def path(self) -> Path:
        """The path of its first layer in the spec."""
        return self.nodes[0].path if self.nodes else ()

    @property
    def key(self) -> str:
        """The name of its first layer's parameters, or ``input``."""
        return self.nodes[0].key if self.nodes else "input"

    def captions(self) -> list[str]:
        """Return the lines of text below the column: size and activation, name, following layers, parameters."""
        if not self.nodes:
            return [counted(self.size, "input")]
        first, *others = self.nodes
        words = [] if first.layer.type == "dense" else [first.layer.type]
        words += [activation.type for node in self.nodes if (activation := visible_activation(node.layer))]
        kind = " ".join(words or ["linear"]).replace("_", " ")
        lines = [f"{count(self.size)} {kind}"]
        if len(kind) > LONGEST_KIND:
            lines = [count(self.size), *wrap(kind, LONGEST_LINE, break_long_words=False)]
        if first.layer.name:
            lines.append(first.layer.name)
        lines += [_following(node.layer) for node in others if node.layer.split_activation()[0] is not None]
        parameters = sum(node.layer.parameter_count(node.input_sizes) for node in self.nodes)
        if parameters:
            lines.append(counted(parameters, "parameter"))
        return lines


Fold = tuple[tuple[int, ...], int, int]
"""Indices of the columns of a repeated block, its number of repetitions, and the number of folds around it."""


def columns_of(resolved: Resolved) -> tuple[tuple[DiagramColumn, ...], list[Fold], range]:
    """Return the columns of a network's diagram; repetitions are folded if there are more than 16 ranks.

    Returns
    -------
    columns : tuple of DiagramColumn
        The input first, then the layers in the order in which they are computed.
    folds : list of Fold
    hidden : range
        Consecutive ranks that are left out.
    """
    columns = _joined(resolved.nodes, resolved.inputs, folded=False)
    if rank_count(columns) <= MAX_RANKS:
        return columns, [], range(0)
    columns = _without_repeated(_joined(resolved.nodes, resolved.inputs, folded=True))
    folds: list[Fold] = [
        (within, times, depth)
        for path, times, depth in _blocks(resolved.spec.network.layers or (), ("network", "layers"), 0)
        if (within := tuple(k for k, column in enumerate(columns) if column.path[: len(path)] == path))
    ]
    folds += [((number,), column.times, 0) for number, column in enumerate(columns) if column.times > 1]
    left_out = rank_count(columns) - MAX_RANKS
    # One rank is for the gap itself.
    first = MAX_RANKS // 2
    return columns, folds, range(first, first + left_out + 1) if left_out > 0 else range(0)


def rank_count(columns: Sequence[DiagramColumn]) -> int:
    """Return the number of ranks, including ranks that are left out."""
    return 1 + max(column.rank for column in columns)


def _joined(nodes: Sequence[Node], inputs: int, *, folded: bool) -> tuple[DiagramColumn, ...]:
    """Return the columns of layers; if `folded`, a repeated block has only the columns of its first repetition."""
    first_at: dict[Path, int] = {}
    standing = [first_at.setdefault(node.path, k) if folded else k for k, node in enumerate(nodes)]
    chosen = [k for k, other in enumerate(standing) if other == k]
    read = {k: tuple(standing[source] if source >= 0 else source for source in nodes[k].inputs) for k in chosen}
    readers = Counter(source for sources in read.values() for source in sources)
    columns = [DiagramColumn((), (), inputs, 0)]
    column_of = {-1: INPUT}
    for k in chosen:
        node, sources = nodes[k], read[k]
        source = sources[0]
        # A layer that only changes the values of the layer before it shares its column.
        plain = node.layer.input_count == "one" and not node.layer.reads_columns and not has_matrix(node)
        if (
            plain
            and source >= 0
            and readers[source] == 1
            and node.size == nodes[source].size
            and node.path[:-1] == nodes[source].path[:-1]
        ):
            number = column_of[k] = column_of[source]
            columns[number] = replace(columns[number], nodes=(*columns[number].nodes, node))
            continue
        numbers = tuple(column_of[source] for source in sources)
        column_of[k] = len(columns)
        columns.append(DiagramColumn((node,), numbers, node.size, 1 + max(columns[number].rank for number in numbers)))
    return tuple(columns)


def has_matrix(node: Node) -> bool:
    """Tell whether a layer has a weight that mixes units."""
    return any(len(shape) > 1 for shape in node.layer.tensor_shapes(node.input_sizes).values())


def _without_repeated(columns: Sequence[DiagramColumn]) -> tuple[DiagramColumn, ...]:
    """Return columns in which each series of equal consecutive columns is one column that counts them."""
    readers = Counter(source for column in columns for source in column.sources)
    made: list[DiagramColumn] = []
    new_number: dict[int, int] = {}
    for number, column in enumerate(columns):
        source = column.sources[0] if len(column.sources) == 1 else INPUT
        before = columns[source]
        if source != INPUT and readers[source] == 1 and _look(column) == _look(before):
            stands = new_number[number] = new_number[source]
            made[stands] = replace(made[stands], times=made[stands].times + 1)
            continue
        sources = tuple(new_number[source] for source in column.sources)
        rank = 1 + max(made[source].rank for source in sources) if sources else 0
        new_number[number] = len(made)
        made.append(replace(column, sources=sources, rank=rank))
    return tuple(made)


def _look(column: DiagramColumn) -> Any:
    return column.path[:-1], column.nodes[0].input_sizes, column.captions()


def _blocks(layers: Sequence[Layer], path: Path, depth: int) -> Iterator[tuple[Path, int, int]]:
    """Yield for each repeated block the path of its layers, its repetitions, and the number of blocks around it."""
    for index, layer in enumerate(layers):
        if layer.layers_field is not None:
            inner, repeated = (*path, index, layer.layers_field), layer.repetitions > 1
            if repeated:
                yield inner, layer.repetitions, depth
            yield from _blocks(layer.inner_layers, inner, depth + repeated)


def visible_activation(layer: Layer) -> Activation | None:
    """Return the activation of a layer; None if it has none or the identity."""
    _, activation = layer.split_activation()
    return None if activation is None or activation.is_identity else activation


def _following(layer: Layer) -> str:
    text = re.sub(r"\(\w+=([^,()]+)\)", r" \1", layer.summary(training=False))
    return text.replace("_", " ").replace("normalization", "norm")


MAX_CIRCLES = 12
"""Most units that are drawn as circles; a column with more units is drawn as a bar."""
BAR_HEIGHT, NAME_STEP = 170.0, 13.0
"""Height of a bar, and distance between the names beside it."""
MAX_NAMES = 40
"""Most names beside a bar; more names are shown only on hover."""
MAX_BRANCHES = 4
"""Most columns of one rank that are drawn."""
MIN_WIDTH, COLUMN_WIDTH, MIN_HEIGHT = 340.0, 128.0, 110.0
LINE_HEIGHT = 15.0
BORDER = 58.0
"""Minimum distance from the middle of the outer columns to the edges."""
MAX_FOR_NAMES = 130.0
"""Maximum width of the names of inputs and outputs."""
CAPTION_GAP, FOLD_LABEL = 24.0, 24.0
STACK_GAP = 22.0
"""Distance between parallel branches."""
EDGE = 6.0
FIRST_RISE, NEXT_RISE = 22.0, 12.0
"""Distance from the circles to an arc above them, and from one arc to the next."""
RADIUS, STEP, BAR_REACH = 11.0, 34.0, 6.0
"""Radius of a circle, distance between the centres of circles, and half the width of a bar."""


@dataclass(frozen=True)
class Placed:
    """The position of a column in the drawing.

    Attributes
    ----------
    x, top : float
        Middle of the column, and upper end of its circles or its bar.
    rows : (float, float)
        Top and bottom of the range in which the units are evenly spaced.
    size : int
        Number of units.
    caption, bottom : float
        First and last baseline of the caption.
    """

    x: float
    top: float
    rows: tuple[float, float]
    size: int
    caption: float
    bottom: float

    @property
    def is_bar(self) -> bool:
        """Whether the column has too many units for circles."""
        return self.size > MAX_CIRCLES

    @property
    def reach(self) -> float:
        """Distance from the middle of the column to its edges."""
        return BAR_REACH if self.is_bar else RADIUS

    @property
    def heights(self) -> list[float]:
        """Height of the middle of each unit."""
        first, last = self.rows
        return [first + (last - first) * (unit + 0.5) / self.size for unit in range(self.size)]

    @property
    def ends(self) -> list[float]:
        """Heights at which connections end: at each circle, or in the middle of the bar."""
        return [sum(self.rows) / 2] if self.is_bar else self.heights

    def moved(self, down: float) -> Placed:
        """Return a copy that is moved down by a distance."""
        top, rows = self.top + down, (self.rows[0] + down, self.rows[1] + down)
        return replace(self, top=top, rows=rows, caption=self.caption + down, bottom=self.bottom + down)


@dataclass(frozen=True)
class Placement:
    """The positions of all columns, connections and notes of a diagram.

    Attributes
    ----------
    width, height : float
        Size of the diagram.
    columns : mapping of int to Placed
        Positions of the drawn columns, by index.
    neighbours : tuple of (int, int)
        Connections between neighbouring columns: indices of source and target.
    arcs : mapping
        Height of the middle of each connection that skips columns, by (source, target).
    gap : (x, y) or None
        Position of the number of hidden layers.
    unseen : tuple of (x, y, count)
        Position and number of hidden parallel branches, for each rank that has them.
    """

    width: float
    height: float
    columns: Mapping[int, Placed]
    neighbours: tuple[tuple[int, int], ...]
    arcs: Mapping[tuple[int, int], float]
    gap: tuple[float, float] | None
    unseen: tuple[tuple[float, float, int], ...]


def columns_drawn(
    columns: Sequence[DiagramColumn],
    folds: Sequence[Fold],
    hidden: range,
    captions: Sequence[Sequence[str]],
    names: Mapping[int, Sequence[str]],
) -> Placement:
    """Return the positions of the columns in the diagram.

    Parameters
    ----------
    columns, folds, hidden
        The return values of `columns_of`.
    captions : sequence of sequences of str
        Lines of text below each column.
    names : mapping
        Names beside the units of the first and the last column, by the column's index.
    """
    shown = [rank for rank in range(rank_count(columns)) if rank not in hidden]
    slots = {rank: k + (rank > min(hidden, default=rank)) for k, rank in enumerate(shown)}
    slot_count = len(shown) + bool(hidden)
    outer = names.get(INPUT, ()), names.get(len(columns) - 1, ())
    widest = (min(max(map(text_width, texts), default=0.0), MAX_FOR_NAMES) for texts in outer)
    left, right = (max(BORDER, space + RADIUS + 2 * EDGE) for space in widest)
    width = max(MIN_WIDTH, COLUMN_WIDTH * slot_count) + left + right - 2 * BORDER
    step = (width - left - right) / max(slot_count - 1, 1)
    # A connection that skips columns is an arc from the top of one column to the top of another.
    arched = {
        k
        for target, column in enumerate(columns)
        for source in column.sources
        if column.rank - columns[source].rank > 1
        for k in (source, target)
    }
    stacks = {
        rank: sorted((k for k, column in enumerate(columns) if column.rank == rank), key=lambda k: k not in arched)
        for rank in shown
    }
    laid = {
        rank: _stacked(columns, stack[:MAX_BRANCHES], float(round(left + slots[rank] * step)), captions, names)
        for rank, stack in stacks.items()
    }
    # Columns that are alone in their rank have their captions on a common line below all circles.
    ends = {
        rank: stack[-1].bottom if len(stack) > 1 else stack[0].caption - CAPTION_GAP for rank, stack in laid.items()
    }
    body = max(MIN_HEIGHT, *ends.values())
    drawn: dict[int, Placed] = {}
    unseen = []
    for rank, stack in stacks.items():
        moved = [placed.moved(float(round((body - ends[rank]) / 2))) for placed in laid[rank]]
        if len(stack) == 1:
            caption = body + CAPTION_GAP
            moved = [replace(moved[0], caption=caption, bottom=caption + moved[0].bottom - moved[0].caption)]
        drawn |= zip(stack, moved, strict=False)
        if len(stack) > MAX_BRANCHES:
            unseen.append((moved[-1].x, moved[-1].bottom + STACK_GAP, len(stack) - MAX_BRANCHES))
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
    """Return the positions of columns of one rank, one below the other with their captions, from height 0 on."""
    placed: list[Placed] = []
    for k in numbers:
        size, top = columns[k].size, placed[-1].bottom + STACK_GAP if placed else 0.0
        if size > MAX_CIRCLES:
            named = len(names.get(k, ()))
            rows = (top, top + max(BAR_HEIGHT, NAME_STEP * named if named <= MAX_NAMES else 0.0))
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
