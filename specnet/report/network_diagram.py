"""A network as a picture: a column for each layer, a circle for each unit, a line or a pixel for each weight."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from specnet.data import Preparation, unfitted
from specnet.number_texts import count, counted, rounded
from specnet.report.diagram_layout import (
    EDGE,
    FOLD_LABEL,
    INPUT,
    LINE_HEIGHT,
    MAX_CIRCLES,
    MAX_FOR_NAMES,
    MAX_NAMES,
    RADIUS,
    DiagramColumn,
    Fold,
    Placed,
    columns_drawn,
    columns_of,
    has_matrix,
)
from specnet.report.overview import Overview
from specnet.report.svg.axes import Frame
from specnet.report.svg.colours import HUES, NETWORK_STYLE, data_uri, png, style_alone
from specnet.report.svg.markup import escaped, hover_text, label, number, picture

if TYPE_CHECKING:
    from specnet.model import Model
    from specnet.network import Network
    from specnet.spec import Resolved
    from specnet.spec.resolving.graph import Node


MAX_LINES = 1000
"""Most lines of weights in a diagram; with more weights, the largest of each pair of columns are drawn."""
ABOUT_LINES = "Lines are as wide as weights are large, blue if positive, orange and dashed if negative."
ABOUT_MAPS = (
    f"A layer of more than {MAX_CIRCLES} units is a bar, with a picture of its weights beside it: blue is positive, "
    "orange negative. A row is a unit where weights begin, the largest first; a column is a unit where they end. In "
    "large pictures a cell shows the largest of several weights."
)
MAX_HOVERED = 64
"""Most rows of a picture of weights that each show their largest weight on hover; with more, only the whole does."""
NARROW_MAP = 50.0
"""Width of a narrow picture of weights, which fits between the captions of two columns."""
MAX_SHOWN = 32
"""Largest smaller size of a matrix of weights that pages show without a click; of more weights, little can be seen."""
FILE_MARGIN = 16.0
"""Margin around a diagram in its own file."""
CAPTION_WIDTH = 122.0
FOLD_MARGIN, FOLD_INSET = 58.0, 5.0
"""Distance from a column's middle to the frame of a fold, and by how much less it is for each fold around it."""

MAX_PIXELS = 30_000
"""Most pixels of all pictures of weights in a diagram together."""

Parameters = Mapping[str, NDArray[Any]]
Weight = NDArray[np.float64]


class NetworkDiagram:
    """The picture of a network.

    Parameters
    ----------
    resolved : Resolved
    parameters : mapping, optional
        Arrays by name, as from `Network.parameters`: the width of a line is its weight. Without them lines are thin
        and grey.
    input_names, output_names : sequence of str
        Names beside the inputs and outputs; ignored if their number differs from the number of units.

    Attributes
    ----------
    legend : str
        Sentences that explain the lines and the pictures of weights.
    largest : str
        Size of the largest picture of weights, such as ``128 × 128``; empty unless both sizes are above `MAX_SHOWN`.
    """

    def __init__(
        self,
        resolved: Resolved,
        parameters: Parameters | None = None,
        *,
        input_names: Sequence[str] = (),
        output_names: Sequence[str] = (),
    ) -> None:
        overview = Overview(resolved)
        self.description = f"Network {overview.summary()}, {counted(overview.parameter_count, 'parameter')}"
        self.title = resolved.spec.name or self.description
        columns, self.folds, self.hidden = columns_of(resolved)
        self.columns = columns
        self.weights = _weights_of(columns, parameters or {})
        self.maps = {k: weight for k, weight in self.weights.items() if max(weight.shape) > MAX_CIRCLES}
        size = max((weight.shape for weight in self.maps.values()), key=min, default=(0, 0))
        self.largest = f"{size[0]} × {size[1]}" if min(size) > MAX_SHOWN else ""
        self.captions, reach = [column.captions() for column in columns], []
        for k, weight in self.maps.items():
            largest = _largest_size(weight)
            self.captions[k].append(f"weights to ±{rounded(largest)}" if largest else "weights all 0")
            reach.append(f"{columns[k].key} {f'±{rounded(largest)}' if largest else 0}")
        self.legend = ABOUT_LINES if len(self.weights) > len(self.maps) else ""
        self.legend += f"{' ' * bool(self.legend)}{ABOUT_MAPS}" if self.maps else ""
        self.description = ". ".join(filter(None, [self.description, self.legend.removesuffix("."), ", ".join(reach)]))
        named = {INPUT: input_names, len(columns) - 1: output_names}
        self.names = {k: names for k, names in named.items() if len(names) == columns[k].size}
        self.orders = [
            _unit_order(column.size, [weight for k, weight in self.maps.items() if columns[k].sources == (number,)])
            for number, column in enumerate(columns)
        ]
        self.placement = columns_drawn(columns, self.folds, self.hidden, self.captions, self.names)

    def svg(self, head: str = "", margin: float = 0.0) -> Markup:
        """Return the picture as SVG, with the markup `head` inside it first and a margin around it."""
        size = self.placement.width, self.placement.height
        return picture("specnet-network", *size, self.description, [head, *self.content()], margin=margin)

    def file(self) -> str:
        """Return the picture as an SVG file with its own colours, light and dark."""
        style = f"<style>\n{style_alone(NETWORK_STYLE, 'specnet-network')}</style>"
        alone = self.svg(f"<title>{escaped(self.title)}</title>{style}", FILE_MARGIN)
        return f'<?xml version="1.0" encoding="UTF-8"?>\n{alone}\n'

    def content(self) -> Iterator[str]:
        placement = self.placement
        columns = placement.columns
        yield from map(self._fold, self.folds)
        yield from (self._arc(*ends, peak) for ends, peak in placement.arcs.items())
        for source, target in placement.neighbours:
            yield from self._links(source, target)
        for k, placed in columns.items():
            yield from self._column(k, placed)
            for index, line in enumerate(self.captions[k]):
                height, style = placed.caption + index * LINE_HEIGHT, "detail" if index else "caption"
                yield label(line, placed.x, height, style, "middle", CAPTION_WIDTH)
            yield from self._names(k, placed)
        yield from self._left_out()

    def _links(self, source: int, target: int) -> Iterator[str]:
        """Yield the lines between two neighbouring columns."""
        column, start, end = self.columns[target], self.placement.columns[source], self.placement.columns[target]
        node = column.nodes[0]
        if target in self.maps:
            yield from self._map(source, target)
            return
        if target in self.weights:
            yield from self._weighted(self.weights[target], start, end)
            return
        positions = [k for k, other in enumerate(column.sources) if other == source]
        pairs = _pairs(node, positions, start, end)
        curves = "".join(_curve(start, end, start.ends[before], end.ends[after]) for before, after in pairs)
        if curves:
            yield f'<path class="link plain" d="{curves}"/>'

    def _map(self, source: int, target: int) -> Iterator[str]:
        """Yield the picture of a weight matrix: a row for each input unit, a column for each unit of the layer.

        It is as high as the source and reaches from it to the target; if it is narrow, it is beside the target and as
        high as the target.
        """
        start, end = self.placement.columns[source], self.placement.columns[target]
        rows, columns = self.orders[source], self.orders[target]
        weight = self.maps[target][np.ix_(columns, rows)].T
        left, right, ends = start.x + start.reach + EDGE, end.x - end.reach - EDGE, start.rows
        if self._is_narrow(source, target):
            left, ends = right - NARROW_MAP, end.rows
            curves = (_curve(start, replace(end, x=left + end.reach), y, sum(ends) / 2) for y in start.ends)
            yield f'<path class="link plain" d="{"".join(curves)}"/>'
        frame = Frame(left, right, *ends)
        address = weight_image(weight, MAX_PIXELS // len(self.maps))
        yield f'<image href="{address}" {frame.attributes()} preserveAspectRatio="none"/>{frame.outline()}'
        pieces = np.split(np.nan_to_num(weight), len(rows) if len(rows) <= MAX_HOVERED else 1)
        texts = []
        for index, piece in enumerate(pieces):
            row, column = np.unravel_index(np.abs(piece).argmax(), piece.shape)
            named = f"from {self._unit(source, rows[index + row])} to {self._unit(target, columns[column])}"
            texts.append(f"largest weight {rounded(float(piece[row, column]))}, {named}")
        yield from _bands(frame, texts)

    def _is_narrow(self, source: int, target: int) -> bool:
        """Return whether other columns read the source too, or a wide picture would cover a caption beside it."""
        columns, neighbours = self.placement.columns, self.placement.neighbours
        if sum(source == other for other, _ in neighbours) > 1:
            return True
        x = columns[target].x
        wide = [columns[start].rows for start, end in neighbours if end in self.maps and columns[end].x == x]
        beside = [placed for placed in columns.values() if placed.x == x]
        return any(
            top < placed.bottom and bottom > placed.caption - LINE_HEIGHT for top, bottom in wide for placed in beside
        )

    def _weighted(self, weight: NDArray[np.float64], start: Placed, end: Placed) -> Iterator[str]:
        """Yield a line for each of the largest weights, from the smallest to the largest, which is on top."""
        size = np.where(np.isfinite(weight), np.abs(weight), -1.0)
        most = MAX_LINES // max(len(self.placement.neighbours), 1)
        for flat in np.argsort(size, axis=None, kind="stable")[-most:]:
            row, at = np.unravel_index(flat, size.shape)
            value, share = weight[row, at], size[row, at] / (_largest_size(weight) or 1.0)
            if share >= 0:
                curve = _curve(start, end, start.heights[at], end.heights[row])
                style = f'class="link {"negative" if value < 0 else "positive"}"'
                stroke = f'{style} stroke-width="{0.4 + 3.6 * share:.3g}" opacity="{0.25 + 0.75 * share:.2g}"'
                yield f'<path d="{curve}" {stroke}>{hover_text(rounded(float(value)))}</path>'

    def _arc(self, source: int, target: int, peak: float) -> str:
        """Return an arc from one column to another over the columns between; `peak` is the height of its top."""
        start, end = self.placement.columns[source], self.placement.columns[target]
        above, below = start.top - 3, end.top - 3
        # The top of the Bézier curve is at the peak if 1/√d = 1/√(A + d) + 1/√(B + d): d is how far the control points
        # are above the peak, A and B how far the ends are below it. This iteration contracts.
        rise = 0.0
        for _ in range(50):
            rise = ((above - peak + rise) ** -0.5 + (below - peak + rise) ** -0.5) ** -2
        control = peak - rise
        reach = min((end.x - start.x) / 4, 60.0)
        first, last = f"{number(start.x)} {number(above)}", f"{number(end.x)} {number(below)}"
        bend = f"{number(start.x + reach)} {number(control)} {number(end.x - reach)} {number(control)}"
        return f'<path class="skip" d="M{first}C{bend} {last}"/>'

    def _column(self, k: int, placed: Placed) -> Iterator[str]:
        column = self.columns[k]
        style = "inputs" if k == INPUT else "outputs" if k == len(self.columns) - 1 else "hidden"
        if placed.is_bar:
            frame = Frame(placed.x - placed.reach, placed.x + placed.reach, *placed.rows)
            yield f'<rect class="unit {style}" {frame.attributes()} rx="{number(placed.reach)}"/>'
            has_names = k in self.names and column.size <= MAX_HOVERED
            whole = [f"{column.key}, {counted(column.size, 'unit')}"]
            yield from _bands(frame, [self._unit(k, unit) for unit in self.orders[k]] if has_names else whole)
            return
        for unit, y in enumerate(placed.heights):
            geometry = f'cx="{number(placed.x)}" cy="{number(y)}" r="{number(RADIUS)}"'
            yield f'<circle class="unit {style}" {geometry}>{hover_text(self._unit(k, unit))}</circle>'
            if style == "hidden":
                yield label(str(unit + 1), placed.x, y + 4, "inside", "middle")

    def _unit(self, k: int, unit: int) -> str:
        """Return the name of a unit that is shown on hover."""
        if k in self.names:
            return self.names[k][unit]
        return f"{self.columns[k].key}, unit {unit + 1}" if k else f"input {unit + 1}"

    def _names(self, k: int, placed: Placed) -> Iterator[str]:
        """Yield the names beside the units of the first or the last column, if it has names and not too many."""
        direction, anchor = (-1, "end") if k == INPUT else (1, "start")
        if k in self.names and placed.size <= MAX_NAMES:
            for unit, y in zip(self.orders[k], placed.heights, strict=True):
                x = placed.x + direction * (placed.reach + EDGE)
                yield label(self.names[k][unit], x, y + 4, "", anchor, MAX_FOR_NAMES)

    def _fold(self, fold: Fold) -> str:
        """Return a frame around the columns of a repeated block, with the number of repetitions."""
        placement, (numbers, times, depth) = self.placement, fold
        columns = {k: placement.columns[k] for k in numbers if k in placement.columns}
        if not columns:
            return ""
        margin = FOLD_MARGIN - FOLD_INSET * depth
        left, right = (edge(placed.x for placed in columns.values()) for edge in (min, max))
        arcs = [peak for ends, peak in placement.arcs.items() if columns.keys() >= {*ends}]
        top = min([placed.top for placed in columns.values()] + arcs) - 2 * EDGE
        bottom = max(placed.bottom for placed in columns.values()) + FOLD_LABEL
        geometry = f'x="{number(left - margin)}" y="{number(top)}"'
        size = f'width="{number(right - left + 2 * margin)}" height="{number(bottom - top + EDGE)}" rx="10"'
        text = label(f"× {count(times)}", (left + right) / 2, bottom - 2, "caption", "middle")
        return f'<rect class="fold" {geometry} {size}/>{text}'

    def _left_out(self) -> Iterator[str]:
        """Yield the numbers of hidden layers, each at the position of the gap."""
        for x, y, branches in self.placement.unseen:
            yield label(f"⋮ {counted(branches, 'more layer')}", x, y, "more", "middle")
        if self.placement.gap is not None:
            x, y = self.placement.gap
            missing = sum(column.times for column in self.columns if column.rank in self.hidden)
            yield label("⋯", x, y, "caption", "middle")
            yield label(f"{count(missing)} more", x, y + LINE_HEIGHT, "more", "middle")


def diagram_of(
    network: Network, model: Model | None = None, columns: Sequence[str] = (), outputs: Sequence[str] = ()
) -> NetworkDiagram:
    """Return the diagram of a network, with the weights of a model if given (of an ensemble, of its first member).

    Parameters
    ----------
    network : Network
    model : Model, optional
    columns, outputs : sequence of str
        Names of the raw columns and of the classes or outputs; by default from the spec and the model's labels.
    """
    columns = columns or network.spec.feature_names or ()
    if model is None:
        preparation = Preparation(unfitted(network.spec.network.preprocessing or (), columns))
        return NetworkDiagram(network.resolved, input_names=preparation.named(columns))
    weights, names = network.parameters(model.members[0][0]), model.preprocessing.named(columns)
    if model.labels is not None:
        classes = outputs or [str(label) for label in model.labels]
        outputs = classes[1:] if network.outputs == 1 else classes
    return NetworkDiagram(network.resolved, weights, input_names=names, output_names=outputs)


def _pairs(node: Node, positions: Sequence[int], start: Placed, end: Placed) -> Iterable[tuple[int, int]]:
    """Return the index pairs of connected units of two columns; a bar counts as one unit."""
    sizes = node.input_sizes
    pairs = [(before, after) for after in range(len(end.ends)) for before in range(len(start.ends))]
    if start.is_bar or end.is_bar:
        return pairs
    origins = node.layer.origins(sizes) if len(sizes) == 1 else None
    if origins is not None:
        return [(origins[after], after) for after in range(end.size)]
    if all(size == node.size for size in sizes) and not has_matrix(node):
        return [(unit, unit) for unit in range(start.size)]
    if len(sizes) > 1 and sum(sizes) == node.size:
        return [(unit, unit + sum(sizes[:position])) for position in positions for unit in range(start.size)]
    return pairs


def _bands(frame: Frame, texts: Sequence[str]) -> Iterator[str]:
    """Divide a frame into horizontal bands of equal height, one per text; hovering over a band shows its text."""
    for text, (top, bottom) in zip(texts, pairwise(np.linspace(frame.top, frame.bottom, len(texts) + 1)), strict=True):
        geometry = replace(frame, top=float(top), bottom=float(bottom)).attributes()
        yield f'<rect class="hit" {geometry}>{hover_text(text)}</rect>'


def _curve(start: Placed, end: Placed, above: float, below: float) -> str:
    left, right = start.x + start.reach, end.x - end.reach
    middle = number((right - left) / 2)
    width, height = number(right - left), number(below - above)
    return f"M{number(left)} {number(above)}c{middle} 0 {middle} {height} {width} {height}"


def _weights_of(columns: Sequence[DiagramColumn], parameters: Mapping[str, NDArray[np.generic]]) -> dict[int, Weight]:
    """Return weight matrices (units, inputs) by column index; columns whose weight has another shape are left out."""
    found = {}
    for k, column in enumerate(columns[1:], 1):
        node = column.nodes[0]
        weight = parameters.get(f"{node.key}.weight")
        if weight is not None and weight.shape == (node.size, sum(node.input_sizes)):
            found[k] = np.asarray(weight, np.float64)
    return found


def _largest_size(weight: Weight) -> float:
    """Return the largest absolute value of the finite weights; 0 without finite weights."""
    return float(np.abs(weight[np.isfinite(weight)]).max(initial=0.0))


def _unit_order(size: int, readers: Sequence[Weight]) -> NDArray[np.intp]:
    """Return the indices of a column's units in the order in which pictures of weights show them.

    If they are more than `MAX_CIRCLES`, units with the largest sums of squared outgoing weights are first.
    """
    if size <= MAX_CIRCLES or not readers:
        return np.arange(size)
    squares = sum((np.nan_to_num(weight, posinf=0.0, neginf=0.0) ** 2).sum(axis=0) for weight in readers)
    return np.argsort(-np.asarray(squares), kind="stable")


def weight_image(weight: Weight, pixels: int) -> str:
    """Return a data URI of a picture of weights (rows, columns), blue if positive and orange if negative.

    The picture has at most `pixels` pixels. If several weights share a pixel, it shows the largest.
    """
    most, scale = max(int(pixels**0.5), 1), _largest_size(weight) or 1.0
    for axis in (0, 1):
        starts = np.arange(0, weight.shape[axis], -(-weight.shape[axis] // most))
        high, low = (each.reduceat(weight, starts, axis) for each in (np.fmax, np.fmin))
        weight = np.where(high > -low, high, low)
    return data_uri(png(np.abs(weight) / scale, weight > 0, HUES[:2]))
